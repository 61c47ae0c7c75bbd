//go:build !nosigstore

package format_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
	ct "github.com/google/certificate-transparency-go"
	cttls "github.com/google/certificate-transparency-go/tls"
	ctx509 "github.com/google/certificate-transparency-go/x509"
	"github.com/google/certificate-transparency-go/x509util"
	rekornote "github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/signature"
	"golang.org/x/mod/sumdb/note"

	"github.com/runwrit/writ/verifier"
)

// sigstoreWorld is one Sigstore: Fulcio, the log of its certificates, the log of
// signatures, and a timestamp authority, whose clocks show what a test wants.
type sigstoreWorld struct {
	t                       testing.TB
	now                     time.Time
	root, intermediate, tsa *x509.Certificate
	ca, tsaKey, ctKey, log  *ecdsa.PrivateKey
}

// keyless says how one signature is made; the zero value is a good one by alice.
type keyless struct {
	content     []byte // sigstoreScript
	issuer, san string
	kind        string // of the name: "uri" (by default), "email", "other", "dns"
	curve       elliptic.Curve
	oldDigest   bool          // SHA-256 with P-384, as clients once signed
	after       time.Duration // from the beginning of the certificate to log entry and timestamp
	logAfter    time.Duration // to the log entry, where that is another one
	rekor2      bool
	without     string                      // "sct", "log", "stamp", "proof", "promise", "set" (a promise by nobody)
	version     string                      // of the bundle, "0.3"
	chain       bool                        // the certificate in a chain
	edit        func(*x509.Certificate)     // before it is given
	entryOf     []byte                      // the content that the log entry is for
	change      func(bundle map[string]any) // at the end
}

const (
	gitHub     = "https://token.actions.githubusercontent.com"
	signingJob = "https://github.com/contoso/runbooks/.github/workflows/sign.yml@refs/heads/main"
	jobEntry   = `sigstore-identity:release issuer="` + gitHub + `" san="` + signingJob + `"` + "\n"
)

func newSigstoreWorld(t testing.TB, now time.Time) *sigstoreWorld {
	t.Helper()
	w := &sigstoreWorld{t: t, now: now, ca: newECKey(t, elliptic.P256()), tsaKey: newECKey(t, elliptic.P256()), ctKey: newECKey(t, elliptic.P256()), log: newECKey(t, elliptic.P256())}
	rootKey := newECKey(t, elliptic.P256())
	authority := func(name string, usages ...x509.ExtKeyUsage) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name, Organization: []string{"Test"}}, IsCA: true, BasicConstraintsValid: true,
			KeyUsage: x509.KeyUsageCertSign, ExtKeyUsage: usages, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0),
		}
	}
	w.root = w.certificate(authority("root"), nil, rootKey.Public(), rootKey)
	w.intermediate = w.certificate(authority("fulcio", x509.ExtKeyUsageCodeSigning), w.root, w.ca.Public(), rootKey)
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	if err != nil {
		t.Fatal(err)
	}
	w.tsa = w.certificate(&x509.Certificate{
		SerialNumber: big.NewInt(8), Subject: pkix.Name{CommonName: "tsa"}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}},
	}, w.root, w.tsaKey.Public(), rootKey)
	return w
}

func (w *sigstoreWorld) certificate(template, parent *x509.Certificate, public crypto.PublicKey, by *ecdsa.PrivateKey) *x509.Certificate {
	w.t.Helper()
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *sigstoreWorld) spki(public crypto.PublicKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		w.t.Fatal(err)
	}
	return der
}

func (w *sigstoreWorld) keyID(public crypto.PublicKey) [32]byte { return sha256.Sum256(w.spki(public)) }

// trustedRoot is the world as a verifier knows it.
func (w *sigstoreWorld) trustedRoot() []byte {
	w.t.Helper()
	start := w.now.AddDate(-1, 0, 0)
	log := func(address string, key *ecdsa.PrivateKey) map[string]*root.TransparencyLog {
		id := w.keyID(key.Public())
		return map[string]*root.TransparencyLog{hex.EncodeToString(id[:]): {
			BaseURL: address, ID: id[:], ValidityPeriodStart: start, HashFunc: crypto.SHA256, PublicKey: key.Public(), SignatureHashFunc: crypto.SHA256,
		}}
	}
	material, err := root.NewTrustedRoot(root.TrustedRootMediaType01,
		[]root.CertificateAuthority{&root.FulcioCertificateAuthority{Root: w.root, Intermediates: []*x509.Certificate{w.intermediate}, ValidityPeriodStart: start, URI: "https://fulcio.example"}},
		log("https://ct.example", w.ctKey),
		[]root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{Root: w.root, Leaf: w.tsa, ValidityPeriodStart: start, URI: "https://tsa.example"}},
		log("https://rekor.example", w.log))
	if err != nil {
		w.t.Fatal(err)
	}
	data, err := material.MarshalJSON()
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

// files are a store that trusts the world for the listed identities.
func (w *sigstoreWorld) files(identities string) []verifier.TrustFile {
	return []verifier.TrustFile{
		inRoom(verifier.RoomSigstore, "trusted_root.json", w.trustedRoot()),
		inRoom(verifier.RoomSigstoreIdentities, "list", []byte(identities)),
	}
}

// fulcioText is an extension of Fulcio in its newer form.
func (w *sigstoreWorld) fulcioText(last int, text string) pkix.Extension {
	value, err := asn1.MarshalWithParams(text, "utf8")
	if err != nil {
		w.t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, last}, Value: value}
}

// leaf is a certificate of ten minutes.
func (w *sigstoreWorld) leaf(k keyless, public crypto.PublicKey) *x509.Certificate {
	w.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1234), NotBefore: w.now.Add(-time.Hour), NotAfter: w.now.Add(-time.Hour + 10*time.Minute),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: []pkix.Extension{
			w.fulcioText(8, k.issuer), w.fulcioText(12, "https://github.com/contoso/runbooks"), w.fulcioText(13, "0123456789abcdef0123456789abcdef01234567"),
			w.fulcioText(14, "refs/heads/main"), w.fulcioText(18, signingJob), w.fulcioText(20, "push"),
		},
	}
	switch k.kind {
	case "":
		address, err := url.Parse(k.san)
		if err != nil {
			w.t.Fatal(err)
		}
		template.URIs = []*url.URL{address}
	case "email":
		template.EmailAddresses = []string{k.san}
	case "dns":
		template.DNSNames = []string{k.san}
	case "other":
		name, err := asn1.MarshalWithParams(struct {
			ID    asn1.ObjectIdentifier
			Value string `asn1:"utf8,explicit,tag:0"`
		}{asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 7}, k.san}, "tag:0")
		if err != nil {
			w.t.Fatal(err)
		}
		names, err := asn1.Marshal([]asn1.RawValue{{FullBytes: name}})
		if err != nil {
			w.t.Fatal(err)
		}
		template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: true, Value: names})
	}
	if k.edit != nil {
		k.edit(template)
	}
	c := w.certificate(template, w.intermediate, public, w.ca)
	if k.without == "sct" {
		return c
	}
	template.ExtraExtensions = append(template.ExtraExtensions, w.sct(c))
	return w.certificate(template, w.intermediate, public, w.ca)
}

// sct is the proof that the certificate is logged, which is to be put into it.
func (w *sigstoreWorld) sct(c *x509.Certificate) pkix.Extension {
	w.t.Helper()
	sct := ct.SignedCertificateTimestamp{SCTVersion: ct.V1, LogID: ct.LogID{KeyID: w.keyID(w.ctKey.Public())}, Timestamp: uint64(c.NotBefore.UnixMilli())}
	input, err := ct.SerializeSCTSignatureInput(sct, ct.LogEntry{Leaf: ct.MerkleTreeLeaf{
		Version: ct.V1, LeafType: ct.TimestampedEntryLeafType,
		TimestampedEntry: &ct.TimestampedEntry{
			EntryType: ct.PrecertLogEntryType, Timestamp: sct.Timestamp,
			PrecertEntry: &ct.PreCert{IssuerKeyHash: w.keyID(w.ca.Public()), TBSCertificate: c.RawTBSCertificate},
		},
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	sct.Signature = ct.DigitallySigned{Algorithm: cttls.SignatureAndHashAlgorithm{Hash: cttls.SHA256, Signature: cttls.ECDSA}, Signature: sum256(w.t, w.ctKey, input)}
	list, err := x509util.MarshalSCTsIntoSCTList([]*ct.SignedCertificateTimestamp{&sct})
	if err != nil {
		w.t.Fatal(err)
	}
	data, err := cttls.Marshal(*list)
	if err != nil {
		w.t.Fatal(err)
	}
	value, err := asn1.Marshal(data)
	if err != nil {
		w.t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier(ctx509.OIDExtensionCTSCT), Value: value}
}

// sum256 signs the SHA-256 of data.
func sum256(t testing.TB, key *ecdsa.PrivateKey, data []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(data)
	value, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// sign makes a bundle.
func (w *sigstoreWorld) sign(k keyless) []byte {
	w.t.Helper()
	if k.content == nil {
		k.content = sigstoreScript
	}
	if k.issuer == "" {
		k.issuer, k.san = gitHub, signingJob
	}
	if k.curve == nil {
		k.curve = elliptic.P256()
	}
	if k.after == 0 {
		k.after = time.Minute
	}
	if k.logAfter == 0 {
		k.logAfter = k.after
	}
	key := newECKey(w.t, k.curve)
	leaf := w.leaf(k, key.Public())
	sum, hash, algorithm := sha256.Sum256(k.content), crypto.SHA256, "SHA2_256"
	digest := sum[:]
	if k.curve == elliptic.P384() && !k.oldDigest {
		sum := sha512.Sum384(k.content)
		digest, hash, algorithm = sum[:], crypto.SHA384, "SHA2_384"
	}
	value, err := key.Sign(rand.Reader, digest, hash)
	if err != nil {
		w.t.Fatal(err)
	}
	certificate := map[string]any{"rawBytes": leaf.Raw}
	material := map[string]any{"certificate": certificate}
	if k.chain {
		material = map[string]any{"x509CertificateChain": map[string]any{"certificates": []any{certificate, map[string]any{"rawBytes": w.intermediate.Raw}}}}
	}
	if k.without != "log" {
		entered := digest
		if k.entryOf != nil {
			sum := sha256.Sum256(k.entryOf)
			entered = sum[:]
		}
		material["tlogEntries"] = []any{w.entry(k, leaf, entered, algorithm, value)}
	}
	if k.without != "stamp" {
		material["timestampVerificationData"] = map[string]any{"rfc3161Timestamps": []any{map[string]any{"signedTimestamp": w.stamp(value, leaf.NotBefore.Add(k.after))}}}
	}
	mediaType := "application/vnd.dev.sigstore.bundle.v0.3+json"
	if k.version != "" {
		mediaType = "application/vnd.dev.sigstore.bundle+json;version=" + k.version
	}
	bundle := map[string]any{
		"mediaType": mediaType, "verificationMaterial": material,
		"messageSignature": map[string]any{"messageDigest": map[string]any{"algorithm": algorithm, "digest": digest}, "signature": value},
	}
	if k.change != nil {
		k.change(bundle)
	}
	data, err := json.Marshal(bundle)
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

// stamp is a timestamp of the value.
func (w *sigstoreWorld) stamp(value []byte, at time.Time) []byte {
	w.t.Helper()
	sum := sha256.Sum256(value)
	response, err := (&timestamp.Timestamp{
		HashAlgorithm: crypto.SHA256, HashedMessage: sum[:], Time: at, Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2}, SerialNumber: big.NewInt(at.Unix()), AddTSACertificate: true,
	}).CreateResponseWithOpts(w.tsa, w.tsaKey, crypto.SHA256)
	if err != nil {
		w.t.Fatal(err)
	}
	return response
}

// entry is that of a log with one leaf.
func (w *sigstoreWorld) entry(k keyless, leaf *x509.Certificate, digest []byte, algorithm string, value []byte) map[string]any {
	w.t.Helper()
	encode := func(v any) []byte { // maps are written with their keys in order, as RFC 8785 has it
		data, err := json.Marshal(v)
		if err != nil {
			w.t.Fatal(err)
		}
		return data
	}
	id := w.keyID(w.log.Public())
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
	body := encode(map[string]any{"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": map[string]any{
		"data":      map[string]any{"hash": map[string]any{"algorithm": map[string]string{"SHA2_256": "sha256", "SHA2_384": "sha384"}[algorithm], "value": hex.EncodeToString(digest)}},
		"signature": map[string]any{"content": value, "publicKey": map[string]any{"content": certificate}},
	}})
	version, origin := "0.0.1", "rekor.example - 42"
	if k.rekor2 {
		details := map[string]string{"SHA2_256": "PKIX_ECDSA_P256_SHA_256", "SHA2_384": "PKIX_ECDSA_P384_SHA_384"}[algorithm]
		body = encode(map[string]any{"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": map[string]any{"hashedRekordV002": map[string]any{
			"data":      map[string]any{"algorithm": algorithm, "digest": digest},
			"signature": map[string]any{"content": value, "verifier": map[string]any{"keyDetails": details, "x509Certificate": map[string]any{"rawBytes": leaf.Raw}}},
		}}})
		version, origin = "0.0.2", "rekor.example"
	}
	at := leaf.NotBefore.Add(k.logAfter).Unix()
	top := sha256.Sum256(append([]byte{0}, body...))
	entry := map[string]any{
		"logIndex": "0", "logId": map[string]any{"keyId": id[:]}, "kindVersion": map[string]any{"kind": "hashedrekord", "version": version}, "canonicalizedBody": body,
		"inclusionProof": map[string]any{"logIndex": "0", "rootHash": top[:], "treeSize": "1", "hashes": []any{}, "checkpoint": map[string]any{"envelope": w.checkpoint(origin, top[:], k.rekor2)}},
	}
	if !k.rekor2 {
		entry["integratedTime"] = fmt.Sprint(at)
		signer := w.log
		if k.without == "set" {
			signer = newECKey(w.t, elliptic.P256())
		}
		promise := sum256(w.t, signer, encode(map[string]any{"body": body, "integratedTime": at, "logID": hex.EncodeToString(id[:]), "logIndex": 0}))
		entry["inclusionPromise"] = map[string]any{"signedEntryTimestamp": promise}
	}
	switch k.without {
	case "proof":
		delete(entry, "inclusionProof")
	case "promise":
		delete(entry, "inclusionPromise")
	}
	return entry
}

// checkpoint is the signed head of the log.
func (w *sigstoreWorld) checkpoint(origin string, top []byte, rekor2 bool) string {
	w.t.Helper()
	text := fmt.Sprintf("%s\n1\n%s\n", origin, base64.StdEncoding.EncodeToString(top))
	if rekor2 {
		signer, err := signature.LoadECDSASigner(w.log, crypto.SHA256)
		if err != nil {
			w.t.Fatal(err)
		}
		noteSigner, err := rekornote.NewNoteSigner(context.Background(), origin, signer)
		if err != nil {
			w.t.Fatal(err)
		}
		signed, err := note.Sign(&note.Note{Text: text}, noteSigner)
		if err != nil {
			w.t.Fatal(err)
		}
		return string(signed)
	}
	id := w.keyID(w.log.Public())
	hash := binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(id[:]))
	return text + "\n\u2014 rekor.example " + base64.StdEncoding.EncodeToString(append(hash, sum256(w.t, w.log, []byte(text))...)) + "\n"
}

// later moves a certificate in time.
func later(now time.Time, by time.Duration) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(by), now.Add(by+10*time.Minute) }
}

func oldIssuer(issuer string) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(issuer)}
}
