package pgpcert

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// Notation is a notation in the signed part of a signature.
type Notation struct {
	// Tag is what stands before the "@" and the domain.
	Tag string
	// Text is the value.
	Text string
}

// readable is the flag of a notation whose value is text.
const readable = 0x80000000

// Notations returns the notations of a domain that are signed, in their order.
// They must be text: it fails with *FormatError for one that is not, or has other
// flags, and for one of any domain whose lengths do not fit. Those of other
// domains are not looked at.
func (s *Signature) Notations(domain string) ([]Notation, error) {
	var list []Notation
	for area := s.hashedArea(); len(area) > 0; {
		size, head := subpacketLength(area)
		sub, rest, ok := take(area[head:], size)
		if head == 0 || size == 0 || !ok {
			return nil, badFormat("a subpacket is cut off")
		}
		area = rest
		if sub[0]&0x7f != subNotation {
			continue
		}
		body := sub[1:]
		if len(body) < 8 {
			return nil, badFormat("a notation is cut off")
		}
		name, value, ok := take(body[8:], uint64(binary.BigEndian.Uint16(body[4:])))
		if !ok || len(value) != int(binary.BigEndian.Uint16(body[6:])) {
			return nil, badFormat("the lengths in a notation are not those of its parts")
		}
		at := strings.LastIndexByte(string(name), '@')
		if at < 0 || !strings.EqualFold(string(name[at+1:]), domain) {
			continue
		}
		if binary.BigEndian.Uint32(body) != readable || !utf8.Valid(value) || string(name[at+1:]) != domain {
			return nil, badFormat("a notation of %s is not made as those are", domain)
		}
		list = append(list, Notation{Tag: string(name[:at]), Text: string(value)})
	}
	return list, nil
}

// hashedArea returns the hashed subpackets: the end of what the value covers,
// before the trailer.
func (s *Signature) hashedArea() []byte {
	head, trailer := 6, 6
	if s.Version == 6 {
		head = 8
	}
	if len(s.suffix) < head+trailer {
		return nil // a version whose subpackets are not read
	}
	return s.suffix[head : len(s.suffix)-trailer]
}
