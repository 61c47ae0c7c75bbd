package format_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"path/filepath"
	"testing"

	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
)

func BenchmarkAuthenticodeVerify(b *testing.B) {
	k := newKey(b, newkeys.X509Options{Algorithm: "rsa3072"})
	v := newVerifier(b, testenv.VectorTime(), k.CAPEM)
	for _, size := range []int{1 << 10, 10 << 20} {
		line := []byte("Write-Output 'a line of a script that does nothing' # and says so\r\n")
		source := bytes.Repeat(line, size/len(line)+1)[:size]
		rb, err := runbook.Parse("job.ps1", sign(b, k, "job.ps1", source))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(map[bool]string{true: "1KiB", false: "10MiB"}[size == 1<<10], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Inspect(b.Context(), rb); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("vector", func(b *testing.B) {
		dir := testenv.Shared(b, "vectors/authenticode")
		v := vectorVerifier(b, dir)
		rb, err := runbook.Parse("job.ps1", readFile(b, filepath.Join(dir, "cms", "00.ps1")))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Inspect(b.Context(), rb); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare RSA check", func(b *testing.B) {
		sum := make([]byte, 32)
		sig, err := k.Key.Sign(nil, sum, crypto.SHA256)
		if err != nil {
			b.Fatal(err)
		}
		pub := k.Key.Public().(*rsa.PublicKey)
		for b.Loop() {
			if rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum, sig) != nil {
				b.Fatal("bad")
			}
		}
	})
}
