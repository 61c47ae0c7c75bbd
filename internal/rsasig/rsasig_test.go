package rsasig

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math/big"
	"testing"
)

// TestVerifyAgreesWithTheStandardLibrary: over good values, and over values
// that are made to look good.
func TestVerifyAgreesWithTheStandardLibrary(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	size := key.Size()
	encrypt := func(padded []byte) []byte { // with the secret key, whatever the padding is
		return new(big.Int).Exp(new(big.Int).SetBytes(padded), key.D, key.N).FillBytes(make([]byte, size))
	}
	for hash, info := range digestInfo {
		digest := bytes.Repeat([]byte{7}, hash.Size())
		signed, err := rsa.SignPKCS1v15(nil, key, hash, digest)
		if err != nil {
			t.Fatal(err)
		}
		ones := func(n int) []byte { return bytes.Repeat([]byte{0xff}, n) }
		rest := size - 3 - len(info) - len(digest)
		join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
		withoutNull := bytes.Clone(info) // the parameters may not be left out
		withoutNull = append(withoutNull[:len(info)-4], withoutNull[len(info)-2:]...)
		withoutNull[1] -= 2
		withoutNull[3] -= 2
		cases := map[string]struct {
			value []byte
			valid bool
		}{
			"the value":                 {signed, true},
			"made by hand":              {encrypt(join([]byte{0, 1}, ones(rest), []byte{0}, info, digest)), true},
			"short padding, junk after": {encrypt(join([]byte{0, 1}, ones(8), []byte{0}, info, digest, make([]byte, rest-8))), false},
			"another padding":           {encrypt(join([]byte{0, 2}, ones(rest), []byte{0}, info, digest)), false},
			"a hole in the padding":     {encrypt(join([]byte{0, 1}, ones(rest-1), []byte{0, 0}, info, digest)), false},
			"no digest info":            {encrypt(join([]byte{0, 1}, ones(rest+len(info)), []byte{0}, digest)), false},
			"parameters left out":       {encrypt(join([]byte{0, 1}, ones(rest+2), []byte{0}, withoutNull, digest)), false},
			"another digest":            {encrypt(join([]byte{0, 1}, ones(rest), []byte{0}, info, bytes.Repeat([]byte{8}, hash.Size()))), false},
			"nothing":                   {nil, false},
			"zero":                      {make([]byte, size), false},
			"one":                       {append(make([]byte, size-1), 1), false},
			"the modulus":               {key.N.Bytes(), false},
			"the value and the modulus": {new(big.Int).Add(new(big.Int).SetBytes(signed), key.N).Bytes(), false},
			"a zero in front":           {append([]byte{0}, signed...), false},
		}
		for i := range size {
			changed := bytes.Clone(signed)
			changed[i] ^= 1 << (i % 8)
			cases[fmt.Sprintf("byte %d changed", i)] = struct {
				value []byte
				valid bool
			}{changed, false}
		}
		for name, c := range cases {
			valid := Verify(&key.PublicKey, hash, digest, c.value)
			standard := rsa.VerifyPKCS1v15(&key.PublicKey, hash, digest, c.value) == nil
			if valid != c.valid || valid != standard {
				t.Errorf("%v, %s: %v, want %v; the standard library says %v", hash, name, valid, c.valid, standard)
			}
		}
	}
}

// TestVerifyLeavesOddKeysToTheStandardLibrary: it refuses those that are weak.
func TestVerifyLeavesOddKeysToTheStandardLibrary(t *testing.T) {
	t.Parallel()
	odd := new(big.Int).SetBit(big.NewInt(1), 2047, 1)
	digest := make([]byte, 32)
	for name, key := range map[string]*rsa.PublicKey{
		"an exponent of 1":       {N: odd, E: 1},
		"an even exponent":       {N: odd, E: 65536},
		"an even modulus":        {N: new(big.Int).SetBit(new(big.Int), 2047, 1), E: 65537},
		"a short modulus":        {N: new(big.Int).SetBit(big.NewInt(1), 2046, 1), E: 65537},
		"a modulus of 8200 bits": {N: new(big.Int).SetBit(big.NewInt(1), 8199, 1), E: 65537},
		"a large exponent":       {N: odd, E: 65539},
	} {
		if !unusual(key, crypto.SHA256, digest) || Verify(key, crypto.SHA256, digest, make([]byte, key.Size())) {
			t.Errorf("%s is not left to it, or valid", name)
		}
	}
	key := &rsa.PublicKey{N: odd, E: 65537}
	for name, c := range map[string]struct {
		hash   crypto.Hash
		digest []byte
	}{
		"SHA-1":                      {crypto.SHA1, make([]byte, 20)},
		"a digest that is too short": {crypto.SHA256, make([]byte, 31)},
	} {
		if !unusual(key, c.hash, c.digest) || Verify(key, c.hash, c.digest, make([]byte, 256)) {
			t.Errorf("%s is not left to it, or valid", name)
		}
	}
}
