//go:build linux

package worker_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
	"github.com/runwrit/writ/worker"
)

const second = "openpgp:1111111111111111111111111111111111111111"

// broken decides on v by a policy that lets nobody run anything, and a break-glass
// statement that may be used once.
func (g *gate) broken(v *verifier.Verified) worker.Evidence {
	g.t.Helper()
	engine, err := policy.New(policy.Source{Grants: []byte(`version: 1
people: {alice: {identities: ["` + signer + `", "os:alice"]}, bob: {identities: ["` + second + `"]}}
break_glass: {requesters: {people: [alice]}, approvers: {people: [bob]}, worker_groups: [web]}
rules:
  - {name: none, match: {paths: ["/none/*"]}, workers: {any: true}, signed_by: {people: [bob]}, requested_by: {anyone: true}}
`)})
	if err != nil {
		g.t.Fatal(err)
	}
	in, err := policy.NewInput(v, policy.Request{
		Path: "/srv/" + v.Report().Name, Now: atTime(),
		Caller: policy.Caller{Kind: "os-user", ID: "os:alice", GroupsComplete: true}, Worker: policy.Worker{ID: "w1", Group: "web", OS: "linux"},
		Approvals: []policy.Approval{{
			Type: policy.TypeBreakGlass, File: "g.statement", SHA256: runbook.DigestOf([]byte("g")), Verdict: "valid", Path: "/srv/**", Requester: "os:alice",
			Signatures: []policy.ApprovalSignature{{Verdict: "valid", IDs: []string{second}}}, WorkerGroup: "web", Reason: "the site is down",
			NotBeforeNS: atTime().UnixNano(), ExpiresNS: atTime().Add(time.Hour).UnixNano(), Nonce: "00112233445566778899aabbccddeeff",
		}},
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return worker.Evidence{Report: v.Report(), Input: in, Decision: engine.Decide(g.t.Context(), in)}
}

func withUses(t testing.TB, dir string) func(*worker.Options) {
	t.Helper()
	uses, err := worker.OpenUses(dir)
	if err != nil {
		t.Fatal(err)
	}
	return func(o *worker.Options) { o.Uses = uses }
}

func stateFolder(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestABreakGlassStatementIsUsedUpBeforeAnythingStarts: also where the gate was
// killed right then, and by another worker.
func TestABreakGlassStatementIsUsedUpBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	state := stateFolder(t)
	g := newGate(t, withUses(t, state), forNobody(t))
	v := g.verify("a.sh", "echo run\n")
	e := g.broken(v)
	if e.Decision.Override == nil {
		t.Fatalf("%+v", e.Decision)
	}
	dry := e
	dry.DryRun = true
	if _, err := g.worker.Record(t.Context(), dry); err != nil {
		t.Fatal(err)
	}
	first, err := g.worker.Record(t.Context(), e) // and here the gate is killed
	if err != nil {
		t.Fatal(err)
	}
	again := newGate(t, withUses(t, state))
	second, err := again.worker.Record(t.Context(), again.broken(v))
	if err != nil {
		t.Fatal(err)
	}
	var denied *worker.DeniedError
	if _, err := again.worker.Run(t.Context(), worker.Job{Decision: second, Runbook: v}); !errors.As(err, &denied) || denied.Reasons[0].Code != policy.CodeBreakGlassUsed {
		t.Errorf("the second use: %v", err)
	}
	if _, bodies := again.records(); bodies[len(bodies)-1]["allow"] != false || bodies[len(bodies)-1]["override"] != nil || len(bodies[len(bodies)-1]["warn"].([]any)) != 0 {
		t.Errorf("recorded as %v", bodies[len(bodies)-1])
	}
	if _, err := g.worker.Run(t.Context(), worker.Job{Decision: first, Runbook: v}); err != nil {
		t.Errorf("the first use: %v", err)
	}
	if _, bodies := g.records(); bodies[1]["override"] == nil {
		t.Errorf("the override is not recorded: %v", bodies[1])
	}
}

// brokenUses cannot write.
type brokenUses struct{ worker.Uses }

func (brokenUses) Use(string, string, int, time.Time, time.Time) error {
	return errors.New("the disk is full")
}

func TestWhatCannotBeCountedDoesNotRun(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*worker.Options){
		"nothing counts": func(*worker.Options) {}, "a full disk": func(o *worker.Options) { o.Uses = brokenUses{} },
	} {
		g := newGate(t, change)
		var refused *worker.PermitError
		if _, err := g.worker.Record(t.Context(), g.broken(g.verify("a.sh", "echo run\n"))); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if uses, err := worker.OpenUses(filepath.Join(t.TempDir(), "none")); err == nil || uses != nil {
		t.Errorf("%v, %v", uses, err)
	}
}
