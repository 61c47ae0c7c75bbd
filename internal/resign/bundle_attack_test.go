//go:build !nosigstore

package resign_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/resign"
	"github.com/runwrit/writ/internal/vectors"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// bundle is a Sigstore bundle of a file's bytes, by the key of id.
func bundle(t *testing.T, id *vectors.Identity, data []byte) []byte {
	t.Helper()
	key, err := signer.NewBareKey("test", id.Key)
	if err != nil {
		t.Fatal(err)
	}
	rb, err := runbook.Parse("job.ps1", data)
	if err != nil {
		t.Fatal(err)
	}
	made, err := format.NewSigstore().Sign(t.Context(), rb, key)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func hintOf(t *testing.T, id *vectors.Identity) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(id.Cert.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// keys are the rules with the names that both kinds of signatures have.
func (s *scene) keys() resign.Rules {
	names := func(id *vectors.Identity) []string {
		return []string{idOf(id), "sigstore-key:" + digest(id.Cert.RawSubjectPublicKeyInfo)}
	}
	return resign.Rules{Old: names(s.old), New: names(s.fresh)}
}

// knowing trusts these for bundles, and nobody for what stands in files.
func (s *scene) knowing(t *testing.T, deny string, ids ...*vectors.Identity) *verifier.Verifier {
	t.Helper()
	files := []verifier.TrustFile{{Store: "test", Room: verifier.RoomTSA, Name: "tsa", Data: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.tsa.Cert.Raw})}}
	for _, id := range ids {
		files = append(files, verifier.TrustFile{
			Store: "test", Room: verifier.RoomSigstore, Name: id.Cert.Subject.CommonName + ".pub",
			Data: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: id.Cert.RawSubjectPublicKeyInfo}),
		})
	}
	if deny != "" {
		files = append(files, verifier.TrustFile{Store: "test", Room: verifier.RoomDeny, Name: "deny", Data: []byte(deny + "\n")})
	}
	trust, err := verifier.NewTrust(files...)
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(trust, verifier.Options{
		Formats: []verifier.Format{format.NewAuthenticode(), format.NewSigstore()}, Now: func() time.Time { return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func inspect(t *testing.T, v *verifier.Verifier, data, beside []byte) *verifier.Report {
	t.Helper()
	rb, err := runbook.ParseWithSidecars("job.ps1", data, runbook.Sidecar{Name: "job.ps1.sigstore.json", Data: beside})
	if err != nil {
		t.Fatal(err)
	}
	report, err := v.Inspect(t.Context(), rb)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// wantBoth wants the signature inside, the bundle, or both to be made anew.
func wantBoth(t *testing.T, what string, got resign.Plan, inside, beside bool) {
	t.Helper()
	if got.Action != resign.Sign || (got.Signature != nil) != inside || got.Bundle != beside {
		t.Errorf("%s: %+v", what, got)
	}
}

func TestABundleIsMadeAnewWithWhatItCovers(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	v, r := s.knowing(t, "", s.old, s.fresh, s.stranger), s.keys()
	judge := func(data, beside []byte) resign.Plan { return r.Judge(inspect(t, v, data, beside)) }
	byOld, byNew, byStranger := s.signedBy(t, s.old), s.signedBy(t, s.fresh), s.signedBy(t, s.stranger)
	wantBoth(t, "a bundle alone", judge(s.content, bundle(t, s.old, s.content)), false, true)
	wantBoth(t, "both", judge(byOld, bundle(t, s.old, byOld)), true, true)
	wantBoth(t, "inside, and the new key's bundle", judge(byOld, bundle(t, s.fresh, byOld)), true, true)
	wantBoth(t, "the bundle, and the new key inside", judge(byNew, bundle(t, s.old, byNew)), false, true)
	wantBoth(t, "the bundle, and a stranger inside", judge(byStranger, bundle(t, s.old, byStranger)), false, true)
	want(t, "the new key's", judge(byNew, bundle(t, s.fresh, byNew)), resign.Unchanged, "")
	if got := judge(byStranger, bundle(t, s.fresh, byStranger)); got.Action != resign.Unchanged || got.Signature != nil || !got.Bundle {
		t.Errorf("the new key's bundle of a stranger's: %+v", got)
	}
	want(t, "a stranger's", judge(s.content, bundle(t, s.stranger, s.content)), resign.Leave, "it is signed by sigstore-key:")
	denied := s.knowing(t, "sigstore-key:"+digest(s.old.Cert.RawSubjectPublicKeyInfo), s.old)
	wantBoth(t, "both, of a denied key", r.Judge(inspect(t, denied, byOld, bundle(t, s.old, byOld))), true, true)
}

func TestAttackAStrangersBundleBesideAFileOfTheOldSigner(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	r, data := s.keys(), s.signedBy(t, s.old)
	beside := bundle(t, s.stranger, data)
	want(t, "known", r.Judge(inspect(t, s.knowing(t, "", s.old, s.stranger), data, beside)), resign.Refuse, "it is by sigstore-key:")
	want(t, "unknown", r.Judge(inspect(t, s.knowing(t, "", s.old), data, beside)), resign.Refuse, "who made it cannot be proved")
	want(t, "the old signer's, unknown", r.Judge(inspect(t, s.knowing(t, "", s.stranger), data, bundle(t, s.old, data))), resign.Refuse, "who made it cannot be proved")
	r.Replace = true
	want(t, "with --replace", r.Judge(inspect(t, s.knowing(t, "", s.old, s.stranger), data, beside)), resign.Refuse, "it is by sigstore-key:")
	want(t, "no bundle at all", r.Judge(inspect(t, s.knowing(t, "", s.old), data, []byte("{}"))), resign.Refuse, "")
}

func TestAttackABundleThatNamesTheOldKey(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	v, r := s.knowing(t, "", s.old, s.fresh, s.stranger), s.keys()
	named := func(data []byte) []byte {
		return bytes.Replace(bundle(t, s.stranger, data), []byte(hintOf(t, s.stranger)), []byte(hintOf(t, s.old)), 1)
	}
	want(t, "alone", r.Judge(inspect(t, v, s.content, named(s.content))), resign.Refuse, "bad-signature")
	data := s.signedBy(t, s.old)
	want(t, "beside the old signer's own", r.Judge(inspect(t, v, data, named(data))), resign.Refuse, "bad-signature")
	fresh := s.signedBy(t, s.fresh)
	report := inspect(t, v, fresh, named(data))
	if want(t, "beside the new signer's", r.Judge(report), resign.Refuse, ""); r.Interrupted(report) {
		t.Error("it passes for one that is to be finished")
	}
}

func TestAttackAFileThatChangedAfterItsBundleWasMade(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	v, r := s.knowing(t, "", s.old, s.fresh), s.keys()
	old := bundle(t, s.old, s.content)
	want(t, "one byte more", r.Judge(inspect(t, v, append(bytes.Clone(s.content), '\n'), old)), resign.Refuse, "tampered")
	byOld := s.signedBy(t, s.old)
	want(t, "signed in place afterwards", r.Judge(inspect(t, v, byOld, old)), resign.Refuse, "tampered")
	for i := range old {
		flipped := bytes.Clone(old)
		flipped[i] ^= 1
		report := inspect(t, v, s.content, flipped)
		if plan := r.Judge(report); plan.Action == resign.Sign && report.Verdict != verifier.Valid { // such as another version
			t.Errorf("byte %d of the bundle flipped: %+v", i, plan)
		}
	}
}

// What stands beside a file that the new key has signed inside may be left from an
// interruption, or put there.
func TestAnInterruptionIsToldByBothSignatures(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	v, r := s.knowing(t, "", s.old, s.fresh, s.stranger), s.keys()
	byOld, byNew := s.signedBy(t, s.old), s.signedBy(t, s.fresh)
	for name, c := range map[string]struct {
		data, beside []byte
		want         bool
	}{
		"the old signer's, of the file before": {byNew, bundle(t, s.old, byOld), true},
		"of the file as it is":                 {byNew, bundle(t, s.old, byNew), false},
		"the old signer inside, too":           {byOld, bundle(t, s.old, s.content), false},
		"a stranger's bundle":                  {byNew, bundle(t, s.stranger, byOld), false},
		"nothing inside":                       {s.content, bundle(t, s.old, byOld), false},
	} {
		report := inspect(t, v, c.data, c.beside)
		if got := r.Interrupted(report); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if plan := r.Judge(report); c.want && plan.Action != resign.Refuse {
			t.Errorf("%s: %+v", name, plan)
		}
	}
	if r.Interrupted(nil) {
		t.Error("no report")
	}
}

func TestAttackABundleByAKeyProvesNoTime(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	r := s.keys()
	r.Before = at
	want(t, "alone", r.Judge(inspect(t, s.knowing(t, "", s.old), s.content, bundle(t, s.old, s.content))), resign.Refuse, "no trusted timestamp")
	data := s.signedBy(t, s.old)
	want(t, "with the signature inside", r.Judge(inspect(t, s.knowing(t, "", s.old), data, bundle(t, s.old, data))), resign.Refuse, "no trusted timestamp")
}

// A certificate of Fulcio proves the signer only where it was used in its minutes, is
// logged, and nobody has denied it or who gave it.
func TestAttackACertificateOfMinutesUsedLater(t *testing.T) {
	t.Parallel()
	const id = "sigstore:https://issuer.example|https://ci.example/job"
	rules := resign.Rules{Old: []string{id}}
	report := func(failed ...verifier.CheckID) *verifier.Report {
		s := verifier.Signature{
			Format: "sigstore", Sidecar: "job.sh.sigstore.json", Signer: verifier.Identity{IDs: []string{id}}, Sigstore: &verifier.Sigstore{},
			SignedAt: at, SignedAtSource: verifier.TimeLog,
		}
		for _, c := range []verifier.CheckID{verifier.CheckContentDigest, verifier.CheckSignature, verifier.CheckTrust, verifier.CheckTransparency, verifier.CheckValidity, verifier.CheckDeny} {
			check := verifier.Passed(c, "good")
			for _, f := range failed {
				if f == c {
					check = verifier.Failed(c, "bad")
				}
			}
			s.Checks = append(s.Checks, check)
		}
		s.Verdict = verifier.JudgeChecks(s.Checks)
		return &verifier.Report{Name: "job.sh", Kind: runbook.Bash, Verdict: s.Verdict, Sidecars: []string{s.Sidecar}, Signatures: []verifier.Signature{s}}
	}
	wantBoth(t, "good", rules.Judge(report()), false, true)
	wantBoth(t, "of an identity that is listed no more", rules.Judge(report(verifier.CheckTrust)), false, true)
	for _, c := range []verifier.CheckID{verifier.CheckValidity, verifier.CheckDeny, verifier.CheckTransparency} {
		want(t, string(c), rules.Judge(report(c)), resign.Refuse, string(c)+": bad")
	}
	unseen := report()
	unseen.Signatures[0].Checks = unseen.Signatures[0].Checks[:4]
	want(t, "nobody looked at the time", rules.Judge(unseen), resign.Refuse, "not checked")
	rules.Before = at
	want(t, "logged too late", rules.Judge(report()), resign.Refuse, "which is not before")
	rules.Before = at.Add(time.Second)
	wantBoth(t, "logged in time", rules.Judge(report()), false, true)
}

func TestABundleThatNobodyReadKeepsTheFileAsItIs(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	rb, err := runbook.ParseWithSidecars("job.ps1", s.signedBy(t, s.old), runbook.Sidecar{Name: "job.ps1.sigstore.json", Data: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	report, err := s.inspector(t).Inspect(t.Context(), rb) // as a build without Sigstore
	if err != nil {
		t.Fatal(err)
	}
	want(t, "unread", s.keys().Judge(report), resign.Refuse, "it cannot be read")
	if !strings.Contains(s.keys().Judge(report).Fix, "Sigstore") {
		t.Error("it does not say what to do")
	}
}
