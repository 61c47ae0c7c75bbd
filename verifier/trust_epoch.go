package verifier

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/runwrit/writ/internal/trustlist"
)

// RoomEpoch is no folder but one file, "epoch" in the root of a trust store.
const RoomEpoch Room = "epoch"

// Epoch says which edition of a trust store it is, and when it may be used. The
// zero value says nothing.
type Epoch struct {
	// Number counts the editions up; 0 for a store that does not count.
	Number uint64 `json:"number"`
	// NotBefore and Expires bound when the store may be used: from NotBefore on,
	// until before Expires. The zero value does not bound.
	NotBefore time.Time `json:"not_before,omitzero"`
	Expires   time.Time `json:"expires,omitzero"`
}

// Epoch says which edition of the trust store it is. A gate has to compare it
// with its clock and with the highest one that it has used: the verifier does not.
func (t *TrustStore) Epoch() Epoch { return t.epoch }

// readEpoch reads the file "epoch": one line,
// "epoch:7 not-before=2026-11-01T00:00:00Z expires=2027-02-01T00:00:00Z".
func (t *TrustStore) readEpoch() error {
	for i, f := range t.Files(RoomEpoch) {
		if i > 0 {
			return &TrustError{f.Name, errors.New("a trust store has one epoch")}
		}
		entries, err := trustlist.Parse(f.Data)
		switch {
		case err != nil:
			return &TrustError{f.Name, err}
		case len(entries) != 1:
			return &TrustError{f.Name, fmt.Errorf("%d lines: want one, such as epoch:1 expires=2027-02-01T00:00:00Z", len(entries))}
		}
		if t.epoch, err = parseEpoch(entries[0]); err != nil {
			return &TrustError{f.Name, err}
		}
	}
	return nil
}

func parseEpoch(e trustlist.Entry) (Epoch, error) {
	if e.Kind != "epoch" {
		return Epoch{}, e.Errorf("%s: want epoch:NUMBER", e.Kind)
	}
	if err := e.Only("not-before", "expires"); err != nil {
		return Epoch{}, err
	}
	number, err := strconv.ParseUint(e.Value, 10, 32)
	if err != nil || number == 0 || strconv.FormatUint(number, 10) != e.Value {
		return Epoch{}, e.Errorf("%q: want a number from 1 on", e.Value)
	}
	epoch := Epoch{Number: number}
	for key, at := range map[string]*time.Time{"not-before": &epoch.NotBefore, "expires": &epoch.Expires} {
		text, given := e.Fields[key]
		if !given {
			continue
		}
		if *at, err = time.Parse(time.RFC3339, text); err != nil || at.Year() < 1970 || at.Year() > 2261 {
			return Epoch{}, e.Errorf("%s is %q: want a time such as 2027-02-01T00:00:00Z", key, text)
		}
		*at = at.UTC()
	}
	if !epoch.Expires.IsZero() && !epoch.NotBefore.Before(epoch.Expires) {
		return Epoch{}, e.Errorf("it expires before it begins")
	}
	return epoch, nil
}
