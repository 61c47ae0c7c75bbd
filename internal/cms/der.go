package cms

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// Universal and context-specific tags as they stand on the wire, with the bit
// for constructed encodings.
const (
	tagBoolean     = 0x01
	tagInteger     = 0x02
	tagBitString   = 0x03
	tagOctetString = 0x04
	tagNull        = 0x05
	tagOID         = 0x06
	tagEnumerated  = 0x0A
	tagUTCTime     = 0x17
	tagGenTime     = 0x18
	tagSequence    = 0x30
	tagSet         = 0x31
	tagContext0    = 0xA0
	tagContext1    = 0xA1
	tagContext2    = 0xA2
)

// element is one tag-length-value. Only walk makes sure that its form is DER, so
// the functions here are for bytes that walk has seen.
type element struct {
	tag  byte
	full []byte // tag and length included
	body []byte
}

// walk checks that der is exactly one DER element, all the way down: lengths
// definite and minimal, low tag numbers, constructed only where DER says so,
// primitive values in their one form. It looks at each byte once and never
// deeper than MaxDepth.
func walk(der []byte) error { return walkUpTo(der, MaxSize) }

func walkUpTo(der []byte, limit int) error {
	if len(der) > limit {
		return malformed(0, "%d bytes, the limit is %d", len(der), limit)
	}
	e, err := header(der, 0)
	if err != nil {
		return err
	}
	if len(e.full) < len(der) {
		return &Error{Code: CodeTrailing, Offset: len(e.full), Msg: fmt.Sprintf("%d bytes follow the signature", len(der)-len(e.full))}
	}
	return walkElement(e, 0, 1)
}

func walkElement(e element, at, depth int) error {
	if depth > MaxDepth {
		return malformed(at, "nested deeper than %d", MaxDepth)
	}
	if e.tag&0x20 == 0 {
		return checkPrimitive(e, at)
	}
	if e.tag&0xC0 == 0 && e.tag != tagSequence && e.tag != tagSet {
		return malformed(at, "tag %#02x is constructed, which is not DER", e.tag)
	}
	for at += len(e.full) - len(e.body); len(e.body) > 0; {
		child, err := header(e.body, at)
		if err != nil {
			return err
		}
		if err := walkElement(child, at, depth+1); err != nil {
			return err
		}
		e.body = e.body[len(child.full):]
		at += len(child.full)
	}
	return nil
}

// header reads the tag and the length that b begins with; at is for messages.
func header(b []byte, at int) (element, error) {
	if len(b) < 2 {
		return element{}, malformed(at, "cut off")
	}
	tag, n, skip := b[0], int(b[1]), 2
	if tag&0x1F == 0x1F || tag == 0 {
		return element{}, malformed(at, "tag %#02x is not used in a signature", tag)
	}
	if n >= 0x80 {
		count := n & 0x7F
		if count == 0 {
			return element{}, malformed(at, "indefinite length: BER, not DER")
		}
		if count > 3 || len(b) < 2+count {
			return element{}, malformed(at, "a length beyond the end")
		}
		n = 0
		for _, c := range b[2 : 2+count] {
			n = n<<8 | int(c)
		}
		if n < 0x80 || n>>(8*(count-1)) == 0 {
			return element{}, malformed(at, "a length in more bytes than needed: BER, not DER")
		}
		skip += count
	}
	if n > len(b)-skip {
		return element{}, malformed(at, "a length beyond the end")
	}
	return element{tag: tag, full: b[:skip+n], body: b[skip : skip+n]}, nil
}

func checkPrimitive(e element, at int) error {
	b := e.body
	if e.tag >= 0x80 {
		return nil // context-specific: what it holds depends on where it stands
	}
	switch e.tag {
	case tagBoolean:
		if len(b) != 1 || b[0] != 0 && b[0] != 0xFF {
			return malformed(at, "a BOOLEAN that is neither 00 nor FF")
		}
	case tagInteger, tagEnumerated:
		if len(b) == 0 || len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xFF && b[1] >= 0x80) {
			return malformed(at, "an INTEGER that is empty or padded")
		}
	case tagBitString:
		if len(b) == 0 || b[0] > 7 || len(b) == 1 && b[0] != 0 || b[len(b)-1]&(1<<b[0]-1) != 0 && len(b) > 1 {
			return malformed(at, "a BIT STRING with bad unused bits")
		}
	case tagNull:
		if len(b) != 0 {
			return malformed(at, "a NULL with a value")
		}
	case tagOID:
		if _, ok := parseOID(b); !ok {
			return malformed(at, "an OBJECT IDENTIFIER that is not well formed")
		}
	case tagOctetString, 0x0C, 0x12, 0x13, 0x14, 0x16, tagUTCTime, tagGenTime, 0x1A, 0x1B, 0x1C, 0x1E:
	default:
		return malformed(at, "tag %#02x is not used in a signature", e.tag)
	}
	return nil
}

// OID is an object identifier in dotted form.
type OID string

func parseOID(b []byte) (OID, bool) {
	if len(b) == 0 || b[len(b)-1]&0x80 != 0 {
		return "", false
	}
	var s strings.Builder
	var arc uint64
	start := true
	for i, c := range b {
		arc = arc<<7 | uint64(c&0x7F)
		// encoding/asn1, with which the second opinion reads, knows no larger ones.
		if start && c == 0x80 || arc > math.MaxInt32 {
			return "", false
		}
		start = c&0x80 == 0
		if !start {
			continue
		}
		if i == 0 || s.Len() == 0 {
			first := min(arc/40, 2)
			s.WriteString(strconv.FormatUint(first, 10))
			arc -= 40 * first
		}
		s.WriteByte('.')
		s.WriteString(strconv.FormatUint(arc, 10))
		arc = 0
	}
	return OID(s.String()), true
}

// reader takes the elements of a sequence one after the other. After the first
// surprise it only hands out empty elements; err says what it was.
type reader struct {
	rest []byte
	err  error
}

func read(b []byte) *reader { return &reader{rest: b} }

// next takes an element of the given tag.
func (r *reader) next(tag byte, what string) element {
	if r.err == nil && !r.at(tag) {
		r.err = malformed(0, "%s is missing or of the wrong type", what)
	}
	if r.err != nil {
		return element{}
	}
	return r.any()
}

// any takes the next element, whatever it is; the caller knows that there is one.
func (r *reader) any() element {
	e, err := header(r.rest, 0)
	if err != nil {
		r.err = err
		r.rest = nil
		return element{}
	}
	r.rest = r.rest[len(e.full):]
	return e
}

// at reports whether an element of the given tag comes next.
func (r *reader) at(tag byte) bool { return r.err == nil && len(r.rest) > 0 && r.rest[0] == tag }

// more reports whether anything is left.
func (r *reader) more() bool { return r.err == nil && len(r.rest) > 0 }

// end checks that nothing is left, and returns the first surprise.
func (r *reader) end(what string) error {
	if r.err == nil && len(r.rest) > 0 {
		r.err = malformed(0, "%s has more fields than it may", what)
	}
	return r.err
}

func (r *reader) oid(what string) OID {
	id, _ := parseOID(r.next(tagOID, what).body)
	return id
}

// small reads an INTEGER of at most four bytes.
func (r *reader) small(what string) int {
	b := r.next(tagInteger, what).body
	if len(b) > 4 {
		r.err = malformed(0, "%s is out of range", what)
	}
	if r.err != nil {
		return 0
	}
	return int(signed(b).Int64())
}

// signed is the value of an INTEGER's bytes.
func signed(b []byte) *big.Int {
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return v
}

// parseTime reads a UTCTime or GeneralizedTime in the one form of DER.
func parseTime(e element) (time.Time, bool) {
	layout := "060102150405Z"
	if e.tag == tagGenTime {
		layout = "20060102150405Z"
	} else if e.tag != tagUTCTime {
		return time.Time{}, false
	}
	at, err := time.Parse(layout, string(e.body))
	if err != nil || at.Format(layout) != string(e.body) {
		return time.Time{}, false
	}
	if e.tag == tagUTCTime && at.Year() >= 2050 { // RFC 5280, 4.1.2.5.1
		at = at.AddDate(-100, 0, 0)
	}
	return at, true
}
