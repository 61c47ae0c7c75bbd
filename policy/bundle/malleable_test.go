package bundle_test

import (
	"crypto/elliptic"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"github.com/runwrit/writ/policy/bundle"
)

// Whoever has no key must not be able to make a second bundle of one that is
// signed: it would have another digest, and a bundle that was withdrawn would come
// back as one that was not.

// TestAttackMirroredECDSASignature: of a signature (r, s) anybody can make (r, n-s).
func TestAttackMirroredECDSASignature(t *testing.T) {
	t.Parallel()
	alice := newSigner(t, "alice", "p256")
	for range 8 { // a coin decides which of the two a signature is
		signed := alice.sign(t, build(t, contents(1)))
		if _, err := bundle.Verify(signed, nil, trust(t, 1, alice)); err != nil {
			t.Fatal(err)
		}
		header, payload, signature := token(t, signed)
		raw, err := base64.RawURLEncoding.DecodeString(signature)
		if err != nil {
			t.Fatal(err)
		}
		s := new(big.Int).SetBytes(raw[32:])
		s.Sub(elliptic.P256().Params().N, s).FillBytes(raw[32:])
		mirrored := withTokens(t, signed, "", header+"."+payload+"."+base64.RawURLEncoding.EncodeToString(raw))
		_, err = bundle.Verify(mirrored, nil, trust(t, 1, alice))
		mustRefuse(t, err, bundle.CodeSignature, "not by the key of alice")
	}
}

// TestAttackLineBreaksInTheToken: decoders of base64 pass over them.
func TestAttackLineBreaksInTheToken(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"p256", "rsa", "ed25519"} {
		alice := newSigner(t, "alice", kind)
		signed := alice.sign(t, build(t, contents(1)))
		header, payload, signature := token(t, signed)
		for _, gap := range []string{`\n`, `\r`, `\r\n`} {
			for name, tok := range map[string]string{
				"behind":               header + "." + payload + "." + signature + gap,
				"in the signature":     header + "." + payload + "." + signature[:7] + gap + signature[7:],
				"before the signature": header + "." + payload + "." + gap + signature,
				"in the list":          header + "." + payload[:9] + gap + payload[9:] + "." + signature,
				"in the header":        header[:9] + gap + header[9:] + "." + payload + "." + signature,
			} {
				if _, err := bundle.Verify(withTokens(t, signed, "", tok), nil, trust(t, 1, alice)); err == nil {
					t.Errorf("%s: %s %s: accepted", kind, gap, name)
				}
			}
		}
	}
}

// TestAttackEndlessListOfTokens: it is read before anything is known about who made
// it.
func TestAttackEndlessListOfTokens(t *testing.T) {
	t.Parallel()
	alice := newSigner(t, "alice", "ed25519")
	signed := alice.sign(t, build(t, contents(1)))
	for name, text := range map[string]string{
		"tokens":    `{"signatures":["a"` + strings.Repeat(`,"a"`, 700_000) + `]}`,
		"one token": `{"signatures":["` + strings.Repeat("a", 3<<20) + `"]}`,
	} {
		big := change(t, signed, ".signatures.json", func([]byte) []byte { return []byte(text) })
		_, err := bundle.Verify(big, nil, trust(t, 1, alice))
		t.Log(name)
		mustRefuse(t, err, bundle.CodeMalformed, ".signatures.json has")
	}
}

// TestAttackApprovalThatOPAReads: a file that opa takes for data, Rego or code is
// no approval, whoever signed it; and of data the token covers the meaning only.
func TestAttackApprovalThatOPAReads(t *testing.T) {
	t.Parallel()
	alice := newSigner(t, "alice", "ed25519")
	for name, content := range map[string]string{
		"approvals/data.json":   "{}",
		"approvals/data.yaml":   "{}",
		"approvals/data.yml":    "{}",
		"approvals/gate.rego":   "package writ.gate\n",
		"approvals/policy.wasm": "x",
		"approvals/plan.json":   "{}",
		"approvals/patch.json":  "{}",
		"approvals/statement":   "x",
	} {
		c := contents(1)
		c.Approvals[0].Name, c.Approvals[0].Data = strings.TrimPrefix(name, "approvals/"), []byte(content)
		_, err := bundle.Build(c)
		mustRefuse(t, err, bundle.CodeMalformed, "does not belong in a bundle")
		other := putTogether(t, append([]entry{takeApart(t, build(t, contents(1)))[0], regular(name, []byte(content))}, takeApart(t, build(t, contents(1)))[2:]...))
		_, err = bundle.Verify(other, nil, trust(t, 1, alice))
		mustRefuse(t, err, bundle.CodeMalformed, "does not belong in a bundle")
	}
}
