package policy_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/policy"
)

const secretRule = `rules:
  - name: deploy
    match: {paths: ["/srv/runbooks/*.sh"]}
    workers: {groups: [web]}
    signed_by: {groups: [release]}
    requested_by: {anyone: true}
    parameters:
      Service: {type: string}
      Password: {pattern: "hunter[0-9]", secret: true}
      Pin: {type: int, range: {min: 1000, max: 9999}, secret: true}
      Choice: {enum: [hunter2, hunter3], secret: true}
`

const hunter = "hunter2\"and\\more"

// nowhere fails if a value stands in what would be recorded or shown.
func nowhere(t *testing.T, value string, shown ...any) {
	t.Helper()
	for _, v := range shown {
		text := encoded(t, v)
		quoted := encoded(t, value)
		if strings.Contains(text, value) || strings.Contains(text, quoted[1:len(quoted)-1]) || strings.Contains(text, "hunter") {
			t.Errorf("it is told: %s", text)
		}
	}
}

func TestASecretIsNeitherRecordedNorExplainedNorHinted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		parameter, value string
		rego             []policy.File
		deny             string
		hidden           bool
	}{
		"where the rule holds":              {"Password", "hunter2", nil, "", true},
		"where the pattern does not fit":    {"Password", hunter, nil, "parameter-pattern", true},
		"where no range fits":               {"Pin", "99999", nil, "parameter-range", true},
		"where none of the list fits":       {"Choice", "hunter9", nil, "parameter-enum", true},
		"where its name is in another case": {"PASSWORD", hunter, nil, "parameter-unknown", true},
		"where a rule of the user tells it": {"Password", hunter, []policy.File{user(`deny contains sprintf("told: %s", [input.parameters.Password]) if true
warn contains {"msg": sprintf("told %q", [input.parameters.Password]), "hint": input.parameters.Password} if true`)}, "user-deny parameter-pattern", true},
		"where a rule of the user tells it as JSON": {"Password", "hunter<2&\u00e9>", []policy.File{user(`deny contains json.marshal(input.parameters) if true
warn contains sprintf("%v", [[input.parameters]]) if true`)}, "user-deny parameter-pattern", true},
		"where an error of the policy does":  {"Password", hunter, []policy.File{user(`deny contains "x" if to_number(input.parameters.Password) == 1`)}, "policy-error", true},
		"where no rule is about the runbook": {"password", hunter, nil, "no-rule-matches", true},
		"what is no secret is recorded":      {"Service", "nginx", nil, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := engine(t, peopleYAML+secretRule, c.rego...)
			in := good()
			in.Parameters = map[string]string{c.parameter: c.value}
			if c.deny == "no-rule-matches" {
				in.Runbook.Path = "/elsewhere/restart.sh"
			}
			d := e.Decide(t.Context(), in)
			if c.deny == "" {
				mustAllow(t, d)
			} else {
				mustDeny(t, d, c.deny)
			}
			recorded := d.Redact(in)
			x, _ := e.ExplainSteps(t.Context(), in)
			if !c.hidden {
				if recorded.Parameters[c.parameter] != c.value || x.Input.Parameters[c.parameter] != c.value || len(recorded.Redacted) > 0 {
					t.Errorf("%+v", recorded)
				}
				return
			}
			nowhere(t, c.value, d, recorded, x)
			if !slices.Equal(recorded.Redacted, []string{c.parameter}) || !slices.Equal(x.Input.Redacted, recorded.Redacted) {
				t.Errorf("redacted %v, explained %v", recorded.Redacted, x.Input.Redacted)
			}
			if in.Parameters[c.parameter] != c.value {
				t.Error("the input itself was changed")
			}
		})
	}
}

func TestAnErrorOfAnExplanationTellsNoSecret(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+secretRule, user(`deny contains "x" if to_number(input.parameters.Password) == 1`))
	in := good()
	in.Parameters = map[string]string{"Password": hunter}
	if _, err := e.Explain(t.Context(), in); err == nil || strings.Contains(err.Error(), "hunter") {
		t.Errorf("got %v", err)
	}
	open := engine(t, peopleYAML+restartRule, user(`deny contains "x" if to_number(input.parameters.Service) == 1`))
	if _, err := open.Explain(t.Context(), good()); err == nil || !strings.Contains(err.Error(), "nginx") {
		t.Errorf("without a secret: %v", err)
	}
}

func TestASecretOfEveryPosition(t *testing.T) {
	t.Parallel()
	rules := strings.Replace(secretRule, "Pin: {", `"*": {`, 1)
	e := engine(t, peopleYAML+rules)
	in := good()
	in.Parameters = map[string]string{"1": "1234", "2": "5678", "Service": "nginx"}
	d := e.Decide(t.Context(), in)
	mustAllow(t, d)
	want := map[string]string{"1": "", "2": "", "Service": "nginx"}
	if r := d.Redact(in); !cmp.Equal(r.Parameters, want) || !slices.Equal(r.Redacted, []string{"1", "2"}) {
		t.Errorf("%+v", r)
	}
	in.Runbook.Path = "/elsewhere/restart.sh" // where positions mean something else
	if r := e.Decide(t.Context(), in).Redact(in); len(r.Redacted) > 0 {
		t.Errorf("%+v", r)
	}
	one := engine(t, peopleYAML+strings.Replace(rules, `"*": {`, `"1": {`, 1)+strings.NewReplacer("rules:\n", "", "name: deploy", "name: other").Replace(strings.Replace(rules, `"*": {`, `"1": {`, 1)))
	in = good()
	in.Parameters = map[string]string{"1": "1234", "2": "5678"}
	if r := one.Decide(t.Context(), in).Redact(in); !slices.Equal(r.Redacted, []string{"1"}) {
		t.Errorf("%+v", r)
	}
}

// Of two secrets one may be the beginning of the other.
func TestASecretThatBeginsAnotherLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+secretRule, user(`deny contains concat(" ", [input.parameters.Password, input.parameters.Choice]) if true`))
	in := good()
	in.Parameters = map[string]string{"Password": "hunter2", "Choice": "hunter2-and-more", "Pin": ""}
	d := e.Decide(t.Context(), in)
	for _, r := range d.Deny {
		if strings.Contains(r.Msg, "more") || r.Code == "user-deny" && r.Msg != "*** ***" {
			t.Errorf("%+v", r)
		}
	}
}

// Whoever did not ask the policy does not know what is secret.
func TestWithoutAPolicyEveryValueIsLeftOut(t *testing.T) {
	t.Parallel()
	in := good()
	broken := newRows(t, peopleYAML+restartRule)
	failing := rowsEngine(t, broken)
	broken.fails = "person"
	odd := good()
	odd.Version = ""
	e := engine(t, peopleYAML+restartRule)
	for name, d := range map[string]policy.Decision{
		"the zero decision": {}, "a decision made by hand": {Allow: true}, "no engine": (*policy.Engine)(nil).Decide(t.Context(), in),
		"rows that fail": failing.Decide(t.Context(), in), "an input that is none": e.Decide(t.Context(), odd),
	} {
		if r := d.Redact(in); r.Parameters["Service"] != "" || !slices.Equal(r.Redacted, []string{"Service"}) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r := e.Decide(t.Context(), in).Redact(in); r.Parameters["Service"] != "nginx" {
		t.Errorf("%+v", r)
	}
	var decoded policy.Decision
	if err := json.Unmarshal([]byte(encoded(t, e.Decide(t.Context(), in))), &decoded); err != nil || decoded.Redact(in).Parameters["Service"] != "" {
		t.Errorf("%v: a decoded decision tells", err)
	}
}

func TestARecordWithoutItsSecretsIsReadAndNotDecidedAgain(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+secretRule)
	in := good()
	in.Parameters = map[string]string{"Password": "hunter2", "Service": "nginx", "Pin": "1234"}
	recorded := e.Decide(t.Context(), in).Redact(in)
	text := encoded(t, recorded)
	if bad := matches(t, policy.InputSchema(), []byte(text)); bad != "" {
		t.Errorf("%s\n%s", bad, text)
	}
	decoded, err := policy.DecodeInput([]byte(text))
	if err != nil || !slices.Equal(decoded.Redacted, []string{"Password", "Pin"}) {
		t.Fatalf("%v: %+v", err, decoded.Redacted)
	}
	d := e.Decide(t.Context(), decoded)
	mustDeny(t, d, policy.CodeInputInvalid)
	if r := d.Redact(decoded); !slices.Equal(r.Redacted, []string{"Password", "Pin", "Service"}) {
		t.Errorf("%v", r.Redacted)
	}
	if _, err := e.Explain(t.Context(), decoded); err == nil {
		t.Error("it is explained")
	}
	for name, change := range map[string]func(*policy.Input){
		"a parameter that was not given":      func(in *policy.Input) { in.Redacted = []string{"Other"} },
		"a parameter that has its value":      func(in *policy.Input) { in.Redacted = []string{"Service"} },
		"a parameter twice":                   func(in *policy.Input) { in.Redacted = []string{"Pin", "Pin"} },
		"parameters in an order of their own": func(in *policy.Input) { in.Redacted = []string{"Pin", "Password"} },
	} {
		changed := recorded
		change(&changed)
		var bad *policy.InputError
		if _, err := policy.DecodeInput([]byte(encoded(t, changed))); !errors.As(err, &bad) || bad.Field != "redacted" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSecretsOfRowsThatCannotBeReadDeny(t *testing.T) {
	t.Parallel()
	r := newRows(t, peopleYAML+strings.Replace(secretRule, "Pin: {", `"1": {`, 1))
	e := rowsEngine(t, r)
	r.fails = "secret"
	in := good()
	d := e.Decide(t.Context(), in)
	mustDeny(t, d, "policy-error")
	if d.Redact(in).Parameters["Service"] != "" {
		t.Error("what may be secret is told")
	}
}

// TestAPermitSaysWhichParametersAreSecret: by name, in any case of letters, and by position;
// a denial says nothing of the kind.
func TestAPermitSaysWhichParametersAreSecret(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+strings.Replace(secretRule, "Choice: {", `"2": {`, 1))
	in, err := policy.NewInput(verified(t, "restart.sh", aliceKey), request("/srv/runbooks/restart.sh",
		policy.Argument{Name: "Password", Value: "hunter2"}, policy.Argument{Name: "Service", Value: "nginx"}, policy.Argument{Value: "one"}, policy.Argument{Value: "hunter3"}))
	if err != nil {
		t.Fatal(err)
	}
	permit, err := e.Decide(t.Context(), in).Permit()
	if err == nil {
		t.Fatal("the first position is not named by the rule")
	}
	if permit != nil {
		t.Error("a denial carries a permit")
	}
	e = engine(t, peopleYAML+strings.Replace(secretRule, "Choice: {", "\"1\": {type: string}\n      \"2\": {", 1))
	d := e.Decide(t.Context(), in)
	if permit, err = d.Permit(); err != nil {
		t.Fatal(d.Deny)
	}
	for name, secret := range map[string]bool{"Password": true, "Service": false, "1": false, "2": true, "3": false, "Pin": false} {
		if permit.Secret(name) != secret {
			t.Errorf("%s: %v", name, permit.Secret(name))
		}
	}
}
