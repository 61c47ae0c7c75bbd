package verifier

import (
	"slices"

	"github.com/runwrit/writ/internal/trustlist"
)

// RevocationMode says what a store demands about the revocation of certificates.
type RevocationMode string

// The modes. The zero value leaves the choice to the format: prefer where the
// trust store has any list or response, else off.
const (
	RevocationRequire RevocationMode = "require" // a fresh answer for each certificate, or the signer is not trusted
	RevocationPrefer  RevocationMode = "prefer"  // what is known counts; what is not known is a finding
	RevocationOff     RevocationMode = "off"     // nothing is asked
)

// Revocation returns the mode that the store of that name has set.
func (t *TrustStore) Revocation(store string) RevocationMode { return t.modes[store] }

// readSettings reads the files "settings": one line "revocation:MODE".
func (t *TrustStore) readSettings() error {
	t.modes = map[string]RevocationMode{}
	known := []RevocationMode{RevocationRequire, RevocationPrefer, RevocationOff}
	for _, f := range t.Files(RoomSettings) {
		entries, err := trustlist.Parse(f.Data)
		if err != nil {
			return &TrustError{f.Name, err}
		}
		for _, e := range entries {
			mode := RevocationMode(e.Value)
			switch _, twice := t.modes[f.Store]; {
			case e.Kind != "revocation":
				err = e.Errorf("unknown setting %q: want revocation", e.Kind)
			case twice:
				err = e.Errorf("revocation is set twice")
			case !slices.Contains(known, mode):
				err = e.Errorf("revocation is %q: want one of %q", mode, known)
			default:
				err = e.Only()
			}
			if err != nil {
				return &TrustError{f.Name, err}
			}
			t.modes[f.Store] = mode
		}
	}
	return nil
}
