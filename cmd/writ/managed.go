package main

import (
	"context"
	"fmt"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/worker/identity"
	"github.com/runwrit/writ/worker/managedidentity"
)

// issuers is the table of the configuration.
func (o *gateOptions) issuers(guarded bool) (*identity.Issuers, error) {
	table, err := identity.NewIssuers(o.worker.Issuers, identity.IssuersOptions{Guarded: guarded, Cache: o.worker.State})
	if err != nil {
		return nil, noAnswer(err)
	}
	return table, nil
}

// proveWorker adds what the worker's managed identity proves, if the configuration
// names one. Without that proof there is no worker to decide about: it is for the
// operator of the machine to mend.
func (o *gateOptions) proveWorker(ctx context.Context, guarded bool, now time.Time, w *policy.Worker) error {
	if o.worker == nil || o.worker.ManagedIdentity == nil {
		return nil
	}
	c, err := o.worker.ManagedIdentity.Config(guarded)
	if err != nil {
		return noAnswer(err)
	}
	table, err := o.issuers(guarded)
	if err != nil {
		return err
	}
	raw, err := managedidentity.Token(ctx, c, managedidentity.Options{})
	if err != nil {
		return noAnswer(err)
	}
	defer clear(raw) // the runbook runs as the same user
	who, err := table.Verify(ctx, raw, now)
	switch {
	case err != nil:
		return noAnswer(fmt.Errorf("the token of the managed identity: %w", err))
	case who.Kind != identity.KindEntraApp:
		return noAnswer(fmt.Errorf("the token of the managed identity names %s, which is no application of Entra", who.Kind))
	}
	w.Identity, w.Assurance = who.ID, "managed-identity"
	return nil
}
