package policy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

// evaluators are the goroutines on which queries are evaluated. They are kept
// for a while: to grow the stack of a new one takes as long as a decision.
type evaluators struct {
	idle   chan func()
	within time.Duration // of one evaluation
}

func newEvaluators() evaluators {
	return evaluators{idle: make(chan func()), within: evalDeadline}
}

// run starts f on an idle goroutine, or on a new one.
func (p evaluators) run(f func()) {
	select {
	case p.idle <- f:
	default:
		go p.serve(f)
	}
}

func (p evaluators) serve(f func()) {
	unused := time.NewTimer(evaluatorLife)
	defer unused.Stop()
	for {
		f()
		unused.Reset(evaluatorLife)
		select {
		case f = <-p.idle:
		case <-unused.C:
			return
		}
	}
}

// evaluate returns the one value that a query has, within the deadline;
// everything else is an error. OPA does not stop a function that computes for
// long on one huge number: then its goroutine is left behind.
func (p evaluators) evaluate(ctx context.Context, q *rego.PreparedEvalQuery, value ast.Value, options ...rego.EvalOption) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	type answer struct {
		results rego.ResultSet
		err     error
	}
	done := make(chan answer, 1)
	p.run(func() {
		var a answer
		defer func() {
			if r := recover(); r != nil {
				a = answer{err: fmt.Errorf("the policy engine stopped: %v", r)}
			}
			done <- a
		}()
		a.results, a.err = q.Eval(ctx, append(options, rego.EvalParsedInput(value))...)
	})
	var a answer
	select {
	case a = <-done:
	case <-ctx.Done():
	}
	results, err := a.results, a.err
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("the policy did not answer in time: %v", ctx.Err())
	case err != nil:
		return nil, fmt.Errorf("evaluate the policy: %v", err)
	case len(results) != 1 || len(results[0].Expressions) != 1 || len(results[0].Bindings) != 0:
		return nil, errors.New("the policy gave no single answer")
	}
	return results[0].Expressions[0].Value, nil
}
