package policy_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// CheckSet says what it is told of every set.
func (f oneFormat) CheckSet(_ context.Context, rb *runbook.Runbook, _ time.Time) verifier.Outcome {
	out := f.outcome
	out.Payload = rb.Bytes()
	return out
}

// setOnly is a format that claims sets and no file.
type setOnly struct{ oneFormat }

func (f setOnly) Load(*verifier.TrustStore) (verifier.Checker, error) { return f, nil }

func (f setOnly) Check(context.Context, *runbook.Runbook, time.Time) verifier.Outcome {
	return verifier.Outcome{}
}

const libraryText = "echo library\n"

// verifiedSet returns the runbook at entry with a library, as a verifier calls
// them valid.
func verifiedSet(t testing.TB, entry, script string) *verifier.Verified {
	t.Helper()
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "s", Room: verifier.RoomOpenPGP, Name: "k", Data: []byte("k")})
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{setOnly{oneFormat{verifier.Outcome{
		Claimed: true, Verdict: verifier.Valid,
		Signatures: []verifier.Signature{{
			Format: "manifest", Signer: verifier.Identity{IDs: []string{aliceKey}}, SignedAtSource: verifier.TimeNone,
			Checks: []verifier.Check{verifier.Passed(verifier.CheckSignature, "good")},
		}},
	}}}}})
	if err != nil {
		t.Fatal(err)
	}
	var members []runbook.Member
	for path, text := range map[string]string{entry: script, "lib/l.sh": libraryText} {
		m, err := runbook.ReadMember(path, false, strings.NewReader(text), 0)
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, m)
	}
	rb, err := runbook.NewSet("", []byte("the manifest"), entry, members)
	if err != nil {
		t.Fatal(err)
	}
	ok, err := v.Verify(t.Context(), rb)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func setInput(t testing.TB, v *verifier.Verified) policy.Input {
	t.Helper()
	in, err := policy.NewInput(v, request("/srv/runbooks/restart.sh", policy.Argument{Name: "Service", Value: "x"}))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestThePermitOfAFileOfAProjectNamesTheProject(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule)
	v := verifiedSet(t, "bin/restart.sh", "echo restart\n")
	in := setInput(t, v)
	d := e.Decide(t.Context(), in)
	permit, err := d.Permit()
	if err != nil {
		t.Fatalf("denied: %+v", d.Deny)
	}
	want := policy.Manifest{
		SHA256: v.Set().Digest(), DocumentSHA256: runbook.DigestOf([]byte("the manifest")), Entry: "bin/restart.sh", Files: 2,
	}
	if permit.Manifest() != want || d.Manifest != want.SHA256 || *in.Runbook.Manifest != want {
		t.Errorf("permit %+v, decision %s, input %+v, want %+v", permit.Manifest(), d.Manifest, *in.Runbook.Manifest, want)
	}
	alone, err := policy.NewInput(verified(t, "restart.sh", aliceKey), request("/srv/runbooks/restart.sh", policy.Argument{Name: "Service", Value: "x"}))
	if err != nil {
		t.Fatal(err)
	}
	if p, err := e.Decide(t.Context(), alone).Permit(); err != nil || p.Manifest() != (policy.Manifest{}) {
		t.Errorf("a file by itself: %+v, %v", p, err)
	}
	for _, changed := range []policy.Manifest{
		{SHA256: want.SHA256, DocumentSHA256: want.DocumentSHA256, Entry: "other/restart.sh", Files: 2},
		{SHA256: runbook.DigestOf([]byte("x")), DocumentSHA256: want.DocumentSHA256, Entry: want.Entry, Files: 2},
	} {
		in := setInput(t, v)
		in.Runbook.Manifest = &changed
		mustDeny(t, e.Decide(t.Context(), in), policy.CodeInputInvalid)
	}
	in.Runbook.Manifest = nil
	mustDeny(t, e.Decide(t.Context(), in), policy.CodeInputInvalid)
}

// A signature on the manifest is for the manifest, one on the file for the file.
func TestClaimsOfAProjectAreHeldAgainstWhatWasSigned(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule)
	alice := signature("valid", aliceKey)
	for name, c := range map[string]struct {
		format string
		claims verifier.Claims
		want   string
	}{
		"the manifest's":                {"manifest", verifier.Claims{Name: "writ.manifest", Kind: "manifest"}, ""},
		"the file's own":                {"detached", verifier.Claims{Name: "restart.sh", Kind: "bash"}, ""},
		"the file's on the manifest":    {"manifest", verifier.Claims{Name: "restart.sh", Kind: "bash"}, "claim-contradicts"},
		"the manifest's on the file":    {"detached", verifier.Claims{Name: "writ.manifest", Kind: "manifest"}, "claim-contradicts"},
		"the manifest's, without a set": {"manifest", verifier.Claims{Name: "writ.manifest"}, "claim-contradicts"},
	} {
		in := good()
		signed := alice
		signed.Format, signed.Claims = c.format, &c.claims
		in.Signatures = []policy.Signature{alice, signed}
		in.Signatures[0].Format = "manifest"
		if name != "the manifest's, without a set" {
			in.Runbook.Manifest = &policy.Manifest{SHA256: runbook.DigestOf(nil), DocumentSHA256: runbook.DigestOf(nil), Entry: "restart.sh", Files: 1}
		}
		if got := codes(e.Decide(t.Context(), in).Deny); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Whoever may sign a manifest must not lend himself the name of the author of a
// file in it: that signature does not cover what the file loads.
func TestOnlySignersOfTheManifestVouchForAProject(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule)
	signed := func(format string, s policy.Signature) policy.Signature {
		s.Format = format
		return s
	}
	alice, stranger := signature("valid", aliceKey), signature("valid", "openpgp:FF")
	for name, c := range map[string]struct {
		signatures []policy.Signature
		want       string
	}{
		"alice signed the manifest":                            {[]policy.Signature{signed("manifest", alice)}, ""},
		"alice signed the manifest, somebody the file":         {[]policy.Signature{signed("manifest", alice), signed("detached", stranger)}, ""},
		"alice signed the file beside it, somebody the rest":   {[]policy.Signature{signed("manifest", stranger), signed("detached", alice)}, "signer-not-allowed"},
		"alice signed inside of the file, somebody the rest":   {[]policy.Signature{signed("manifest", stranger), signed("authenticode", alice)}, "signer-not-allowed"},
		"alice signed the file, and the manifest is not valid": {[]policy.Signature{signed("manifest", signature("untrusted")), signed("detached", alice)}, "signature-not-valid"},
		"alice signed the file alone":                          {[]policy.Signature{signed("detached", alice)}, "signature-not-valid"},
	} {
		in := good()
		in.Signatures = c.signatures
		in.Runbook.Manifest = &policy.Manifest{SHA256: runbook.DigestOf(nil), DocumentSHA256: runbook.DigestOf(nil), Entry: "restart.sh", Files: 1}
		if got := codes(e.Decide(t.Context(), in).Deny); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestADeniedFileOfAProjectDeniesTheWhole(t *testing.T) {
	t.Parallel()
	v := verifiedSet(t, "bin/restart.sh", "echo restart\n")
	for name, d := range map[string]runbook.Digest{
		"the file": runbook.DigestOf([]byte("echo restart\n")), "its library": runbook.DigestOf([]byte(libraryText)),
		"the list": v.Set().Digest(), "the document": runbook.DigestOf([]byte("the manifest")),
	} {
		e := engine(t, peopleYAML+restartRule+"denied:\n  - {sha256: \""+d.String()+"\", reason: bad}\n")
		if got := codes(e.Decide(t.Context(), setInput(t, v)).Deny); got != "denied-digest" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// What runs is the whole project, so that only its digest pins what runs.
func TestARuleThatNamesADigestMeansAllThatRuns(t *testing.T) {
	t.Parallel()
	v := verifiedSet(t, "bin/restart.sh", "echo restart\n")
	rule := func(d runbook.Digest) *policy.Engine {
		return engine(t, peopleYAML+strings.Replace(restartRule, "kinds: [bash]", "sha256: [\""+d.String()+"\"]", 1))
	}
	if d := rule(v.Set().Digest()).Decide(t.Context(), setInput(t, v)); !d.Allow {
		t.Errorf("the list: %+v", d.Deny)
	}
	mustDeny(t, rule(v.Report().File).Decide(t.Context(), setInput(t, v)), "no-rule-matches")
	mustDeny(t, rule(v.Report().Set.Manifest).Decide(t.Context(), setInput(t, v)), "no-rule-matches")
}

func TestInputsOfProjectsMatchTheSchemas(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule)
	in := setInput(t, verifiedSet(t, "bin/restart.sh", "echo restart\n"))
	unlisted := in
	unlisted.Runbook.Manifest = &policy.Manifest{DocumentSHA256: runbook.DigestOf(nil), Entry: "a.sh", Files: 1}
	for _, in := range []policy.Input{in, unlisted} {
		data, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if bad := matches(t, policy.InputSchema(), data); bad != "" {
			t.Errorf("%s\n%s", bad, data)
		}
		if data, err = json.Marshal(e.Decide(t.Context(), in)); err != nil {
			t.Fatal(err)
		}
		if bad := matches(t, policy.DecisionSchema(), data); bad != "" {
			t.Errorf("%s\n%s", bad, data)
		}
	}
	for _, m := range []policy.Manifest{
		{Entry: "a.sh", Files: 1},
		{DocumentSHA256: runbook.DigestOf(nil), Entry: "a.sh"},
		{DocumentSHA256: runbook.DigestOf(nil), Entry: "../a.sh", Files: 1},
	} {
		odd := good()
		odd.Runbook.Manifest = &m
		mustDeny(t, e.Decide(t.Context(), odd), policy.CodeInputInvalid)
	}
}
