package format

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// openpgpTrust is what a whole trust store says about OpenPGP signers. Each of
// its stores is asked by itself, with its own certificates, pins and settings.
// Revocations and deny lists hold for all of them: of each certificate there is
// one, made of all copies.
type openpgpTrust struct {
	ring   *pgpcert.Ring
	stores map[string]*openpgpStore
	lists  *verifier.TrustStore // for its deny lists
}

// openpgpStore is what one store demands of the certificates in its room
// openpgp.
type openpgpStore struct {
	name  string
	rules verifier.OpenPGPRules
	// pins, where there are any, are the signers that the store trusts, by the
	// fingerprint of the primary key.
	pins   map[string][]openpgpPin
	pinned bool
}

// loadOpenPGPTrust reads the rooms openpgp and openpgp-pins. It fails with
// *verifier.TrustError if a file holds no certificate or secret keys, or if pins
// cannot be read. A bad certificate is left out, unless a store has no other.
func loadOpenPGPTrust(t *verifier.TrustStore) (*openpgpTrust, error) {
	trust := &openpgpTrust{stores: map[string]*openpgpStore{}, lists: t}
	loader := pgpcert.NewLoader()
	bad := map[string]*verifier.TrustError{} // by store, the first
	for _, f := range t.Files(verifier.RoomOpenPGP) {
		err := loader.AddTo(f.Store, f.Name, f.Data)
		var unusable *pgpcert.UnusableError
		switch {
		case errors.As(err, &unusable):
			if bad[f.Store] == nil {
				bad[f.Store] = &verifier.TrustError{Path: f.Name, Err: err}
			}
			continue
		case err != nil:
			return nil, &verifier.TrustError{Path: f.Name, Err: err}
		}
		trust.stores[f.Store] = &openpgpStore{name: f.Store, rules: t.OpenPGP(f.Store), pins: map[string][]openpgpPin{}}
	}
	for _, store := range t.Stores() {
		if err := bad[store]; err != nil && trust.stores[store] == nil {
			return nil, err
		}
	}
	for _, f := range t.Files(verifier.RoomOpenPGPPins) {
		store := trust.stores[f.Store]
		if store == nil {
			return nil, &verifier.TrustError{Path: f.Name, Err: errors.New(
				"pins without certificates trust nobody: put the certificates of the signers into openpgp")}
		}
		if err := store.addPins(f.Data); err != nil {
			return nil, &verifier.TrustError{Path: f.Name, Err: err}
		}
	}
	trust.ring = loader.Ring()
	return trust, nil
}

// Notes says which certificates were left out.
func (t *openpgpTrust) Notes() []string {
	var notes []string
	for _, n := range t.ring.LeftOut() {
		notes = append(notes, fmt.Sprintf("left out of the trust store: %v", n))
	}
	return notes
}

// openpgpSubject is what a signature stands on, and what its container demands.
type openpgpSubject struct {
	kind runbook.Kind
	// path of the runbook inside, absolute; "" if it is not known.
	path string
	// namespace that the signature claims; "" if it does not.
	namespace string
	// form returns the checks that a signature fails, whoever made it.
	form func(*pgpcert.Signature) []verifier.Check
	// blanks says that the text has trailing blanks, and nothing else that is
	// not signed.
	blanks bool
	// strangers says that somebody signed whom no store trusts; someRefuse, that
	// this makes a difference to a store.
	strangers, someRefuse bool
}

var absolute = regexp.MustCompile(`^(?:/|[A-Za-z]:/)`)

func (t *openpgpTrust) subject(rb *runbook.Runbook) openpgpSubject {
	on := openpgpSubject{kind: rb.Kind()}
	if absolute.MatchString(rb.Path()) {
		on.path = runbook.PayloadName(rb.Path())
	}
	for _, store := range t.stores {
		on.someRefuse = on.someRefuse || store.rules.RefuseUnknown
	}
	return on
}

// trusting returns the stores that trust a certificate to sign the subject now;
// if there are none, why says what each of those that have it objects to.
func (t *openpgpTrust) trusting(c *pgpcert.Certificate, on openpgpSubject, now time.Time) (stores []*openpgpStore, why string) {
	var objections []string
	for _, name := range c.Stores() {
		store := t.stores[name]
		objection := store.objection(c.Fingerprint, on, now)
		if objection == "" {
			stores = append(stores, store)
			continue
		}
		objections = append(objections, objection+store.where())
	}
	if len(stores) > 0 {
		return stores, ""
	}
	return nil, "the certificate " + c.Fingerprint + " is not trusted for this: " + strings.Join(objections, "; ")
}

// objection says why the store does not trust the certificate of that
// fingerprint to sign the subject now; "" if it does.
func (s *openpgpStore) objection(fingerprint string, on openpgpSubject, now time.Time) string {
	if on.strangers && s.rules.RefuseUnknown {
		return "somebody signed as well whom nobody trusts, and the settings refuse that"
	}
	if !s.pinned {
		return ""
	}
	pins := s.pins[fingerprint]
	if len(pins) == 0 {
		return "no pin names it"
	}
	var objections []string
	for _, p := range pins {
		objection := p.objection(on, now)
		if objection == "" {
			return ""
		}
		objections = append(objections, fmt.Sprintf("the pin in line %d %s", p.line, objection))
	}
	return strings.Join(objections, ", ")
}

// where names the store for a message; the store of the files that flags name
// has no name.
func (s *openpgpStore) where() string {
	if s == nil || s.name == "" {
		return ""
	}
	return fmt.Sprintf(" (store %q)", s.name)
}
