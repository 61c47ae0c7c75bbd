package format_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/vectors"
	"github.com/runwrit/writ/verifier"
)

// revocable is a chain of three and a script signed with it.
type revocable struct {
	now               time.Time
	root, inter, leaf *vectors.Identity
	file              []byte
	trust             store
}

func newRevocable(t testing.TB, edits ...vectors.Edit) *revocable {
	t.Helper()
	r := &revocable{now: testenv.VectorTime()}
	r.root = vectors.Issue(t, r.now, "Root", nil)
	r.inter = vectors.Issue(t, r.now, "Issuer", r.root)
	r.leaf = vectors.Issue(t, r.now, "Alice", r.inter, append([]vectors.Edit{vectors.CodeSigning}, edits...)...)
	r.file = signedScript(t, r.leaf, r.inter)
	r.trust = store{"s/x509-ca/ca": string(r.root.PEM())}
	return r
}

func (r *revocable) entry(id *vectors.Identity, reason int, extensions ...pkix.Extension) x509.RevocationListEntry {
	return x509.RevocationListEntry{
		SerialNumber: id.Cert.SerialNumber, RevocationTime: r.now.AddDate(0, -1, 0), ReasonCode: reason, ExtraExtensions: extensions,
	}
}

// from changes the date of a revocation.
func from(e x509.RevocationListEntry, at time.Time) x509.RevocationListEntry {
	e.RevocationTime = at
	return e
}

// crl is a list from yesterday to tomorrow.
func (r *revocable) crl(t testing.TB, by *vectors.Identity, edit func(*x509.RevocationList), entries ...x509.RevocationListEntry) string {
	t.Helper()
	list := &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: r.now.AddDate(0, 0, -1), NextUpdate: r.now.AddDate(0, 0, 1), RevokedCertificateEntries: entries,
	}
	if edit != nil {
		edit(list)
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, by.Cert, by.Key)
	if err != nil {
		t.Fatal(err)
	}
	return string(der)
}

func stale(l *x509.RevocationList) {
	l.ThisUpdate, l.NextUpdate = l.ThisUpdate.AddDate(0, 0, -9), l.NextUpdate.AddDate(0, 0, -9)
}

func point(t testing.TB, critical bool, value ...[]byte) pkix.Extension {
	t.Helper()
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: critical, Value: vectors.Seq(value...)}
}

func with(e pkix.Extension) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) { l.ExtraExtensions = append(l.ExtraExtensions, e) }
}

func TestRevocationListsAreHonoured(t *testing.T) {
	t.Parallel()
	const uri = "http://crl.test/1.crl"
	r := newRevocable(t, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{uri} })
	impostor := vectors.Issue(t, r.now, "Issuer", nil) // the same name, another key
	noCRLs := vectors.IssueFor(t, r.now, "Issuer", r.root, r.inter.Key, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	rootGood := r.crl(t, r.root, nil)
	uriName := func(s string) []byte { return vectors.Context(0, vectors.Context(0, vectors.TLV(0x86, []byte(s)))) }
	other := x509.RevocationListEntry{SerialNumber: big.NewInt(77), RevocationTime: r.now}
	pemOf := func(der ...string) string {
		var b bytes.Buffer
		for _, d := range der {
			b.Write(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: []byte(d)}))
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		lists                    []string
		prefer, require, nothing verifier.Verdict // nothing: without any setting
		unknown                  bool             // the finding of prefer
	}{
		"nobody is revoked":                  {[]string{r.crl(t, r.inter, nil, other), rootGood}, verifier.Valid, verifier.Valid, verifier.Valid, false},
		"in one PEM file":                    {[]string{pemOf(r.crl(t, r.inter, nil), rootGood)}, verifier.Valid, verifier.Valid, verifier.Valid, false},
		"the signer is revoked":              {[]string{r.crl(t, r.inter, nil, other, r.entry(r.leaf, 4)), rootGood}, verifier.Revoked, verifier.Revoked, verifier.Revoked, false},
		"the signer is revoked, no reason":   {[]string{r.crl(t, r.inter, nil, r.entry(r.leaf, 0)), rootGood}, verifier.Revoked, verifier.Revoked, verifier.Revoked, false},
		"the signer will be revoked":         {[]string{r.crl(t, r.inter, nil, from(r.entry(r.leaf, 4), r.now.AddDate(0, 0, 1))), rootGood}, verifier.Revoked, verifier.Revoked, verifier.Revoked, false},
		"the signer is on hold":              {[]string{r.crl(t, r.inter, nil, r.entry(r.leaf, 6)), rootGood}, verifier.Revoked, verifier.Revoked, verifier.Revoked, false},
		"the authority is revoked":           {[]string{r.crl(t, r.inter, nil), r.crl(t, r.root, nil, r.entry(r.inter, 2))}, verifier.Revoked, verifier.Revoked, verifier.Revoked, false},
		"nothing of the authority":           {[]string{r.crl(t, r.inter, nil)}, verifier.Valid, verifier.Untrusted, verifier.Valid, true},
		"out of date, good":                  {[]string{r.crl(t, r.inter, stale), rootGood}, verifier.Valid, verifier.Untrusted, verifier.Valid, true},
		"out of date, revoked":               {[]string{r.crl(t, r.inter, stale, r.entry(r.leaf, 4)), rootGood}, verifier.Revoked, verifier.Revoked, verifier.Revoked, false},
		"one out of date, a newer one good":  {[]string{r.crl(t, r.inter, stale), r.crl(t, r.inter, nil), rootGood}, verifier.Valid, verifier.Valid, verifier.Valid, false},
		"revoked in the older of two":        {[]string{r.crl(t, r.inter, stale, r.entry(r.leaf, 4)), r.crl(t, r.inter, nil), rootGood}, verifier.Revoked, verifier.Revoked, verifier.Revoked, false},
		"not yet in force":                   {[]string{r.crl(t, r.inter, func(l *x509.RevocationList) { l.ThisUpdate = r.now.Add(time.Hour) }), rootGood}, verifier.Valid, verifier.Untrusted, verifier.Valid, true},
		"by another issuer of the same name": {[]string{r.crl(t, impostor, nil, r.entry(r.leaf, 1)), rootGood}, verifier.Valid, verifier.Untrusted, verifier.Valid, true},
		"by the signer itself":               {[]string{r.crl(t, &vectors.Identity{Cert: r.inter.Cert, Key: r.leaf.Key}, func(l *x509.RevocationList) {}), rootGood}, verifier.Valid, verifier.Untrusted, verifier.Valid, true},
		"for authorities only":               {[]string{r.crl(t, r.inter, with(point(t, true, vectors.TLV(0x82, []byte{0xFF})))), rootGood}, verifier.Valid, verifier.Untrusted, verifier.Valid, true},
		"for users only":                     {[]string{r.crl(t, r.inter, with(point(t, true, vectors.TLV(0x81, []byte{0xFF})))), rootGood}, verifier.Valid, verifier.Valid, verifier.Valid, false},
		"of its distribution point":          {[]string{r.crl(t, r.inter, with(point(t, true, uriName(uri)))), rootGood}, verifier.Valid, verifier.Valid, verifier.Valid, false},
		"of another distribution point":      {[]string{r.crl(t, r.inter, with(point(t, true, uriName(uri+"2")))), rootGood}, verifier.Valid, verifier.Untrusted, verifier.Valid, true},
		"of another point, revoked":          {[]string{r.crl(t, r.inter, with(point(t, true, uriName(uri+"2"))), r.entry(r.leaf, 4)), rootGood}, verifier.Revoked, verifier.Revoked, verifier.Revoked, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := r.trust
			for i, list := range c.lists {
				s = s.with("lists/crl/"+string(rune('a'+i)), list)
			}
			for mode, want := range map[string]verifier.Verdict{"prefer": c.prefer, "require": c.require, "": c.nothing, "off": verifier.Valid} {
				moded := s
				if mode != "" {
					moded = s.with("s/settings/settings", "revocation:"+mode)
				}
				v := moded.verifier(t, r.now)
				for range 2 { // the second time with the chain out of memory
					report := inspect(t, v, "job.ps1", r.file)
					if report.Verdict != want {
						t.Errorf("mode %q: %s, want %s: %+v", mode, report.Verdict, want, report.Signatures)
					}
					if unknown := hasFinding(report, "revocation-unknown"); unknown != (c.unknown && (mode == "prefer" || mode == "")) {
						t.Errorf("mode %q: unknown is %v", mode, unknown)
					}
					if asked := checkDetail(report, verifier.CheckRevocation) != ""; asked == (mode == "off") {
						t.Errorf("mode %q: asked is %v", mode, asked)
					}
				}
			}
		})
	}
	t.Run("an issuer that may sign no lists", func(t *testing.T) {
		t.Parallel()
		s := r.trust.with("s/settings/settings", "revocation:require").with("s/crl/a", r.crl(t, r.inter, nil)).with("s/crl/b", rootGood)
		if report := inspect(t, s.verifier(t, r.now), "job.ps1", signedScript(t, r.leaf, noCRLs)); report.Verdict != verifier.Untrusted {
			t.Errorf("%s", report.Verdict)
		}
	})
}

func TestWithoutListsNothingIsAskedUnlessItIsRequired(t *testing.T) {
	t.Parallel()
	r := newRevocable(t)
	report := inspect(t, r.trust.verifier(t, r.now), "job.ps1", r.file)
	if report.Verdict != verifier.Valid || checkDetail(report, verifier.CheckRevocation) != "" {
		t.Errorf("%s: %+v", report.Verdict, report.Signatures)
	}
	report = inspect(t, r.trust.with("s/settings/settings", "revocation:require").verifier(t, r.now), "job.ps1", r.file)
	if report.Verdict != verifier.Untrusted || statusOf(report, verifier.CheckRevocation) != verifier.StatusUnknown {
		t.Errorf("%s: %+v", report.Verdict, report.Signatures)
	}
	// A store that does not ask, beside one that requires.
	both := r.trust.with("s/settings/settings", "revocation:require").with("t/x509-ca/ca", string(r.root.PEM()))
	if report = inspect(t, both.verifier(t, r.now), "job.ps1", r.file); report.Verdict != verifier.Valid || !strings.Contains(checkDetail(report, verifier.CheckTrust), `"t"`) {
		t.Errorf("%s: %+v", report.Verdict, report.Signatures)
	}
}

// What cannot be honoured whole is refused when the trust store is read.
func TestListsThatAreNotHonouredAreRefused(t *testing.T) {
	t.Parallel()
	r := newRevocable(t)
	critical := pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}
	delta := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}
	good := r.crl(t, r.inter, nil)
	for name, c := range map[string]struct{ list, words string }{
		"a delta list":                 {r.crl(t, r.inter, with(delta)), "delta"},
		"an indirect list":             {r.crl(t, r.inter, with(point(t, true, vectors.TLV(0x84, []byte{0xFF})))), "indirect"},
		"an entry of another issuer":   {r.crl(t, r.inter, nil, r.entry(r.leaf, 0, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true, Value: []byte{0x30, 0}})), "2.5.29.29"},
		"a critical extension":         {r.crl(t, r.inter, with(critical)), "critical extension 1.2.3"},
		"a critical one of an entry":   {r.crl(t, r.inter, nil, r.entry(r.leaf, 0, critical)), "critical extension 1.2.3"},
		"for some reasons":             {r.crl(t, r.inter, with(point(t, true, vectors.TLV(0x83, []byte{6, 0x40})))), "reasons"},
		"for attribute certificates":   {r.crl(t, r.inter, with(point(t, true, vectors.TLV(0x85, []byte{0xFF})))), "attribute"},
		"of a relative name":           {r.crl(t, r.inter, with(point(t, true, vectors.Context(0, vectors.Context(1, vectors.Seq()))))), "relative"},
		"a point that is no point":     {r.crl(t, r.inter, with(pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: []byte{4, 0}})), "cannot be read"},
		"an odd invalidity date":       {r.crl(t, r.inter, nil, r.entry(r.leaf, 1, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 24}, Value: []byte{5, 0}})), "invalidity"},
		"bytes behind it":              {good + "x", "behind"},
		"a certificate":                {string(r.root.PEM()), "CERTIFICATE"},
		"junk":                         {"junk", "neither"},
		"half of it":                   {good[:len(good)/2], "neither"},
		"PEM that cannot be read":      {"-----BEGIN X509 CRL-----\n!\n-----END X509 CRL-----\n", "cannot be read"},
		"an OCSP response, an error":   {string(ocsp.UnauthorizedErrorResponse), "error, number 6"},
		"an OCSP response, twice":      {twice(t, r.ocsp(t, nil, nil)), "one serial number twice"},
		"an OCSP response, half of it": {r.ocsp(t, nil, nil)[:60], "neither"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r.trust.with("s/crl/list", c.list).refuse(t, c.words)
		})
	}
}

// twice repeats what a response says about its one certificate.
func twice(t testing.TB, response string) string {
	t.Helper()
	var outer struct {
		Status asn1.Enumerated
		Basic  struct {
			Type asn1.ObjectIdentifier
			DER  []byte
		} `asn1:"explicit,tag:0"`
	}
	var basic struct {
		Data struct {
			Responder  asn1.RawValue
			ProducedAt time.Time `asn1:"generalized"`
			Responses  []asn1.RawValue
		}
		Algorithm, Signature asn1.RawValue
	}
	_, err := asn1.Unmarshal([]byte(response), &outer)
	_, err2 := asn1.Unmarshal(outer.Basic.DER, &basic)
	basic.Data.Responses = append(basic.Data.Responses, basic.Data.Responses...)
	der, err3 := asn1.Marshal(basic)
	outer.Basic.DER = der
	der, err4 := asn1.Marshal(outer)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	return string(der)
}

// ocsp is a response of the issuer that the signer is good, but for the edits.
func (r *revocable) ocsp(t testing.TB, by *vectors.Identity, edit func(*ocsp.Response)) string {
	t.Helper()
	issuer := r.inter
	if by == r.root {
		issuer = r.root
	}
	return r.ocspOf(t, issuer.Cert, by, edit)
}

// ocspOf is one about the certificate of another issuer.
func (r *revocable) ocspOf(t testing.TB, issuer *x509.Certificate, by *vectors.Identity, edit func(*ocsp.Response)) string {
	t.Helper()
	response := ocsp.Response{
		Status: ocsp.Good, SerialNumber: r.leaf.Cert.SerialNumber, ThisUpdate: r.now.AddDate(0, 0, -1), NextUpdate: r.now.AddDate(0, 0, 1),
	}
	if by == nil {
		by = r.inter
	} else if by != r.root {
		response.Certificate = by.Cert
	}
	if edit != nil {
		edit(&response)
	}
	der, err := ocsp.CreateResponse(issuer, by.Cert, response, by.Key)
	if err != nil {
		t.Fatal(err)
	}
	return string(der)
}

func TestOCSPResponsesAreHonoured(t *testing.T) {
	t.Parallel()
	r := newRevocable(t)
	responding := func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage, c.ExtKeyUsage = false, x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
	}
	responder := vectors.Issue(t, r.now, "Responder", r.inter, responding)
	expired := vectors.Issue(t, r.now, "Responder", r.inter, responding, vectors.Valid(r.now.AddDate(0, -2, 0), r.now.AddDate(0, -1, 0)))
	stranger := vectors.Issue(t, r.now, "Responder", r.root, responding)
	impostor := vectors.Issue(t, r.now, "Issuer", nil) // the same name, another key
	revoked := func(o *ocsp.Response) {
		o.Status, o.RevokedAt, o.RevocationReason = ocsp.Revoked, r.now.AddDate(0, -1, 0), 4
	}
	old := func(o *ocsp.Response) { o.ThisUpdate, o.NextUpdate = r.now.AddDate(0, 0, -9), r.now.AddDate(0, 0, -2) }
	for name, c := range map[string]struct {
		response string
		require  verifier.Verdict
	}{
		"good":                               {r.ocsp(t, nil, nil), verifier.Valid},
		"good by SHA-256":                    {r.ocsp(t, nil, func(o *ocsp.Response) { o.IssuerHash = 5 }), verifier.Valid},
		"revoked":                            {r.ocsp(t, nil, revoked), verifier.Revoked},
		"a stale good":                       {r.ocsp(t, nil, old), verifier.Untrusted},
		"a stale revoked":                    {r.ocsp(t, nil, func(o *ocsp.Response) { old(o); revoked(o) }), verifier.Revoked},
		"a good without end":                 {r.ocsp(t, nil, func(o *ocsp.Response) { o.NextUpdate = time.Time{} }), verifier.Untrusted},
		"unknown":                            {r.ocsp(t, nil, func(o *ocsp.Response) { o.Status = ocsp.Unknown }), verifier.Untrusted},
		"of another serial number":           {r.ocsp(t, nil, func(o *ocsp.Response) { o.SerialNumber = big.NewInt(5) }), verifier.Untrusted},
		"by another authority, same serial":  {r.ocsp(t, r.root, nil), verifier.Untrusted},
		"of a certificate of another issuer": {r.ocspOf(t, impostor.Cert, nil, nil), verifier.Untrusted},
		"by a responder":                     {r.ocsp(t, responder, nil), verifier.Valid},
		"by a responder that has expired":    {r.ocsp(t, expired, nil), verifier.Untrusted},
		"by a responder of another issuer":   {r.ocsp(t, stranger, nil), verifier.Untrusted},
		"by the signer itself":               {r.ocsp(t, r.leaf, nil), verifier.Untrusted},
		"with a changed byte":                {spoil(r.ocsp(t, nil, nil)), verifier.Untrusted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := r.trust.with("s/settings/settings", "revocation:require").with("s/crl/root.crl", r.crl(t, r.root, nil)).with("s/crl/alice.ocsp", c.response)
			v := s.verifier(t, r.now)
			for range 2 {
				if report := inspect(t, v, "job.ps1", r.file); report.Verdict != c.require {
					t.Errorf("%s, want %s: %+v", report.Verdict, c.require, report.Signatures)
				}
			}
		})
	}
}

// spoil changes the last byte, which is of the signature.
func spoil(s string) string { return s[:len(s)-1] + string([]byte{s[len(s)-1] ^ 1}) }

// TestCaseRevokedBeforeOrAfterTheTrustedTime: number 76 of the attacks.
func TestCaseRevokedBeforeOrAfterTheTrustedTime(t *testing.T) {
	t.Parallel()
	revoked := testenv.VectorTime()
	before, after := revoked.AddDate(0, 0, -1), revoked.AddDate(0, 0, 1)
	for name, c := range map[string]struct {
		reason  int
		invalid time.Time
		at      time.Time
		holds   bool
	}{
		"signed before":                                  {4, time.Time{}, before, false},
		"signed after":                                   {4, time.Time{}, after, true},
		"signed just then":                               {4, time.Time{}, revoked, true},
		"no reason, signed before":                       {0, time.Time{}, before, false},
		"key compromise, signed before":                  {1, time.Time{}, before, true},
		"compromise of the authority, signed before":     {2, time.Time{}, before, true},
		"compromise of attributes, signed before":        {10, time.Time{}, before, true},
		"key compromise since, signed before":            {1, revoked.AddDate(0, 0, -2), before, true},
		"key compromise since, signed before that":       {1, before, before.Add(-time.Second), false},
		"key compromise, suspected later, signed before": {1, after, before, false},
		"key compromise, suspected later, signed then":   {1, after, revoked, true},
		"superseded, invalid since, signed after that":   {4, revoked.AddDate(0, 0, -2), before, true},
		"superseded, invalid later, signed after":        {4, after.AddDate(0, 0, 2), after, true},
	} {
		if got := format.RevocationHoldsAt(revoked, c.invalid, c.reason, c.at); got != c.holds {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestALargeListCostsNothingPerFile: 100,000 entries, which take a while to read
// and must not be read again for each file.
func TestALargeListCostsNothingPerFile(t *testing.T) {
	t.Parallel()
	r := newRevocable(t)
	entries := make([]x509.RevocationListEntry, 100_000)
	for i := range entries {
		entries[i] = x509.RevocationListEntry{SerialNumber: big.NewInt(int64(i) + 1), RevocationTime: r.now, ReasonCode: 4}
	}
	s := r.trust.with("s/crl/large", r.crl(t, r.inter, nil, entries...)).with("s/crl/root", r.crl(t, r.root, nil)).with("s/settings/settings", "revocation:require")
	loading := time.Now()
	v := s.verifier(t, r.now)
	first := time.Now()
	if report := inspect(t, v, "job.ps1", r.file); report.Verdict != verifier.Valid {
		t.Fatalf("%s: %+v", report.Verdict, report.Signatures)
	}
	best := time.Hour
	for range 20 {
		start := time.Now()
		inspect(t, v, "job.ps1", r.file)
		best = min(best, time.Since(start))
	}
	t.Logf("loaded in %v, first file in %v, then %v", first.Sub(loading), time.Since(first), best)
	if best > 5*time.Millisecond {
		t.Errorf("a file costs %v", best)
	}
}

// FuzzRevocations: no bytes in the room crl panic, and a byte that is changed in a
// list or response never makes a revoked signer valid where an answer is required.
func FuzzRevocations(f *testing.F) {
	r := newRevocable(f)
	rootList := r.crl(f, r.root, nil)
	f.Add([]byte(r.crl(f, r.inter, nil, r.entry(r.leaf, 1))))
	f.Add([]byte(r.ocsp(f, nil, func(o *ocsp.Response) { o.Status, o.RevokedAt = ocsp.Revoked, r.now })))
	f.Add([]byte(r.crl(f, r.inter, with(point(f, true, vectors.TLV(0x82, []byte{0xFF}))))))
	s := r.trust.with("s/settings/settings", "revocation:require").with("s/crl/root", rootList)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		v, err := s.with("s/crl/fuzz", string(data)).open(t, r.now)
		if err != nil {
			return
		}
		// None of the seeds says that the signer is good, and nobody else can.
		if report := inspect(t, v, "job.ps1", r.file); report.Verdict == verifier.Valid {
			t.Fatalf("valid by %x", data)
		}
	})
}
