package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/policy"
)

func countRule(about string) string {
	return peopleYAML + strings.Replace(restartRule, "Count: {type: int}", "Count: "+about, 1)
}

func TestANumberMustBeWithinItsRange(t *testing.T) {
	t.Parallel()
	const ten = "{type: int, range: {min: 1, max: 10}}"
	const part = "{type: number, range: {min: -1.5, max: 0.1}}"
	for name, c := range map[string]struct{ about, value, deny string }{
		"in the middle":                       {ten, "5", ""},
		"the lowest":                          {ten, "1", ""},
		"the highest":                         {ten, "10", ""},
		"below it":                            {ten, "0", "parameter-range"},
		"above it":                            {ten, "11", "parameter-range"},
		"numbers, not texts":                  {ten, "9", ""},
		"far above it":                        {ten, "999999999999999999", "parameter-range"},
		"a negative one":                      {ten, "-5", "parameter-range"},
		"no number":                           {ten, "five", "parameter-range parameter-type"},
		"a number with too many digits":       {ten, "9999999999999999999", "parameter-range parameter-type"},
		"a part of a number":                  {ten, "5.5", "parameter-type"},
		"only a lowest":                       {"{type: int, range: {min: 3}}", "999", ""},
		"below the only bound":                {"{type: int, range: {min: 3}}", "2", "parameter-range"},
		"only a highest":                      {"{type: int, range: {max: 3}}", "-999", ""},
		"above the only bound":                {"{type: int, range: {max: 3}}", "4", "parameter-range"},
		"no number, with only a highest":      {"{type: int, range: {max: 3}}", "x", "parameter-range parameter-type"},
		"the lowest part":                     {part, "-1.5", ""},
		"the lowest part, written longer":     {part, "-1.500000000000000000", ""},
		"a little below the lowest part":      {part, "-1.500000000000000001", "parameter-range"},
		"a little above the lowest part":      {part, "-1.499999999999999999", ""},
		"between zero and the lowest":         {part, "-0.999999999999999999", ""},
		"minus zero":                          {part, "-0", ""},
		"the highest part":                    {part, "0.1", ""},
		"a little above the highest part":     {part, "0.100000000000000001", "parameter-range"},
		"more digits than floating point has": {"{type: number, range: {max: 999999999999999999}}", "999999999999999999.000000000000000001", "parameter-range"},
		"a bound with all digits":             {"{type: number, range: {max: 999999999999999999}}", "999999999999999999", ""},
		"another number with all digits":      {"{type: int, range: {min: 999999999999999998}}", "999999999999999997", "parameter-range"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := good()
			in.Parameters["Count"] = c.value
			d := engine(t, countRule(c.about)).Decide(t.Context(), in)
			if c.deny == "" {
				mustAllow(t, d)
			} else {
				mustDeny(t, d, c.deny)
			}
		})
	}
}

func TestTheHintNamesTheRange(t *testing.T) {
	t.Parallel()
	for about, want := range map[string]string{
		"{min: 1, max: 10}": "want a number from 1 to 10", "{min: -2}": "want a number at least -2", "{max: -30}": "want a number at most -30",
	} {
		in := good()
		in.Parameters["Count"] = "-20"
		d := engine(t, countRule("{type: int, range: "+about+"}")).Decide(t.Context(), in)
		if len(d.Deny) != 1 || d.Deny[0].Hint != want {
			t.Errorf("%s: %+v", about, d.Deny)
		}
	}
}

func TestRangesThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	const at = "rules[0].parameters.Count.range"
	for name, c := range map[string][2]string{
		"a range of a text":       {"{type: string, range: {min: 1}}", at + ": bounds a number: give type: int"},
		"a range of no type":      {"{range: {min: 1}}", at + ": bounds a number"},
		"a range of nothing":      {"{type: int, range: {}}", at + ": bounds nothing: give min or max"},
		"a list":                  {"{type: int, range: [1, 10]}", at + ": want a mapping"},
		"an unknown key":          {"{type: int, range: {maximum: 1}}", `unknown key; `},
		"a text":                  {`{type: int, range: {min: "1"}}`, at + ".min: want a number"},
		"a part of an int":        {"{type: int, range: {min: 1.5}}", at + ".min: want a number of the parameter's type"},
		"an exponent":             {"{type: number, range: {max: 1e3}}", at + ".max: want a number"},
		"infinity":                {"{type: number, range: {max: .inf}}", at + ".max: want a number"},
		"a zero before it":        {"{type: int, range: {max: 010}}", at + ".max: want a number"},
		"a number in hexadecimal": {"{type: int, range: {max: 0x10}}", at + ".max: want a number"},
		"a number too long":       {"{type: int, range: {max: 1234567890123456789}}", at + ".max: want a number"},
		"a list of bounds":        {"{type: int, range: {max: [1]}}", at + ".max: want a number"},
		"bounds in another order": {"{type: number, range: {min: 0.2, max: 0.1}}", at + ": min is above max"},
		"secret: false":           {"{type: int, secret: false}", "rules[0].parameters.Count.secret: want true"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := grantsProblems(t, countRule(c[0])); !strings.Contains(got, c[1]) {
				t.Errorf("got:\n%s\nwant:\n%s", got, c[1])
			}
		})
	}
}

func TestARuleSaysAsWhomAndHowItIsRun(t *testing.T) {
	t.Parallel()
	rules := strings.Replace(restartRule, "timeout: 5m,", "timeout: 5m, user: svc-web, sandbox: [strict, none], tokens: [storage, vault],", 1)
	in, err := policy.NewInput(verified(t, "restart.sh", aliceKey), request("/srv/runbooks/restart.sh", policy.Argument{Name: "Service", Value: "x"}))
	if err != nil {
		t.Fatal(err)
	}
	d := engine(t, peopleYAML+rules+strings.NewReplacer("rules:\n", "", "name: restart", "name: second", "5m,", "1m, user: root,").Replace(restartRule)).Decide(t.Context(), in)
	p, err := d.Permit()
	if err != nil {
		t.Fatal(d.Deny)
	}
	o := p.Obligations()
	if o.User != "svc-web" || !cmp.Equal(o.Sandbox, []string{policy.SandboxStrict, policy.SandboxNone}) || !cmp.Equal(o.Tokens, []string{"storage", "vault"}) || o.Timeout.Minutes() != 1 {
		t.Errorf("%+v", o)
	}
	o.Tokens[0], o.Sandbox[0] = "other", "other"
	if p.Obligations().Tokens[0] != "storage" || p.Obligations().Sandbox[0] != policy.SandboxStrict {
		t.Error("the obligations share memory")
	}
	text := encoded(t, d)
	if bad := matches(t, policy.DecisionSchema(), []byte(text)); bad != "" {
		t.Errorf("%s\n%s", bad, text)
	}
	if decoded, err := policy.DecodeDecision([]byte(text)); err != nil || !cmp.Equal(decoded.Obligations, d.Obligations) {
		t.Errorf("%v: %+v", err, decoded.Obligations)
	}
	for name, c := range map[string][2]string{
		"an odd account":     {"user: svc-web", `user: "a b"`},
		"no account":         {"user: svc-web", `user: ""`},
		"an odd sandbox":     {"[strict, none]", `firm`},
		"no sandbox":         {"[strict, none]", "[]"},
		"odd sandboxes":      {"[strict, none]", "[strict, firm]"},
		"a weaker one first": {"[strict, none]", "[none, strict]"},
		"two the same":       {"[strict, none]", "[strict, strict]"},
		"a box of boxes":     {"[strict, none]", "{strict: none}"},
		"no tokens":          {"[storage, vault]", "[]"},
		"an odd token":       {"[storage, vault]", `["a b"]`},
		"a scope":            {"[storage, vault]", `["https://a.example/.default"]`},
		"any token":          {"[storage, vault]", `["*"]`},
		"a token twice":      {"[storage, vault]", `["https://a.example", "https://a.example/"]`},
		"a list of accounts": {"user: svc-web", "user: [svc-web]"},
		"an unknown key":     {"sandbox:", "sandbix:"},
	} {
		if got := grantsProblems(t, peopleYAML+strings.Replace(rules, c[0], c[1], 1)); !strings.Contains(got, "rules[0].run.") {
			t.Errorf("%s: %s", name, got)
		}
	}
}
