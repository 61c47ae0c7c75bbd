// Package rsasig checks RSA signatures with the padding of PKCS #1 v1.5, by
// arithmetic that takes less time the simpler the numbers are.
//
// crypto/rsa does the same in time that does not depend on the numbers, and takes
// more than twice as long; checking a signature has no secret to keep. Whatever is
// unusual is left to crypto/rsa. The package makes no signatures, and must not be
// given secret keys.
package rsasig

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"math/big"
)

// digestInfo is what stands before the digest in the padding (RFC 8017, section
// 9.2).
var digestInfo = map[crypto.Hash][]byte{
	crypto.SHA256: {0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 32},
	crypto.SHA384: {0x30, 0x41, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2, 5, 0, 4, 48},
	crypto.SHA512: {0x30, 0x51, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3, 5, 0, 4, 64},
}

// Keys of other sizes in bits, and with larger exponents, are unusual.
const (
	minBits     = 2048
	maxBits     = 8192
	maxExponent = 65537
)

// Verify reports whether value is the signature of a digest under key. The value
// has as many bytes as the modulus.
func Verify(key *rsa.PublicKey, hash crypto.Hash, digest, value []byte) bool {
	if unusual(key, hash, digest) {
		return rsa.VerifyPKCS1v15(key, hash, digest, value) == nil
	}
	size := key.Size()
	signature := new(big.Int).SetBytes(value)
	if len(value) != size || signature.Cmp(key.N) >= 0 {
		return false
	}
	opened := signature.Exp(signature, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, size))
	return bytes.Equal(opened, padded(hash, digest, size))
}

// padded is all that a value has to open to, byte for byte: nothing that it opens
// to is parsed.
func padded(hash crypto.Hash, digest []byte, size int) []byte {
	info := digestInfo[hash]
	out := append(make([]byte, 0, size), 0, 1)
	out = append(out, bytes.Repeat([]byte{0xff}, size-len(info)-len(digest)-3)...)
	out = append(out, 0)
	return append(append(out, info...), digest...)
}

func unusual(key *rsa.PublicKey, hash crypto.Hash, digest []byte) bool {
	return len(digestInfo[hash]) == 0 || len(digest) != hash.Size() ||
		key.E < 3 || key.E&1 == 0 || key.E > maxExponent ||
		key.N.Bit(0) == 0 || key.N.BitLen() < minBits || key.N.BitLen() > maxBits
}
