package worker_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
	"github.com/runwrit/writ/worker"
)

// A worker of one's own: read once, verify, decide, record, run. Each step needs
// the value that the step before made.
func ExampleWorker() {
	run := func(ctx context.Context, path string, v *verifier.Verifier, engine *policy.Engine, w *worker.Worker) (worker.Result, error) {
		rb, err := runbook.ReadFile(path, false)
		if err != nil {
			return worker.Result{}, err
		}
		verified, err := v.Verify(ctx, rb)
		if err != nil {
			return worker.Result{}, err // *verifier.UnverifiedError: exit code 126
		}
		input, err := policy.NewInput(verified, policy.Request{
			Path:      path,
			Caller:    policy.Caller{Kind: "os-user", ID: "os:alice", GroupsComplete: true},
			Worker:    policy.Worker{ID: "worker-1", Group: "web", OS: "linux"},
			Arguments: []policy.Argument{{Name: "Service", Value: "nginx"}},
			Now:       time.Now(),
		})
		if err != nil {
			return worker.Result{}, err
		}
		decision := engine.Decide(ctx, input)
		recorded, err := w.Record(ctx, worker.Evidence{Report: verified.Report(), Input: input, Decision: decision})
		if err != nil {
			return worker.Result{}, err // not recorded: nothing runs
		}
		return w.Run(ctx, worker.Job{Decision: recorded, Runbook: verified, Stdout: os.Stdout, Stderr: os.Stderr})
	}

	book, err := ledger.Open("/var/lib/writ/ledger.jsonl", ledger.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = book.Close() }()
	w, err := worker.New(worker.Options{Ledger: book})
	if err != nil {
		fmt.Println(err)
		return
	}
	var v *verifier.Verifier  // verifier.New, with a trust store and the formats
	var engine *policy.Engine // policy.Load
	result, err := run(context.Background(), "/srv/runbooks/restart.sh.asc", v, engine, w)
	fmt.Println("exit code:", worker.ExitCode(result, err))
}
