//go:build !nosigstore

package format

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"

	"github.com/runwrit/writ/internal/strictjson"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// Limits of a bundle.
const (
	maxBundle = runbook.MaxSidecar
	// maxBundleEvidence is how many log entries, and how many timestamps, a bundle
	// may carry: one or two of each are usual, and each costs time.
	maxBundleEvidence  = 8
	maxBundleSignature = 1 << 10 // RSA with 8192 bits
	maxBundleHint      = 256
	// maxCheckpoint is the size of the signed head of a log, which each of its
	// witnesses signs: anybody can repeat a line, and each line costs time.
	maxCheckpoint = 16 << 10
	// maxProof is how many hashes lead from an entry to the head of a log: as many as
	// its number has bits.
	maxProof = 64
)

// bundleHashes are the digest algorithms of message signatures that count.
var bundleHashes = map[protocommon.HashAlgorithm]crypto.Hash{
	protocommon.HashAlgorithm_SHA2_256: crypto.SHA256,
	protocommon.HashAlgorithm_SHA2_384: crypto.SHA384,
	protocommon.HashAlgorithm_SHA2_512: crypto.SHA512,
}

// sigstoreBundle is a well-made bundle with a signature over bytes.
type sigstoreBundle struct {
	*bundle.Bundle
	leaf      *x509.Certificate // nil where a key signed
	hint      string            // which key
	hash      crypto.Hash
	digest    []byte // as the bundle says it; anybody's word
	signature []byte
}

// bundleError says why a file is no bundle that can be judged.
type bundleError struct {
	verdict verifier.Verdict
	code    string
	msg     string
	fix     string
}

func (e *bundleError) Error() string { return e.msg }

const fixBundle = "sign again, or remove the bundle if the file is to go without it"

func malformedBundle(format string, args ...any) error {
	return &bundleError{verifier.Malformed, "bundle-malformed", fmt.Sprintf(format, args...), fixBundle}
}

func unsupportedBundle(format string, args ...any) error {
	return &bundleError{verifier.Unsupported, "bundle-unsupported", fmt.Sprintf(format, args...), fixBundle}
}

// readBundle takes a bundle apart: first our own look at its form, then the
// library's reader, then what must hold for a signature over bytes. It fails with
// *bundleError.
func readBundle(data []byte) (*sigstoreBundle, error) {
	if len(data) == 0 {
		return nil, malformedBundle("the file is empty")
	}
	if err := strictjson.Check(data, maxBundle); err != nil {
		return nil, malformedBundle("it is no JSON document of one meaning: %v", err)
	}
	if err := bundleKind(data); err != nil {
		return nil, err
	}
	b := &sigstoreBundle{Bundle: &bundle.Bundle{}}
	if err := b.UnmarshalJSON(data); err != nil {
		if errors.Is(err, bundle.ErrUnsupportedMediaType) {
			return nil, unsupportedBundle("its media type is none of those of versions 0.1 to 0.3")
		}
		return nil, malformedBundle("%v", err)
	}
	if err := b.readSignature(); err != nil {
		return nil, err
	}
	if err := b.readEvidence(); err != nil {
		return nil, err
	}
	return b, b.readSigner()
}

// bundleKind refuses the kinds of documents that are something else, in clear
// words: the library would call them malformed, or judge something else than the
// bytes of the file.
func bundleKind(data []byte) error {
	var head map[string]json.RawMessage
	if err := json.Unmarshal(data, &head); err != nil {
		return malformedBundle("it is no JSON object")
	}
	if head["base64Signature"] != nil || head["rekorBundle"] != nil {
		return unsupportedBundle("it is in the form that cosign wrote before version 3: sign with --new-bundle-format")
	}
	if head["dsseEnvelope"] != nil || head["dsse_envelope"] != nil {
		return unsupportedBundle("it holds an attestation (a DSSE envelope), which says something about a file: only a signature over the file's bytes counts here")
	}
	return nil
}

func (b *sigstoreBundle) readSignature() error {
	content, ok := b.Content.(*protobundle.Bundle_MessageSignature)
	if !ok || content.MessageSignature == nil {
		return malformedBundle("it holds no signature over bytes")
	}
	message := content.MessageSignature
	b.signature, b.digest = message.GetSignature(), message.GetMessageDigest().GetDigest()
	algorithm := message.GetMessageDigest().GetAlgorithm()
	if b.hash, ok = bundleHashes[algorithm]; !ok {
		return unsupportedBundle("its digest algorithm is %s: SHA2_256, SHA2_384 and SHA2_512 count, and cosign's signatures with Ed25519 keys name none", algorithm)
	}
	switch {
	case len(b.digest) != b.hash.Size():
		return malformedBundle("its digest has %d bytes, %s has %d", len(b.digest), algorithm, b.hash.Size())
	case len(b.signature) == 0, len(b.signature) > maxBundleSignature:
		return malformedBundle("its signature has %d bytes: 1 to %d are possible", len(b.signature), maxBundleSignature)
	}
	return nil
}

// readEvidence looks at the log entries and timestamps, without judging them.
func (b *sigstoreBundle) readEvidence() error {
	entries := b.VerificationMaterial.GetTlogEntries()
	stamps := b.VerificationMaterial.GetTimestampVerificationData().GetRfc3161Timestamps()
	if len(entries) > maxBundleEvidence || len(stamps) > maxBundleEvidence {
		return malformedBundle("it has %d log entries and %d timestamps: at most %d of each are possible", len(entries), len(stamps), maxBundleEvidence)
	}
	for _, e := range entries {
		if kind := e.GetKindVersion().GetKind(); kind != "hashedrekord" {
			return malformedBundle("a log entry is of the kind %q: that of a signature over bytes is hashedrekord", kind)
		}
		proof := e.GetInclusionProof()
		if size := len(proof.GetCheckpoint().GetEnvelope()); size > maxCheckpoint || len(proof.GetHashes()) > maxProof {
			return malformedBundle("a log entry has a checkpoint of %d bytes and a proof of %d hashes: at most %d and %d are possible", size, len(proof.GetHashes()), maxCheckpoint, maxProof)
		}
	}
	return nil
}

// readSigner reads the certificate, or which key signed.
func (b *sigstoreBundle) readSigner() error {
	content, err := b.VerificationContent()
	if err != nil {
		return malformedBundle("%v", err)
	}
	if b.leaf = content.Certificate(); b.leaf != nil {
		if b.leaf.IsCA {
			return malformedBundle("its certificate is that of an authority")
		}
		return nil
	}
	key := content.PublicKey()
	if key == nil {
		return malformedBundle("it names neither a certificate nor a key")
	}
	if b.hint = key.Hint(); len(b.hint) > maxBundleHint || strings.ContainsFunc(b.hint, func(r rune) bool { return r < ' ' || r > '~' }) {
		return malformedBundle("its key hint is longer than %d bytes, or not printable ASCII", maxBundleHint)
	}
	return nil
}

// isBundle says whether data calls itself a Sigstore bundle, well made or not.
func isBundle(data []byte) bool {
	var head struct {
		MediaType string `json:"mediaType"`
	}
	return len(data) <= maxBundle && json.Unmarshal(data, &head) == nil && strings.HasPrefix(head.MediaType, bundleMediaType)
}

const bundleMediaType = "application/vnd.dev.sigstore.bundle"
