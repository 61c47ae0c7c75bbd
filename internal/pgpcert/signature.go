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
	TypeBinary            = 0x00
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

	hasLifetime  bool
	keyLifetime  time.Duration
	hasKeyExpiry bool
	keyFlags     []byte
	hasKeyFlags  bool
	designated   [][]byte // fingerprints of designated revokers
	reasons      []byte   // of a revocation
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
