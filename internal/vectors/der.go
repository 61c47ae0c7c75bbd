package vectors

import (
	"crypto"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// TLV encodes one element in DER; its body are the parts, one behind the other.
func TLV(tag byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	switch n := len(body); {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, body...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, body...)
	case n < 0x10000:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, body...)
	default:
		return append([]byte{tag, 0x83, byte(n >> 16), byte(n >> 8), byte(n)}, body...)
	}
}

// Body returns the contents of one element of DER, without its tag and length.
func Body(element []byte) []byte {
	if element[1] < 0x80 {
		return element[2:]
	}
	return element[2+element[1]&0x7F:]
}

// Seq is a SEQUENCE.
func Seq(parts ...[]byte) []byte { return TLV(0x30, parts...) }

// Set is a SET of the parts, in the order in which they are given.
func Set(parts ...[]byte) []byte { return TLV(0x31, parts...) }

// SortedSet is a SET in the order of DER.
func SortedSet(parts ...[]byte) []byte {
	parts = slices.Clone(parts)
	slices.SortFunc(parts, slices.Compare)
	return Set(parts...)
}

// Context is a constructed element with the context tag n.
func Context(n byte, parts ...[]byte) []byte { return TLV(0xA0|n, parts...) }

// Octets is an OCTET STRING.
func Octets(b []byte) []byte { return TLV(0x04, b) }

// Null is NULL.
func Null() []byte { return TLV(0x05) }

// Int is an INTEGER that is not negative.
func Int(n int64) []byte { return BigInt(big.NewInt(n)) }

// BigInt is an INTEGER that is not negative.
func BigInt(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) == 0 || b[0] >= 0x80 {
		b = append([]byte{0}, b...)
	}
	return TLV(0x02, b)
}

// OID is an OBJECT IDENTIFIER, given in dots.
func OID(dotted string) []byte {
	var arcs []uint64
	for _, s := range strings.Split(dotted, ".") {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			panic(err)
		}
		arcs = append(arcs, n)
	}
	arcs = slices.Replace(arcs, 0, 2, 40*arcs[0]+arcs[1])
	var body []byte
	for _, n := range arcs {
		last := len(body)
		body = append(body, byte(n&0x7F))
		for n >>= 7; n > 0; n >>= 7 {
			body = slices.Insert(body, last, byte(0x80|n&0x7F))
		}
	}
	return TLV(0x06, body)
}

// UTCTime is a time in whole seconds.
func UTCTime(at time.Time) []byte { return TLV(0x17, []byte(at.UTC().Format("060102150405Z"))) }

// GeneralizedTime is a time in whole seconds.
func GeneralizedTime(at time.Time) []byte {
	return TLV(0x18, []byte(at.UTC().Format("20060102150405Z")))
}

// DigestAlgorithm is the AlgorithmIdentifier of a digest, with NULL.
func DigestAlgorithm(h crypto.Hash) []byte { return Seq(OID(digestOIDs[h]), Null()) }

// DigestInfo is an AlgorithmIdentifier with a digest.
func DigestInfo(h crypto.Hash, sum []byte) []byte { return Seq(DigestAlgorithm(h), Octets(sum)) }

// Attribute is one attribute of a signer.
func Attribute(oid string, values ...[]byte) []byte { return Seq(OID(oid), Set(values...)) }

// BER turns elements of DER into the indefinite length of BER, down to depth.
func BER(element []byte, depth int) []byte {
	if depth == 0 || element[0]&0x20 == 0 {
		return element
	}
	out := []byte{element[0], 0x80}
	for _, part := range Split(Body(element)) {
		out = append(out, BER(part, depth-1)...)
	}
	return append(out, 0, 0)
}

// Split returns the elements that stand one behind the other in a body.
func Split(body []byte) [][]byte {
	var parts [][]byte
	for len(body) > 0 {
		rest := after(body)
		parts = append(parts, body[:len(body)-len(rest)])
		body = rest
	}
	return parts
}

// after returns what follows the first element.
func after(b []byte) []byte {
	n, head := int(b[1]), 2
	if b[1] >= 0x80 {
		n, head = 0, 2+int(b[1]&0x7F)
		for _, c := range b[2:head] {
			n = n<<8 | int(c)
		}
	}
	return b[head+n:]
}
