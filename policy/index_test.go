package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/runwrit/writ/policy"
)

// draw is a sequence of numbers, always the same.
type draw uint64

func (d *draw) below(n int) int {
	*d = *d*6364136223846793005 + 1442695040888963407
	return int(uint64(*d) >> 33 % uint64(n))
}

// The index only spares work: with it and without it the same rules hold. Paths
// and globs are drawn from few parts, so that they meet often.
func TestIndexLosesNoRuleThatHolds(t *testing.T) {
	t.Parallel()
	r := draw(1)
	pick := func(list ...string) string { return list[r.below(len(list))] }
	segments := func(last string, parts ...string) string {
		var b strings.Builder
		b.WriteString("/")
		for range r.below(4) {
			b.WriteString(pick(parts...) + "/")
		}
		return b.String() + last
	}
	held := 0
	for range 15 {
		var rules strings.Builder
		rules.WriteString("rules:\n")
		for i := range 12 {
			var match []string
			if r.below(6) > 0 {
				var globs []string
				for range 1 + r.below(2) {
					g := segments(pick("x.sh", "y.sh", "*.sh", "x*", "?.sh", "**", "*"), "a", "b", "*", "a*", "**")
					if strings.HasPrefix(g, "/**") && r.below(2) == 0 {
						g = g[1:]
					}
					if policy.GlobProblem(g) == "" && !slices.Contains(globs, `"`+g+`"`) {
						globs = append(globs, `"`+g+`"`)
					}
				}
				if len(globs) > 0 {
					match = append(match, "paths: ["+strings.Join(globs, ", ")+"]")
				}
			}
			if r.below(4) == 0 || len(match) == 0 {
				match = append(match, "kinds: ["+pick("bash", "python")+"]")
			}
			if r.below(4) == 0 {
				match = append(match, "sha256: ["+good().Runbook.SHA256.String()+"]")
			}
			fmt.Fprintf(&rules, "  - name: r%d\n    match: {%s}\n    workers: {%s}\n    signed_by: {people: [alice]}\n    requested_by: {anyone: true}\n    parameters: {Service: {type: string}}\n",
				i, strings.Join(match, ", "), pick("any: true", "groups: [web]", "groups: [db]", "ids: [w1]", "ids: [w2]", "groups: [web, db], ids: [w1]", "labels: {env: test}"))
		}
		e, err := policy.NewCompiled([]byte(peopleYAML + rules.String()))
		if err != nil {
			t.Fatal(problems(err))
		}
		for range 12 {
			in := good()
			in.Runbook.Path = segments(pick("x.sh", "y.sh", "x.sh.asc", "z"), "a", "b", "ab", "c")
			in.Worker.Group = pick("web", "db", "")
			want, err := e.DecideOnAllRules(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			d := e.Decide(t.Context(), in)
			slices.Sort(want)
			got := slices.Sorted(slices.Values(d.Rules))
			if !slices.Equal(got, want) || d.Allow != (len(want) > 0) {
				t.Errorf("%s on %q: %v, without the index %v\n%s", in.Runbook.Path, in.Worker.Group, got, want, rules.String())
			}
			held += len(want)
		}
	}
	if held < 100 {
		t.Errorf("only %d rules held: the test shows little", held)
	}
}

func TestDenialAmongManyRulesStaysShort(t *testing.T) {
	t.Parallel()
	var rules strings.Builder
	rules.WriteString("rules:\n")
	for i := range 2_000 {
		fmt.Fprintf(&rules, "  - {name: r%d, match: {paths: [\"**\"]}, workers: {groups: [g%d]}, signed_by: {people: [alice]}, requested_by: {anyone: true}}\n", i, i)
	}
	e := engine(t, peopleYAML+rules.String())
	in := good()
	in.Parameters = map[string]string{}
	if d := e.Decide(t.Context(), in); d.Allow || len(d.Deny) == 0 || len(d.Deny) > 100 || d.Deny[0].Code != "worker-not-allowed" {
		t.Errorf("%d reasons, first %+v", len(d.Deny), d.Deny[0])
	}
	in.Worker.Group = "g1999"
	if d := e.Decide(t.Context(), in); !d.Allow || !slices.Equal(d.Rules, []string{"r1999"}) {
		t.Errorf("rules %v, deny %+v", d.Rules, d.Deny)
	}
}
