package resign_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/internal/resign"
	"github.com/runwrit/writ/internal/vectors"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// at is when the files of these tests are judged.
var at = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// scene is an old signer, a new one, a stranger, and an authority for timestamps.
type scene struct {
	ca, old, fresh, stranger, tsa *vectors.Identity
	content                       []byte
}

func newScene(t *testing.T, edits ...vectors.Edit) *scene {
	t.Helper()
	ca := vectors.Issue(t, at, "Authority", nil)
	leaf := func(name string) *vectors.Identity { return vectors.Issue(t, at, name, ca, vectors.CodeSigning) }
	return &scene{
		ca:    ca,
		old:   vectors.Issue(t, at, "Old", ca, append([]vectors.Edit{vectors.CodeSigning}, edits...)...),
		fresh: leaf("New"), stranger: leaf("Stranger"),
		tsa:     vectors.Issue(t, at, "Clock", nil, vectors.TimeStamping),
		content: []byte("Write-Output 1\r\n"),
	}
}

func idOf(i *vectors.Identity) string {
	sum := sha256.Sum256(i.Cert.Raw)
	return "x509-sha256:" + hex.EncodeToString(sum[:])
}

func (s *scene) rules() resign.Rules {
	return resign.Rules{Old: []string{idOf(s.old)}, New: []string{idOf(s.fresh)}}
}

// message is a signature by id over content.
func message(id *vectors.Identity, h crypto.Hash, content []byte, more ...*vectors.Identity) *vectors.Message {
	style := vectors.StyleOf(".ps1")
	return vectors.NewMessage(id, h, style.IndirectData(h, style.Digest(h, content)), more...)
}

func (s *scene) signedBy(t *testing.T, id *vectors.Identity) []byte {
	t.Helper()
	return vectors.StyleOf(".ps1").Render(s.content, message(id, crypto.SHA256, s.content).Build(t))
}

// inspector trusts the authority for timestamps, and none of the signers.
func (s *scene) inspector(t *testing.T, more ...verifier.TrustFile) *verifier.Verifier {
	t.Helper()
	anchor := func(room verifier.Room, c *x509.Certificate) verifier.TrustFile {
		return verifier.TrustFile{Store: "test", Room: room, Name: "anchor", Data: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})}
	}
	other := vectors.Issue(t, at, "Nobody's", nil)
	trust, err := verifier.NewTrust(append(more, anchor(verifier.RoomX509CA, other.Cert), anchor(verifier.RoomTSA, s.tsa.Cert))...)
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(trust, verifier.Options{
		Formats: []verifier.Format{format.NewAuthenticode(), format.NewClearsign()}, Now: func() time.Time { return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func judge(t *testing.T, v *verifier.Verifier, r resign.Rules, data []byte) resign.Plan {
	t.Helper()
	rb, err := runbook.Parse("job.ps1", data)
	if err != nil {
		t.Fatal(err)
	}
	report, err := v.Inspect(t.Context(), rb)
	if err != nil {
		t.Fatal(err)
	}
	return r.Judge(report)
}

func want(t *testing.T, what string, got resign.Plan, action resign.Action, why string) {
	t.Helper()
	named := got.Signature != nil || got.Bundle && action == resign.Unchanged
	if got.Action != action || !strings.Contains(got.Why, why) || named != (action == resign.Sign || action == resign.Unchanged) {
		t.Errorf("%s: %+v, want action %d because %q", what, got, action, why)
	}
}

func TestWhatTheOldSignerHasSignedIsSignedAnewWhateverBecameOfTheKey(t *testing.T) {
	t.Parallel()
	t.Run("an untrusted one", func(t *testing.T) {
		t.Parallel()
		s := newScene(t)
		want(t, "old", judge(t, s.inspector(t), s.rules(), s.signedBy(t, s.old)), resign.Sign, "")
		spki := sha256.Sum256(s.old.Cert.RawSubjectPublicKeyInfo)
		want(t, "by public key", judge(t, s.inspector(t), resign.Rules{Old: resign.IDs("x509-spki:" + hex.EncodeToString(spki[:]))}, s.signedBy(t, s.old)), resign.Sign, "")
		want(t, "new", judge(t, s.inspector(t), s.rules(), s.signedBy(t, s.fresh)), resign.Unchanged, "")
		want(t, "stranger", judge(t, s.inspector(t), s.rules(), s.signedBy(t, s.stranger)), resign.Leave, "it is signed by "+idOf(s.stranger))
		want(t, "nobody", judge(t, s.inspector(t), s.rules(), s.content), resign.Leave, "it is unsigned")
	})
	t.Run("one that expired long ago", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, vectors.Valid(at.AddDate(-5, 0, 0), at.AddDate(-4, 0, 0)))
		want(t, "old", judge(t, s.inspector(t), s.rules(), s.signedBy(t, s.old)), resign.Sign, "")
	})
	t.Run("one that is denied", func(t *testing.T) {
		t.Parallel()
		s := newScene(t)
		v := s.inspector(t, verifier.TrustFile{Store: "test", Room: verifier.RoomDeny, Name: "deny", Data: []byte(idOf(s.old) + "\n")})
		want(t, "old", judge(t, v, s.rules(), s.signedBy(t, s.old)), resign.Sign, "")
	})
}

func TestAttackAFileThatOnlyEmbedsTheOldCertificateIsNotSignedAnew(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	v, style := s.inspector(t), vectors.StyleOf(".ps1")
	named := message(s.old, crypto.SHA256, s.content)
	named.Key = s.stranger.Key
	want(t, "signer named, value by a stranger", judge(t, v, s.rules(), style.Render(s.content, named.Build(t))), resign.Refuse, "bad-signature")
	bag := message(s.stranger, crypto.SHA256, s.content, s.old)
	want(t, "certificate in the bag", judge(t, v, s.rules(), style.Render(s.content, bag.Build(t))), resign.Leave, "signed by "+idOf(s.stranger))
	twin := vectors.IssueFor(t, at, "Old", nil, s.stranger.Key, vectors.CodeSigning, func(c *x509.Certificate) {
		c.Subject, c.SerialNumber = s.old.Cert.Subject, s.old.Cert.SerialNumber
	})
	want(t, "a twin by name and number", judge(t, v, s.rules(), s.signedBy(t, twin)), resign.Leave, "it is signed by")
}

func TestAttackATamperedFileIsNotSignedAnew(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	v, signed := s.inspector(t), s.signedBy(t, s.old)
	evil := bytes.Replace(signed, []byte("Write-Output 1"), []byte("Write-Output 2"), 1)
	want(t, "other content", judge(t, v, s.rules(), evil), resign.Refuse, "tampered")
	want(t, "code behind the block", judge(t, v, s.rules(), append(bytes.Clone(signed), "evil\r\n"...)), resign.Refuse, "malformed")
	want(t, "line ends converted", judge(t, v, s.rules(), bytes.ReplaceAll(signed, []byte("\r\n"), []byte("\n"))), resign.Refuse, "damaged")
	for i := range signed {
		flipped := bytes.Clone(signed)
		flipped[i] ^= 1
		if plan := judge(t, v, s.rules(), flipped); plan.Action == resign.Sign || plan.Action == resign.Unchanged {
			t.Errorf("byte %d flipped: %+v", i, plan)
		}
	}
}

func TestAttackAStrangersNestedSignatureDoesNotComeAlong(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	v, style := s.inspector(t), vectors.StyleOf(".ps1")
	nested := func(outer, inner *vectors.Message) []byte {
		der, err := cms.AddUnsigned(outer.Build(t), cms.OIDNestedSignature, inner.Build(t))
		if err != nil {
			t.Fatal(err)
		}
		return style.Render(s.content, der)
	}
	by := func(id *vectors.Identity, content string) *vectors.Message {
		return message(id, crypto.SHA256, []byte(content))
	}
	own, evil := string(s.content), "Remove-Item C:\\\r\n"
	coSigned := nested(by(s.old, own), by(s.stranger, own))
	want(t, "a stranger inside", judge(t, v, s.rules(), coSigned), resign.Refuse, "it carries 2 signatures")
	replace := s.rules()
	replace.Replace = true
	want(t, "a stranger inside, who may go", judge(t, v, replace, coSigned), resign.Sign, "")
	want(t, "the old signer inside a stranger's", judge(t, v, replace, nested(by(s.stranger, own), by(s.old, own))), resign.Leave, "another one decides")
	want(t, "the old signer inside, on other content", judge(t, v, replace, nested(by(s.stranger, own), by(s.old, evil))), resign.Leave, "")
}

func TestAttackAWeakOldSignatureProvesNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	signed := vectors.StyleOf(".ps1").Render(s.content, message(s.old, crypto.SHA1, s.content).Build(t))
	want(t, "SHA-1", judge(t, s.inspector(t), s.rules(), signed), resign.Refuse, "weak")
	servers := newScene(t, vectors.ServerAuth)
	want(t, "a certificate for servers", judge(t, servers.inspector(t), servers.rules(), servers.signedBy(t, servers.old)), resign.Refuse, "wrong-purpose")
}

func TestAttackADeniedFileIsNotSignedAnew(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	signed := s.signedBy(t, s.old)
	v := s.inspector(t, verifier.TrustFile{Store: "test", Room: verifier.RoomDeny, Name: "deny", Data: []byte("sha256:" + runbook.DigestOf(signed).String() + "\n")})
	want(t, "denied", judge(t, v, s.rules(), signed), resign.Refuse, "it is denied")
}

// After the old key was lost only what is older counts, and the age is what a trusted
// authority says.
func TestAttackWhoeverHasTheOldKeyCannotDateBack(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	v, style := s.inspector(t), vectors.StyleOf(".ps1")
	lost := at.AddDate(0, -1, 0)
	rules := s.rules()
	rules.Before = lost
	stamped := func(tsa *vectors.Identity, when time.Time, over []byte) []byte {
		m := message(s.old, crypto.SHA256, s.content)
		m.AddSigned(vectors.Attribute("1.2.840.113549.1.9.5", vectors.UTCTime(lost.AddDate(0, -1, 0)))) // the signer's word
		value := m.Sign(t)
		if over != nil {
			value = over
		}
		if tsa != nil {
			m.AddUnsigned(vectors.TokenAttribute(vectors.Token(t, tsa, value, vectors.Stamp{At: when})))
		}
		return style.Render(s.content, m.Build(t))
	}
	fake := vectors.Issue(t, at, "Clock", nil, vectors.TimeStamping)
	want(t, "older", judge(t, v, rules, stamped(s.tsa, lost.Add(-time.Second), nil)), resign.Sign, "")
	want(t, "at that very time", judge(t, v, rules, stamped(s.tsa, lost, nil)), resign.Refuse, "which is not before")
	want(t, "newer", judge(t, v, rules, stamped(s.tsa, lost.Add(time.Hour), nil)), resign.Refuse, "which is not before")
	want(t, "the signer's own word", judge(t, v, rules, stamped(nil, lost, nil)), resign.Refuse, "no trusted timestamp")
	want(t, "an authority that nobody trusts", judge(t, v, rules, stamped(fake, lost.AddDate(0, -1, 0), nil)), resign.Refuse, "no trusted timestamp")
	want(t, "a timestamp of another signature", judge(t, v, rules, stamped(s.tsa, lost.AddDate(0, -1, 0), []byte("other"))), resign.Refuse, "no trusted timestamp")
}

func TestNothingIsDecidedWithoutAQuestion(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	want(t, "no old signer", judge(t, s.inspector(t), resign.Rules{}, s.signedBy(t, s.old)), resign.Refuse, "nothing is known")
	want(t, "no report", s.rules().Judge(nil), resign.Refuse, "nothing is known")
	empty := &verifier.Report{Verdict: verifier.Valid, Signatures: []verifier.Signature{{Signer: verifier.Identity{IDs: []string{idOf(s.old)}}}}}
	want(t, "no checks", s.rules().Judge(empty), resign.Refuse, "digest and signature were not checked")
}
