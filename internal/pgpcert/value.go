package pgpcert

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

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
