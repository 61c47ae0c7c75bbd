package main

import (
	"errors"
	"maps"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/config"
)

// configOption is the flag --config, which names a worker.yaml. It can be given
// once: who may only add arguments must not put another file in its place.
type configOption struct {
	path string
	// clash is a flag that would say what the file says.
	clash string
}

// saidByConfig are the flags that the file takes the place of.
var saidByConfig = []string{"trust", "ca", "tsa", "keyring", "policy", "ledger", "state", "ticket-issuer", "worker-id", "worker-group", "label", "logs"}

func (o *configOption) addTo(cmd *cobra.Command) {
	cmd.Flags().Var(o, "config", "worker's configuration, a `file`, in place of the flags that say what stands in it")
}

// String is the value of the flag.
func (o *configOption) String() string { return o.path }

// Type names what the flag takes.
func (o *configOption) Type() string { return "file" }

// Set takes the value of the flag.
func (o *configOption) Set(path string) error {
	switch {
	case path == "":
		return errors.New("want the name of a file")
	case o.path != "":
		return errors.New("it is given a second time")
	}
	o.path = path
	return nil
}

// take looks for flags that may not stand beside --config.
func (o *configOption) take(cmd *cobra.Command) {
	for _, name := range saidByConfig {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed {
			o.clash = name
			return
		}
	}
}

// loadConfig reads the configuration at path, and names every mistake in it.
func loadConfig(path string, guarded bool) (*config.Worker, error) {
	w, err := config.Load(path, config.Options{Guarded: guarded})
	var syntax *config.SyntaxError
	switch {
	case errors.As(err, &syntax):
		e := &exitError{code: exitMalformed, err: err}
		for _, p := range syntax.Problems[1:] {
			e = e.hint("and %v", p)
		}
		return nil, e
	case err != nil:
		return nil, noAnswer(err)
	}
	return w, nil
}

// configure takes over what the configuration says; ledger may be nil.
func (o *gateOptions) configure(guarded bool, ledger *string) error {
	if o.config.path == "" {
		return nil
	}
	if o.config.clash != "" {
		return usagef("--%s stands beside --config: the configuration says it", o.config.clash)
	}
	w, err := loadConfig(o.config.path, guarded)
	if err != nil {
		return err
	}
	o.worker = w
	o.trust.dir, o.policyDir = w.Trust, w.Policy
	o.workerID, o.group = w.ID, w.Group
	o.approvals.state, o.ticket.issuers = w.State, w.TicketIssuers
	if ledger != nil {
		*ledger = w.Ledger
	}
	return nil
}

// workerLabels are the labels of the configuration, or those of the flags.
func (o *gateOptions) workerLabels() (map[string]string, error) {
	if o.worker != nil {
		return maps.Clone(o.worker.Labels), nil
	}
	return flagLabels(o.labels)
}
