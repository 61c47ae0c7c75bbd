package format

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/verifier"
)

// authenticodeTrust is what a whole trust store says about X.509 signers. Each
// of its stores is asked by itself, with its own authorities, pins and settings.
// Timestamp authorities, deny lists and revocations hold for all of them: a
// revocation list is a signed statement of an authority, wherever it lies.
type authenticodeTrust struct {
	stores      []*authenticodeAnchors
	vouchers    map[string][]*x509.Certificate // all of all rooms x509-ca, by subject
	tsa         *authenticodeAnchors           // the rooms tsa of all stores; nil for none
	revocations *revocations
	online      *onlineRevocations   // nil: nothing is fetched
	lists       *verifier.TrustStore // for its deny lists
}

// authenticodeAnchors are the certificates of the room x509-ca of one store, and
// what it demands beside them; or those of the rooms tsa. The system's own roots
// are never among them.
type authenticodeAnchors struct {
	name          string
	roots         *x509.CertPool
	intermediates []*x509.Certificate
	bySubject     map[string][]*x509.Certificate // both
	// timeless are the same without dates, to tell a chain that has expired from
	// one that leads nowhere.
	timelessRoots *x509.CertPool
	// pins, where there are any, are the signers that the store trusts.
	pins     []authenticodePin
	revoking verifier.RevocationMode
	memo     chainMemo
}

func newAuthenticodeAnchors(name string) *authenticodeAnchors {
	return &authenticodeAnchors{
		name: name, roots: x509.NewCertPool(), timelessRoots: x509.NewCertPool(), revoking: verifier.RevocationOff,
		bySubject: map[string][]*x509.Certificate{},
	}
}

// where names the store for a message; the store of the files that flags name
// has no name.
func (a *authenticodeAnchors) where() string {
	if a.name == "" {
		return ""
	}
	return fmt.Sprintf(" (store %q)", a.name)
}

func loadAuthenticodeTrust(t *verifier.TrustStore, fetch FetchFunc) (*authenticodeTrust, error) {
	trust := &authenticodeTrust{vouchers: map[string][]*x509.Certificate{}, lists: t}
	if fetch != nil {
		trust.online = &onlineRevocations{fetch: fetch, known: map[string]*revocations{}, why: map[string]string{}}
	}
	var err error
	if trust.revocations, err = loadRevocations(t.Files(verifier.RoomCRL)); err != nil {
		return nil, err
	}
	stores := map[string]*authenticodeAnchors{}
	for _, f := range t.Files(verifier.RoomX509CA) {
		if stores[f.Store] == nil {
			stores[f.Store] = newAuthenticodeAnchors(f.Store)
			stores[f.Store].revoking = trust.mode(t.Revocation(f.Store))
			trust.stores = append(trust.stores, stores[f.Store])
		}
		certs, err := stores[f.Store].add(f.Data)
		if err != nil {
			return nil, &verifier.TrustError{Path: f.Name, Err: err}
		}
		for _, c := range certs {
			trust.vouchers[string(c.RawSubject)] = append(trust.vouchers[string(c.RawSubject)], c)
		}
	}
	for _, f := range t.Files(verifier.RoomTSA) {
		if trust.tsa == nil {
			trust.tsa = newAuthenticodeAnchors("")
		}
		if _, err := trust.tsa.add(f.Data); err != nil {
			return nil, &verifier.TrustError{Path: f.Name, Err: err}
		}
	}
	for _, f := range t.Files(verifier.RoomX509Pins) {
		store := stores[f.Store]
		if store == nil {
			return nil, &verifier.TrustError{Path: f.Name, Err: errors.New(
				"pins without authorities trust nobody: put the authority of the signers into x509-ca, or a certificate that signed itself")}
		}
		pins, err := parsePins(f.Data)
		if err != nil {
			return nil, &verifier.TrustError{Path: f.Name, Err: err}
		}
		store.pins = append(store.pins, pins...)
	}
	if len(trust.stores) == 0 {
		trust.stores = append(trust.stores, newAuthenticodeAnchors(""))
	}
	return trust, nil
}

// ask gathers what is known about cert, and asks elsewhere only where the trust
// store does not settle it.
func (t *authenticodeTrust) ask(cert, issuer *x509.Certificate, now time.Time) []revocationAnswer {
	answers := t.revocations.ask(cert, issuer, now)
	if t.online == nil || settled(answers) {
		return answers
	}
	return append(answers, t.online.ask(cert, issuer, now)...)
}

// mode of a store that has set m.
func (t *authenticodeTrust) mode(m verifier.RevocationMode) verifier.RevocationMode {
	switch {
	case m != "":
		return m
	case t.revocations.empty() && t.online == nil:
		return verifier.RevocationOff
	default:
		return verifier.RevocationPrefer
	}
}

// add puts the certificates of one file into a store, and returns them.
func (a *authenticodeAnchors) add(data []byte) ([]*x509.Certificate, error) {
	certs, err := parseAnchors(data)
	if err != nil {
		return nil, err
	}
	for _, c := range certs {
		if cms.Oversized(c.PublicKey) {
			return nil, fmt.Errorf("a certificate with a key of type %s: too large", keyAlgorithm(c))
		}
		a.bySubject[string(c.RawSubject)] = append(a.bySubject[string(c.RawSubject)], c)
		if !cms.SelfSigned(c) {
			a.intermediates = append(a.intermediates, c)
			continue
		}
		a.roots.AddCert(c)
		a.timelessRoots.AddCert(timeless(c))
	}
	return certs, nil
}
