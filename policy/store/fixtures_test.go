package store_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/bundle"
	"github.com/runwrit/writ/policy/store"
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

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// place is a store of a test, and the keys of those who sign for it.
type place struct {
	t          testing.TB
	dir        string
	alice, bob crypto.Signer
	now        time.Time
	tool       string
}

func newPlace(t testing.TB) *place {
	t.Helper()
	p := &place{t: t, dir: filepath.Join(t.TempDir(), "store"), now: noon, tool: "v1.4.0"}
	p.alice, p.bob = p.newKey("alice"), p.newKey("bob")
	p.write("settings", "name:prod\nsigner:alice key=alice.pem\nsigner:bob key=bob.pem\n")
	return p
}

func (p *place) write(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) newKey(owner string) crypto.Signer {
	p.t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write("keys/"+owner+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	return private
}

func (p *place) open() *store.Store {
	p.t.Helper()
	s, err := store.Open(p.dir, store.Options{Guarded: true, Now: func() time.Time { return p.now }, Tool: p.tool})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = s.Close() })
	return s
}

func contents(epoch uint64) bundle.Contents {
	return bundle.Contents{
		Meta:   bundle.Meta{Name: "prod", Epoch: epoch, NotBefore: noon.Add(-time.Hour), Expires: noon.Add(24 * time.Hour)},
		Source: policy.Source{Grants: []byte(grantsYAML)},
	}
}

// signed is a bundle that alice has signed.
func (p *place) signed(c bundle.Contents) []byte {
	p.t.Helper()
	data, err := bundle.Build(c)
	if err != nil {
		p.t.Fatal(err)
	}
	if data, err = bundle.Sign(data, p.alice); err != nil {
		p.t.Fatal(err)
	}
	return data
}

func (p *place) activate(epoch uint64) *store.Activation {
	p.t.Helper()
	a, err := p.open().Activate(p.t.Context(), p.signed(contents(epoch)), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

// active is the epoch that a gate would decide by.
func (p *place) active() uint64 {
	p.t.Helper()
	a, err := p.open().Load()
	if err != nil {
		p.t.Fatal(err)
	}
	if got := a.Engine.Policy(); got.Epoch != a.Epoch || got.Name != "prod" || got.HighEpoch < a.Epoch {
		p.t.Errorf("the engine is of %+v, the generation of %d", got, a.Epoch)
	}
	return a.Epoch
}

func (p *place) state() store.State {
	p.t.Helper()
	state, err := p.open().State()
	if err != nil {
		p.t.Fatal(err)
	}
	return state
}

func mustRefuse(t testing.TB, err error, code bundle.Code, words string) {
	t.Helper()
	var refused *bundle.RefusedError
	if !errors.As(err, &refused) || refused.Code != code || !strings.Contains(refused.Msg, words) {
		t.Errorf("got %v, want %s with %q", err, code, words)
	}
}

// mustFail fails unless err is about the store.
func mustFail(t testing.TB, err error, words string) {
	t.Helper()
	var bad *store.Error
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), words) {
		t.Errorf("got %v, want an *Error with %q", err, words)
	}
}

// otherRows makes the active index one of another version of writ, which this one
// cannot read, and returns the version that it was of.
func (p *place) otherRows() string {
	p.t.Helper()
	rows := p.state().Active.Index.Rows.String()
	other := strings.Repeat("0", 63) + "1"
	text, err := os.ReadFile(filepath.Join(p.dir, "state/state.json"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.write("state/state.json", strings.Replace(string(text), rows, other, 1))
	found, err := filepath.Glob(filepath.Join(p.dir, "state/generations/*/grants.index"))
	if err != nil || len(found) != 1 {
		p.t.Fatal(found, err)
	}
	if err := os.Remove(found[0]); err != nil {
		p.t.Fatal(err)
	}
	folder := filepath.Dir(found[0])
	if renamed := strings.Replace(folder, rows[:8], other[:8], 1); renamed != folder {
		if err := os.Rename(folder, renamed); err != nil {
			p.t.Fatal(err)
		}
	}
	return rows
}
