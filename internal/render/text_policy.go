package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/runwrit/writ/policy"
)

func (textRenderer) Decision(w io.Writer, d policy.Decision) error {
	var b strings.Builder
	writeDecision(&b, d)
	return write(w, &b)
}

func writeDecision(b *strings.Builder, d policy.Decision) {
	word := "denied"
	switch {
	case d.Allow && d.Override != nil:
		word = "allowed by BREAK GLASS, denied by the policy"
	case d.Allow && len(d.WouldDeny) > 0:
		word = "allowed by mode warn, denied by the policy"
	case d.Allow:
		word = "allowed"
	}
	fmt.Fprintf(b, "%s\n", word)
	for _, name := range d.Rules {
		fmt.Fprintf(b, "  by rule %s, timeout %s%s\n", clip(name), d.Obligations.Timeout, obliged(d.Obligations))
	}
	writeReasons(b, "deny", d.Deny)
	writeReasons(b, "would deny", d.WouldDeny)
	writeReasons(b, "warn", d.Warn)
	fmt.Fprintf(b, "  policy %s\n", orNone(d.Policy.SHA256.String()))
}

// obliged names the obligations that most decisions do not have.
func obliged(o policy.Obligations) string {
	var b strings.Builder
	for _, part := range [][2]string{{"user", o.User}, {"sandbox", strings.Join(o.Sandbox, " or ")}, {"tokens", strings.Join(o.Tokens, " ")}} {
		if part[1] != "" {
			fmt.Fprintf(&b, ", %s %s", part[0], clip(part[1]))
		}
	}
	return b.String()
}

func writeReasons(b *strings.Builder, word string, reasons []policy.Reason) {
	for _, r := range reasons {
		fmt.Fprintf(b, "  %s %s: %s (%s)\n", word, clip(r.Code), clip(r.Msg), clip(r.Rule))
		if r.Hint != "" {
			fmt.Fprintf(b, "    hint: %s\n", clip(r.Hint))
		}
	}
}

func (textRenderer) Explanation(w io.Writer, x policy.Explanation) error {
	var b strings.Builder
	writeDecision(&b, x.Decision)
	in := x.Input
	fmt.Fprintf(&b, "\ninput\n  runbook   %s (%s, %s)\n", clip(in.Runbook.Path), clip(in.Runbook.Kind), clip(in.Runbook.Verdict))
	fmt.Fprintf(&b, "  signers   %s\n", listed(x.Signers, "nobody that grants.yaml knows"))
	requester := "grants.yaml does not know this caller"
	if x.Requester != "" {
		requester = "the person " + clip(x.Requester)
	}
	fmt.Fprintf(&b, "  requester %s, known by %s: %s\n", clip(in.Caller.ID), orNone(clip(in.Caller.Assurance)), requester)
	for _, a := range x.Approvals {
		said := "counts, if a rule names these people"
		if len(a.Faults) > 0 {
			said = strings.Join(a.Faults, "; ")
		}
		fmt.Fprintf(&b, "  approval  %s: %s\n", clip(a.What), clip(said))
	}
	group := in.Worker.Group
	if group == "" {
		group = "none"
	}
	fmt.Fprintf(&b, "  worker    id %s, group %s, stated by %s\n", clip(in.Worker.ID), clip(group), orNone(clip(in.Worker.Assurance)))
	if in.Worker.Identity != "" {
		fmt.Fprintf(&b, "            managed identity %s\n", clip(in.Worker.Identity))
	}
	fmt.Fprintf(&b, "\nrules (%d of %d were looked at)\n", len(x.Rules), x.Total)
	for _, r := range x.Rules {
		fmt.Fprintf(&b, "  %-9s %s (grants.yaml:%d)\n", holds(r.Holds), clip(r.Name), r.Line)
		for _, p := range r.Parts {
			fmt.Fprintf(&b, "    %-9s %s\n", holds(p.Holds), clip(p.Part))
			for _, l := range p.Lacks {
				fmt.Fprintf(&b, "      %s: %s\n", clip(l.Code), clip(l.Msg))
				if l.Hint != "" {
					fmt.Fprintf(&b, "        needed: %s\n", clip(l.Hint))
				}
			}
		}
	}
	fmt.Fprintf(&b, "\nfired %s\n", listed(x.Fired, "no rule"))
	if len(x.Steps) > 0 {
		b.WriteString("\nsteps\n")
	}
	for _, step := range x.Steps {
		fmt.Fprintf(&b, "  %s\n", clip(step))
	}
	return write(w, &b)
}

func holds(yes bool) string {
	if yes {
		return "holds"
	}
	return "does not"
}

func listed(words []string, none string) string {
	if len(words) == 0 {
		return none
	}
	return clip(strings.Join(words, ", "))
}

func (textRenderer) PolicyProblems(w io.Writer, problems []*policy.FileError) error {
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(clip(p.Error()) + "\n")
	}
	if len(problems) == 0 {
		b.WriteString("the policy can be used\n")
	}
	return write(w, &b)
}
