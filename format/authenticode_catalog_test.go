package format_test

import (
	"bytes"
	"crypto"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/vectors"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// There is neither makecat nor New-FileCatalog here: the catalogs are made by
// internal/vectors, in the form that osslsigncode and openssl read too.

// listed judges a file with catalogs at hand.
func listed(t testing.TB, ca []byte, name string, data []byte, catalogs ...[]byte) *verifier.Report {
	t.Helper()
	a := authenticodeAt()
	for _, c := range catalogs {
		a.Catalogs = append(a.Catalogs, format.Catalog{Name: "test.cat", Data: c})
	}
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "test", Room: verifier.RoomX509CA, Name: "ca.pem", Data: ca})
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{a, format.NewClearsign()}, Now: testenv.VectorTime})
	if err != nil {
		t.Fatal(err)
	}
	rb, err := runbook.Parse(name, data)
	if err != nil {
		t.Fatal(err)
	}
	r, err := v.Inspect(t.Context(), rb)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// cataloguer is a root with a leaf that signs catalogs.
func cataloguer(t testing.TB, edits ...vectors.Edit) (root, leaf *vectors.Identity) {
	t.Helper()
	root = vectors.Issue(t, testenv.VectorTime(), "Catalog Root", nil)
	return root, vectors.Issue(t, testenv.VectorTime(), "Catalog Signer", root, append([]vectors.Edit{vectors.CodeSigning}, edits...)...)
}

func TestAFileThatACatalogListsIsValid(t *testing.T) {
	t.Parallel()
	root, leaf := cataloguer(t)
	now, ps := testenv.VectorTime(), vectors.StyleOf(".ps1")
	script := []byte("Write-Output 1\r\n")
	other := vectors.FlatMember(crypto.SHA256, []byte("something else"))
	pe := vectors.Member(vectors.Sum(crypto.SHA256, script), vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDPEImageData), vectors.Seq()), vectors.DigestInfo(crypto.SHA256, vectors.Sum(crypto.SHA256, script))))
	vbs := vectors.Member(ps.Digest(crypto.SHA256, script), vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDSipInfo), vectors.SIPInfo(1, vectors.VBScriptGUID)), vectors.DigestInfo(crypto.SHA256, ps.Digest(crypto.SHA256, script))))
	for name, c := range map[string]struct {
		file    []byte
		members [][]byte
		want    verifier.Verdict
	}{
		"by the digest of its bytes":            {script, [][]byte{other, vectors.FlatMember(crypto.SHA256, script)}, verifier.Valid},
		"by SHA-512 of its bytes":               {script, [][]byte{vectors.FlatMember(crypto.SHA512, script)}, verifier.Valid},
		"by the digest of its text":             {script, [][]byte{ps.TextMember(crypto.SHA256, script), other}, verifier.Valid},
		"by both":                               {script, [][]byte{ps.TextMember(crypto.SHA256, script), vectors.FlatMember(crypto.SHA256, script)}, verifier.Valid},
		"by SHA-1":                              {script, [][]byte{vectors.FlatMember(crypto.SHA1, script)}, verifier.Weak},
		"by SHA-1 and SHA-256":                  {script, [][]byte{vectors.FlatMember(crypto.SHA1, script), vectors.FlatMember(crypto.SHA256, script)}, verifier.Valid},
		"not at all":                            {script, [][]byte{other}, verifier.Unsigned},
		"as an empty list":                      {script, nil, verifier.Unsigned},
		"as a program with the same digest":     {script, [][]byte{pe}, verifier.Unsigned},
		"as a VBScript with the same digest":    {script, [][]byte{vbs}, verifier.Unsigned},
		"changed since":                         {[]byte("Write-Output 2\r\n"), [][]byte{vectors.FlatMember(crypto.SHA256, script), ps.TextMember(crypto.SHA256, script)}, verifier.Unsigned},
		"with text that hosts read differently": {[]byte("'gr\xc3\xbc\xc3\x9fe'"), [][]byte{vectors.FlatMember(crypto.SHA256, []byte("'gr\xc3\xbc\xc3\x9fe'"))}, verifier.Ambiguous},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := listed(t, root.PEM(), "job.ps1", c.file, vectors.Catalog(t, leaf, now, c.members...))
			if r.Verdict != c.want || hasFinding(r, "catalog") != (c.want != verifier.Unsigned) || hasFinding(r, "not-in-catalog") != (c.want == verifier.Unsigned) {
				t.Fatalf("%s, want %s: %+v %+v", r.Verdict, c.want, r.Signatures, r.Findings)
			}
			if c.want != verifier.Valid {
				return
			}
			if s := r.Signatures[0]; len(s.Signer.IDs) == 0 || s.Format != "authenticode" || r.Payload != r.File || !strings.Contains(s.Checks[0].Detail, "test.cat") {
				t.Errorf("%+v", r)
			}
		})
	}
}

// The digest of the Windows Script Host includes the place of a block, which a
// file without one does not have.
func TestACatalogListsScriptsOfTheScriptHostByTheirBytesAlone(t *testing.T) {
	t.Parallel()
	root, leaf := cataloguer(t)
	script := []byte("WScript.Echo 1\r\n")
	for want, member := range map[verifier.Verdict][]byte{
		verifier.Valid:    vectors.FlatMember(crypto.SHA256, script),
		verifier.Unsigned: vectors.StyleOf(".vbs").TextMember(crypto.SHA256, script),
	} {
		if r := listed(t, root.PEM(), "job.vbs", script, vectors.Catalog(t, leaf, testenv.VectorTime(), member)); r.Verdict != want {
			t.Errorf("%s, want %s: %+v", r.Verdict, want, r.Findings)
		}
	}
}

// TestASignatureOfTheFileIsNeverHiddenByACatalog is attack 92: whatever a catalog
// says of a file, the signature inside it decides.
func TestASignatureOfTheFileIsNeverHiddenByACatalog(t *testing.T) {
	t.Parallel()
	root, leaf := cataloguer(t)
	k := newKey(t, newkeys.X509Options{})
	good := string(sign(t, k, "job.ps1", []byte("Write-Output 1\r\n")))
	ca := slices.Concat(root.PEM(), k.CAPEM)
	for name, c := range map[string]struct {
		file string
		ca   []byte
		want verifier.Verdict
	}{
		"good":            {good, ca, verifier.Valid},
		"tampered":        {strings.Replace(good, "1", "2", 1), ca, verifier.Tampered},
		"untrusted":       {good, root.PEM(), verifier.Untrusted},
		"with code after": {good + "evil\r\n", ca, verifier.Malformed},
		"damaged":         {strings.ReplaceAll(good, "\r\n", "\n"), ca, verifier.Damaged},
		"empty":           {"1+1\r\n\r\n# SIG # Begin signature block\r\n# SIG # End signature block\r\n", ca, verifier.Unsigned},
		"looks like one":  {"1+1\r\n# sig # begin signature block\r\n", ca, verifier.Malformed},
	} {
		catalog := vectors.Catalog(t, leaf, testenv.VectorTime(), vectors.FlatMember(crypto.SHA256, []byte(c.file)))
		if r := listed(t, c.ca, "job.ps1", []byte(c.file), catalog); r.Verdict != c.want || !hasFinding(r, "catalog-ignored") {
			t.Errorf("%s: %s, want %s: %+v", name, r.Verdict, c.want, r.Findings)
		}
	}
	document := []byte("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n1+1\n")
	catalog := vectors.Catalog(t, leaf, testenv.VectorTime(), vectors.FlatMember(crypto.SHA256, document))
	if r := listed(t, ca, "job.ps1", document, catalog); r.Verdict == verifier.Valid || r.Format != "clearsign" {
		t.Errorf("a clear-signed document without its signature: %s of %s", r.Verdict, r.Format)
	}
	shell := []byte("echo 1\n")
	catalog = vectors.Catalog(t, leaf, testenv.VectorTime(), vectors.FlatMember(crypto.SHA256, shell))
	if r := listed(t, ca, "job.sh", shell, catalog); r.Verdict != verifier.Unsigned {
		t.Errorf("a file of a type that carries no Authenticode signature: %s", r.Verdict)
	}
}

// TestACatalogIsJudgedLikeASignature: same chain, same purposes, same algorithms.
func TestACatalogIsJudgedLikeASignature(t *testing.T) {
	t.Parallel()
	now := testenv.VectorTime()
	script := []byte("Write-Output 1\r\n")
	member := vectors.FlatMember(crypto.SHA256, script)
	root, leaf := cataloguer(t)
	tls := vectors.Issue(t, now, "TLS", root, vectors.ServerAuth)
	old := vectors.Issue(t, now, "Old", root, vectors.CodeSigning, vectors.Valid(now.AddDate(-1, 0, 0), now.AddDate(0, -1, 0)))
	strangerRoot, stranger := cataloguer(t)
	swapped := vectors.NewCatalog(leaf, now, vectors.FlatMember(crypto.SHA256, []byte("other")))
	swapped.Attributes = swapped.Standard()
	swapped.Content = vectors.TrustList(now, member)
	forged := vectors.NewCatalog(leaf, now, member)
	forged.Value = forged.Sign(t)
	forged.Value = append(bytes.Clone(forged.Value[:len(forged.Value)-1]), forged.Value[len(forged.Value)-1]^1)
	good := vectors.Catalog(t, leaf, now, member)
	evil := vectors.Catalog(t, stranger, now, member)
	for name, c := range map[string]struct {
		catalogs [][]byte
		ca       []byte
		want     verifier.Verdict
	}{
		"good":                          {[][]byte{good}, root.PEM(), verifier.Valid},
		"by a stranger":                 {[][]byte{evil}, root.PEM(), verifier.Untrusted},
		"for TLS":                       {[][]byte{vectors.Catalog(t, tls, now, member)}, root.PEM(), verifier.WrongPurpose},
		"expired":                       {[][]byte{vectors.Catalog(t, old, now, member)}, root.PEM(), verifier.Expired},
		"of another list":               {[][]byte{swapped.Build(t)}, root.PEM(), verifier.Tampered},
		"with a forged value":           {[][]byte{forged.Build(t)}, root.PEM(), verifier.BadSignature},
		"a good one behind a bad one":   {[][]byte{evil, good}, root.PEM(), verifier.Valid},
		"a bad one behind a good one":   {[][]byte{good, evil}, root.PEM(), verifier.Valid},
		"two by strangers, first wins":  {[][]byte{evil, vectors.Catalog(t, tls, now, member)}, root.PEM(), verifier.Untrusted},
		"the stranger is trusted alone": {[][]byte{good, evil}, strangerRoot.PEM(), verifier.Valid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 2 {
				if r := listed(t, c.ca, "job.ps1", script, c.catalogs...); r.Verdict != c.want || len(r.Signatures) != 1 {
					t.Errorf("%s, want %s: %+v", r.Verdict, c.want, r.Signatures)
				}
			}
		})
	}
}

func TestACatalogThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	_, leaf := cataloguer(t)
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "test", Room: verifier.RoomX509CA, Name: "ca.pem", Data: leaf.PEM()})
	if err != nil {
		t.Fatal(err)
	}
	signature := vectors.NewMessage(leaf, crypto.SHA256, vectors.StyleOf(".ps1").IndirectData(crypto.SHA256, make([]byte, 32))).Build(t)
	for name, data := range map[string][]byte{"nothing": nil, "text": []byte("hello"), "the signature of a file": signature} {
		a := authenticodeAt()
		a.Catalogs = []format.Catalog{{Name: "x.cat", Data: data}}
		var ce *format.CatalogError
		if _, err := a.Load(trust); !errors.As(err, &ce) || !strings.Contains(err.Error(), "x.cat") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNoFlippedBitOfACatalogStaysValid: another catalog does not parse, or does
// not verify, or does not list the file.
func TestNoFlippedBitOfACatalogStaysValid(t *testing.T) {
	t.Parallel()
	root, leaf := cataloguer(t)
	script := []byte("1+1\r\n")
	catalog := vectors.Catalog(t, leaf, testenv.VectorTime(), vectors.FlatMember(crypto.SHA256, script))
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "test", Room: verifier.RoomX509CA, Name: "ca.pem", Data: root.PEM()})
	if err != nil {
		t.Fatal(err)
	}
	for i := range catalog {
		catalog[i] ^= 1 << (i % 8)
		a := authenticodeAt()
		a.Catalogs = []format.Catalog{{Name: "x.cat", Data: catalog}}
		if _, err := a.Load(trust); err == nil {
			if r := listed(t, root.PEM(), "job.ps1", script, catalog); r.Verdict == verifier.Valid || r.Verdict == verifier.NotChecked {
				t.Errorf("byte %d flipped: %q", i, r.Verdict)
			}
		}
		catalog[i] ^= 1 << (i % 8)
	}
}

// TestOtherToolsReadOurTestCatalogs: osslsigncode finds the script in the catalog
// and verifies it, openssl verifies the message.
func TestOtherToolsReadOurTestCatalogs(t *testing.T) {
	t.Parallel()
	now := testenv.VectorTime()
	root := vectors.IssueFor(t, now, "Catalog Root", nil, vectors.RSA(t, 2048), vectors.Valid(now.AddDate(-5, 0, 0), now.AddDate(20, 0, 0)))
	leaf := vectors.IssueFor(t, now, "Catalog Signer", root, vectors.RSA(t, 2048), vectors.CodeSigning, vectors.Valid(now.AddDate(-5, 0, 0), now.AddDate(20, 0, 0)))
	script := []byte("Write-Output 1\r\n")
	catalog := vectors.Catalog(t, leaf, now, vectors.FlatMember(crypto.SHA256, []byte("other")), vectors.FlatMember(crypto.SHA256, script))
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	writeFile(t, path("x.cat"), catalog)
	writeFile(t, path("ca.pem"), root.PEM())
	writeFile(t, path("job.ps1"), script)
	writeFile(t, path("other.ps1"), []byte("Write-Output 2\r\n"))
	if r := listed(t, root.PEM(), "job.ps1", script, catalog); r.Verdict != verifier.Valid {
		t.Errorf("writ: %s, %+v", r.Verdict, r.Signatures)
	}
	osslsigncode := testenv.Tool(t, "osslsigncode")
	out, err := exec.Command(osslsigncode, "verify", "-catalog", path("x.cat"), "-CAfile", path("ca.pem"), "-in", path("job.ps1")).CombinedOutput()
	if err != nil {
		t.Errorf("osslsigncode: %v\n%s", err, out)
	}
	if out, err := exec.Command(osslsigncode, "verify", "-catalog", path("x.cat"), "-CAfile", path("ca.pem"), "-in", path("other.ps1")).CombinedOutput(); err == nil {
		t.Errorf("osslsigncode finds a file that is not listed\n%s", out)
	}
	openssl := testenv.Tool(t, "openssl")
	out, err = exec.Command(openssl, "pkcs7", "-print", "-noout", "-inform", "DER", "-in", path("x.cat")).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("1.3.6.1.4.1.311.10.1")) {
		t.Errorf("openssl: %v\n%s", err, out)
	}
}
