package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/statement"
	"github.com/runwrit/writ/policy"
)

func newTicketCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ticket",
		Short: "Sign who asks for which run, for a scheduler",
		Args:  args(cobra.NoArgs),
		RunE:  func(*cobra.Command, []string) error { return usagef("no command given: see writ ticket --help") },
	}
	cmd.AddCommand(newTicketIssueCmd(a))
	return cmd
}

type ticketIssueOptions struct {
	approveOptions
	out       string
	workerID  string
	caller    statement.Caller
	job       statement.Job
	scheduled string
	submitted string
}

// defaultTicketExpiry is how long a ticket lasts if nobody says.
const defaultTicketExpiry = 15 * time.Minute

func newTicketIssueCmd(a *app) *cobra.Command {
	o := &ticketIssueOptions{}
	cmd := &cobra.Command{
		Use:   "issue RUNBOOK [flags] [-- ARGS]",
		Short: "Issue a ticket for one run: who asks, for which runbook, with which parameters, where",
		Long: `Issue a ticket for one run of a runbook: of exactly this file, with exactly these
parameters, on this worker or one of this group, for this caller, until it expires.
The runbook is verified first. writ run --ticket takes it once.

Use it in a scheduler that knows who has asked: the worker believes the ticket what
it says of the caller, if the key is one whose tickets count there.

Exit codes: 0 issued, 1 the runbook is not valid or the ticket not signed, 2 the
question is malformed or the key does not fit, 3 a file cannot be read or written.`,
		Example: `  writ ticket issue --trust trust --key scheduler.key.asc --caller os:alice --job-id 4711 --worker-group prod deploy.sh.asc -- blue 3
  writ ticket issue --trust trust --key scheduler.key.asc --caller entra:TENANT:OBJECT --caller-kind entra-user --caller-group entra:TENANT:GROUP --job-id 4711 --worker-id web-01 deploy.sh.asc`,
		RunE: func(cmd *cobra.Command, list []string) error {
			before := cmd.ArgsLenAtDash()
			if before < 0 {
				before = len(list)
			}
			if before != 1 || list[0] == "" || list[0] == "-" {
				return usagef("want the path of one runbook, and its arguments after --")
			}
			o.path, o.arguments = list[0], list[1:]
			return a.runTicketIssue(cmd.Context(), o)
		},
	}
	o.key.addKeyTo(cmd)
	o.trust.addTo(cmd)
	o.project.addTo(cmd)
	f := cmd.Flags()
	f.StringVar(&o.out, "out", ".", "put the ticket into this `folder`")
	f.StringVar(&o.group, "worker-group", "", "`group` of the workers on which it may run")
	f.StringVar(&o.workerID, "worker-id", "", "`name` of the one worker on which it may run")
	f.DurationVar(&o.expires, "expires", defaultTicketExpiry, "`how long` the ticket holds, such as 5m; 24h at most")
	f.StringVar(&o.caller.ID, "caller", "", "`identity` of who asks, such as os:alice")
	f.StringVar(&o.caller.Kind, "caller-kind", "user", "`kind` of who asks, such as entra-user")
	f.Var((*repeated)(&o.caller.Groups), "caller-group", "`group` that the caller is in, such as os-group:wheel (repeatable)")
	f.BoolVar(&o.caller.GroupsComplete, "groups-complete", false, "these are all groups of the caller")
	f.Var((*repeated)(&o.caller.Roles), "caller-role", "`role` of the caller (repeatable)")
	f.StringVar(&o.job.ID, "job-id", "", "`number` of the job")
	f.StringVar(&o.job.Trigger, "trigger", "", "`what` started the job, such as schedule or webhook")
	f.StringVar(&o.scheduled, "scheduled", "", "`time` for which the job was scheduled, such as 2026-11-22T12:00:00Z")
	f.StringVar(&o.submitted, "submitted", "", "`time` at which the job was asked for")
	f.Var((*repeated)(&o.params), "param", "`name=value` parameter of the runbook (repeatable)")
	return cmd
}

func (o *ticketIssueOptions) validate() error {
	if o.group == "" && o.workerID != "" {
		o.group = o.workerID // only for the check of what an approval needs
		defer func() { o.group = "" }()
	}
	switch {
	case o.caller.ID == "":
		return usagef("no caller given: --caller IDENTITY, such as os:alice")
	case o.job.ID == "":
		return usagef("no job given: --job-id NUMBER")
	case o.expires > policy.MaxTicketLife:
		return usagef("--expires %v: a ticket holds for %v at most", o.expires, policy.MaxTicketLife)
	}
	for _, t := range []struct {
		flag, value string
		into        *statement.Time
	}{{"--scheduled", o.scheduled, &o.job.Scheduled}, {"--submitted", o.submitted, &o.job.Submitted}} {
		if t.value == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, t.value)
		if err != nil {
			return usagef("%s %q: want a time such as 2026-11-22T12:00:00Z", t.flag, t.value)
		}
		*t.into = statement.At(at)
	}
	return o.approveOptions.validate()
}

func (a *app) runTicketIssue(ctx context.Context, o *ticketIssueOptions) error {
	if err := o.validate(); err != nil {
		return err
	}
	args, err := argumentsOf(o.params, o.arguments)
	if err != nil {
		return err
	}
	report, err := a.validRunbook(ctx, &o.approveOptions)
	if err != nil {
		return err
	}
	key, self, err := a.openKey(ctx, &o.key)
	if err != nil {
		return err
	}
	salt, nonce := statement.NewNonce(), statement.NewNonce()
	caller := o.caller
	caller.Groups, caller.Roles = append([]string{}, caller.Groups...), append([]string{}, caller.Roles...)
	d := &statement.Ticket{
		Subject:    o.subject(statement.TypeTicket, report, a.now()),
		Parameters: statement.Parameters{Salt: salt, Digest: statement.ParametersDigest(salt, policy.Parameters(args))},
		WorkerID:   o.workerID, Caller: caller, Job: o.job, Nonce: nonce,
	}
	return a.signStatement(ctx, d, o.out, nonce, key, self)
}
