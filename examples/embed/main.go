// Command embed is the smallest program that runs a runbook behind the gate: it
// verifies, decides, records, runs, and ends with the right exit code.
//
//	embed -trust DIR -policy DIR -ledger FILE -group NAME RUNBOOK [ARGUMENT...]
//
// It knows OpenPGP and Authenticode signatures and a policy folder. What writ run
// has beside that (manifests, approvals, tokens, policy stores) it does not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
	"github.com/runwrit/writ/worker"
	"github.com/runwrit/writ/worker/identity"
)

func main() {
	stage := worker.Enter(os.Exit) // first of all: here begins each runbook that the worker starts, too
	// Without this a closed standard output ends the program before the end of the
	// run is recorded.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	result, err := embed(ctx, stage, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "embed:", err)
	}
	os.Exit(worker.ExitCode(result, err)) // also of an error before the run
}

func embed(ctx context.Context, stage worker.Stage, args []string) (worker.Result, error) {
	flags := flag.NewFlagSet("embed", flag.ContinueOnError)
	trust := flags.String("trust", "", "trust store, a `folder`")
	rules := flags.String("policy", "", "policy, a `folder`")
	book := flags.String("ledger", "", "ledger, a `file`")
	group := flags.String("group", "", "worker group, a `name`")
	if err := flags.Parse(args); err != nil {
		return worker.Result{}, err
	}
	if flags.NArg() == 0 {
		return worker.Result{}, errors.New("want a runbook")
	}

	// Whom to trust, what is allowed, where it is recorded. Guarded: nobody but root
	// and the user of this program may write there.
	store, err := verifier.OpenTrust(*trust, verifier.TrustOptions{Guarded: true})
	if err != nil {
		return worker.Result{}, err
	}
	v, err := verifier.New(store, verifier.Options{Formats: []verifier.Format{format.NewClearsign(), format.NewAuthenticode()}})
	if err != nil {
		return worker.Result{}, err
	}
	engine, err := policy.Load(*rules, policy.LoadOptions{Guarded: true})
	if err != nil {
		return worker.Result{}, err
	}
	records, err := ledger.Open(*book, ledger.Options{})
	if err != nil {
		return worker.Result{}, err
	}
	defer func() { _ = records.Close() }() // every record was synced when it was written
	w, err := worker.New(worker.Options{Ledger: records, Stage: stage})
	if err != nil {
		return worker.Result{}, err
	}

	// Who asks for what, and where. None of it is taken from the request's own word:
	// the kernel says who calls.
	path, err := filepath.Abs(flags.Arg(0))
	if err != nil {
		return worker.Result{}, err
	}
	request := policy.Request{Path: filepath.ToSlash(path), Worker: policy.Worker{ID: "embed", Group: *group, OS: runtime.GOOS}}
	for _, value := range flags.Args()[1:] {
		request.Arguments = append(request.Arguments, policy.Argument{Value: value})
	}
	if request.Caller, err = identity.ProcessCaller(); err != nil {
		return worker.Result{}, err
	}
	if request.LastRecord, err = records.LastTime(ctx); err != nil {
		return worker.Result{}, err
	}
	request.Now = time.Now()
	return run(ctx, v, engine, w, path, request)
}

// run reads once, verifies, decides, records and runs: each step needs the value of
// the step before it.
func run(ctx context.Context, v *verifier.Verifier, engine *policy.Engine, w *worker.Worker, path string, request policy.Request) (worker.Result, error) {
	rb, err := runbook.ReadFile(path, false)
	if err != nil {
		return worker.Result{}, err
	}
	var report *verifier.Report
	var input policy.Input
	verified, err := v.Verify(ctx, rb)
	var unverified *verifier.UnverifiedError
	switch {
	case err == nil:
		report = verified.Report()
		input, err = policy.NewInput(verified, request)
	case errors.As(err, &unverified): // it will be denied, and that is recorded
		report = unverified.Report
		input, err = policy.NewReportInput(report, request)
	}
	if err != nil {
		return worker.Result{}, err
	}
	recorded, err := w.Record(ctx, worker.Evidence{Report: report, Input: input, Decision: engine.Decide(ctx, input)})
	if err != nil {
		return worker.Result{}, err
	}
	return w.Run(ctx, worker.Job{Decision: recorded, Runbook: verified, Stdout: os.Stdout, Stderr: os.Stderr})
}
