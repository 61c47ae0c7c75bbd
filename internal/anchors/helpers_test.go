package anchors_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/anchors"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
)

func now() time.Time { return testenv.VectorTime() }

// chain is one authority with a leaf; they are made once.
var chain = sync.OnceValues(func() (*newkeys.X509Key, error) {
	return newkeys.X509(newkeys.X509Options{Subject: "writ test", NotBefore: now().AddDate(0, -6, 0)})
})

func key(t testing.TB) *newkeys.X509Key {
	t.Helper()
	k, err := chain()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func selfSigned(t testing.TB, edit func(*x509.Certificate)) []byte {
	t.Helper()
	k, err := newkeys.X509(newkeys.X509Options{Subject: "alone", NotBefore: now().AddDate(0, -6, 0), SelfSigned: true, Edit: edit})
	if err != nil {
		t.Fatal(err)
	}
	return k.LeafPEM
}

func openpgpKey(t testing.TB, name string, created time.Time) []byte {
	t.Helper()
	e, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: name, Created: created, Lifetime: 365 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	public, err := newkeys.ArmoredPublic(e)
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func revocationList(t testing.TB, revoked ...*big.Int) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now().Add(-time.Hour), NextUpdate: now().Add(time.Hour)}
	for _, serial := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: now().Add(-time.Hour)})
	}
	der, err := x509.CreateRevocationList(nil, list, key(t).CA, key(t).CAKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// element writes an element of a serialized store of Windows.
func element(b *bytes.Buffer, id, encoding uint32, value []byte) {
	for _, n := range []uint32{id, encoding, uint32(len(value))} {
		_ = binary.Write(b, binary.LittleEndian, n) // a buffer never fails
	}
	b.Write(value)
}

// serialized is our own writer of a serialized store: certificates, each with the
// properties before it.
func serialized(elements func(add func(id uint32, value []byte))) []byte {
	var b bytes.Buffer
	b.WriteString("\x00\x00\x00\x00CERT")
	elements(func(id uint32, value []byte) { element(&b, id, 1, value) })
	element(&b, 0, 0, nil)
	return b.Bytes()
}

func read(t testing.TB, data []byte, o anchors.Options) (*anchors.Found, error) {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = now()
	}
	if o.Passphrase == nil {
		o.Passphrase = func(context.Context, string) ([]byte, error) { return nil, errors.New("nobody to ask") }
	}
	return anchors.Read(t.Context(), "file", data, o)
}

func file(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, stderr.Bytes())
	}
	return out
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func rooms(f *anchors.Found) []string {
	var list []string
	for _, a := range f.Anchors {
		list = append(list, string(a.Room)+" "+a.Name)
	}
	return list
}

func name(text string) pkix.Name { return pkix.Name{CommonName: text} }
