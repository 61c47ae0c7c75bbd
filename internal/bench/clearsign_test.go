//go:build bench && linux

package bench_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// clearsignFiles is how many small files are verified in process.
const clearsignFiles = 200

// clearsigned compares the verifier, in process and on one core, with a process
// of gpg for each file and with go-crypto on the same files: its Decode, and the
// check of its second API. Then one large file: time, and bytes allocated.
func (b *bench) clearsigned() {
	gpg := []string{"--batch", "--quiet", "--no-autostart", "--verify"}
	for _, algorithm := range []string{"ed25519", "rsa3072"} {
		names, err := filepath.Glob(b.path("sh-" + algorithm + "/*"))
		b.check(err)
		names = names[:clearsignFiles]
		ours, theirs := b.inProcess(algorithm), b.goCrypto(algorithm)
		files := b.read(names)
		us, peer := inTurn(clearsignFiles, 5*rounds, func(i int) { ours(files[i]) }, func(i int) { theirs(files[i]) })
		b.atLeast(fmt.Sprintf("%d clear-signed .sh, in process, %s", clearsignFiles, algorithm), us,
			b.each(names, testenv.Tool(b, "gpg"), gpg...), "gpg --verify", 40)
		b.atLeast("  the same, both in process", us, peer, "go-crypto", 1.5)
	}
	const algorithm = "rsa3072"
	big := b.read([]string{b.path("big.sh.asc")})[0]
	ours, theirs := b.inProcess(algorithm), b.goCrypto(algorithm)
	us, peer := inTurn(1, 5*rounds, func(int) { ours(big) }, func(int) { theirs(big) })
	b.atLeast("one clear-signed .sh of 10 MiB, in process", us,
		best(3*rounds, func() time.Duration { return b.run(testenv.Tool(b, "gpg"), append(gpg, b.path("big.sh.asc"))...) }), "gpg --verify", 3)
	b.atLeast("  the same, both in process", us, peer, "go-crypto", 1.5)
	allocated := allocatedBy(func() { ours(big) })
	b.add(row{
		"  bytes that it allocates", fmt.Sprintf("%.2f MiB", float64(allocated)/(1<<20)), "",
		fmt.Sprintf("%.2fx the file", float64(allocated)/bigSize), "< 2x", allocated < 2*bigSize,
	})
}

// inTurn calls two functions with the numbers from 0 to n, one after the other,
// so that both have the same machine. It returns the best sum of each.
func inTurn(n, times int, f, g func(int)) (ofF, ofG time.Duration) {
	for range times {
		var sumF, sumG time.Duration
		for i := range n {
			start := time.Now()
			f(i)
			between := time.Now()
			g(i)
			sumF, sumG = sumF+between.Sub(start), sumG+time.Since(between)
		}
		if ofF == 0 || sumF < ofF {
			ofF = sumF
		}
		if ofG == 0 || sumG < ofG {
			ofG = sumG
		}
	}
	return ofF, ofG
}

func (b *bench) read(names []string) [][]byte {
	b.Helper()
	files := make([][]byte, len(names))
	for i, name := range names {
		data, err := os.ReadFile(name)
		b.check(err)
		files[i] = data
	}
	return files
}

// inProcess returns what verifies the bytes of a file.
func (b *bench) inProcess(algorithm string) func([]byte) {
	b.Helper()
	v := b.verifier(verifier.RoomOpenPGP, algorithm+".asc")
	return func(file []byte) {
		rb, err := runbook.Parse("a.sh.asc", file)
		b.check(err)
		b.inspectOnce(v, rb)
	}
}

// goCrypto returns what does it with go-crypto.
func (b *bench) goCrypto(algorithm string) func([]byte) {
	b.Helper()
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(b.read([]string{b.path(algorithm + ".asc")})[0]))
	b.check(err)
	return func(file []byte) {
		block, rest := clearsign.Decode(file)
		if block == nil || len(rest) > 0 {
			b.Fatal("go-crypto finds no document")
		}
		_, _, err := openpgp.VerifyDetachedSignature(ring, bytes.NewReader(block.Bytes), block.ArmoredSignature.Body, nil)
		b.check(err)
	}
}

func (b *bench) verifier(room verifier.Room, anchor string) *verifier.Verifier {
	b.Helper()
	data, err := os.ReadFile(b.path(anchor))
	b.check(err)
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "bench", Room: room, Name: anchor, Data: data})
	b.check(err)
	v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{format.NewAuthenticode(), format.NewClearsign()}})
	b.check(err)
	return v
}

func (b *bench) inspectOnce(v *verifier.Verifier, rb *runbook.Runbook) {
	b.Helper()
	report, err := v.Inspect(b.Context(), rb)
	b.check(err)
	if report.Verdict != verifier.Valid {
		b.Fatalf("%s is %s", report.Name, report.Verdict)
	}
}

// allocatedBy is how many bytes a function allocates, used again or not.
func allocatedBy(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
