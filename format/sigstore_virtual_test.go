//go:build !nosigstore

package format_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	rekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/runwrit/writ/verifier"
)

// TestBundlesOfTheLibrarysOwnSigstore: its virtual one, which lives by the clock of
// the machine, does not log certificates and gives no proofs.
func TestBundlesOfTheLibrarysOwnSigstore(t *testing.T) {
	t.Parallel()
	virtual, err := ca.NewVirtualSigstore()
	if err != nil {
		t.Fatal(err)
	}
	// Made by hand: the library writes IDs of logs in another form than it reads.
	logs := virtual.RekorLogs()
	for id, log := range logs {
		log.ID = mustHex(t, id)
	}
	material, err := root.NewTrustedRoot(root.TrustedRootMediaType01, virtual.FulcioCertificateAuthorities(), nil, virtual.TimestampingAuthorities(), logs)
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := material.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	const issuer, alice = "https://login.example", "alice@contoso.example"
	entity, err := virtual.SignAtTime(alice, issuer, sigstoreScript, time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	content, err := entity.VerificationContent()
	if err != nil {
		t.Fatal(err)
	}
	value, err := entity.SignatureContent()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := entity.TlogEntries()
	if err != nil {
		t.Fatal(err)
	}
	stamps, err := entity.Timestamps()
	if err != nil {
		t.Fatal(err)
	}
	line := entries[0].TransparencyLogEntry()
	line.KindVersion = &rekor.KindVersion{Kind: "hashedrekord", Version: "0.0.1"}
	line.InclusionPromise = promise(t, virtual, line)
	entry, err := protojson.Marshal(line)
	if err != nil {
		t.Fatal(err)
	}
	message := value.MessageSignatureContent()
	bundle, err := json.Marshal(map[string]any{
		"mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1",
		"verificationMaterial": map[string]any{
			"x509CertificateChain":      map[string]any{"certificates": []any{map[string]any{"rawBytes": content.Certificate().Raw}}},
			"tlogEntries":               []any{json.RawMessage(entry)},
			"timestampVerificationData": map[string]any{"rfc3161Timestamps": []any{map[string]any{"signedTimestamp": stamps[0]}}},
		},
		"messageSignature": map[string]any{"messageDigest": map[string]any{"algorithm": message.DigestAlgorithm(), "digest": message.Digest()}, "signature": message.Signature()},
	})
	if err != nil {
		t.Fatal(err)
	}
	files := []verifier.TrustFile{
		inRoom(verifier.RoomSigstore, "trusted_root.json", trusted),
		inRoom(verifier.RoomSigstoreIdentities, "list", []byte(`sigstore-identity:alice issuer="`+issuer+`" san="`+alice+`"`)),
		inRoom(verifier.RoomSettings, "settings", []byte("sigstore-certificate-log:off")),
	}
	report, _ := besideVerdict(t, sigstoreVerifier(t, trustOf(t, files...), time.Now()), "deploy.sh", sigstoreScript, bundleBeside(bundle))
	if report.Verdict != verifier.Valid {
		t.Errorf("%s: %+v %+v", report.Verdict, report.Signatures, report.Findings)
	}
	report, _ = besideVerdict(t, sigstoreVerifier(t, trustOf(t, files...), time.Now()), "deploy.sh", []byte("changed"), bundleBeside(bundle))
	if report.Verdict != verifier.Tampered {
		t.Errorf("changed: %s", report.Verdict)
	}
}

func mustHex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// promise signs the entry again: the library keeps the one that it made to itself.
func promise(t *testing.T, virtual *ca.VirtualSigstore, line *rekor.TransparencyLogEntry) *rekor.InclusionPromise {
	t.Helper()
	value, err := virtual.RekorSignPayload(tlog.RekorPayload{
		Body: base64.StdEncoding.EncodeToString(line.CanonicalizedBody), IntegratedTime: line.IntegratedTime, LogIndex: line.LogIndex, LogID: hex.EncodeToString(line.LogId.KeyId),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &rekor.InclusionPromise{SignedEntryTimestamp: value}
}
