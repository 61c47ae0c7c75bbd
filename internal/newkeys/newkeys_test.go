package newkeys_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
)

func created() time.Time { return testenv.VectorTime().AddDate(0, -6, 0) }

func TestOpenSSLVerifiesTheChain(t *testing.T) {
	t.Parallel()
	openssl := testenv.Tool(t, "openssl")
	for _, algorithm := range []string{"rsa2048", "rsa3072", "p256", "p384"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			k, err := newkeys.X509(newkeys.X509Options{Algorithm: algorithm, Subject: "writ test", NotBefore: created()})
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			ca, leaf, key := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "leaf.pem"), filepath.Join(dir, "key.pem")
			write(t, ca, k.CAPEM)
			write(t, leaf, k.LeafPEM)
			write(t, key, k.KeyPEM)
			at := "1795348800" // 2026-11-22T12:00:00Z
			out := run(t, openssl, "verify", "-x509_strict", "-attime", at, "-CAfile", ca, leaf)
			if !strings.Contains(out, "OK") {
				t.Errorf("openssl verify said %s", out)
			}
			out = run(t, openssl, "x509", "-in", leaf, "-noout", "-text")
			for _, want := range []string{"X509v3 Key Usage: critical\n                Digital Signature", "Code Signing", "CA:FALSE"} {
				if !strings.Contains(out, want) {
					t.Errorf("the leaf lacks %q:\n%s", want, out)
				}
			}
			if pub := run(t, openssl, "pkey", "-in", key, "-pubout"); pub != run(t, openssl, "x509", "-in", leaf, "-noout", "-pubkey") {
				t.Error("the key does not belong to the leaf")
			}
		})
	}
}

func TestIssuerSignsASecondLeaf(t *testing.T) {
	t.Parallel()
	first, err := newkeys.X509(newkeys.X509Options{Subject: "one", NotBefore: created()})
	if err != nil {
		t.Fatal(err)
	}
	second, err := newkeys.X509(newkeys.X509Options{
		Subject: "two", NotBefore: created(), Issuer: first, EKUs: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Leaf.CheckSignatureFrom(first.CA); err != nil {
		t.Error(err)
	}
	if len(second.Leaf.ExtKeyUsage) != 1 || second.Leaf.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth {
		t.Errorf("extended key usage %v", second.Leaf.ExtKeyUsage)
	}
}

func TestGnuPGImportsAndUsesTheKey(t *testing.T) {
	t.Parallel()
	gpg := testenv.Tool(t, "gpg")
	for _, algorithm := range []string{"ed25519", "rsa3072", "p256", "p384"} {
		for _, passphrase := range []string{"", "correct horse"} {
			t.Run(algorithm+" passphrase "+passphrase, func(t *testing.T) {
				t.Parallel()
				e, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{
					Algorithm: algorithm, Name: "writ test", Created: created(), Lifetime: 365 * 24 * time.Hour,
				})
				if err != nil {
					t.Fatal(err)
				}
				secret, err := newkeys.ArmoredSecret(e, []byte(passphrase))
				if err != nil {
					t.Fatal(err)
				}
				if e.PrivateKey.Encrypted {
					t.Error("the key in hand was encrypted")
				}
				public, err := newkeys.ArmoredPublic(e)
				if err != nil {
					t.Fatal(err)
				}
				checkWithGnuPG(t, gpg, secret, public, passphrase)
			})
		}
	}
}

// checkWithGnuPG signs with the secret key in one home and verifies with the
// public one in another.
func checkWithGnuPG(t *testing.T, gpg string, secret, public []byte, passphrase string) {
	t.Helper()
	signing, verifying, dir := testenv.GnuPGHome(t), testenv.GnuPGHome(t), t.TempDir()
	sec, pub := filepath.Join(dir, "sec.asc"), filepath.Join(dir, "pub.asc")
	write(t, sec, secret)
	write(t, pub, public)
	clock := []string{"--batch", "--no-tty", "--faked-system-time", "20261122T120000!", "--pinentry-mode", "loopback", "--passphrase", passphrase}
	run(t, gpg, append(clock, "--homedir", signing, "--import", sec)...)
	run(t, gpg, append(clock, "--homedir", verifying, "--import", pub)...)
	text, signed := filepath.Join(dir, "x.sh"), filepath.Join(dir, "x.sh.asc")
	write(t, text, []byte("echo hello\n"))
	run(t, gpg, append(clock, "--homedir", signing, "-o", signed, "--clear-sign", text)...)
	out := run(t, gpg, append(clock, "--homedir", verifying, "--status-fd", "1", "--verify", signed)...)
	if !strings.Contains(out, "VALIDSIG") {
		t.Errorf("no valid signature:\n%s", out)
	}
	list := run(t, gpg, "--homedir", verifying, "--batch", "--with-colons", "--list-keys")
	var uses []string
	for line := range strings.Lines(list) {
		if f := strings.Split(line, ":"); f[0] == "pub" || f[0] == "sub" {
			uses = append(uses, strings.ToLower(strings.Map(func(r rune) rune {
				if r >= 'A' && r <= 'Z' {
					return -1
				}
				return r
			}, f[11])))
		}
	}
	if len(uses) != 2 || uses[0] != "c" || uses[1] != "s" {
		t.Errorf("uses of primary and subkey: %q, want c and s", uses)
	}
}

func TestUnknownAlgorithmIsRefused(t *testing.T) {
	t.Parallel()
	var want *newkeys.AlgorithmError
	if _, err := newkeys.X509(newkeys.X509Options{Algorithm: "dsa", Subject: "x", NotBefore: created()}); !errors.As(err, &want) {
		t.Errorf("x.509: %v", err)
	}
	if _, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Algorithm: "dsa", Name: "x", Created: created()}); !errors.As(err, &want) {
		t.Errorf("openpgp: %v", err)
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, stderr.Bytes())
	}
	return string(out)
}
