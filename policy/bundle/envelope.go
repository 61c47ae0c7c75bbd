package bundle

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/runwrit/writ/internal/strictjson"
)

// EnvelopeExt is what the name of a file of detached signatures adds to that of
// its bundle.
const EnvelopeExt = ".dsse"

// payloadType is what the detached signatures say that they sign.
const payloadType = "application/vnd.writ.policy-bundle.v1+json"

// envelope is a file of detached signatures: one DSSE envelope.
type envelope struct {
	Payload     string              `json:"payload"`
	PayloadType string              `json:"payloadType"`
	Signatures  []envelopeSignature `json:"signatures"`
}

type envelopeSignature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"`
}

// statement is what is signed: that this very file is that edition.
type statement struct {
	Version int    `json:"version"`
	Name    string `json:"name"`
	Epoch   uint64 `json:"epoch"`
	SHA256  string `json:"sha256"`
}

// statement is the payload of the envelope of a bundle; it has one form.
func (b *Bundle) statement() ([]byte, error) {
	return json.Marshal(statement{1, b.meta.Name, b.meta.Epoch, b.digest.String()})
}

// preAuthentication is what a DSSE signature covers.
func preAuthentication(payload []byte) []byte {
	head := "DSSEv1 " + strconv.Itoa(len(payloadType)) + " " + payloadType + " " + strconv.Itoa(len(payload)) + " "
	return append([]byte(head), payload...)
}

// Countersign returns the detached signatures of a signed bundle with one more.
// Beside holds those that there are; nil for none. It fails with *RefusedError
// where the bundle is not signed, where beside belongs to another bundle, and
// where the key has signed already.
func Countersign(data, beside []byte, private crypto.Signer) ([]byte, error) {
	b, err := ReadUnverified(data)
	if err != nil {
		return nil, err
	}
	key, err := keyOf(private.Public())
	if err != nil {
		return nil, fmt.Errorf("countersign the bundle: the key is %w", err)
	}
	if b.signed == nil {
		return nil, refuse(CodeUnsigned, "it has no %s: it must be signed first", signaturesName)
	}
	payload, err := b.statement()
	if err != nil {
		return nil, err
	}
	doc := &envelope{Payload: base64.StdEncoding.EncodeToString(payload), PayloadType: payloadType}
	if beside != nil {
		if doc, err = b.parseEnvelope(beside); err != nil {
			return nil, err
		}
	}
	for _, s := range doc.Signatures {
		if s.KeyID == key.id {
			return nil, refuse(CodeSignature, "this key has signed already")
		}
	}
	signature, err := key.sign(private, preAuthentication(payload))
	if err != nil {
		return nil, fmt.Errorf("countersign the bundle: %w", err)
	}
	doc.Signatures = append(doc.Signatures, envelopeSignature{key.id, base64.StdEncoding.EncodeToString(signature)})
	text, err := json.MarshalIndent(doc, "", "  ")
	return append(text, '\n'), err
}

// parseEnvelope reads detached signatures and holds them to the bundle.
func (b *Bundle) parseEnvelope(data []byte) (*envelope, error) {
	var doc envelope
	if err := strictjson.Decode(data, MaxEnvelope, &doc); err != nil {
		return nil, refuse(CodeMalformed, "its detached signatures are no DSSE envelope: %v", err)
	}
	payload, err := b.statement()
	if err != nil {
		return nil, err
	}
	found, err := base64.StdEncoding.Strict().DecodeString(doc.Payload)
	switch {
	case err != nil || doc.PayloadType != payloadType || len(doc.Signatures) > MaxSigners:
		return nil, refuse(CodeMalformed, "its detached signatures are not of the type %s, or too many", payloadType)
	case !bytes.Equal(found, payload):
		return nil, refuse(CodeSignature, "its detached signatures are for another bundle")
	}
	return &doc, nil
}

// verifyEnvelope returns the keys whose detached signatures are good. Those of
// keys that are not listed do not count; one of a listed key that is not good
// is an error.
func (b *Bundle) verifyEnvelope(data []byte, t *Trust) ([]Key, error) {
	doc, err := b.parseEnvelope(data)
	if err != nil {
		return nil, err
	}
	payload, err := b.statement()
	if err != nil {
		return nil, err
	}
	var keys []Key
	for _, s := range doc.Signatures {
		key, ok := t.key(s.KeyID)
		if !ok {
			continue
		}
		signature, err := base64.StdEncoding.Strict().DecodeString(s.Sig)
		if err != nil || !key.verifyDER(preAuthentication(payload), signature) {
			return nil, refuse(CodeSignature, "the detached signature of %s is not good", key.Owner)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
