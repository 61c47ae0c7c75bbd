package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
	"github.com/runwrit/writ/worker"
)

// app is what the commands get from the process around them.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	// progress says that stderr is a terminal on which a line may be redrawn.
	progress bool
	now      func() time.Time
	// stage is what starts runbooks.
	stage worker.Stage
}

func newApp() *app {
	return &app{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		progress: term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("TERM") != "dumb",
		now:      time.Now,
	}
}

// execute runs one command line and returns the exit code. Only here an error
// becomes words and a number.
func execute(ctx context.Context, a *app, args []string) int {
	root := newRootCmd(a)
	cmd, err := executeCommand(ctx, root, args)
	isRun := cmd != nil && cmd.Name() == "run" && cmd.Parent() == root
	if err == nil {
		return exitYes
	}
	var known *exitError
	if !errors.As(err, &known) && cmd != nil && !cmd.HasParent() {
		err = usageError{err} // cobra did not find the command
	}
	printError(a.stderr, err)
	if isRun {
		return runExitCode(err)
	}
	return exitCode(err)
}

// executeCommand makes an error of a panic: the runtime would end writ with code
// 2, which of run is a code of the runbook.
func executeCommand(ctx context.Context, root *cobra.Command, args []string) (cmd *cobra.Command, err error) {
	root.SetArgs(args)
	cmd, _, _ = root.Find(args) // what cannot be found is reported below
	defer func() {
		if r := recover(); r != nil {
			err = noAnswer(fmt.Errorf("writ has a defect, please report it: %v", r))
		}
	}()
	return root.ExecuteContextC(ctx)
}

func newRootCmd(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "writ",
		Short: "Sign runbooks, verify them, and run only what is signed and allowed",
		Long: `writ signs runbooks, verifies them, decides with policy whether they may run
here and now, and runs exactly the bytes that it verified.

Exit codes: 0 yes, 1 no, 2 the question is malformed, 3 no answer.
"writ run" has its own, see "writ run --help".`,
		Args:          cobra.ArbitraryArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown command %q: see writ --help", args[0])
			}
			return usagef("no command given: see writ --help")
		},
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(misused)
	root.AddCommand(
		newInitCmd(a), newSignCmd(a), newVerifyCmd(a), newInspectCmd(a), newRunCmd(a), newAuditCmd(a), newRepairCmd(a), newKeysCmd(a), newTrustCmd(a), newGPGShimCmd(a), newManifestCmd(a), newApproveCmd(a), newTicketCmd(a), newPolicyCmd(a), newLedgerCmd(a), newWorkerCmd(a), newDoctorCmd(a), newVersionCmd(a),
	)
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newCompletionCmd(a, root))
	root.SetHelpCommand(newHelpCmd(root))
	return root
}

// args makes a cobra check of positional arguments report a usage error.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, list []string) error {
		if err := check(cmd, list); err != nil {
			return misused(cmd, err)
		}
		return nil
	}
}

// misused is a usage error that says how the command is called.
func misused(cmd *cobra.Command, err error) error {
	return &exitError{code: exitMalformed, err: err, hints: []string{fmt.Sprintf("%s; see %s --help", cmd.UseLine(), cmd.CommandPath())}}
}

// verifyFormats are the verifying halves of all formats, judged by the clock now.
// None of them uses a network.
func verifyFormats() []verifier.Format { return judgingFormats(nil, nil) }

// judgingFormats are the same, with leave to fetch revocations and with catalogs.
func judgingFormats(fetch format.FetchFunc, catalogs []format.Catalog) []verifier.Format {
	authenticode := format.NewAuthenticode()
	authenticode.Fetch, authenticode.Catalogs = fetch, catalogs
	return []verifier.Format{authenticode, format.NewClearsign(), format.NewDetached(), format.NewManifest(), format.NewSigstore()}
}

// signFormats are the signing halves of all formats.
func signFormats() []signer.Format {
	return append([]signer.Format{format.NewAuthenticode(), format.NewClearsign()}, sigstoreSigners()...)
}

// newVerifier makes a verifier over the given trust; now may be nil.
func newVerifier(t *verifier.TrustStore, now func() time.Time) (*verifier.Verifier, error) {
	return verifier.New(t, verifier.Options{Formats: verifyFormats(), Now: now})
}

func workers() int { return runtime.GOMAXPROCS(0) }
