//go:build linux

package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
	"github.com/runwrit/writ/worker"
)

func asError[E error](err error) (E, bool) {
	var e E
	return e, errors.As(err, &e)
}

// brokenSink fails for one type of record.
type brokenSink struct {
	ledger.Sink
	fails ledger.Type
	zero  bool // reports success without a number instead
}

var errBroken = errors.New("the disk is gone")

func (s brokenSink) Append(ctx context.Context, e ledger.Event) (uint64, error) {
	if e.Type == s.fails {
		if s.zero {
			return 0, nil
		}
		return 0, errBroken
	}
	return s.Sink.Append(ctx, e)
}

func TestWithoutALedgerThereIsNoWorker(t *testing.T) {
	t.Parallel()
	if _, err := worker.New(worker.Options{}); !errors.Is(err, worker.ErrNoLedger) {
		t.Errorf("got %v", err)
	}
	var none *worker.Worker
	for name, w := range map[string]*worker.Worker{"nil": none, "zero": {}} {
		if _, err := w.Run(t.Context(), worker.Job{}); !errors.Is(err, worker.ErrNoLedger) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := w.Record(t.Context(), worker.Evidence{}); !errors.Is(err, worker.ErrNoLedger) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIfTheLedgerFailsNothingRuns(t *testing.T) {
	t.Parallel()
	for _, fails := range []ledger.Type{ledger.TypeDecision, ledger.TypeStart} {
		for _, zero := range []bool{false, true} {
			g := newGate(t, func(o *worker.Options) { o.Ledger = brokenSink{o.Ledger, fails, zero} })
			touched := filepath.Join(g.dir, "touched")
			v := g.verify("r.sh", "touch "+touched+"\n")
			in, d := g.decide(v)
			recorded, err := g.worker.Record(t.Context(), worker.Evidence{Report: v.Report(), Input: in, Decision: d})
			if fails == ledger.TypeDecision {
				if _, ok := asError[*worker.LedgerError](err); !ok || recorded != nil {
					t.Errorf("record: %v, %v", recorded, err)
				}
			}
			res, err := g.worker.Run(t.Context(), worker.Job{Decision: recorded, Runbook: v})
			if err == nil || res.Started || worker.ExitCode(res, err) != worker.ExitGateFailure {
				t.Errorf("%s fails: %+v, %v", fails, res, err)
			}
			if _, err := os.Stat(touched); err == nil {
				t.Errorf("%s fails: the runbook was run", fails)
			}
			g.nothingLeft()
		}
	}
}

func TestAnEndThatCannotBeRecordedIsAFailureOfTheGate(t *testing.T) {
	t.Parallel()
	g := newGate(t, func(o *worker.Options) { o.Ledger = brokenSink{o.Ledger, ledger.TypeEnd, false} })
	o := g.run("r.sh", "echo ran\n")
	le, ok := asError[*worker.LedgerError](o.err)
	if !ok || le.Type != ledger.TypeEnd || !errors.Is(o.err, errBroken) || !o.Started || o.stdout != "ran\n" {
		t.Errorf("%v: %+v", o.err, o)
	}
	if code := worker.ExitCode(o.Result, o.err); code != worker.ExitGateFailure {
		t.Errorf("exit code %d", code)
	}
}

func TestAPermitHoldsForOneRunOfOneRunbook(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	touched := filepath.Join(g.dir, "touched")
	v := g.verify("r.sh", "touch "+touched+"\n")
	other := g.verify("r.sh", "touch "+touched+" # other\n")
	renamed := g.verify("r.py", "touch "+touched+"\n")
	resigned := g.verifyFile("r.sh", "signed by another\ntouch "+touched+"\n")
	in, allowed := g.decide(v)
	byHand := policy.Decision{Allow: true, Mode: policy.ModeEnforce, Runbook: v.Report().File}
	data, err := json.Marshal(allowed)
	if err != nil {
		t.Fatal(err)
	}
	var decoded policy.Decision
	if err := json.Unmarshal(data, &decoded); err != nil {
		t.Fatal(err)
	}
	record := func(d policy.Decision, dryRun bool) *worker.Recorded {
		r, err := g.worker.Record(t.Context(), worker.Evidence{Report: v.Report(), Input: in, Decision: d, DryRun: dryRun})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for name, c := range map[string]struct {
		job  worker.Job
		code int
	}{
		"no decision":                             {worker.Job{Runbook: v}, worker.ExitGateFailure},
		"a decision from elsewhere":               {worker.Job{Decision: &worker.Recorded{}, Runbook: v}, worker.ExitGateFailure},
		"a zero decision":                         {worker.Job{Decision: record(policy.Decision{}, false), Runbook: v}, worker.ExitDenied},
		"a decision made by hand":                 {worker.Job{Decision: record(byHand, false), Runbook: v}, worker.ExitDenied},
		"a decoded decision":                      {worker.Job{Decision: record(decoded, false), Runbook: v}, worker.ExitDenied},
		"a dry run":                               {worker.Job{Decision: record(allowed, true), Runbook: v}, worker.ExitGateFailure},
		"no runbook":                              {worker.Job{Decision: record(allowed, false)}, worker.ExitGateFailure},
		"a zero runbook":                          {worker.Job{Decision: record(allowed, false), Runbook: &verifier.Verified{}}, worker.ExitGateFailure},
		"another runbook":                         {worker.Job{Decision: record(allowed, false), Runbook: other}, worker.ExitGateFailure},
		"the same payload with another signature": {worker.Job{Decision: record(allowed, false), Runbook: resigned}, worker.ExitGateFailure},
		"the same bytes under another name, as another kind": {worker.Job{Decision: record(allowed, false), Runbook: renamed}, worker.ExitGateFailure},
		"a relative working directory":                       {worker.Job{Decision: record(allowed, false), Runbook: v, Dir: "."}, worker.ExitGateFailure},
		"a working directory that is none":                   {worker.Job{Decision: record(allowed, false), Runbook: v, Dir: "/nonesuch"}, worker.ExitGateFailure},
	} {
		res, err := g.worker.Run(t.Context(), c.job)
		if err == nil || res.Started || worker.ExitCode(res, err) != c.code {
			t.Errorf("%s: exit code %d, %v", name, worker.ExitCode(res, err), err)
		}
		if _, err := os.Stat(touched); err == nil {
			t.Fatalf("%s: the runbook was run", name)
		}
	}
	once := worker.Job{Decision: record(allowed, false), Runbook: v}
	if res, err := g.worker.Run(t.Context(), once); err != nil || worker.ExitCode(res, err) != 0 {
		t.Errorf("the permitted run: %+v, %v", res, err)
	}
	if res, err := g.worker.Run(t.Context(), once); err == nil || res.Started {
		t.Errorf("a second run on one decision: %+v, %v", res, err)
	}
	g.nothingLeft()
}

func TestAPermitLapses(t *testing.T) {
	t.Parallel()
	now := atTime()
	g := newGate(t, func(o *worker.Options) { o.Now = func() time.Time { return now } })
	v := g.verify("r.sh", "echo run\n")
	early, late := g.record(v), g.record(v)
	now = atTime().Add(59 * time.Second)
	if res, err := g.worker.Run(t.Context(), worker.Job{Decision: early, Runbook: v}); err != nil || !res.Started {
		t.Errorf("before its end: %v", err)
	}
	now = atTime().Add(60 * time.Second)
	res, err := g.worker.Run(t.Context(), worker.Job{Decision: late, Runbook: v})
	if _, ok := asError[*worker.PermitError](err); !ok || res.Started || worker.ExitCode(res, err) != worker.ExitGateFailure {
		t.Errorf("at its end: %v", err)
	}
}

func TestADenialIsRecordedAndNothingRuns(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	rb, err := runbook.Parse("r.sh", []byte("echo unsigned\n"))
	if err != nil {
		t.Fatal(err)
	}
	// A hostile file about which there is more to say than a record can hold.
	var findings []verifier.Finding
	for range 1000 {
		findings = append(findings, verifier.Finding{Code: "odd", Detail: strings.Repeat("\u202e", 1300)})
	}
	for name, v := range map[string]*verifier.Verifier{"short": newVerifier(t), "long": newVerifier(t, findings...)} {
		report, err := v.Inspect(t.Context(), rb)
		if err != nil {
			t.Fatal(err)
		}
		in, err := policy.NewReportInput(report, policy.Request{
			Path: "/srv/r.sh", Now: atTime(),
			Caller: policy.Caller{Kind: "os-user", ID: "os:alice", GroupsComplete: true, Assurance: "peercred"},
			Worker: policy.Worker{ID: "w1", Group: "web", OS: "linux"},
		})
		if err != nil {
			t.Fatal(err)
		}
		deny := policy.Decision{Mode: policy.ModeEnforce, Runbook: report.File, Deny: []policy.Reason{{Code: "unsigned", Msg: "it is unsigned", Rule: "hard"}}}
		recorded, err := g.worker.Record(t.Context(), worker.Evidence{Report: report, Input: in, Decision: deny})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		res, err := g.worker.Run(t.Context(), worker.Job{Decision: recorded})
		denied, ok := asError[*worker.DeniedError](err)
		if !ok || denied.Verdict != verifier.Unsigned || worker.ExitCode(res, err) != worker.ExitDenied {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff([]string{"unsigned"}, worker.Codes(res, err)); diff != "" {
			t.Error(diff)
		}
		_, bodies := g.records()
		body := bodies[len(bodies)-1]
		if body["allow"] != false || body["verdict"] != "unsigned" || (body["input"] == nil) != (name == "long") || len(body["input_sha256"].(string)) != 64 {
			t.Errorf("%s: recorded as allow %v, verdict %v, input %T", name, body["allow"], body["verdict"], body["input"])
		}
	}
}

// TestADenialBecauseOfTheClockIsRecorded: with the time of the record before it.
func TestADenialBecauseOfTheClockIsRecorded(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	v := g.verify("r.sh", "echo one\n")
	in, d := g.decide(v)
	if _, err := g.worker.Record(t.Context(), worker.Evidence{Report: v.Report(), Input: in, Decision: d}); err != nil {
		t.Fatal(err)
	}
	late, err := ledger.Open(g.ledger, ledger.Options{Now: func() time.Time { return atTime().Add(-time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = late.Close() })
	w, err := worker.New(worker.Options{Ledger: late, Now: atTime, Stage: worker.Enter(os.Exit)})
	if err != nil {
		t.Fatal(err)
	}
	denied := policy.Decision{Runbook: v.Report().File, Deny: []policy.Reason{{Code: policy.CodeClock, Msg: "behind", Rule: "hard"}}}
	if _, err := w.Record(t.Context(), worker.Evidence{Report: v.Report(), Input: in, Decision: denied}); err != nil {
		t.Error(err)
	}
	if _, err := w.Record(t.Context(), worker.Evidence{Report: v.Report(), Input: in, Decision: d}); err == nil {
		t.Error("a decision that allows is recorded while the clock is behind")
	}
}

func TestEvidenceThatDoesNotFitTogetherIsRefused(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	v, other := g.verify("r.sh", "echo one\n"), g.verify("r.sh", "echo two\n")
	in, d := g.decide(v)
	otherIn, _ := g.decide(other)
	unverified := *v.Report()
	unverified.Verdict = verifier.Untrusted
	for name, e := range map[string]worker.Evidence{
		"nothing":                        {},
		"no report":                      {Input: in, Decision: d},
		"an empty report":                {Report: &verifier.Report{}, Input: in, Decision: d},
		"a report about another file":    {Report: other.Report(), Input: in, Decision: d},
		"an input about another file":    {Report: v.Report(), Input: otherIn, Decision: d},
		"no input":                       {Report: v.Report(), Decision: d},
		"a report that does not say yes": {Report: &unverified, Input: in, Decision: d},
	} {
		r, err := g.worker.Record(t.Context(), e)
		if _, ok := asError[*worker.PermitError](err); !ok || r != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if content, err := os.ReadFile(g.ledger); err != nil || len(content) != 0 {
		t.Errorf("something was recorded: %s, %v", content, err)
	}
}

func TestArgumentsArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "python3")
	g := newGate(t)
	evil := []string{
		"; touch /tmp/EVIL", "$(touch EVIL)", "`touch EVIL`", "a b\"c'd\\e", "", "*", "~", "${HOME}", "a=b", "&&", "|cat", ">out", "\u00e4\U0001F600", "-", "#", "%s%n",
	}
	want := []string{"--Name=; rm -rf $(x)", "--flag=-c"}
	g.args = append(g.args, policy.Argument{Name: "Name", Value: "; rm -rf $(x)"}, policy.Argument{Name: "flag", Value: "-c"})
	for _, v := range evil {
		g.args = append(g.args, policy.Argument{Value: v})
	}
	want = append(want, evil...)
	o := g.must(g.run("r.sh", `printf '%s\n' "$@"; echo "$#"; ls -A`+"\n"))
	if diff := cmp.Diff(append(slices.Clone(want), "18"), lines(o.stdout)); diff != "" {
		t.Error("bash:", diff)
	}
	o = g.must(g.run("r.py", "import json, sys\nprint(json.dumps(sys.argv[1:]))\n"))
	var got []string
	if err := json.Unmarshal([]byte(o.stdout), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("python:", diff)
	}
}

func TestTheEnvironmentHoldsOnlyWhatIsListed(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "python3")
	gateEnv := map[string]string{"GRANTED": "from the gate", "SECRET": "s3cret", "BASH_ENV": "/tmp/evil"}
	g := newGate(t, func(o *worker.Options) {
		o.LookupEnv = func(name string) (string, bool) { v, ok := gateEnv[name]; return v, ok }
	})
	g.env = []string{"GRANTED", "ABSENT", "SET=a b$(x)", "LANG=de_DE.UTF-8", "EMPTY="}
	o := g.must(g.run("r.py", "import os, json\nprint(json.dumps(dict(os.environ)))\n"))
	var got map[string]string
	if err := json.Unmarshal([]byte(o.stdout), &got); err != nil {
		t.Fatal(err)
	}
	home := got["HOME"]
	if filepath.Dir(filepath.Dir(home)) != g.temp {
		t.Errorf("HOME is %s", home)
	}
	own, err := user.LookupId(strconv.Itoa(os.Geteuid()))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"PATH": worker.Path, "HOME": home, "TMPDIR": filepath.Join(filepath.Dir(home), "tmp"), "LANG": "de_DE.UTF-8",
		"AZURE_CONFIG_DIR": filepath.Join(home, ".azure"), "USER": own.Username, "LOGNAME": own.Username,
		"GRANTED": "from the gate", "SET": "a b$(x)", "EMPTY": "",
	}
	delete(got, "LC_CTYPE") // python adds it to its own environment
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	_, bodies := g.records()
	for _, body := range bodies[:2] {
		if strings.Contains(strings.Join(anyStrings(body["env"]), " "), "from the gate") {
			t.Error("the value of a variable is in the ledger")
		}
	}
}

func anyStrings(list any) (s []string) {
	items, _ := list.([]any)
	for _, v := range items {
		if text, ok := v.(string); ok {
			s = append(s, text)
		}
	}
	return s
}

// The gate's own environment has what bash would run before any script.
func TestBashEnvOfTheGateDoesNotReachBash(t *testing.T) {
	evil := filepath.Join(t.TempDir(), "evil.sh")
	if err := os.WriteFile(evil, []byte("echo EVIL\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("BASH_ENV", evil)
	t.Setenv("ENV", evil)
	t.Setenv("BASH_FUNC_ls%%", "() { echo EVIL; }")
	t.Setenv("LD_PRELOAD", "/nonesuch.so")
	t.Setenv("PATH", filepath.Dir(evil)+":"+os.Getenv("PATH"))
	testenv.WriteProgram(t, filepath.Join(filepath.Dir(evil), "bash"), []byte("#!/bin/sh\necho EVIL\n"))
	g := newGate(t)
	o := g.must(g.run("r.sh", "ls; env\n"))
	if strings.Contains(o.stdout+o.stderr, "EVIL") || strings.Contains(o.stdout, "nonesuch") {
		t.Errorf("got %s%s", o.stdout, o.stderr)
	}
}

func TestAnUnguardedTempFolderIsRefused(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	if err := os.Chmod(g.temp, 0o777); err != nil {
		t.Fatal(err)
	}
	o := g.run("r.sh", "echo run\n")
	if _, ok := asError[*worker.StartError](o.err); !ok || o.Started {
		t.Errorf("%v: %+v", o.err, o)
	}
	if err := os.Chmod(g.temp, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	g.must(g.run("r.sh", "echo run\n"))
}
