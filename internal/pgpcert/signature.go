package pgpcert

import (
	"bytes"
	"crypto"
	_ "crypto/sha3" // makes SHA3-256 and SHA3-512 known to package crypto
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Signature types (RFC 9580 section 5.2.1).
const (
	TypeText              = 0x01
	typeCertGeneric       = 0x10
	typeCertPositive      = 0x13
	typeSubkeyBinding     = 0x18
	typePrimaryKeyBinding = 0x19
	typeDirectKey         = 0x1f
	typeKeyRevocation     = 0x20
	typeSubkeyRevocation  = 0x28
	typeCertRevocation    = 0x30
)

// Subpacket types that are looked at.
const (
	subCreated       = 2
	subSigExpires    = 3
	subKeyExpires    = 9
	subRevocationKey = 12
	subIssuer        = 16
	subNotation      = 20
	subKeyFlags      = 27
	subSignerUserID  = 28
	subEmbedded      = 32
	subIssuerFpr     = 33
)

// Limits of a signature packet.
const (
	MaxSubpackets = 128
	maxEmbedded   = 4
	maxMPI        = 16 << 10 // bits
)

// FormatError says that a packet is not made as OpenPGP demands.
type FormatError struct{ Msg string }

func (e *FormatError) Error() string { return e.Msg }

func badFormat(format string, args ...any) *FormatError {
	return &FormatError{fmt.Sprintf(format, args...)}
}

// Issuer is a key that a signature names as its maker: a fingerprint, or only a
// key ID.
type Issuer struct {
	Fingerprint []byte // nil if only the key ID is given
	KeyID       uint64
}

// Signature is a signature packet, read strictly and judged by nobody yet.
type Signature struct {
	Version   int
	Type      byte
	Algorithm byte // public key algorithm
	HashID    byte
	// Hash is 0 for a function that is not known.
	Hash crypto.Hash
	// Created is the hashed creation time; zero if there is none.
	Created time.Time
	// Lifetime is how long the signature itself is good for; 0 for ever.
	Lifetime time.Duration
	// Issuers are all keys that the packet names, hashed or not.
	Issuers []Issuer
	// Unsupported says why the signature cannot be checked; "" if it can.
	Unsupported string

	keyLifetime  time.Duration
	hasKeyExpiry bool
	keyFlags     []byte
	hasKeyFlags  bool
	designated   [][]byte // fingerprints of designated revokers
	embedded     []*Signature
	hasEmbedded  bool
	critical     []byte // types of the critical subpackets
	repeated     byte   // a type that must not come twice and does; 0 for none

	tag    [2]byte
	suffix []byte
	value  []byte            // what is behind the hash tag
	maths  *packet.Signature // nil if the signature cannot be checked
}

// ParseSignature reads the body of a signature packet. It fails with
// *FormatError; a signature of a kind that cannot be checked is no error but has
// Unsupported set.
func ParseSignature(body []byte) (*Signature, error) {
	s, err := parseHead(body, false)
	if err != nil {
		return nil, err
	}
	return s, s.readValue()
}

// parseHead reads all but the signature's value.
func parseHead(body []byte, nested bool) (*Signature, error) {
	if len(body) == 0 {
		return nil, badFormat("an empty signature packet")
	}
	s := &Signature{Version: int(body[0])}
	counter := 2 // octets of each length
	switch s.Version {
	case 4:
	case 6:
		counter = 4
	default:
		s.Unsupported = fmt.Sprintf("a signature of version %d", s.Version)
		s.Type = claimedType(body)
		if s.Version == 3 && len(body) >= 15 {
			s.Issuers = []Issuer{{KeyID: binary.BigEndian.Uint64(body[7:])}}
		}
		return s, nil
	}
	if len(body) < 4 {
		return nil, badFormat("the signature packet is cut off")
	}
	s.Type, s.Algorithm, s.HashID = body[1], body[2], body[3]
	s.Hash = hashes[s.HashID].function
	hashed, rest, err := takeCounted(body[4:], counter)
	if err != nil {
		return nil, err
	}
	covered := body[:4+counter+len(hashed)]
	unhashed, rest, err := takeCounted(rest, counter)
	if err != nil {
		return nil, err
	}
	if len(rest) < 2 {
		return nil, badFormat("the signature packet is cut off")
	}
	s.tag = [2]byte(rest)
	s.suffix = append(bytes.Clone(covered), body[0], 0xff)
	s.suffix = binary.BigEndian.AppendUint32(s.suffix, uint32(len(covered)))
	if err := s.readSubpackets(hashed, true, nested); err != nil {
		return nil, err
	}
	if err := s.readSubpackets(unhashed, false, nested); err != nil {
		return nil, err
	}
	s.value = rest[2:]
	return s, nil
}

func takeCounted(data []byte, counter int) (area, rest []byte, err error) {
	if len(data) < counter {
		return nil, nil, badFormat("the signature packet is cut off")
	}
	var size uint64
	for _, b := range data[:counter] {
		size = size<<8 | uint64(b)
	}
	area, rest, ok := take(data[counter:], size)
	if !ok {
		return nil, nil, badFormat("the subpackets reach beyond the signature packet")
	}
	return area, rest, nil
}

// readSubpackets reads one of the two areas. Of the unhashed one only the
// issuers and embedded signatures count: they prove themselves.
func (s *Signature) readSubpackets(area []byte, hashed, nested bool) error {
	for count := 0; len(area) > 0; count++ {
		size, head := subpacketLength(area)
		sub, rest, ok := take(area[head:], size)
		if head == 0 || size == 0 || !ok {
			return badFormat("a subpacket is cut off")
		}
		if count == MaxSubpackets {
			return badFormat("more than %d subpackets", MaxSubpackets)
		}
		area = rest
		kind, body := sub[0]&0x7f, sub[1:]
		if sub[0]&0x80 != 0 {
			s.critical = append(s.critical, kind)
		}
		if err := s.readSubpacket(kind, body, hashed, nested); err != nil {
			return err
		}
	}
	return nil
}

// subpacketLength reads a length, in which, unlike in a packet's, all values
// from 192 to 254 take two octets.
func subpacketLength(data []byte) (size uint64, head int) {
	switch {
	case data[0] < 192:
		return uint64(data[0]), 1
	case data[0] < 255 && len(data) >= 2:
		return uint64(data[0]-192)<<8 + uint64(data[1]) + 192, 2
	case data[0] == 255 && len(data) >= 5:
		return uint64(binary.BigEndian.Uint32(data[1:])), 5
	default:
		return 0, 0
	}
}

func (s *Signature) readSubpacket(kind byte, body []byte, hashed, nested bool) error {
	switch kind {
	case subIssuer:
		if len(body) != 8 {
			return badFormat("an issuer key ID of %d bytes", len(body))
		}
		s.Issuers = append(s.Issuers, Issuer{KeyID: binary.BigEndian.Uint64(body)})
		return nil
	case subIssuerFpr:
		return s.readIssuerFingerprint(body)
	case subEmbedded:
		s.hasEmbedded = true
		if nested || len(s.embedded) == maxEmbedded {
			return badFormat("embedded signatures inside each other, or too many of them")
		}
		inner, err := parseHead(body, true)
		if err == nil {
			err = inner.readValue()
		}
		if err != nil {
			return fmt.Errorf("embedded signature: %w", err)
		}
		s.embedded = append(s.embedded, inner)
		return nil
	}
	if hashed {
		return s.readHashed(kind, body)
	}
	return nil
}

func (s *Signature) readIssuerFingerprint(body []byte) error {
	switch {
	case len(body) == 21 && body[0] == 4:
		s.Issuers = append(s.Issuers, Issuer{Fingerprint: body[1:], KeyID: binary.BigEndian.Uint64(body[13:])})
	case len(body) == 33 && (body[0] == 5 || body[0] == 6):
		s.Issuers = append(s.Issuers, Issuer{Fingerprint: body[1:], KeyID: binary.BigEndian.Uint64(body[1:])})
	default:
		return badFormat("an issuer fingerprint of %d bytes", len(body))
	}
	return nil
}

// readHashed reads a subpacket that counts only where it is hashed.
func (s *Signature) readHashed(kind byte, body []byte) error {
	var again bool
	switch kind {
	case subCreated, subSigExpires, subKeyExpires:
		if len(body) != 4 {
			return badFormat("a time of %d bytes", len(body))
		}
		seconds := binary.BigEndian.Uint32(body)
		switch kind {
		case subCreated:
			again = !s.Created.IsZero()
			s.Created = time.Unix(int64(seconds), 0).UTC()
		case subSigExpires:
			again = s.Lifetime != 0
			s.Lifetime = time.Duration(seconds) * time.Second
		case subKeyExpires:
			again = s.hasKeyExpiry
			s.hasKeyExpiry, s.keyLifetime = true, time.Duration(seconds)*time.Second
		}
	case subKeyFlags:
		again = s.hasKeyFlags
		s.hasKeyFlags, s.keyFlags = true, body
	case subRevocationKey:
		if len(body) == 22 {
			s.designated = append(s.designated, body[2:])
		}
	}
	if again {
		s.repeated = kind
	}
	return nil
}

// readValue reads what is behind the hash tag, exactly to the end, and has
// go-crypto make its own form of it. go-crypto does not see the subpackets: it
// has its own mind about some, and only the mathematics are its business.
func (s *Signature) readValue() error {
	if s.Unsupported != "" {
		return nil
	}
	rest := s.value
	var salt []byte
	if s.Version == 6 {
		if len(rest) == 0 || len(rest) < 1+int(rest[0]) {
			return badFormat("the salt is cut off")
		}
		salt = rest[:1+int(rest[0])]
		rest = rest[len(salt):]
	}
	if s.Hash == 0 {
		s.Unsupported = "the hash function " + s.HashName()
		return nil
	}
	shape, known := valueShapes[s.Algorithm]
	if !known {
		s.Unsupported = fmt.Sprintf("the public key algorithm %d", s.Algorithm)
		return nil
	}
	if err := shape.check(rest); err != nil {
		return err
	}
	// One hashed subpacket, the creation time, and no unhashed ones.
	head, none := []byte{4, s.Type, s.Algorithm, s.HashID, 0, 6}, []byte{0, 0}
	if s.Version == 6 {
		head, none = []byte{6, s.Type, s.Algorithm, s.HashID, 0, 0, 0, 6}, []byte{0, 0, 0, 0}
	}
	bare := slices.Concat(head, []byte{5, subCreated, 0, 0, 0, 0}, none, s.tag[:], salt, rest)
	parsed, err := parseWith(TagSignature, bare)
	if err != nil {
		return badFormat("the signature's value: %v", err)
	}
	maths, ok := parsed.(*packet.Signature)
	if !ok {
		return badFormat("the signature's value cannot be read")
	}
	maths.HashSuffix = s.suffix
	s.maths = maths
	return nil
}

// valueShape is the form of a signature's value: a number of MPIs, or a number
// of bytes.
type valueShape struct{ mpis, bytes int }

var valueShapes = map[byte]valueShape{
	byte(packet.PubKeyAlgoRSA):         {mpis: 1},
	byte(packet.PubKeyAlgoRSASignOnly): {mpis: 1},
	byte(packet.PubKeyAlgoDSA):         {mpis: 2},
	byte(packet.PubKeyAlgoECDSA):       {mpis: 2},
	byte(packet.PubKeyAlgoEdDSA):       {mpis: 2},
	byte(packet.PubKeyAlgoEd25519):     {bytes: 64},
	byte(packet.PubKeyAlgoEd448):       {bytes: 114},
}

// check demands that nothing follows the value, and that each MPI is written in
// the one form that is right.
func (v valueShape) check(rest []byte) error {
	for range v.mpis {
		if len(rest) < 2 {
			return badFormat("the signature's value is cut off")
		}
		bits := int(binary.BigEndian.Uint16(rest))
		size := (bits + 7) / 8
		if bits > maxMPI || len(rest) < 2+size {
			return badFormat("a number in the signature's value is cut off or too large")
		}
		if size > 0 && bitLength(rest[2]) != (bits-1)%8+1 {
			return badFormat("a number in the signature's value is not written in its one form")
		}
		rest = rest[2+size:]
	}
	if len(rest) != v.bytes {
		return badFormat("the signature's value has the wrong length")
	}
	return nil
}

func bitLength(b byte) (n int) {
	for ; b != 0; b >>= 1 {
		n++
	}
	return n
}

// NewHash returns the hash function, with the salt of a version 6 signature
// already in it.
func (s *Signature) NewHash() (hash.Hash, error) {
	if s.maths == nil {
		return nil, errors.New("the signature cannot be checked: " + s.Unsupported)
	}
	return s.maths.PrepareVerify()
}

// Salted reports whether no other signature shares its hash.
func (s *Signature) Salted() bool { return s.Version == 6 }

// names reports whether one of the issuers is k, and none is another key.
func (s *Signature) names(k *Key) bool {
	for _, i := range s.Issuers {
		if i.KeyID != k.keyID || i.Fingerprint != nil && !bytes.Equal(i.Fingerprint, k.fingerprint) {
			return false
		}
	}
	return len(s.Issuers) > 0
}

// unknownCritical returns the type of a critical subpacket that is not among the
// given ones; 0 for none.
func (s *Signature) unknownCritical(known []byte) byte {
	for _, kind := range s.critical {
		if !slices.Contains(known, kind) {
			return kind
		}
	}
	return 0
}
