package policy_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/policy"
)

// hangs is far more than anything here may take, so that a busy machine does not
// fail a test. That none takes two seconds is measured by make bench.
const hangs = 30 * time.Second

func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(hangs):
		t.Fatalf("%s hangs", what)
	}
}

func TestAGateDoesNotReadVeryLargeGrants(t *testing.T) {
	t.Parallel()
	large := peopleYAML + restartRule + "#" + strings.Repeat("x", 50<<20)
	entries := peopleYAML + restartRule + "denied: [" + strings.Repeat("a,", 1_100_000) + "]\n"
	for name, text := range map[string]string{"50 MB of one line": large, "a million entries": entries, "50 MB of lines": strings.Repeat("- a\n", 13<<20)} {
		dir := folder(t, map[string]string{policy.GrantsFile: text})
		within(t, name, func() {
			_, err := policy.Load(dir, policy.LoadOptions{Guarded: true})
			var unread *policy.FolderError
			if !errors.As(err, &unread) || !errors.Is(err, policy.ErrTooLarge) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	if _, err := policy.Load(folder(t, map[string]string{policy.GrantsFile: peopleYAML + restartRule + "#" + strings.Repeat("x", 9<<20) + "\n"}), policy.LoadOptions{}); err != nil {
		t.Errorf("a tool refuses what a bundle is made of: %v", err)
	}
}

func TestPatternsThatWouldExplodeAreRefused(t *testing.T) {
	t.Parallel()
	for name, pattern := range map[string]string{
		"repeats of repeats":      `((a{100}){100}){100}`,
		"repeats of alternatives": `(?:(?:a|b|c|d){50}){50}`,
		"a large count":           `a{1001}`,
		"many classes":            strings.Repeat(`\pL`, 160),
		"very long":               strings.Repeat("a", 600),
	} {
		text := peopleYAML + strings.Replace(restartRule, `"[a-z]+"`, "'"+pattern+"'", 1)
		within(t, name, func() {
			_, err := policy.New(policy.Source{Grants: []byte(text)})
			if err == nil || !strings.Contains(problems(err), "rules[0].parameters.Service.pattern") {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// RE2 has no pattern that takes exponential time, but some that are refused when
// they are used, and that denies.
func TestPatternsOfRulesOfUsersDoNotHang(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 8_000)
	for name, c := range map[string]struct{ rule, codes string }{
		"nested stars, which others take years for": {`regex.match("^(a+)+$", input.parameters.Service)`, "parameter-pattern"},
		"a pattern that is no pattern":              {`regex.match(sprintf("%s{2000}", [input.parameters.Service]), "a")`, policy.CodePolicyError},
		"a pattern of a parameter":                  {`regex.match(concat("", ["(", input.parameters.Service]), "a")`, policy.CodePolicyError},
	} {
		e := engine(t, peopleYAML+restartRule, user(`deny contains {"code": "x", "msg": "x"} if not `+c.rule))
		in := good()
		in.Parameters["Service"] = long + "!"
		within(t, name, func() {
			d := e.Decide(t.Context(), in)
			if d.Allow || !strings.Contains(codes(d.Deny), c.codes) {
				t.Errorf("%s: %s", name, codes(d.Deny))
			}
		})
	}
}

// Each of these would run for minutes or for ever. The last one is a single call of
// a function, which OPA cannot stop: the answer comes all the same.
func TestRulesThatRunForMinutesAreDenied(t *testing.T) {
	t.Parallel()
	var product strings.Builder
	product.WriteString("n0 := 1234567890123456789\n")
	const doublings = 17 // seconds, not minutes, so that the test leaves little behind
	for i := range doublings {
		fmt.Fprintf(&product, "n%d := n%d * n%d\n", i+1, i, i)
	}
	letters := `l := split("` + strings.Repeat("a", 500) + `", "")` + "\n"
	for name, text := range map[string]string{
		"loops in loops":         letters + `deny contains "x" if { some a in l; some b in l; some c in l; some d in l; concat("", [a, b, c, d]) == "x" }`,
		"a set of all pairs":     letters + `deny contains "x" if count({[i, j, k] | some i, _ in l; some j, _ in l; some k, _ in l}) == 1`,
		"a text that grows":      letters + `deny contains "x" if { some i, _ in l; some j, _ in l; some k, _ in l; count(replace(concat("", l), "a", concat("", l))) == i + j + k }`,
		"a walk of a large tree": letters + `deny contains "x" if { m := [[a, b, c] | some a in l; some b in l; some c in l]; walk(m, [_, "x"]) }`,
		"one very large number":  product.String() + fmt.Sprintf(`deny contains "x" if n%d == 1`, doublings),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := engine(t, peopleYAML+restartRule, user(text))
			within(t, name, func() {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
				defer cancel()
				d := e.Decide(ctx, good())
				mustDeny(t, d, policy.CodePolicyError)
				if !strings.Contains(d.Deny[0].Msg, "in time") {
					t.Errorf("%+v", d.Deny)
				}
				if _, err := e.Explain(ctx, good()); err == nil || !strings.Contains(err.Error(), "in time") {
					t.Errorf("the explanation: %v", err)
				}
			})
		})
	}
}

func TestAPolicyThatIsMissingOrBrokenIsNoPolicy(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "none")
	var unread *policy.FolderError
	if _, err := policy.Load(missing, policy.LoadOptions{}); !errors.As(err, &unread) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := policy.Load(file, policy.LoadOptions{}); !errors.As(err, &unread) {
		t.Errorf("a file: %v", err)
	}
	var syntax *policy.SyntaxError
	for name, files := range map[string]map[string]string{
		"nothing":            {},
		"an empty file":      {policy.GrantsFile: ""},
		"cut in the middle":  {policy.GrantsFile: peopleYAML[:len(peopleYAML)/2]},
		"zeros":              {policy.GrantsFile: strings.Repeat("\x00", 4_096)},
		"a broken rule":      {policy.GrantsFile: peopleYAML + restartRule, "a.rego": "package writ.user\n\ndeny contains"},
		"groups in a circle": {policy.GrantsFile: strings.Replace(peopleYAML, "release: {members: [alice, bob]}", "release: {groups: [operators]}\n  x: {groups: [x]}", 1) + restartRule},
	} {
		if e, err := policy.Load(folder(t, files), policy.LoadOptions{}); !errors.As(err, &syntax) || e != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
