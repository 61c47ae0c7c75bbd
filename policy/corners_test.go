package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

func TestMistakesInGrantsThatNoOtherTestMakes(t *testing.T) {
	t.Parallel()
	whole := peopleYAML + restartRule
	change := func(old, now string) string {
		if !strings.Contains(whole, old) {
			t.Fatalf("there is no %q", old)
		}
		return strings.Replace(whole, old, now, 1)
	}
	digest := runbook.DigestOf([]byte("x")).String()
	for _, c := range []struct{ name, text, want string }{
		{"a person without identities", change(`carol: {identities: ["`+carolSPKI+`"]}`, "carol: {}"), "people.carol.identities: is missing"},
		{"a name that is none", change("name: restart", "name: re start"), "rules[0].name: want a name"},
		{"a rule for nobody", change("signed_by: {groups: [release]}", "signed_by: {at_least: 1}"), "names nobody"},
		{"no label", change("labels: {env: [test, stage]}", "labels: {}"), "want 1 to 100 labels"},
		{"a label of an odd name", change("labels: {env:", "labels: {e nv:"), "want a name"},
		{"a label of an odd value", change("env: [test, stage]", "env: \"a\\u200f\""), "changes the direction"},
		{"a label with a line separator", change("env: [test, stage]", "env: \"a\\u2028\""), "line separator"},
		{"no parameters", whole[:strings.Index(whole, "    parameters:")] + "    parameters: {}\n", "want 1 to 256 parameters"},
		{"a position of all others that is required", change("Count: {type: int}", "\"*\": {type: int, required: true}"), `means nothing for "*"`},
		{"a pattern that repeats", change(`"[a-z]+"`, `"(?:[a-z]{30}){30}"`), "repeats too much"},
		{"an empty pattern", change(`"[a-z]+"`, `""`), "is empty"},
		{"a variable of an odd name", change("LANG=C", "1LANG=C"), "want NAME or NAME=value"},
		{"a denied digest that is none", whole + "denied: [{sha256: abc, reason: x}]\n", "denied[0].sha256"},
		{"a denied digest that is a list", whole + "denied: [{sha256: [a], reason: x}]\n", "want a text"},
		{"a denied digest with an odd reason", whole + "denied: [{sha256: " + digest + ", reason: \"a\\u200f\"}]\n", "changes the direction"},
		{"a denied digest of digits alone, which YAML takes for a number", whole + "denied: [{sha256: " + strings.Repeat("12", 32) + ", reason: x}]\n", "quote it"},
		{"a denied digest that YAML takes for a power of ten", whole + "denied: [{sha256: " + strings.Repeat("12", 30) + "1e23, reason: x}]\n", "quote it"},
		{"a denied digest twice", whole + strings.Replace("denied: [{sha256: D, reason: x}, {sha256: D, reason: y}]\n", "D", digest, 2), "denied already"},
		{"more mistakes than are listed", peopleYAML + "rules:\n" + strings.Repeat("  - {nmae: x}\n", 200), "unknown key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := grantsProblems(t, c.text); !strings.Contains(got, c.want) {
				t.Errorf("got %.500s\nwant %s", got, c.want)
			}
		})
	}
}

func TestFilesOfAPolicyThatNoOtherTestGives(t *testing.T) {
	t.Parallel()
	rule := func(name string) policy.File {
		return policy.File{Name: name, Data: []byte("package writ.user\n\ndeny contains \"x\" if input.worker.id == \"w9\"\n")}
	}
	var many []policy.File
	for i := range policy.MaxRegoFiles + 1 {
		many = append(many, rule(fmt.Sprintf("r%d.rego", i)))
	}
	wrong := policy.File{Name: "a.rego", Data: []byte("package writ.user\n\ndeny contains \"x\" if {\n" + strings.Repeat("\tnone(1)\n", 150) + "}\n")}
	for name, files := range map[string][]policy.File{
		"a test": {rule("a_test.rego")}, "too many": many, "a file twice": {rule("a.rego"), rule("a.rego")}, "many mistakes": {wrong},
		"a large file": {{Name: "a.rego", Data: make([]byte, policy.MaxRegoSize+1)}},
	} {
		_, err := policy.New(policy.Source{Grants: []byte(peopleYAML + restartRule), Rego: files})
		var bad *policy.SyntaxError
		if !errors.As(err, &bad) || len(bad.Problems) > 100 || bad.Error() == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	texts := map[string]string{policy.GrantsFile: peopleYAML + restartRule}
	for _, f := range many {
		texts[f.Name] = string(f.Data)
	}
	if _, err := policy.Load(folder(t, texts), policy.LoadOptions{}); err == nil || !strings.Contains(err.Error(), "more than 200") {
		t.Errorf("a folder of too many: %v", err)
	}
	if _, err := policy.Load(t.TempDir()+"/none", policy.LoadOptions{}); err == nil || !strings.HasPrefix(err.Error(), "policy folder ") {
		t.Errorf("a folder that is not there: %v", err)
	}
	if err := policy.SameFile(nil, nil); err == nil {
		t.Error("a file that was replaced is read")
	}
	if got := (&policy.SyntaxError{}).Error(); got == "" {
		t.Error("a syntax error without problems says nothing")
	}
}

func TestTestsOfAFolderAreReadAndDecideNothing(t *testing.T) {
	t.Parallel()
	grants := peopleYAML + restartRule
	tests := map[string]string{
		policy.GrantsFile: grants, policy.TestsFile: "version: 1\n", "b_test.rego": "package writ.user_test\n\ntest_b if true\n", "a_test.rego": "package writ.a_test\n\ntest_a if true\n",
		"a.rego": "package writ.user\n\nwarn contains \"x\" if input.worker.id == \"w9\"\n",
	}
	dir := folder(t, tests)
	src, err := policy.ReadFolder(dir, policy.LoadOptions{Guarded: true})
	if err != nil || len(src.Tests) != 3 || len(src.Rego) != 1 || src.Tests[0].Name != "a_test.rego" {
		t.Fatalf("%+v, %v", src.Tests, err)
	}
	with, err := policy.New(src)
	if err != nil {
		t.Fatal(err)
	}
	src.Tests = nil
	without, err := policy.New(src)
	if err != nil || with.Policy() != without.Policy() {
		t.Errorf("tests change the digest of the policy: %v", err)
	}
	if bad, err := policy.Check(dir, policy.LoadOptions{}); err != nil || len(bad) > 0 {
		t.Errorf("%v %v", bad, err)
	}
	if r, err := policy.NewRegoTests(src); r != nil || err != nil {
		t.Errorf("tests of none: %v, %v", r, err)
	}
	for name, text := range map[string]string{
		"another package": "package other\n\ntest_a if true\n", "a denial": "package writ.user_test\n\ndeny contains \"x\" if true\n\ntest_a if true\n",
		"no test": "package writ.user_test\n\na := 1\n", "no Rego": "package",
	} {
		tests["a_test.rego"] = text
		if bad, err := policy.Check(folder(t, tests), policy.LoadOptions{}); err != nil || len(bad) == 0 || bad[0].File != "a_test.rego" {
			t.Errorf("%s: %v, %v", name, bad, err)
		}
	}
}

func TestAnswersOfOddShapesThatNoOtherTestGives(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule)
	for name, change := range map[string]func(map[string]any){
		"a deny of an odd reason": func(d map[string]any) { d["deny"] = []any{1} },
		"a very long reason": func(d map[string]any) {
			d["user"] = map[string]any{"writ.user": map[string]any{"deny": []any{strings.Repeat("x", 20_000)}}}
		},
		"a deny that is a text":     func(d map[string]any) { d["deny"] = "x" },
		"answers that are no texts": func(d map[string]any) { d["user"] = map[string]any{"writ.user": map[string]any{"deny": "x"}} },
		"a package without answers": func(d map[string]any) { d["user"] = map[string]any{"writ.user": 1} },
		"a reason of an odd code": func(d map[string]any) {
			d["user"] = map[string]any{"writ.user": map[string]any{"deny": []any{map[string]any{"code": "A B", "msg": "x"}}}}
		},
	} {
		d := map[string]any{
			"allow": true, "deny": []any{}, "exemptions": []any{}, "glass": []any{}, "glass_approvers": []any{}, "lifted": []any{},
			"rules": []any{"restart"}, "user": map[string]any{},
		}
		change(d)
		if got := e.DecideOnDocument(good(), d); got.Allow || codes(got.Deny) != policy.CodePolicyError {
			t.Errorf("%s: %+v", name, got.Deny)
		}
	}
	for i, err := range e.Misuse(t.Context()) {
		if err == nil {
			t.Errorf("misuse %d goes unseen", i)
		}
	}
}

// panicking panics at the first step of an evaluation.
type panicking struct{}

func (panicking) Enabled() bool                  { return true }
func (panicking) Config() topdown.TraceConfig    { return topdown.TraceConfig{} }
func (panicking) TraceEvent(event topdown.Event) { panic(event.Op) }

// failing hands out the rows of another one until it panics.
type failing struct {
	policy.Rows
	left  int
	fails bool // and does not panic
}

func (f *failing) Values(q []policy.Query) ([][]string, error) {
	if f.left--; f.left < 0 {
		if f.fails {
			return nil, errDisk
		}
		panic("the rows are gone")
	}
	return f.Rows.Values(q)
}

func TestWhatPanicsDenies(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule)
	if x, err := e.Trace(t.Context(), good(), panicking{}); err == nil || !strings.Contains(err.Error(), "stopped") || len(x.Rules) > 0 {
		t.Errorf("a tracer that panics: %v", err)
	}
	rows := newRows(t, peopleYAML+restartRule)
	for i := range 24 {
		left := i / 2
		f := &failing{Rows: rows, left: 1 << 30, fails: i%2 == 0}
		e, err := policy.New(policy.Source{Rows: f})
		if err != nil {
			t.Fatal(err)
		}
		f.left = left
		d := e.Decide(t.Context(), good())
		if f.left < 0 {
			mustDeny(t, d, policy.CodePolicyError)
		}
		f.left = left
		if _, err := e.Explain(t.Context(), good()); f.left < 0 && err == nil {
			t.Errorf("explained with %d questions to the rows", left)
		}
	}
}

func TestInputsThatNoOtherTestAsksAbout(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule)
	long := strings.Repeat("x", 5_000)
	for name, change := range map[string]func(*policy.Input){
		"no name":            func(in *policy.Input) { in.Runbook.Name = "" },
		"no digest":          func(in *policy.Input) { in.Runbook.SHA256 = runbook.Digest{} },
		"a long kind":        func(in *policy.Input) { in.Runbook.Kind = long },
		"an unknown verdict": func(in *policy.Input) { in.Signatures[0].Verdict = "fine" },
		"a long finding":     func(in *policy.Input) { in.Findings = []policy.Finding{{Code: "x", Detail: long}} },
		"many parameters":    func(in *policy.Input) { in.Parameters = numbered(policy.MaxArguments+1, "x") },
		"large parameters":   func(in *policy.Input) { in.Parameters = numbered(20, strings.Repeat("x", 60_000)) },
		"many labels":        func(in *policy.Input) { in.Worker.Labels = numbered(101, "x") },
	} {
		in := good()
		change(&in)
		if d := e.Decide(t.Context(), in); codes(d.Deny) != policy.CodeInputInvalid {
			t.Errorf("%s: %+v", name, d)
		}
	}
	v := verified(t, "a.sh.asc", aliceKey)
	v.Report().Set = &verifier.SetFacts{}
	var bad *policy.InputError
	if _, err := policy.NewInput(v, request("/srv/a.sh.asc")); v.Report().Set != nil && !errors.As(err, &bad) {
		t.Errorf("a report of a set, on a file without one: %v", err)
	}
	rep := &verifier.Report{Name: "a.sh", Kind: runbook.Bash, File: runbook.DigestOf([]byte("x")), Findings: []verifier.Finding{{Code: "bidi", Line: 1, Detail: long}},
		Signatures: []verifier.Signature{{
			Signer: verifier.Identity{NotAfter: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}, SignedAt: time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC),
			Checks: []verifier.Check{verifier.Failed(verifier.CheckSignature, "x")},
		}},
	}
	r := request("/srv/a.sh")
	r.Worker.Labels = nil
	in, err := policy.NewReportInput(rep, r)
	if err != nil {
		t.Fatal(err)
	}
	if len(in.Findings) != 1 || len(in.Findings[0].Detail) > 4_096 || in.Worker.Labels == nil || len(in.Signatures[0].NotPassed) != 1 ||
		in.Signatures[0].SignedAtNS != 0 || in.Signatures[0].Signer.NotAfterNS != 1<<63-1 {
		t.Errorf("%+v", in)
	}
	if got := policy.Parameters([]policy.Argument{{Name: "A", Value: "1"}, {Value: "2"}}); got["A"] != "1" || got["1"] != "2" {
		t.Errorf("parameters %v", got)
	}
}

func numbered(n int, value string) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[fmt.Sprintf("p%d", i)] = value
	}
	return m
}

// A label of a rule that is no METADATA keeps nothing from being decided.
func TestBrokenLabelsKeepExplainFromAnswering(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule, policy.File{Name: "a.rego", Data: []byte("package writ.user\n\n# METADATA\n# labels: [\ndeny contains \"x\" if input.worker.id == \"w9\"\n")})
	if d := e.Decide(t.Context(), good()); !d.Allow {
		t.Errorf("%+v", d.Deny)
	}
	if x, err := e.Explain(t.Context(), good()); err == nil || len(x.Rules) > 0 {
		t.Errorf("%+v, %v", x.Rules, err)
	}
}
