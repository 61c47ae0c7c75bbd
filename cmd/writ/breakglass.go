package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/statement"
	"github.com/runwrit/writ/verifier"
)

// breakGlassOption are the flags of writ approve that make a break-glass statement.
type breakGlassOption struct {
	given bool
	scope string
}

// defaultBreakGlassExpiry is how long a break-glass statement lasts if nobody says.
const defaultBreakGlassExpiry = time.Hour

func (o *breakGlassOption) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.given, "break-glass", false, "sign that what the policy denies is lifted, in an emergency; it holds for 1h by default")
	f.StringVar(&o.scope, "path", "", "with --break-glass: for every runbook that this `glob` matches, in place of one")
}

func (o *approveOptions) validateBreakGlass() error {
	b := o.breakGlass
	switch {
	case !b.given && b.scope != "":
		return usagef("--path is for --break-glass: an approval is for one runbook")
	case !b.given:
		return nil
	case b.scope != "" && (o.path != "" || o.project.given()):
		return usagef("--path stands beside a runbook or --manifest: choose one")
	case o.requester == "":
		return usagef("--break-glass is for one requester: --requester IDENTITY, such as os:alice")
	case len(strings.TrimSpace(o.reason)) < statement.MinReason:
		return usagef("--break-glass needs a reason of at least %d characters: --reason TEXT", statement.MinReason)
	case len(o.params)+len(o.arguments) > 0:
		return usagef("--break-glass is for any parameters: leave them out")
	}
	return nil
}

func (a *app) runBreakGlass(ctx context.Context, o *approveOptions, report *verifier.Report) error {
	key, self, err := a.openKey(ctx, &o.key)
	if err != nil {
		return err
	}
	if report == nil {
		report = &verifier.Report{}
	}
	d := &statement.BreakGlass{
		Subject: o.subject(statement.TypeBreakGlass, report, a.now()), Path: o.breakGlass.scope, Requester: o.requester, Nonce: statement.NewNonce(),
	}
	err = a.sayLines([][2]string{
		{"BREAK GLASS", "the policy will not hold"}, {"runbook", d.Runbook}, {"sha-256", d.SHA256.String()}, {"manifest", d.Manifest.String()}, {"path", d.Path},
		{"workers", "group " + d.WorkerGroup}, {"requester", d.Requester}, {"reason", d.Reason}, {"from", d.NotBefore.String()}, {"until", d.Expires.String()},
	})
	if err != nil {
		return err
	}
	return a.signStatement(ctx, d, o.approvals.dir, d.Nonce, key, self)
}
