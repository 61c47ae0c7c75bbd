//go:build bench && linux

package bench_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// trees verifies a folder of small scripts: ours in one process, the peers' one
// process a file, one after the other.
func (b *bench) trees() {
	for _, algorithm := range []string{"rsa2048", "rsa3072", "p256"} {
		b.x509(algorithm)
		folder := "ps1-" + algorithm
		var list []string
		for i := range treeSize {
			name := fmt.Sprintf("%s/%04d.ps1", folder, i)
			b.write(name, script(i, scriptSize, powershellLine))
			list = append(list, b.path(name))
		}
		b.run(b.writ, append([]string{"sign", "--key", b.path(algorithm + ".pem"), "--cert", b.path(algorithm + ".chain")}, list...)...)
		b.atLeast(fmt.Sprintf("%d signed .ps1, %s", treeSize, algorithm),
			best(rounds, func() time.Duration { return b.run(b.writ, "verify", "--ca", b.path(algorithm+".ca"), b.path(folder)) }),
			b.each(list, testenv.Tool(b, "osslsigncode"), "verify", "-CAfile", b.path(algorithm+".ca"), "-in"),
			"osslsigncode", 40)
	}
	for _, algorithm := range []string{"ed25519", "rsa3072"} {
		b.openPGP(algorithm)
		folder := "sh-" + algorithm
		var plain, signed []string
		for i := range treeSize {
			name := fmt.Sprintf("%s/%04d.sh", folder, i)
			b.write(name, script(i, scriptSize, bashLine))
			plain, signed = append(plain, b.path(name)), append(signed, b.path(name+runbook.SignatureExt))
		}
		b.run(b.writ, append([]string{"sign", "--key", b.path(algorithm + ".key")}, plain...)...)
		for _, name := range plain {
			b.check(os.Remove(name))
		}
		b.atLeast(fmt.Sprintf("%d clear-signed .sh, %s", treeSize, algorithm),
			best(rounds, func() time.Duration {
				return b.run(b.writ, "verify", "--keyring", b.path(algorithm+".asc"), b.path(folder))
			}),
			b.each(signed, testenv.Tool(b, "gpg"), "--batch", "--quiet", "--no-autostart", "--verify"),
			"gpg", 40)
	}
}

func (b *bench) each(list []string, name string, args ...string) time.Duration {
	var sum time.Duration
	for _, file := range list {
		sum += b.run(name, append(args[:len(args):len(args)], file)...)
	}
	return sum
}

// bareChecks compares the verifier, in process and on one core, with the
// arithmetic that nobody can spare: hash the content, verify the signature, and
// verify the signer's certificate where there is one.
func (b *bench) bareChecks() {
	const algorithm = "rsa3072"
	key := b.keys[algorithm]
	secret, ok := key.Key.(*rsa.PrivateKey)
	if !ok {
		b.Fatal("not an RSA key")
	}
	content := script(0, 2*scriptSize, powershellLine) // UTF-16 doubles it
	digest := sha256.Sum256(content)
	signature, err := rsa.SignPKCS1v15(rand.Reader, secret, crypto.SHA256, digest[:])
	b.check(err)
	bare := func() {
		digest := sha256.Sum256(content)
		b.check(rsa.VerifyPKCS1v15(&secret.PublicKey, crypto.SHA256, digest[:], signature))
	}
	b.atMost("one .ps1, in process, "+algorithm, b.inspect("ps1-"+algorithm, verifier.RoomX509CA, algorithm+".ca"),
		perCall(func() { bare(); b.check(key.Leaf.CheckSignatureFrom(key.CA)) }), "signature and certificate", 2)
	b.atMost("one clear-signed .sh, in process, "+algorithm, b.inspect("sh-"+algorithm, verifier.RoomOpenPGP, algorithm+".asc"),
		perCall(bare), "signature", 2)
}

// inspect returns the time for one file of a folder, all of them taken in turn.
func (b *bench) inspect(folder string, room verifier.Room, anchor string) time.Duration {
	b.Helper()
	v := b.verifier(room, anchor)
	names, err := filepath.Glob(b.path(folder + "/*"))
	b.check(err)
	list := make([]*runbook.Runbook, 0, len(names))
	for _, name := range names {
		rb, err := runbook.ReadFile(name, false)
		b.check(err)
		list = append(list, rb)
	}
	next := 0
	return perCall(func() {
		b.inspectOnce(v, list[next%len(list)])
		next++
	})
}

func perCall(f func()) time.Duration {
	return best(rounds, func() time.Duration {
		r := testing.Benchmark(func(tb *testing.B) {
			for tb.Loop() {
				f()
			}
		})
		return time.Duration(r.NsPerOp())
	})
}

// atMost adds a row where ours may take that many times as long as the peer's.
func (b *bench) atMost(work string, ours, peer time.Duration, peerName string, bar float64) {
	ratio := float64(ours) / float64(peer)
	b.add(row{
		work, show(ours), show(peer) + " " + peerName, fmt.Sprintf("%.2fx as long", ratio),
		fmt.Sprintf("<= %gx", bar), ratio <= bar,
	})
}

// bigFiles verifies one file of 10 MiB, and looks at how much memory that takes
// beyond what the program has when it does nothing.
func (b *bench) bigFiles() {
	const algorithm = "rsa3072"
	b.write("big.ps1", script(0, bigSize, powershellLine))
	b.write("big.sh", script(0, bigSize, bashLine))
	b.run(b.writ, "sign", "--key", b.path(algorithm+".pem"), "--cert", b.path(algorithm+".chain"), b.path("big.ps1"))
	b.run(b.writ, "sign", "--key", b.path(algorithm+".key"), b.path("big.sh"))
	idle := b.peakMemory(b.writ, "version")
	for _, c := range []struct {
		work, peer   string
		ours, theirs []string
	}{
		{
			"one .ps1 of 10 MiB", "osslsigncode",
			[]string{"verify", "--ca", b.path(algorithm + ".ca"), b.path("big.ps1")},
			[]string{"verify", "-CAfile", b.path(algorithm + ".ca"), "-in", b.path("big.ps1")},
		},
		{
			"one clear-signed .sh of 10 MiB", "gpg",
			[]string{"verify", "--keyring", b.path(algorithm + ".asc"), b.path("big.sh.asc")},
			[]string{"--batch", "--quiet", "--no-autostart", "--verify", b.path("big.sh.asc")},
		},
	} {
		peer := testenv.Tool(b, c.peer)
		b.atLeast(c.work,
			best(3*rounds, func() time.Duration { return b.run(b.writ, c.ours...) }),
			best(3*rounds, func() time.Duration { return b.run(peer, c.theirs...) }),
			c.peer, 3)
		extra := b.peakMemory(append([]string{b.writ}, c.ours...)...) - idle
		b.add(row{
			"  its memory, above an idle process", fmt.Sprintf("%.1f MiB", float64(extra)/(1<<20)), "",
			fmt.Sprintf("%.1fx the file", float64(extra)/bigSize), "< 4x", extra < 4*bigSize,
		})
	}
}
