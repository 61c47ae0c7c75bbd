//go:build !nosigstore

package testsigstore

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-openapi/runtime"
	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/rekor/pkg/types"
	_ "github.com/sigstore/rekor/pkg/types/hashedrekord/v0.0.1" // the one kind of entry
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
)

// Rekor is a stand-in for the log, in the form of version 1: Rekor's own code reads
// an entry and verifies its signature, sigstore-go's virtual log signs it, each as
// the only one of its tree.
type Rekor struct {
	URL string
	// Change, if set, changes an answer before it is sent: a log that lies.
	Change  func(entry map[string]any)
	virtual *ca.VirtualSigstore
	key     *ecdsa.PublicKey
}

// NewRekor starts one. It ends with the test.
func NewRekor(t testing.TB) *Rekor {
	t.Helper()
	virtual, err := ca.NewVirtualSigstore()
	if err != nil {
		t.Fatal(err)
	}
	r := &Rekor{virtual: virtual}
	for _, log := range virtual.RekorLogs() {
		r.key = log.PublicKey.(*ecdsa.PublicKey)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/log/entries", func(w http.ResponseWriter, req *http.Request) {
		entry, err := r.add(req)
		if err != nil {
			writeJSON(w, 400, map[string]any{"code": 400, "message": err.Error()})
			return
		}
		id := "0123456789abcdef" + hex.EncodeToString(make([]byte, 32))
		w.Header().Set("ETag", id)
		w.Header().Set("Location", "/api/v1/log/entries/"+id)
		writeJSON(w, 201, map[string]any{id: entry})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	r.URL = server.URL
	return r
}

func (r *Rekor) add(req *http.Request) (map[string]any, error) {
	proposed, err := models.UnmarshalProposedEntry(io.LimitReader(req.Body, 1<<20), runtime.JSONConsumer())
	if err != nil {
		return nil, err
	}
	read, err := types.UnmarshalEntry(proposed) // verifies the signature
	if err != nil {
		return nil, err
	}
	body, err := types.CanonicalizeEntry(req.Context(), read)
	if err != nil {
		return nil, err
	}
	id := keyID(r.key)
	payload := tlog.RekorPayload{Body: base64.StdEncoding.EncodeToString(body), IntegratedTime: time.Now().Unix(), LogIndex: 7, LogID: hex.EncodeToString(id[:])}
	promise, err := r.virtual.RekorSignPayload(payload)
	if err != nil {
		return nil, err
	}
	proof, err := r.virtual.GetInclusionProof(body)
	if err != nil {
		return nil, err
	}
	entry := map[string]any{
		"body": payload.Body, "integratedTime": payload.IntegratedTime, "logID": payload.LogID, "logIndex": payload.LogIndex,
		"verification": map[string]any{"inclusionProof": proof, "signedEntryTimestamp": promise},
	}
	if r.Change != nil {
		r.Change(entry)
	}
	return entry, nil
}

// Entry has the log make an entry as it would be asked to, for another artifact
// than the one that a test signs.
func (r *Rekor) Entry(t testing.TB, key *ecdsa.PrivateKey, publicPEM, artifact []byte) map[string]any {
	t.Helper()
	signature, err := sign(key, artifact)
	if err != nil {
		t.Fatal(err)
	}
	proposed, err := json.Marshal(map[string]any{"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": map[string]any{
		"data":      map[string]any{"hash": map[string]any{"algorithm": "sha256", "value": fmt.Sprintf("%x", sha256.Sum256(artifact))}},
		"signature": map[string]any{"content": signature, "publicKey": map[string]any{"content": publicPEM}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	change := r.Change
	r.Change = nil
	defer func() { r.Change = change }()
	entry, err := r.add(httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", newReader(proposed)))
	if err != nil {
		t.Fatal(err)
	}
	return entry
}
