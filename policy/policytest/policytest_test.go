package policytest_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/examples"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/policytest"
)

const grants = `version: 1
people:
  alice: {identities: ["x509-sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "openpgp:0123456789ABCDEF0123456789ABCDEF01234567", "os:alice"]}
  bob: {identities: ["openpgp:89ABCDEF0123456789ABCDEF0123456789ABCDEF"]}
groups:
  release: {members: [alice, bob]}
  operators: {members: [alice], os_groups: [wheel]}
rules:
  - name: restart
    match: {paths: ["/srv/*.sh"], kinds: [bash]}
    workers: {groups: [web], labels: {env: test}}
    signed_by: {groups: [release], min_version: "1.4", namespace: prod}
    requested_by: {groups: [operators]}
    parameters: {Service: {pattern: "[a-z]+"}}
  - name: anything
    match: {paths: ["/any/**"]}
    workers: {any: true}
    signed_by: {people: [bob]}
    requested_by: {anyone: true}
`

const warning = "package writ.user\n\nwarn contains \"on linux\" if input.worker.os == \"linux\"\n\ndeny contains {\"code\": \"found\", \"msg\": \"x\"} if {\n\tsome f in input.findings\n\tf.code == \"bidi\"\n}\n"

const header = "version: 1\nat: \"2026-11-25T10:00:00+01:00\"\ntests:\n"

// restart is a case that the rule restart allows.
const restart = `  - name: restart
    runbook: {path: /srv/a.sh, version: "1.4", namespace: prod}
    signed_by: [alice]
    requested_by: {id: "os:dave", groups: ["os-group:wheel"]}
    worker: {group: web, labels: {env: test}}
    parameters: {Service: nginx}
    want: allow
    rules: [restart]
`

func source(tests string, rego ...string) policy.Source {
	src := policy.Source{Grants: []byte(grants)}
	if tests != "" {
		src.Tests = append(src.Tests, policy.File{Name: policy.TestsFile, Data: []byte(tests)})
	}
	for i, text := range rego {
		f := policy.File{Name: string(rune('a'+i)) + ".rego", Data: []byte(text)}
		if strings.Contains(text, "_test\n") {
			f.Name = string(rune('a'+i)) + "_test.rego"
			src.Tests = append(src.Tests, f)
		} else {
			src.Rego = append(src.Rego, f)
		}
	}
	return src
}

func run(t *testing.T, src policy.Source) *policytest.Report {
	t.Helper()
	r, err := policytest.Run(t.Context(), src, policytest.Options{})
	if err != nil {
		t.Fatal(problems(err))
	}
	return r
}

func problems(err error) string {
	var bad *policy.SyntaxError
	if !errors.As(err, &bad) {
		return err.Error()
	}
	var lines []string
	for _, p := range bad.Problems {
		lines = append(lines, p.Error())
	}
	return strings.Join(lines, "\n")
}

func TestACaseThatDecidesAsItSaysPasses(t *testing.T) {
	t.Parallel()
	r := run(t, source(header+restart))
	if len(r.Cases) != 1 || !r.Cases[0].Passed || r.Failed() != 0 || r.Policy.SHA256.IsZero() {
		t.Errorf("%+v", r)
	}
}

// Each change makes the case another one; a runner that does not look would pass it.
func TestACaseThatDecidesOtherwiseFails(t *testing.T) {
	t.Parallel()
	changes := []struct{ name, old, now, got string }{
		{"another version", `"1.4"`, `"1.3"`, "deny (version-too-old)"},
		{"no version, for a signer who could claim one", `version: "1.4", `, "", "deny (version-missing)"},
		{"another namespace", "namespace: prod", "namespace: test", "deny (namespace-not-matched)"},
		{"another path", "/srv/a.sh", "/srv/b/a.sh", "deny (no-rule-matches)"},
		{"another kind", "/srv/a.sh,", "/srv/a.sh, kind: python,", "deny (no-rule-matches)"},
		{"no signer", "    signed_by: [alice]\n", "", "deny (signature-not-valid)"},
		{"an unknown signer", "[alice]", `["openpgp:FF"]`, "deny (signer-not-allowed)"},
		{"an unknown caller", `"os-group:wheel"`, `"os-group:users"`, "deny (requester-not-allowed)"},
		{"a caller whose groups are not all known", `groups: ["os-group:wheel"]`, "groups_incomplete: true", "deny (groups-incomplete)"},
		{"no worker group", "group: web, ", "", "deny (worker-group-missing)"},
		{"another label", "env: test", "env: prod", "deny (worker-not-allowed)"},
		{"another value", "nginx", `"NGINX"`, "deny (parameter-pattern)"},
		{"an empty value", "nginx", `""`, "deny (parameter-pattern)"},
		{"another parameter", "Service:", "Servise:", "deny (parameter-unknown)"},
		{"a name that is no parameter", "Service:", "'a b':", "deny (input-invalid)"},
		{"another rule", "rules: [restart]", "rules: [anything]", "allow by restart"},
		{"a warning that was not wanted", "want: allow\n    rules: [restart]", "want: warn\n    codes: [user-warn]", "allow by restart"},
		{"a denial that was wanted", "want: allow\n    rules: [restart]", "want: deny\n    codes: [user-deny]", "allow by restart"},
	}
	text := header // all in one file: to compile a policy takes longer than to decide
	for _, c := range changes {
		if !strings.Contains(restart, c.old) {
			t.Fatalf("the case has no %q", c.old)
		}
		text += strings.Replace(strings.Replace(restart, c.old, c.now, 1), "name: restart", "name: "+c.name, 1)
	}
	r := run(t, source(text))
	for i, c := range changes {
		if got := r.Cases[i]; got.Passed || got.Got.String() != c.got || got.Name != c.name {
			t.Errorf("%s: passed %v, got %q, want %q", got.Name, got.Passed, got.Got, c.got)
		}
	}
	if r.Failed() != len(changes) {
		t.Errorf("%d of %d failed", r.Failed(), len(changes))
	}
}

func TestWarningsFindingsAndCodesThatWereNotListed(t *testing.T) {
	t.Parallel()
	warns := strings.Replace(restart, "want: allow", "want: warn\n    codes: [user-warn]", 1)
	if r := run(t, source(header+warns, warning)); !r.Cases[0].Passed {
		t.Errorf("a warning: %+v", r.Cases[0])
	}
	if r := run(t, source(header+restart, warning)); r.Cases[0].Passed || r.Cases[0].Got.String() != "warn (user-warn) by restart" {
		t.Errorf("a warning that was not listed: %+v", r.Cases[0])
	}
	denied := strings.Replace(restart, "want: allow\n    rules: [restart]", "findings: [bidi]\n    want: deny\n    codes: [user-warn, found]", 1)
	if r := run(t, source(header+denied, warning)); !r.Cases[0].Passed {
		t.Errorf("a finding: %+v", r.Cases[0])
	}
	if r := run(t, source(header+strings.Replace(denied, "user-warn, ", "", 1), warning)); r.Cases[0].Passed {
		t.Error("a code that was not listed passes")
	}
	other := strings.Replace(denied, "worker: {", "worker: {os: windows, id: w7, ", 1)
	if r := run(t, source(header+strings.Replace(other, "user-warn, ", "", 1), warning)); !r.Cases[0].Passed {
		t.Errorf("another system: %+v", r.Cases[0])
	}
}

func TestTestsInRegoRunBesideThePolicy(t *testing.T) {
	t.Parallel()
	r := run(t, source("", warning, `package writ.user_test

import data.writ.user

test_warns if count(user.warn) == 1 with input.worker.os as "linux"

test_is_wrong if {
	print("os is", input.worker.os)
	count(user.warn) == 1
}

test_fails if to_number("x") == 1

todo_test_later if true

test_each[name] if {
	some name, os in {"l": "linux", "w": "windows"}
	count(user.warn) == 1 with input.worker.os as os
}
`))
	got := map[string]string{}
	for _, c := range r.Rego {
		got[c.Name] = strings.TrimSpace(map[bool]string{true: "passed "}[c.Passed] + c.Detail)
		if c.File != "b_test.rego" || c.Line < 5 {
			t.Errorf("%s stands in %s:%d", c.Name, c.File, c.Line)
		}
	}
	want := map[string]string{
		"writ.user_test.test_warns":      "passed",
		"writ.user_test.test_is_wrong":   "is not true; printed: os is <undefined>",
		"writ.user_test.test_fails":      got["writ.user_test.test_fails"],
		"writ.user_test.todo_test_later": "is left out by its name: todo_test_",
		"writ.user_test.test_each":       "is not true; case w is not true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(got["writ.user_test.test_fails"], "to_number") || r.Failed() != 4 {
		t.Errorf("%d failed, a function that fails is %q", r.Failed(), got["writ.user_test.test_fails"])
	}
	if want := []policytest.UntestedLine{{File: "a.rego", Line: 5}, {File: "a.rego", Line: 7}}; !cmp.Equal(r.Coverage.Rego.Missing, want) {
		t.Errorf("lines that no test evaluated: %+v", r.Coverage.Rego)
	}
}

func TestCoverageSaysWhichPartOfARuleNoTestShows(t *testing.T) {
	t.Parallel()
	lacksTwo := strings.NewReplacer("name: restart", "name: two", "want: allow\n    rules: [restart]", "want: deny\n    codes: [worker-group-missing, parameter-pattern]", "group: web, ", "", "nginx", "'-'").Replace(restart)
	lacksOne := strings.NewReplacer("name: restart", "name: one", "want: allow\n    rules: [restart]", "want: deny\n    codes: [worker-group-missing]", "group: web, ", "").Replace(restart)
	r := run(t, source(header+restart+lacksTwo+lacksOne))
	want := policytest.RuleCoverage{Covered: 2, Total: 7, Percent: 28.5, Missing: []policytest.UntestedPart{
		{Rule: "restart", Line: 9, Part: "signed_by"}, {Rule: "restart", Line: 9, Part: "requested_by"}, {Rule: "restart", Line: 9, Part: "parameters"},
		{Rule: "anything", Line: 15}, {Rule: "anything", Line: 15, Part: "signed_by"},
	}}
	if diff := cmp.Diff(want, r.Coverage.Rules); diff != "" || r.Failed() != 0 {
		t.Errorf("%d failed, %s", r.Failed(), diff)
	}
	if r.Coverage.Rego != nil || r.Coverage.Percent() != 28.5 {
		t.Errorf("%+v is %v percent", r.Coverage, r.Coverage.Percent())
	}
}

func TestNothingToRunProvesNothing(t *testing.T) {
	t.Parallel()
	var none *policytest.NoTestsError
	if _, err := policytest.Run(t.Context(), source(""), policytest.Options{}); !errors.As(err, &none) || none.Filtered {
		t.Errorf("a policy without tests: %v", err)
	}
	only := policytest.Options{Only: regexp.MustCompile("^nothing$")}
	if _, err := policytest.Run(t.Context(), source(header+restart), only); !errors.As(err, &none) || !none.Filtered {
		t.Errorf("a filter that fits no test: %v", err)
	}
	two := source(header+restart+strings.Replace(restart, "name: restart", "name: other", 1), "package writ.user_test\n\ntest_other if true\n\ntest_restart if true\n")
	r, err := policytest.Run(t.Context(), two, policytest.Options{Only: regexp.MustCompile("other")})
	if err != nil || len(r.Cases) != 1 || len(r.Rego) != 1 || r.Cases[0].Name != "other" || r.Rego[0].Name != "writ.user_test.test_other" {
		t.Errorf("%+v, %v", r, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := policytest.Run(ctx, source(header+restart), policytest.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that was ended: %v", err)
	}
}

func TestTestsThatAreRefused(t *testing.T) {
	t.Parallel()
	change := func(old, now string) string {
		if !strings.Contains(header+restart, old) {
			panic(old)
		}
		return strings.Replace(header+restart, old, now, 1)
	}
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "is empty"},
		{"no version", change("version: 1\n", ""), "tests.yaml:1:1: version: is missing"},
		{"another version", change("version: 1", "version: 2"), "want a whole number from 1 to 1"},
		{"no tests", "version: 1\n", "tests: is missing"},
		{"an empty list", "version: 1\ntests: []\n", "tests: is empty"},
		{"an unknown key", change("want: allow", "wants: allow"), `tests.yaml:10:5: tests[0].wants: unknown key; did you mean "want"?`},
		{"no time", change("at: \"2026-11-25T10:00:00+01:00\"\n", ""), "tests[0].at: is missing"},
		{"a time without a zone", change("+01:00", ""), "want a time such as"},
		{"a time that is a date", change(`"2026-11-25T10:00:00+01:00"`, "2026-11-25"), "want a text, found a date"},
		{"no name", change("name: restart", "at: \"2026-11-25T10:00:00Z\""), "tests[0].name: is missing"},
		{"a name twice", header + restart + restart, "is the name of the test in line 4 already"},
		{"a name that hides", change("name: restart", "name: \"a\\u202eb\""), "cannot be shown"},
		{"no runbook", change("runbook", "x"), "tests[0].runbook: is missing"},
		{"a relative path", change("/srv/a.sh", "srv/a.sh"), "want an absolute path"},
		{"a path with ..", change("/srv/a.sh", "/srv/../a.sh"), "want an absolute path"},
		{"a kind that nobody can tell", change("/srv/a.sh", "/srv/a"), "runbook.kind: is missing"},
		{"an unknown kind", change("/srv/a.sh", "/srv/a, kind: bsh"), `did you mean "bash"?`},
		{"a version that is none", change(`"1.4"`, `"1.x"`), "tests[0].runbook: "},
		{"a number as version", change(`"1.4"`, "1.4"), `quote it: "1.4"`},
		{"a digest that is none", change("path: /srv/a.sh", "sha256: abc, path: /srv/a.sh"), "runbook.sha256"},
		{"an unknown signer", change("[alice]", "[alise]"), `did you mean "alice"?`},
		{"no signer in a list", change("[alice]", "[]"), "is empty"},
		{"an unknown person who asks", change(`{id: "os:dave", groups: ["os-group:wheel"]}`, "carol"), "no person of this name"},
		{"a person who cannot ask", change(`{id: "os:dave", groups: ["os-group:wheel"]}`, "bob"), "has no identity to ask with"},
		{"a person and an id", change(`id: "os:dave"`, `id: "os:dave", person: alice`), "want one of person and id"},
		{"nobody who asks", change(`id: "os:dave", `, ""), "want one of person and id"},
		{"no worker", change("worker", "x"), "tests[0].worker: is missing"},
		{"a parameter that is a number", change("nginx", "3"), `quote it: "3"`},
		{"nothing that is wanted", change("want: allow", "at: \"2026-11-25T10:00:00Z\""), "tests[0].want: is missing"},
		{"a want that is none", change("want: allow", "want: maybe"), "unknown word"},
		{"a denial for any reason", change("want: allow\n    rules: [restart]", "want: deny"), "codes: is missing"},
		{"a denial by a rule", change("want: allow", "want: deny\n    codes: [x]"), "no rule allows what is denied"},
		{"codes of what is allowed", change("want: allow", "want: allow\n    codes: [x]"), "an allowed run has no codes"},
		{"an unknown rule", change("rules: [restart]", "rules: [restrt]"), `did you mean "restart"?`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := policytest.ParseCases([]byte(c.text), []byte(grants))
			var bad *policy.SyntaxError
			if !errors.As(err, &bad) || !strings.Contains(problems(err), c.want) || bad.Problems[0].File != policy.TestsFile {
				t.Errorf("got %v\nwant %q", err, c.want)
			}
		})
	}
}

func TestTestsInRegoThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"another package", "package other_test\n\ntest_a if true\n", "b_test.rego:1: is in package other_test"},
		{"a misspelled field", "package writ.user_test\n\ntest_a if input.wroker.id == \"x\"\n", "b_test.rego:3"},
		{"a function that no policy may call", "package writ.user_test\n\ntest_a if time.now_ns() > 0\n", "undefined function time.now_ns"},
		{"something that decides", "package writ.user_test\n\ntest_a if true\n\ndeny contains \"x\" if true\n", "deny in a file of tests decides nothing"},
		{"no test", "package writ.user_test\n\ntets_a if true\n", "has no rule whose name begins with test_"},
		{"no Rego", "package writ.user_test\n\ntest_a {\n", "rego_parse_error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := policytest.Run(t.Context(), source("", warning, c.text), policytest.Options{})
			var bad *policy.SyntaxError
			if !errors.As(err, &bad) || !strings.Contains(problems(err), c.want) {
				t.Errorf("got %v\nwant %q", err, c.want)
			}
		})
	}
}

// The policy of writ init is tested whole.
func TestTheExamplePolicyIsTestedWhole(t *testing.T) {
	t.Parallel()
	grants := strings.NewReplacer(
		"{{.X509}}", "x509-sha256:"+strings.Repeat("a", 64), "{{.OpenPGP}}", "openpgp:"+strings.Repeat("A", 40), "{{.User}}", "somebody",
	).Replace(examples.Grants)
	r := run(t, policy.Source{
		Grants: []byte(grants), Rego: []policy.File{{Name: "worker-group.rego", Data: []byte(examples.WorkerGroupRule)}},
		Tests: []policy.File{{Name: policy.TestsFile, Data: []byte(examples.Tests)}},
	})
	if r.Failed() > 0 || r.Coverage.Percent() != 100 {
		t.Errorf("%+v", r)
	}
}

func FuzzTests(f *testing.F) {
	f.Add([]byte(header + restart))
	f.Add([]byte(examples.Tests))
	f.Add([]byte("version: 1\ntests: [{name: a, requested_by: [x], worker: {labels: {a: [b]}}, parameters: {1: 2}}]\n"))
	engine, err := policy.New(policy.Source{Grants: []byte(grants)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		inputs, err := policytest.ParseCases(data, []byte(grants))
		var bad *policy.SyntaxError
		if err != nil && (!errors.As(err, &bad) || len(bad.Problems) == 0 || len(inputs) > 0) {
			t.Fatalf("%v beside %d cases", err, len(inputs))
		}
		for _, in := range inputs[:min(len(inputs), 3)] {
			if d := engine.Decide(t.Context(), in); !d.Allow && len(d.Deny) == 0 {
				t.Errorf("a denial without a reason: %+v", d)
			}
		}
	})
}
