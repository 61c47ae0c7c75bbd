package bundle_test

import (
	"bytes"
	"compress/gzip"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"

	"github.com/runwrit/writ/policy/bundle"
)

// What several lines of defence would refuse is refused by the one that is for it:
// none of them leans on another.

func TestAttackOnEachRuleOfTheToken(t *testing.T) {
	t.Parallel()
	alice := newSigner(t, "alice", "p256")
	signed := alice.sign(t, build(t, contents(1)))
	header, payload, signature := token(t, signed)
	files, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	list, id := string(files), alice.key(t).ID()
	for words, tok := range map[string]string{
		"the key of alice is for ES256": encode(`{"alg":"EdDSA","kid":"`+id+`"}`) + "." + payload + "." + signature,
		"not in the one form":           header + "." + encode(list+" ") + "." + signature,
		"is listed twice":               header + "." + encode(strings.Replace(list, `[{`, `[{"name":".manifest","hash":"","algorithm":"SHA-256"},{`, 1)) + "." + signature,
		`of the kind "MD5"`:             header + "." + encode(strings.Replace(list, "SHA-256", "MD5", 1)) + "." + signature,
		"not by the key of alice":       header + "." + payload + "." + signature[:9] + `\n` + signature[9:],
		"not by the key":                header + "." + payload + "." + encode(string(raw[:32])+"\x00"+string(raw[32:])),
	} {
		_, err := bundle.Verify(withTokens(t, signed, "", tok), nil, trust(t, 1, alice))
		mustRefuse(t, err, bundle.CodeSignature, words)
	}
}

// TestAttackRegoThatOPACannotRead: somebody signed it, and opa has the last word.
func TestAttackRegoThatOPACannotRead(t *testing.T) {
	t.Parallel()
	alice := newSigner(t, "alice", "ed25519")
	broken := change(t, build(t, contents(1)), "policy/friday.rego", func([]byte) []byte { return []byte("package writ.user.friday\n\ndeny :=") })
	_, err := bundle.Verify(alice.sign(t, broken), nil, trust(t, 1, alice))
	mustRefuse(t, err, bundle.CodeSignature, "Open Policy Agent refuses it")
}

// TestAttackEmptyBytesBehindABundle: nothing more is in it, and it is longer.
func TestAttackEmptyBytesBehindABundle(t *testing.T) {
	t.Parallel()
	data := build(t, contents(1))
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	archive, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	packed := func(content []byte) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	if _, err := bundle.ReadUnverified(packed(archive)); err != nil {
		t.Fatal(err)
	}
	_, err = bundle.ReadUnverified(append(bytes.Clone(data), packed(nil)...))
	mustRefuse(t, err, bundle.CodeMalformed, "follow its end")
	_, err = bundle.ReadUnverified(packed(append(archive, make([]byte, 1024)...)))
	mustRefuse(t, err, bundle.CodeMalformed, "not in the one form")
}

func TestAttackKeysThatAreTooWeakOrSayMore(t *testing.T) {
	t.Parallel()
	alice, second := newSigner(t, "alice", "p256"), newSigner(t, "alice", "ed25519")
	if _, err := bundle.NewTrust(2, alice.key(t), second.key(t)); err == nil {
		t.Error("two keys of one owner can be two people")
	}
	short := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1535, 1), E: 65537}
	der, err := x509.MarshalPKIXPublicKey(short)
	if err != nil {
		t.Fatal(err)
	}
	block := &pem.Block{Type: "PUBLIC KEY", Bytes: der}
	if _, err := bundle.NewKey("alice", pem.EncodeToMemory(block)); err == nil || !strings.Contains(err.Error(), "1536 bits") {
		t.Errorf("an RSA key of 1536 bits: %v", err)
	}
	block, _ = pem.Decode(alice.pem(t))
	block.Headers = map[string]string{"Owner": "eve"}
	_, err = bundle.NewKey("alice", pem.EncodeToMemory(block))
	var refused *bundle.RefusedError
	if err == nil || errors.As(err, &refused) {
		t.Errorf("a key with headers: %v", err)
	}
}
