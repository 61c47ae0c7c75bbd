package signer

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Limits of what is inside a PEM file.
const (
	maxPEMBlocks = 64
	// maxPrivateKey bounds one encoded private key: RSA-4096 takes 2.4 KiB as
	// PKCS#8, and huge numbers cost the library much time.
	maxPrivateKey = 8 << 10
)

// parsePEM reads a file with one private key and any certificates.
func (f *keyFile) parsePEM(passphrase []byte) (*Key, error) {
	var key *pem.Block
	certs := f.certs
	rest := f.data
	for n := 0; ; n++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if n == maxPEMBlocks {
			return nil, f.fail("more than %d PEM blocks", maxPEMBlocks)
		}
		switch {
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			if key != nil {
				return nil, f.fail("more than one private key")
			}
			key = block
		case block.Type == "CERTIFICATE":
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, f.fail("one of its certificates cannot be read")
			}
			certs = append(certs, cert)
		}
	}
	if key == nil {
		return nil, f.fail("no private key in the file")
	}
	private, err := f.decodePrivate(key, passphrase)
	if err != nil {
		return nil, err
	}
	return f.privateKey(private, certs)
}

// decodePrivate has cryptoutils read one private key, once its parameters are
// known to be harmless.
func (f *keyFile) decodePrivate(block *pem.Block, passphrase []byte) (crypto.PrivateKey, error) {
	if len(block.Bytes) > maxPrivateKey {
		return nil, f.fail("a private key of %d bytes: the limit is %d", len(block.Bytes), maxPrivateKey)
	}
	encrypted := true
	switch block.Type {
	case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY":
		encrypted = block.Headers["DEK-Info"] != ""
	case "ENCRYPTED PRIVATE KEY":
		if err := checkPBES2(block.Bytes); err != nil {
			return nil, f.fail("the encrypted private key is refused: %s", err)
		}
	case "ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY":
		// The library takes three sets of scrypt parameters and no others.
	case "OPENSSH PRIVATE KEY":
		return nil, f.fail("an OpenSSH key: write it as PKCS#8 (ssh-keygen -p -m PKCS8 -f KEY)")
	default:
		return nil, f.fail("a private key of a type that writ does not know")
	}
	if encrypted && passphrase == nil {
		return nil, errEncrypted
	}
	private, err := cryptoutils.UnmarshalPEMToPrivateKey(pem.EncodeToMemory(block), func(bool) ([]byte, error) { return passphrase, nil })
	switch {
	case err == nil:
		return private, nil
	case encrypted: // what the library says cannot tell the two apart
		return nil, f.fail("the passphrase is wrong, or the key is damaged or encrypted in a way that writ does not know")
	}
	return nil, f.fail("the private key cannot be read: damaged, or of an algorithm that writ does not know")
}

// checkPBES2 bounds the costs of an encrypted PKCS#8 key and holds its
// ciphertext to whole blocks with an initial vector of one block, on which the
// library relies.
func checkPBES2(der []byte) error {
	if err := boundKDF(der); err != nil {
		return err
	}
	var info, algorithm, params, kdf, scheme, iv, data cryptobyte.String
	s := cryptobyte.String(der)
	if !s.ReadASN1(&info, asn1.SEQUENCE) || !s.Empty() ||
		!info.ReadASN1(&algorithm, asn1.SEQUENCE) || !info.ReadASN1(&data, asn1.OCTET_STRING) || !info.Empty() ||
		!algorithm.SkipASN1(asn1.OBJECT_IDENTIFIER) || !algorithm.ReadASN1(&params, asn1.SEQUENCE) {
		return errors.New("malformed")
	}
	if !params.ReadASN1(&kdf, asn1.SEQUENCE) || !params.ReadASN1(&scheme, asn1.SEQUENCE) ||
		!scheme.SkipASN1(asn1.OBJECT_IDENTIFIER) || !scheme.ReadASN1(&iv, asn1.OCTET_STRING) {
		return errors.New("only PBES2 with AES or 3DES in CBC mode is known (openssl pkcs8 -topk8 -v2 aes-256-cbc)")
	}
	if block := len(iv); block != 8 && block != 16 || len(data) == 0 || len(data)%block != 0 {
		return errors.New("malformed ciphertext")
	}
	return nil
}

// privateKey puts key and certificates together; without any it is a bare key.
func (f *keyFile) privateKey(private crypto.PrivateKey, certs []*x509.Certificate) (*Key, error) {
	withPublic, ok := private.(crypto.Signer)
	if !ok {
		return nil, f.fail("a key that cannot sign")
	}
	if err := checkPublicKey(withPublic.Public()); err != nil {
		return nil, f.fail("%s", err)
	}
	loaded, err := signature.LoadSigner(private, crypto.SHA256)
	if err != nil {
		return nil, f.fail("a key that cannot sign")
	}
	signer, ok := loaded.(crypto.Signer)
	if !ok {
		return nil, f.fail("a key that cannot sign")
	}
	switch {
	case f.openPGP != nil:
		return NewOpaqueOpenPGPKey(f.source, signer, 0, f.openPGP)
	case len(certs) == 0:
		return NewBareKey(f.source, signer)
	}
	if _, ok := signer.Public().(ed25519.PublicKey); ok {
		return nil, f.fail("an Ed25519 key, which code signing does not know: RSA, or ECDSA on P-256 or P-384 are possible with a certificate")
	}
	return x509KeyOf(f.source, signer, certs)
}

// x509KeyOf puts a signer and its certificates together, which come in any order.
func x509KeyOf(source string, private crypto.Signer, certs []*x509.Certificate) (*Key, error) {
	chain, unused, err := orderChain(private.Public(), certs)
	if err != nil {
		return nil, &KeyError{source, err.Error()}
	}
	key, err := NewX509Key(source, private, chain)
	if err != nil {
		return nil, err
	}
	if unused > 0 {
		key.notes = append(key.notes, fmt.Sprintf("%d of the certificates given with key %q are not above its own and are left out", unused, source))
	}
	return key, nil
}

// checkPublicKey holds keys to those that code signing takes, and Ed25519, which
// a bare key may be.
func checkPublicKey(public crypto.PublicKey) error {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < 2048 || bits > 4096 {
			return fmt.Errorf("an RSA key of %d bits: 2048 to 4096 are possible", bits)
		}
		return nil
	case *ecdsa.PublicKey:
		if name := k.Params().Name; name != "P-256" && name != "P-384" {
			return fmt.Errorf("an ECDSA key on the curve %s: P-256 and P-384 are possible", name)
		}
		return nil
	case ed25519.PublicKey:
		return nil
	}
	return errors.New("neither an RSA nor an ECDSA nor an Ed25519 key: no others are possible")
}

// looksLikePEM says whether data holds PEM at all.
func looksLikePEM(data []byte) bool { return bytes.Contains(data, []byte("-----BEGIN ")) }
