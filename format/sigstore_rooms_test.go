//go:build !nosigstore

package format_test

import (
	"bytes"
	"crypto/elliptic"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

func TestTheRoomSigstoreIsReadWholeOrRefused(t *testing.T) {
	t.Parallel()
	first, second := publicPEM(t, bareKey(t, newECKey(t, elliptic.P256()))), publicPEM(t, bareKey(t, newECKey(t, elliptic.P384())))
	certificate, err := newkeys.X509(newkeys.X509Options{Subject: "Ops", NotBefore: testenv.VectorTime()})
	if err != nil {
		t.Fatal(err)
	}
	room := func(name string, data []byte) []verifier.TrustFile {
		return []verifier.TrustFile{inRoom(verifier.RoomSigstore, name, data)}
	}
	for name, c := range map[string]struct {
		files []verifier.TrustFile
		want  string // of the error; "" for none
	}{
		"a key":                         {room("k.pub", first), ""},
		"two keys in one file":          {room("k.pem", slices.Concat(first, []byte("\n"), second)), ""},
		"text before a key":             {room("k.pem", slices.Concat([]byte("# ops\n"), first)), "something stands around"},
		"text behind a key":             {room("k.pem", slices.Concat(first, []byte("x"))), "something stands around"},
		"a key that is cut off":         {room("k.pem", first[:len(first)-30]), "cannot be read"},
		"a certificate":                 {room("k.pem", certificate.LeafPEM), "a certificate"},
		"a private key":                 {room("k.pem", certificate.KeyPEM), `"PRIVATE KEY": want PUBLIC KEY`},
		"a key of an odd curve":         {room("k.pem", publicPEM(t, bareKey(t, newECKey(t, elliptic.P521())))), "P-521"},
		"blanks":                        {room("k.pem", []byte("\n\n")), "no public key"},
		"a key under another name":      {room("key.txt", first), "neither a trusted root"},
		"a trusted root that is none":   {room("trusted_root.json", []byte("{}")), "no trusted root"},
		"a trusted root of text":        {room("trusted_root_2.json", []byte("hello")), "no trusted root"},
		"a trusted root without anyone": {room("trusted_root.json", []byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`)), "without a certificate authority"},
		"a key twice in a trusted root": {room("trusted_root.json", []byte(`{"mediaType":"a","mediaType":"b"}`)), "twice"},
		"identities without a trusted root": {
			append(room("k.pub", first), inRoom(verifier.RoomSigstoreIdentities, "list", []byte(`sigstore-identity:a issuer="https://a.example" san="a@a.example"`))),
			"identities without a trusted_root.json",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := format.NewSigstore().Load(trustOf(t, c.files...))
			var te *verifier.TrustError
			if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &te) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestTwoStoresDoNotAddUpForBundles(t *testing.T) {
	t.Parallel()
	key := bareKey(t, newECKey(t, elliptic.P256()))
	bundle := runbook.Sidecar{Name: "a.sh.sigstore.json", Data: bundleBy(t, key, "a.sh", sigstoreScript)}
	keyFile := inRoom(verifier.RoomSigstore, "k.pub", publicPEM(t, key))
	strict := inRoom(verifier.RoomSettings, "settings", []byte("sigstore-transparency-log:all\n"))
	other := bytes.Clone(publicPEM(t, bareKey(t, newECKey(t, elliptic.P256()))))
	for name, c := range map[string]struct {
		files []verifier.TrustFile
		want  verifier.Verdict
		store string
	}{
		"a key is enough":                             {[]verifier.TrustFile{keyFile}, verifier.Valid, "ops"},
		"the store wants a log":                       {[]verifier.TrustFile{keyFile, strict}, verifier.Untrusted, ""},
		"the store wants a log, and another does not": {[]verifier.TrustFile{keyFile, strict, {Store: "lax", Room: verifier.RoomSigstore, Name: "k.pub", Data: keyFile.Data}}, verifier.Valid, "lax"},
		"another store's settings do not count":       {[]verifier.TrustFile{keyFile, {Store: "lax", Room: verifier.RoomSettings, Name: "settings", Data: strict.Data}}, verifier.Valid, "ops"},
		"only another key":                            {[]verifier.TrustFile{inRoom(verifier.RoomSigstore, "k.pub", other)}, verifier.Untrusted, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, _ := besideVerdict(t, sigstoreVerifier(t, trustOf(t, c.files...), testenv.VectorTime()), "a.sh", sigstoreScript, bundle)
			if s := report.Signatures[0]; report.Verdict != c.want || s.TrustStore != c.store {
				t.Errorf("%s, store %q; want %s, %q: %+v", report.Verdict, s.TrustStore, c.want, c.store, s.Checks)
			}
		})
	}
}
