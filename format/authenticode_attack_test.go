package format_test

import (
	"bytes"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// TestNoFlippedBitStaysValid flips every bit of a small file of our own, one bit
// of every byte of the base vector, and one of every fifth byte, another one each
// time, of the other vectors that are to be accepted.
func TestNoFlippedBitStaysValid(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{})
	v := newVerifier(t, testenv.VectorTime(), k.CAPEM)
	for name, source := range map[string][]byte{"ascii": []byte("1+1\r\n"), "utf-8": []byte("\xEF\xBB\xBF'ü'"), "utf-16": utf16le("'ü'\r\n")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			step := 8
			if name == "ascii" {
				step = 1
			}
			sweep(t, v, sign(t, k, "job.ps1", source), step)
		})
	}
	dir := testenv.Shared(t, "vectors/authenticode")
	for _, row := range readIndex(t, dir) {
		if row["gate"] != "accept" {
			continue
		}
		t.Run(row["file"], func(t *testing.T) {
			t.Parallel()
			step := 40
			if row["file"] == "layout/00-base.ps1" {
				step = 8
			}
			sweep(t, vectorVerifier(t, dir), readFile(t, filepath.Join(dir, row["file"])), step)
		})
	}
}

func sweep(t *testing.T, v *verifier.Verifier, file []byte, step int) {
	t.Helper()
	sweepAs(t, v, "job.ps1", file, step)
}

func sweepAs(t *testing.T, v *verifier.Verifier, name string, file []byte, step int) {
	t.Helper()
	checkValid(t, v, name, file)
	for bit := 0; bit < 8*len(file); bit += step {
		at, mask := bit/8, byte(1)<<((bit+bit/8)%8)
		file[at] ^= mask
		if r := inspect(t, v, name, file); r.Verdict == verifier.Valid || r.Verdict == verifier.NotChecked {
			t.Errorf("byte %d with bit %#02x flipped: %q", at, mask, r.Verdict)
		}
		file[at] ^= mask
	}
}

// TestAttacksOnOurOwnSignaturesGetTheirVerdict names the check that must fail.
func TestAttacksOnOurOwnSignaturesGetTheirVerdict(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{})
	v := newVerifier(t, testenv.VectorTime(), k.CAPEM)
	const source = "Write-Output 1\r\nWrite-Output 2\r\n"
	good := string(sign(t, k, "job.ps1", []byte(source)))
	for name, c := range map[string]struct {
		file    string
		verdict verifier.Verdict
		check   verifier.CheckID
		code    string
	}{
		"changed content":          {strings.Replace(good, "Output 1", "Output 3", 1), verifier.Tampered, verifier.CheckContentDigest, ""},
		"a block of other content": {"evil" + good[strings.Index(good, "\r\n# SIG"):], verifier.Tampered, verifier.CheckContentDigest, ""},
		"a BOM put before it":      {"\xEF\xBB\xBF" + good, verifier.Damaged, verifier.CheckLineEnds, "added-byte-order-mark"},
		"code behind the block":    {good + "evil\r\n", verifier.Malformed, verifier.CheckLayout, "trailing"},
		"git made LF":              {strings.ReplaceAll(good, "\r\n", "\n"), verifier.Damaged, verifier.CheckLineEnds, "line-ends"},
		"git made LF, and code":    {strings.ReplaceAll(good, "\r\n", "\n") + "evil\n", verifier.Malformed, verifier.CheckLayout, "trailing"},
		"git made LF, and changed": {strings.ReplaceAll(strings.Replace(good, "1", "3", 1), "\r\n", "\n"), verifier.Tampered, verifier.CheckContentDigest, "layout"},
		"an empty block":           {source + "\r\n# SIG # Begin signature block\r\n# SIG # End signature block\r\n", verifier.Unsigned, "", "empty-block"},
		"a block of zeros":         {source + "\r\n# SIG # Begin signature block\r\n# AAAA\r\n# SIG # End signature block\r\n", verifier.Malformed, verifier.CheckStructure, "cms-structure"},
		"UTF-16BE":                 {"\xFE\xFF" + good, verifier.Unsupported, verifier.CheckSupported, "utf-16be"},
		"a look-alike only":        {source + "# sig # begin signature block\r\n", verifier.Malformed, verifier.CheckLayout, "look-alike-marker"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := inspect(t, v, "job.ps1", []byte(c.file))
			if r.Verdict != c.verdict || c.check != "" && statusOf(r, c.check) != verifier.StatusFailed || c.code != "" && !hasFinding(r, c.code) {
				t.Errorf("%s, %+v, %+v", r.Verdict, r.Signatures, r.Findings)
			}
		})
	}
	t.Run("no block at all is unsigned and not claimed", func(t *testing.T) {
		t.Parallel()
		if r := inspect(t, v, "job.ps1", []byte(source)); r.Verdict != verifier.Unsigned || r.Format != "" {
			t.Errorf("%s of %q", r.Verdict, r.Format)
		}
	})
	t.Run("in another kind of file the block is text", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"job.sh", "job.ps1xml", "job.js", "job"} {
			if r := inspect(t, v, name, []byte(good)); r.Format != "" || r.Verdict == verifier.Valid {
				t.Errorf("%s: %s of %q", name, r.Verdict, r.Format)
			}
		}
	})
	t.Run("the case of the extension does not matter", func(t *testing.T) {
		t.Parallel()
		checkValid(t, v, "JOB.PS1", []byte(good))
	})
}

// TestDamageDetailsSayHowToRepair: following the advice gives a valid file.
func TestDamageDetailsSayHowToRepair(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{})
	v := newVerifier(t, testenv.VectorTime(), k.CAPEM)
	crlf := string(sign(t, k, "job.ps1", []byte("1\r\n2\r\n")))
	lf := string(sign(t, k, "job.ps1", []byte("1\n2\n")))
	for name, c := range map[string]struct{ file, advice string }{
		"content and block": {strings.ReplaceAll(crlf, "\r\n", "\n"), "convert all line ends from LF to CRLF"},
		"the block only":    {strings.ReplaceAll(lf, "\r\n", "\n"), "the line ends of the signature block"},
		"LF made CRLF":      {strings.ReplaceAll(strings.ReplaceAll(lf, "\r\n", "\n"), "\n", "\r\n"), "from CRLF to LF"},
		"no final newline":  {strings.TrimSuffix(crlf, "\r\n"), "the last one too"},
	} {
		r := inspect(t, v, "job.ps1", []byte(c.file))
		if r.Verdict != verifier.Damaged || !strings.Contains(r.Signatures[0].Checks[1].Detail, c.advice) {
			t.Errorf("%s: %s, %+v", name, r.Verdict, r.Signatures)
		}
	}
}

// TestChainsAreJudgedByTheTrustStoreNow makes odd certificates.
func TestChainsAreJudgedByTheTrustStoreNow(t *testing.T) {
	t.Parallel()
	now := testenv.VectorTime()
	good := newKey(t, newkeys.X509Options{})
	source := []byte("Write-Output 1\r\n")
	signed := sign(t, good, "job.ps1", source)
	for name, c := range map[string]struct {
		at      time.Time
		trust   []byte
		verdict verifier.Verdict
	}{
		"in time":                     {now, good.CAPEM, verifier.Valid},
		"after the end":               {now.AddDate(50, 0, 0), good.CAPEM, verifier.Expired},
		"before the start":            {now.AddDate(-20, 0, 0), good.CAPEM, verifier.Expired},
		"another authority":           {now, newKey(t, newkeys.X509Options{}).CAPEM, verifier.Untrusted},
		"another authority, expired":  {now.AddDate(50, 0, 0), newKey(t, newkeys.X509Options{}).CAPEM, verifier.Untrusted},
		"the leaf alone is no anchor": {now, good.LeafPEM, verifier.Untrusted},
		"authority in DER":            {now, good.CA.Raw, verifier.Valid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if r := inspect(t, newVerifier(t, c.at, c.trust), "job.ps1", signed); r.Verdict != c.verdict {
				t.Errorf("%s, want %s: %+v", r.Verdict, c.verdict, r.Signatures)
			}
		})
	}
}

// TestLeavesForOtherPurposesAreRefused signs with a certificate that is good, and
// then puts one of the same key and another purpose in its place.
func TestLeavesForOtherPurposesAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		o       newkeys.X509Options
		verdict verifier.Verdict
	}{
		"for TLS only":                 {newkeys.X509Options{EKUs: serverAuthOnly()}, verifier.WrongPurpose},
		"for nothing":                  {newkeys.X509Options{EKUs: noEKU()}, verifier.WrongPurpose},
		"for anything":                 {newkeys.X509Options{EKUs: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}, verifier.WrongPurpose},
		"without digital signature":    {newkeys.X509Options{Edit: withoutDigitalSignature}, verifier.WrongPurpose},
		"with an empty key usage":      {newkeys.X509Options{Edit: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }}, verifier.WrongPurpose},
		"of RSA-1024":                  {newkeys.X509Options{Algorithm: "rsa1024"}, verifier.Weak},
		"of P-521":                     {newkeys.X509Options{Algorithm: "p521"}, verifier.Unsupported},
		"without any key usage (fine)": {newkeys.X509Options{Edit: func(c *x509.Certificate) { c.KeyUsage = 0 }}, verifier.Valid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKey(t, c.o)
			file := forceSign(t, k, []byte("Write-Output 1\r\n"))
			r := inspect(t, newVerifier(t, testenv.VectorTime(), k.CAPEM), "job.ps1", file)
			if r.Verdict != c.verdict {
				t.Errorf("%s, want %s: %+v", r.Verdict, c.verdict, r.Signatures)
			}
		})
	}
}

// TestIntermediatesAndTheirLimits builds chains of three.
func TestIntermediatesAndTheirLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit    func(*x509.Certificate)
		bag     bool // the intermediate comes with the signature, not from the store
		verdict verifier.Verdict
	}{
		"in the signature":               {func(*x509.Certificate) {}, true, verifier.Valid},
		"in the trust store":             {func(*x509.Certificate) {}, false, verifier.Valid},
		"limited to TLS":                 {func(c *x509.Certificate) { c.ExtKeyUsage = serverAuthOnly() }, true, verifier.WrongPurpose},
		"expired":                        {func(c *x509.Certificate) { c.NotAfter = testenv.VectorTime().AddDate(0, 0, -1) }, true, verifier.Expired},
		"that is no authority":           {codeSigner, true, verifier.Untrusted},
		"that may not sign certificates": {func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }, true, verifier.Untrusted},
		"with a name constraint": {func(c *x509.Certificate) {
			c.PermittedDNSDomainsCritical = true
			c.PermittedDNSDomains = []string{"x.test"}
		}, true, verifier.Valid},
		"with an extension nobody knows": {addUnknownCritical, true, verifier.Untrusted},
		// crypto/x509 looks at no directory names, and passes over such a limit
		// unless it is marked critical.
		"for other directory names only":                   {onlyOrganisation(false), true, verifier.Untrusted},
		"for other directory names only, critical":         {onlyOrganisation(true), true, verifier.Untrusted},
		"for other directory names only, out of the store": {onlyOrganisation(false), false, verifier.Untrusted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := issue(t, "Root", nil, nil)
			inter := issue(t, "Intermediate", root, c.edit)
			leaf := issue(t, "Leaf", inter, codeSigner)
			trust := [][]byte{root.pem}
			chain := []*x509.Certificate{leaf.cert}
			if c.bag {
				chain = append(chain, inter.cert)
			} else {
				trust = append(trust, inter.pem)
			}
			file := forceSignChain(t, leaf.key, chain, []byte("Write-Output 1\r\n"))
			r := inspect(t, newVerifier(t, testenv.VectorTime(), trust...), "job.ps1", file)
			if r.Verdict != c.verdict {
				t.Errorf("%s, want %s: %+v", r.Verdict, c.verdict, r.Signatures)
			}
		})
	}
}

// TestASigningTimeOutsideTheCertificateIsExpired: such a signature is well made,
// and its certificate was not in its time when it claims to be made.
func TestASigningTimeOutsideTheCertificateIsExpired(t *testing.T) {
	t.Parallel()
	tool := testenv.Tool(t, "osslsigncode")
	now := testenv.VectorTime()
	k := newKey(t, newkeys.X509Options{NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(0, 1, 0)})
	dir := t.TempDir()
	key, certs, in := filepath.Join(dir, "key.pem"), filepath.Join(dir, "certs.pem"), filepath.Join(dir, "in.ps1")
	writeFile(t, key, k.KeyPEM)
	writeFile(t, certs, k.ChainPEM())
	writeFile(t, in, []byte("Write-Output 1\r\n"))
	for name, c := range map[string]struct {
		claimed, judged time.Time
		verdict         verifier.Verdict
	}{
		"in time":                           {now, now, verifier.Valid},
		"before the start":                  {now.AddDate(0, -2, 0), now, verifier.Expired},
		"after the end":                     {now.AddDate(0, 2, 0), now, verifier.Expired},
		"after the end, and judged there":   {now.AddDate(0, 2, 0), now.AddDate(0, 2, 0), verifier.Expired},
		"in time, and judged after the end": {now, now.AddDate(0, 2, 0), verifier.Expired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".ps1")
			text, err := exec.Command(tool, "sign", "-h", "sha256", "-time", strconv.FormatInt(c.claimed.Unix(), 10),
				"-certs", certs, "-key", key, "-in", in, "-out", out).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if r := inspect(t, newVerifier(t, c.judged, k.CAPEM), "in.ps1", readFile(t, out)); r.Verdict != c.verdict {
				t.Errorf("%s, want %s: %+v", r.Verdict, c.verdict, r.Signatures)
			}
		})
	}
}

// TestCertificatesThatNobodyVouchesForAreRefused: a root in the signature is
// never an anchor, and bytes that no check covers do not pass.
func TestCertificatesThatNobodyVouchesForAreRefused(t *testing.T) {
	t.Parallel()
	k, stranger := newKey(t, newkeys.X509Options{}), newKey(t, newkeys.X509Options{Subject: "Stranger"})
	source := []byte("Write-Output 1\r\n")
	v := newVerifier(t, testenv.VectorTime(), k.CAPEM)
	own := forceSignChain(t, k.Key, []*x509.Certificate{k.Leaf, k.CA}, source)
	checkValid(t, v, "job.ps1", own)
	alien := forceSignChain(t, k.Key, []*x509.Certificate{k.Leaf, stranger.CA}, source)
	if r := inspect(t, v, "job.ps1", alien); r.Verdict != verifier.Untrusted {
		t.Errorf("a stranger's certificate in the signature: %s", r.Verdict)
	}
	large := forceSignChain(t, k.Key, []*x509.Certificate{k.Leaf, oversized(t).cert}, source)
	if r := inspect(t, v, "job.ps1", large); r.Verdict != verifier.Unsupported {
		t.Errorf("a certificate with a key too large to use: %s", r.Verdict)
	}
	smuggled := forceSignChain(t, stranger.Key, []*x509.Certificate{stranger.Leaf, stranger.CA}, source)
	if r := inspect(t, v, "job.ps1", smuggled); r.Verdict != verifier.Untrusted || len(r.Signatures[0].Signer.IDs) == 0 {
		t.Errorf("a root in the signature: %s", r.Verdict)
	}
}

// TestAChainIsRememberedForNoOtherTime: what one file was found to be does not
// leak into another judgement.
func TestAChainIsRememberedForNoOtherTime(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{})
	now := testenv.VectorTime()
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "test", Room: verifier.RoomX509CA, Name: "ca.pem", Data: k.CAPEM})
	if err != nil {
		t.Fatal(err)
	}
	checker, err := authenticodeAt().Load(trust)
	if err != nil {
		t.Fatal(err)
	}
	good := sign(t, k, "job.ps1", []byte("Write-Output 1\r\n"))
	judge := func(data []byte, at time.Time) verifier.Verdict {
		rb, err := runbook.Parse("job.ps1", data)
		if err != nil {
			t.Error(err)
			return verifier.NotChecked
		}
		o := checker.Check(t.Context(), rb, at)
		return verifier.Worst(o.Verdict, verifier.JudgeChecks(o.Signatures[0].Checks))
	}
	tampered := bytes.Replace(good, []byte("1"), []byte("2"), 1)
	for range 2 {
		if a, b, c := judge(good, now), judge(good, now.AddDate(50, 0, 0)), judge(tampered, now); a != verifier.Valid || b != verifier.Expired || c != verifier.Tampered {
			t.Errorf("%s, %s, %s", a, b, c)
		}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if a, b := judge(good, now), judge(tampered, now); a != verifier.Valid || b != verifier.Tampered {
					t.Errorf("at once: %s, %s", a, b)
				}
			}
		})
	}
	wg.Wait()
}

func TestATrustStoreWithSomethingElseIsRefused(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{})
	for name, data := range map[string][]byte{
		"text":                         []byte("hello"),
		"a private key":                k.KeyPEM,
		"a key behind the certificate": append(bytes.Clone(k.CAPEM), k.KeyPEM...),
		"a certificate cut off":        k.CA.Raw[:100],
		"a key too large to use":       oversized(t).pem,
		"a block behind a BOM":         slices.Concat([]byte("\xEF\xBB\xBF"), k.CAPEM, k.LeafPEM),
		"a block without its end":      append(bytes.TrimSuffix(k.LeafPEM, []byte("-----\n")), k.CAPEM...),
		"a PEM of nonsense":            []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
	} {
		trust, err := verifier.NewTrust(verifier.TrustFile{Store: "test", Room: verifier.RoomX509CA, Name: "ca.pem", Data: data})
		if err != nil {
			t.Fatal(err)
		}
		if c, err := authenticodeAt().Load(trust); err == nil || c != nil {
			t.Errorf("%s: loaded", name)
		}
	}
}

func FuzzAuthenticodeCheck(f *testing.F) {
	// The fuzzer runs this in several processes, each with a key of its own; the
	// vectors are the same in all of them.
	k := newKey(f, newkeys.X509Options{})
	cas := [][]byte{k.CAPEM}
	valid, contents := map[string]bool{}, map[string]bool{}
	dir := filepath.Join(filepath.Dir(testenv.Root(f)), "shared", "vectors", "authenticode")
	if _, err := os.Stat(dir); err == nil {
		cas = append(cas, readFile(f, filepath.Join(dir, "ca.pem")))
		for _, row := range readIndex(f, dir) {
			data := readFile(f, filepath.Join(dir, row["file"]))
			valid[string(data)] = row["gate"] != "reject"
			contents[beforeBlock(data)] = row["gate"] != "reject"
			f.Add(".ps1", data)
		}
	}
	v := newVerifier(f, testenv.VectorTime(), cas...)
	for _, ext := range []string{".ps1", ".cdxml", ".mof", ".vbs", ".js", ".wsf"} {
		for _, source := range signableScripts() {
			signed := sign(f, k, "job"+ext, inType(ext, source))
			valid[string(signed)], contents[beforeBlock(signed)] = true, true
			f.Add(ext, signed)
			f.Add(ext, bytes.ReplaceAll(signed, []byte("\r\n"), []byte("\n")))
		}
	}
	several := appendSignature(f, k, "job.ps1", sign(f, k, "job.ps1", []byte("1+1\r\n")))
	valid[string(several)], contents[beforeBlock(several)] = true, true
	f.Add(".ps1", several)
	f.Fuzz(func(t *testing.T, ext string, data []byte) {
		rb, err := runbook.Parse("job"+ext, data)
		if err != nil {
			return // larger than the limit, or of an odd name
		}
		r, err := v.Inspect(t.Context(), rb)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case r.Verdict == verifier.NotChecked:
			t.Errorf("not checked: %q", data)
		case r.Verdict != verifier.Valid || valid[string(data)]:
		case len(r.Findings) == 0 || !contents[beforeBlock(data)]:
			// Only unsigned attributes may differ, and they are reported.
			t.Errorf("valid: %q", data)
		}
	})
}

func beforeBlock(data []byte) string {
	for _, begin := range []string{"# SIG # Begin", "<!-- SIG # Begin", "/* SIG # Begin", "'' SIG '' Begin", "// SIG // Begin", "\n<signature>"} {
		if i := bytes.LastIndex(data, []byte(begin)); i >= 0 {
			return string(data[:i])
		}
	}
	return string(data)
}
