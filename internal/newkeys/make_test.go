package newkeys_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
)

const year = 365 * 24 * time.Hour

func request(kind newkeys.Kind) newkeys.Request {
	return newkeys.Request{
		Kind: kind, Name: "codesign", Subject: "CN=writ test,O=Contoso,C=US", Algorithm: "p256", Now: created(), Lifetime: year, CALifetime: 10 * year,
	}
}

func made(t *testing.T, r newkeys.Request) (m *newkeys.Made, dir string) {
	t.Helper()
	m, err := newkeys.Make(r)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	var names []string
	for _, f := range m.Files {
		write(t, filepath.Join(dir, f.Name), f.Data)
		names = append(names, f.Name)
		if f.Secret != (strings.Contains(f.Name, ".key.") || strings.HasSuffix(f.Name, ".p12")) {
			t.Errorf("%s: secret %v", f.Name, f.Secret)
		}
	}
	if diff := cmp.Diff(r.FileNames(), names); diff != "" {
		t.Errorf("the names that were said before are others: %s", diff)
	}
	return m, dir
}

// What New-SelfSignedCertificate -Type CodeSigningCert makes: these three
// extensions and no others.
func TestASelfSignedCertificateHasTheFieldsThatWindowsGivesIt(t *testing.T) {
	t.Parallel()
	r := request(newkeys.KindSelfSigned)
	r.Algorithm = "rsa2048"
	m, dir := made(t, r)
	var extensions []string
	for _, e := range m.X509.Leaf.Extensions {
		word := e.Id.String()
		if e.Critical {
			word += " critical"
		}
		extensions = append(extensions, word)
	}
	slices.Sort(extensions)
	if diff := cmp.Diff([]string{"2.5.29.14", "2.5.29.15 critical", "2.5.29.37"}, extensions); diff != "" {
		t.Error(diff)
	}
	leaf := m.X509.Leaf
	if leaf.KeyUsage != x509.KeyUsageDigitalSignature || !slices.Equal(leaf.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}) ||
		leaf.SignatureAlgorithm != x509.SHA256WithRSA || leaf.IsCA || leaf.Subject.String() != "CN=writ test,O=Contoso,C=US" || leaf.NotAfter.Sub(leaf.NotBefore) != year {
		t.Errorf("made %s", leaf.Subject)
	}
	cert := filepath.Join(dir, "codesign.pem")
	out := run(t, testenv.Tool(t, "openssl"), "verify", "-x509_strict", "-attime", "1795348800", "-CAfile", cert, cert)
	if !strings.Contains(out, "OK") {
		t.Errorf("openssl verify said %s", out)
	}
}

func TestOpenSSLOpensTheKeysWithTheirPassphrase(t *testing.T) {
	t.Parallel()
	openssl := testenv.Tool(t, "openssl")
	for _, pkcs12 := range []bool{false, true} {
		r := request(newkeys.KindCA)
		r.Passphrase, r.PKCS12 = []byte("correct horse"), pkcs12
		m, dir := made(t, r)
		key := filepath.Join(dir, m.Key)
		read := []string{"pkey", "-in", key, "-passin", "pass:correct horse", "-pubout"}
		if pkcs12 {
			whole := run(t, openssl, "pkcs12", "-in", key, "-passin", "pass:correct horse", "-nodes")
			if n := strings.Count(whole, "BEGIN CERTIFICATE"); n != 2 {
				t.Errorf("the PKCS#12 file has %d certificates, want 2", n)
			}
			key = filepath.Join(dir, "opened.pem")
			write(t, key, []byte(whole))
			read = []string{"pkey", "-in", key, "-pubout"}
		}
		if run(t, openssl, read...) != run(t, openssl, "x509", "-in", filepath.Join(dir, "codesign.pem"), "-noout", "-pubkey") {
			t.Error("the key does not belong to the certificate")
		}
		run(t, openssl, "pkey", "-in", filepath.Join(dir, "codesign.ca.key.pem"), "-passin", "pass:correct horse", "-noout")
		out := run(t, openssl, "verify", "-x509_strict", "-attime", "1795348800", "-CAfile", filepath.Join(dir, m.Anchor), filepath.Join(dir, "codesign.pem"))
		if !strings.Contains(out, "OK") {
			t.Errorf("openssl verify said %s", out)
		}
		if !m.X509.CA.NotAfter.Equal(created().Add(10 * year)) {
			t.Errorf("the authority ends at %s", m.X509.CA.NotAfter)
		}
	}
}

func TestAnOpenPGPKeyHasTheUserIDThatWasAskedFor(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"Contoso Runbooks", "Contoso (signing) <runbooks@contoso.example>", "Zoë"} {
		r := request(newkeys.KindOpenPGP)
		r.Subject, r.Algorithm = id, ""
		m, _ := made(t, r)
		for got := range m.OpenPGP.Identities {
			if got != id {
				t.Errorf("got %q, want %q", got, id)
			}
		}
	}
}

func TestSubjectsAreReadAsCertificatesWriteThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Contoso Runbooks":                   "CN=Contoso Runbooks",
		"CN=Contoso":                         "CN=Contoso",
		"Contoso, Ltd.":                      `CN=Contoso\, Ltd.`,
		`CN=Contoso\, Ltd., O=Contoso, C=us`: `CN=Contoso\, Ltd.,O=Contoso,C=US`,
		"cn=a,ou=b,o=c,l=d,s=e,c=de":         "CN=a,OU=b,O=c,L=d,ST=e,C=DE",
		`CN=back\\slash`:                     `CN=back\\slash`,
		`C:\keys`:                            `CN=C:\\keys`,
		"":                                   "",
		"O=Contoso":                          "",
		"CN=a,CN=b":                          "",
		"CN=a,X=b":                           "",
		"CN=a,b":                             "",
		"CN=":                                "",
		"CN=a,C=USA":                         "",
		"CN=a\x1b[2J":                        "",
		"CN=a\u202eb":                        "",
		"CN=a\nO=b":                          "",
		"CN=" + strings.Repeat("a", 65):      "",
		"CN=\xff":                            "",
	} {
		common, rest, err := newkeys.ParseSubject(text)
		if (err == nil) != (want != "") {
			t.Errorf("%q: %v", text, err)
		}
		if name := with(common, rest); err == nil && name.String() != want {
			t.Errorf("%q: got %s, want %s", text, name, want)
		}
	}
}

func with(common string, rest pkix.Name) pkix.Name {
	rest.CommonName = common
	return rest
}

func TestRequestsForOtherKeysAreRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*newkeys.Request){
		"another kind":                  func(r *newkeys.Request) { r.Kind = "ssh" },
		"no lifetime":                   func(r *newkeys.Request) { r.Lifetime = 0 },
		"more than ten years":           func(r *newkeys.Request) { r.Lifetime = newkeys.MaxLifetime + 1 },
		"an authority that ends before": func(r *newkeys.Request) { r.Kind, r.CALifetime = newkeys.KindCA, r.Lifetime-1 },
		"another algorithm":             func(r *newkeys.Request) { r.Algorithm = "rsa1024" },
		"one of OpenPGP":                func(r *newkeys.Request) { r.Algorithm = "ed25519" },
		"a file elsewhere":              func(r *newkeys.Request) { r.Name = "../codesign" },
		"a hidden file":                 func(r *newkeys.Request) { r.Name = ".codesign" },
		"no name of a file":             func(r *newkeys.Request) { r.Name = "" },
		"no subject":                    func(r *newkeys.Request) { r.Subject = "" },
		"a PKCS#12 file of OpenPGP": func(r *newkeys.Request) {
			r.Kind, r.Subject, r.Algorithm, r.PKCS12 = newkeys.KindOpenPGP, "x", "", true
		},
		"a user ID of two lines": func(r *newkeys.Request) { r.Kind, r.Subject, r.Algorithm = newkeys.KindOpenPGP, "a\nb", "" },
		"a user ID with half an address": func(r *newkeys.Request) {
			r.Kind, r.Subject, r.Algorithm = newkeys.KindOpenPGP, "a <b", ""
		},
	} {
		r := request(newkeys.KindSelfSigned)
		change(&r)
		if _, err := newkeys.Make(r); err == nil {
			t.Errorf("%s: was made", name)
		}
	}
}

func TestLifetimesAreDaysOrYears(t *testing.T) {
	t.Parallel()
	for text, days := range map[string]int{"1d": 1, "90d": 90, "2y": 730, "0d": 0, "d": 0, "1w": 0, "-1d": 0, "1.5y": 0, "": 0, "100000d": 0} {
		got, err := newkeys.ParseLifetime(text)
		if (err == nil) != (days > 0) || err == nil && got != time.Duration(days)*24*time.Hour {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	if got, err := newkeys.ParseLifetime("99999y"); err != nil || got <= newkeys.MaxLifetime {
		t.Errorf("too long a time is %v, %v: it must stay too long", got, err)
	}
}
