//go:build linux

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
	ledger   *ledger.Ledger
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
	return &service{v, engine, book, w}, nil
}

// prepare reads, verifies, decides and records. Each step needs the value that the
// step before made. A file that is not valid gets as far as the ledger.
func (s *service) prepare(ctx context.Context, path string, request policy.Request) (worker.Job, error) {
	rb, err := runbook.ReadFile(path, false)
	if err != nil {
		return worker.Job{}, err
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
		return worker.Job{}, err
	}
	decision := s.engine.Decide(ctx, input)
	recorded, err := s.worker.Record(ctx, worker.Evidence{Report: report, Input: input, Decision: decision})
	if err != nil {
		return worker.Job{}, err // not recorded: nothing runs
	}
	return worker.Job{Decision: recorded, Runbook: verified}, nil
}

// run is the whole way: Run takes what was recorded, and refuses what was denied.
func (s *service) run(ctx context.Context, path string, request policy.Request) (worker.Result, error) {
	job, err := s.prepare(ctx, path, request)
	if err != nil {
		return worker.Result{}, err
	}
	job.Stdout, job.Stderr = os.Stdout, os.Stderr
	return s.worker.Run(ctx, job)
}

// request is what somebody asks for on this machine.
func (m *machine) request(path string, arguments ...policy.Argument) policy.Request {
	return policy.Request{
		Path: path, Caller: m.user, Worker: policy.Worker{ID: "worker-1", Group: "web", OS: "linux"},
		Arguments: arguments, Now: time.Now(),
	}
}

// A worker of one's own.
func Example() {
	stage := worker.Enter(os.Exit) // first of all in main: here begins what the worker starts, too
	m := newMachine()
	defer m.remove()
	path := m.sign("restart.sh", "echo restarting \"${1#--Service=}\"\n")

	s, err := newService(stage, m.path("trust"), m.path("policy"), m.path("ledger.jsonl"))
	if err != nil {
		fmt.Println("the service does not start:", err)
		return
	}
	defer func() { _ = s.ledger.Close() }() // every record was synced when it was written
	result, err := s.run(context.Background(), path, m.request(path, policy.Argument{Name: "Service", Value: "nginx"}))
	fmt.Println("exit code", worker.ExitCode(result, err))
	fmt.Println(worker.StateOf(result, err))
	// Output:
	// restarting nginx
	// exit code 0
	// Completed
}

// A file that was changed after it was signed is denied, and that is in the ledger.
func ExampleExitCode() {
	stage := worker.Enter(os.Exit)
	m := newMachine()
	defer m.remove()
	path := m.sign("restart.sh", "echo restarting\n")
	text, err := os.ReadFile(path)
	must(err)
	m.write("library/restart.sh.asc", append([]byte("# note\n"), text...))

	s, err := newService(stage, m.path("trust"), m.path("policy"), m.path("ledger.jsonl"))
	must(err)
	defer func() { _ = s.ledger.Close() }()
	result, err := s.run(context.Background(), path, m.request(path))
	var denied *worker.DeniedError
	if errors.As(err, &denied) {
		fmt.Println(denied.Verdict)
	}
	fmt.Println("exit code", worker.ExitCode(result, err))
	fmt.Println(worker.Exception(result, err))
	fmt.Println("decision in record", result.Decision)
	// Output:
	// malformed
	// exit code 126
	// The runbook signature is invalid.
	// decision in record 1
}

// What a runbook writes, line by line, and the states of its job: both are told from
// other goroutines. The password is secret by the rule that lets the runbook run.
func ExampleWorker_Run() {
	stage := worker.Enter(os.Exit)
	m := newMachine()
	defer m.remove()
	path := m.sign("login.sh", "echo logging in with $(cat \"$WRIT_PARAMETERS\")\necho 'WARNING: the password is old'\n")

	s, err := newService(stage, m.path("trust"), m.path("policy"), m.path("ledger.jsonl"))
	must(err)
	defer func() { _ = s.ledger.Close() }()
	ctx := context.Background()
	job, err := s.prepare(ctx, path, m.request(path, policy.Argument{Name: "Password", Value: "hunter2"}))
	must(err)
	var states []worker.State
	job.OnState = func(state worker.State) { states = append(states, state) }
	job.OnLine = func(l worker.Line) { fmt.Println(l.Stream+":", l.Text) }
	result, err := s.worker.Run(ctx, job)
	must(err)
	fmt.Println(states)
	fmt.Println(result.Lines.Warning, "warning,", result.StdoutBytes, "bytes")
	// Output:
	// Output: logging in with {"Password":"***"}
	// Warning: WARNING: the password is old
	// [Queued Running Completed]
	// 1 warning, 64 bytes
}

// The end of the context ends the run, and everything that it has started.
func ExampleWorker_Run_stop() {
	stage := worker.Enter(os.Exit)
	m := newMachine()
	defer m.remove()
	path := m.sign("wait.sh", "echo waiting\nsleep 1000 & wait\n")

	s, err := newService(stage, m.path("trust"), m.path("policy"), m.path("ledger.jsonl"))
	must(err)
	defer func() { _ = s.ledger.Close() }()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	job, err := s.prepare(ctx, path, m.request(path))
	must(err)
	job.OnLine = func(worker.Line) { stop() }
	result, err := s.worker.Run(ctx, job)
	fmt.Println(worker.StateOf(result, err), worker.ExitCode(result, err), result.Canceled, err)
	// Output:
	// Stopped 143 true <nil>
}
