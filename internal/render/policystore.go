package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/runwrit/writ/policy/bundle"
	"github.com/runwrit/writ/policy/store"
)

// Bundle is a policy bundle that was verified.
type Bundle struct {
	Version   int       `json:"version"`
	Path      string    `json:"path"`
	SHA256    string    `json:"sha256"`
	Name      string    `json:"name"`
	Epoch     uint64    `json:"epoch"`
	NotBefore time.Time `json:"not_before"`
	Expires   time.Time `json:"expires"`
	MinTool   string    `json:"min_tool"`
	Signers   []string  `json:"signers"`
	Files     []string  `json:"files"`
	// OwnLibrary says that the bundle holds the library of this program.
	OwnLibrary bool `json:"own_library"`
}

// NewBundle is what there is to say of a verified bundle.
func NewBundle(path string, b *bundle.Bundle) Bundle {
	m := b.Meta()
	return Bundle{
		Version: schemaVersion, Path: path, SHA256: b.Digest().String(), Name: m.Name, Epoch: m.Epoch, NotBefore: m.NotBefore.UTC(), Expires: m.Expires.UTC(),
		MinTool: m.MinTool, Signers: notNil(b.Signers()), Files: b.Files(), OwnLibrary: b.OwnLibrary(),
	}
}

func (jsonRenderer) Bundle(w io.Writer, b Bundle) error { return writeJSON(w, b) }

func (textRenderer) Bundle(w io.Writer, b Bundle) error {
	var s strings.Builder
	fmt.Fprintf(&s, "%s: good\n", clip(b.Path))
	fmt.Fprintf(&s, "  policy %s, epoch %d\n  signed by %s\n", clip(b.Name), b.Epoch, clip(strings.Join(b.Signers, ", ")))
	fmt.Fprintf(&s, "  from %s until %s\n", day(b.NotBefore), day(b.Expires))
	if b.MinTool != "" {
		fmt.Fprintf(&s, "  for writ %s and later\n", clip(b.MinTool))
	}
	if !b.OwnLibrary {
		s.WriteString("  built by another version of writ: this one decides by its own library\n")
	}
	fmt.Fprintf(&s, "  %d files, sha-256 %s\n", len(b.Files), b.SHA256)
	return write(w, &s)
}

func day(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// StoreVerdict says whether a policy store has a policy that can be used.
type StoreVerdict string

// The verdicts.
const (
	StoreEmpty   StoreVerdict = "empty"
	StoreExpired StoreVerdict = "expired"
	StoreNotYet  StoreVerdict = "not-yet"
	StoreUsable  StoreVerdict = "usable"
)

// PolicyStore is what a policy store remembers, and what that means now.
type PolicyStore struct {
	Version int          `json:"version"`
	Name    string       `json:"name"`
	Verdict StoreVerdict `json:"verdict"`
	// HighTrustEpoch is the highest epoch of a trust store that was used.
	HighTrustEpoch uint64      `json:"high_trust_epoch"`
	State          store.State `json:"state"`
}

// NewPolicyStore judges a state at a time.
func NewPolicyStore(name string, state store.State, trustEpoch uint64, now time.Time) PolicyStore {
	p := PolicyStore{Version: schemaVersion, Name: name, HighTrustEpoch: trustEpoch, State: state, Verdict: StoreUsable}
	switch {
	case state.Active == nil:
		p.Verdict = StoreEmpty
	case !now.Before(state.Active.Expires):
		p.Verdict = StoreExpired
	case now.Before(state.Active.NotBefore):
		p.Verdict = StoreNotYet
	}
	return p
}

func (jsonRenderer) PolicyStore(w io.Writer, p PolicyStore) error { return writeJSON(w, p) }

func (textRenderer) PolicyStore(w io.Writer, p PolicyStore) error {
	var s strings.Builder
	fmt.Fprintf(&s, "policy %s: %s\n", clip(p.Name), p.Verdict)
	for _, g := range []struct {
		word string
		of   *store.Generation
	}{{"active", p.State.Active}, {"before", p.State.Previous}} {
		if g.of != nil {
			fmt.Fprintf(&s, "  %s epoch %d, from %s until %s, signed by %s, activated %s\n    sha-256 %s\n", g.word, g.of.Epoch,
				day(g.of.NotBefore), day(g.of.Expires), clip(strings.Join(g.of.Signers, ", ")), day(g.of.Activated), g.of.SHA256)
		}
	}
	fmt.Fprintf(&s, "  highest epoch %d, of trust stores %d\n", p.State.HighWater.Epoch, p.HighTrustEpoch)
	for _, c := range p.State.History {
		fmt.Fprintf(&s, "  %s %s epoch %d", day(c.At), clip(c.Action), c.Epoch)
		if c.Reason != "" {
			fmt.Fprintf(&s, ": %s", clip(c.Reason))
		}
		s.WriteString("\n")
	}
	return write(w, &s)
}

func (jsonRenderer) Activation(w io.Writer, a *store.Activation) error {
	return writeJSON(w, struct {
		Version int  `json:"version"`
		Already bool `json:"already"`
		store.Generation
		Notes []string `json:"notes"`
	}{schemaVersion, a.Already, a.Generation, notNil(a.Notes)})
}

func (textRenderer) Activation(w io.Writer, a *store.Activation) error {
	var s strings.Builder
	word := "is active now"
	if a.Already {
		word = "was active already"
	}
	fmt.Fprintf(&s, "policy %s, epoch %d, %s: until %s, signed by %s\n", clip(a.Name), a.Epoch, word, day(a.Expires), clip(strings.Join(a.Signers, ", ")))
	return write(w, &s)
}
