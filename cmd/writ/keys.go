package main

import "github.com/spf13/cobra"

func newKeysCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Make keys and certificates to sign with, and show what a key is",
		Args:  args(cobra.NoArgs),
		RunE:  func(*cobra.Command, []string) error { return usagef("no command given: see writ keys --help") },
	}
	cmd.AddCommand(newKeysNewCmd(a), newKeysShowCmd(a), newKeysOpenPGPCertCmd(a))
	return cmd
}
