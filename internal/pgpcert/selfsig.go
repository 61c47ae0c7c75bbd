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

// feedUser gives what a signature over a key and a user ID or attribute covers.
func feedUser(k *Key, p Packet) func(io.Writer) {
	mark := byte(0xb4)
	if p.Tag == TagUserAttribute {
		mark = 0xd1
	}
	return func(w io.Writer) {
		k.feed(w)
		_, _ = w.Write(binary.BigEndian.AppendUint32([]byte{mark}, uint32(len(p.Body))))
		_, _ = w.Write(p.Body)
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
// not, and is remembered.
func (c *Certificate) counts(s *Signature, good bool) bool {
	if s.WeakHash() && (good || !s.checkable()) {
		c.weakSelf = s.HashName()
		return false
	}
	return good && acceptable(s) == ""
}

// selfCritical are the critical subpackets that a signature inside a certificate
// may carry: those that are honoured here, and those that only concern
// encryption, certification by others or key servers.
var selfCritical = []byte{
	subCreated, subSigExpires, 4, 5, 6, 7, subKeyExpires, 11, subRevocationKey, subIssuer, 21, 22, 23, 24, 25, 26,
	subKeyFlags, subSignerUserID, 29, 30, subEmbedded, subIssuerFpr, 34, 39,
}

// acceptable says why a signature inside a certificate cannot count although its
// value is good; "" if it can.
func acceptable(s *Signature) string {
	switch {
	case s.Created.IsZero():
		return "it has no hashed creation time"
	case s.repeated != 0:
		return fmt.Sprintf("it has two subpackets of type %d", s.repeated)
	}
	if kind := s.unknownCritical(selfCritical); kind != 0 {
		return fmt.Sprintf("it has an unknown critical subpacket of type %d", kind)
	}
	return ""
}

// backSignature is what came of looking at the back-signatures of a binding, by
// which a signing subkey owns up to its primary key.
type backSignature struct {
	missing string // why there is none that counts; "" if there is one
	weak    string // the hash function of one that is too weak to count
}

func checkBack(s *Signature, sub *Key, feed func(io.Writer)) backSignature {
	result := backSignature{missing: "the subkey has not signed the primary key back"}
	for _, back := range s.embedded {
		switch {
		case back.Type != typePrimaryKeyBinding || back.Version != sub.public.Version:
		case len(back.Issuers) > 0 && !back.names(sub):
		case back.WeakHash() && (!back.checkable() || sub.proves(back, feed)):
			result.weak = back.HashName()
		case !sub.proves(back, feed):
			result.missing = "the subkey's signature of the primary key does not verify"
		default:
			return backSignature{}
		}
	}
	return result
}

// addRevocation honours a revocation of the whole certificate wherever it
// stands, whatever its reason, age or hash function. One by the primary key that
// cannot be checked counts as well: to ignore it would be a silent yes.
func (c *Certificate) addRevocation(p Packet) error {
	s, err := c.ownSignature(p, typeKeyRevocation)
	if err != nil || s == nil {
		return err
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

// judgeDesignated looks for revocations by keys that the certificate names as
// its designated revokers. They are honoured unchecked: the revoker's
// certificate need not be there, and whoever may write the trust store could
// take the certificate out of it as well.
func (c *Certificate) judgeDesignated(m *material) {
	for _, s := range c.direct {
		c.designate = append(c.designate, s.designated...)
	}
	for _, u := range c.users {
		for _, s := range u.selfs {
			c.designate = append(c.designate, s.designated...)
		}
	}
	if len(c.designate) == 0 {
		return
	}
	for _, p := range m.onPrimary {
		s, err := ParseSignature(p.Body)
		if err != nil || s.Type != typeKeyRevocation {
			continue
		}
		for _, i := range s.Issuers {
			if slices.ContainsFunc(c.designate, func(fpr []byte) bool { return i.is(fpr) }) {
				c.revoked = "the certificate is revoked by a designated revoker"
			}
		}
	}
}

func (i Issuer) is(fingerprint []byte) bool {
	if i.Fingerprint != nil {
		return bytes.Equal(i.Fingerprint, fingerprint)
	}
	return len(fingerprint) == 20 && binary.BigEndian.Uint64(fingerprint[12:]) == i.KeyID
}
