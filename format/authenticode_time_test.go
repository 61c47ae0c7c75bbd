package format_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/vectors"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// stamping is a signer whose certificate expired a year before the time of the
// vectors, a timestamp authority, and what a test changes about them.
type stamping struct {
	now                    time.Time
	ca, leaf, tsaRoot, tsa *vectors.Identity
}

func newStamping(t testing.TB, edits ...vectors.Edit) *stamping {
	t.Helper()
	s := &stamping{now: testenv.VectorTime()}
	long := vectors.Valid(s.now.AddDate(-5, 0, 0), s.now.AddDate(5, 0, 0))
	s.ca = vectors.Issue(t, s.now, "Signers CA", nil, long)
	s.tsaRoot = vectors.Issue(t, s.now, "Times CA", nil, long)
	expired := vectors.Valid(s.now.AddDate(-2, 0, 0), s.now.AddDate(-1, 0, 0))
	s.leaf = vectors.Issue(t, s.now, "Signer", s.ca, append([]vectors.Edit{vectors.CodeSigning, expired}, edits...)...)
	s.tsa = s.authority(t, vectors.TimeStamping)
	return s
}

// authority is a timestamp authority whose certificate was in its time when
// that of the signer was, and is not any more.
func (s *stamping) authority(t testing.TB, edit vectors.Edit) *vectors.Identity {
	t.Helper()
	return vectors.Issue(t, s.now, "Times", s.tsaRoot, edit, vectors.Valid(s.now.AddDate(-3, 0, 0), s.now.AddDate(0, -1, 0)))
}

// during is a time at which the signer's certificate was good.
func (s *stamping) during() time.Time { return s.now.AddDate(-1, -6, 0) }

var stampedScript = []byte("Get-Date\r\n")

// file is a signed script with the unsigned attributes that stamp returns for
// the signature value.
func (s *stamping) file(t testing.TB, bag []*vectors.Identity, stamp func(value []byte) [][]byte) []byte {
	t.Helper()
	style := vectors.StyleOf(".ps1")
	content := style.IndirectData(crypto.SHA256, style.Digest(crypto.SHA256, stampedScript))
	m := vectors.NewMessage(s.leaf, crypto.SHA256, content, bag...)
	if attributes := stamp(m.Sign(t)); len(attributes) > 0 {
		m.AddUnsigned(attributes...)
	}
	return style.Render(stampedScript, m.Build(t))
}

// stamped is a script with one token of authority tsa.
func (s *stamping) stamped(t testing.TB, tsa *vectors.Identity, stamp vectors.Stamp) []byte {
	t.Helper()
	return s.file(t, nil, func(value []byte) [][]byte {
		return [][]byte{vectors.TokenAttribute(vectors.Token(t, tsa, value, stamp))}
	})
}

// verifier trusts both authorities.
func (s *stamping) verifier(t testing.TB, now time.Time) *verifier.Verifier {
	t.Helper()
	return timeVerifier(t, now, s.ca.PEM(), s.tsaRoot.PEM())
}

func timeVerifier(t testing.TB, now time.Time, ca, tsa []byte) *verifier.Verifier {
	t.Helper()
	trust, err := verifier.NewTrust(
		verifier.TrustFile{Store: "test", Room: verifier.RoomX509CA, Name: "ca.pem", Data: ca},
		verifier.TrustFile{Store: "test", Room: verifier.RoomTSA, Name: "tsa.pem", Data: tsa})
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{format.NewAuthenticode()}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// wantTime checks the verdict, and where the time of the signature comes from.
func (s *stamping) wantTime(t testing.TB, file []byte, verdict verifier.Verdict, source string) *verifier.Report {
	t.Helper()
	r := inspect(t, s.verifier(t, s.now), "job.ps1", file)
	if r.Verdict != verdict || r.Signatures[0].SignedAtSource != source {
		t.Errorf("%s with a time from %q, want %s and %q: %+v %+v", r.Verdict, r.Signatures[0].SignedAtSource, verdict, source, r.Signatures[0].Checks, r.Findings)
	}
	return r
}

// wantNone checks that the timestamp counts for nothing, for the reason given:
// not for an expired certificate, and not against one that is in its time.
func (s *stamping) wantNone(t *testing.T, file []byte, reason string) {
	t.Helper()
	r := s.wantTime(t, file, verifier.Expired, verifier.TimeNone)
	if !slices.ContainsFunc(r.Findings, func(f verifier.Finding) bool {
		return f.Code == "timestamp" && strings.Contains(f.Detail, reason)
	}) {
		t.Errorf("no finding says %q: %+v", reason, r.Findings)
	}
	then := inspect(t, s.verifier(t, s.during().AddDate(0, 1, 0)), "job.ps1", file)
	if then.Verdict != verifier.Valid || then.Signatures[0].SignedAtSource != verifier.TimeNone {
		t.Errorf("for a certificate in its time: %s, %+v", then.Verdict, then.Signatures[0].Checks)
	}
}

func TestAttack67ASigningTimeInsideTheValidityIsNoEvidence(t *testing.T) {
	t.Parallel()
	s := newStamping(t)
	t.Run("no timestamp at all", func(t *testing.T) {
		t.Parallel()
		s.wantTime(t, s.file(t, nil, func([]byte) [][]byte { return nil }), verifier.Expired, verifier.TimeNone)
	})
	t.Run("a signing time", func(t *testing.T) {
		t.Parallel()
		style := vectors.StyleOf(".ps1")
		m := vectors.NewMessage(s.leaf, crypto.SHA256, style.IndirectData(crypto.SHA256, style.Digest(crypto.SHA256, stampedScript)))
		m.AddSigned(vectors.Attribute(vectors.OIDSigningTime, vectors.UTCTime(s.during())))
		s.wantTime(t, style.Render(stampedScript, m.Build(t)), verifier.Expired, verifier.TimeClaimed)
	})
}

func TestAttack68AnExpiredCertificateWithATimestampInsideItsValidityIsValid(t *testing.T) {
	t.Parallel()
	s := newStamping(t)
	file := s.stamped(t, s.tsa, vectors.Stamp{At: s.during()})
	checkValid(t, s.verifier(t, s.now), "job.ps1", file)
	r := s.wantTime(t, file, verifier.Valid, verifier.TimeTSA)
	if got := r.Signatures[0].SignedAt; !got.Equal(s.during()) || hasFinding(r, "timestamp") {
		t.Errorf("signed at %s, want %s; findings %+v", got, s.during(), r.Findings)
	}
	t.Run("and not if only the authority of the signer is trusted", func(t *testing.T) {
		t.Parallel()
		r := inspect(t, newVerifier(t, s.now, s.ca.PEM()), "job.ps1", file)
		if r.Verdict != verifier.Expired || r.Signatures[0].SignedAtSource != verifier.TimeNone || !hasFinding(r, "timestamp") {
			t.Errorf("%s, %+v", r.Verdict, r.Findings)
		}
	})
	t.Run("and not if the authority of the time is in the wrong room", func(t *testing.T) {
		t.Parallel()
		if r := inspect(t, newVerifier(t, s.now, s.ca.PEM(), s.tsaRoot.PEM()), "job.ps1", file); r.Verdict != verifier.Expired {
			t.Errorf("%s", r.Verdict)
		}
	})
	t.Run("and an authority of times is none of signers", func(t *testing.T) {
		t.Parallel()
		if r := inspect(t, timeVerifier(t, s.now, s.tsaRoot.PEM(), s.ca.PEM()), "job.ps1", file); r.Verdict != verifier.Untrusted {
			t.Errorf("%s", r.Verdict)
		}
	})
}

func TestAttack69ATimestampAfterTheExpiryDoesNotHelp(t *testing.T) {
	t.Parallel()
	s := newStamping(t)
	s.wantNone(t, s.stamped(t, s.tsa, vectors.Stamp{At: s.leaf.Cert.NotAfter.Add(time.Second)}), "expired at")
	s.wantTime(t, s.stamped(t, s.tsa, vectors.Stamp{At: s.leaf.Cert.NotAfter}), verifier.Valid, verifier.TimeTSA)
	t.Run("nor one that may be off by so much", func(t *testing.T) {
		t.Parallel()
		s.wantNone(t, s.stamped(t, s.tsa, vectors.Stamp{At: s.leaf.Cert.NotAfter, Info: func(fields [][]byte) [][]byte {
			return append(fields, vectors.Seq(vectors.Int(1)))
		}}), "expired at")
	})
}

func TestAttack70ALifetimeSigningCertificateEndsItsSignatures(t *testing.T) {
	t.Parallel()
	s := newStamping(t, vectors.LifetimeSigning)
	file := s.stamped(t, s.tsa, vectors.Stamp{At: s.during()})
	if r := s.wantTime(t, file, verifier.Expired, verifier.TimeTSA); !hasFinding(r, "lifetime-signing") {
		t.Errorf("no finding: %+v", r.Findings)
	}
	if r := inspect(t, s.verifier(t, s.during().AddDate(0, 1, 0)), "job.ps1", file); r.Verdict != verifier.Valid {
		t.Errorf("while the certificate is in its time: %s", r.Verdict)
	}
}

func TestAttack71AnAuthorityThatIsNotForTimestampsAloneIsNone(t *testing.T) {
	t.Parallel()
	s := newStamping(t)
	for name, c := range map[string]struct {
		edit   vectors.Edit
		reason string
	}{
		"no extended key usage":      {func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature }, "not for timestamps"},
		"for code signing":           {vectors.CodeSigning, "not critical"},
		"not critical":               {vectors.TimeStampingNotCritical, "not critical"},
		"for code signing too":       {vectors.TimeStampingAndCodeSigning, "not for timestamps alone"},
		"a key that may not sign":    {func(c *x509.Certificate) { vectors.TimeStamping(c); c.KeyUsage = x509.KeyUsageKeyEncipherment }, "key usage"},
		"for something unknown more": {vectors.TimeStampingAndLifetimeSigning, "not for timestamps alone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.wantNone(t, s.stamped(t, s.authority(t, c.edit), vectors.Stamp{At: s.during()}), c.reason)
			s.wantNone(t, s.countersigned(t, s.authority(t, c.edit), vectors.Stamp{At: s.during()}), c.reason)
		})
	}
}

func TestATimestampWithAWeakKeyAboveItCountsForNothing(t *testing.T) {
	t.Parallel()
	s := newStamping(t)
	s.tsaRoot = vectors.IssueFor(t, s.now, "Times CA", nil, vectors.RSA(t, 1024), vectors.Valid(s.now.AddDate(-5, 0, 0), s.now.AddDate(5, 0, 0)))
	s.wantNone(t, s.stamped(t, s.authority(t, vectors.TimeStamping), vectors.Stamp{At: s.during()}), "weak key")
}

func TestAttack72AnImprintOfAnotherLengthIsRefused(t *testing.T) {
	t.Parallel()
	s := newStamping(t)
	for name, imprint := range map[string][]byte{"empty": {}, "cut": make([]byte, 31), "longer": make([]byte, 33), "of something else": make([]byte, 32)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reason := "imprint of"
			if len(imprint) == 32 {
				reason = "it is of something else"
			}
			s.wantNone(t, s.stamped(t, s.tsa, vectors.Stamp{At: s.during(), Imprint: imprint}), reason)
		})
	}
	for name, c := range map[string]struct {
		signature, imprint crypto.Hash
		reason             string
	}{
		"by SHA-1":                 {crypto.SHA1, crypto.SHA1, "the imprint is made with"},
		"by SHA-1, signed without": {crypto.SHA256, crypto.SHA1, "the imprint is made with"},
		"signed with SHA-1":        {crypto.SHA1, crypto.SHA256, "it is signed with"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.wantNone(t, s.file(t, nil, func(value []byte) [][]byte {
				return [][]byte{vectors.TokenAttribute(vectors.Token(t, s.tsa, value, vectors.Stamp{
					At: s.during(), Hash: c.signature, Info: func(fields [][]byte) [][]byte {
						fields[2] = vectors.DigestInfo(c.imprint, vectors.Sum(c.imprint, value))
						return fields
					},
				}))}
			}), c.reason)
		})
	}
	t.Run("by SHA-512 it is fine", func(t *testing.T) {
		t.Parallel()
		s.wantTime(t, s.stamped(t, s.tsa, vectors.Stamp{At: s.during(), Hash: crypto.SHA512}), verifier.Valid, verifier.TimeTSA)
	})
}

func TestAttack73OfSeveralTimestampsTheFirstValidOneCounts(t *testing.T) {
	t.Parallel()
	s := newStamping(t)
	stranger := vectors.Issue(t, s.now, "Stranger", nil, vectors.TimeStamping, vectors.Valid(s.now.AddDate(-5, 0, 0), s.now))
	first, second := s.during(), s.during().AddDate(0, 2, 0)
	several := func(stamps func(value []byte) [][]byte) []byte { return s.file(t, nil, stamps) }
	token := func(tsa *vectors.Identity, value []byte, at time.Time) []byte {
		return vectors.Token(t, tsa, value, vectors.Stamp{At: at})
	}
	for name, c := range map[string]struct {
		file []byte
		at   time.Time
	}{
		"two good ones": {several(func(v []byte) [][]byte {
			return [][]byte{vectors.TokenAttribute(token(s.tsa, v, first)), vectors.TokenAttribute(token(s.tsa, v, second))}
		}), first},
		"the other order": {several(func(v []byte) [][]byte {
			return [][]byte{vectors.TokenAttribute(token(s.tsa, v, second)), vectors.TokenAttribute(token(s.tsa, v, first))}
		}), second},
		"two values of one attribute": {several(func(v []byte) [][]byte {
			return [][]byte{vectors.Attribute(vectors.OIDTimestamp, token(s.tsa, v, first), token(s.tsa, v, second))}
		}), first},
		"a stranger's first": {several(func(v []byte) [][]byte {
			return [][]byte{vectors.TokenAttribute(token(stranger, v, first)), vectors.TokenAttribute(token(s.tsa, v, second))}
		}), second},
		"garbage first": {several(func(v []byte) [][]byte {
			return [][]byte{vectors.TokenAttribute(vectors.Octets(nil)), vectors.TokenAttribute(token(s.tsa, v, second))}
		}), second},
		"a stranger's last": {several(func(v []byte) [][]byte {
			return [][]byte{vectors.TokenAttribute(token(s.tsa, v, first)), vectors.TokenAttribute(token(stranger, v, second))}
		}), first},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := s.wantTime(t, c.file, verifier.Valid, verifier.TimeTSA)
			if !r.Signatures[0].SignedAt.Equal(c.at) {
				t.Errorf("signed at %s, want %s", r.Signatures[0].SignedAt, c.at)
			}
		})
	}
	t.Run("behind eight bad ones a good one is not looked at", func(t *testing.T) {
		t.Parallel()
		file := several(func(v []byte) [][]byte {
			return [][]byte{vectors.Attribute(vectors.OIDTimestamp, append(slices.Repeat([][]byte{vectors.Null()}, 8), token(s.tsa, v, first))...)}
		})
		s.wantNone(t, file, "more than 8")
	})
}

func TestAttack74ATimeInTheFutureOrBeforeTheCertificateCountsForNothing(t *testing.T) {
	t.Parallel()
	s := newStamping(t)
	s.wantNone(t, s.stamped(t, s.tsa, vectors.Stamp{At: s.leaf.Cert.NotBefore.Add(-time.Second)}), "valid only from")
	t.Run("in the future", func(t *testing.T) {
		t.Parallel()
		at := s.during()
		file := s.stamped(t, s.tsa, vectors.Stamp{At: at})
		for now, source := range map[time.Time]string{
			at.Add(-5*time.Minute - time.Second): verifier.TimeNone,
			at.Add(-5 * time.Minute):             verifier.TimeTSA,
		} {
			r := inspect(t, s.verifier(t, now), "job.ps1", file)
			if r.Verdict != verifier.Valid || r.Signatures[0].SignedAtSource != source {
				t.Errorf("at %s: %s with a time from %q", now, r.Verdict, r.Signatures[0].SignedAtSource)
			}
		}
	})
	t.Run("when the certificate of the authority was not in its time", func(t *testing.T) {
		t.Parallel()
		young := vectors.Issue(t, s.now, "Times", s.tsaRoot, vectors.TimeStamping, vectors.Valid(s.now.AddDate(-1, 0, 0), s.now.AddDate(1, 0, 0)))
		s.wantNone(t, s.stamped(t, young, vectors.Stamp{At: s.during()}), "expired or is not yet valid")
	})
}

// countersigned is a script with a timestamp of the old kind.
func (s *stamping) countersigned(t testing.TB, tsa *vectors.Identity, stamp vectors.Stamp) []byte {
	t.Helper()
	return s.file(t, []*vectors.Identity{tsa}, func(value []byte) [][]byte {
		return [][]byte{vectors.Countersignature(t, tsa, value, stamp)}
	})
}

func TestAttack75ACountersignatureOfSomethingElseCountsForNothing(t *testing.T) {
	t.Parallel()
	s := newStamping(t)
	r := s.wantTime(t, s.countersigned(t, s.tsa, vectors.Stamp{At: s.during()}), verifier.Valid, verifier.TimeTSA)
	if len(r.Findings) > 0 {
		t.Errorf("findings of a good countersignature: %+v", r.Findings)
	}
	for name, c := range map[string]struct {
		message func(*vectors.Message)
		reason  string
	}{
		"of other bytes":     {func(m *vectors.Message) { m.Digested = []byte("something else") }, "it is of something else"},
		"of nothing":         {func(m *vectors.Message) { m.Digested = []byte{} }, "it is of something else"},
		"with another value": {func(m *vectors.Message) { m.Value = make([]byte, 70) }, "signature value does not fit"},
		"without its time": {func(m *vectors.Message) {
			m.Attributes = slices.DeleteFunc(m.Standard(), func(a []byte) bool { return bytes.Contains(a, vectors.OID(vectors.OIDSigningTime)) })
		}, "without a signing time"},
		"of another content type": {func(m *vectors.Message) { m.ContentType = vectors.OIDIndirectData }, "content of type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.wantNone(t, s.countersigned(t, s.tsa, vectors.Stamp{At: s.during(), Message: c.message}), c.reason)
		})
	}
	t.Run("by SHA-1", func(t *testing.T) {
		t.Parallel()
		s.wantNone(t, s.countersigned(t, s.tsa, vectors.Stamp{At: s.during(), Hash: crypto.SHA1}), "collisions")
	})
	t.Run("by an authority that nobody knows", func(t *testing.T) {
		t.Parallel()
		stranger := vectors.Issue(t, s.now, "Stranger", nil, vectors.TimeStamping, vectors.Valid(s.now.AddDate(-5, 0, 0), s.now))
		s.wantNone(t, s.countersigned(t, stranger, vectors.Stamp{At: s.during()}), "unknown authority")
	})
}

// TestATokenThatIsNotAsItMustBeCountsForNothing changes one part of a good token
// at a time.
func TestATokenThatIsNotAsItMustBeCountsForNothing(t *testing.T) {
	t.Parallel()
	s := newStamping(t)
	other := s.authority(t, vectors.TimeStamping)
	// naming names the signer's certificate by issuer and serial number too.
	naming := func(issuer []byte, serial *big.Int) vectors.Stamp {
		return vectors.Stamp{Message: func(m *vectors.Message) {
			m.Attributes = append(m.Standard()[:2], vectors.Attribute(vectors.OIDSigningCertV2, vectors.Seq(vectors.Seq(vectors.Seq(
				vectors.Octets(vectors.Sum(crypto.SHA256, s.tsa.Cert.Raw)),
				vectors.Seq(vectors.Seq(vectors.Context(4, issuer)), vectors.BigInt(serial)))))))
		}}
	}
	replace := func(i int, with []byte) func([][]byte) [][]byte {
		return func(fields [][]byte) [][]byte { fields[i] = with; return fields }
	}
	for name, c := range map[string]struct {
		stamp  vectors.Stamp
		reason string
	}{
		"a TSTInfo of version 2":     {vectors.Stamp{Info: replace(0, vectors.Int(2))}, "version 2"},
		"a time of another type":     {vectors.Stamp{Info: replace(4, vectors.UTCTime(s.during()))}, "genTime"},
		"a fraction that ends in 0":  {vectors.Stamp{Info: replace(4, vectors.TLV(0x18, []byte("20250522120000.50Z")))}, "genTime"},
		"a time without its zone":    {vectors.Stamp{Info: replace(4, vectors.TLV(0x18, []byte("20250522120000")))}, "genTime"},
		"an extension":               {vectors.Stamp{Info: func(f [][]byte) [][]byte { return append(f, vectors.Context(1)) }}, "extensions"},
		"something behind":           {vectors.Stamp{Info: func(f [][]byte) [][]byte { return append(f, vectors.Octets(nil)) }}, "more fields"},
		"a version of PKCS #7":       {vectors.Stamp{Message: func(m *vectors.Message) { m.Version = 1 }}, "not a timestamp"},
		"another content type":       {vectors.Stamp{Message: func(m *vectors.Message) { m.ContentType = vectors.OIDData }}, "not a timestamp"},
		"a value that does not fit":  {vectors.Stamp{Message: func(m *vectors.Message) { m.Value = make([]byte, 70) }}, "does not fit"},
		"a digest of something else": {vectors.Stamp{Message: func(m *vectors.Message) { m.Digested = []byte("else") }}, "message digest"},
		"no certificate":             {vectors.Stamp{Message: func(m *vectors.Message) { m.Certificates = nil }}, "certificate"},
		"no signing-certificate":     {vectors.Stamp{Message: func(m *vectors.Message) { m.Attributes = m.Standard()[:2] }}, "signing-certificate"},
		"another's issuer":           {naming(s.ca.Cert.RawSubject, s.tsa.Cert.SerialNumber), "signing-certificate"},
		"another's serial number":    {naming(s.tsa.Cert.RawIssuer, other.Cert.SerialNumber), "signing-certificate"},
		"another's certificate": {vectors.Stamp{Message: func(m *vectors.Message) {
			m.Certificates, m.Issuer, m.Serial, m.Key = other.Cert.Raw, other.Cert.RawIssuer, other.Cert.SerialNumber, other.Key
		}}, "signing-certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.stamp.At = s.during()
			s.wantNone(t, s.stamped(t, s.tsa, c.stamp), c.reason)
		})
	}
	t.Run("with the right issuer and serial number it is fine", func(t *testing.T) {
		t.Parallel()
		stamp := naming(s.tsa.Cert.RawIssuer, s.tsa.Cert.SerialNumber)
		stamp.At = s.during()
		s.wantTime(t, s.stamped(t, s.tsa, stamp), verifier.Valid, verifier.TimeTSA)
	})
	t.Run("with a fraction, an accuracy, an order, a nonce and a name it is fine", func(t *testing.T) {
		t.Parallel()
		s.wantTime(t, s.stamped(t, s.tsa, vectors.Stamp{At: s.during(), Info: func(f [][]byte) [][]byte {
			f[4] = vectors.TLV(0x18, []byte("20250522120000.123Z"))
			return append(f, vectors.Seq(vectors.Int(1), vectors.TLV(0x80, []byte{5}), vectors.TLV(0x81, []byte{6})),
				vectors.TLV(0x01, []byte{0xFF}), vectors.Int(99), vectors.Context(0, vectors.Context(4, vectors.Seq())))
		}}), verifier.Valid, verifier.TimeTSA)
	})
}

// TestNoFlippedBitOfATimestampMakesAnExpiredScriptValid flips one bit of every
// seventh byte of the block of a script that is valid by its timestamp alone.
func TestNoFlippedBitOfATimestampMakesAnExpiredScriptValid(t *testing.T) {
	t.Parallel()
	s := newStamping(t)
	v := s.verifier(t, s.now)
	style := vectors.StyleOf(".ps1")
	m := vectors.NewMessage(s.leaf, crypto.SHA256, style.IndirectData(crypto.SHA256, style.Digest(crypto.SHA256, stampedScript)))
	token := vectors.Token(t, s.tsa, m.Sign(t), vectors.Stamp{At: s.during()})
	whole := m.AddUnsigned(vectors.TokenAttribute(token)).Build(t)
	from := bytes.Index(whole, token)
	for at := from; at < len(whole); at += 7 {
		whole[at] ^= 1 << (at % 8)
		if r := inspect(t, v, "job.ps1", style.Render(stampedScript, whole)); r.Verdict == verifier.Valid {
			t.Errorf("byte %d of the token with bit %d flipped: valid", at-from, at%8)
		}
		whole[at] ^= 1 << (at % 8)
	}
	checkValid(t, v, "job.ps1", style.Render(stampedScript, whole))
}

func TestTheChainOfATimestampIsRememberedForNoOtherTime(t *testing.T) {
	t.Parallel()
	s := newStamping(t)
	v := s.verifier(t, s.now)
	good := s.stamped(t, s.tsa, vectors.Stamp{At: s.during()})
	late := s.stamped(t, s.tsa, vectors.Stamp{At: s.leaf.Cert.NotAfter.AddDate(0, 0, 1)})
	none := s.file(t, nil, func([]byte) [][]byte { return nil })
	for range 2 {
		for _, c := range []struct {
			file    []byte
			verdict verifier.Verdict
		}{{good, verifier.Valid}, {late, verifier.Expired}, {none, verifier.Expired}, {good, verifier.Valid}} {
			rb, err := runbook.Parse("job.ps1", c.file)
			if err != nil {
				t.Fatal(err)
			}
			if r, err := v.Inspect(t.Context(), rb); err != nil || r.Verdict != c.verdict {
				t.Errorf("%v, %v: want %s", r.Verdict, err, c.verdict)
			}
		}
	}
}
