package bundle

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	opa "github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/runwrit/writ/internal/strictjson"
)

// The signature that OPA knows is one JSON Web Token in .signatures.json: it lists
// the files with their digests. OPA checks the token, and each file against it.
// What OPA leaves open is closed here: the token has one form, which is written
// again from the files and compared.

// hashName is the only one of OPA's hashes that counts; MD5 is another.
const hashName = "SHA-256"

// maxSignatures is the largest .signatures.json: of MaxFiles files with the longest
// names it has half of that. It is read before anything is known of who made it.
const maxSignatures = 1 << 20

type signaturesDoc struct {
	Signatures []string `json:"signatures"`
}

type tokenHeader struct {
	Algorithm algorithm `json:"alg"`
	KeyID     string    `json:"kid"`
}

type tokenPayload struct {
	Files []opa.FileInfo `json:"files"`
}

// Sign returns the bundle with the signature that OPA knows, by a private key:
// ECDSA on P-256, RSA, or Ed25519. A bundle has one of these; Countersign adds
// more, beside it. It fails with *RefusedError for data that is no bundle, or is
// signed already.
func Sign(data []byte, private crypto.Signer) ([]byte, error) {
	b, err := ReadUnverified(data)
	if err != nil {
		return nil, err
	}
	if b.signed != nil {
		return nil, refuse(CodeSignature, "it is signed already: more signatures stand beside it")
	}
	key, err := keyOf(private.Public())
	if err != nil {
		return nil, fmt.Errorf("sign the bundle: the key is %w", err)
	}
	input, err := b.signingInput(&key)
	if err != nil {
		return nil, err
	}
	signature, err := key.sign(private, []byte(input))
	if err == nil {
		signature, err = key.fixedSize(signature)
	}
	if err != nil {
		return nil, fmt.Errorf("sign the bundle: %w", err)
	}
	signed, err := json.Marshal(signaturesDoc{[]string{input + "." + base64.RawURLEncoding.EncodeToString(signature)}})
	if err != nil {
		return nil, err
	}
	return pack(append(slices.Clone(b.files), file{signaturesName, signed}))
}

// signingInput is header and payload of the token for this bundle and key.
func (b *Bundle) signingInput(k *Key) (string, error) {
	header, err := json.Marshal(tokenHeader{k.alg, k.id})
	if err != nil {
		return "", err
	}
	payload := tokenPayload{Files: []opa.FileInfo{}}
	for _, f := range b.files {
		sum, err := hashOf(f)
		if err != nil {
			return "", err
		}
		payload.Files = append(payload.Files, opa.NewFile(f.name, sum, hashName))
	}
	files, err := json.Marshal(payload)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(files), nil
}

// hashOf is the digest of a file as OPA takes it: of the manifest it covers the
// meaning, not the bytes.
func hashOf(f file) (string, error) {
	hasher, err := opa.NewSignatureHasher(hashName)
	if err != nil {
		return "", err
	}
	var content any = f.data
	if opa.IsStructuredDoc(f.name) {
		if err := util.Unmarshal(f.data, &content); err != nil {
			return "", refuse(CodeMalformed, "%s cannot be read", f.name)
		}
	}
	sum, err := hasher.HashFile(content)
	return fmt.Sprintf("%x", sum), err
}

// verifyToken says whose key made the token.
func (b *Bundle) verifyToken(t *Trust) (Key, error) {
	if b.signed == nil {
		return Key{}, refuse(CodeUnsigned, "it has no %s", signaturesName)
	}
	parts, err := tokenParts(b.signed)
	if err != nil {
		return Key{}, err
	}
	var header tokenHeader
	if err := decodePart(parts[0], &header); err != nil {
		return Key{}, refuse(CodeSignature, "the header of the token holds something else than alg and kid, or cannot be read")
	}
	switch header.Algorithm {
	case es256, ps256, edDSA:
	default:
		return Key{}, refuse(CodeSignature, "the algorithm %q is refused: want %s, %s or %s", header.Algorithm, es256, ps256, edDSA)
	}
	key, ok := t.key(header.KeyID)
	switch {
	case !ok:
		return Key{}, refuse(CodeUntrusted, "it is signed by the key %q, which is not listed", header.KeyID)
	case key.alg != header.Algorithm:
		return Key{}, refuse(CodeSignature, "the algorithm is %s, and the key of %s is for %s", header.Algorithm, key.Owner, key.alg)
	}
	if err := b.checkList(parts[1]); err != nil {
		return Key{}, err
	}
	input, err := b.signingInput(&key)
	if err != nil {
		return Key{}, err
	}
	if input != parts[0]+"."+parts[1] {
		return Key{}, refuse(CodeSignature, "the token is not in the one form that it has")
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	// Base64 decoders pass over line breaks.
	if err != nil || base64.RawURLEncoding.EncodeToString(signature) != parts[2] || !key.verify([]byte(input), signature) {
		return Key{}, refuse(CodeSignature, "the signature is not by the key of %s, or of other content", key.Owner)
	}
	return key, nil
}

// tokenParts reads .signatures.json, which holds exactly one token.
func tokenParts(signed []byte) ([]string, error) {
	var doc signaturesDoc
	if len(signed) > maxSignatures {
		return nil, refuse(CodeMalformed, "%s has %d bytes, the limit is %d", signaturesName, len(signed), maxSignatures)
	}
	if err := strictjson.Decode(signed, maxSignatures, &doc); err != nil {
		return nil, refuse(CodeSignature, "%s cannot be read, or names a plugin", signaturesName)
	}
	switch len(doc.Signatures) {
	case 0:
		return nil, refuse(CodeUnsigned, "%s holds no token", signaturesName)
	case 1:
	default:
		return nil, refuse(CodeSignature, "%s holds %d tokens: want one", signaturesName, len(doc.Signatures))
	}
	again, err := json.Marshal(doc)
	if err != nil || !bytes.Equal(again, signed) {
		return nil, refuse(CodeSignature, "%s is not in the one form that it has", signaturesName)
	}
	parts := strings.Split(doc.Signatures[0], ".")
	if len(parts) != 3 {
		return nil, refuse(CodeSignature, "the token does not have three parts")
	}
	return parts, nil
}

// checkList says how the list of files that was signed differs from the files.
func (b *Bundle) checkList(part string) error {
	var payload tokenPayload
	if err := decodePart(part, &payload); err != nil {
		return refuse(CodeSignature, "the token holds something else than files, or cannot be read")
	}
	listed := map[string]opa.FileInfo{}
	for _, f := range payload.Files {
		if _, twice := listed[f.Name]; twice {
			return refuse(CodeSignature, "file %q is listed twice", f.Name)
		}
		listed[f.Name] = f
	}
	for _, f := range b.files {
		info, ok := listed[f.name]
		switch {
		case !ok:
			return refuse(CodeSignature, "file %q is not listed in the token: it was added", f.name)
		case info.Algorithm != hashName:
			return refuse(CodeSignature, "the digest of file %q is of the kind %q: want %s", f.name, info.Algorithm, hashName)
		}
		sum, err := hashOf(f)
		if err != nil {
			return err
		}
		if sum != info.Hash {
			return refuse(CodeSignature, "file %q was changed", f.name)
		}
		delete(listed, f.name)
	}
	for name := range listed {
		return refuse(CodeSignature, "file %q is listed in the token and is not there", name)
	}
	return nil
}

func decodePart(part string, to any) error {
	data, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return err
	}
	return strictjson.Decode(data, maxSignatures, to)
}
