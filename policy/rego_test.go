package policy_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/runwrit/writ/policy"
)

func user(text string) policy.File {
	return policy.File{Name: "user.rego", Data: []byte("package writ.user\n\n" + text)}
}

func TestUserRulesAddDenyAndWarn(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule,
		user(`deny contains "no restarts on this worker" if input.worker.id == "w1"`),
		policy.File{Name: "notes.rego", Data: []byte(`package writ.user.notes
warn contains {"code": "old-key", "msg": "the key is old", "hint": "make a new one"} if count(input.signatures) == 1
deny contains {"code": "own-work", "msg": "nobody runs what they signed"} if {
	some s in input.grants.signers
	s.person == input.grants.requester.person
}`)})
	d := e.Decide(t.Context(), good())
	mustDeny(t, d, "user-deny")
	if d.Deny[0].Rule != "writ.user" || codes(d.Warn) != "old-key" || d.Warn[0].Rule != "writ.user.notes" {
		t.Errorf("deny %+v, warn %+v", d.Deny, d.Warn)
	}
	in := good()
	in.Worker.ID, in.Caller.ID = "w2", "os:alice"
	mustDeny(t, e.Decide(t.Context(), in), "own-work")
	in.Caller.ID = "os:bob"
	if d := e.Decide(t.Context(), in); !d.Allow || codes(d.Warn) != "old-key" {
		t.Errorf("deny %+v, warn %+v", d.Deny, d.Warn)
	}
}

// Each of these is a way in which a gate of others let something through or
// stood still; here each ends in a denial.
func TestUserRulesThatFailDeny(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, deny string }{
		{"a builtin that fails inside a deny denies", `deny contains "x" if to_number(input.worker.id) > 3`, "policy-error"},
		{"a pattern that is none denies", `deny contains "x" if regex.match(input.worker.id + "(", "x")`, "load"},
		{"a pattern from the input that is none denies", `deny contains "x" if regex.match(concat("", [input.worker.id, "("]), "x")`, "policy-error"},
		{"a number as reason denies", `deny contains 1 if true`, "policy-error"},
		{"an object without msg denies", `deny contains {"code": "x"} if true`, "policy-error"},
		{"an object with a field too many denies", `deny contains {"msg": "x", "severity": "low"} if true`, "policy-error"},
		{"an odd code denies", `deny contains {"msg": "x", "code": "Not A Code"} if true`, "policy-error"},
		{"a forged rule name denies", `deny contains {"msg": "x", "rule": "restart"} if true`, "policy-error"},
		{"a warning of an odd shape denies", `warn contains {"text": "x"} if true`, "policy-error"},
		{"an empty text as reason denies", `deny contains "" if true`, "policy-error"},
		{"values in conflict deny", "deny contains \"x\" if f == 1\n\nf := 1 if input.version\n\nf := 2 if input.now_ns > 0", "policy-error"},
		{"a huge answer denies", `deny contains msg if {
	some a in split("a,b,c,d,e,f,g,h,i,j", ",")
	some b in split("a,b,c,d,e,f,g,h,i,j", ",")
	some c in split("a,b,c", ",")
	msg := concat("", [a, b, c])
}`, "policy-error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, err := policy.New(policy.Source{Grants: []byte(peopleYAML + restartRule), Rego: []policy.File{user(tt.text)}})
			if tt.deny == "load" {
				if err == nil {
					t.Error("it was loaded")
				}
				return
			}
			if err != nil {
				t.Fatal(problems(err))
			}
			mustDeny(t, e.Patient().Decide(t.Context(), good()), tt.deny)
		})
	}
}

func TestUserRuleThatLoopsIsStoppedAndDenies(t *testing.T) {
	t.Parallel()
	letters := `split("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z", ",")`
	e := engine(t, peopleYAML+restartRule, user("l := "+letters+`

deny contains "found" if {
	some a in l
	some b in l
	some c in l
	some d in l
	some e in l
	some f in l
	concat("", [a, b, c, d, e, f]) == "never!"
}`))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	mustDeny(t, e.Decide(ctx, good()), policy.CodePolicyError)
}

func TestUserFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, file, text, want string }{
		{"another package, as a mistyped namespace", "a.rego", "package main\ndeny contains \"x\" if true", "want package writ.user"},
		{"the package of the library", "a.rego", "package writ.gate\nallow := true", "want package writ.user"},
		{"the package that collects", "a.rego", "package writ.users\nresults := {}", "want package writ.user"},
		{"the package above", "a.rego", "package writ\ndeny contains \"x\" if true", "want package writ.user"},
		{"a package with a quoted part", "a.rego", "package writ.user[\"x-y\"]\ndeny contains \"x\" if true", "want package writ.user"},
		{"a package of OPA", "a.rego", "package system.authz\nallow := true", "want package writ.user"},
		{"a rule that allows", "a.rego", "package writ.user\nallow if true\ndeny contains \"x\" if false", "only the rules of grants.yaml allow"},
		{"a deny that is one value", "a.rego", "package writ.user\ndeny := \"x\" if true", "must be a set"},
		{"a deny that is an object", "a.rego", "package writ.user\ndeny.x := \"y\" if true", "must be a set"},
		{"a deny that is true", "a.rego", "package writ.user\ndeny if true", "must be a set"},
		{"a deny that is a function", "a.rego", "package writ.user\ndeny(x) := x", "must be a set"},
		{"a default deny", "a.rego", "package writ.user\ndefault deny := set()", "must be a set"},
		{"a misspelled deny", "a.rego", "package writ.user\nden contains \"x\" if true", "did you mean deny or warn"},
		{"the name that conftest reads", "a.rego", "package writ.user\nviolation contains \"x\" if true", "did you mean deny or warn"},
		{"a package without answers", "a.rego", "package writ.user.x\nhelper := 1", "neither deny nor warn"},
		{"a deny among helpers", "a.rego", "package writ.user.lib\ndeny contains \"x\" if true", "never read"},
		{"http.send", "a.rego", "package writ.user\ndeny contains \"x\" if http.send({\"method\": \"get\", \"url\": \"http://localhost\"})", "undefined function http.send"},
		{"opa.runtime", "a.rego", "package writ.user\ndeny contains \"x\" if opa.runtime().env", "undefined function opa.runtime"},
		{"the clock of the machine", "a.rego", "package writ.user\ndeny contains \"x\" if time.now_ns() > 1", "undefined function time.now_ns"},
		{"random numbers", "a.rego", "package writ.user\ndeny contains \"x\" if rand.intn(\"a\", 2) > 0", "undefined function rand.intn"},
		{"schemas, which fetch", "a.rego", "package writ.user\ndeny contains \"x\" if json.match_schema(1, {})", "undefined function json.match_schema"},
		{"names of hosts", "a.rego", "package writ.user\ndeny contains \"x\" if net.lookup_ip_addr(\"localhost\")", "undefined function net.lookup_ip_addr"},
		{"ranges of numbers", "a.rego", "package writ.user\ndeny contains \"x\" if numbers.range(1, 1000000000)", "undefined function numbers.range"},
		{"a recursion through the library", "a.rego", "package writ.user\ndeny contains \"x\" if data.writ.gate.decision", "recursive"},
		{"old syntax", "a.rego", "package writ.user\ndeny[x] { x := 1 }", "rego_parse_error"},
		{"an unused variable", "a.rego", "package writ.user\ndeny contains \"x\" if { y := 1 }", "unused"},
		{"a misspelled field of the input", "a.rego", "package writ.user\ndeny contains \"x\" if input.worker.groups == \"db\"", "undefined ref: input.worker.groups"},
		{"a field of the input that is not there", "a.rego", "package writ.user\ndeny contains \"x\" if not input.ticket.approved", "undefined ref: input.ticket"},
		{"a misspelled helper", "a.rego", "package writ.user\nhelpers.prod if input.worker.group == \"web\"\ndeny contains \"x\" if not data.writ.user.helpers.prd", `a.rego:3:1: data.writ.user.helpers.prd is defined by no file, and there is no other data; did you mean "prod"?`},
		{"data of nobody", "a.rego", "package writ.user\nimport data.config\ndeny contains \"x\" if config[input.worker.group]", "data.config is defined by no file, and there is no other data"},
		{"a place in a package", "a.rego", "package writ.user\ndeny contains \"x\" if data.writ.user[1]", "data.writ.user[1] is defined by no file"},
		{"an empty file", "a.rego", "", "empty"},
		{"a file that is no text", "a.rego", "\xff\xfe\x00", "a.rego"},
		{"a file of another type", "a.json", "{}", "ends in .rego"},
		{"a file in a folder", "../a.rego", "package writ.user\ndeny contains \"x\" if true", "plain file name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := policy.New(policy.Source{Grants: []byte(peopleYAML + restartRule), Rego: []policy.File{{Name: tt.file, Data: []byte(tt.text)}}})
			if err == nil {
				t.Fatal("it was loaded")
			}
			if got := problems(err); !strings.Contains(got, tt.want) || !strings.Contains(got, tt.file) {
				t.Errorf("%s\nwant %q and the name of the file", got, tt.want)
			}
		})
	}
}

func TestUserRulesReferToEachOther(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule,
		policy.File{Name: "lib.rego", Data: []byte("package writ.user.lib\n\nhours.night := [22, 23]\n\nteams[name] := true if some name in [\"web\"]\n\nlate(h) if h in hours.night\n")},
		user(`import data.writ.user.lib

deny contains sprintf("%d", [h]) if {
	some h in data.writ.user.lib.hours[_]
	lib.late(h)
	lib.teams[input.worker.group]
	lib.teams.web
	count(data.writ.user.lib.hours) > 0
	not data.writ.gate.signature_valid
}`))
	in := good()
	in.Runbook.Verdict = "tampered"
	mustDeny(t, e.Decide(t.Context(), in), "signature-not-valid user-deny user-deny")
}

// A denial of the user that takes the code of a hard check does not stand for it.
func TestACodeOfTheUserDoesNotHideAHardCheck(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule, user(`deny contains {"code": "clock", "msg": "nothing to see here"} if true`))
	in := good()
	mustDeny(t, e.Decide(t.Context(), in), "clock")
	in.LastRecordNS = in.NowNS + 1
	d := e.Decide(t.Context(), in)
	mustDeny(t, d, "clock clock")
	if last := d.Deny[len(d.Deny)-1]; last.Rule != "writ/engine" || !strings.Contains(last.Msg, "the last record of the ledger") {
		t.Errorf("%+v", d.Deny)
	}
}

func TestAFolderThatIsNotThereHasNoProblems(t *testing.T) {
	t.Parallel()
	found, err := policy.Check(filepath.Join(t.TempDir(), "policy"), policy.LoadOptions{})
	var bad *policy.FolderError
	if len(found) > 0 || !errors.As(err, &bad) {
		t.Errorf("%v, %v", found, err)
	}
}

// What only an explanation reads is checked, too.
func TestBrokenMetadataIsAProblemOfThePolicy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"good":      {"# METADATA\n# title: On call\npackage writ.user\n\ndeny contains \"x\" if false\n", ""},
		"not yaml":  {"# METADATA\n# title: [On call\npackage writ.user\n\ndeny contains \"x\" if false\n", "user.rego:2:1: rego_parse_error"},
		"no schema": {"package writ.user\n\n# METADATA\n# schemas:\n# - input: schema.mine\ndeny contains \"x\" if input.mine\n", "user.rego:6"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range map[string]string{"grants.yaml": peopleYAML + restartRule, "user.rego": c.text} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			found, err := policy.Check(dir, policy.LoadOptions{})
			if err != nil || (len(found) == 0) != (c.want == "") {
				t.Fatalf("%v, %v", found, err)
			}
			if c.want != "" && !strings.HasPrefix(found[0].Error(), c.want) {
				t.Errorf("%v, want %s", found[0], c.want)
			}
		})
	}
}

func TestUserRuleCannotMockWhatTheLibraryReads(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule, user(`lifted if data.writ.user.other with input as {"runbook": {"verdict": "valid"}}

other := true

deny contains "x" if not lifted`))
	in := good()
	in.Runbook.Verdict = "tampered"
	mustDeny(t, e.Decide(t.Context(), in), "signature-not-valid")
}

// The answers of peers that were taken for a yes: AWX runs a job on
// allowed=false without violations.
func TestOddDecisionDocumentsDeny(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule)
	type object = map[string]any
	none := []any{}
	whole := func(change func(object)) object {
		o := object{"allow": true, "deny": none, "exemptions": []any{}, "glass": []any{}, "glass_approvers": []any{}, "lifted": []any{}, "rules": []any{"restart"}, "user": object{}}
		change(o)
		return o
	}
	if d := e.DecideOnDocument(good(), whole(func(object) {})); !d.Allow {
		t.Fatalf("the whole document is denied: %+v", d.Deny)
	}
	tests := []struct {
		name string
		doc  any
		code string
	}{
		{"allow false without reasons", whole(func(o object) { o["allow"] = false }), "unspecified"},
		{"allow without a rule", whole(func(o object) { o["rules"] = none }), "policy-error"},
		{"allow by a rule that does not exist", whole(func(o object) { o["rules"] = []any{"root"} }), "policy-error"},
		{"allow by a rule twice", whole(func(o object) { o["rules"] = []any{"restart", "restart"} }), "policy-error"},
		{"allow and deny at once", whole(func(o object) {
			o["deny"] = []any{object{"code": "x", "msg": "x", "hint": "", "rule": "x"}}
		}), "policy-error"},
		{"allow as a text", whole(func(o object) { o["allow"] = "true" }), "policy-error"},
		{"allow as a number", whole(func(o object) { o["allow"] = 1 }), "policy-error"},
		{"allow missing", whole(func(o object) { delete(o, "allow") }), "policy-error"},
		{"deny missing", whole(func(o object) { delete(o, "deny") }), "policy-error"},
		{"deny null", whole(func(o object) { o["deny"] = nil }), "policy-error"},
		{"an unknown field", whole(func(o object) { o["override"] = true }), "policy-error"},
		{"an unknown field in place of one", whole(func(o object) { delete(o, "user"); o["override"] = true }), "policy-error"},
		{"user answers that are null", whole(func(o object) { o["user"] = object{"writ.user": nil} }), "policy-error"},
		{"user answers of an unknown name", whole(func(o object) { o["user"] = object{"writ.user": object{"allow": []any{"x"}}} }), "policy-error"},
		{"only true", true, "policy-error"},
		{"nothing", nil, "policy-error"},
		{"a list", []any{}, "policy-error"},
		{"an empty object", object{}, "policy-error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mustDeny(t, e.DecideOnDocument(good(), tt.doc), tt.code)
		})
	}
}

func TestHardChecksHoldWithoutTheLibrary(t *testing.T) {
	t.Parallel()
	doc := map[string]any{"allow": true, "deny": []any{}, "exemptions": []any{}, "glass": []any{}, "glass_approvers": []any{}, "lifted": []any{}, "rules": []any{"restart"}, "user": map[string]any{}}
	e := engine(t, peopleYAML+restartRule+"denied: [{sha256: "+good().Runbook.PayloadSHA256.String()+", reason: stolen}]\n")
	mustDeny(t, e.DecideOnDocument(good(), doc), "denied-digest")
	in := good()
	in.Runbook.Verdict = "expired"
	mustDeny(t, e.DecideOnDocument(in, doc), "signature-not-valid denied-digest")
}

func TestAllowedBuiltinsExistAndDoNothingElse(t *testing.T) {
	t.Parallel()
	known := map[string]*ast.Builtin{}
	for _, b := range ast.CapabilitiesForThisVersion().Builtins {
		known[b.Name] = b
	}
	for _, name := range policy.AllowedBuiltins {
		b := known[name]
		if b == nil {
			t.Errorf("%s is no builtin of this OPA", name)
			continue
		}
		if b.Nondeterministic {
			t.Errorf("%s does not only compute", name)
		}
	}
	for _, banned := range []string{"http.send", "opa.runtime", "time.now_ns", "rand.intn", "uuid.rfc4122", "net.lookup_ip_addr", "json.match_schema", "json.verify_schema", "trace", "print", "rego.parse_module"} {
		if slices.Contains(policy.AllowedBuiltins, banned) {
			t.Errorf("%s is allowed", banned)
		}
	}
}

func TestEveryReasonOfTheLibraryHasALabelledRule(t *testing.T) {
	t.Parallel()
	text := policy.LibraryText()
	rules := strings.Count(text, "\ndeny contains reason") + strings.Count(text, "\nlacks[rule.name] contains")
	if labels := strings.Count(text, "# labels: {id: writ/"); labels != rules || rules < 10 {
		t.Errorf("%d labels for %d rules", labels, rules)
	}
	var bad *policy.SyntaxError
	if _, err := policy.New(policy.Source{}); !errors.As(err, &bad) {
		t.Errorf("an empty policy gives %v", err)
	}
}

// A shift by a large number takes all memory and time, and OPA cannot stop it.
func TestAShiftThatNeverEndsIsNoFunction(t *testing.T) {
	t.Parallel()
	_, err := policy.New(policy.Source{
		Grants: []byte(peopleYAML + restartRule),
		Rego:   []policy.File{user(`deny contains "x" if bits.lsh(1, 10000000000) == 3`)},
	})
	if err == nil || !strings.Contains(err.Error(), "undefined function bits.lsh") {
		t.Errorf("got %v", err)
	}
}

func TestARuleThatNeverEndsIsADenial(t *testing.T) {
	t.Parallel()
	e, err := policy.New(policy.Source{
		Grants: []byte(peopleYAML + restartRule),
		Rego: []policy.File{user(`r := [n | some n, _ in split("` + strings.Repeat("a", 200) + `", "")]
deny contains "x" if { some a in r; some b in r; some c in r; some d in r; a + b + c + d == -1 }`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	d := e.Decide(t.Context(), good()) // nobody but the engine itself bounds it
	if d.Allow || len(d.Deny) != 1 || d.Deny[0].Code != "policy-error" || !strings.Contains(d.Deny[0].Msg, "in time") {
		t.Errorf("got %+v", d)
	}
}

// It reads like a denial, and nobody would ever ask for it.
func TestADenyBelowAnotherNameIsRefused(t *testing.T) {
	t.Parallel()
	_, err := policy.New(policy.Source{
		Grants: []byte(peopleYAML + restartRule),
		Rego:   []policy.File{user("deny contains \"x\" if false\n\nfreeze.deny contains \"y\" if true")},
	})
	if err == nil || !strings.Contains(err.Error(), "freeze.deny is never read") {
		t.Errorf("got %v", err)
	}
}
