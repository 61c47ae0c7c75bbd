package pgpcert

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Limits of a certificate.
const (
	MaxPackets        = 50_000 // in one certificate, copies merged
	maxSelfSignatures = 2_000  // that are checked, in one certificate
	maxKeys           = 200
	maxKeyPacket      = 16 << 10 // bytes; the hashed form has 16 bits for the length
	maxUserID         = 16 << 10 // bytes; each of its self-signatures hashes it
)

// Certificate is one certificate, all copies of it in a ring merged.
type Certificate struct {
	// Fingerprint of the primary key, upper-case hexadecimal.
	Fingerprint string
	// Name is the first user ID that the certificate says of itself, and has not
	// revoked; "" if there is none.
	Name string

	stores    []string
	keys      []*Key // the primary key first
	users     []*user
	direct    []*Signature // direct-key self-signatures
	revoked   revocations
	weakSelf  string       // the hash function of a self-signature that nobody checks; "" for none
	checked   int          // signatures checked so far
	designate [][]byte     // fingerprints of the designated revokers
	strays    []*Signature // subkey revocations that do not fit where they stand
	foreign   []string     // revocations that do not count, in words
}

// Key is a primary key or a subkey.
type Key struct {
	// Fingerprint, upper-case hexadecimal.
	Fingerprint string
	// Algorithm and size, such as "rsa3072".
	Algorithm string
	// Bits of an RSA or DSA key; 0 for others.
	Bits int

	cert        *Certificate
	public      *packet.PublicKey
	body        []byte
	fingerprint []byte
	keyID       uint64
	family      string     // of algorithms, as in the table of cutoff.go
	supported   bool       // signatures by it can be checked
	bindings    []*binding // of a subkey
	revoked     revocations
	weakBinding string // the hash function of a binding that nobody checks; "" for none
}

// binding is a good subkey binding signature.
type binding struct {
	*Signature
	back backSignature
}

// user is a user ID with its good self-signatures.
type user struct {
	selfs   []*Signature
	revoked revocations
}

// Certificate is the certificate that the key belongs to.
func (k *Key) Certificate() *Certificate { return k.cert }

// Keys returns the keys of the certificate, the primary key first.
func (c *Certificate) Keys() []*Key { return c.keys }

// Stores names the stores that have a copy of the certificate, sorted.
func (c *Certificate) Stores() []string { return c.stores }

// material is a certificate as it was collected from one or more files.
type material struct {
	primary    Packet
	onPrimary  []Packet
	astray     []Packet // revocations that stand behind other certificates
	components []*component
	byContent  map[string]*component
	last       *component // that signatures belong to while a file is read
	packets    int
	stores     []string // that a copy was found in
}

// component is a user ID, user attribute or subkey and the signatures behind it.
type component struct {
	Packet
	signatures []Packet
}

// merge adds the packets of another copy of the same certificate, so that a
// revocation in either counts.
func (m *material) merge(other *material) {
	m.onPrimary = append(m.onPrimary, other.onPrimary...)
	m.packets += other.packets
	m.stores = append(m.stores, other.stores...)
	for _, o := range other.components {
		mine := m.component(o.Packet)
		mine.signatures = append(mine.signatures, o.signatures...)
	}
}

// component returns the component of this content, which it adds if it is new:
// the same subkey must not stand there once with its revocation and once
// without.
func (m *material) component(p Packet) *component {
	id := string([]byte{p.Tag}) + string(p.Body)
	if c, again := m.byContent[id]; again {
		return c
	}
	if m.byContent == nil {
		m.byContent = map[string]*component{}
	}
	c := &component{Packet: p}
	m.byContent[id] = c
	m.components = append(m.components, c)
	return c
}

// newCertificate parses the keys and checks everything that the primary key
// signed.
func newCertificate(m *material) (*Certificate, error) {
	if m.packets > MaxPackets {
		return nil, fmt.Errorf("more than %d packets", MaxPackets)
	}
	primary, err := newKey(m.primary)
	if err != nil {
		return nil, err
	}
	c := &Certificate{Fingerprint: primary.Fingerprint, keys: []*Key{primary}}
	c.stores = slices.Compact(slices.Sorted(slices.Values(m.stores)))
	primary.cert = c
	if err := c.addPrimarySignatures(m.onPrimary); err != nil {
		return nil, err
	}
	if err := c.honourAstray(m.astray); err != nil {
		return nil, err
	}
	for _, comp := range m.components {
		if err := c.addComponent(comp); err != nil {
			return nil, err
		}
	}
	if err := c.placeStrays(); err != nil {
		return nil, err
	}
	c.readForeign(m)
	return c, nil
}

// addComponent takes over what the primary key says of a user ID or subkey. Of a
// user attribute only revocations of the certificate that stray there count: a
// picture says nothing of a key.
func (c *Certificate) addComponent(comp *component) error {
	for _, p := range comp.signatures {
		if err := c.addRevocation(p, comp.Tag); err != nil {
			return err
		}
	}
	switch comp.Tag {
	case TagPublicSubkey:
		return c.addSubkey(comp)
	case TagUserID:
		return c.addUser(comp)
	default:
		return nil
	}
}

// newKey reads a key packet. The fingerprint is made here, of the bytes as they
// are, and must be what go-crypto makes of its parsed form.
func newKey(p Packet) (*Key, error) {
	if len(p.Body) > maxKeyPacket {
		return nil, fmt.Errorf("key packet: %d bytes are more than one may have", len(p.Body))
	}
	parsed, err := parseWith(p.Tag, p.Body)
	if err != nil {
		return nil, fmt.Errorf("key packet: %w", err)
	}
	public, ok := parsed.(*packet.PublicKey)
	if !ok || len(p.Body) < 6 {
		return nil, fmt.Errorf("key packet: %w", errPacket)
	}
	k := &Key{public: public, body: p.Body}
	k.fingerprint = fingerprintOf(p.Body)
	if k.fingerprint == nil || !bytes.Equal(k.fingerprint, public.Fingerprint) {
		return nil, fmt.Errorf("key packet: not written in its one form")
	}
	k.Fingerprint = strings.ToUpper(fmt.Sprintf("%x", k.fingerprint))
	k.keyID = public.KeyId
	k.Algorithm, k.family, k.Bits, k.supported = algorithmOf(public)
	if tooLarge(public, k.Bits) {
		return nil, fmt.Errorf("key packet: %s is larger than a key may be", k.Algorithm)
	}
	return k, nil
}

// addPrimarySignatures takes over direct-key signatures and key revocations.
func (c *Certificate) addPrimarySignatures(packets []Packet) error {
	for _, p := range packets {
		if err := c.addRevocation(p, TagPublicKey); err != nil {
			return err
		}
		s, err := c.ownSignature(p, typeDirectKey)
		if err != nil {
			return err
		}
		if s == nil {
			continue
		}
		good, err := c.checkSelf(s, c.primary().feed)
		if err != nil {
			return err
		}
		if c.counts(s, good) {
			c.direct = append(c.direct, s)
		}
	}
	return nil
}

func (c *Certificate) primary() *Key { return c.keys[0] }

// addUser takes over the self-signatures of a user ID.
func (c *Certificate) addUser(comp *component) error {
	if len(comp.Body) > maxUserID {
		return fmt.Errorf("user ID: %d bytes are more than one may have", len(comp.Body))
	}
	u := &user{}
	feed := feedUser(c.primary(), comp.Body)
	for _, p := range comp.signatures {
		s, err := c.ownSignature(p, typeCertGeneric, typeCertGeneric+1, typeCertGeneric+2, typeCertPositive, typeCertRevocation)
		if err != nil {
			return err
		}
		if s == nil {
			continue
		}
		good, err := c.checkSelf(s, feed)
		switch {
		case err != nil:
			return err
		case s.Type == typeCertRevocation && (good || !s.checkable()):
			u.revoked = append(u.revoked, newRevocation(s, good, userIDReasons))
		case s.Type == typeCertRevocation:
		case c.counts(s, good):
			u.selfs = append(u.selfs, s)
		}
	}
	c.users = append(c.users, u)
	if c.Name == "" && len(u.selfs) > 0 && u.revoked == nil {
		c.Name = strings.ToValidUTF8(string(comp.Body), "\ufffd")
	}
	return nil
}

// addSubkey takes over a subkey with its bindings. One that cannot be parsed
// belongs to an algorithm that is not known; no signature can be by it.
func (c *Certificate) addSubkey(comp *component) error {
	if len(c.keys) == maxKeys {
		return fmt.Errorf("more than %d keys", maxKeys)
	}
	k, _ := newKey(comp.Packet)
	if k == nil || k.public.Version != c.primary().public.Version {
		return nil
	}
	k.cert = c
	feed := feedSubkey(c.primary(), k)
	for _, p := range comp.signatures {
		s, err := c.ownSignature(p, typeSubkeyBinding, typeSubkeyRevocation)
		if err != nil {
			return err
		}
		if s == nil {
			continue
		}
		good, err := c.checkSelf(s, feed)
		switch {
		case err != nil:
			return err
		case s.Type == typeSubkeyRevocation && (good || !s.checkable()):
			k.revoked = append(k.revoked, newRevocation(s, good, keyReasons))
		case s.Type == typeSubkeyRevocation:
			c.strays = append(c.strays, s)
		case !good && s.checkable():
		case !s.checkable():
			k.weakBinding = s.HashName()
		case acceptable(s):
			k.bindings = append(k.bindings, &binding{Signature: s, back: checkBack(s, k, feed)})
		}
	}
	c.keys = append(c.keys, k)
	return nil
}
