//go:build !nosigstore

package format_test

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/verifier"
)

const repositories = `issuer="` + gitHub + `" san-regex=`

func TestWhoIsListedIsTrustedAndNobodyElse(t *testing.T) {
	t.Parallel()
	w := newSigstoreWorld(t, testenv.VectorTime())
	job := bundleBeside(w.sign(keyless{}))
	for name, c := range map[string]struct {
		list  string
		names []string // those of the entries that fit
	}{
		"the exact name":                 {jobEntry, []string{"release"}},
		"a pattern":                      {`sigstore-identity:main ` + repositories + `"^https://github\\.com/contoso/.*@refs/heads/main$"`, []string{"main"}},
		"a pattern of another branch":    {`sigstore-identity:main ` + repositories + `"^https://github\\.com/contoso/.*@refs/heads/release$"`, nil},
		"a pattern of another host":      {`sigstore-identity:main ` + repositories + `"^https://gitlab\\.com/.*$"`, nil},
		"a pattern that stops too early": {`sigstore-identity:main ` + repositories + `"^https://github\\.com/contoso/runbooks$"`, nil},
		// Each side of such a pattern is anchored on one end only.
		"a pattern of two halves, the first a beginning": {`sigstore-identity:main ` + repositories + `"^https://github\\.com/|x$"`, nil},
		"a pattern of two halves, the second an end":     {`sigstore-identity:main ` + repositories + `"^x|refs/heads/main$"`, nil},
		"a pattern that anchors lines":                   {`sigstore-identity:main ` + repositories + `"^(?m)https://github\\.com/$"`, nil},
		"patterns for both":                              {`sigstore-identity:main issuer-regex="^https://token\\.actions\\.githubusercontent\\.com$" san-regex="^https://github\\.com/contoso/.*$"`, []string{"main"}},
		"two entries, one of which fits":                 {jobEntry + `sigstore-identity:other issuer="` + gitHub + `" san="x"`, []string{"release"}},
		"two entries that fit":                           {jobEntry + `sigstore-identity:all ` + repositories + `"^https://github\\.com/contoso/.*$"`, []string{"release", "all"}},
		"the issuer of one entry and the name of another": {
			`sigstore-identity:a issuer="` + gitHub + `" san="x"` + "\n" + `sigstore-identity:b issuer="https://issuer.example" san="` + signingJob + `"`, nil,
		},
		"the issuer with a slash behind it": {`sigstore-identity:a issuer="` + gitHub + `/" san="` + signingJob + `"`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := sigstoreVerifier(t, trustOf(t, w.files(c.list)...), w.now)
			report, _ := besideVerdict(t, v, "deploy.sh", sigstoreScript, job)
			want, ids := verifier.Untrusted, []string{"sigstore:" + gitHub + "|" + signingJob}
			if c.names != nil {
				want = verifier.Valid
			}
			for _, n := range c.names {
				ids = append(ids, "sigstore-identity:"+n)
			}
			if got := report.Signatures[0].Signer.IDs; report.Verdict != want || !slices.Equal(got, ids) {
				t.Errorf("%s, %q; want %s, %q", report.Verdict, got, want, ids)
			}
		})
	}
}

func TestPeopleAreListedByAddressOrUserName(t *testing.T) {
	t.Parallel()
	w := newSigstoreWorld(t, testenv.VectorTime())
	const list = `sigstore-identity:people issuer="https://login.example" san-regex="^[a-z]+@contoso\\.example$"`
	v := sigstoreVerifier(t, trustOf(t, w.files(list)...), w.now)
	for name, c := range map[string]struct {
		kind, san string
		want      verifier.Verdict
	}{
		"an address":              {"email", "alice@contoso.example", verifier.Valid},
		"a user name of Fulcio":   {"other", "alice@contoso.example", verifier.Valid},
		"an address of strangers": {"email", "alice@contoso.example.evil.example", verifier.Untrusted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, _ := besideVerdict(t, v, "deploy.sh", sigstoreScript, bundleBeside(w.sign(keyless{issuer: "https://login.example", kind: c.kind, san: c.san})))
			if s := report.Signatures[0]; report.Verdict != c.want || s.Sigstore.SAN != c.san || s.Sigstore.SANKind != c.kind {
				t.Errorf("%s: %+v", report.Verdict, s)
			}
		})
	}
}

func TestListsOfIdentitiesAreReadStrictly(t *testing.T) {
	t.Parallel()
	w := newSigstoreWorld(t, testenv.VectorTime())
	for list, want := range map[string]string{

		"# nobody\n":                                                                         "no identities in it",
		"sigstore:a issuer=\"i\" san=\"s\"":                                                  `line 1: unknown word "sigstore"`,
		"sigstore-identity: issuer=\"i\" san=\"s\"":                                          "line 1: \"\" is no name",
		"sigstore-identity:a|b issuer=\"i\" san=\"s\"":                                       "is no name",
		"sigstore-identity:a issuer=\"i\"":                                                   "either san or san-regex",
		"sigstore-identity:a san=\"s\"":                                                      "either issuer or issuer-regex",
		"sigstore-identity:a issuer=\"i\" san=\"s\" san-regex=\"^s$\"":                       "either san or san-regex",
		"sigstore-identity:a issuer=\"i\" san=\"s|t\"":                                       "line 1: san is longer than",
		"sigstore-identity:a issuer=\"i\" san=\"s\" ref=\"main\"":                            `no field "ref"`,
		"\nsigstore-identity:a issuer=\"i\" san-regex=\"s$\"":                                `line 2: san-regex "s$" is not anchored`,
		"sigstore-identity:a issuer=\"i\" san-regex=\"^s\"":                                  "is not anchored",
		"sigstore-identity:a issuer=\"i\" san-regex=\"^s\\\\$\"":                             "is not anchored",
		"sigstore-identity:a issuer=\"i\" san-regex=\".*\"":                                  "is not anchored",
		"sigstore-identity:a issuer=\"i\" san-regex=\"^(s$\"":                                "missing closing",
		"sigstore-identity:a issuer=\"i\" san-regex=\"^a)|(b$\"":                             "unexpected )",
		"sigstore-identity:a issuer=\"i\" san-regex=\"^a{1001}$\"":                           "invalid repeat count",
		"sigstore-identity:a issuer=\"i\" san-regex=\"^" + strings.Repeat("a", 1100) + "$\"": "longer than 1024 bytes",
		"sigstore-identity:a issuer-regex=\"^.*$\" san=\"s\"":                                "issuer-regex fits any issuer",
	} {
		t.Run(list[:min(len(list), 60)], func(t *testing.T) {
			t.Parallel()
			_, err := format.NewSigstore().Load(trustOf(t, w.files(list)...))
			var te *verifier.TrustError
			if !errors.As(err, &te) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
	_, err := format.NewSigstore().Load(trustOf(t, w.files(jobEntry)[0]))
	var te *verifier.TrustError
	if !errors.As(err, &te) || !strings.Contains(err.Error(), "everybody with an account") {
		t.Errorf("a trusted root without identities: %v", err)
	}
}

func TestSettingsSayWhatABundleMustProve(t *testing.T) {
	t.Parallel()
	w := newSigstoreWorld(t, testenv.VectorTime())
	const log, sct = "sigstore-transparency-log:", "sigstore-certificate-log:"
	for name, c := range map[string]struct {
		settings string
		made     keyless
		want     verifier.Verdict
	}{
		"no log entry":                                    {log + "keyless", keyless{without: "log"}, verifier.Untrusted},
		"no log entry, and none is wanted":                {log + "none", keyless{without: "log"}, verifier.Valid},
		"none is wanted, and no timestamp":                {log + "none", keyless{without: "stamp"}, verifier.Expired},
		"none is wanted, and the timestamp is too late":   {log + "none", keyless{without: "log", after: 11 * time.Minute}, verifier.Expired},
		"everything is logged":                            {log + "all", keyless{}, verifier.Valid},
		"no proof of the certificate":                     {sct + "require", keyless{without: "sct"}, verifier.Untrusted},
		"no proof of the certificate, and none is wanted": {sct + "off", keyless{without: "sct"}, verifier.Valid},
		"nothing of it is wanted":                         {log + "none\n" + sct + "off", keyless{without: "sct"}, verifier.Valid},
		"nothing of it is wanted, another digest":         {log + "none\n" + sct + "off", keyless{content: []byte("x")}, verifier.Tampered},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := append(w.files(jobEntry), inRoom(verifier.RoomSettings, "settings", []byte(c.settings)))
			report, _ := besideVerdict(t, sigstoreVerifier(t, trustOf(t, files...), w.now), "deploy.sh", sigstoreScript, bundleBeside(w.sign(c.made)))
			if report.Verdict != c.want {
				t.Errorf("%s, want %s: %+v", report.Verdict, c.want, report.Signatures)
			}
		})
	}
}

// TestTwoTrustedRootsDoNotAddUp: neither in one store nor in two.
func TestTwoTrustedRootsDoNotAddUp(t *testing.T) {
	t.Parallel()
	w, other := newSigstoreWorld(t, testenv.VectorTime()), newSigstoreWorld(t, testenv.VectorTime())
	mixed := edited(t, w.sign(keyless{without: "log"}), func(b map[string]any) {
		inside(b, "verificationMaterial")["tlogEntries"] = inside(mustJSON(t, other.sign(keyless{})), "verificationMaterial")["tlogEntries"]
	})
	second := inRoom(verifier.RoomSigstore, "trusted_root_2.json", other.trustedRoot())
	stores := append(w.files(`sigstore-identity:a issuer="`+gitHub+`" san="x"`), verifier.TrustFile{Store: "b", Room: verifier.RoomSigstore, Name: "b/sigstore/trusted_root.json", Data: other.trustedRoot()},
		verifier.TrustFile{Store: "b", Room: verifier.RoomSigstoreIdentities, Name: "b/list", Data: []byte(jobEntry)})
	for name, c := range map[string]struct {
		files  []verifier.TrustFile
		bundle []byte
		want   verifier.Verdict
	}{
		"the certificate of one, the log of the other":     {append(w.files(jobEntry), second), mixed, verifier.Untrusted},
		"a bundle of the first":                            {append(w.files(jobEntry), second), w.sign(keyless{}), verifier.Valid},
		"a bundle of the second":                           {append(w.files(jobEntry), second), other.sign(keyless{}), verifier.Valid},
		"the root of one store, the identities of another": {stores, w.sign(keyless{}), verifier.Untrusted},
		"root and identity of the second store":            {stores, other.sign(keyless{}), verifier.Valid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, _ := besideVerdict(t, sigstoreVerifier(t, trustOf(t, c.files...), w.now), "deploy.sh", sigstoreScript, bundleBeside(c.bundle))
			if report.Verdict != c.want {
				t.Errorf("%s, want %s: %+v", report.Verdict, c.want, report.Signatures)
			}
		})
	}
}

// TestAttackAnotherStoresEntryOfTheSameName: a policy says sigstore-identity:release,
// and means the job that the store ops lists. Who adds to the store "lab" has a Sigstore
// of his own there, and gives the name to a job of his.
func TestAttackAnotherStoresEntryOfTheSameName(t *testing.T) {
	t.Parallel()
	const job = "https://github.com/mallory/lab/.github/workflows/sign.yml@refs/heads/main"
	w, own := newSigstoreWorld(t, testenv.VectorTime()), newSigstoreWorld(t, testenv.VectorTime())
	stores := func(name string) *verifier.TrustStore {
		lab := own.files(`sigstore-identity:` + name + ` issuer="` + gitHub + `" san="` + job + `"`)
		for i := range lab {
			lab[i].Store, lab[i].Name = "lab", strings.Replace(lab[i].Name, "ops/", "lab/", 1)
		}
		return trustOf(t, append(w.files(jobEntry), lab...)...)
	}
	_, err := format.NewSigstore().Load(stores("release"))
	var te *verifier.TrustError
	if !errors.As(err, &te) || !strings.Contains(err.Error(), `the store "lab" has the name "release" already`) || !strings.HasPrefix(te.Path, "ops/") {
		t.Errorf("two stores with one name: %v", err)
	}
	report, _ := besideVerdict(t, sigstoreVerifier(t, stores("lab"), w.now), "deploy.sh", sigstoreScript, bundleBeside(own.sign(keyless{issuer: gitHub, san: job})))
	want := []string{"sigstore:" + gitHub + "|" + job, "sigstore-identity:lab"}
	if s := report.Signatures[0]; report.Verdict != verifier.Valid || s.TrustStore != "lab" || !slices.Equal(s.Signer.IDs, want) {
		t.Errorf("%s, store %q, %q; want valid, lab, %q", report.Verdict, s.TrustStore, s.Signer.IDs, want)
	}
}

func TestADeniedCertificateOrAuthorityIsRevoked(t *testing.T) {
	t.Parallel()
	w := newSigstoreWorld(t, testenv.VectorTime())
	bundle := bundleBeside(w.sign(keyless{}))
	authority, key := w.keyID(w.ca.Public()), w.intermediate
	for name, entry := range map[string]string{
		"the key of an authority":      "x509-spki:" + hex.EncodeToString(authority[:]),
		"a certificate by its serial":  `x509-serial:4d2 issuer="CN=fulcio,O=Test"`,
		"an authority's by its serial": `x509-serial:` + key.SerialNumber.Text(16) + ` issuer="CN=root,O=Test"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := append(w.files(jobEntry), inRoom(verifier.RoomDeny, "list", []byte(entry+" # compromised\n")))
			if report, _ := besideVerdict(t, sigstoreVerifier(t, trustOf(t, files...), w.now), "deploy.sh", sigstoreScript, bundle); report.Verdict != verifier.Revoked {
				t.Errorf("%s: %+v", report.Verdict, report.Signatures)
			}
		})
	}
}
