package lint_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/lint"
)

const grants = `version: 1
people:
  alice: {identities: ["openpgp:0123456789ABCDEF0123456789ABCDEF01234567", "os:alice"]}
  bob: {identities: ["openpgp:89ABCDEF0123456789ABCDEF0123456789ABCDEF"]}
  carol: {identities: ["os:carol"]}
groups:
  release: {members: [alice]}
  web: {members: [bob]}
roles:
  author: {people: [alice]}
rules:
  - name: restart
    match: {paths: ["/srv/*.sh"]}
    workers: {groups: [web]}
    signed_by: {groups: [release]}
    requested_by: {people: [alice]}
  - name: anything
    match: {paths: ["/**"], kinds: [bash]}
    workers: {any: true}
    signed_by: {groups: [release]}
    requested_by: {anyone: true}
`

const tests = `version: 1
at: "2026-11-25T10:00:00Z"
tests:
  - name: restart
    runbook: {path: /srv/a.sh}
    signed_by: [alice]
    requested_by: alice
    worker: {group: web}
    want: allow
    rules: [restart, anything]
  - name: a test that is wrong
    runbook: {path: /srv/a.sh}
    signed_by: [alice]
    requested_by: alice
    worker: {group: db}
    want: deny
    codes: [worker-not-allowed]
`

const bad = `package writ.user

deny contains "no code" if input.worker.id == "w9"

# METADATA
# labels: {id: twice}
deny contains {"code": "a", "msg": "x"} if input.worker.id == "w8"

# METADATA
# labels: {id: twice}
deny contains reason if {
  time.weekday(1) == "Friday"
	reason := {"code": "b", "msg": "x"}
}
`

const fine = `# METADATA
# title: Nothing on Fridays
package writ.user.friday

# METADATA
# labels: {id: friday}
deny contains {"code": "friday", "msg": "no"} if time.weekday(input.now_ns) == "Friday"
`

func source(tests string, rego ...string) policy.Source {
	src := policy.Source{Grants: []byte(grants)}
	if tests != "" {
		src.Tests = []policy.File{{Name: policy.TestsFile, Data: []byte(tests)}}
	}
	for i, text := range rego {
		src.Rego = append(src.Rego, policy.File{Name: fmt.Sprintf("%c.rego", 'a'+i), Data: []byte(text)})
	}
	return src
}

func said(t *testing.T, src policy.Source, ignore ...string) []string {
	t.Helper()
	findings, err := lint.Run(t.Context(), src, lint.Options{Now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), Ignore: ignore})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range findings {
		if f.Why == "" || f.Mend == "" || f.Severity != lint.Note && f.Severity != lint.Warning || !slices.Contains(lint.Codes(), f.Code) {
			t.Errorf("an odd finding: %+v", f)
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s:%d %s %s", f.File, f.Line, f.Code, f.What)))
	}
	return lines
}

func TestWhatTheAuthorMayNotHaveMeantIsFound(t *testing.T) {
	t.Parallel()
	want := []string{
		"a.rego:0 not-formatted", "a.rego:0 time-without-now", "a.rego:1 no-title writ.user", "a.rego:3 no-code deny", "a.rego:3 no-label deny",
		"a.rego:3 untested-line", "a.rego:7 untested-line", "a.rego:11 label-twice twice", "a.rego:11 untested-line", "a.rego:13 untested-line",
		"b.rego:7 untested-line",
		"grants.yaml:5 unused-person carol", "grants.yaml:8 unused-group web", "grants.yaml:10 unused-role author",
		"grants.yaml:12 untested-part restart: requested_by", "grants.yaml:12 untested-part restart: signed_by",
		"grants.yaml:17 untested-part anything: signed_by", "grants.yaml:18 any-path anything", "grants.yaml:19 any-worker anything", "grants.yaml:21 anyone anything",
		"tests.yaml:11 test-fails a test that is wrong",
	}
	got := said(t, source(tests, bad, fine), "untested-line")
	want = slices.DeleteFunc(want, func(s string) bool { return strings.Contains(s, "untested-line") })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if lines := said(t, source(tests, fine), slices.DeleteFunc(lint.Codes(), func(c string) bool { return c == lint.UntestedLine })...); !slices.Equal(lines, []string{"a.rego:7 untested-line"}) {
		t.Errorf("lines without a test: %v", lines)
	}
	ignored := said(t, source(tests, bad), "any-path", "any-worker", "anyone", "unused-person")
	for _, code := range []string{"any-path", "any-worker", "anyone", "unused-person"} {
		if strings.Contains(strings.Join(ignored, "\n"), code) {
			t.Errorf("%s was not left out", code)
		}
	}
	if lines := strings.Join(said(t, source("")), "\n"); !strings.Contains(lines, "grants.yaml:0 no-tests") {
		t.Errorf("a policy without tests: %s", lines)
	}
}

func TestAPolicyThatCannotBeUsedIsNotLookedAt(t *testing.T) {
	t.Parallel()
	var syntax *policy.SyntaxError
	for name, src := range map[string]policy.Source{
		"grants.yaml": {Grants: []byte("version: 2\n")}, "tests.yaml": source("version: 2\n"), "a .rego file": source(tests, "package other\n"),
	} {
		if _, err := lint.Run(t.Context(), src, lint.Options{}); !errors.As(err, &syntax) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lint.Run(ctx, source(tests), lint.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that was ended: %v", err)
	}
}

func TestFormatChangesTheFormAndNothingElse(t *testing.T) {
	t.Parallel()
	data, err := lint.Format(policy.File{Name: "a.rego", Data: []byte(bad)})
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(bad, "  time", "\ttime", 1); string(data) != want {
		t.Errorf("got %s", data)
	}
	again, err := lint.Format(policy.File{Name: "a.rego", Data: data})
	if err != nil || string(again) != string(data) {
		t.Errorf("a second time: %v %s", err, again)
	}
	var syntax *policy.SyntaxError
	for _, text := range []string{"", "package", "package a\n\ndeny {", "\xff"} {
		if data, err := lint.Format(policy.File{Name: "a.rego", Data: []byte(text)}); !errors.As(err, &syntax) {
			t.Errorf("%q becomes %q, %v", text, data, err)
		}
	}
}

func TestDiffSaysWhichLinesChange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, before, after, want string }{
		{"nothing", "a\nb\n", "a\nb\n", ""},
		{"a line", "a\nb\nc\n", "a\nB\nc\n", "@ 2 -b +B"},
		{"a line more", "a\nc\n", "a\nb\nc\n", "@ 2 +b"},
		{"a line less", "a\nb\nc\n", "a\nc\n", "@ 2 -b"},
		{"two places", "a\nb\nc\nd\n", "A\nb\nc\nD\n", "@ 1 -a +A @ 4 -d +D"},
		{"all of it", "", "a\n", "@ 1 +a"},
	} {
		if got := strings.Join(lint.Diff([]byte(c.before), []byte(c.after)), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	many := strings.Repeat("a\n", 5_000)
	if d := lint.Diff([]byte(many), []byte(strings.ToUpper(many))); len(d) != 10_001 {
		t.Errorf("a large change has %d lines", len(d))
	}
}

func FuzzFormat(f *testing.F) {
	f.Add([]byte(bad))
	f.Add([]byte(fine))
	f.Fuzz(func(t *testing.T, data []byte) {
		once, err := lint.Format(policy.File{Name: "a.rego", Data: data})
		if err != nil {
			return
		}
		if lint.Diff(data, once) == nil && string(data) != string(once) {
			t.Errorf("a change that no line shows: %q", data)
		}
	})
}

// A misspelled code is no error: a file of Rego may give any. Nothing would say why
// the exemption does nothing.
func TestCodesOfExemptionsThatNothingGivesAreFound(t *testing.T) {
	t.Parallel()
	text := grants + `exemptions:
  - id: EX-1
    codes: [worker-not-allowed, workr-not-allowed, freeze, friday, user-deny]
    match: {paths: ["/srv/*.sh"]}
    workers: {any: true}
    owner: alice
    approver: bob
    reason: a test
    expires: "2026-12-24T00:00:00Z"
`
	rego := policy.File{Name: "f.rego", Data: []byte("package writ.user\n\ndeny contains {\"code\": \"friday\", \"msg\": \"x\"} if input.worker.id == \"w9\"\n")}
	for name, c := range map[string]struct {
		rego []policy.File
		want []string
	}{
		"without rego": {nil, []string{"EX-1: friday", "EX-1: workr-not-allowed"}},
		"with rego":    {[]policy.File{rego}, []string{"EX-1: workr-not-allowed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := lint.Run(t.Context(), policy.Source{Grants: []byte(text), Rego: c.rego}, lint.Options{Now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range found {
				if f.Code == lint.UnknownCode {
					got = append(got, f.What)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
