package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/runwrit/writ/policy/whatif"
)

func (textRenderer) Replay(w io.Writer, r Replay) error {
	var b strings.Builder
	fmt.Fprintf(&b, "ledger    %s\n", clip(r.Path))
	fmt.Fprintf(&b, "records   %d, head %s\n", r.Ledger.Records, r.Ledger.Head)
	fmt.Fprintf(&b, "policy    %s\n", orNone(r.Policy.SHA256.String()))
	fmt.Fprintf(&b, "decisions %d: %d the same, %d changed\n", r.Decisions, r.Same, r.Changed())
	for _, kind := range whatif.Kinds() {
		if n := r.Counts[kind]; n > 0 {
			fmt.Fprintf(&b, "  %6d %s\n", n, kindWords(kind))
		}
	}
	if r.NoInput > 0 {
		fmt.Fprintf(&b, "  %6d denied without an input in the record: they cannot be decided again\n", r.NoInput)
	}
	if r.Secret > 0 {
		fmt.Fprintf(&b, "  %6d whose answer depends on a secret value: they cannot be decided again\n", r.Secret)
	}
	if r.Unreadable > 0 {
		fmt.Fprintf(&b, "  %6d unreadable: they could not be decided again\n", r.Unreadable)
	}
	if r.Inexact > 0 {
		fmt.Fprintf(&b, "inexact   %d decisions were made without something that is not in their records\n", r.Inexact)
	}
	if len(r.Groups) > 0 {
		b.WriteString("\ncauses\n")
	}
	for _, g := range r.Groups {
		fmt.Fprintf(&b, "  %6d %-13s %s (first: record %d)\n", g.Count, g.Kind, causeWords(g), g.First)
	}
	if len(r.Changes) > 0 {
		fmt.Fprintf(&b, "\nchanges (%d of %d)\n", len(r.Changes), r.Changed())
	}
	for _, c := range r.Changes {
		writeChange(&b, c)
	}
	if len(r.Left) > 0 {
		fmt.Fprintf(&b, "\nnot decided again (%d of %d)\n", len(r.Left), r.NoInput+r.Secret+r.Unreadable)
	}
	for _, l := range r.Left {
		fmt.Fprintf(&b, "  record %d, %s: %s\n", l.Seq, orNone(clip(l.Name)), clip(l.Reason))
	}
	return write(w, &b)
}

func kindWords(k whatif.Kind) string {
	switch k {
	case whatif.NowDenied:
		return "allowed, would be denied"
	case whatif.NowAllowed:
		return "denied, would be allowed"
	case whatif.OtherReasons:
		return "denied, would be denied for other reasons"
	case whatif.OtherTerms:
		return "allowed, would be allowed on other terms"
	}
	return string(k)
}

func causeWords(g whatif.Group) string {
	switch {
	case g.Rule == "":
		return clip(g.Code)
	case g.Code == "":
		return "rule " + clip(g.Rule)
	}
	return fmt.Sprintf("%s (%s)", clip(g.Code), clip(g.Rule))
}

func writeChange(b *strings.Builder, c whatif.Change) {
	dry := ""
	if c.DryRun {
		dry = " (dry run)"
	}
	fmt.Fprintf(b, "  record %d, %s: %s%s\n", c.Seq, c.Time.Format(time.RFC3339), kindWords(c.Kind), dry)
	fmt.Fprintf(b, "    %s, by %s on %s, group %s\n", clip(c.Path), clip(c.Caller), orNone(clip(c.Worker.ID)), orNone(clip(c.Worker.Group)))
	writeAnswer(b, "was", c.Was)
	writeAnswer(b, "now", c.Now)
	for _, what := range c.Inexact {
		fmt.Fprintf(b, "    inexact: not in the record: %s\n", clip(what))
	}
}

func writeAnswer(b *strings.Builder, when string, a whatif.Answer) {
	if a.Allow {
		fmt.Fprintf(b, "    %s allowed by %s, timeout %s", when, listed(a.Rules, "no rule"), a.Timeout)
		for _, term := range []struct{ word, is string }{{"user", a.User}, {"sandbox", strings.Join(a.Sandbox, " or ")}, {"tokens", strings.Join(a.Tokens, ", ")}} {
			if term.is != "" {
				fmt.Fprintf(b, ", %s %s", term.word, clip(term.is))
			}
		}
		b.WriteString("\n")
		for _, r := range a.Warn {
			fmt.Fprintf(b, "      warn %s: %s\n", clip(r.Code), clip(r.Msg))
		}
		for _, r := range a.WouldDeny {
			fmt.Fprintf(b, "      only warned %s: %s (%s)\n", clip(r.Code), clip(r.Msg), clip(r.Rule))
		}
		return
	}
	fmt.Fprintf(b, "    %s denied: %s\n", when, listed(a.DenyCodes, "no reason"))
	for _, r := range a.Deny {
		fmt.Fprintf(b, "      %s: %s (%s)\n", clip(r.Code), clip(r.Msg), clip(r.Rule))
	}
}
