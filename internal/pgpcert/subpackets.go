package pgpcert

import (
	"time"
)

// Created is when the key was made, in its own words.
func (k *Key) Created() time.Time { return k.public.CreationTime }

// Version is that of the key packet.
func (k *Key) Version() int { return k.public.Version }

// Subpacket is one statement of a signature packet.
type Subpacket struct {
	Kind     byte // without the critical bit
	Critical bool
	Body     []byte // shares memory with what was read
}

// Subpackets lists what the body of a signature packet of version 4 says, in its
// order, for those who must know all of it. It fails with *FormatError.
func Subpackets(body []byte) (hashed, unhashed []Subpacket, err error) {
	if len(body) < 4 || body[0] != 4 {
		return nil, nil, badFormat("not a signature packet of version 4")
	}
	area, rest, err := takeCounted(body[4:], 2)
	if err != nil {
		return nil, nil, err
	}
	if hashed, err = subpackets(area); err != nil {
		return nil, nil, err
	}
	if area, _, err = takeCounted(rest, 2); err != nil {
		return nil, nil, err
	}
	unhashed, err = subpackets(area)
	return hashed, unhashed, err
}

func subpackets(area []byte) ([]Subpacket, error) {
	var all []Subpacket
	for len(area) > 0 {
		sub, rest, err := nextSubpacket(area)
		if err != nil {
			return nil, err
		}
		if len(all) == MaxSubpackets {
			return nil, badFormat("more than %d subpackets", MaxSubpackets)
		}
		all = append(all, sub)
		area = rest
	}
	return all, nil
}

// nextSubpacket takes the first subpacket off an area.
func nextSubpacket(area []byte) (sub Subpacket, rest []byte, err error) {
	size, head := subpacketLength(area)
	data, rest, ok := take(area[head:], size)
	if head == 0 || size == 0 || !ok {
		return Subpacket{}, nil, badFormat("a subpacket is cut off")
	}
	return Subpacket{Kind: data[0] & 0x7f, Critical: data[0]&0x80 != 0, Body: data[1:]}, rest, nil
}
