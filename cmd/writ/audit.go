package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/render"
)

type auditOptions struct {
	judgeOptions
	online onlineOption
	within string
	paths  []string
}

func newAuditCmd(a *app) *cobra.Command {
	o := &auditOptions{}
	o.output.pipelines = true
	cmd := &cobra.Command{
		Use:   "audit PATH...",
		Short: "Classify every runbook of a library, the worst first",
		Long: `Classify every runbook of a library with the verdicts of "writ verify", and
print how many there are of each and the worst first.

Use it to find out where a library stands, and in CI to keep it there. Symbolic
links are listed, not followed. The original of a clear-signed runbook counts as
a source if the document beside it signs exactly its bytes.

With --expires-within it also lists the signatures that expire within that time,
the soonest first: the key, a certificate of the chain, or the signature itself.

Exit codes: 0 there are runbooks and all are valid, 1 at least one is not, there
is none, or with --expires-within a signature ends by then, 2 the question is
malformed, 3 something cannot be read.`,
		Example: `  writ audit --trust trust runbooks
  writ audit --trust trust -o json runbooks
  writ audit --trust trust --expires-within 30d runbooks
  writ audit --trust trust -o sarif runbooks > writ.sarif`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			o.paths = paths
			return a.runAudit(cmd.Context(), o)
		},
	}
	o.addTo(cmd)
	o.online.addTo(cmd)
	cmd.Flags().IntVar(&o.codePage, "codepage", 0, "for text without a byte-order mark, try this ANSI code page of Windows too (`number`)")
	cmd.Flags().StringVar(&o.within, "expires-within", "", "list the signatures that expire within this `time`, such as 30d, 6w or 36h; exit 1 if there is one")
	return cmd
}

func (a *app) runAudit(ctx context.Context, o *auditOptions) error {
	r, err := o.output.judged()
	if err != nil {
		return err
	}
	for _, p := range o.paths {
		if p == "" || p == "-" {
			return usagef("audit needs files or folders, not %q", p)
		}
	}
	if known := format.CodePages(); o.codePage != 0 && !slices.Contains(known, o.codePage) {
		return usagef("unknown ANSI code page %d: want one of %v", o.codePage, known)
	}
	within, err := expiresWithin(o.within)
	if err != nil {
		return err
	}
	v, err := o.verifier(o.online.fetch(ctx))
	if err != nil {
		return err
	}
	a.tellLeftOut(v)
	progress, wipe := a.progressLine("audited")
	result, err := audit.Run(ctx, o.paths, audit.Options{Verifier: v, Workers: workers(), Within: within, Progress: progress})
	wipe()
	if err != nil {
		return noAnswer(err)
	}
	if err := r.Audit(a.stdout, result); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	files := make([]render.File, 0, len(result.Entries))
	for _, e := range result.Entries {
		files = append(files, render.File{Path: e.Path, Report: e.Report})
	}
	if err := a.answer(files, result.Problems); err != nil {
		return err
	}
	if n := len(result.Expiring); n > 0 {
		what := "signatures expire"
		if n == 1 {
			what = "signature expires"
		}
		return no("%d %s within %s, the first at %s", n, what, o.within, result.Expiring[0].Signature.Ends.Format(time.RFC3339)).
			hint("have the files signed again with a key that lasts longer: writ sign --resign")
	}
	return nil
}

// longestWithin is the longest time that can be asked for.
const longestWithin = 100 * 365 * 24 * time.Hour

// expiresWithin reads days (30d), weeks (6w) and the durations of Go (36h); zero for
// "".
func expiresWithin(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if number, found := strings.CutSuffix(s, unit); found {
			var n uint64
			if n, err = strconv.ParseUint(number, 10, 16); err == nil {
				d = time.Duration(min(n, 1+uint64(longestWithin/length))) * length
			}
		}
	}
	if err != nil || d <= 0 || d > longestWithin {
		return 0, usagef("--expires-within %q: want a time such as 30d, 6w or 36h, of at most 100 years", s)
	}
	return d, nil
}
