package policy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

const (
	aliceKey  = "openpgp:0123456789ABCDEF0123456789ABCDEF01234567"
	aliceCert = "x509-sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	bobKey    = "openpgp:89ABCDEF0123456789ABCDEF0123456789ABCDEF"
	carolSPKI = "x509-spki:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
	annBundle = "sigstore:https://token.actions.githubusercontent.com|https://github.com/acme/ops/.github/workflows/release.yml@refs/heads/main"
	annNamed  = "sigstore-identity:release-workflow"
	annBare   = "sigstore-key:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
	annCert   = "x509-sha256:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
)

// peopleYAML is the part of grants.yaml that most tests share.
const peopleYAML = `version: 1
people:
  alice: {identities: ["` + aliceKey + `", "` + aliceCert + `", "os:alice"]}
  bob: {identities: ["` + bobKey + `", "os:bob"]}
  carol: {identities: ["` + carolSPKI + `"]}
  ann: {identities: ["` + annBundle + `", "` + annNamed + `", "` + annBare + `", "` + annCert + `"]}
groups:
  release: {members: [alice, bob]}
  operators: {members: [bob], os_groups: [wheel]}
`

// restartRule asks something of every part.
const restartRule = `rules:
  - name: restart
    match: {paths: ["/srv/runbooks/*.sh"], kinds: [bash]}
    workers: {groups: [web], labels: {env: [test, stage]}}
    signed_by: {groups: [release]}
    requested_by: {groups: [operators]}
    parameters:
      Service: {pattern: "[a-z]+", required: true}
      Count: {type: int}
      Mode: {enum: [soft, hard]}
    run: {timeout: 5m, env: [LANG=C, HOME]}
`

// good is a question that restartRule allows.
func good() policy.Input {
	return policy.Input{
		Version: policy.InputVersion,
		NowNS:   time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).UnixNano(),
		Runbook: policy.Runbook{
			Name: "restart.sh", Path: "/srv/runbooks/restart.sh.asc", Kind: "bash", Verdict: "valid",
			SHA256: runbook.DigestOf([]byte("file")), PayloadSHA256: runbook.DigestOf([]byte("payload")), Size: 4,
		},
		Signatures: []policy.Signature{signature("valid", aliceKey)},
		Findings:   []policy.Finding{},
		Caller: policy.Caller{
			Kind: "os-user", ID: "os:dave", Groups: []string{"os-group:wheel"}, GroupsComplete: true, Roles: []string{}, Assurance: "peercred",
		},
		Worker:     policy.Worker{ID: "w1", Group: "web", OS: "linux", Labels: map[string]string{"env": "test"}},
		Parameters: map[string]string{"Service": "nginx"},
		Job:        map[string]string{},
		Approvals:  []policy.Approval{},
		Trust:      policy.Trust{Digest: runbook.DigestOf([]byte("trust"))},
	}
}

func signature(verdict string, ids ...string) policy.Signature {
	return policy.Signature{
		Format: "clearsign", Verdict: verdict, SignedAtSource: "claimed", NotPassed: []string{},
		Signer: policy.Signer{IDs: append([]string{}, ids...), Display: "somebody"},
	}
}

func nested(s policy.Signature) policy.Signature {
	s.Nested = true
	return s
}

// engines are those that were made already: to compile one takes as long as to
// decide a hundred times.
var engines sync.Map

func engine(t testing.TB, grants string, rego ...policy.File) *policy.Engine {
	t.Helper()
	key := fmt.Sprintf("%q %q", grants, rego)
	if e, ok := engines.Load(key); ok {
		return e.(*policy.Engine)
	}
	var e *policy.Engine
	var err error
	if len(rego) == 0 {
		e, err = policy.NewCompiled([]byte(grants))
	} else {
		e, err = policy.New(policy.Source{Grants: []byte(grants), Rego: rego})
	}
	if err != nil {
		t.Fatal(problems(err))
	}
	engines.Store(key, e.Patient())
	return e
}

// problems lists all problems of a SyntaxError.
func problems(err error) string {
	var bad *policy.SyntaxError
	if !errors.As(err, &bad) {
		return fmt.Sprint(err)
	}
	var lines []string
	for _, p := range bad.Problems {
		lines = append(lines, p.Error())
	}
	return strings.Join(lines, "\n")
}

func codes(reasons []policy.Reason) string {
	var words []string
	for _, r := range reasons {
		words = append(words, r.Code)
	}
	return strings.Join(words, " ")
}

// mustDeny fails unless d denies in every way that counts.
func mustDeny(t *testing.T, d policy.Decision, want string) {
	t.Helper()
	if d.Allow {
		t.Errorf("allowed by %v, want a denial with %s", d.Rules, want)
	}
	if got := codes(d.Deny); got != want {
		t.Errorf("denied with %q, want %q: %+v", got, want, d.Deny)
	}
	if p, err := d.Permit(); err == nil || p != nil {
		t.Error("a denial carries a permit")
	}
}

// oneFormat is a verifier.Format that says what it is told: the engine needs a
// *verifier.Verified, and only a Verifier makes one.
type oneFormat struct{ outcome verifier.Outcome }

func (f oneFormat) Name() string { return "clearsign" }

func (f oneFormat) Load(*verifier.TrustStore) (verifier.Checker, error) { return f, nil }

func (f oneFormat) Check(context.Context, *runbook.Runbook, time.Time) verifier.Outcome {
	return f.outcome
}

// verified returns a runbook that a verifier calls valid.
func verified(t testing.TB, name string, ids ...string) *verifier.Verified {
	t.Helper()
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "s", Room: verifier.RoomOpenPGP, Name: "k", Data: []byte("k")})
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(trust, verifier.Options{
		Now: func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) },
		Formats: []verifier.Format{oneFormat{verifier.Outcome{
			Claimed: true, Verdict: verifier.Valid, Payload: []byte("echo hello\n"),
			Signatures: []verifier.Signature{{
				Format: "clearsign", Signer: verifier.Identity{IDs: ids}, SignedAtSource: verifier.TimeNone,
				Checks: []verifier.Check{verifier.Passed(verifier.CheckSignature, "good")},
			}},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	rb, err := runbook.Parse(name, []byte("signed: echo hello\n"))
	if err != nil {
		t.Fatal(err)
	}
	ok, err := v.Verify(t.Context(), rb)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}
