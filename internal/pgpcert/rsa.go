package pgpcert

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"math/big"
)

// digestInfo is what stands before the digest in the padding of an RSA signature
// (RFC 8017, section 9.2).
var digestInfo = map[crypto.Hash][]byte{
	crypto.SHA256: {0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 32},
	crypto.SHA384: {0x30, 0x41, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2, 5, 0, 4, 48},
	crypto.SHA512: {0x30, 0x51, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3, 5, 0, 4, 64},
}

// verifyRSA checks a signature with the padding of PKCS #1 v1.5. It makes all of
// what the value has to open to, and compares; nothing in the value is parsed.
// crypto/rsa does the same in time that does not depend on the numbers, which
// takes more than twice as long, and there is no secret here. Keys and digests
// that are in any way unusual are left to it: known is false.
func verifyRSA(key *rsa.PublicKey, hash crypto.Hash, digest, value []byte) (valid, known bool) {
	info, size := digestInfo[hash], key.Size()
	if len(info) == 0 || len(digest) != hash.Size() || key.E < 3 || key.E&1 == 0 || key.N.Bit(0) == 0 ||
		key.N.BitLen() < 2048 || key.N.BitLen() > maxRSA {
		return false, false
	}
	signature := new(big.Int).SetBytes(value)
	if len(value) > size || signature.Cmp(key.N) >= 0 {
		return false, true
	}
	opened := signature.Exp(signature, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, size))
	want := append(make([]byte, 0, size), 0, 1)
	want = append(want, bytes.Repeat([]byte{0xff}, size-len(info)-len(digest)-3)...)
	want = append(append(append(want, 0), info...), digest...)
	return bytes.Equal(opened, want), true
}
