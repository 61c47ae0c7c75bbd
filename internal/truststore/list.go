package truststore

import (
	"context"
	"slices"
	"time"

	"github.com/runwrit/writ/internal/anchors"
	"github.com/runwrit/writ/internal/trustlist"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// Listing is what a trust store holds.
type Listing struct {
	Digest runbook.Digest
	Epoch  verifier.Epoch
	Stores []Store
}

// Store is one store of it.
type Store struct {
	Name    string
	Anchors []Listed
	// Lists are its text files: pins, deny lists and settings.
	Lists []List
}

// Listed is an anchor, and the file that it stands in.
type Listed struct {
	File string
	anchors.Anchor
}

// List is a text file with so many entries.
type List struct {
	Room    verifier.Room
	File    string
	Entries int
}

// Describe says what a trust store holds, judged at a time. It fails if a file
// cannot be read.
func Describe(ctx context.Context, t *verifier.TrustStore, now time.Time) (*Listing, error) {
	listing := &Listing{Digest: t.Digest(), Epoch: t.Epoch()}
	contents := anchors.NewContents(t, now)
	for _, name := range t.Stores() {
		store := Store{Name: name}
		for _, f := range t.All() {
			if f.Store != name || f.Room == verifier.RoomEpoch {
				continue
			}
			if isList(f.Room) {
				entries, err := trustlist.Parse(f.Data)
				if err != nil {
					return nil, &verifier.TrustError{Path: f.Name, Err: err}
				}
				store.Lists = append(store.Lists, List{f.Room, f.Name, len(entries)})
				continue
			}
			found, err := contents.Of(ctx, f)
			if err != nil {
				return nil, &verifier.TrustError{Path: f.Name, Err: err}
			}
			for _, a := range found {
				store.Anchors = append(store.Anchors, Listed{f.Name, a})
			}
		}
		listing.Stores = append(listing.Stores, store)
	}
	return listing, nil
}

func isList(room verifier.Room) bool {
	return slices.Contains([]verifier.Room{verifier.RoomX509Pins, verifier.RoomOpenPGPPins, verifier.RoomSigstoreIdentities, verifier.RoomDeny, verifier.RoomSettings}, room)
}
