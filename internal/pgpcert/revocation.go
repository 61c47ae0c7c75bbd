package pgpcert

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Reasons for a revocation (RFC 9580 section 5.2.3.31).
const (
	reasonSuperseded = 1
	reasonRetired    = 3
	reasonUserID     = 32 // the user ID is no longer valid
)

// The reasons that only end a key, or a user ID: what was signed before may
// still count. Whoever gives any other, or none, may have lost the key.
var (
	keyReasons    = []byte{reasonSuperseded, reasonRetired}
	userIDReasons = []byte{reasonSuperseded, reasonRetired, reasonUserID}
)

// revocation is one that counts.
type revocation struct {
	at   time.Time
	soft bool // what was signed before may still count
	by   string
}

type revocations []revocation

// newRevocation takes over a revocation by the primary key. One that could not
// be checked, or is odd in any way, is hard.
func newRevocation(s *Signature, good bool, soft []byte) revocation {
	return revocation{
		at:   s.Created,
		soft: good && acceptable(s) && len(s.reasons) == 1 && slices.Contains(soft, s.reasons[0]),
	}
}

// under returns the revocations that count under r: a soft one does not if keys
// are judged at a time before it.
func (v revocations) under(r Rules) revocations {
	var hit revocations
	for _, one := range v {
		if !one.soft || r.Signed.IsZero() || !one.at.After(r.at()) {
			hit = append(hit, one)
		}
	}
	return hit
}

// problem says that what was revoked, "" if it is not under r.
func (v revocations) problem(what string, r Rules) string {
	hit := v.under(r)
	if len(hit) == 0 {
		return ""
	}
	return what + " is revoked" + hit[0].by
}

// covers reports whether a self-signature over a user ID that is revoked does
// not count: it is older than a revocation, or one has no time.
func (v revocations) covers(s *Signature, r Rules) bool {
	return slices.ContainsFunc(v.under(r), func(one revocation) bool { return one.at.IsZero() || !s.Created.After(one.at) })
}

// addRevocation honours a revocation of the whole certificate wherever it
// stands, whatever its hash function. One by the primary key that cannot be
// checked counts as well: to ignore it would be a silent yes. One of a subkey
// that does not stand behind a subkey is kept for placeStrays.
func (c *Certificate) addRevocation(p Packet, behind byte) error {
	s, err := c.ownSignature(p, typeKeyRevocation, typeSubkeyRevocation)
	if err != nil || s == nil {
		return err
	}
	if s.Type == typeSubkeyRevocation {
		if behind != TagPublicSubkey {
			c.strays = append(c.strays, s)
		}
		return nil
	}
	good, err := c.checkSelf(s, c.primary().feed)
	if err != nil {
		return err
	}
	if good || !s.checkable() {
		c.revoked = append(c.revoked, newRevocation(s, good, keyReasons))
	}
	return nil
}

// looseRevocation is a revocation of a whole certificate that stands in a file
// by itself, as gpg --generate-revocation makes it.
type looseRevocation struct {
	Packet
	keyIDs []uint64
	astray bool // it stands behind another certificate
}

// addLoose keeps a revocation for the certificate that it names, which may be in
// another file. One that cannot be read, or names none, is an error: somebody
// relies on it.
func (l *Loader) addLoose(p Packet) error {
	s, err := parseHead(p.Body, false)
	switch {
	case err != nil:
		return fmt.Errorf("a revocation that cannot be read: %w", err)
	case len(s.Issuers) == 0:
		return errors.New("a revocation that does not say of which key")
	}
	return l.addNamed(p, s, false)
}

// addAstray keeps a revocation that stands behind the certificate of another key
// than it names: that is where it comes to stand when files are joined.
func (l *Loader) addAstray(p Packet, behind *material) error {
	if p.Tag != TagSignature || claimedType(p.Body) != typeKeyRevocation {
		return nil
	}
	fpr := fingerprintOf(behind.primary.Body)
	other := func(i Issuer) bool { return fpr == nil || i.KeyID != keyIDOf(fpr) }
	if s, err := parseHead(p.Body, false); err == nil && slices.ContainsFunc(s.Issuers, other) {
		return l.addNamed(p, s, true)
	}
	return nil // one that cannot be read makes the certificate that it stands behind useless
}

func (l *Loader) addNamed(p Packet, s *Signature, astray bool) error {
	if len(l.loose) == MaxCertificates {
		return fmt.Errorf("more than %d revocations", MaxCertificates)
	}
	loose := looseRevocation{Packet: p, astray: astray}
	for _, i := range s.Issuers {
		loose.keyIDs = append(loose.keyIDs, i.KeyID)
	}
	l.loose = append(l.loose, loose)
	return nil
}

// placeLoose puts the revocations to the certificates that they name.
func (l *Loader) placeLoose() {
	named := map[uint64][]looseRevocation{}
	for _, loose := range l.loose {
		for _, id := range loose.keyIDs {
			named[id] = append(named[id], loose)
		}
	}
	for _, m := range l.materials {
		for _, loose := range named[keyIDOf(fingerprintOf(m.primary.Body))] {
			if loose.astray {
				m.astray = append(m.astray, loose.Packet)
			} else {
				m.onPrimary = append(m.onPrimary, loose.Packet)
			}
		}
	}
	l.loose = nil
}

// honourAstray honours the revocations that stand behind other certificates, but
// only those that are proved: what such a packet is of, it says only by where it
// stands, and it may be there because this key is the revoker of that one.
func (c *Certificate) honourAstray(packets []Packet) error {
	for _, p := range packets {
		s, err := parseHead(p.Body, false)
		if err != nil || !s.names(c.primary()) || s.readValue() != nil {
			continue
		}
		good, err := c.checkSelf(s, c.primary().feed)
		if err != nil {
			return err
		}
		if good {
			c.revoked = append(c.revoked, newRevocation(s, good, keyReasons))
		}
	}
	return nil
}

// placeStrays tries the subkey revocations that do not fit where they stand on
// every subkey: packets that changed places revoke all the same.
func (c *Certificate) placeStrays() error {
	for _, s := range c.strays {
		for _, k := range c.keys[1:] {
			good, err := c.checkSelf(s, feedSubkey(c.primary(), k))
			if err != nil {
				return err
			}
			if good || !s.checkable() {
				k.revoked = append(k.revoked, newRevocation(s, good, keyReasons))
			}
		}
	}
	return nil
}

// maxForeign is how many revocations that do not count a certificate tells of.
const maxForeign = 4

// readForeign looks for revocations by other keys, wherever they stand. Those by
// designated revokers are honoured unchecked: the revoker's certificate need not
// be there, and whoever may write the trust store could take the certificate out
// of it as well. Anybody can make those of the rest and put them into a
// certificate on its way, so they do not count and are only told of.
func (c *Certificate) readForeign(m *material) {
	for _, p := range m.onPrimary {
		c.addForeign(p, nil)
	}
	for _, comp := range m.components {
		for _, p := range comp.signatures {
			c.addForeign(p, comp)
		}
	}
}

func (c *Certificate) addForeign(p Packet, behind *component) {
	kind := claimedType(p.Body)
	if kind != typeKeyRevocation && kind != typeSubkeyRevocation {
		return
	}
	s, err := parseHead(p.Body, false)
	if err != nil || len(s.Issuers) == 0 || s.names(c.primary()) {
		return
	}
	designated := slices.ContainsFunc(s.Issuers, func(i Issuer) bool { return slices.ContainsFunc(c.designate, i.is) })
	switch {
	case designated && kind == typeKeyRevocation:
		c.revoked = append(c.revoked, byDesignated)
	case designated:
		c.revokeSubkey(behind)
	case len(c.foreign) < maxForeign:
		what := "the certificate"
		if kind == typeSubkeyRevocation {
			what = "a subkey"
		}
		c.foreign = append(c.foreign, fmt.Sprintf("%s by the key %s", what, s.Issuer()))
	}
}

// byDesignated is never soft: nobody checked what it says.
var byDesignated = revocation{by: " by a designated revoker"}

// revokeSubkey honours the revocation of a subkey by a designated revoker, which
// says which one only by where it stands. Where that is behind none, it is of
// all.
func (c *Certificate) revokeSubkey(behind *component) {
	for _, k := range c.keys[1:] {
		if behind == nil || behind.Tag != TagPublicSubkey || bytes.Equal(k.body, behind.Body) {
			k.revoked = append(k.revoked, byDesignated)
		}
	}
}

// Foreign tells of revocations of the certificate, or of a subkey, by keys that
// it did not name as its revokers: what each is of, and by whom. They do not
// count.
func (c *Certificate) Foreign() []string { return c.foreign }

func (i Issuer) is(fingerprint []byte) bool {
	if i.Fingerprint != nil {
		return bytes.Equal(i.Fingerprint, fingerprint)
	}
	return len(fingerprint) == 20 && binary.BigEndian.Uint64(fingerprint[12:]) == i.KeyID
}
