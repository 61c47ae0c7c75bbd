package main

import "github.com/spf13/cobra"

// newWorkerCmd is the group of commands about the worker itself.
func newWorkerCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Set up the worker that runs runbooks",
		Args:  args(cobra.NoArgs),
		RunE:  func(*cobra.Command, []string) error { return usagef("no command given: see writ worker --help") },
	}
	cmd.AddCommand(newWorkerImportCmd(a), newWorkerRecoverCmd(a))
	return cmd
}
