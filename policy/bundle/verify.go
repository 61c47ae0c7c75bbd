package bundle

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	opa "github.com/open-policy-agent/opa/v1/bundle"
)

// Verify reads a bundle and checks its signatures: the one that OPA knows, by our
// own rules and then by OPA's, and the detached ones, nil for none. As many
// owners as the trust demands must have signed. It fails with *RefusedError.
func Verify(data, detached []byte, t *Trust) (*Bundle, error) {
	if t == nil || t.threshold < 1 || len(t.keys) == 0 {
		return nil, errors.New("verify a bundle: no keys are listed, so that nothing could be good")
	}
	b, err := ReadUnverified(data)
	if err != nil {
		return nil, err
	}
	key, err := b.verifyToken(t)
	if err != nil {
		return nil, err
	}
	if err := verifyAsOPA(data, key); err != nil {
		return nil, err
	}
	b.signers = []string{key.Owner}
	if detached != nil {
		more, err := b.verifyEnvelope(detached, t)
		if err != nil {
			return nil, err
		}
		for _, k := range more {
			b.signers = append(b.signers, k.Owner)
		}
	}
	slices.Sort(b.signers)
	b.signers = slices.Compact(b.signers)
	if len(b.signers) < t.threshold {
		return nil, refuse(CodeThreshold, "it is signed by %s, and %d different people must have signed", strings.Join(b.signers, ", "), t.threshold)
	}
	return b, nil
}

// verifyAsOPA has OPA verify the bundle, with one key and nothing else.
func verifyAsOPA(data []byte, k Key) error {
	text, err := k.pem()
	if err != nil {
		return err
	}
	keys := map[string]*opa.KeyConfig{k.id: {Key: text, Algorithm: string(k.alg)}}
	reader := opa.NewCustomReader(opa.NewTarballLoaderWithBaseURL(bytes.NewReader(data), "")).
		WithBundleVerificationConfig(opa.NewVerificationConfig(keys, k.id, "", nil)).
		WithSizeLimitBytes(MaxUnpacked).WithRegoVersion(ast.RegoV1)
	if _, err := reader.Read(); err != nil {
		return refuse(CodeSignature, "Open Policy Agent refuses it: %v", err)
	}
	return nil
}
