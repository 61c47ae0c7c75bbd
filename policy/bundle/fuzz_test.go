package bundle_test

import (
	"bytes"
	"testing"

	"github.com/runwrit/writ/policy/bundle"
)

// FuzzMalleability: what is read as a bundle of the same meaning has the same
// archive, and nothing that differs from a signed bundle in more than the gzip
// form around it verifies.
func FuzzMalleability(f *testing.F) {
	alice := newSigner(f, "alice", "ed25519")
	signed := alice.sign(f, build(f, contents(7)))
	t7 := trust(f, 1, alice)
	whole, err := bundle.Verify(signed, nil, t7)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add(build(f, contents(7)))
	f.Add(putTogether(f, takeApart(f, signed)[:2]))
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := bundle.ReadUnverified(data)
		if err != nil {
			return
		}
		if b.Meta().Name == "" || len(b.Source().Grants) == 0 && len(b.Files()) < 2 {
			t.Error("a bundle without anything is read")
		}
		if _, err := bundle.Verify(data, nil, t7); err != nil {
			return
		}
		if !whole.Signed() || b.Digest() != whole.Digest() {
			t.Error("another bundle verifies")
		}
	})
}

// TestNoFlippedByteVerifies sweeps over a signed bundle.
func TestNoFlippedByteVerifies(t *testing.T) {
	t.Parallel()
	alice := newSigner(t, "alice", "ed25519")
	signed := alice.sign(t, build(t, contents(7)))
	t7 := trust(t, 1, alice)
	whole, err := bundle.Verify(signed, nil, t7)
	if err != nil {
		t.Fatal(err)
	}
	for i := 10; i < len(signed); i += 1 + len(signed)/400 { // behind the gzip header
		other := bytes.Clone(signed)
		other[i] ^= 1
		// A bit of the gzip form may mean nothing: then it is the same bundle.
		if b, err := bundle.Verify(other, nil, t7); err == nil && b.Digest() != whole.Digest() {
			t.Errorf("byte %d flipped: verified", i)
		}
	}
}
