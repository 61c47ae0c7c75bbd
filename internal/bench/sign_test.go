//go:build bench && linux

package bench_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/runwrit/writ/internal/testenv"
)

const (
	librarySize   = 500 // files that are signed
	libraryScript = 2 << 10
	// libraryBar is how many times faster than a process per file. With RSA-3072 most
	// of our time is the arithmetic of the key, on every processor there is: on two
	// that alone takes longer than the bar allows.
	libraryBar = 8
)

// spent is what a command took: by the clock, and of all processors.
type spent struct{ wall, cpu time.Duration }

func (b *bench) spend(name string, args ...string) spent {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), name, args...)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	wall := time.Since(start)
	if err != nil {
		b.Fatalf("%s %v: %v\n%s", name, args[:min(len(args), 6)], err, out)
	}
	return spent{wall, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
}

// signs signs a library of small scripts: ours in one process, which verifies each
// file and has it on disk before it goes on; osslsigncode, which does neither, once
// for each file.
func (b *bench) signs() {
	tool := testenv.Tool(b, "osslsigncode")
	for _, algorithm := range []string{"rsa3072", "p256"} {
		if b.keys[algorithm] == nil {
			b.x509(algorithm)
		}
		key, chain := b.path(algorithm+".pem"), b.path(algorithm+".chain")
		folder := "sign-" + algorithm
		fresh := func() (list []string) {
			b.check(os.RemoveAll(b.path(folder)))
			for i := range librarySize {
				name := fmt.Sprintf("%s/%04d.ps1", folder, i)
				b.write(name, script(i, libraryScript, powershellLine))
				list = append(list, b.path(name))
			}
			return list
		}
		var ours, theirs spent
		for round := range rounds {
			fresh()
			if one := b.spend(b.writ, "sign", "--key", key, "--cert", chain, b.path(folder)); round == 0 || one.wall < ours.wall {
				ours = one
			}
		}
		for _, name := range fresh() {
			one := b.spend(tool, "sign", "-certs", chain, "-key", key, "-h", "sha256", "-in", name, "-out", name+".signed")
			theirs.wall, theirs.cpu = theirs.wall+one.wall, theirs.cpu+one.cpu
		}
		work := fmt.Sprintf("sign %d .ps1 of 2 KiB, %s, %d CPUs", librarySize, algorithm, runtime.NumCPU())
		b.atLeast(work, ours.wall, theirs.wall, "osslsigncode", libraryBar)
		b.add(row{
			"  its processor time", show(ours.cpu), show(theirs.cpu) + " osslsigncode",
			fmt.Sprintf("%.1fx less", float64(theirs.cpu)/float64(ours.cpu)), "", true,
		})
	}
}

// builds compares the program with and without its build tags: how large it is, and
// how long "writ --help" takes.
func (b *bench) builds() {
	plain := int64(0)
	for _, tags := range []string{"", "cloudkms", "nosigstore"} {
		built, program := b.path("build-"+tags), b.path("writ-"+tags)
		cmd := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-tags", tags, "-o", built, "./cmd/writ")
		cmd.Dir = testenv.Root(b)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("build with tags %q: %v\n%s", tags, err, out)
		}
		b.check(install(program, built))
		info, err := os.Stat(program)
		b.check(err)
		if tags == "" {
			plain = info.Size()
		}
		var times []time.Duration
		for range starts {
			times = append(times, b.run(program, "--help"))
		}
		what := "tags " + tags
		if tags == "" {
			what = "no tags"
		}
		b.add(row{
			"writ --help, " + what, show(median(times)), "",
			fmt.Sprintf("%.1f MiB", float64(info.Size())/(1<<20)), fmt.Sprintf("%+.1f MiB", float64(info.Size()-plain)/(1<<20)), true,
		})
	}
}
