package pgpcert

import (
	"crypto"
	"crypto/dsa" //nolint:staticcheck // to refuse its keys
	"fmt"
	"slices"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// hashFunction is what is known of one hash function.
type hashFunction struct {
	name     string // as in a Hash header
	function crypto.Hash
	strong   bool
}

// hashes are the functions by their number (RFC 9580 section 9.5).
var hashes = map[byte]hashFunction{
	1:  {name: "MD5"},
	2:  {name: "SHA1", function: crypto.SHA1},
	3:  {name: "RIPEMD160"},
	8:  {name: "SHA256", function: crypto.SHA256, strong: true},
	9:  {name: "SHA384", function: crypto.SHA384, strong: true},
	10: {name: "SHA512", function: crypto.SHA512, strong: true},
	11: {name: "SHA224", function: crypto.SHA224},
	12: {name: "SHA3-256", function: crypto.SHA3_256, strong: true},
	14: {name: "SHA3-512", function: crypto.SHA3_512, strong: true},
}

// HashName is the name of the hash function as a Hash header gives it.
func (s *Signature) HashName() string {
	if h, ok := hashes[s.HashID]; ok {
		return h.name
	}
	return fmt.Sprintf("hash-%d", s.HashID)
}

// WeakHash reports whether the hash function is known and not good enough.
func (s *Signature) WeakHash() bool {
	h, known := hashes[s.HashID]
	return known && !h.strong
}

// Sizes of keys in bits. Larger ones could keep a verifier busy for minutes with
// a single certificate.
const (
	MinRSA         = 2048
	RecommendedRSA = 3072
	maxRSA         = 8192
	maxDSA         = 4096
	maxDSAOrder    = 512 // of the subgroup
)

// strength is what is said of a key's algorithm.
type strength int

const (
	unsupportedKey strength = iota
	weakKey
	goodKey
)

// goodCurves are those of RFC 9580 section 9.2 that can sign.
var goodCurves = []packet.Curve{
	packet.CurveNistP256, packet.CurveNistP384, packet.CurveNistP521,
	packet.CurveBrainpoolP256, packet.CurveBrainpoolP384, packet.CurveBrainpoolP512,
}

// algorithmOf names the algorithm of a key and says how good it is.
func algorithmOf(pk *packet.PublicKey) (name string, bits int, s strength) {
	switch pk.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly:
		size, err := pk.BitLength()
		if err != nil {
			return "rsa", 0, unsupportedKey
		}
		if size < MinRSA {
			return fmt.Sprintf("rsa%d", size), int(size), weakKey
		}
		return fmt.Sprintf("rsa%d", size), int(size), goodKey
	case packet.PubKeyAlgoDSA:
		size, err := pk.BitLength()
		if err != nil {
			return "dsa", 0, weakKey
		}
		return fmt.Sprintf("dsa%d", size), int(size), weakKey
	case packet.PubKeyAlgoECDSA:
		curve, err := pk.Curve()
		if err != nil {
			return "ecdsa", 0, unsupportedKey
		}
		if !slices.Contains(goodCurves, curve) {
			return "ecdsa-" + string(curve), 0, unsupportedKey
		}
		return "ecdsa-" + string(curve), 0, goodKey
	case packet.PubKeyAlgoEdDSA:
		curve, err := pk.Curve()
		if err != nil || curve != packet.Curve25519 && curve != packet.Curve448 {
			return "eddsa", 0, unsupportedKey
		}
		if curve == packet.Curve448 {
			return "ed448", 0, goodKey
		}
		return "ed25519", 0, goodKey
	case packet.PubKeyAlgoEd25519:
		return "ed25519", 0, goodKey
	case packet.PubKeyAlgoEd448:
		return "ed448", 0, goodKey
	default:
		return fmt.Sprintf("algorithm-%d", pk.PubKeyAlgo), 0, unsupportedKey
	}
}

// tooLarge reports whether checks under a key would cost too much time.
func tooLarge(pk *packet.PublicKey, bits int) bool {
	if numbers, ok := pk.PublicKey.(*dsa.PublicKey); ok {
		return bits > maxDSA || numbers.Q.BitLen() > maxDSAOrder
	}
	return bits > maxRSA
}
