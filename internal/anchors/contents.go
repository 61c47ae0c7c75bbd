package anchors

import (
	"context"
	"crypto/x509"
	"strings"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/verifier"
)

// Contents says what the files of a trust store hold. All copies of an OpenPGP
// certificate are one there, so that a revocation in any of them counts.
type Contents struct {
	now     time.Time
	openpgp map[string]*pgpcert.Certificate // by fingerprint
}

// NewContents reads the OpenPGP certificates of a trust store; what cannot be read
// of them is told where it stands.
func NewContents(t *verifier.TrustStore, now time.Time) *Contents {
	loader := pgpcert.NewLoader()
	for _, f := range t.Files(verifier.RoomOpenPGP) {
		_ = loader.AddTo(f.Store, f.Name, f.Data) // Of tells
	}
	c := &Contents{now: now, openpgp: map[string]*pgpcert.Certificate{}}
	for _, cert := range loader.Ring().Certificates() {
		c.openpgp[cert.Fingerprint] = cert
	}
	return c
}

// Of returns the anchors in a file of the rooms x509-ca, tsa, openpgp, crl and sigstore. An
// OCSP response is a list of its own kind, of which nothing is said.
func (c *Contents) Of(ctx context.Context, f verifier.TrustFile) ([]Anchor, error) {
	switch f.Room {
	case verifier.RoomX509CA, verifier.RoomTSA:
		return c.certificates(f)
	case verifier.RoomOpenPGP:
		return c.certificatesOfOpenPGP(ctx, f)
	case verifier.RoomCRL:
		return c.lists(ctx, f)
	case verifier.RoomSigstore:
		found, err := Read(ctx, f.Name, f.Data, Options{Now: c.now})
		if err != nil {
			return nil, err
		}
		return found.Anchors, nil
	default:
		return nil, nil
	}
}

func (c *Contents) certificates(f verifier.TrustFile) ([]Anchor, error) {
	certs, err := format.ReadAnchors(f.Data)
	if err != nil {
		return nil, err
	}
	var list []Anchor
	for _, cert := range certs {
		a := Anchor{Kind: KindCertificate, Room: f.Room, ID: digestID("x509-sha256", cert.Raw), data: cert.Raw}
		if facts := a.describe(cert, c.now); a.Doubt == "" && !facts.Authority && !facts.SelfSigned {
			a.Doubt = "it is no authority, and did not sign itself: nobody is trusted through it"
		}
		list = append(list, a)
	}
	return list, nil
}

func (c *Contents) certificatesOfOpenPGP(ctx context.Context, f verifier.TrustFile) ([]Anchor, error) {
	blocks, err := pgpcert.Split(f.Data, pgpcert.MaxCertificates)
	if err != nil {
		return nil, err
	}
	var list []Anchor
	for _, b := range blocks {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		a := Anchor{Kind: KindOpenPGP, Room: f.Room, ID: "openpgp:" + b.Fingerprint, data: b.Packets}
		if b.Fingerprint == "" && b.Err == nil {
			a.Kind, a.ID, a.Name = KindRevocation, digestID("sha256", b.Packets), "revocations by themselves"
		}
		list = append(list, c.Together(a))
	}
	return list, nil
}

// Together describes an OpenPGP certificate by all copies of it that the trust store
// has. It returns any other anchor as it is.
func (c *Contents) Together(a Anchor) Anchor {
	if a.Kind != KindOpenPGP {
		return a
	}
	if cert := c.openpgp[strings.TrimPrefix(a.ID, "openpgp:")]; cert != nil {
		a.describeOpenPGP(cert, c.now)
	} else {
		a.Doubt = "it cannot be used: another copy, or this one, cannot be read"
	}
	return a
}

func (c *Contents) lists(ctx context.Context, f verifier.TrustFile) ([]Anchor, error) {
	found, err := Read(ctx, f.Name, f.Data, Options{Now: c.now})
	if err != nil || len(found.Anchors) == 0 {
		return []Anchor{{Kind: KindCRL, Room: f.Room, ID: digestID("sha256", f.Data), Name: "an OCSP response", data: f.Data}}, nil //nolint:nilerr // the formats have read it
	}
	for i := range found.Anchors {
		found.Anchors[i].Doubt = ""
		if until := found.Anchors[i].NotAfter; !until.IsZero() && c.now.After(until) {
			found.Anchors[i].Doubt = "it is out of date"
		}
	}
	return found.Anchors, nil
}

// Authorities returns the certificates in x509-ca of a store.
func Authorities(t *verifier.TrustStore, store string) []*x509.Certificate {
	var list []*x509.Certificate
	for _, f := range t.Files(verifier.RoomX509CA) {
		if f.Store != store {
			continue
		}
		certs, err := format.ReadAnchors(f.Data)
		if err != nil {
			continue // the formats refuse such a store
		}
		list = append(list, certs...)
	}
	return list
}
