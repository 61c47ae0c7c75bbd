package signer_test

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/ProtonMail/go-crypto/openpgp/s2k"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	pkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/signer"
)

type (
	encryptedKey struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	pbes2 struct{ KDF, Scheme pkix.AlgorithmIdentifier }
)

func der(v any) []byte { return must(asn1.Marshal(v)) }

func algorithm(params any, oid ...int) pkix.AlgorithmIdentifier {
	return pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.RawValue{FullBytes: der(params)}}
}

// encryptedPKCS8 is an encrypted key with the given derivation, initial vector
// and ciphertext.
func encryptedPKCS8(kdf pkix.AlgorithmIdentifier, iv, data []byte) []byte {
	scheme := algorithm(iv, 2, 16, 840, 1, 101, 3, 4, 1, 42) // AES-256-CBC
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der(encryptedKey{
		algorithm(pbes2{kdf, scheme}, 1, 2, 840, 113549, 1, 5, 13), data,
	})})
}

func pbkdf2(iterations any) pkix.AlgorithmIdentifier {
	return algorithm(struct {
		Salt       []byte
		Iterations any
	}{make([]byte, 8), iterations}, 1, 2, 840, 113549, 1, 5, 12)
}

func scrypt(n, r, p int) pkix.AlgorithmIdentifier {
	return algorithm(struct {
		Salt    []byte
		N, R, P int
	}{make([]byte, 8), n, r, p}, 1, 3, 6, 1, 4, 1, 11591, 4, 11)
}

// pfxBomb is a PKCS#12 file whose MAC, or whose encrypted part, wants that many
// iterations. It has no right MAC: the costs come before that is seen.
func pfxBomb(macIterations, partIterations int) []byte {
	type content struct {
		Type asn1.ObjectIdentifier
		Body any `asn1:"explicit,tag:0"`
	}
	data := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	pbe := algorithm(struct {
		Salt       []byte
		Iterations int
	}{make([]byte, 8), partIterations}, 1, 2, 840, 113549, 1, 12, 1, 3)
	part := content{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}, struct {
		Version int
		Info    struct {
			Type      asn1.ObjectIdentifier
			Algorithm pkix.AlgorithmIdentifier
			Content   []byte `asn1:"tag:0"`
		}
	}{0, struct {
		Type      asn1.ObjectIdentifier
		Algorithm pkix.AlgorithmIdentifier
		Content   []byte `asn1:"tag:0"`
	}{data, pbe, make([]byte, 64)}}}
	type mac struct {
		Digest struct {
			Algorithm pkix.AlgorithmIdentifier
			Digest    []byte
		}
		Salt       []byte
		Iterations int
	}
	m := mac{Salt: make([]byte, 8), Iterations: macIterations}
	m.Digest.Algorithm = algorithm(asn1.NullRawValue, 2, 16, 840, 1, 101, 3, 4, 2, 1)
	m.Digest.Digest = make([]byte, 32)
	return der(struct {
		Version int
		Safe    content
		MAC     mac
	}{3, content{data, der([]content{part})}, m})
}

func argonKey(t testing.TB, memoryExp byte) []byte {
	t.Helper()
	e := must(newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "x", Created: created()}))
	config := &packet.Config{
		AEADConfig: &packet.AEADConfig{DefaultMode: packet.AEADModeOCB},
		S2KConfig:  &s2k.Config{S2KMode: s2k.Argon2S2K, Argon2Config: &s2k.Argon2Config{NumberOfPasses: 1, DegreeOfParallelism: 1, Memory: 8}},
	}
	if err := e.EncryptPrivateKeys([]byte(secretWord), config); err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := e.SerializePrivateWithoutSigning(&buf, nil); err != nil {
		t.Fatal(err)
	}
	// specifier: 4, salt of 16, passes, lanes, memory
	data := buf.Bytes()
	for at := range data {
		if at+20 < len(data) && data[at] == 4 && bytes.Equal(data[at+17:at+20], []byte{1, 1, 3}) {
			data[at+19] = memoryExp
		}
	}
	return data
}

func TestKeyFilesThatWantTooMuchAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	huge := new(big.Int).Lsh(big.NewInt(1), 100)
	block := make([]byte, 64)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"PBKDF2 with 2^31 iterations":         {encryptedPKCS8(pbkdf2(1<<31), block[:16], block), "a key derivation of 2147483648 iterations: the limit is 10000000"},
		"PBKDF2 with 2^100 iterations":        {encryptedPKCS8(pbkdf2(huge), block[:16], block), "a cost out of bounds"},
		"PBKDF2 with a negative count":        {encryptedPKCS8(pbkdf2(-1), block[:16], block), "a cost out of bounds"},
		"scrypt with 1 GiB":                   {encryptedPKCS8(scrypt(1<<20, 8, 1), block[:16], block), "too expensive"},
		"scrypt with a thousand lanes":        {encryptedPKCS8(scrypt(1<<14, 8, 1000), block[:16], block), "too expensive"},
		"an initial vector of three bytes":    {encryptedPKCS8(pbkdf2(1), block[:3], block), "malformed ciphertext"},
		"ciphertext that ends within a block": {encryptedPKCS8(pbkdf2(1), block[:16], block[:63]), "malformed ciphertext"},
		"no ciphertext":                       {encryptedPKCS8(pbkdf2(1), block[:16], nil), "malformed ciphertext"},
		"PKCS#12 with a costly MAC":           {pfxBomb(1<<31, 1), "a key derivation of 2147483648 iterations"},
		"PKCS#12 with a costly part":          {pfxBomb(1, 1<<31), "a key derivation of 2147483648 iterations"},
		"Argon2 with 2 GiB":                   {argonKey(t, 21), "Argon2"},
		"DER nested 10,000 levels deep":       {sequence(append([]byte{2, 1, 3}, nested(10_000)...)), "nested deeper than 32 levels"},
		"a private key of a mebibyte":         {pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: make([]byte, 700<<10)}), "the limit is 8192"},
		"a thousand PEM blocks":               {bytes.Repeat(pem.EncodeToMemory(&pem.Block{Type: "X", Bytes: block}), 1000), "more than 64 PEM blocks"},
		"a mebibyte of PEM beginnings":        {bytes.Repeat([]byte("-----BEGIN PRIVATE KEY-----\n"), 36_000), "no private key"},
		"a mebibyte of armor beginnings":      {bytes.Repeat([]byte("-----BEGIN PGP PRIVATE KEY BLOCK-----\n"), 26_000), "more than 16 armored blocks"},
		"OpenPGP of empty packets":            {bytes.Repeat([]byte{0xcd, 0}, 500_000), "more than 2000 packets"},
		"an OpenPGP message":                  {[]byte{0xcb, 1, 0}, "a packet of type 11"},
		"compressed OpenPGP":                  {[]byte{0xc8, 1, 0}, "a packet of type 8"},
		"RSA-16384 in OpenPGP":                {append([]byte{0xc5, 0xc0, 0x20, 4, 0, 0, 0, 0, 1, 0x40, 0}, make([]byte, 300)...), "an RSA key of more than 8192 bits"},
		"many secret subkeys":                 {bytes.Repeat([]byte{0xc7, 1, 4}, 100), "more than 16 secret keys"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newFiles(t).write("key", c.data)
			start := time.Now()
			_, err := signer.OpenKey(t.Context(), path, signer.KeyOptions{Passphrase: passphrase(secretWord)})
			if d := time.Since(start); d > 30*time.Second {
				t.Errorf("took %s", d)
			}
			wantKeyError(t, err, c.want)
		})
	}
}

func nested(levels int) []byte {
	inner := []byte{0x05, 0x00}
	for range levels {
		inner = sequence(inner)
	}
	return inner
}

func sequence(content []byte) []byte { return append(derHeader(0x30, len(content)), content...) }

func derHeader(tag byte, n int) []byte {
	switch {
	case n < 0x80:
		return []byte{tag, byte(n)}
	case n < 0x100:
		return []byte{tag, 0x81, byte(n)}
	case n < 0x10000:
		return []byte{tag, 0x82, byte(n >> 8), byte(n)}
	}
	return []byte{tag, 0x83, byte(n >> 16), byte(n >> 8), byte(n)}
}

// A key file that is cut anywhere, or has one byte changed anywhere, is refused
// or is the same key: a panic of a library is an error too.
func TestDamagedKeyFilesNeverPanic(t *testing.T) {
	t.Parallel()
	k := newX509(t, "p256")
	e := must(newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "x", Created: created()}))
	var secret bytes.Buffer
	if err := e.SerializePrivateWithoutSigning(&secret, nil); err != nil {
		t.Fatal(err)
	}
	pfx := must(pkcs12.Modern.WithIterations(1).Encode(k.Key, k.Leaf, nil, ""))
	for name, data := range map[string][]byte{
		"PEM": append(bytes.Clone(k.KeyPEM), k.LeafPEM...), "PKCS#12": pfx, "OpenPGP": secret.Bytes(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := newFiles(t)
			try := func(what string, at int, damaged []byte) {
				key, err := signer.OpenKey(t.Context(), dir.write("key", damaged), signer.KeyOptions{Passphrase: passphrase("")})
				if (key == nil) == (err == nil) {
					t.Errorf("%s at %d: key %v and error %v", what, at, key, err)
				}
			}
			for at := 0; at < len(data); at += 3 {
				try("cut", at, data[:at])
				flipped := bytes.Clone(data)
				flipped[at] ^= 1 << (at % 8)
				try("flip", at, flipped)
			}
		})
	}
}

func TestPKCS12WithAnInitialVectorOfTheWrongSizeIsRefused(t *testing.T) {
	t.Parallel()
	k := newX509(t, "p256")
	pfx := must(pkcs12.Modern.WithIterations(1).Encode(k.Key, k.Leaf, nil, ""))
	aes := der(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42})
	at := bytes.Index(pfx, aes)
	if at < 0 {
		t.Fatal("no AES in the file")
	}
	iv := at + len(aes)
	pfx[iv], pfx[iv+1] = 0x04, 0x0e // two bytes shorter, and a NULL behind
	pfx[iv+16], pfx[iv+17] = 0x05, 0x00
	// Without its MAC, which would tell, and which a file need not have.
	var whole struct {
		Version   int
		Safe, MAC asn1.RawValue
	}
	if _, err := asn1.Unmarshal(pfx, &whole); err != nil {
		t.Fatal(err)
	}
	pfx = der(struct {
		Version int
		Safe    asn1.RawValue
	}{whole.Version, whole.Safe})
	_, err := signer.OpenKey(t.Context(), newFiles(t).write("key", pfx), signer.KeyOptions{Passphrase: passphrase("")})
	wantKeyError(t, err, "the PKCS#12 file cannot be read")
}

func FuzzOpenKey(f *testing.F) {
	k := newX509(f, "p256")
	e := must(newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "x", Created: created()}))
	var secret bytes.Buffer
	if err := e.SerializePrivateWithoutSigning(&secret, nil); err != nil {
		f.Fatal(err)
	}
	block := make([]byte, 64)
	for _, seed := range [][]byte{
		k.KeyPEM, append(bytes.Clone(k.KeyPEM), k.ChainPEM()...), secret.Bytes(), must(newkeys.ArmoredSecret(e, nil)),
		must(newkeys.ArmoredSecret(e, []byte("x"))), argonKey(f, 3), pfxBomb(1, 1),
		must(pkcs12.Modern.WithIterations(1).Encode(k.Key, k.Leaf, nil, "")),
		must(pkcs12.LegacyDES.WithIterations(1).Encode(k.Key, k.Leaf, nil, "x")),
		encryptedPKCS8(pbkdf2(1), block[:16], block), encryptedPKCS8(scrypt(2, 1, 1), block[:16], block),
	} {
		f.Add(seed)
	}
	path := f.TempDir() + "/key"
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		key, err := signer.OpenKey(t.Context(), path, signer.KeyOptions{Passphrase: passphrase("x")})
		var want *signer.KeyError
		switch {
		case err == nil && key.ID() == "":
			t.Error("a key without an ID")
		case err != nil && !asError(err, &want):
			t.Errorf("not a KeyError: %v", err)
		case err != nil && strings.Contains(err.Error(), "took longer"):
			t.Error("a key file that costs too much")
		}
		if err == nil && key.Kind() == signer.KindOpenPGP {
			entity, _ := key.OpenPGP()
			if len(entity.Subkeys) == 0 && entity.PrivateKey == nil {
				t.Error("an OpenPGP key without secrets")
			}
			if !slices.ContainsFunc(openpgp.EntityList{entity}, func(e *openpgp.Entity) bool { return e.PrimaryKey != nil }) {
				t.Error("an OpenPGP key without a primary key")
			}
		}
	})
}
