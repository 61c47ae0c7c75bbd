package pgpcert

import (
	"crypto"
	"crypto/dsa" //nolint:staticcheck // to refuse its keys
	"fmt"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// hashFunction is what is known of one hash function.
type hashFunction struct {
	name     string      // as in a Hash header
	function crypto.Hash // 0 for one that is not computed here
}

// hashes are the functions by their number (RFC 9580 section 9.5). Which of them
// are good enough is in the table of cutoff.go.
var hashes = map[byte]hashFunction{
	1:  {name: "MD5"},
	2:  {name: sha1Name, function: crypto.SHA1},
	3:  {name: "RIPEMD160"},
	8:  {name: "SHA256", function: crypto.SHA256},
	9:  {name: "SHA384", function: crypto.SHA384},
	10: {name: "SHA512", function: crypto.SHA512},
	11: {name: "SHA224", function: crypto.SHA224},
	12: {name: "SHA3-256", function: crypto.SHA3_256},
	14: {name: "SHA3-512", function: crypto.SHA3_512},
}

// HashName is the name of the hash function as a Hash header gives it.
func (s *Signature) HashName() string {
	if h, ok := hashes[s.HashID]; ok {
		return h.name
	}
	return fmt.Sprintf("hash-%d", s.HashID)
}

// Sizes of keys in bits. Larger ones could keep a verifier busy for minutes with
// a single certificate.
const (
	maxRSA      = 8192
	maxDSA      = 4096
	maxDSAOrder = 512 // of the subgroup
)

// goodCurves are those of RFC 9580 section 9.2 that can sign.
var goodCurves = []packet.Curve{
	packet.CurveNistP256, packet.CurveNistP384, packet.CurveNistP521,
	packet.CurveBrainpoolP256, packet.CurveBrainpoolP384, packet.CurveBrainpoolP512,
}

// algorithmOf names the algorithm of a key, in the words of cms.KeyAlgorithm, and its
// family where cutoff.go has one of that name; supported says whether signatures by
// it can be checked.
func algorithmOf(pk *packet.PublicKey) (name, family string, bits int, supported bool) {
	switch pk.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly:
		name, bits, supported = sized(rsaName, pk)
		return name, rsaName, bits, supported
	case packet.PubKeyAlgoDSA:
		name, bits, supported = sized(dsaName, pk)
		return name, dsaName, bits, supported
	case packet.PubKeyAlgoECDSA:
		curve, err := pk.Curve()
		if err != nil {
			return "ecdsa", "", 0, false
		}
		return "ecdsa-" + strings.ToLower(string(curve)), "", 0, slices.Contains(goodCurves, curve)
	case packet.PubKeyAlgoEdDSA:
		curve, err := pk.Curve()
		switch {
		case err == nil && curve == packet.Curve448:
			return "ed448", "", 0, true
		case err == nil && curve == packet.Curve25519:
			return "ed25519", "", 0, true
		}
		return "eddsa", "", 0, false
	case packet.PubKeyAlgoEd25519:
		return "ed25519", "", 0, true
	case packet.PubKeyAlgoEd448:
		return "ed448", "", 0, true
	default:
		return fmt.Sprintf("algorithm-%d", pk.PubKeyAlgo), "", 0, false
	}
}

// sized names a key whose strength is its size.
func sized(family string, pk *packet.PublicKey) (name string, bits int, supported bool) {
	size, err := pk.BitLength()
	if err != nil {
		return family, 0, false
	}
	return fmt.Sprintf("%s%d", family, size), int(size), true
}

// tooLarge reports whether checks under a key would cost too much time.
func tooLarge(pk *packet.PublicKey, bits int) bool {
	if numbers, ok := pk.PublicKey.(*dsa.PublicKey); ok {
		return bits > maxDSA || numbers.Q.BitLen() > maxDSAOrder
	}
	return bits > maxRSA
}
