package truststore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/runwrit/writ/internal/anchors"
	"github.com/runwrit/writ/internal/lazyregexp"
	"github.com/runwrit/writ/verifier"
)

// Added is an anchor that was added, with whom the store trusts by it.
type Added struct {
	Listed
	// Trusts says whom the store trusts by it, and which other stores do then.
	Trusts string
}

// Addition is what is to be added to a trust store, and nothing has been written.
type Addition struct {
	Store   string
	Added   []Added
	Already []anchors.Anchor // which the store has
	before  *verifier.TrustStore
	files   []verifier.TrustFile
}

// storeName is narrower than what a verifier reads: no name that it leaves out, and
// none that is a file of the trust store.
var storeName = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// Open reads a trust store that is to be shown or added to. One that is not there
// is empty.
func Open(dir string) (*verifier.TrustStore, error) {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return verifier.NewTrust()
	}
	return verifier.OpenTrust(dir, verifier.TrustOptions{Unfilled: true})
}

// Plan says what adding anchors to a store of a trust store means. Base is what
// the name of a file begins with that holds several.
func Plan(ctx context.Context, before *verifier.TrustStore, store, base string, chosen []anchors.Anchor, now time.Time) (*Addition, error) {
	if !storeName.MatchString(store) || store == string(verifier.RoomEpoch) || store == "README.md" {
		return nil, fmt.Errorf("%q is no name of a store: want letters, digits, and . _ - behind the first", store)
	}
	p := &Addition{Store: store, before: before}
	present, err := presentIn(ctx, before, store, now)
	if err != nil {
		return nil, err
	}
	var list []anchors.Anchor
	for _, a := range chosen {
		switch {
		case a.In(present):
			p.Already = append(p.Already, a)
		case !a.In(list):
			list = append(list, a)
		}
	}
	if len(list) == 0 {
		return p, nil
	}
	if p.files, err = anchors.Files(store, base, list); err != nil {
		return nil, err
	}
	for i, f := range p.files {
		p.files[i].Name = path.Join(store, string(f.Room), f.Name)
	}
	after, err := verifier.NewTrust(append(before.All(), p.files...)...)
	if err != nil {
		return nil, err
	}
	around, contents := surroundings(after, store), anchors.NewContents(after, now)
	copies, err := copiesIn(ctx, before, now)
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		a = contents.Together(a)
		trusts := a.Effect(around)
		if stores := copies[a.ID]; len(stores) > 0 {
			trusts += "; another copy of this certificate is in " + strings.Join(stores, ", ") + ": all copies count together, in each store that has one"
		}
		p.Added = append(p.Added, Added{Listed{p.fileOf(a), a}, trusts})
	}
	return p, nil
}

// fileOf is the file into which an anchor goes.
func (p *Addition) fileOf(a anchors.Anchor) string {
	for _, f := range p.files {
		if a.Within(f) {
			return f.Name
		}
	}
	return ""
}

// copiesIn says by ID which stores have an OpenPGP certificate. What a new copy of it
// says, such as a later end or one more subkey, holds for all of them.
func copiesIn(ctx context.Context, t *verifier.TrustStore, now time.Time) (map[string][]string, error) {
	contents, copies := anchors.NewContents(t, now), map[string][]string{}
	for _, f := range t.Files(verifier.RoomOpenPGP) {
		found, err := contents.Of(ctx, f)
		if err != nil {
			return nil, &verifier.TrustError{Path: f.Name, Err: err}
		}
		for _, a := range found {
			if a.Kind == anchors.KindOpenPGP && !slices.Contains(copies[a.ID], f.Store) {
				copies[a.ID] = append(copies[a.ID], f.Store)
			}
		}
	}
	return copies, nil
}

// presentIn returns what a store holds already.
func presentIn(ctx context.Context, t *verifier.TrustStore, store string, now time.Time) ([]anchors.Anchor, error) {
	contents := anchors.NewContents(t, now)
	var present []anchors.Anchor
	for _, f := range t.All() {
		if f.Store != store || isList(f.Room) {
			continue
		}
		found, err := contents.Of(ctx, f)
		if err != nil {
			return nil, &verifier.TrustError{Path: f.Name, Err: err}
		}
		present = append(present, found...)
	}
	return present, nil
}

func surroundings(t *verifier.TrustStore, store string) anchors.Surroundings {
	s := anchors.Surroundings{Pinned: map[verifier.Room]bool{}, Authorities: anchors.Authorities(t, store)}
	for _, room := range []verifier.Room{verifier.RoomX509Pins, verifier.RoomOpenPGPPins} {
		for _, f := range t.Files(room) {
			s.Pinned[room] = s.Pinned[room] || f.Store == store
		}
	}
	return s
}
