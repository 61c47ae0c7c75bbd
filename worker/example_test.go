package worker_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
	"github.com/runwrit/writ/worker"
)

// service is all that a worker of one's own needs. It is made once.
type service struct {
	verifier *verifier.Verifier
	engine   *policy.Engine
	worker   *worker.Worker
}

func newService(stage worker.Stage, trustDir, policyDir, ledgerFile string) (*service, error) {
	trust, err := verifier.OpenTrust(trustDir, verifier.TrustOptions{Guarded: true})
	if err != nil {
		return nil, err
	}
	v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{format.NewAuthenticode(), format.NewClearsign()}})
	if err != nil {
		return nil, err
	}
	engine, err := policy.Load(policyDir, policy.LoadOptions{Guarded: true})
	if err != nil {
		return nil, err
	}
	book, err := ledger.Open(ledgerFile, ledger.Options{})
	if err != nil {
		return nil, err
	}
	w, err := worker.New(worker.Options{Ledger: book, Stage: stage})
	if err != nil {
		return nil, err
	}
	return &service{v, engine, w}, nil
}

// run reads, verifies, decides, records and runs. Each step needs the value that
// the step before made. A file that is not valid gets as far as the ledger.
func (s *service) run(ctx context.Context, path string, request policy.Request) (worker.Result, error) {
	rb, err := runbook.ReadFile(path, false)
	if err != nil {
		return worker.Result{}, err
	}
	var report *verifier.Report
	var input policy.Input
	verified, err := s.verifier.Verify(ctx, rb)
	var unverified *verifier.UnverifiedError
	switch {
	case errors.As(err, &unverified):
		report = unverified.Report
		input, err = policy.NewReportInput(report, request)
	case err == nil:
		report = verified.Report()
		input, err = policy.NewInput(verified, request)
	}
	if err != nil {
		return worker.Result{}, err
	}
	decision := s.engine.Decide(ctx, input)
	recorded, err := s.worker.Record(ctx, worker.Evidence{Report: report, Input: input, Decision: decision})
	if err != nil {
		return worker.Result{}, err // not recorded: nothing runs
	}
	return s.worker.Run(ctx, worker.Job{Decision: recorded, Runbook: verified, Stdout: os.Stdout, Stderr: os.Stderr})
}

// A worker of one's own.
func Example() {
	stage := worker.Enter(os.Exit) // first of all: here begins what the worker starts, too
	s, err := newService(stage, "/etc/writ/trust", "/etc/writ/policy", "/var/lib/writ/ledger.jsonl")
	if err != nil {
		fmt.Println("the service does not start:", err)
		return
	}
	const path = "/srv/runbooks/restart.sh.asc"
	result, err := s.run(context.Background(), path, policy.Request{
		Path:      path,
		Caller:    policy.Caller{Kind: "os-user", ID: "os:alice", GroupsComplete: true},
		Worker:    policy.Worker{ID: "worker-1", Group: "web", OS: "linux"},
		Arguments: []policy.Argument{{Name: "Service", Value: "nginx"}},
		Now:       time.Now(),
	})
	fmt.Println("exit code:", worker.ExitCode(result, err))
}
