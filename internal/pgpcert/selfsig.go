package pgpcert

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the fingerprint of version 4 keys is defined with SHA-1
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"
)

// fingerprintOf is the fingerprint of a key packet; nil for a version that has
// none here.
func fingerprintOf(body []byte) []byte {
	var h hash.Hash
	switch {
	case len(body) == 0:
		return nil
	case body[0] == 4:
		h = sha1.New() //nolint:gosec // see above
	case body[0] == 6:
		h = sha256.New()
	default:
		return nil
	}
	feedKey(h, int(body[0]), body)
	return h.Sum(nil)
}

// feedKey writes a key in the form in which it is hashed (RFC 9580 section
// 5.2.4). Hashes do not fail.
func feedKey(w io.Writer, version int, body []byte) {
	var head []byte
	if version == 4 {
		head = binary.BigEndian.AppendUint16([]byte{0x99}, uint16(len(body)))
	} else {
		head = binary.BigEndian.AppendUint32([]byte{0x9b}, uint32(len(body)))
	}
	_, _ = w.Write(head)
	_, _ = w.Write(body)
}

// feed writes what a signature over the key alone covers.
func (k *Key) feed(w io.Writer) { feedKey(w, k.public.Version, k.body) }

// feedUser gives what a signature over a key and a user ID covers.
func feedUser(k *Key, userID []byte) func(io.Writer) {
	return func(w io.Writer) {
		k.feed(w)
		_, _ = w.Write(binary.BigEndian.AppendUint32([]byte{0xb4}, uint32(len(userID))))
		_, _ = w.Write(userID)
	}
}

// feedSubkey gives what a binding of a subkey covers.
func feedSubkey(primary, sub *Key) func(io.Writer) {
	return func(w io.Writer) {
		primary.feed(w)
		sub.feed(w)
	}
}

// ownSignature parses a signature packet and returns it if it is of one of the
// given types and may be by the primary key; else nil. It fails on a revocation
// that cannot be read: to ignore it would be a silent yes.
func (c *Certificate) ownSignature(p Packet, types ...byte) (*Signature, error) {
	claimed := claimedType(p.Body)
	if !slices.Contains(types, claimed) {
		return nil, nil
	}
	s, err := parseHead(p.Body, false)
	if err == nil && len(s.Issuers) > 0 && !s.names(c.primary()) {
		return nil, nil
	}
	if err == nil {
		err = s.readValue()
	}
	if err != nil && isRevocation(claimed) {
		return nil, fmt.Errorf("a revocation that cannot be read: %w", err)
	}
	if err == nil && (s.Version == c.primary().public.Version || isRevocation(claimed)) {
		return s, nil
	}
	return nil, nil
}

func isRevocation(kind byte) bool {
	return kind == typeKeyRevocation || kind == typeSubkeyRevocation || kind == typeCertRevocation
}

// claimedType is the type of a signature that is not read any further; 0 if
// there is none.
func claimedType(body []byte) byte {
	if len(body) < 3 {
		return 0
	}
	if body[0] < 4 {
		return body[2] // behind the length of what is hashed
	}
	return body[1]
}

// checkSelf checks a signature by the primary key. It fails if there are more
// of them than a certificate may have.
func (c *Certificate) checkSelf(s *Signature, feed func(io.Writer)) (bool, error) {
	if c.checked++; c.checked > maxSelfSignatures {
		return false, fmt.Errorf("more than %d self-signatures", maxSelfSignatures)
	}
	return c.primary().proves(s, feed), nil
}

// proves reports whether s was made by k over what feed writes.
func (k *Key) proves(s *Signature, feed func(io.Writer)) bool {
	h, err := s.NewHash()
	if err != nil {
		return false
	}
	feed(h)
	return k.Verify(s, h).Valid
}

// checkable reports whether it can be found out whether s is good.
func (s *Signature) checkable() bool { return s.maths != nil }

// counts reports whether a self-signature may count. One that is too weak may
// not, and is remembered. Its designated revokers count in any case: they can
// only take away.
func (c *Certificate) counts(s *Signature, good bool) bool {
	if good || !s.checkable() {
		c.designate = append(c.designate, s.designated...)
	}
	if s.WeakHash() && (good || !s.checkable()) {
		c.weakSelf = s.HashName()
		return false
	}
	return good && acceptable(s)
}

// selfCritical are the critical subpackets that a signature inside a certificate
// may carry: those that are honoured here, and those that only concern
// encryption, certification by others or key servers.
var selfCritical = []byte{
	subCreated, subSigExpires, 4, 5, 6, 7, subKeyExpires, 11, subRevocationKey, subIssuer, 21, 22, 23, 24, 25, 26,
	subKeyFlags, subSignerUserID, 29, 30, subEmbedded, subIssuerFpr, 34, 39,
}

// acceptable reports whether a signature inside a certificate may count if its
// value is good: it has one hashed creation time, nothing twice that may stand
// there once, and nothing critical that is not known.
func acceptable(s *Signature) bool {
	return !s.Created.IsZero() && s.repeated == 0 && s.unknownCritical(selfCritical) == 0
}

// backSignature is what came of looking at the back-signatures of a binding, by
// which a signing subkey owns up to its primary key.
type backSignature struct {
	good    []*Signature // those that count in their time
	missing string       // why there is none
	weak    string       // the hash function of one that is too weak to count
}

func checkBack(s *Signature, sub *Key, feed func(io.Writer)) backSignature {
	result := backSignature{missing: "the subkey has not signed the primary key back"}
	for _, back := range s.embedded {
		switch {
		case back.Type != typePrimaryKeyBinding || back.Version != sub.public.Version || !acceptable(back):
		case len(back.Issuers) > 0 && !back.names(sub):
		case back.WeakHash() && (!back.checkable() || sub.proves(back, feed)):
			result.weak = back.HashName()
		case !sub.proves(back, feed):
			result.missing = "the subkey's signature of the primary key does not verify"
		default:
			result.good = append(result.good, back)
		}
	}
	return result
}

// judge says what is wrong with the back-signatures now.
func (b *backSignature) judge(j *Judgement, now, keyCreated time.Time) {
	switch {
	case newest(b.good, now, keyCreated) != nil:
	case len(b.good) > 0:
		setFirst(&j.Validity, "the subkey's signature of the primary key is not in its time")
	case b.weak != "":
		setFirst(&j.Algorithms, "the subkey signed the primary key back with "+b.weak+" only")
	default:
		j.KeyUsage = b.missing
	}
}

// addRevocation honours a revocation of the whole certificate wherever it
// stands, whatever its reason, age or hash function. One by the primary key that
// cannot be checked counts as well: to ignore it would be a silent yes. One of a
// subkey that does not stand behind a subkey is kept for placeStrays.
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
		c.revoked = "the certificate is revoked"
	}
	return nil
}

const revokedSubkey = "the subkey is revoked"

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
				k.revoked = revokedSubkey
			}
		}
	}
	return nil
}

// judgeDesignated looks for revocations by keys that the certificate names as
// its designated revokers, wherever they stand. They are honoured unchecked: the
// revoker's certificate need not be there, and whoever may write the trust store
// could take the certificate out of it as well.
func (c *Certificate) judgeDesignated(m *material) {
	if len(c.designate) == 0 {
		return
	}
	revoked := slices.ContainsFunc(m.onPrimary, c.revokedByAnother)
	for _, comp := range m.components {
		revoked = revoked || slices.ContainsFunc(comp.signatures, c.revokedByAnother)
	}
	if revoked {
		c.revoked = "the certificate is revoked by a designated revoker"
	}
}

// revokedByAnother reports whether a packet is a revocation of the certificate
// that names one of its designated revokers.
func (c *Certificate) revokedByAnother(p Packet) bool {
	if claimedType(p.Body) != typeKeyRevocation {
		return false
	}
	s, err := parseHead(p.Body, false)
	return err == nil && slices.ContainsFunc(s.Issuers, func(i Issuer) bool { return slices.ContainsFunc(c.designate, i.is) })
}

func (i Issuer) is(fingerprint []byte) bool {
	if i.Fingerprint != nil {
		return bytes.Equal(i.Fingerprint, fingerprint)
	}
	return len(fingerprint) == 20 && binary.BigEndian.Uint64(fingerprint[12:]) == i.KeyID
}
