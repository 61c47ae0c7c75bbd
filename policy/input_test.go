package policy_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/verifier"
)

func request(path string, args ...policy.Argument) policy.Request {
	return policy.Request{
		Path: path, Caller: good().Caller, Worker: good().Worker, Arguments: args,
		Now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
	}
}

func TestArgumentsThatAreRefused(t *testing.T) {
	t.Parallel()
	many := make([]policy.Argument, policy.MaxArguments+1)
	large := make([]policy.Argument, 20)
	for i := range large {
		large[i].Value = strings.Repeat("x", policy.MaxArgument)
	}
	tests := []struct {
		name, file string
		args       []policy.Argument
	}{
		{"a name twice", "a.sh.asc", []policy.Argument{{Name: "A", Value: "1"}, {Name: "A", Value: "2"}}},
		{"a name twice in another case", "a.ps1", []policy.Argument{{Name: "Name", Value: "1"}, {Name: "name", Value: "2"}}},
		{"a name that is a position", "a.sh.asc", []policy.Argument{{Name: "1", Value: "x"}}},
		{"a name with a blank", "a.sh.asc", []policy.Argument{{Name: "A B", Value: "x"}}},
		{"a name that is an option", "a.sh.asc", []policy.Argument{{Name: "-A", Value: "x"}}},
		{"a name with an equals sign", "a.sh.asc", []policy.Argument{{Name: "A=B", Value: "x"}}},
		{"a name that looks like another", "a.ps1", []policy.Argument{{Name: "N\u0430me", Value: "x"}}},
		{"a name too long", "a.sh.asc", []policy.Argument{{Name: strings.Repeat("a", 65), Value: "x"}}},
		{"a NUL", "a.sh.asc", []policy.Argument{{Value: "a\x00b"}}},
		{"a line end", "a.sh.asc", []policy.Argument{{Value: "a\nb"}}},
		{"an escape sequence", "a.sh.asc", []policy.Argument{{Value: "\x1b[2J"}}},
		{"a C1 control", "a.sh.asc", []policy.Argument{{Value: "\u009b2J"}}},
		{"text that changes direction", "a.sh.asc", []policy.Argument{{Value: "\u202egnp.exe"}}},
		{"bytes that are no text", "a.sh.asc", []policy.Argument{{Value: "\xff"}}},
		{"a value too long", "a.sh.asc", []policy.Argument{{Value: strings.Repeat("x", policy.MaxArgument+1)}}},
		{"too many", "a.sh.asc", many},
		{"too large together", "a.sh.asc", large},
		{"a name without a value, which pwsh takes the next argument for", "a.ps1", []policy.Argument{{Name: "Force"}, {Value: "x"}}},
		{"a position that PowerShell takes for a name", "a.ps1", []policy.Argument{{Value: "-Force"}}},
		{"JSON without a name", "a.ps1", []policy.Argument{{Value: "[1]", JSON: true}}},
		{"JSON that is none", "a.ps1", []policy.Argument{{Name: "A", Value: "[1", JSON: true}}},
		{"JSON that is a text", "a.ps1", []policy.Argument{{Name: "A", Value: `"x"`, JSON: true}}},
		{"JSON that is nothing", "a.sh", []policy.Argument{{Name: "A", JSON: true}}},
		{"JSON with a line end", "a.sh", []policy.Argument{{Name: "A", Value: "[\n]", JSON: true}}},
		{"a position with a long dash", "a.ps1", []policy.Argument{{Value: "\u2014Force"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := policy.NewInput(verified(t, tt.file, aliceKey), request("/srv/"+tt.file, tt.args...))
			var bad *policy.ArgumentError
			if !errors.As(err, &bad) {
				t.Fatalf("got %v, want an *ArgumentError", err)
			}
			if strings.ContainsAny(err.Error(), "\x00\n\x1b\u202e\u009b") || len(err.Error()) > 5_000 {
				t.Errorf("the message repeats what it refuses: %q", err)
			}
		})
	}
}

// The policy would see a value where the runbook sees an option. This is refused
// before anything is recorded as allowed.
func TestAPositionalValueThatLooksLikeAnOptionIsRefused(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"a.sh.asc", "a.py.asc", "a.ps1"} {
		for _, value := range []string{"-c", "--", "--Name=evil", "-e id", "\u2013x", "\u2015x"} {
			_, err := policy.NewInput(verified(t, file, aliceKey), request("/srv/"+file, policy.Argument{Value: "first"}, policy.Argument{Value: value}))
			var bad *policy.ArgumentError
			if !errors.As(err, &bad) || bad.Position != 2 {
				t.Errorf("%s %q: %v", file, value, err)
			}
		}
		if _, err := policy.NewInput(verified(t, file, aliceKey), request("/srv/"+file, policy.Argument{Value: "-"})); err != nil {
			t.Errorf("%s: one dash: %v", file, err)
		}
	}
}

func TestArgumentsAllReachThePolicy(t *testing.T) {
	t.Parallel()
	args := []policy.Argument{{Value: "a b"}, {Name: "Mode", Value: "--x"}, {Value: "$(reboot)"}, {Value: ""}}
	in, err := policy.NewInput(verified(t, "a.sh.asc", aliceKey), request("/srv/a.sh.asc", args...))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"1": "a b", "2": "$(reboot)", "3": "", "Mode": "--x"}
	if len(in.Parameters) != len(want) {
		t.Errorf("got %v", in.Parameters)
	}
	for name, value := range want {
		if got, ok := in.Parameters[name]; !ok || got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
}

func TestQuestionsThatAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*policy.Request)
	}{
		{"no path", func(r *policy.Request) { r.Path = "" }},
		{"a path with ..", func(r *policy.Request) { r.Path = "/srv/runbooks/../../etc/a.sh.asc" }},
		{"a relative path upwards", func(r *policy.Request) { r.Path = "../a.sh.asc" }},
		{"a path with .", func(r *policy.Request) { r.Path = "/srv/./a.sh.asc" }},
		{"a path with an empty segment", func(r *policy.Request) { r.Path = "/srv//a.sh.asc" }},
		{"a path with a backslash", func(r *policy.Request) { r.Path = `C:\srv\a.sh.asc` }},
		{"a path with a line end", func(r *policy.Request) { r.Path = "/srv\n/a.sh.asc" }},
		{"a path with a NUL", func(r *policy.Request) { r.Path = "/srv\x00/a.sh.asc" }},
		{"a path that is no text", func(r *policy.Request) { r.Path = "/srv\xff/a.sh.asc" }},
		{"the path of another file", func(r *policy.Request) { r.Path = "/srv/b.sh.asc" }},
		{"no caller", func(r *policy.Request) { r.Caller = policy.Caller{} }},
		{"a caller without a kind", func(r *policy.Request) { r.Caller.Kind = "" }},
		{"a group with a line end", func(r *policy.Request) { r.Caller.Groups = []string{"os-group:a\nb"} }},
		{"a label with an escape", func(r *policy.Request) { r.Worker.Labels = map[string]string{"a": "\x1b"} }},
		{"no time", func(r *policy.Request) { r.Now = time.Time{} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := request("/srv/a.sh.asc")
			tt.change(&r)
			_, err := policy.NewInput(verified(t, "a.sh.asc", aliceKey), r)
			var bad *policy.InputError
			if !errors.As(err, &bad) {
				t.Errorf("got %v, want an *InputError", err)
			}
		})
	}
	var bad *policy.InputError
	for _, v := range []*verifier.Verified{nil, {}} {
		if _, err := policy.NewInput(v, request("/srv/a.sh.asc")); !errors.As(err, &bad) {
			t.Errorf("a runbook that nobody verified gives %v", err)
		}
	}
	if _, err := policy.NewReportInput(nil, request("/srv/a.sh.asc")); !errors.As(err, &bad) {
		t.Errorf("no report gives %v", err)
	}
}

func TestNewInputKeepsNothingOfTheCaller(t *testing.T) {
	t.Parallel()
	r := request("/srv/a.sh.asc", policy.Argument{Value: "x"})
	r.Worker.Labels = map[string]string{"env": "test"}
	in, err := policy.NewInput(verified(t, "a.sh.asc", aliceKey), r)
	if err != nil {
		t.Fatal(err)
	}
	r.Caller.Groups[0], r.Worker.Labels["env"], r.Arguments[0].Value = "os-group:root", "prod", "y"
	if in.Caller.Groups[0] != "os-group:wheel" || in.Worker.Labels["env"] != "test" || in.Parameters["1"] != "x" {
		t.Errorf("the input changed with the request: %+v", in)
	}
}

func TestOversizedFactsAreDenied(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule)
	for name, change := range map[string]func(*policy.Input){
		"signatures":    func(in *policy.Input) { in.Signatures = make([]policy.Signature, 65) },
		"findings":      func(in *policy.Input) { in.Findings = make([]policy.Finding, 1_001) },
		"a subject":     func(in *policy.Input) { in.Signatures[0].Signer.Display = strings.Repeat("x", 5_000) },
		"identities":    func(in *policy.Input) { in.Signatures[0].Signer.IDs = make([]string, 17) },
		"groups":        func(in *policy.Input) { in.Caller.Groups = make([]string, 10_001) },
		"a parameter":   func(in *policy.Input) { in.Parameters["Service"] = strings.Repeat("x", policy.MaxArgument+1) },
		"an approval":   func(in *policy.Input) { in.Approvals = []policy.Approval{{Type: "x"}} },
		"a version":     func(in *policy.Input) { in.Version = "writ.input/v2" },
		"a time":        func(in *policy.Input) { in.NowNS = -1 },
		"a path":        func(in *policy.Input) { in.Runbook.Path = "/srv/runbooks/../runbooks/restart.sh" },
		"a name odd":    func(in *policy.Input) { in.Parameters["*"] = "x" },
		"a size":        func(in *policy.Input) { in.Runbook.Size = -1 },
		"a caller's id": func(in *policy.Input) { in.Caller.ID = "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := good()
			change(&in)
			mustDeny(t, e.Decide(t.Context(), in), policy.CodeInputInvalid)
		})
	}
}

// validator is the one that OPA carries.
var validator = sync.OnceValues(func() (rego.PreparedEvalQuery, error) {
	caps := ast.CapabilitiesForThisVersion()
	caps.AllowNet = []string{}
	return rego.New(
		rego.Query(`[ok, errors] := json.match_schema(input.doc, input.schema)`), rego.Capabilities(caps), rego.StrictBuiltinErrors(true),
	).PrepareForEval(context.Background())
})

// matches validates doc by a schema; "" if it is in order.
func matches(t testing.TB, schema, doc []byte) string {
	t.Helper()
	query, err := validator()
	if err != nil {
		t.Fatal(err)
	}
	results, err := query.Eval(t.Context(), rego.EvalInput(map[string]any{"schema": string(schema), "doc": string(doc)}))
	if err != nil || len(results) != 1 {
		t.Fatalf("%v %v", results, err)
	}
	if results[0].Bindings["ok"] == true {
		return ""
	}
	text, err := json.Marshal(results[0].Bindings["errors"])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// mustMatch validates a question and its answer by their published schemas.
func mustMatch(t testing.TB, in policy.Input, d policy.Decision) {
	t.Helper()
	if bad := matches(t, policy.DecisionSchema(), []byte(encoded(t, d))); bad != "" {
		t.Errorf("the decision does not match its schema: %s", bad)
	}
	if codes(d.Deny) == policy.CodeInputInvalid {
		return
	}
	if bad := matches(t, policy.InputSchema(), []byte(encoded(t, in))); bad != "" {
		t.Errorf("the input does not match its schema, and is not refused: %s", bad)
	}
}

func TestDocumentsMatchTheirSchemas(t *testing.T) {
	t.Parallel()
	e := engine(t, wholeGrants)
	made, err := policy.NewInput(verified(t, "restart.sh.asc", aliceKey), request("/srv/restart.sh.asc", policy.Argument{Name: "Name", Value: "x"}))
	if err != nil {
		t.Fatal(err)
	}
	unsigned := good()
	unsigned.Runbook.Verdict, unsigned.Signatures = "unsigned", []policy.Signature{}
	inside := good()
	inside.Signatures = append(inside.Signatures, nested(signature("untrusted", bobKey)))
	for _, in := range []policy.Input{made, good(), unsigned, inside} {
		for _, encode := range []func() ([]byte, error){
			func() ([]byte, error) { return json.Marshal(in) },
			func() ([]byte, error) { return e.Document(in) },
		} {
			data, err := encode()
			if err != nil {
				t.Fatal(err)
			}
			if bad := matches(t, policy.InputSchema(), data); bad != "" {
				t.Errorf("%s\n%s", bad, data)
			}
		}
		data, err := json.Marshal(engine(t, peopleYAML+restartRule).Decide(t.Context(), in))
		if err != nil {
			t.Fatal(err)
		}
		if bad := matches(t, policy.DecisionSchema(), data); bad != "" {
			t.Errorf("%s\n%s", bad, data)
		}
	}
	for _, odd := range []string{`{}`, `{"version":"writ.decision/v1","allow":false,"mode":"enforce","deny":[],"warn":[],"rules":[],"obligations":{"timeout_s":0,"env":[]},"policy":{"sha256":""},"runbook":""}`} {
		if matches(t, policy.DecisionSchema(), []byte(odd)) == "" {
			t.Errorf("the schema accepts %s", odd)
		}
	}
	zero, err := json.Marshal(policy.Decision{})
	if err != nil || strings.Contains(string(zero), "null") {
		t.Errorf("the zero decision is %s, %v", zero, err)
	}
}
