//go:build !nosigstore

package testsigstore

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/tls"
)

// ctLog is a stand-in for a log of certificates (RFC 6962): it signs the promise to
// log whatever it is given, and logs nothing.
type ctLog struct {
	url string
	key *ecdsa.PrivateKey
}

func newCTLog(t testing.TB) *ctLog {
	t.Helper()
	l := &ctLog{key: newKey(t)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ct/v1/add-pre-chain", l.addPreChain)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	l.url = server.URL
	return l
}

func (l *ctLog) addPreChain(w http.ResponseWriter, r *http.Request) {
	answer, err := l.promise(r)
	if err != nil {
		http.Error(w, err.Error(), 400)
		return
	}
	writeJSON(w, 200, answer)
}

func (l *ctLog) promise(r *http.Request) (*ct.AddChainResponse, error) {
	var request ct.AddChainRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return nil, err
	}
	chain := make([]ct.ASN1Cert, len(request.Chain))
	for i, der := range request.Chain {
		chain[i] = ct.ASN1Cert{Data: der}
	}
	now := uint64(time.Now().UnixMilli())
	leaf, err := ct.MerkleTreeLeafFromRawChain(chain, ct.PrecertLogEntryType, now)
	if err != nil {
		return nil, err
	}
	sct := ct.SignedCertificateTimestamp{SCTVersion: ct.V1, LogID: ct.LogID{KeyID: keyID(&l.key.PublicKey)}, Timestamp: now}
	input, err := ct.SerializeSCTSignatureInput(sct, ct.LogEntry{Leaf: *leaf})
	if err != nil {
		return nil, err
	}
	value, err := sign(l.key, input)
	if err != nil {
		return nil, err
	}
	signature, err := tls.Marshal(tls.DigitallySigned{
		Algorithm: tls.SignatureAndHashAlgorithm{Hash: tls.SHA256, Signature: tls.ECDSA}, Signature: value,
	})
	if err != nil {
		return nil, err
	}
	return &ct.AddChainResponse{SCTVersion: ct.V1, ID: sct.LogID.KeyID[:], Timestamp: now, Signature: signature}, nil
}

// keyID is how a log is named: the digest of its public key.
func keyID(key *ecdsa.PublicKey) [32]byte {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		panic(err) // a key of a known curve
	}
	return sha256.Sum256(der)
}
