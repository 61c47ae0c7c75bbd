//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
	"github.com/runwrit/writ/worker"
	"github.com/runwrit/writ/worker/identity"
)

// settings say where everything is.
type settings struct {
	runbooks, trust, policy, ledger, group string
	stage                                  worker.Stage
}

// gate is what all jobs go through. All of its parts are safe for several at a
// time.
type gate struct {
	runbooks string
	verifier *verifier.Verifier
	engine   *policy.Engine
	book     *ledger.Ledger
	worker   *worker.Worker
	request  policy.Request
}

func openGate(s settings) (*gate, error) {
	g := &gate{}
	store, err := verifier.OpenTrust(s.trust, verifier.TrustOptions{Guarded: true})
	if err != nil {
		return nil, err
	}
	if g.verifier, err = verifier.New(store, verifier.Options{Formats: []verifier.Format{format.NewClearsign(), format.NewAuthenticode()}}); err != nil {
		return nil, err
	}
	if g.engine, err = policy.Load(s.policy, policy.LoadOptions{Guarded: true}); err != nil {
		return nil, err
	}
	if g.runbooks, err = filepath.Abs(s.runbooks); err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	// Only the user of this process may write the queue: so it is who asks.
	caller, err := identity.ProcessCaller()
	if err != nil {
		return nil, err
	}
	g.request = policy.Request{Caller: caller, Worker: policy.Worker{ID: host, Group: s.group, OS: runtime.GOOS}}
	if g.book, err = ledger.Open(s.ledger, ledger.Options{}); err != nil {
		return nil, err
	}
	if g.worker, err = worker.New(worker.Options{Ledger: g.book, Stage: s.stage}); err != nil {
		return nil, errors.Join(err, g.book.Close())
	}
	return g, nil
}

func (g *gate) close() { _ = g.book.Close() } // every record was synced when it was written

// run takes one job through the gate: read once, verify, decide, record, run.
func (g *gate) run(ctx context.Context, j job, out *outputs) (worker.Result, error) {
	request, path := g.request, filepath.Join(g.runbooks, j.Runbook)
	request.Path, request.Arguments = filepath.ToSlash(path), argumentsOf(j)
	rb, err := runbook.ReadFile(path, false)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%q: %w", path, worker.ErrNoRunbook)
	}
	if err != nil {
		return worker.Result{}, err
	}
	if request.LastRecord, err = g.book.LastTime(ctx); err != nil {
		return worker.Result{}, err
	}
	request.Now = time.Now()
	var seen *verifier.Report
	var input policy.Input
	verified, err := g.verifier.Verify(ctx, rb)
	var unverified *verifier.UnverifiedError
	switch {
	case err == nil:
		seen = verified.Report()
		input, err = policy.NewInput(verified, request)
	case errors.As(err, &unverified): // it will be denied, and that is recorded
		seen = unverified.Report
		input, err = policy.NewReportInput(seen, request)
	}
	if err != nil {
		return worker.Result{}, err
	}
	recorded, err := g.worker.Record(ctx, worker.Evidence{Report: seen, Input: input, Decision: g.engine.Decide(ctx, input)})
	if err != nil {
		return worker.Result{}, err
	}
	return g.worker.Run(ctx, worker.Job{Decision: recorded, Runbook: verified, Stdout: out.stdout, Stderr: out.stderr})
}

// argumentsOf sorts the parameters by name: the same job asks the same question.
func argumentsOf(j job) []policy.Argument {
	var list []policy.Argument
	for name, value := range j.Parameters {
		list = append(list, policy.Argument{Name: name, Value: value})
	}
	slices.SortFunc(list, func(a, b policy.Argument) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	for _, value := range j.Arguments {
		list = append(list, policy.Argument{Value: value})
	}
	return list
}

// States of a job that is done, beside those of worker.StateOf.
const (
	stateFailed = string(worker.Failed)
	stateLost   = "Lost" // the agent died: the ledger says how far the job came
)

// report is what the agent writes down about a job.
type report struct {
	State string `json:"state"`
	Error string `json:"error"` // why there is no result of a run
	// Result is the document of docs/formats/result.md; null where nothing ran.
	Result json.RawMessage `json:"result"`
}

func newReport(result worker.Result, failed error) report {
	r := report{State: string(worker.StateOf(result, failed))}
	if failed != nil {
		r.Error = failed.Error()
	}
	var err error
	if r.Result, err = worker.EncodeResult(result, failed); err != nil {
		r.Error = errors.Join(failed, err).Error()
	}
	return r
}
