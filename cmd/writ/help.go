package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func newHelpCmd(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Say what a command does, when to use it, and its exit codes",
		RunE: func(_ *cobra.Command, words []string) error {
			cmd, rest, err := root.Find(words)
			if err != nil || len(rest) > 0 {
				return usagef("there is no command %q: see writ --help", strings.Join(words, " "))
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}

func newCompletionCmd(a *app, root *cobra.Command) *cobra.Command {
	scripts := map[string]func(io.Writer) error{
		"bash":       func(w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"fish":       func(w io.Writer) error { return root.GenFishCompletion(w, true) },
		"powershell": root.GenPowerShellCompletionWithDesc,
		"zsh":        root.GenZshCompletion,
	}
	return &cobra.Command{
		Use:   "completion bash|fish|powershell|zsh",
		Short: "Print the script that completes writ's commands in your shell",
		Long: `Print the script that completes writ's commands and flags in your shell.

Exit codes: 0, or 2 for a shell that writ does not know.`,
		Example: `  writ completion bash > ~/.local/share/bash-completion/completions/writ`,
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, words []string) error {
			script, known := scripts[words[0]]
			if !known {
				return usagef("unknown shell %q: want bash, fish, powershell or zsh", words[0])
			}
			if err := script(a.stdout); err != nil {
				return noAnswer(fmt.Errorf("write the script: %w", err))
			}
			return nil
		},
	}
}
