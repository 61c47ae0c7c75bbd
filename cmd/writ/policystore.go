package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/store"
	"github.com/runwrit/writ/verifier"
)

// storeOptions are the flags of the commands that work on a policy store.
type storeOptions struct {
	output output
	dir    string
}

func (o *storeOptions) addTo(cmd *cobra.Command) {
	o.output.addTo(cmd)
	cmd.Flags().StringVar(&o.dir, "store", "", "policy store, a `folder` with settings and keys")
}

// openStore opens the store of the flag; guarded is for what changes it, or acts
// on it.
func (a *app) openStore(o *storeOptions, guarded bool) (*store.Store, render.Renderer, error) {
	r, err := o.output.renderer()
	if err != nil {
		return nil, nil, err
	}
	if o.dir == "" {
		return nil, nil, usagef("no policy store given: --store DIR")
	}
	s, err := store.Open(o.dir, store.Options{Guarded: guarded, Now: a.now, Tool: toolVersion()})
	if err != nil {
		return nil, nil, noAnswer(err)
	}
	return s, r, nil
}

func newPolicyActivateCmd(a *app) *cobra.Command {
	o := &storeOptions{}
	cmd := &cobra.Command{
		Use:   "activate BUNDLE",
		Short: "Verify and try a bundle, and make it the policy of this machine",
		Long: `Verify a bundle by the settings of a policy store, compile it, run its own tests,
and make it the active policy of the store in one step. The one before is kept. A
bundle of a lower epoch is refused, and so is another bundle of the same epoch.

Use it on each machine with a gate, or let writ policy sync do it.

Exit codes: 0 active, 1 refused: what was active stays so, 2 the question is
malformed, 3 bundle or store cannot be read or written.`,
		Example: `  writ policy activate prod-12.tar.gz --store /etc/writ/policy`,
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			return a.runPolicyActivate(cmd.Context(), paths[0], o)
		},
	}
	o.addTo(cmd)
	return cmd
}

func (a *app) runPolicyActivate(ctx context.Context, path string, o *storeOptions) error {
	s, r, err := a.openStore(o, true)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // every change was synced when it was made
	data, detached, err := store.ReadBundle(path)
	if err != nil {
		return noAnswer(err)
	}
	activation, err := s.Activate(ctx, data, detached)
	if err != nil {
		return bundleError(path, err)
	}
	return a.tellActivation(r, activation)
}

// tellActivation writes the result, and the notes beside it.
func (a *app) tellActivation(r render.Renderer, activation *store.Activation) error {
	for _, note := range activation.Notes {
		a.note("%s", note)
	}
	if err := r.Activation(a.stdout, activation); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	return nil
}

func newPolicyStatusCmd(a *app) *cobra.Command {
	o := &storeOptions{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say which policy of a store is active, until when, and what was before",
		Long: `Say which policy of a store is active, until when, who signed it, what the highest
epochs are, and what was activated or rolled back before.

Use it to see what a gate decides by, and in monitoring: the exit code says whether
the gate has a policy that it can use now.

Exit codes: 0 the active policy can be used, 1 there is none or its time is over or
has not come, 2 the question is malformed, 3 the store cannot be read or what is
active is damaged.`,
		Example: `  writ policy status --store /etc/writ/policy`,
		Args:    args(cobra.NoArgs),
		RunE:    func(*cobra.Command, []string) error { return a.runPolicyStatus(o) },
	}
	o.addTo(cmd)
	return cmd
}

func (a *app) runPolicyStatus(o *storeOptions) error {
	s, r, err := a.openStore(o, false)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // opened for reading only
	state, err := s.State()
	if err != nil {
		return noAnswer(err)
	}
	high, err := s.TrustEpoch()
	if err != nil {
		return noAnswer(err)
	}
	now := a.now()
	status := render.NewPolicyStore(s.Name(), state, high, now)
	if err := r.PolicyStore(a.stdout, status); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	if state.Active != nil {
		if _, err := s.Load(); err != nil {
			return noAnswer(err)
		}
	}
	switch status.Verdict {
	case render.StoreUsable:
		return nil
	default:
		return no("the policy store %q has no policy that can be used now: %s", o.dir, status.Verdict)
	}
}

type syncOptions struct {
	storeOptions
	source string
}

func newPolicySyncCmd(a *app) *cobra.Command {
	o := &syncOptions{}
	cmd := &cobra.Command{
		Use:   "sync",
		Short: "Get the newest bundle from where the store's settings say, and activate it",
		Long: `Get a bundle, with the detached signatures beside it, from a URL of https, http or
file or from a path, and activate it as writ policy activate does. Of a folder the
bundle of the highest epoch is taken. A web server is asked for what is new only.

Use it in a timer of the system. Where nothing can be had, what is active stays so,
until its time is over.

Exit codes: 0 active, or nothing new, 1 refused: what was active stays so, 2 the
question is malformed, 3 nothing could be got, or the store cannot be read or
written.`,
		Example: `  writ policy sync --store /etc/writ/policy
  writ policy sync --store /etc/writ/policy --from https://policies.example.net/prod.tar.gz`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runPolicySync(cmd.Context(), o) },
	}
	o.addTo(cmd)
	cmd.Flags().StringVar(&o.source, "from", "", "`URL` or absolute path of a bundle, or path of a folder of bundles (default: the settings' source)")
	return cmd
}

func (a *app) runPolicySync(ctx context.Context, o *syncOptions) error {
	s, r, err := a.openStore(&o.storeOptions, true)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // every change was synced when it was made
	activation, err := s.Sync(ctx, o.source)
	if err != nil {
		return bundleError(o.dir, err)
	}
	if activation == nil {
		a.note("the server has nothing new")
		return nil
	}
	return a.tellActivation(r, activation)
}

type rollbackOptions struct {
	storeOptions
	reason string
}

func newPolicyRollbackCmd(a *app) *cobra.Command {
	o := &rollbackOptions{}
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Go back to the policy before the active one, and say why",
		Long: `Make the policy before the active one the active one again, after it was verified
and tried once more, and lower the highest epoch to its own. The reason is kept in
the store. The bundle that is rolled back cannot be activated again: what mends it
needs a higher epoch.

Use it when a policy that was activated turns out to be wrong.

Exit codes: 0 rolled back, 1 the one before is refused: it is expired, or signed
by keys that do not count any more, 2 the question is malformed, 3 there is none, or
the store cannot be read or written.`,
		Example: `  writ policy rollback --store /etc/writ/policy --reason "epoch 12 denies all of the night jobs"`,
		Args:    args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.runPolicyRollback(cmd.Context(), o) },
	}
	o.addTo(cmd)
	cmd.Flags().StringVar(&o.reason, "reason", "", "why, in one `line`")
	return cmd
}

func (a *app) runPolicyRollback(ctx context.Context, o *rollbackOptions) error {
	s, r, err := a.openStore(&o.storeOptions, true)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // every change was synced when it was made
	activation, err := s.Rollback(ctx, o.reason)
	if errors.Is(err, store.ErrReason) {
		return usagef("--reason: %w", err)
	}
	if err != nil {
		return bundleError(o.dir, err)
	}
	return a.tellActivation(r, activation)
}

// loadedPolicy is what a gate decides by.
type loadedPolicy struct {
	engine *policy.Engine
	// highTrust is the highest epoch of a trust store, and approvals are the
	// statements that came with the policy; both of a policy store only.
	highTrust uint64
	approvals []policy.File
}

// loadPolicy loads the policy of a folder, or the active one of a store.
func (o *gateOptions) loadPolicy(ctx context.Context, guarded bool, trust *verifier.TrustStore, now func() time.Time) (*loadedPolicy, error) {
	if !store.Is(o.policyDir) {
		engine, err := policy.Load(o.policyDir, policy.LoadOptions{Guarded: guarded})
		if err != nil {
			return nil, policyError(o.policyDir, err)
		}
		return &loadedPolicy{engine: engine}, nil
	}
	s, err := store.Open(o.policyDir, store.Options{Guarded: guarded, Now: now, Tool: toolVersion()})
	if err != nil {
		return nil, noAnswer(err)
	}
	defer func() { _ = s.Close() }() // every change was synced when it was made
	active, err := s.Load()
	if err != nil {
		return nil, noAnswer(err)
	}
	high, err := s.TrustEpoch()
	epoch, at := trust.Epoch(), now()
	if err == nil && guarded && !at.Before(epoch.NotBefore) && (epoch.Expires.IsZero() || at.Before(epoch.Expires)) {
		high, err = s.SeeTrustEpoch(ctx, epoch.Number)
	}
	if err != nil {
		return nil, noAnswer(err)
	}
	return &loadedPolicy{active.Engine, high, active.Approvals}, nil
}
