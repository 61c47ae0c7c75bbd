//go:build bench && linux

// Package bench_test measures writ beside its peers, in one run on one machine,
// and holds the result against the bars of docs/design.md. "make bench" runs it.
//
// The figures are wall times of whole processes unless a line says otherwise.
// They say nothing about another machine; the ratios nearly do.
package bench_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
)

const (
	treeSize   = 1000 // files: enough for the start of a process not to count
	scriptSize = 1 << 10
	bigSize    = 10 << 20
	rounds     = 3  // of what takes long: the best counts
	starts     = 40 // of what is short: the median counts
)

// TestBars prints the table and fails where a bar is missed; with
// WRIT_BENCH_REPORT set (make bench REPORT=1) it only prints.
func TestBars(t *testing.T) {
	b := newBench(t)
	b.trees()
	b.bareChecks()
	b.signs()
	b.bigFiles()
	b.clearsigned()
	b.decisions()
	b.coldDecision()
	b.replays()
	b.coldRuns()
	b.builds()
	b.print()
}

// row is one line of the table: ours against a peer, or against a fixed limit.
type row struct {
	work, ours, peer, ratio, bar string
	met                          bool
}

type bench struct {
	*testing.T
	writ string // the program
	dir  string
	keys map[string]*newkeys.X509Key // by algorithm
	rows []row
}

func newBench(t *testing.T) *bench {
	t.Helper()
	program := os.Getenv("WRIT_BENCH_PROGRAM")
	if program == "" {
		t.Fatal("WRIT_BENCH_PROGRAM does not name the program: use make bench")
	}
	copied := filepath.Join(t.TempDir(), "writ")
	if err := install(copied, program); err != nil {
		t.Fatal(err)
	}
	return &bench{T: t, writ: copied, dir: t.TempDir(), keys: map[string]*newkeys.X509Key{}}
}

// install copies a program by small pieces, as what installs one does: of a file that
// was written in large ones, as by the linker, the kernel counts whole large pages as
// memory of the process, half as much again.
func install(to, from string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	for piece := range slices.Chunk(data, 32<<10) {
		if _, err := f.Write(piece); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}

func (b *bench) check(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, filepath.FromSlash(name)) }

func (b *bench) write(name string, data []byte) {
	b.Helper()
	b.check(os.MkdirAll(filepath.Dir(b.path(name)), 0o700))
	b.check(os.WriteFile(b.path(name), data, 0o600))
}

// run runs a program that must succeed and returns its wall time.
func (b *bench) run(name string, args ...string) time.Duration {
	b.Helper()
	took, _ := b.output(name, args...)
	return took
}

func (b *bench) output(name string, args ...string) (time.Duration, string) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), name, args...)
	cmd.Env = append(os.Environ(), "GNUPGHOME="+b.path("gnupg"))
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	if err != nil {
		b.Fatalf("%s %s: %v\n%s", name, strings.Join(args[:min(len(args), 6)], " "), err, stderr.String())
	}
	return took, stdout.String()
}

// peakMemory returns the most memory that a program had. The kernel counts a
// child's memory from its fork on, when it still was its parent: so the parent
// is a small one, and not this test.
func (b *bench) peakMemory(args ...string) int64 {
	b.Helper()
	const small = "import resource, subprocess, sys\n" +
		"subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n" +
		"print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
	_, kib := b.output(testenv.Tool(b, "python3"), append([]string{"-S", "-c", small}, args...)...)
	n, err := strconv.ParseInt(strings.TrimSpace(kib), 10, 64)
	b.check(err)
	return n << 10
}

// best runs f some times and returns the shortest.
func best(n int, f func() time.Duration) time.Duration {
	shortest := f()
	for range n - 1 {
		shortest = min(shortest, f())
	}
	return shortest
}

func median(list []time.Duration) time.Duration {
	list = slices.Clone(list)
	slices.Sort(list)
	return list[len(list)/2]
}

// atLeast adds a row where ours must be that many times faster than the peer's.
func (b *bench) atLeast(work string, ours, peer time.Duration, peerName string, bar float64) {
	ratio := float64(peer) / float64(ours)
	b.add(row{
		work, show(ours), show(peer) + " " + peerName, fmt.Sprintf("%.1fx faster", ratio),
		fmt.Sprintf(">= %gx", bar), ratio >= bar,
	})
}

func (b *bench) add(r row) { b.rows = append(b.rows, r) }

func show(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.0f us", d.Seconds()*1e6)
}

func (b *bench) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	line := func(cells ...string) { b.check(second(fmt.Fprintln(w, strings.Join(cells, "\t")))) }
	line("work", "writ", "peer", "ratio", "bar", "")
	missed := 0
	for _, r := range b.rows {
		word := "met"
		if !r.met {
			word = "MISSED"
			missed++
		}
		line(r.work, r.ours, r.peer, r.ratio, r.bar, word)
	}
	b.check(w.Flush())
	if missed > 0 && os.Getenv("WRIT_BENCH_REPORT") == "" {
		b.Errorf("%d bars are missed", missed)
	}
}

func second(_ int, err error) error { return err }

// script returns a script of that size, different for each number.
func script(number, size int, line string) []byte {
	text := fmt.Sprintf("# runbook %d\n", number)
	return []byte(text + strings.Repeat(line, (size-len(text))/len(line)))
}

const (
	bashLine       = "echo \"restart the print spooler on $HOSTNAME\"\n"
	powershellLine = "Write-Output \"restart the print spooler\"\r\n"
)

// x509 makes a key with a certificate, and writes key, chain and root.
func (b *bench) x509(algorithm string) {
	b.Helper()
	key, err := newkeys.X509(newkeys.X509Options{
		Algorithm: algorithm, Subject: "Bench Signer", NotBefore: time.Now().Add(-time.Hour),
	})
	b.check(err)
	b.keys[algorithm] = key
	b.write(algorithm+".pem", key.KeyPEM)
	b.write(algorithm+".chain", key.ChainPEM())
	b.write(algorithm+".ca", key.CAPEM)
}

// openPGP makes a key, writes its halves and hands the public one to gpg.
func (b *bench) openPGP(algorithm string) {
	b.Helper()
	entity, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{
		Algorithm: algorithm, Name: "Bench " + algorithm, Created: time.Now().Add(-time.Hour),
	})
	b.check(err)
	secret, err := newkeys.ArmoredSecret(entity, nil)
	b.check(err)
	public, err := newkeys.ArmoredPublic(entity)
	b.check(err)
	b.write(algorithm+".key", secret)
	b.write(algorithm+".asc", public)
	b.check(os.MkdirAll(b.path("gnupg"), 0o700))
	b.run(testenv.Tool(b, "gpg"), "--batch", "--quiet", "--no-autostart", "--import", b.path(algorithm+".asc"))
}
