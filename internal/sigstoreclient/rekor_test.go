//go:build !nosigstore

package sigstoreclient_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"

	"github.com/runwrit/writ/internal/endpoint"
	"github.com/runwrit/writ/internal/sigstoreclient"
)

// answering is a log that always says the same.
type answering struct {
	status int
	body   []byte
	asked  []*http.Request
	sent   []byte
}

// RoundTrip keeps what was asked.
func (a *answering) RoundTrip(req *http.Request) (*http.Response, error) {
	a.asked = append(a.asked, req)
	if req.Body != nil {
		a.sent, _ = io.ReadAll(req.Body)
	}
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(a.body)), Request: req}, nil
}

func rekor(t testing.TB, version int, a *answering) *sigstoreclient.Rekor {
	t.Helper()
	u, err := endpoint.ParseURL("rekor", "https://rekor.example/log/")
	if err != nil {
		t.Fatal(err)
	}
	return &sigstoreclient.Rekor{URL: u, Version: version, Endpoint: endpoint.Options{Transport: a, Wait: func(context.Context, time.Duration) error { return nil }}}
}

// signed is a bundle with a signature, and the key that made it.
func signed(t testing.TB) (public []byte, b func() *protobundle.Bundle) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("echo\n"))
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), func() *protobundle.Bundle {
		return &protobundle.Bundle{VerificationMaterial: &protobundle.VerificationMaterial{}, Content: &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
			MessageDigest: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: digest[:]}, Signature: signature,
		}}}
	}
}

const entryV2 = `{"logIndex":"7","logId":{"keyId":"AAAA"},"kindVersion":{"kind":"hashedrekord","version":"0.0.2"},"inclusionProof":{"logIndex":"7","rootHash":"AAAA","treeSize":"8","hashes":[],"checkpoint":{"envelope":"x"}},"canonicalizedBody":"e30="}`

// TestVersion2IsAskedInItsOwnWords: what it answers goes into the bundle as it is.
func TestVersion2IsAskedInItsOwnWords(t *testing.T) {
	t.Parallel()
	public, b := signed(t)
	log := &answering{status: 201, body: []byte(entryV2)}
	entry, err := rekor(t, 2, log).Entry(t.Context(), public, b())
	if err != nil || entry.GetLogIndex() != 7 || entry.GetKindVersion().GetVersion() != "0.0.2" {
		t.Fatalf("%v, %v", entry, err)
	}
	if got := log.asked[0]; got.Method != http.MethodPost || got.URL.String() != "https://rekor.example/log/api/v2/log/entries" || !bytes.Contains(log.sent, []byte("hashedRekordRequestV002")) {
		t.Errorf("%s %s: %s", got.Method, got.URL, log.sent)
	}
}

func TestAnEntryThatVersion2HasAlreadyIsNotMadeUp(t *testing.T) {
	t.Parallel()
	public, b := signed(t)
	_, err := rekor(t, 2, &answering{status: 409, body: []byte("an equivalent entry already exists")}).Entry(t.Context(), public, b())
	var known *endpoint.Error
	if !errors.As(err, &known) || !strings.Contains(err.Error(), "sign again") {
		t.Fatal(err)
	}
}

// FuzzEntry: no answer of a log makes the client panic, or ask somewhere else.
func FuzzEntry(f *testing.F) {
	public, b := signed(f)
	f.Add(1, 201, []byte(`{"id":{"body":"e30=","integratedTime":1,"logID":"00","logIndex":1,"verification":{"signedEntryTimestamp":"AAAA","inclusionProof":{"checkpoint":"x","hashes":[],"logIndex":1,"rootHash":"00","treeSize":1}}}}`))
	f.Add(1, 201, []byte(`{"id":{"verification":{}}}`))
	f.Add(1, 409, []byte(`{}`))
	f.Add(2, 201, []byte(entryV2))
	f.Add(2, 201, []byte(`{"logId":null}`))
	f.Fuzz(func(t *testing.T, version, status int, answer []byte) {
		log := &answering{status: status, body: answer}
		entry, err := rekor(t, 1+version&1, log).Entry(t.Context(), public, b())
		if err == nil && entry == nil {
			t.Error("neither an entry nor an error")
		}
		for _, r := range log.asked {
			if r.URL.Host != "rekor.example" {
				t.Errorf("%s was asked", r.URL)
			}
		}
	})
}
