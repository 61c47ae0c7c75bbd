package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/runwrit/writ/internal/anchors"
	"github.com/runwrit/writ/internal/truststore"
	"github.com/runwrit/writ/verifier"
)

// TrustListing is what the trust store at Path holds.
type TrustListing struct {
	Path string
	*truststore.Listing
}

// TrustFound is what files hold that could be added to a trust store.
type TrustFound struct {
	Path string // of the file
	*anchors.Found
}

// TrustAddition is what was added to the trust store at Path.
type TrustAddition struct {
	Path string
	*truststore.Addition
	// LeftOut is what was in the files and was not to be added.
	LeftOut []anchors.Anchor
	// After is the trust store as it is now.
	After *verifier.TrustStore
}

// trustAnchor is an anchor in JSON.
type trustAnchor struct {
	Kind      anchors.Kind  `json:"kind"`
	Room      verifier.Room `json:"room"`
	File      string        `json:"file,omitempty"`
	ID        string        `json:"id"`
	Name      string        `json:"name"`
	Algorithm string        `json:"algorithm"`
	NotBefore time.Time     `json:"not_before,omitzero"`
	NotAfter  time.Time     `json:"not_after,omitzero"`
	// Doubt speaks against it, Why says why it cannot be added, Trusts whom the
	// store trusts by it.
	Doubt  string `json:"doubt,omitempty"`
	Why    string `json:"why,omitempty"`
	Trusts string `json:"trusts,omitempty"`
}

func newTrustAnchor(a anchors.Anchor) trustAnchor {
	return trustAnchor{
		Kind: a.Kind, Room: a.Room, ID: a.ID, Name: a.Name, Algorithm: a.Algorithm, NotBefore: a.NotBefore, NotAfter: a.NotAfter, Doubt: a.Doubt, Why: a.Why,
	}
}

func newTrustAnchors(list []anchors.Anchor) []trustAnchor {
	out := []trustAnchor{}
	for _, a := range list {
		out = append(out, newTrustAnchor(a))
	}
	return out
}

func (jsonRenderer) TrustListing(w io.Writer, l TrustListing) error {
	type list struct {
		Room    verifier.Room `json:"room"`
		File    string        `json:"file"`
		Entries int           `json:"entries"`
	}
	type store struct {
		Name    string        `json:"name"`
		Anchors []trustAnchor `json:"anchors"`
		Lists   []list        `json:"lists"`
	}
	doc := struct {
		Version int            `json:"version"`
		Path    string         `json:"path"`
		Digest  string         `json:"digest"`
		Epoch   verifier.Epoch `json:"epoch"`
		Stores  []store        `json:"stores"`
	}{schemaVersion, l.Path, l.Digest.String(), l.Epoch, []store{}}
	for _, s := range l.Stores {
		one := store{s.Name, []trustAnchor{}, []list{}}
		for _, a := range s.Anchors {
			t := newTrustAnchor(a.Anchor)
			t.File = a.File
			one.Anchors = append(one.Anchors, t)
		}
		for _, t := range s.Lists {
			one.Lists = append(one.Lists, list(t))
		}
		doc.Stores = append(doc.Stores, one)
	}
	return writeJSON(w, doc)
}

func (textRenderer) TrustListing(w io.Writer, l TrustListing) error {
	var b strings.Builder
	for _, s := range l.Stores {
		fmt.Fprintf(&b, "store %s\n", clip(s.Name))
		for _, a := range s.Anchors {
			writeAnchor(&b, a.Anchor)
			fmt.Fprintf(&b, "    in %s\n", clip(a.File))
		}
		for _, t := range s.Lists {
			fmt.Fprintf(&b, "  %-8s %d %s in %s\n", t.Room, t.Entries, plural(t.Entries, "entry", "entries"), clip(t.File))
		}
	}
	if e := l.Epoch; e.Number > 0 {
		fmt.Fprintf(&b, "epoch %d", e.Number)
		if !e.Expires.IsZero() {
			fmt.Fprintf(&b, ", until %s", day(e.Expires))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "%s: %d %s, sha-256 %s\n", clip(l.Path), len(l.Stores), plural(len(l.Stores), "store", "stores"), l.Digest)
	return write(w, &b)
}

// writeAnchor writes two lines, or three.
func writeAnchor(b *strings.Builder, a anchors.Anchor) {
	place := string(a.Room)
	if a.Room == "" {
		place = "-"
	}
	fmt.Fprintf(b, "  %-8s %s", place, clip(a.Name))
	if a.Algorithm != "" {
		fmt.Fprintf(b, ", %s", clip(a.Algorithm))
	}
	if !a.NotAfter.IsZero() {
		fmt.Fprintf(b, ", until %s", day(a.NotAfter))
	}
	b.WriteString("\n")
	if a.ID != "" {
		fmt.Fprintf(b, "    %s\n", a.ID)
	}
	if a.Doubt != "" {
		fmt.Fprintf(b, "    but %s\n", clip(a.Doubt))
	}
	if a.Why != "" {
		fmt.Fprintf(b, "    cannot be added: %s\n", clip(a.Why))
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func (jsonRenderer) TrustFound(w io.Writer, f TrustFound) error {
	return writeJSON(w, struct {
		Version int           `json:"version"`
		Path    string        `json:"path"`
		Form    string        `json:"form"`
		Found   []trustAnchor `json:"found"`
		Notes   []string      `json:"notes"`
	}{schemaVersion, f.Path, f.Form, newTrustAnchors(f.Anchors), notNil(f.Notes)})
}

func (textRenderer) TrustFound(w io.Writer, f TrustFound) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", clip(f.Path), f.Form)
	for _, a := range f.Anchors {
		writeAnchor(&b, a)
	}
	return write(w, &b)
}

func (jsonRenderer) TrustAddition(w io.Writer, t TrustAddition) error {
	added := []trustAnchor{}
	for _, a := range t.Added {
		one := newTrustAnchor(a.Anchor)
		one.File, one.Trusts = a.File, a.Trusts
		added = append(added, one)
	}
	return writeJSON(w, struct {
		Version int           `json:"version"`
		Path    string        `json:"path"`
		Store   string        `json:"store"`
		Digest  string        `json:"digest"`
		Added   []trustAnchor `json:"added"`
		Already []trustAnchor `json:"already"`
		LeftOut []trustAnchor `json:"left_out"`
	}{schemaVersion, t.Path, t.Store, t.After.Digest().String(), added, newTrustAnchors(t.Already), newTrustAnchors(t.LeftOut)})
}

// maxLeftOut is how many of those that were left out are listed in full.
const maxLeftOut = 20

func (textRenderer) TrustAddition(w io.Writer, t TrustAddition) error {
	var b strings.Builder
	for i, a := range t.LeftOut {
		if i == maxLeftOut {
			fmt.Fprintf(&b, "and %d more left out\n", len(t.LeftOut)-i)
			break
		}
		fmt.Fprintf(&b, "left out %s\n", clip(a.Name))
		if reason := a.Why + a.Doubt; reason != "" {
			fmt.Fprintf(&b, "    %s\n", clip(reason))
		}
	}
	for _, a := range t.Already {
		fmt.Fprintf(&b, "there already: %s\n    %s\n", clip(a.Name), a.ID)
	}
	if len(t.Added) == 0 {
		fmt.Fprintf(&b, "store %s in %s: nothing was added\n", clip(t.Store), clip(t.Path))
		return write(w, &b)
	}
	fmt.Fprintf(&b, "store %s in %s now trusts\n", clip(t.Store), clip(t.Path))
	for _, a := range t.Added {
		fmt.Fprintf(&b, "  %s\n    %s\n    in %s\n", clip(a.Trusts), a.ID, clip(a.File))
	}
	fmt.Fprintf(&b, "sha-256 of the trust store %s\n", t.After.Digest())
	return write(w, &b)
}
