package pgpcert

import (
	"encoding/binary"
	"fmt"
	"time"
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
	subReason        = 29
	subEmbedded      = 32
	subIssuerFpr     = 33
)

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
			again = s.hasLifetime
			s.hasLifetime, s.Lifetime = true, time.Duration(seconds)*time.Second
		case subKeyExpires:
			again = s.hasKeyExpiry
			s.hasKeyExpiry, s.keyLifetime = true, time.Duration(seconds)*time.Second
		}
	case subKeyFlags:
		again = s.hasKeyFlags
		s.hasKeyFlags, s.keyFlags = true, body
	case subReason:
		if len(body) > 0 {
			s.reasons = append(s.reasons, body[0])
		}
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
