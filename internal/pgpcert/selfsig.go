package pgpcert

import (
	"cmp"
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

// counts reports whether a self-signature may count, if its hash function is
// good enough for whoever asks. One that nobody can check may not, and is
// remembered. Its designated revokers count in any case: they can only take away.
func (c *Certificate) counts(s *Signature, good bool) bool {
	if good || !s.checkable() {
		c.designate = append(c.designate, s.designated...)
	}
	if s.brokenHash() {
		c.weakSelf = s.HashName()
	}
	return good && acceptable(s)
}

// brokenHash reports whether the hash function is one that is not computed here,
// because it has been broken for long.
func (s *Signature) brokenHash() bool {
	return !s.checkable() && find(s.HashName(), inside, 0) != nil
}

// enough leaves out the signatures whose hash function is not good enough, and
// names that of one.
func enough(signatures []*Signature, r Rules) (kept []*Signature, weak string) {
	for _, s := range signatures {
		if s.weakInside(r) {
			weak = s.HashName()
			continue
		}
		kept = append(kept, s)
	}
	return kept, weak
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
	good    []*Signature // those that count in their time, if they are strong enough
	missing string       // why there is none
	weak    string       // the hash function of one that nobody checks; "" for none
}

func checkBack(s *Signature, sub *Key, feed func(io.Writer)) backSignature {
	result := backSignature{missing: "the subkey has not signed the primary key back"}
	for _, back := range s.embedded {
		switch {
		case back.Type != typePrimaryKeyBinding || back.Version != sub.public.Version || !acceptable(back):
		case len(back.Issuers) > 0 && !back.names(sub):
		case back.brokenHash():
			result.weak = back.HashName()
		case !sub.proves(back, feed):
			result.missing = "the subkey's signature of the primary key does not verify"
		default:
			result.good = append(result.good, back)
		}
	}
	return result
}

// judge says what is wrong with the back-signatures.
func (b *backSignature) judge(j *Judgement, r Rules, keyCreated time.Time) {
	good, weak := enough(b.good, r)
	switch weak = cmp.Or(weak, b.weak); {
	case newest(good, r, keyCreated) != nil:
	case len(good) > 0:
		setFirst(&j.Validity, "the subkey's signature of the primary key is not in its time")
	case weak != "":
		setFirst(&j.Algorithms, "the subkey signed the primary key back with "+weak+" only")
	default:
		j.KeyUsage = b.missing
	}
}
