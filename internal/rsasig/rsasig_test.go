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

// TestVerifyTakesNoCubeRootForASignature: with small exponents a number can be
// made whose power begins like a good padding; and sizes that are no multiple of
// eight have a first byte of their own.
func TestVerifyTakesNoCubeRootForASignature(t *testing.T) {
	t.Parallel()
	hash, one := crypto.SHA256, big.NewInt(1)
	digest := bytes.Repeat([]byte{7}, hash.Size())
	for _, c := range []struct{ bits, exponent int }{{2048, 3}, {2049, 3}, {2055, 17}, {2057, 65537}} {
		e := big.NewInt(int64(c.exponent))
		key, private := &rsa.PublicKey{N: new(big.Int), E: c.exponent}, new(big.Int)
		for key.N.BitLen() != c.bits || private == nil {
			p, errP := rand.Prime(rand.Reader, c.bits/2)
			q, errQ := rand.Prime(rand.Reader, c.bits-c.bits/2)
			if errP != nil || errQ != nil {
				t.Fatal(errP, errQ)
			}
			key.N = new(big.Int).Mul(p, q)
			private = new(big.Int).ModInverse(e, new(big.Int).Mul(p.Sub(p, one), q.Sub(q, one)))
		}
		size := key.Size()
		good := padded(hash, digest, size)
		signed := new(big.Int).Exp(new(big.Int).SetBytes(good), private, key.N).FillBytes(make([]byte, size))
		// The padding cut short, and whatever makes the rest a power.
		short := append(append(append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, 8)...), 0), append(bytes.Clone(digestInfo[hash]), digest...)...)
		short = append(short, bytes.Repeat([]byte{0xff}, size-len(short))...)
		for name, v := range map[string]struct {
			value []byte
			valid bool
		}{
			"the value":           {signed, true},
			"a root of the whole": {root(new(big.Int).SetBytes(good), e).FillBytes(make([]byte, size)), false},
			"a root of its start": {root(new(big.Int).SetBytes(short), e).FillBytes(make([]byte, size)), false},
			"without its zeros":   {bytes.TrimLeft(signed, "\x00")[1:], false},
		} {
			valid := Verify(key, hash, digest, v.value)
			standard := rsa.VerifyPKCS1v15(key, hash, digest, v.value) == nil
			if valid != v.valid || valid != standard || unusual(key, hash, digest) {
				t.Errorf("%d bits, exponent %d, %s: %v, want %v; the standard library says %v", c.bits, c.exponent, name, valid, v.valid, standard)
			}
		}
	}
}

// root is the largest number whose power is not larger than n.
func root(n, e *big.Int) *big.Int {
	low, high := new(big.Int), new(big.Int).Lsh(big.NewInt(1), uint(n.BitLen())/uint(e.Int64())+1)
	for one := big.NewInt(1); new(big.Int).Sub(high, low).Cmp(one) > 0; {
		middle := new(big.Int).Rsh(new(big.Int).Add(low, high), 1)
		if new(big.Int).Exp(middle, e, nil).Cmp(n) <= 0 {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}
