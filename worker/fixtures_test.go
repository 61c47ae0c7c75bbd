//go:build linux

package worker_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
	"github.com/runwrit/writ/worker"
)

const signer = "openpgp:0123456789ABCDEF0123456789ABCDEF01234567"

// atTime is when the fixtures are verified and decided on.
func atTime() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// plainFormat is a signature format whose payload is what follows the first
// line: only a Verifier makes a *verifier.Verified, and what matters here is what
// comes after it.
type plainFormat struct{ findings []verifier.Finding }

func (plainFormat) Name() string { return "plain" }

func (f plainFormat) Load(*verifier.TrustStore) (verifier.Checker, error) { return f, nil }

func (f plainFormat) Check(_ context.Context, rb *runbook.Runbook, _ time.Time) verifier.Outcome {
	first, payload, _ := bytes.Cut(rb.Bytes(), []byte("\n"))
	if !bytes.HasPrefix(first, []byte("signed")) {
		return verifier.Outcome{Capable: true, Findings: f.findings}
	}
	return verifier.Outcome{
		Claimed: true, Verdict: verifier.Valid, Payload: payload,
		Signatures: []verifier.Signature{{
			Format: "plain", Signer: verifier.Identity{IDs: []string{signer}}, SignedAtSource: verifier.TimeNone,
			Checks: []verifier.Check{verifier.Passed(verifier.CheckSignature, "good")},
		}},
	}
}

func newVerifier(t testing.TB, findings ...verifier.Finding) *verifier.Verifier {
	t.Helper()
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "s", Room: verifier.RoomOpenPGP, Name: "k", Data: []byte("k")})
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(trust, verifier.Options{Now: atTime, Formats: []verifier.Format{plainFormat{findings}}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestMain makes the program of these tests its own stage.
func TestMain(m *testing.M) {
	worker.Enter(os.Exit)
	m.Run() // its code becomes that of the process
}

// gate is everything around one run: a ledger, a worker, and what the policy is
// to be asked.
type gate struct {
	t       testing.TB
	dir     string // of the test
	temp    string // where the worker makes private folders
	ledger  string
	worker  *worker.Worker
	options worker.Options

	timeout string   // as in grants.yaml
	user    string   // the same; that of the gate if ""
	sandbox string   // the same; none if ""
	env     []string // the same
	args    []policy.Argument
	secret  string // name of a parameter
}

func newGate(t testing.TB, change ...func(*worker.Options)) *gate {
	t.Helper()
	g := &gate{t: t, dir: t.TempDir(), timeout: "30s"}
	g.temp = filepath.Join(g.dir, "temp")
	if err := os.Mkdir(g.temp, 0o700); err != nil {
		t.Fatal(err)
	}
	g.ledger = filepath.Join(g.dir, "ledger.jsonl")
	book, err := ledger.Open(g.ledger, ledger.Options{Now: atTime})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = book.Close() })
	g.options = worker.Options{Ledger: book, Stage: worker.Enter(os.Exit), Now: atTime, TempDir: g.temp, Grace: 200 * time.Millisecond}
	for _, f := range change {
		f(&g.options)
	}
	if g.worker, err = worker.New(g.options); err != nil {
		t.Fatal(err)
	}
	return g
}

// verify returns the verified runbook of that name and payload.
func (g *gate) verify(name, payload string) *verifier.Verified {
	g.t.Helper()
	return g.verifyFile(name, "signed\n"+payload)
}

func (g *gate) verifyFile(name, content string) *verifier.Verified {
	g.t.Helper()
	rb, err := runbook.Parse(name, []byte(content))
	if err != nil {
		g.t.Fatal(err)
	}
	v, err := newVerifier(g.t).Verify(g.t.Context(), rb)
	if err != nil {
		g.t.Fatal(err)
	}
	return v
}

// decide asks a real policy, which allows.
func (g *gate) decide(v *verifier.Verified) (policy.Input, policy.Decision) {
	g.t.Helper()
	engine, err := policy.New(policy.Source{Grants: []byte(`version: 1
people: {alice: {identities: ["` + signer + `", "os:alice"]}}
rules:
  - name: all
    match: {paths: ["/srv/**"]}
    workers: {groups: [web]}
    signed_by: {people: [alice]}
    requested_by: {people: [alice]}
` + g.parameters() + g.obligations() + "\n")})
	if err != nil {
		g.t.Fatal(err)
	}
	in, err := policy.NewInput(v, policy.Request{
		Path: "/srv/" + v.Report().Name, Now: atTime(), Arguments: g.args,
		Caller: policy.Caller{Kind: "os-user", ID: "os:alice", GroupsComplete: true, Assurance: "peercred"},
		Worker: policy.Worker{ID: "w1", Group: "web", OS: "linux"},
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return in, engine.Decide(g.t.Context(), in)
}

// obligations is the rule's run key.
func (g *gate) obligations() string {
	list := []string{"timeout: " + g.timeout, "sandbox: " + cmp.Or(g.sandbox, policy.SandboxNone)}
	if g.user != nobodyNamed {
		list = append(list, "user: '"+cmp.Or(g.user, own(g.t))+"'")
	}
	if g.env != nil {
		env, err := json.Marshal(g.env)
		if err != nil {
			g.t.Fatal(err)
		}
		list = append(list, "env: "+string(env))
	}
	return "    run: {" + strings.Join(list, ", ") + "}"
}

// nobodyNamed is the user of a rule that names none.
const nobodyNamed = "-"

// own is the name of the account that the tests run as.
func own(t testing.TB) string {
	t.Helper()
	u, err := user.LookupId(strconv.Itoa(os.Geteuid()))
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

// parameters is the rule's key that allows every argument of the gate's list.
func (g *gate) parameters() string {
	if g.args == nil {
		return ""
	}
	m := map[string]any{}
	position := 0
	for _, a := range g.args {
		name := a.Name
		if name == "" {
			position++
			name = strconv.Itoa(position)
		}
		about := map[string]any{"type": "string"}
		if name == g.secret {
			about["secret"] = true
		}
		m[name] = about
	}
	doc, err := json.Marshal(m)
	if err != nil {
		g.t.Fatal(err)
	}
	return "    parameters: " + string(doc) + "\n"
}

// record decides on v, which must be allowed, and records the decision.
func (g *gate) record(v *verifier.Verified) *worker.Recorded {
	g.t.Helper()
	in, d := g.decide(v)
	if _, err := d.Permit(); err != nil {
		g.t.Fatalf("the policy denies: %+v", d.Deny)
	}
	r, err := g.worker.Record(g.t.Context(), worker.Evidence{Report: v.Report(), Input: in, Decision: d})
	if err != nil {
		g.t.Fatal(err)
	}
	return r
}

// outcome is what became of a run.
type outcome struct {
	worker.Result
	err            error
	stdout, stderr string
}

// run takes a runbook the whole way. Whatever comes of it, nothing may be left
// behind.
func (g *gate) run(name, payload string, change ...func(*worker.Job)) outcome {
	g.t.Helper()
	return g.runContext(g.t.Context(), name, payload, change...)
}

func (g *gate) runContext(ctx context.Context, name, payload string, change ...func(*worker.Job)) outcome {
	g.t.Helper()
	v := g.verify(name, payload)
	var stdout, stderr buffer
	job := worker.Job{Decision: g.record(v), Runbook: v, Stdout: &stdout, Stderr: &stderr}
	for _, f := range change {
		f(&job)
	}
	res, err := g.worker.Run(ctx, job)
	g.nothingLeft()
	return outcome{res, err, stdout.String(), stderr.String()}
}

// upOnce has the time of a run be up when it has written a text to one of its streams.
// A time that is measured would pass on a busy machine before the runbook does what the
// test is about.
func (g *gate) upOnce(text string) func(*worker.Job) {
	up := make(chan time.Time, 1)
	g.worker.TimeIsUpWith(up)
	var once sync.Once
	watch := func(w io.Writer) io.Writer {
		var written []byte
		return writerFunc(func(b []byte) (int, error) {
			if written = append(written, b...); bytes.Contains(written, []byte(text)) {
				once.Do(func() { up <- time.Time{} })
			}
			return w.Write(b)
		})
	}
	return func(j *worker.Job) { j.Stdout, j.Stderr = watch(j.Stdout), watch(j.Stderr) }
}

// must fails the test unless the runbook ran and ended with exit code 0.
func (g *gate) must(o outcome) outcome {
	g.t.Helper()
	if o.err != nil || worker.ExitCode(o.Result, o.err) != 0 || len(o.Warnings) > 0 {
		g.t.Fatalf("exit code %d, error %v, warnings %q\n%s%s", worker.ExitCode(o.Result, o.err), o.err, o.Warnings, o.stdout, o.stderr)
	}
	return o
}

func (g *gate) nothingLeft() {
	g.t.Helper()
	left, err := os.ReadDir(g.temp)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, entry := range left {
		g.t.Errorf("%s was left behind", entry.Name())
	}
}

// records returns type and body of each record; the ledger must be intact.
func (g *gate) records() (types []ledger.Type, bodies []map[string]any) {
	g.t.Helper()
	content, err := os.ReadFile(g.ledger)
	if err != nil {
		g.t.Fatal(err)
	}
	_, err = ledger.Scan(bytes.NewReader(content), ledger.VerifyOptions{}, func(r ledger.Record) error {
		var body map[string]any
		types = append(types, r.Type)
		err := json.Unmarshal(r.Body, &body)
		bodies = append(bodies, body)
		return err
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return types, bodies
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func lines(s string) []string { return strings.Split(strings.TrimSuffix(s, "\n"), "\n") }
