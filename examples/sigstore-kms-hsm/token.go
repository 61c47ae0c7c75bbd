package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os/exec"
	"regexp"
	"strings"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// The variables that say how to reach the token. The PIN is in none of the
// arguments, which every user of a machine can read.
const (
	moduleVariable = "HSM_MODULE"
	pinVariable    = "HSM_PIN"
)

// tokenKey is a key in a PKCS#11 token. OpenSC's pkcs11-tool loads the token's
// module and asks it: so this program needs no C compiler, and a module that
// crashes does not end it.
type tokenKey struct {
	module, token, id string
	pinGiven          bool
	hash              crypto.Hash
}

// newTokenKey takes TOKEN/ID: the label of the token, with %20 for a blank, and the
// ID of the key in hexadecimal, as pkcs11-tool --list-objects prints both.
func newTokenKey(resource string, hash crypto.Hash, getenv func(string) string) (*tokenKey, error) {
	label, id, _ := strings.Cut(resource, "/")
	token, err := url.PathUnescape(label)
	if raw, hexErr := hex.DecodeString(id); err != nil || token == "" || hexErr != nil || len(raw) == 0 {
		return nil, errors.New("want hsm://TOKEN/ID: the label of the token and the ID of the key in hexadecimal, as pkcs11-tool --list-objects prints them")
	}
	k := &tokenKey{module: getenv(moduleVariable), token: token, id: id, pinGiven: getenv(pinVariable) != "", hash: hash}
	if k.module == "" {
		return nil, errors.New("the variable " + moduleVariable + " is not set: the path of the token's PKCS#11 module, such as /usr/lib/softhsm/libsofthsm2.so")
	}
	return k, nil
}

// ask runs pkcs11-tool on the token.
func (k *tokenKey) ask(ctx context.Context, input []byte, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "pkcs11-tool", append([]string{"--module", k.module, "--token-label", k.token, "--id", k.id}, args...)...) //nolint:gosec // the user says which module
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &said
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("pkcs11-tool: %w: %s", err, reason(said.String()))
	}
	return out.Bytes(), nil
}

// reason takes the lines out of what the tool says that say nothing of the cause.
func reason(said string) string {
	var lines []string
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if line != "" && line != "Aborting." && !strings.HasPrefix(line, "Using signature algorithm") {
			lines = append(lines, strings.TrimPrefix(line, "error: "))
		}
	}
	return strings.Join(lines, "; ")
}

// PublicKey implements kms.SignerVerifier. It needs no PIN.
func (k *tokenKey) PublicKey(opts ...signature.PublicKeyOption) (crypto.PublicKey, error) {
	ctx := context.Background()
	for _, o := range opts {
		o.ApplyContext(&ctx)
	}
	der, err := k.ask(ctx, nil, "--read-object", "--type", "pubkey")
	if err != nil {
		if listed := k.listedKey(ctx); listed != nil {
			return listed, nil
		}
		return nil, err
	}
	if !bytes.HasPrefix(der, []byte("-----BEGIN ")) { // Edwards curves are written as PEM
		der = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
	return cryptoutils.UnmarshalPEMToPublicKey(der)
}

// The lines of an object of an elliptic curve in pkcs11-tool --list-objects.
var (
	objectID = regexp.MustCompile(`(?m)^  ID: +([0-9a-f]+)$`)
	ecPoint  = regexp.MustCompile(`(?m)^  EC_POINT: +([0-9a-f]+)$`)
	ecParams = regexp.MustCompile(`(?m)^  EC_PARAMS: +([0-9a-f]+)\b`)
)

// listedKey takes the public key from the list of objects, nil if it is not there:
// OpenSC 0.23 cannot read out keys on P-384 ("cannot create EVP_PKEY").
func (k *tokenKey) listedKey(ctx context.Context) crypto.PublicKey {
	list, err := k.ask(ctx, nil, "--list-objects", "--type", "pubkey")
	if err != nil {
		return nil
	}
	var found [][]byte // the tool lists all objects, whatever ID is asked for
	for _, object := range bytes.Split(list, []byte("Public Key Object;")) {
		if m := objectID.FindSubmatch(object); m != nil && strings.EqualFold(string(m[1]), k.id) {
			found = append(found, object)
		}
	}
	if len(found) != 1 {
		return nil
	}
	point, params := ecPoint.FindSubmatch(found[0]), ecParams.FindSubmatch(found[0])
	if point == nil || params == nil {
		return nil
	}
	var octets []byte
	der, _ := hex.DecodeString(string(point[1])) // what cannot be read fails below
	curve, _ := hex.DecodeString(string(params[1]))
	if rest, err := asn1.Unmarshal(der, &octets); err != nil || len(rest) > 0 {
		return nil
	}
	type algorithm struct {
		ID    asn1.ObjectIdentifier
		Curve asn1.RawValue
	}
	spki, err := asn1.Marshal(struct {
		Algorithm algorithm
		Key       asn1.BitString
	}{algorithm{asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, asn1.RawValue{FullBytes: curve}}, asn1.BitString{Bytes: octets, BitLength: 8 * len(octets)}})
	if err != nil {
		return nil
	}
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil
	}
	return public
}

// SignMessage implements kms.SignerVerifier.
func (k *tokenKey) SignMessage(message io.Reader, opts ...signature.SignOption) ([]byte, error) {
	ctx := context.Background()
	for _, o := range opts {
		o.ApplyContext(&ctx)
	}
	if !k.pinGiven {
		return nil, errors.New("the variable " + pinVariable + " is not set: the PIN of the token")
	}
	digest, hash, err := signature.ComputeDigestForSigning(message, k.hash, []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}, opts...)
	if err != nil {
		return nil, err
	}
	public, err := k.PublicKey(options.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	sign := []string{"--login", "--pin", "env:" + pinVariable, "--sign"}
	switch public.(type) {
	case *rsa.PublicKey:
		info, err := digestInfo(digest, hash)
		if err != nil {
			return nil, err
		}
		return k.ask(ctx, info, append(sign, "--mechanism", "RSA-PKCS")...)
	case *ecdsa.PublicKey:
		return k.ask(ctx, digest, append(sign, "--mechanism", "ECDSA", "--signature-format", "openssl")...)
	}
	return nil, errors.New("neither an RSA nor an ECDSA key: this example knows no others")
}

// digestInfo is what RSA with PKCS#1 v1.5 signs (RFC 8017 section 9.2).
func digestInfo(digest []byte, hash crypto.Hash) ([]byte, error) {
	last := map[crypto.Hash]int{crypto.SHA256: 1, crypto.SHA384: 2, crypto.SHA512: 3}[hash]
	return asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}{pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, last}, Parameters: asn1.NullRawValue}, digest})
}

// VerifySignature implements kms.SignerVerifier. It asks the token for the public
// key only.
func (k *tokenKey) VerifySignature(sig, message io.Reader, opts ...signature.VerifyOption) error {
	public, err := k.PublicKey()
	if err != nil {
		return err
	}
	verifier, err := signature.LoadVerifier(public, k.hash)
	if err != nil {
		return err
	}
	return verifier.VerifySignature(sig, message, opts...)
}

// CreateKey implements kms.SignerVerifier.
func (k *tokenKey) CreateKey(context.Context, string) (crypto.PublicKey, error) {
	return nil, errors.New("this example makes no keys: pkcs11-tool --keypairgen does")
}

// CryptoSigner implements kms.SignerVerifier. No plugin is asked for it.
func (k *tokenKey) CryptoSigner(context.Context, func(error)) (crypto.Signer, crypto.SignerOpts, error) {
	return nil, nil, errors.New("not a question to a plugin")
}

// SupportedAlgorithms implements kms.SignerVerifier: no algorithm can be asked for.
func (k *tokenKey) SupportedAlgorithms() []string { return nil }

// DefaultAlgorithm implements kms.SignerVerifier.
func (k *tokenKey) DefaultAlgorithm() string { return "" }
