//go:build !nosigstore

package format

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/runwrit/writ/internal/sigstoreclient"
)

// LogClient has a transparency log make entries.
type LogClient = sigstoreclient.Rekor

// evidence is what others say of a signature: that they have seen it, and when.
type bundleEvidence struct {
	TlogEntries               []json.RawMessage `json:"tlogEntries,omitempty"`
	TimestampVerificationData *struct {
		RFC3161Timestamps []signedTimestamp `json:"rfc3161Timestamps"`
	} `json:"timestampVerificationData,omitempty"`
}

type signedTimestamp struct {
	SignedTimestamp []byte `json:"signedTimestamp"`
}

// evidence asks for what is wanted: a timestamp of the signature, and an entry of
// it in a log. What comes is not judged here but by the verifier.
func (s *Sigstore) evidence(ctx context.Context, m *messageSignature, leaf *x509.Certificate, public []byte) (e bundleEvidence, err error) {
	if s.Timestamp != nil {
		token, err := s.Timestamp(ctx, m.Signature)
		if err != nil {
			return e, err
		}
		if token != nil {
			if err := e.addTimestamp(token); err != nil {
				return e, err
			}
		}
	}
	if s.Log == nil {
		return e, nil
	}
	b := &protobundle.Bundle{
		VerificationMaterial: &protobundle.VerificationMaterial{},
		Content: &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
			MessageDigest: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm(protocommon.HashAlgorithm_value[m.MessageDigest.Algorithm]), Digest: m.MessageDigest.Digest},
			Signature:     m.Signature,
		}},
	}
	block := &pem.Block{Type: "PUBLIC KEY", Bytes: public}
	if leaf != nil {
		block = &pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}
		b.VerificationMaterial.Content = &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: leaf.Raw}}
	}
	entry, err := s.Log.Entry(ctx, pem.EncodeToMemory(block), b)
	if err != nil {
		return e, err
	}
	data, err := protojson.Marshal(entry)
	if err != nil {
		return e, fmt.Errorf("the log entry cannot be written: %w", err)
	}
	e.TlogEntries = []json.RawMessage{data}
	return e, nil
}

// addTimestamp puts the token into the answer of an authority that says no more
// than that all is well (RFC 3161, 2.4.2), which is what a bundle holds.
func (e *bundleEvidence) addTimestamp(token []byte) error {
	answer, err := asn1.Marshal(struct {
		Status struct{ Status int }
		Token  asn1.RawValue
	}{Token: asn1.RawValue{FullBytes: token}})
	if err != nil {
		return fmt.Errorf("the timestamp cannot be written: %w", err)
	}
	e.TimestampVerificationData = &struct {
		RFC3161Timestamps []signedTimestamp `json:"rfc3161Timestamps"`
	}{[]signedTimestamp{{answer}}}
	return nil
}

// HasEvidence says whether a bundle beside the runbook carries a timestamp, and
// whether it carries an entry of a log. Who made them is the verifier's question.
func HasEvidence(bundle []byte) (stamped, logged bool) {
	b, err := readBundle(bundle)
	if err != nil {
		return false, false
	}
	m := b.VerificationMaterial
	return len(m.GetTimestampVerificationData().GetRfc3161Timestamps()) > 0, len(m.GetTlogEntries()) > 0
}
