package whatif_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/whatif"
)

func replay(t testing.TB, path string, e *policy.Engine, change ...func(*whatif.ReplayOptions)) *whatif.Comparison {
	t.Helper()
	o := whatif.ReplayOptions{Engine: e, Changes: 100}
	for _, f := range change {
		f(&o)
	}
	c, err := whatif.Replay(t.Context(), open(t, path), o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// several are questions of which the policy in use allows the first three.
func several() []asked {
	byBob, dry := good(), good()
	byBob.caller, byBob.group = "os:bob", "db"
	dry.dryRun = true
	byMallory, unsigned, noService := good(), good(), good()
	byMallory.caller = "os:mallory"
	unsigned.unsigned = true
	noService.args = nil
	return []asked{good(), byBob, dry, byMallory, unsigned, noService}
}

func TestThePolicyInUseChangesNothing(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	c := replay(t, g.record(several()...), g.engine)
	if !c.Settled() || c.Decisions != 6 || c.Same != 6 || c.Changed() != 0 || len(c.Changes)+len(c.Groups)+len(c.Left) != 0 {
		t.Errorf("%+v", c)
	}
	if c.Policy != g.engine.Policy() || c.Ledger.Records != 6 {
		t.Errorf("policy %v, ledger %+v", c.Policy, c.Ledger)
	}
}

// short is a change in one line.
func short(c whatif.Change) string {
	return fmt.Sprintf("%d %s %v->%v %s->%s", c.Seq, c.Kind, c.Was.Allow, c.Now.Allow, strings.Join(c.Was.DenyCodes, ","), strings.Join(c.Now.DenyCodes, ","))
}

func groups(c *whatif.Comparison) []string {
	var lines []string
	for _, g := range c.Groups {
		lines = append(lines, fmt.Sprintf("%d %s %s %s first %d", g.Count, g.Kind, g.Code, g.Rule, g.First))
	}
	return lines
}

func TestEachChangeIsNamedWithItsCause(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	path := g.record(several()...)
	for name, c := range map[string]struct {
		engine          *policy.Engine
		changes, groups []string
	}{
		"a worker group less": {g.changed("[web, db]", "[web]"), []string{"2 now-denied true->false ->worker-not-allowed"},
			[]string{"1 now-denied +worker-not-allowed restart first 2"}},
		"nobody but bob may ask": {g.changed("{people: [alice, bob]}", "{people: [bob]}"),
			[]string{
				"1 now-denied true->false ->requester-not-allowed", "3 now-denied true->false ->requester-not-allowed",
				"5 other-reasons false->false signature-not-valid->requester-not-allowed,signature-not-valid",
				"6 other-reasons false->false parameter-missing->parameter-missing,requester-not-allowed",
			},
			[]string{"2 now-denied +requester-not-allowed restart first 1", "2 other-reasons +requester-not-allowed restart first 5"}},
		"anyone may ask": {g.changed("{people: [alice, bob]}", "{anyone: true}"), []string{"4 now-allowed false->true requester-not-allowed->"},
			[]string{"1 now-allowed  restart first 4"}},
		"the parameter may be left out": {g.changed(", required: true", ""), []string{"6 now-allowed false->true parameter-missing->"},
			[]string{"1 now-allowed  restart first 6"}},
		"another reason": {g.changed("paths:", "kinds: [perl], paths:"), []string{
			"1 now-denied true->false ->no-rule-matches", "2 now-denied true->false ->no-rule-matches", "3 now-denied true->false ->no-rule-matches",
			"4 other-reasons false->false requester-not-allowed->no-rule-matches", "5 other-reasons false->false signature-not-valid->no-rule-matches,signature-not-valid",
			"6 other-reasons false->false parameter-missing->no-rule-matches",
		}, []string{
			"3 now-denied +no-rule-matches writ/no-rule first 1", "3 other-reasons +no-rule-matches writ/no-rule first 4",
			"1 other-reasons -parameter-missing  first 6", "1 other-reasons -requester-not-allowed  first 4",
		}},
		"another timeout": {g.load(g.grants + "    run: {timeout: 5m, env: [LANG=C], user: web, sandbox: none, tokens: [a]}\n"), []string{
			"1 other-terms true->true ->", "2 other-terms true->true ->", "3 other-terms true->true ->",
		}, []string{"3 other-terms env  first 1", "3 other-terms sandbox  first 1", "3 other-terms timeout  first 1", "3 other-terms tokens  first 1", "3 other-terms user  first 1"}},
		"a worker group that only warns": {g.load(g.grants + "worker_groups:\n  web: {mode: warn, until: \"2027-01-01T00:00:00Z\"}\n"), []string{
			"4 now-allowed false->true requester-not-allowed->", "6 now-allowed false->true parameter-missing->",
		}, []string{"1 now-allowed would-deny parameter-missing restart first 6", "1 now-allowed would-deny requester-not-allowed restart first 4"}},
		"a warning of a Rego file": {g.load(g.grants, policy.File{Name: "w.rego", Data: []byte("package writ.user.w\n\nwarn contains {\"code\": \"late\", \"msg\": \"x\"} if input.worker.group == \"db\"\n")}),
			[]string{"2 other-terms true->true ->"}, []string{"1 other-terms +late  first 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := replay(t, path, c.engine)
			var changes []string
			for _, change := range got.Changes {
				changes = append(changes, short(change))
			}
			if diff := cmp.Diff(c.changes, changes); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.groups, groups(got)); diff != "" {
				t.Error(diff)
			}
			if got.Settled() || got.Changed() != len(c.changes) || got.Same != 6-len(c.changes) {
				t.Errorf("settled %v, %d changed, %d the same", got.Settled(), got.Changed(), got.Same)
			}
		})
	}
}

func TestAChangeSaysWhatWasAsked(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	c := replay(t, g.record(several()...), g.changed("[web, db]", "[web]"))
	if len(c.Changes) != 1 {
		t.Fatalf("%+v", c.Changes)
	}
	got := c.Changes[0]
	if got.Path != "/srv/runbooks/restart.sh.asc" || got.Caller != "os:bob" || got.Worker.Group != "db" || !got.Time.Equal(atTime()) || got.DryRun ||
		len(got.Was.Rules) != 1 || len(got.Now.Deny) != 1 || got.Now.Deny[0].Rule != "restart" || len(got.Inexact) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestOnlyTheFirstChangesAreListedAndAllAreCounted(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	var questions []asked
	for range 30 {
		questions = append(questions, good())
	}
	path := g.record(questions...)
	e := g.changed("[web, db]", "[db]")
	for workers := 1; workers <= 5; workers += 4 {
		c := replay(t, path, e, func(o *whatif.ReplayOptions) { o.Changes, o.Workers = 3, workers })
		if c.Changed() != 30 || len(c.Changes) != 3 || c.Changes[0].Seq != 1 || c.Changes[2].Seq != 3 || c.Groups[0].Count != 30 {
			t.Errorf("%d workers: %d changed, listed %+v", workers, c.Changed(), c.Changes)
		}
	}
	if c := replay(t, path, e, func(o *whatif.ReplayOptions) { o.Changes = 0 }); len(c.Changes) != 0 || c.Changed() != 30 || c.Settled() {
		t.Errorf("%+v", c)
	}
}

func TestADenialOfWhatCouldNotBeAskedIsCountedAndNamed(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	q := good()
	q.cannotAsk = true
	c := replay(t, g.record(good(), q), g.engine)
	if c.NoInput != 1 || c.Same != 1 || !c.Settled() || len(c.Left) != 1 || c.Left[0].Seq != 2 || c.Left[0].Name != "restart.sh.asc" {
		t.Errorf("%+v", c)
	}
}

func TestWhatIsNotInARecordMakesItsAnswerInexact(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	q := good()
	q.unsigned, q.project = true, true
	path := g.record(good(), q)
	if c := replay(t, path, g.engine); c.Inexact != 1 || !c.Settled() {
		t.Errorf("%+v", c)
	}
	c := replay(t, path, g.changed("[web, db]", "[db]"))
	if c.Inexact != 1 || len(c.Changes) != 2 || len(c.Changes[0].Inexact) != 0 || len(c.Changes[1].Inexact) != 1 {
		t.Errorf("%+v", c)
	}
}

// A secret value is in no record: where the answer hangs on it there is none, and
// where it does not the answer stands.
func TestWhatHangsOnASecretIsNotDecidedAgain(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.grants = strings.Replace(g.grants, "required: true}", "required: true, secret: true}", 1)
	g.engine = g.load(g.grants)
	byMallory, wrong := good(), good()
	byMallory.caller = "os:mallory"
	wrong.args = []policy.Argument{{Name: "Service", Value: "n0pe"}}
	path := g.record(good(), byMallory, wrong)
	if content, err := os.ReadFile(path); err != nil || bytes.Contains(content, []byte("nginx")) || bytes.Contains(content, []byte("n0pe")) {
		t.Fatalf("the ledger holds the secret: %v", err)
	}
	c := replay(t, path, g.engine)
	if c.Secret != 2 || c.Same != 1 || c.Inexact != 1 || c.Settled() || len(c.Left) != 2 || !strings.Contains(c.Left[0].Reason, "Service") {
		t.Errorf("%+v", c)
	}
	c = replay(t, path, g.changed("[web, db]", "[db]"))
	if c.Secret != 0 || c.Counts[whatif.NowDenied] != 1 || c.Counts[whatif.OtherReasons] != 2 || len(c.Changes[0].Inexact) != 1 {
		t.Errorf("%+v", c)
	}
	frozen := policy.File{Name: "f.rego", Data: []byte("package writ.user.f\n\ndeny contains {\"code\": \"frozen\", \"msg\": \"x\"}\n")}
	if c := replay(t, path, g.load(g.grants, frozen)); c.Secret != 0 || c.Changed() != 3 {
		t.Errorf("%+v", c)
	}
	anything := strings.Replace(g.grants, `pattern: "[a-z]+"`, "type: string", 1)
	if c := replay(t, path, g.load(anything)); c.Secret != 0 || c.Inexact != 3 || c.Counts[whatif.NowAllowed] != 1 || c.Same != 2 {
		t.Errorf("%+v", c)
	}
}

// The digest of an input was taken before the ledger wrote it in ASCII.
func TestTheInputMayHoldAnyCharacter(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	q := good()
	q.args[0].Value = "gr\u00fc\u00dfe <&> \\u00e4 \\\\ud83d \"\U0001F600\u00a0\ufffd\ufeff \u007e/"
	if c := replay(t, g.record(q), g.engine); !c.Settled() || c.Same != 1 {
		t.Errorf("%+v", c)
	}
}

// write makes a ledger of bodies that no worker would write.
func write(t *testing.T, bodies ...string) string {
	t.Helper()
	path := t.TempDir() + "/ledger.jsonl"
	book, err := ledger.Open(path, ledger.Options{Now: atTime})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bodies {
		if _, err := book.Append(t.Context(), ledger.Event{Type: ledger.TypeDecision, Body: json.RawMessage(b)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := book.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// body is that of the first record of a ledger.
func body(t *testing.T, path string) string {
	t.Helper()
	var found string
	_, err := ledger.Scan(open(t, path), ledger.VerifyOptions{}, func(r ledger.Record) error {
		if found == "" {
			found = string(r.Body)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestARecordThatIsNotWhatAWorkerWroteIsNeverTakenForTheSame(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	genuine := body(t, g.record(good()))
	edit := func(from, to string) string {
		edited := strings.Replace(genuine, from, to, 1)
		if edited == genuine {
			t.Fatalf("%q is not in %s", from, genuine)
		}
		return edited
	}
	for name, c := range map[string]struct{ body, says string }{
		"an input of another caller":      {edit("os:alice", "os:bob"), "digest"},
		"a digest of another input":       {edit(`"input_sha256":"`, `"input_sha256":"00`), "not that of a decision"},
		"an input that is gone":           {genuine[:strings.Index(genuine, `"input":`)] + `"input":null}`, "no input"},
		"an input that is left out":       {genuine[:strings.Index(genuine, `,"input":`)] + `}`, "no input"},
		"another version":                 {edit(`"version":1`, `"version":2`), "version"},
		"a body of another kind":          {`{"deny":5}`, "not that of a decision"},
		"an input that is no object":      {`{"version":1,"input":5,"input_sha256":"ef2d127de37b942baad06145e54b0c619a1f22327b2ebbcfbec78f5564afe39d"}`, "not that of a decision"},
		"an input with an unknown field":  {`{"version":1,"input":{"x":1},"input_sha256":"5041bf1f713df204784353e82f6a4a535931cb64f1f4b4a5aeaffcb720918b22"}`, "unknown"},
		"an unknown field in any letters": {`{"version":1,"input":{"x":"\u00e4\u003c \\u00e4 \ud83d\ude00 \ud83d"},"input_sha256":"92a08c6c5d25219f4068b1afa41f25b5b06bdc88832f594aeef433efe261a17f"}`, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := replay(t, write(t, c.body), g.engine)
			if got.Unreadable != 1 || got.Settled() || got.Same != 0 || len(got.Left) != 1 || !strings.Contains(got.Left[0].Reason, c.says) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestALedgerThatIsNotIntactHasNoAnswer(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	path := g.record(several()...)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"an edited record": bytes.Replace(content, []byte("os:bob"), []byte("os:bop"), 1),
		"a cut line":       content[:len(content)-1],
		"nothing":          nil,
	} {
		c, err := whatif.Replay(t.Context(), bytes.NewReader(data), whatif.ReplayOptions{Engine: g.engine})
		var damage *ledger.ChainError
		if c != nil || !errors.As(err, &damage) {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	head := ledger.Head{Seq: 6}
	_, err = whatif.Replay(t.Context(), bytes.NewReader(content), whatif.ReplayOptions{Engine: g.engine, Ledger: ledger.VerifyOptions{Head: head}})
	var damage *ledger.ChainError
	if !errors.As(err, &damage) || damage.Problem != ledger.ProblemHead {
		t.Errorf("another head: %v", err)
	}
}

func TestAReplayEndsWithItsContextAndWithItsReader(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	content, err := os.ReadFile(g.record(several()...))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	o := whatif.ReplayOptions{Engine: g.engine, Workers: 1, Progress: func(int, int) { cancel() }}
	if c, err := whatif.Replay(ctx, bytes.NewReader(content), o); c != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", c, err)
	}
	broken := errors.New("broken")
	r := io.MultiReader(bytes.NewReader(content), readerFunc(func([]byte) (int, error) { return 0, broken }))
	if c, err := whatif.Replay(t.Context(), r, whatif.ReplayOptions{Engine: g.engine}); c != nil || !errors.Is(err, broken) {
		t.Errorf("%v, %v", c, err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestAReplayWithoutItsPartsIsRefused(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	for name, o := range map[string]whatif.ReplayOptions{
		"no engine": {}, "a negative number": {Engine: g.engine, Changes: -1}, "too many": {Engine: g.engine, Changes: whatif.MaxChanges + 1},
	} {
		if c, err := whatif.Replay(t.Context(), strings.NewReader(""), o); c != nil || err == nil {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	if (&whatif.Comparison{}).Settled() {
		t.Error("the zero value says that nothing changes")
	}
}

// A policy that is not there denies everything: it must show as a change, not
// as a failure.
func TestAnEngineThatCannotDecideDenies(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	c := replay(t, g.record(good()), &policy.Engine{})
	if c.Counts[whatif.NowDenied] != 1 || c.Groups[0].Code != "+"+policy.CodePolicyError {
		t.Errorf("%+v", c)
	}
}

func FuzzReplay(f *testing.F) {
	g := newGate(f)
	content, err := os.ReadFile(g.record(good()))
	if err != nil {
		f.Fatal(err)
	}
	_, line, _ := strings.Cut(string(content), `"body":`)
	body, _, _ := strings.Cut(line, `,"hash":`)
	f.Add(body)
	f.Add(`{"version":1,"input":{},"input_sha256":""}`)
	f.Add(`{"version":1,"input":"\u00e4\ud83d\ude00\u2028\\u00e4\ud800","input_sha256":""}`)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, body string) {
		file, err := os.CreateTemp(dir, "l")
		if err != nil {
			t.Fatal(err)
		}
		_ = file.Close()
		book, err := ledger.Open(file.Name(), ledger.Options{Now: atTime})
		if err != nil {
			t.Fatal(err)
		}
		_, err = book.Append(t.Context(), ledger.Event{Type: ledger.TypeDecision, Body: json.RawMessage(body)})
		_ = book.Close()
		if err != nil {
			return
		}
		c := replay(t, file.Name(), g.engine)
		if c.Decisions != 1 || c.Same+c.Changed()+c.NoInput+c.Unreadable != 1 {
			t.Errorf("%+v", c)
		}
	})
}
