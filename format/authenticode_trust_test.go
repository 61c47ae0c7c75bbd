package format_test

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/vectors"
	"github.com/runwrit/writ/verifier"
)

// store is a trust store by path: "<store>/<room>/<file>".
type store map[string]string

func (s store) with(path, data string) store {
	more := store{path: data}
	for p, d := range s {
		if p != path {
			more[p] = d
		}
	}
	return more
}

func (s store) open(t testing.TB, now time.Time) (*verifier.Verifier, error) {
	t.Helper()
	var files []verifier.TrustFile
	for path, data := range s {
		parts := strings.Split(path, "/")
		files = append(files, verifier.TrustFile{Store: parts[0], Room: verifier.Room(parts[1]), Name: path, Data: []byte(data)})
	}
	trust, err := verifier.NewTrust(files...)
	if err != nil {
		return nil, err
	}
	return verifier.New(trust, verifier.Options{
		Formats: []verifier.Format{format.NewAuthenticode()}, Now: func() time.Time { return now },
	})
}

func (s store) verifier(t testing.TB, now time.Time) *verifier.Verifier {
	t.Helper()
	v, err := s.open(t, now)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// refuse fails unless the store cannot be used, with these words in the error.
func (s store) refuse(t *testing.T, words string) {
	t.Helper()
	var te *verifier.TrustError
	if _, err := s.open(t, testenv.VectorTime()); !errors.As(err, &te) || !strings.Contains(err.Error(), words) {
		t.Errorf("got %v, want *TrustError with %q", err, words)
	}
}

// signedScript is a script signed with the leaf of chain.
func signedScript(t testing.TB, chain ...*vectors.Identity) []byte {
	t.Helper()
	var certs []*x509.Certificate
	for _, c := range chain {
		certs = append(certs, c.Cert)
	}
	return forceSignChain(t, chain[0].Key, certs, []byte("Write-Output 1\r\n"))
}

func checkDetail(r *verifier.Report, id verifier.CheckID) string {
	for _, s := range r.Signatures {
		for _, c := range s.Checks {
			if c.ID == id {
				return c.Detail
			}
		}
	}
	return ""
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// durable makes a certificate as Azure Trusted Signing does.
func durable(identity ...int) vectors.Edit {
	return func(c *x509.Certificate) {
		c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{
			{1, 3, 6, 1, 4, 1, 311, 97, 1, 0},
			append(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 97}, identity...),
		}
	}
}

func TestPinsNarrowWhomAStoreTrusts(t *testing.T) {
	t.Parallel()
	now := testenv.VectorTime()
	root := vectors.Issue(t, now, "Root", nil)
	inter := vectors.Issue(t, now, "Issuer 03", root)
	named := func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "Contoso, Ltd.", Organization: []string{"Contoso"}}
	}
	leaf := vectors.Issue(t, now, "", inter, vectors.CodeSigning, named, durable(6243, 61903, 30449, 99974))
	other := vectors.Issue(t, now, "Other", inter, vectors.CodeSigning, durable(1, 2, 3, 4))
	const subject = `subject="CN=Contoso\\, Ltd.,O=Contoso"`
	base := store{"prod/x509-ca/ca.pem": string(root.PEM())}
	mine, theirs := signedScript(t, leaf, inter), signedScript(t, other, inter)
	for name, c := range map[string]struct {
		pins         string
		mine, theirs verifier.Verdict
	}{
		"no pins":                     {"", verifier.Valid, verifier.Valid},
		"the certificate":             {"x509-sha256:" + sha256Hex(leaf.Cert.Raw), verifier.Valid, verifier.Untrusted},
		"in capitals":                 {"x509-sha256:" + strings.ToUpper(sha256Hex(leaf.Cert.Raw)), verifier.Valid, verifier.Untrusted},
		"the key":                     {"x509-spki:" + sha256Hex(leaf.Cert.RawSubjectPublicKeyInfo), verifier.Valid, verifier.Untrusted},
		"the authority's key is none": {"x509-spki:" + sha256Hex(inter.Cert.RawSubjectPublicKeyInfo), verifier.Untrusted, verifier.Untrusted},
		"both":                        {"x509-sha256:" + sha256Hex(leaf.Cert.Raw) + "\nx509-sha256:" + sha256Hex(other.Cert.Raw) + " # why", verifier.Valid, verifier.Valid},
		"subject and issuer":          {`x509-identity: ` + subject + ` issuer="CN=Issuer 03"`, verifier.Valid, verifier.Untrusted},
		"subject and root":            {`x509-identity: ` + subject + ` issuer="CN=Root"`, verifier.Valid, verifier.Untrusted},
		"subject, another issuer":     {`x509-identity: ` + subject + ` issuer="CN=Issuer 04"`, verifier.Untrusted, verifier.Untrusted},
		"the signer for its issuer":   {`x509-identity: ` + subject + ` issuer="CN=Contoso\\, Ltd.,O=Contoso"`, verifier.Untrusted, verifier.Untrusted},
		"part of the subject":         {`x509-identity: subject="CN=Contoso\\, Ltd." issuer="CN=Root"`, verifier.Untrusted, verifier.Untrusted},
		"durable identity":            {`x509-identity: eku=1.3.6.1.4.1.311.97.6243.61903.30449.99974 issuer="CN=Root"`, verifier.Valid, verifier.Untrusted},
		"another durable identity":    {`x509-identity: eku=1.3.6.1.4.1.311.97.1.2.3.4 subject="CN=Other" issuer="CN=Root"`, verifier.Untrusted, verifier.Valid},
		"all three":                   {`x509-identity: ` + subject + ` eku=1.3.6.1.4.1.311.97.1.0 issuer="CN=Root"`, verifier.Valid, verifier.Untrusted},
		"all three, one wrong":        {`x509-identity: ` + subject + ` eku=1.3.6.1.4.1.311.97.1.1 issuer="CN=Root"`, verifier.Untrusted, verifier.Untrusted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := base
			if c.pins != "" {
				s = s.with("prod/x509-pins/signers.txt", c.pins)
			}
			v := s.verifier(t, now)
			for range 2 { // the second time out of memory
				if r := inspect(t, v, "job.ps1", mine); r.Verdict != c.mine {
					t.Errorf("the signer: %s, want %s: %+v", r.Verdict, c.mine, r.Signatures)
				}
				r := inspect(t, v, "job.ps1", theirs)
				if r.Verdict != c.theirs {
					t.Errorf("the other signer: %s, want %s: %+v", r.Verdict, c.theirs, r.Signatures)
				}
				if d := checkDetail(r, verifier.CheckTrust); r.Verdict == verifier.Untrusted && (!strings.Contains(d, sha256Hex(other.Cert.Raw)) || !strings.Contains(d, `store "prod"`)) {
					t.Errorf("the detail does not say what to pin: %s", d)
				}
			}
		})
	}
}

// A name with two common names is not the name with one of them, whatever
// pkix.Name makes of it.
func TestAPinnedSubjectIsTheWholeSubject(t *testing.T) {
	t.Parallel()
	now := testenv.VectorTime()
	root := vectors.Issue(t, now, "Root", nil)
	commonName := asn1.ObjectIdentifier{2, 5, 4, 3}
	leaf := vectors.Issue(t, now, "", root, vectors.CodeSigning, func(c *x509.Certificate) {
		c.RawSubject, _ = asn1.Marshal(pkix.RDNSequence{{{Type: commonName, Value: "Mallory"}}, {{Type: commonName, Value: "Alice"}}})
	})
	s := store{"s/x509-ca/ca.pem": string(root.PEM()), "s/x509-pins/p": `x509-identity: subject="CN=Alice" issuer="CN=Root"`}
	if r := inspect(t, s.verifier(t, now), "job.ps1", signedScript(t, leaf)); r.Verdict != verifier.Untrusted {
		t.Errorf("%s: %+v", r.Verdict, r.Signatures)
	}
}

func TestPinsThatMeanNothingAreRefused(t *testing.T) {
	t.Parallel()
	root := vectors.Issue(t, testenv.VectorTime(), "Root", nil)
	base := store{"s/x509-ca/ca.pem": string(root.PEM())}
	for pins, words := range map[string]string{
		"# nothing":                              "no pins",
		"x509-sha256:abcd":                       "line 1",
		"\nx509-sha1:" + strings.Repeat("a", 40): "line 2: unknown word",
		"x509-sha256:" + strings.Repeat("a", 64) + " eku=1.2":     "no field",
		`x509-identity: subject="CN=A"`:                           "issuer",
		`x509-identity: issuer="CN=A"`:                            "subject, eku",
		`x509-identity: issuer="CN=A" eku=code`:                   "object identifier",
		`x509-identity: issuer="CN=A" eku=1.3.6.1.4.1.311.97.1.0`: "all subscribers",
		`x509-identity: issuer="CN=A" subject="CN=B" sha1=ab`:     "no field",
		`x509-identity:CN=A issuer="CN=A" subject="CN=B"`:         "nothing stands behind",
	} {
		base.with("s/x509-pins/p", pins).refuse(t, words)
	}
	store{"s/x509-ca/ca.pem": string(root.PEM()), "t/x509-pins/p": "x509-sha256:" + strings.Repeat("a", 64)}.refuse(t, "pins without authorities")
}

// A store trusts as a whole: the authority of one and the pins of another do not
// add up, nor do the root of one and the intermediate of another.
func TestEachStoreJudgesByItself(t *testing.T) {
	t.Parallel()
	now := testenv.VectorTime()
	rootA, rootB := vectors.Issue(t, now, "Root A", nil), vectors.Issue(t, now, "Root B", nil)
	inter := vectors.Issue(t, now, "Issuer", rootA)
	leaf := vectors.Issue(t, now, "Alice", inter, vectors.CodeSigning)
	file := signedScript(t, leaf, inter)
	alice := `x509-identity: subject="CN=Alice" issuer="CN=Root A"`
	bob := strings.ReplaceAll(alice, "Alice", "Bob")
	for name, c := range map[string]struct {
		trust   store
		verdict verifier.Verdict
		store   string
	}{
		"the second store trusts":       {store{"a/x509-ca/c": string(rootB.PEM()), "b/x509-ca/c": string(rootA.PEM())}, verifier.Valid, `store "b"`},
		"pins of one bind not another":  {store{"a/x509-ca/c": string(rootA.PEM()), "a/x509-pins/p": bob, "b/x509-ca/c": string(rootA.PEM())}, verifier.Valid, `store "b"`},
		"pins of each":                  {store{"a/x509-ca/c": string(rootA.PEM()), "a/x509-pins/p": bob, "b/x509-ca/c": string(rootB.PEM()), "b/x509-pins/p": alice}, verifier.Untrusted, `store "a"`},
		"several files of pins in one":  {store{"a/x509-ca/c": string(rootA.PEM()), "a/x509-pins/p": bob, "a/x509-pins/q": alice}, verifier.Valid, `store "a"`},
		"neither":                       {store{"a/x509-ca/c": string(rootB.PEM()), "b/x509-ca/c": string(rootB.PEM())}, verifier.Untrusted, ""},
		"an authority without its root": {store{"a/x509-ca/c": string(inter.PEM()), "b/x509-ca/c": string(rootB.PEM())}, verifier.Untrusted, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := inspect(t, c.trust.verifier(t, now), "job.ps1", file)
			trusting := ""
			if c.verdict == verifier.Valid {
				trusting = strings.Trim(strings.TrimPrefix(c.store, "store "), `"`)
			}
			if r.Verdict != c.verdict || !strings.Contains(checkDetail(r, verifier.CheckTrust), c.store) || r.Signatures[0].TrustStore != trusting {
				t.Errorf("%s, want %s by %s: %+v", r.Verdict, c.verdict, c.store, r.Signatures)
			}
		})
	}
	t.Run("the intermediate of another store", func(t *testing.T) {
		t.Parallel()
		s := store{"a/x509-ca/c": string(rootA.PEM()), "b/x509-ca/c": string(inter.PEM())}
		if r := inspect(t, s.verifier(t, now), "job.ps1", signedScript(t, leaf)); r.Verdict != verifier.Untrusted {
			t.Errorf("%s: %+v", r.Verdict, r.Signatures)
		}
	})
}

func TestWhatADenyListNamesIsRevoked(t *testing.T) {
	t.Parallel()
	now := testenv.VectorTime()
	root := vectors.Issue(t, now, "Root", nil)
	inter := vectors.Issue(t, now, "Issuer", root)
	leaf := vectors.Issue(t, now, "Alice", inter, vectors.CodeSigning)
	file := signedScript(t, leaf, inter)
	base := store{"a/x509-ca/ca.pem": string(root.PEM())}
	valid := inspect(t, base.verifier(t, now), "job.ps1", file)
	_, content, _ := strings.Cut(checkDetail(valid, verifier.CheckDeny), "signed digest sha256:")
	serial := func(id *vectors.Identity) string { return fmt.Sprintf("x509-serial:%x", id.Cert.SerialNumber) }
	for name, c := range map[string]struct {
		entry   string
		verdict verifier.Verdict
	}{
		"nothing of it":                  {"sha256:" + strings.Repeat("0", 64), verifier.Valid},
		"the file":                       {"sha256:" + sha256Hex(file), verifier.Revoked},
		"the file, in capitals":          {"sha256:" + strings.ToUpper(sha256Hex(file)), verifier.Revoked},
		"the signed content":             {"sha256:" + content[:64], verifier.Revoked},
		"the certificate":                {"x509-sha256:" + sha256Hex(leaf.Cert.Raw), verifier.Revoked},
		"the key":                        {"x509-spki:" + sha256Hex(leaf.Cert.RawSubjectPublicKeyInfo), verifier.Revoked},
		"the authority":                  {"x509-sha256:" + sha256Hex(inter.Cert.Raw), verifier.Revoked},
		"the key of the root":            {"x509-spki:" + sha256Hex(root.Cert.RawSubjectPublicKeyInfo), verifier.Revoked},
		"serial and issuer":              {serial(leaf) + ` issuer="CN=Issuer"`, verifier.Revoked},
		"serial with zeros":              {strings.Replace(serial(leaf), ":", ":000", 1) + ` issuer="CN=Issuer"`, verifier.Revoked},
		"the serial of another issuer's": {serial(leaf) + ` issuer="CN=Root"`, verifier.Valid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := base.with("z/deny/list", "# first\n"+c.entry+" # leaked in May").verifier(t, now)
			for range 2 {
				r := inspect(t, v, "job.ps1", file)
				if r.Verdict != c.verdict {
					t.Fatalf("%s, want %s: %+v", r.Verdict, c.verdict, r.Signatures)
				}
				said := checkDetail(r, verifier.CheckDeny)
				for _, f := range r.Findings {
					said += f.Detail
				}
				if r.Verdict == verifier.Revoked && !strings.Contains(said, "leaked in May (z/deny/list, line 2)") {
					t.Errorf("the reason is missing: %s", said)
				}
			}
		})
	}
	t.Run("a file that is not signed", func(t *testing.T) {
		t.Parallel()
		v := base.with("z/deny/list", "sha256:"+sha256Hex([]byte("1\r\n"))).verifier(t, now)
		if r := inspect(t, v, "job.ps1", []byte("1\r\n")); r.Verdict != verifier.Revoked || !hasFinding(r, "denied") {
			t.Errorf("%s: %+v", r.Verdict, r.Findings)
		}
	})
}

func TestCaseSelfSignedSignerIsAnAnchorOnlyInTheStore(t *testing.T) {
	t.Parallel()
	now := testenv.VectorTime()
	self := vectors.Issue(t, now, "Self", nil, vectors.CodeSigning)
	file := signedScript(t, self)
	s := store{"s/x509-ca/c": string(vectors.Issue(t, now, "Root", nil).PEM())}
	if r := inspect(t, s.verifier(t, now), "job.ps1", file); r.Verdict != verifier.Untrusted {
		t.Errorf("out of the signature: %s", r.Verdict)
	}
	s = store{"s/x509-ca/c": string(self.PEM()), "s/x509-pins/p": "x509-sha256:" + sha256Hex(self.Cert.Raw), "s/settings/settings": "revocation:require"}
	if r := inspect(t, s.verifier(t, now), "job.ps1", file); r.Verdict != verifier.Valid {
		t.Errorf("in the store: %s: %+v", r.Verdict, r.Signatures)
	}
}

// TestADeniedAuthorityDoesNotComeBackAsItsCrossCertificate: one authority, with one
// key, is certified by two roots that are both trusted. Which of the certificates
// comes along is the signer's choice, and so is their order.
func TestADeniedAuthorityDoesNotComeBackAsItsCrossCertificate(t *testing.T) {
	t.Parallel()
	r := newRevocable(t)
	other := vectors.Issue(t, r.now, "Other Root", nil)
	cross := vectors.IssueFor(t, r.now, "Issuer", other, r.inter.Key)
	namesake := vectors.Issue(t, r.now, "Issuer", other)
	both := r.trust.with("s/x509-ca/other", string(other.PEM()))
	inStore := both.with("s/x509-ca/issuer", string(r.inter.PEM()))
	for name, c := range map[string]struct {
		trust store
		bag   []*vectors.Identity
		want  verifier.Verdict
	}{
		"alone":                      {both, []*vectors.Identity{r.inter}, verifier.Revoked},
		"before its cross":           {both, []*vectors.Identity{r.inter, cross}, verifier.Revoked},
		"behind its cross":           {both, []*vectors.Identity{cross, r.inter}, verifier.Revoked},
		"in the store, not sent":     {inStore, []*vectors.Identity{cross}, verifier.Revoked},
		"never seen":                 {both, []*vectors.Identity{cross}, verifier.Valid},
		"a namesake of another key":  {both, []*vectors.Identity{cross, namesake}, verifier.Valid},
		"a namesake denied in place": {both, []*vectors.Identity{namesake, r.inter}, verifier.Revoked},
	} {
		for _, entry := range []string{
			"x509-sha256:" + sha256Hex(r.inter.Cert.Raw),
			fmt.Sprintf("x509-serial:%x issuer=%q", r.inter.Cert.SerialNumber, r.inter.Cert.Issuer.String()),
		} {
			v := c.trust.with("s/deny/list", entry).verifier(t, r.now)
			for range 2 { // the second time from memory
				if report := inspect(t, v, "job.ps1", signedScript(t, append([]*vectors.Identity{r.leaf}, c.bag...)...)); report.Verdict != c.want {
					t.Errorf("%s, %s: %s, want %s", name, entry[:12], report.Verdict, c.want)
				}
			}
		}
	}
}

// TestStrangersInTheBagAreNoIssuers: with thirty authorities of one name and one
// slow key, in nine signatures with eight timestamps each, crypto/x509 made
// thousands of checks with that key, for one file.
func TestStrangersInTheBagAreNoIssuers(t *testing.T) {
	t.Parallel()
	r := newRevocable(t)
	stranger := vectors.Issue(t, r.now, "Root", nil)
	below := vectors.Issue(t, r.now, "Below", r.leaf) // the signer plays authority
	deep := vectors.Issue(t, r.now, "Deep", r.inter)
	leaf := vectors.Issue(t, r.now, "Bob", deep, vectors.CodeSigning)
	bag := []*x509.Certificate{leaf.Cert, stranger.Cert, deep.Cert, below.Cert, r.leaf.Cert, r.inter.Cert, r.leaf.Cert}
	for range 30 {
		bag = append(bag, vectors.Issue(t, r.now, "Root", stranger).Cert, vectors.Issue(t, r.now, "Below", below).Cert)
	}
	got, err := format.IssuedBelow(r.root.PEM(), bag)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{string(r.inter.Cert.Raw): true, string(r.leaf.Cert.Raw): true, string(deep.Cert.Raw): true, string(leaf.Cert.Raw): true}
	for _, c := range got {
		if !want[string(c.Raw)] {
			t.Errorf("%s by %s could complete a chain", c.Subject, c.Issuer)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d certificates, want %d", len(got), len(want))
	}
	if report := inspect(t, r.trust.verifier(t, r.now), "job.ps1", signedScript(t, leaf, r.inter, deep)); report.Verdict != verifier.Valid {
		t.Errorf("a chain of four: %s", report.Verdict)
	}
}
