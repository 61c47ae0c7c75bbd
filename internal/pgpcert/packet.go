package pgpcert

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Tags of the packets that this package, or a caller, tells apart (RFC 9580
// section 5).
const (
	TagPublicKeyEncrypted = 1
	TagSignature          = 2
	TagSymmetricEncrypted = 3
	TagOnePassSignature   = 4
	TagSecretKey          = 5
	TagPublicKey          = 6
	TagSecretSubkey       = 7
	TagCompressed         = 8
	TagEncrypted          = 9
	TagMarker             = 10
	TagLiteral            = 11
	TagTrust              = 12
	TagUserID             = 13
	TagPublicSubkey       = 14
	TagUserAttribute      = 17
	TagEncryptedIntegrity = 18
	TagEncryptedAEAD      = 20
	TagPadding            = 21

	// firstIgnorable is the first tag that a reader may ignore if it does not
	// know it.
	firstIgnorable = 40
)

// errPacket says that bytes are not a packet.
var errPacket = errors.New("not a well-made openpgp packet")

// Packet is one packet with its header taken off.
type Packet struct {
	Tag  byte
	Body []byte // shares memory with what was read
}

// NextPacket takes the first packet off data. Packets of unknown length and in
// parts, which only messages may use, are refused.
func NextPacket(data []byte) (p Packet, rest []byte, err error) {
	p, rest, parts, err := nextPacket(data)
	if err == nil && parts {
		err = fmt.Errorf("%w: its length is not given", errPacket)
	}
	if err != nil {
		return Packet{}, nil, err
	}
	return p, rest, nil
}

// Tags returns the tags of all packets of a message, those in parts included,
// to at most limit.
func Tags(data []byte, limit int) ([]byte, error) {
	var tags []byte
	for len(data) > 0 && len(tags) < limit {
		p, rest, _, err := nextPacket(data)
		if err != nil {
			return tags, err
		}
		tags = append(tags, p.Tag)
		data = rest
	}
	return tags, nil
}

// nextPacket reads a header of either form; parts says that the length is not
// given in it. The body of a packet in parts is left out.
func nextPacket(data []byte) (p Packet, rest []byte, parts bool, err error) {
	if len(data) < 2 || data[0]&0x80 == 0 {
		return p, nil, false, errPacket
	}
	var size uint64
	var head int
	if data[0]&0x40 == 0 { // the old form
		p.Tag = data[0] >> 2 & 0x0f
		switch kind := data[0] & 3; {
		case kind == 3:
			return p, nil, true, nil // to the end of the data
		case len(data) < 1+1<<kind:
			return p, nil, false, errPacket
		case kind == 0:
			size, head = uint64(data[1]), 2
		case kind == 1:
			size, head = uint64(binary.BigEndian.Uint16(data[1:])), 3
		default:
			size, head = uint64(binary.BigEndian.Uint32(data[1:])), 5
		}
	} else {
		p.Tag = data[0] & 0x3f
		size, head, parts = newLength(data[1:])
		if head == 0 {
			return p, nil, false, errPacket
		}
		head++
	}
	body, rest, ok := take(data[head:], size)
	if p.Tag == 0 || !ok {
		return p, nil, false, errPacket
	}
	if parts {
		rest, err = skipParts(rest)
		return p, rest, true, err
	}
	p.Body = body
	return p, rest, false, nil
}

// beginsWith reports whether the first packet says that it is one of that tag, be
// it cut off.
func beginsWith(data []byte, tag byte) bool {
	switch {
	case len(data) == 0 || data[0]&0x80 == 0:
		return false
	case data[0]&0x40 == 0: // the old form
		return data[0]>>2&0x0f == tag
	default:
		return data[0]&0x3f == tag
	}
}

// take splits off the first size bytes; ok is false if there are fewer.
func take(data []byte, size uint64) (taken, rest []byte, ok bool) {
	if size > uint64(len(data)) {
		return nil, nil, false
	}
	return data[:size:size], data[size:], true
}

// newLength reads a length of the new form; head is 0 if it is cut off.
func newLength(data []byte) (size uint64, head int, part bool) {
	switch first := lengthKind(data); first {
	case 1:
		return uint64(data[0]), 1, false
	case 2:
		return uint64(data[0]-192)<<8 + uint64(data[1]) + 192, 2, false
	case 5:
		return uint64(binary.BigEndian.Uint32(data[1:])), 5, false
	case -1:
		return 1 << (data[0] & 0x1f), 1, true
	default:
		return 0, 0, false
	}
}

// lengthKind is the number of octets of a length, -1 for that of a part, 0 if it
// is cut off.
func lengthKind(data []byte) int {
	switch {
	case len(data) >= 1 && data[0] < 192:
		return 1
	case len(data) >= 2 && data[0] < 224:
		return 2
	case len(data) >= 5 && data[0] == 255:
		return 5
	case len(data) >= 1 && data[0] >= 224 && data[0] < 255:
		return -1
	default:
		return 0
	}
}

// skipParts moves over the parts behind the first.
func skipParts(data []byte) ([]byte, error) {
	for {
		size, head, part := newLength(data)
		_, rest, ok := take(data[head:], size)
		if head == 0 || !ok {
			return nil, errPacket
		}
		data = rest
		if !part {
			return data, nil
		}
	}
}

// parseWith has go-crypto parse one packet.
func parseWith(tag byte, body []byte) (packet.Packet, error) {
	buf := make([]byte, 0, len(body)+6)
	buf = append(buf, 0xc0|tag, 0xff)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(body)))
	return packet.Read(bytes.NewReader(append(buf, body...)))
}
