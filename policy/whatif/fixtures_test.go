package whatif_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
	"github.com/runwrit/writ/worker"
)

func atTime() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// gate is a real one: an OpenPGP key, a trust store that trusts it, and a policy.
type gate struct {
	t        testing.TB
	key      *signer.Key
	verifier *verifier.Verifier
	grants   string
	engine   *policy.Engine
}

// rules are those of the policy that is in use.
const rules = `rules:
  - name: restart
    match: {paths: ["/srv/runbooks/*.sh"]}
    workers: {groups: [web, db]}
    signed_by: {people: [alice]}
    requested_by: {people: [alice, bob]}
    parameters:
      Service: {pattern: "[a-z]+", required: true}
`

func newGate(t testing.TB) *gate {
	t.Helper()
	entity, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "alice", Created: atTime().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	public, err := newkeys.ArmoredPublic(entity)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{t: t}
	if g.key, err = signer.NewOpenPGPKey("alice", entity); err != nil {
		t.Fatal(err)
	}
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "s", Room: verifier.RoomOpenPGP, Name: "alice.asc", Data: public})
	if err != nil {
		t.Fatal(err)
	}
	g.verifier, err = verifier.New(trust, verifier.Options{Now: atTime, Formats: []verifier.Format{format.NewClearsign()}})
	if err != nil {
		t.Fatal(err)
	}
	g.grants = g.policy(rules)
	g.engine = g.load(g.grants)
	return g
}

// policy is a grants.yaml with these rules.
func (g *gate) policy(rules string) string {
	return fmt.Sprintf(`version: 1
people:
  alice: {identities: ["%s", "os:alice"]}
  bob: {identities: ["os:bob"]}
%s`, g.key.ID(), rules)
}

func (g *gate) load(grants string, rego ...policy.File) *policy.Engine {
	g.t.Helper()
	e, err := policy.New(policy.Source{Grants: []byte(grants), Rego: rego})
	if err != nil {
		g.t.Fatal(err)
	}
	return e
}

// changed is the policy in use with one text replaced, which must be there.
func (g *gate) changed(from, to string) *policy.Engine {
	g.t.Helper()
	grants := strings.Replace(g.grants, from, to, 1)
	if grants == g.grants {
		g.t.Fatalf("%q is not in the policy", from)
	}
	return g.load(grants)
}

func (g *gate) sign(name, text string) []byte {
	g.t.Helper()
	rb, err := runbook.Parse(name, []byte(text))
	if err != nil {
		g.t.Fatal(err)
	}
	signed, err := (&format.Clearsign{Now: atTime}).Sign(g.t.Context(), rb, g.key)
	if err != nil {
		g.t.Fatal(err)
	}
	return signed
}

func (g *gate) report(name string, data []byte) *verifier.Report {
	g.t.Helper()
	rb, err := runbook.Parse(name, data)
	if err != nil {
		g.t.Fatal(err)
	}
	rep, err := g.verifier.Inspect(g.t.Context(), rb)
	if err != nil {
		g.t.Fatal(err)
	}
	return rep
}

// asked is one question to the gate.
type asked struct {
	name, text string
	unsigned   bool
	group      string
	caller     string
	args       []policy.Argument
	dryRun     bool
	cannotAsk  bool // the question itself was malformed
	project    bool // it is one file of several
}

// good is a question that the policy in use allows.
func good() asked {
	return asked{name: "restart.sh", text: "echo restart\n", group: "web", caller: "os:alice", args: []policy.Argument{{Name: "Service", Value: "nginx"}}}
}

// record has a real worker record the decisions, and returns the ledger.
func (g *gate) record(questions ...asked) string {
	g.t.Helper()
	path := filepath.Join(g.t.TempDir(), "ledger.jsonl")
	book, err := ledger.Open(path, ledger.Options{Now: atTime})
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = book.Close() }()
	w, err := worker.New(worker.Options{Ledger: book, Stage: worker.Enter(os.Exit), Now: atTime})
	if err != nil {
		g.t.Fatal(err)
	}
	made := map[string]worker.Evidence{}
	for _, q := range questions {
		key := fmt.Sprint(q)
		if _, known := made[key]; !known {
			made[key] = g.evidence(q)
		}
		if _, err := w.Record(g.t.Context(), made[key]); err != nil {
			g.t.Fatal(err)
		}
	}
	return path
}

func (g *gate) evidence(q asked) worker.Evidence {
	g.t.Helper()
	name, data := q.name, []byte(q.text)
	if !q.unsigned {
		name, data = q.name+".asc", g.sign(q.name, q.text)
	}
	rb, err := runbook.Parse(name, data)
	if err != nil {
		g.t.Fatal(err)
	}
	request := policy.Request{
		Path: "/srv/runbooks/" + name, Now: atTime(), Arguments: q.args,
		Caller: policy.Caller{Kind: "os-user", ID: q.caller, GroupsComplete: true, Assurance: "real-uid"},
		Worker: policy.Worker{ID: "w1", Group: q.group, OS: "linux"},
	}
	var in policy.Input
	rep := g.report(name, data)
	if q.unsigned {
		in, err = policy.NewReportInput(rep, request)
	} else {
		var v *verifier.Verified
		if v, err = g.verifier.Verify(g.t.Context(), rb); err == nil {
			in, err = policy.NewInput(v, request)
		}
	}
	if err != nil {
		g.t.Fatal(err)
	}
	if q.project {
		in.Runbook.Manifest = &policy.Manifest{DocumentSHA256: rep.File, Entry: q.name, Files: 2}
	}
	d := g.engine.Decide(g.t.Context(), in)
	if q.cannotAsk {
		in, d = policy.Input{}, policy.Decision{Runbook: rep.File, Deny: []policy.Reason{{Code: policy.CodeInputInvalid, Msg: "argument 1", Rule: "writ/gate"}}}
	}
	return worker.Evidence{Report: rep, Input: in, Decision: d, DryRun: q.dryRun}
}

// recordMany records so many decisions: three of four are allowed, one of them
// for the group db.
func (g *gate) recordMany(n int) string {
	g.t.Helper()
	byBob, byMallory := good(), good()
	byBob.caller, byBob.group = "os:bob", "db"
	byMallory.caller = "os:mallory"
	questions := make([]asked, 0, n)
	for range n / 4 {
		questions = append(questions, good(), byBob, byMallory, good())
	}
	return g.record(questions...)
}

func open(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}
