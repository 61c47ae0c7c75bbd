package policy_test

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

// TestEachFailureDenies goes through the situations in which a gate must not run
// anything, as far as the engine sees them: what the policy is like, what the
// question is like, and how the policy answers. Those of bundles stand in
// policy/store, those of ledgers in cmd/writ.
func TestEachFailureDenies(t *testing.T) {
	t.Parallel()
	const rules = peopleYAML + restartRule
	now := time.Unix(0, good().NowNS)
	released := func(r policy.Release, text ...string) func(t *testing.T) *policy.Engine {
		return func(t *testing.T) *policy.Engine {
			src := policy.Source{Grants: []byte(rules), Release: r}
			for _, s := range text {
				src.Rego = append(src.Rego, user(s))
			}
			e, err := policy.New(src)
			if err != nil {
				t.Fatal(problems(err))
			}
			return e.Patient()
		}
	}
	folderPolicy := func(rego ...string) func(t *testing.T) *policy.Engine { return released(policy.Release{}, rego...) }
	document := func(change func(map[string]any)) any {
		d := map[string]any{
			"allow": true, "deny": []any{}, "exemptions": []any{}, "glass": []any{}, "glass_approvers": []any{}, "lifted": []any{},
			"rules": []any{"restart"}, "user": map[string]any{},
		}
		change(d)
		return d
	}
	for _, tt := range []struct {
		situation string
		engine    func(t *testing.T) *policy.Engine
		change    func(*policy.Input)
		answer    any // in the place of the library's; nil for that
		codes     string
	}{
		{"no policy", func(*testing.T) *policy.Engine { return nil }, same, nil, "policy-error"},
		{"the zero policy", func(*testing.T) *policy.Engine { return &policy.Engine{} }, same, nil, "policy-error"},
		{"policy expired", released(policy.Release{Name: "p", Epoch: 2, Expires: now}), same, nil, "policy-expired"},
		{"policy expired, and its own rule says nothing of it", released(policy.Release{Name: "p", Epoch: 2, Expires: now}, `warn contains "x" if true`), same, nil, "policy-expired"},
		{"policy not in force yet", released(policy.Release{Name: "p", Epoch: 2, NotBefore: now.Add(time.Second)}), same, nil, "policy-not-yet"},
		{"policy of a lower epoch", released(policy.Release{Name: "p", Epoch: 2, HighEpoch: 3}), same, nil, "policy-rolled-back"},
		{"policy in force", released(policy.Release{Name: "p", Epoch: 3, HighEpoch: 3, NotBefore: now, Expires: now.Add(time.Second)}), same, nil, ""},
		{"trust store expired", folderPolicy(), func(in *policy.Input) { in.Trust.Epoch, in.Trust.ExpiresNS = 1, in.NowNS }, nil, "trust-expired"},
		{"trust store of a lower epoch", folderPolicy(), func(in *policy.Input) { in.Trust.Epoch, in.Trust.HighEpoch = 1, 2 }, nil, "trust-rolled-back"},
		{"clock behind the last record", folderPolicy(), func(in *policy.Input) { in.LastRecordNS = in.NowNS + int64(time.Hour) }, nil, "clock"},
		{"unknown runbook", folderPolicy(), func(in *policy.Input) { in.Runbook.Path = "/srv/unknown/restart.sh" }, nil, "no-rule-matches"},
		{"unknown caller", folderPolicy(), func(in *policy.Input) { in.Caller.ID, in.Caller.Groups = "os:unknown", []string{} }, nil, "requester-not-allowed"},
		{"unknown signer", folderPolicy(), func(in *policy.Input) { in.Signatures = []policy.Signature{signature("valid", "openpgp:FF")} }, nil, "signer-not-allowed"},
		{"unknown worker", folderPolicy(), func(in *policy.Input) { in.Worker = policy.Worker{ID: "x", OS: "linux", Labels: map[string]string{}} }, nil, "worker-group-missing worker-not-allowed"},
		{"denied digest", func(t *testing.T) *policy.Engine {
			return engine(t, rules+"denied: [{sha256: "+good().Runbook.SHA256.String()+", reason: stolen}]\n")
		}, same, nil, "denied-digest"},
		{"verdict that is not valid", folderPolicy(), func(in *policy.Input) { in.Runbook.Verdict = "revoked" }, nil, "signature-not-valid"},
		{"payload that nobody knows", folderPolicy(), func(in *policy.Input) { in.Runbook.PayloadSHA256 = runbook.Digest{} }, nil, "signature-not-valid"},
		{"builtin error", folderPolicy(`deny contains "x" if to_number(input.parameters.Service) == 1`), same, nil, "policy-error"},
		{"builtin error in a rule that only warns", folderPolicy(`warn contains "x" if to_number(input.parameters.Service) == 1`), same, nil, "policy-error"},
		{"rules that contradict each other", folderPolicy("f(x) := 1 if x != \"\"\n\nf(x) := 2 if x != \"\"\n\ndeny contains \"x\" if f(input.worker.id) == 3"), same, nil, "policy-error"},
		{"reason of an odd form", folderPolicy(`deny contains 1 if input.worker.id == "w1"`), same, nil, "policy-error"},
		{"reason with an unknown field", folderPolicy(`deny contains {"msg": "x", "allow": true} if input.worker.id == "w1"`), same, nil, "policy-error"},
		{"undefined answer", folderPolicy(), same, document(func(d map[string]any) { delete(d, "allow") }), "policy-error"},
		{"allow that is no truth", folderPolicy(), same, document(func(d map[string]any) { d["allow"] = "true" }), "policy-error"},
		{"unknown field in the answer", folderPolicy(), same, document(func(d map[string]any) { d["override"] = true }), "policy-error"},
		{"no without a reason", folderPolicy(), same, document(func(d map[string]any) { d["allow"] = false }), "unspecified"},
		{"yes without a rule", folderPolicy(), same, document(func(d map[string]any) { d["rules"] = []any{} }), "policy-error"},
		{"yes by a rule that nobody asked about", folderPolicy(), same, document(func(d map[string]any) { d["rules"] = []any{"root"} }), "policy-error"},
		{"question of another version", folderPolicy(), func(in *policy.Input) { in.Version = "writ.input/v2" }, nil, "input-invalid"},
		{"question without a time", folderPolicy(), func(in *policy.Input) { in.NowNS = 0 }, nil, "input-invalid"},
	} {
		t.Run(tt.situation, func(t *testing.T) {
			t.Parallel()
			in := good()
			tt.change(&in)
			e := tt.engine(t)
			var d policy.Decision
			if tt.answer != nil {
				d = e.DecideOnDocument(in, tt.answer)
			} else {
				d = e.Decide(t.Context(), in)
			}
			if tt.codes == "" {
				mustAllow(t, d)
				return
			}
			mustDeny(t, d, tt.codes)
			mustMatch(t, in, d)
		})
	}
	t.Run("no answer in time", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		mustDeny(t, engine(t, rules).Decide(ctx, good()), "policy-error")
	})
	t.Run("policy missing", func(t *testing.T) {
		t.Parallel()
		if e, err := policy.Load(filepath.Join(t.TempDir(), "policy"), policy.LoadOptions{Guarded: true}); e != nil || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v, %v", e, err)
		}
	})
	t.Run("policy broken", func(t *testing.T) {
		t.Parallel()
		var syntax *policy.SyntaxError
		if e, err := policy.Load(folder(t, map[string]string{policy.GrantsFile: strings.Replace(rules, "signed_by", "signedby", 1)}), policy.LoadOptions{}); e != nil || !errors.As(err, &syntax) {
			t.Errorf("%v, %v", e, err)
		}
	})
}
