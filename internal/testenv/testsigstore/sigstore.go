//go:build !nosigstore

package testsigstore

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"testing"
	"time"
)

// Sigstore is all of it.
type Sigstore struct {
	// People and Jobs issue tokens that Fulcio takes: with addresses, and as those
	// of GitHub Actions. For the jobs of OldJobs it writes names as it did before it
	// was told about pipelines.
	People, Jobs, OldJobs *Issuer
	Fulcio                string
	Rekor                 *Rekor

	fulcio *fulcio
	ctLog  *ctLog
}

// Start starts it. It ends with the test.
func Start(t testing.TB) *Sigstore {
	t.Helper()
	s := &Sigstore{People: NewIssuer(t), Jobs: NewIssuer(t), OldJobs: NewIssuer(t), Rekor: NewRekor(t), ctLog: newCTLog(t)}
	s.fulcio = startFulcio(t, s.People.URL, s.Jobs.URL, s.OldJobs.URL, s.ctLog)
	s.Fulcio = s.fulcio.url
	return s
}

// TrustedRoot is the document that trusts all of it, and the timestamp authority
// with this chain in PEM, if there is one.
func (s *Sigstore) TrustedRoot(t testing.TB, tsa []byte) []byte {
	t.Helper()
	valid := map[string]any{"start": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)}
	document := map[string]any{
		"mediaType":              "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		"tlogs":                  []any{logInstance("https://rekor.localhost", s.Rekor.key, valid)},
		"ctlogs":                 []any{logInstance(s.ctLog.url, &s.ctLog.key.PublicKey, valid)},
		"certificateAuthorities": []any{authority(s.Fulcio, s.fulcio.chain, valid)},
	}
	if tsa != nil {
		var chain [][]byte
		for block, rest := pem.Decode(tsa); block != nil; block, rest = pem.Decode(rest) {
			chain = append(chain, block.Bytes)
		}
		document["timestampAuthorities"] = []any{authority("https://tsa.localhost", chain, valid)}
	}
	data, err := json.MarshalIndent(document, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func logInstance(url string, key *ecdsa.PublicKey, valid any) map[string]any {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		panic(err) // a key of a known curve
	}
	id := keyID(key)
	return map[string]any{
		"baseUrl": url, "hashAlgorithm": "SHA2_256", "logId": map[string]any{"keyId": id[:]},
		"publicKey": map[string]any{"rawBytes": der, "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": valid},
	}
}

func authority(url string, chain [][]byte, valid any) map[string]any {
	var certificates []any
	for _, der := range chain {
		certificates = append(certificates, map[string]any{"rawBytes": der})
	}
	return map[string]any{
		"uri": url, "subject": map[string]any{"organization": "test", "commonName": "test"}, "certChain": map[string]any{"certificates": certificates}, "validFor": valid,
	}
}

func newReader(data []byte) io.Reader { return bytes.NewReader(data) }

// Pipeline starts a service that gives tokens as the runner of GitHub Actions does,
// for the job of Workflow. It returns its address.
func (s *Sigstore) Pipeline(t testing.TB, repository, file string) string {
	t.Helper()
	return s.Jobs.pipeline(t, func() string { return s.Jobs.Workflow(t, repository, file) })
}
