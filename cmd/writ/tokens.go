package main

import (
	"time"

	"github.com/runwrit/writ/worker/broker"
	"github.com/runwrit/writ/worker/managedidentity"
)

// tokens is what gives runbooks the tokens that the policy grants; nil if the
// configuration names no identity for that.
func (o *gateOptions) tokens(guarded bool, now func() time.Time) (*broker.Broker, error) {
	if o.worker == nil || o.worker.Tokens == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	t := o.worker.Tokens
	c, err := t.Identity.Config(guarded)
	if err != nil {
		return nil, noAnswer(err)
	}
	b, err := broker.New(broker.Options{Source: &managedidentity.Host{Config: c}, Protocol: t.Protocol, ClientID: c.ClientID, Now: now})
	if err != nil {
		return nil, noAnswer(err)
	}
	return b, nil
}
