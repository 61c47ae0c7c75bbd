package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/approvals"
	"github.com/runwrit/writ/internal/config"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// ticketOption is the flag --ticket: a scheduler's word for who asks, and for what.
type ticketOption struct {
	path    string
	given   bool
	issuers []string
}

func (o *ticketOption) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.path, "ticket", "", "signed ticket of a scheduler, a `file`, that says who asks for what; it is used once, so it needs --state")
	f.Var((*repeated)(&o.issuers), "ticket-issuer", "`identity` of a scheduler whose tickets count, such as openpgp:FINGERPRINT (repeatable)")
}

// take notices a flag with an empty name, which is what a variable gives that is
// not set: the run would take place without the ticket.
func (o *ticketOption) take(cmd *cobra.Command) { o.given = cmd.Flags().Changed("ticket") }

func (o *gateOptions) validateTicket() error {
	switch {
	case !o.ticket.given:
		return nil
	case o.ticket.path == "":
		return usagef("--ticket needs the name of a file")
	case o.tokenGiven:
		return usagef("--ticket and --token both say who asks: choose one")
	case len(o.ticket.issuers) == 0:
		return usagef("--ticket needs to know whose tickets count: tickets.issuers in the configuration, or --ticket-issuer")
	case issuerProblem(o.ticket.issuers) != "":
		return usagef("--ticket-issuer: %s", issuerProblem(o.ticket.issuers))
	case o.approvals.state == "":
		return usagef("a ticket is used once: --state DIR names the folder that remembers it")
	}
	return nil
}

// issuerProblem says which of the identities is none of a key; "" for none.
func issuerProblem(issuers []string) string {
	for _, id := range issuers {
		if bad := config.TicketIssuerProblem(id); bad != "" {
			return fmt.Sprintf("%q: %s", id, bad)
		}
	}
	return ""
}

// ticket is one that was read and verified.
type ticket struct {
	signed  *approvals.Signed
	issuers []string
}

// openTicket reads and verifies the ticket, nil if there is none. It is judged by the
// trust store of the runbooks.
func (o *gateOptions) openTicket(ctx context.Context, trust *verifier.TrustStore, now func() time.Time) (*ticket, error) {
	if !o.ticket.given {
		return nil, nil //nolint:nilnil // there is none
	}
	v, err := statementVerifier(trust, now)
	if err != nil {
		return nil, err
	}
	rb, err := runbook.ReadFile(o.ticket.path, true)
	if err != nil { // it is not the runbook that is missing or odd
		return nil, noAnswer(fmt.Errorf("read the ticket: %v", err))
	}
	signed, err := approvals.Open(ctx, v, approvals.File{Name: filepath.Base(o.ticket.path), Data: rb.Bytes()})
	if err != nil {
		return nil, noAnswer(fmt.Errorf("verify the ticket: %v", err))
	}
	return &ticket{signed, o.ticket.issuers}, nil
}

// request puts the ticket into the question about a runbook.
func (t *ticket) request(uses usesCounter, args []policy.Argument) (*policy.TicketRequest, error) {
	if t == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	r := t.signed.Ticket(t.issuers, args)
	if r.Facts.Nonce == "" { // there is nothing to use
		return r, nil
	}
	n, err := uses.Count(policy.UseTicket, r.Facts.Nonce)
	if err != nil {
		return nil, noAnswer(err)
	}
	r.Facts.Used = n > 0
	return r, nil
}

type usesCounter interface {
	Count(kind, key string) (int, error)
}
