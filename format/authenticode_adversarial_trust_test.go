package format_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"math/big"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/vectors"
	"github.com/runwrit/writ/verifier"
)

// TestAdversarialReplay: an old version is denied by its signed digest, whatever
// is put beside the signature to give the file another one.
func TestAdversarialReplay(t *testing.T) {
	t.Parallel()
	f := newScriptForger(t)
	style, content := vectors.StyleOf(".ps1"), []byte(forgedContent)
	trust := store{"s/x509-ca/ca": string(f.root.PEM())}
	for name, h := range map[string]crypto.Hash{"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512} {
		t.Run("86 denied by "+name, func(t *testing.T) {
			t.Parallel()
			sum := style.Digest(h, content)
			m := vectors.NewMessage(f.leaf, h, style.IndirectData(h, sum))
			plain := style.Render(content, m.Build(t))
			stuffed := style.Render(content, m.AddUnsigned(stuffing(1)).Build(t))
			if string(plain) == string(stuffed) {
				t.Fatal("the same file")
			}
			denying := trust.with("s/deny/list", name+":"+hex.EncodeToString(sum)).verifier(t, f.now)
			for _, file := range [][]byte{plain, stuffed} {
				attack{"", file, "", verifier.Valid, "", ""}.judge(t, trust.verifier(t, f.now))
				attack{"", file, "", verifier.Revoked, verifier.CheckDeny, ""}.judge(t, denying)
			}
		})
	}
}

// TestAdversarialRevocation: a certificate that has expired, was revoked while it
// was good, and signed before, after and at a time that only it claims.
func TestAdversarialRevocation(t *testing.T) {
	t.Parallel()
	now := testenv.VectorTime()
	revoked, expired := now.AddDate(0, -6, 0), now.AddDate(0, -3, 0)
	root, times := vectors.Issue(t, now, "Root", nil), vectors.Issue(t, now, "Root of times", nil)
	tsa := vectors.Issue(t, now, "Times", times, vectors.TimeStamping)
	leaf := vectors.Issue(t, now, "Leaf", root, vectors.CodeSigning, vectors.Valid(now.AddDate(-1, 0, 0), expired))
	style, content := vectors.StyleOf(".ps1"), []byte(forgedContent)
	for name, c := range map[string]struct {
		stamps  []time.Time
		by      *vectors.Identity
		reason  int
		verdict verifier.Verdict
	}{
		"76 stamped before":                      {[]time.Time{revoked.AddDate(0, 0, -1)}, tsa, 4, verifier.Valid},
		"76 stamped after":                       {[]time.Time{revoked.AddDate(0, 0, 1)}, tsa, 4, verifier.Revoked},
		"76 stamped before, the key was stolen":  {[]time.Time{revoked.AddDate(0, 0, -1)}, tsa, 1, verifier.Revoked},
		"76 stamped after, and before":           {[]time.Time{revoked.AddDate(0, 0, 1), revoked.AddDate(0, 0, -1)}, tsa, 4, verifier.Revoked},
		"76 stamped by nobody known":             {[]time.Time{revoked.AddDate(0, 0, -1)}, vectors.Issue(t, now, "Times", nil, vectors.TimeStamping), 4, verifier.Revoked},
		"76 stamped by itself":                   {[]time.Time{revoked.AddDate(0, 0, -1)}, leaf, 4, verifier.Revoked},
		"76 not stamped, expired since":          {nil, tsa, 4, verifier.Revoked},
		"76 not stamped, the key was stolen too": {nil, tsa, 1, verifier.Revoked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := vectors.NewMessage(leaf, crypto.SHA256, style.IndirectData(crypto.SHA256, style.Digest(crypto.SHA256, content)))
			for _, at := range c.stamps {
				m.AddUnsigned(vectors.TokenAttribute(vectors.Token(t, c.by, m.Sign(t), vectors.Stamp{At: at})))
			}
			list := vectors.CRL(t, root, now.AddDate(0, 0, -1), x509.RevocationListEntry{SerialNumber: leaf.Cert.SerialNumber, RevocationTime: revoked, ReasonCode: c.reason})
			trust := store{"s/x509-ca/ca": string(root.PEM()), "s/tsa/ca": string(times.PEM()), "s/crl/list": string(list)}
			r := inspect(t, trust.verifier(t, now), "job.ps1", style.Render(content, m.Build(t)))
			if r.Verdict != c.verdict {
				t.Errorf("%s, want %s: %+v", r.Verdict, c.verdict, r.Signatures)
			}
			if c.verdict == verifier.Revoked && statusOf(r, verifier.CheckRevocation) != verifier.StatusFailed {
				t.Errorf("not by the revocation: %+v", r.Signatures)
			}
		})
	}
	t.Run("76 stamped before, revoked twice, once for a stolen key", func(t *testing.T) {
		t.Parallel()
		m := vectors.NewMessage(leaf, crypto.SHA256, style.IndirectData(crypto.SHA256, style.Digest(crypto.SHA256, content)))
		m.AddUnsigned(vectors.TokenAttribute(vectors.Token(t, tsa, m.Sign(t), vectors.Stamp{At: revoked.AddDate(0, 0, -1)})))
		stolen := x509.RevocationListEntry{SerialNumber: leaf.Cert.SerialNumber, RevocationTime: revoked, ReasonCode: 1}
		replaced := stolen
		replaced.ReasonCode = 4
		trust := store{"s/x509-ca/ca": string(root.PEM()), "s/tsa/ca": string(times.PEM())}
		for _, entries := range [][]x509.RevocationListEntry{{stolen, replaced}, {replaced, stolen}} {
			list := vectors.CRL(t, root, now.AddDate(0, 0, -1), entries...)
			attack{"", style.Render(content, m.Build(t)), "", verifier.Revoked, verifier.CheckRevocation, ""}.judge(t, trust.with("s/crl/list", string(list)).verifier(t, now))
		}
	})
	t.Run("76 the authority of the time is revoked", func(t *testing.T) {
		t.Parallel()
		m := vectors.NewMessage(leaf, crypto.SHA256, style.IndirectData(crypto.SHA256, style.Digest(crypto.SHA256, content)))
		m.AddUnsigned(vectors.TokenAttribute(vectors.Token(t, tsa, m.Sign(t), vectors.Stamp{At: revoked})))
		list := vectors.CRL(t, times, now.AddDate(0, 0, -1), x509.RevocationListEntry{SerialNumber: tsa.Cert.SerialNumber, RevocationTime: now, ReasonCode: 1})
		trust := store{"s/x509-ca/ca": string(root.PEM()), "s/tsa/ca": string(times.PEM())}
		file := style.Render(content, m.Build(t))
		attack{"", file, "", verifier.Valid, "", ""}.judge(t, trust.verifier(t, now))
		attack{"", file, "", verifier.Expired, verifier.CheckValidity, "timestamp"}.judge(t, trust.with("s/crl/list", string(list)).verifier(t, now))
	})
}

// TestAdversarialPins: whoever is not pinned is not trusted, however near.
func TestAdversarialPins(t *testing.T) {
	t.Parallel()
	f := newScriptForger(t)
	content := []byte(forgedContent)
	trust := store{"s/x509-ca/ca": string(f.root.PEM())}
	spki, cert := "x509-spki:"+sha256Hex(f.leaf.Cert.RawSubjectPublicKeyInfo), "x509-sha256:"+sha256Hex(f.leaf.Cert.Raw)
	named := `x509-identity: subject="CN=Forger" issuer="CN=Forger's root"`
	renewed := vectors.IssueFor(t, f.now, "Forger", f.root, f.leaf.Key, vectors.CodeSigning)
	namesake := vectors.Issue(t, f.now, "Forger", f.root, vectors.CodeSigning)
	longer := vectors.Issue(t, f.now, "", f.root, vectors.CodeSigning, func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "Forger", Organization: []string{"Evil"}}
	})
	below := vectors.Issue(t, f.now, "Forger", vectors.Issue(t, f.now, "Forger's root", nil), vectors.CodeSigning)
	for name, c := range map[string]struct {
		pin  string
		by   *vectors.Identity
		want verifier.Verdict
	}{
		"77 the certificate itself":                 {cert, f.leaf, verifier.Valid},
		"77 the certificate, renewed":               {cert, renewed, verifier.Untrusted},
		"77 the key, renewed":                       {spki, renewed, verifier.Valid},
		"77 the key of a namesake":                  {spki, namesake, verifier.Untrusted},
		"77 the name of a namesake":                 {named, namesake, verifier.Valid},
		"77 a longer name":                          {named, longer, verifier.Untrusted},
		"77 the name below a root of the same name": {named, below, verifier.Untrusted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			signer := &scriptForger{f.now, f.root, c.by}
			r := inspect(t, trust.with("s/x509-pins/pins", c.pin).verifier(t, f.now), "job.ps1", signer.signed(t, ".ps1", content))
			if r.Verdict != c.want {
				t.Errorf("%s, want %s: %+v", r.Verdict, c.want, r.Signatures)
			}
		})
	}
}

// TestADeniedCertificateCannotBeWrittenInAnotherWay: a deny list names a
// certificate by its digest. Anybody can turn an ECDSA signature (r, s) into
// (r, n-s), and write something behind the signature of a certificate.
func TestADeniedCertificateCannotBeWrittenInAnotherWay(t *testing.T) {
	t.Parallel()
	f := newScriptForger(t)
	style, content := vectors.StyleOf(".ps1"), []byte(forgedContent)
	trust := store{"s/x509-ca/ca": string(f.root.PEM())}
	parts := vectors.Split(vectors.Body(f.leaf.Cert.Raw))
	value := vectors.Split(vectors.Body(f.leaf.Cert.Signature))
	s := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(vectors.Body(value[1])))
	twin := vectors.Seq(parts[0], parts[1], vectors.TLV(3, []byte{0}, vectors.Seq(value[0], vectors.BigInt(s))))
	longer := vectors.Seq(append(parts, vectors.Null())...)
	file := func(raw []byte) []byte {
		m := f.message(style, content)
		m.Certificates = raw
		return style.Render(content, m.Build(t))
	}
	denying := trust.with("s/deny/list", "x509-sha256:"+sha256Hex(f.leaf.Cert.Raw)).verifier(t, f.now)
	attack{"", file(twin), "", verifier.Valid, "", ""}.judge(t, trust.verifier(t, f.now))
	attack{"", file(f.leaf.Cert.Raw), "", verifier.Revoked, verifier.CheckDeny, ""}.judge(t, denying)
	attack{"", file(twin), "", verifier.Revoked, verifier.CheckDeny, ""}.judge(t, denying)
	attack{"", file(longer), "", verifier.Malformed, verifier.CheckStructure, "cms-structure"}.judge(t, denying)
}
