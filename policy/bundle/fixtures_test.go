package bundle_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/bundle"
)

const grantsYAML = `version: 1
people:
  alice: {identities: ["openpgp:0123456789ABCDEF0123456789ABCDEF01234567", "os:alice"]}
rules:
  - name: restart
    match: {paths: ["/srv/*.sh"]}
    workers: {any: true}
    signed_by: {people: [alice]}
    requested_by: {people: [alice]}
`

const fridayRego = `package writ.user.friday

deny contains "no changes on Fridays" if {
	time.weekday([input.now_ns, "UTC"]) == "Friday"
}
`

const fridayTest = `package writ.user.friday_test

import data.writ.user.friday

test_monday_is_fine if count(friday.deny) == 0 with input.now_ns as 1795348800000000000 - 6 * 86400 * 1000000000

test_friday_is_refused if count(friday.deny) == 1 with input.now_ns as 1795348800000000000 - 2 * 86400 * 1000000000
`

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func meta(epoch uint64) bundle.Meta {
	return bundle.Meta{Name: "prod", Epoch: epoch, NotBefore: noon.Add(-time.Hour), Expires: noon.Add(24 * time.Hour)}
}

func contents(epoch uint64) bundle.Contents {
	return bundle.Contents{
		Meta: meta(epoch),
		Source: policy.Source{
			Grants: []byte(grantsYAML),
			Rego:   []policy.File{{Name: "friday.rego", Data: []byte(fridayRego)}},
			Tests:  []policy.File{{Name: "friday_test.rego", Data: []byte(fridayTest)}},
		},
		Approvals: []policy.File{{Name: "one.statement", Data: []byte("signed\n")}},
	}
}

func build(t testing.TB, c bundle.Contents) []byte {
	t.Helper()
	data, err := bundle.Build(c)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// signer is somebody with a key.
type signer struct {
	name    string
	private crypto.Signer
}

func newSigner(t testing.TB, name, kind string) signer {
	t.Helper()
	var private crypto.Signer
	var err error
	switch kind {
	case "p256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "rsa":
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ed25519":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return signer{name, private}
}

func (s signer) pem(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(s.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func (s signer) key(t testing.TB) bundle.Key {
	t.Helper()
	k, err := bundle.NewKey(s.name, s.pem(t))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (s signer) sign(t testing.TB, data []byte) []byte {
	t.Helper()
	signed, err := bundle.Sign(data, s.private)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func (s signer) countersign(t testing.TB, data, beside []byte) []byte {
	t.Helper()
	envelope, err := bundle.Countersign(data, beside, s.private)
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

func trust(t testing.TB, threshold int, signers ...signer) *bundle.Trust {
	t.Helper()
	var keys []bundle.Key
	for _, s := range signers {
		keys = append(keys, s.key(t))
	}
	tr, err := bundle.NewTrust(threshold, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// mustRefuse fails unless err refuses with that code and these words.
func mustRefuse(t testing.TB, err error, code bundle.Code, words string) {
	t.Helper()
	var refused *bundle.RefusedError
	if !errors.As(err, &refused) || refused.Code != code || !strings.Contains(refused.Msg, words) {
		t.Errorf("got %v, want %s with %q", err, code, words)
	}
}

// entry is a file of an archive that a test takes apart and puts together in
// ways in which our own code does not.
type entry struct {
	tar.Header
	data []byte
}

func takeApart(t testing.TB, data []byte) []entry {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var entries []entry
	r := tar.NewReader(zip)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry{*h, content})
	}
}

func putTogether(t testing.TB, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	w := tar.NewWriter(zip)
	for _, e := range entries {
		h := e.Header
		h.Size = int64(len(e.data))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// regular is an entry as a bundle has it.
func regular(name string, data []byte) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}, data}
}

// change replaces the content of one file.
func change(t testing.TB, data []byte, name string, with func([]byte) []byte) []byte {
	t.Helper()
	entries := takeApart(t, data)
	found := false
	for i := range entries {
		if entries[i].Name == name {
			entries[i].data = with(entries[i].data)
			found = true
		}
	}
	if !found {
		t.Fatalf("no file %s", name)
	}
	return putTogether(t, entries)
}
