package vectors_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/vectors"
)

// at is a time that the programs of others, which have their own clocks, take
// for the present.
func at() time.Time { return testenv.VectorTime() }

func wide(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2049, 1, 1, 0, 0, 0, 0, time.UTC)
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What is good here must be good for a program that is not ours, or what is bad
// proves nothing.
func TestOsslsigncodeVerifiesTheScripts(t *testing.T) {
	t.Parallel()
	tool := testenv.Tool(t, "osslsigncode")
	root := vectors.Issue(t, at(), "Root", nil, wide)
	ca := write(t, "ca.pem", root.PEM())
	for name, key := range map[string]crypto.Signer{"P-256": vectors.P256(t), "RSA-2048": vectors.RSA(t, 2048)} {
		leaf := vectors.IssueFor(t, at(), "Leaf", root, key, vectors.CodeSigning, wide)
		for _, ext := range []string{".ps1", ".psm1", ".psd1", ".ps1xml", ".psc1", ".cdxml", ".mof"} {
			t.Run(ext+" with "+name, func(t *testing.T) {
				t.Parallel()
				style, content := vectors.StyleOf(ext), []byte("\xEF\xBB\xBF1 – 2\r\n3")
				m := vectors.NewMessage(leaf, crypto.SHA256, style.IndirectData(crypto.SHA256, style.Digest(crypto.SHA256, content)))
				file := write(t, "script"+ext, style.Render(content, m.Build(t)))
				if out, err := exec.Command(tool, "verify", "-CAfile", ca, "-in", file).CombinedOutput(); err != nil || !bytes.Contains(out, []byte("Signature verification: ok")) {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}

func TestOpenSSLVerifiesTheTokens(t *testing.T) {
	t.Parallel()
	tool := testenv.Tool(t, "openssl")
	root := vectors.Issue(t, at(), "TSA Root", nil, wide)
	tsa := vectors.Issue(t, at(), "TSA", root, vectors.TimeStamping, wide)
	value := []byte("signature value")
	data, ca := write(t, "data", value), write(t, "ca.pem", root.PEM())
	for name, c := range map[string]struct {
		stamp vectors.Stamp
		good  bool
	}{
		"good":            {vectors.Stamp{At: at()}, true},
		"SHA-512":         {vectors.Stamp{At: at(), Hash: crypto.SHA512}, true},
		"another imprint": {vectors.Stamp{At: at(), Imprint: make([]byte, 32)}, false},
		"another signer's key": {vectors.Stamp{At: at(), Message: func(m *vectors.Message) {
			m.Key = vectors.P256(t)
		}}, false},
	} {
		token := write(t, "token", vectors.Token(t, tsa, value, c.stamp))
		out, err := exec.Command(tool, "ts", "-verify", "-in", token, "-token_in", "-data", data, "-CAfile", ca).CombinedOutput()
		if (err == nil) != c.good {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestOpenSSLReadsTheRevocationLists(t *testing.T) {
	t.Parallel()
	tool := testenv.Tool(t, "openssl")
	root := vectors.Issue(t, at(), "Root", nil, wide)
	list := vectors.CRL(t, root, at(), x509.RevocationListEntry{SerialNumber: big.NewInt(7), RevocationTime: at(), ReasonCode: 1})
	out, err := exec.Command(tool, "crl", "-inform", "DER", "-in", write(t, "crl", list), "-CAfile", write(t, "ca.pem", root.PEM()), "-noout", "-text").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("verify OK")) || !bytes.Contains(out, []byte("Key Compromise")) {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestDERIsThatOfTheStandard(t *testing.T) {
	t.Parallel()
	for want, got := range map[string][]byte{
		"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02": vectors.OID(vectors.OIDSignedData),
		"\x02\x02\x00\x80": vectors.Int(128),
		"\x02\x01\x00":     vectors.Int(0),
		"\x30\x80\xa0\x80\x05\x00\x00\x00\x04\x00\x00\x00": vectors.BER(vectors.Seq(vectors.Context(0, vectors.Null()), vectors.Octets(nil)), 2),
		"\x31\x05\x02\x01\x01\x05\x00":                     vectors.SortedSet(vectors.Null(), vectors.Int(1)),
	} {
		if string(got) != want {
			t.Errorf("% x, want % x", got, want)
		}
	}
}
