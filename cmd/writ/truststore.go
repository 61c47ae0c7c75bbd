package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/internal/truststore"
	"github.com/runwrit/writ/verifier"
)

func newTrustCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trust",
		Short: "Show whom a trust store trusts, and add certificates and keys to it",
		Args:  args(cobra.NoArgs),
		RunE:  func(*cobra.Command, []string) error { return usagef("no command given: see writ trust --help") },
	}
	cmd.AddCommand(newTrustListCmd(a), newTrustAddCmd(a), newTrustImportCmd(a))
	return cmd
}

func newTrustListCmd(a *app) *cobra.Command {
	o := &output{}
	cmd := &cobra.Command{
		Use:   "list DIR",
		Short: "Show whom a trust store trusts",
		Long: `Show whom a trust store trusts: each certificate of each store with its ID as
policies name it, its end, and what speaks against it; how many pins and denials
there are.

Use it to review a trust store, and before and after a change.

Exit codes: 0 shown, 2 the question is malformed, 3 the trust store cannot be read
or used.`,
		Example: `  writ trust list trust
  writ trust list trust -o json`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error { return a.runTrustList(cmd.Context(), paths[0], o) },
	}
	o.addTo(cmd)
	return cmd
}

func (a *app) runTrustList(ctx context.Context, dir string, o *output) error {
	r, err := o.renderer()
	if err != nil {
		return err
	}
	trust, err := verifier.OpenTrust(dir, verifier.TrustOptions{})
	if err != nil {
		return noAnswer(err)
	}
	v, err := newVerifier(trust, a.now)
	if err != nil {
		return noAnswer(err)
	}
	a.tellLeftOut(v)
	listing, err := truststore.Describe(ctx, trust, a.now())
	if err != nil {
		return noAnswer(err)
	}
	a.tellUnguarded(dir)
	if err := r.TrustListing(a.stdout, render.TrustListing{Path: dir, Listing: listing}); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	return nil
}

// tellUnguarded says why a gate would refuse a trust store that can be read.
func (a *app) tellUnguarded(dir string) {
	if _, err := verifier.OpenTrust(dir, verifier.TrustOptions{Guarded: true}); err != nil {
		a.note("writ run refuses this trust store until this is mended: %v", err)
	}
}
