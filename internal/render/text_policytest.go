package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/runwrit/writ/policy/policytest"
)

func (textRenderer) PolicyTests(w io.Writer, r *policytest.Report) error {
	var b strings.Builder
	for _, c := range r.Cases {
		fmt.Fprintf(&b, "%s %s (tests.yaml:%d)\n", passed(c.Passed), clip(c.Name), c.Line)
		if c.Passed {
			continue
		}
		fmt.Fprintf(&b, "  expected %s\n  got      %s\n", clip(c.Expected.String()), clip(c.Got.String()))
		for _, reason := range c.Reasons {
			fmt.Fprintf(&b, "    %s: %s (%s)\n", clip(reason.Code), clip(reason.Msg), clip(reason.Rule))
		}
	}
	for _, t := range r.Rego {
		fmt.Fprintf(&b, "%s %s (%s:%d)\n", passed(t.Passed), clip(t.Name), clip(t.File), t.Line)
		if t.Detail != "" {
			fmt.Fprintf(&b, "  %s\n", clip(t.Detail))
		}
	}
	failed := r.Failed()
	fmt.Fprintf(&b, "%d passed, %d failed\n", len(r.Cases)+len(r.Rego)-failed, failed)
	writeCoverage(&b, r.Coverage)
	return write(w, &b)
}

func writeCoverage(b *strings.Builder, c policytest.Coverage) {
	fmt.Fprintf(b, "rules of grants.yaml: %.1f %% tested (%d of %d)\n", c.Rules.Percent, c.Rules.Covered, c.Rules.Total)
	for _, m := range c.Rules.Missing {
		what := "the rule allows"
		if m.Part != "" {
			what = m.Part + " alone denies"
		}
		fmt.Fprintf(b, "  grants.yaml:%d: %s: no test shows that %s\n", m.Line, clip(m.Rule), clip(what))
	}
	if c.Rego == nil {
		return
	}
	fmt.Fprintf(b, "lines of rego: %.1f %% tested (%d of %d)\n", c.Rego.Percent, c.Rego.Covered, c.Rego.Total)
	for _, m := range c.Rego.Missing {
		fmt.Fprintf(b, "  %s:%d: no test evaluates this line\n", clip(m.File), m.Line)
	}
}

func passed(yes bool) string {
	if yes {
		return "ok  "
	}
	return "FAIL"
}
