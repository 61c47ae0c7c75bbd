package policy

import (
	"bytes"
	"context"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/topdown"
)

const (
	// maxSteps is how many steps of an evaluation are kept, and maxStep how long the
	// line of one may be.
	maxSteps = 5_000
	maxStep  = 1_000
)

// stepLog keeps the first steps of an evaluation.
type stepLog struct {
	mu     sync.Mutex // a policy that did not answer in time may go on
	events []*topdown.Event
}

// Enabled says that steps are wanted.
func (*stepLog) Enabled() bool { return true }

// Config asks for the values of variables.
func (*stepLog) Config() topdown.TraceConfig { return topdown.TraceConfig{PlugLocalVars: true} }

// TraceEvent keeps one step.
func (l *stepLog) TraceEvent(e topdown.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.events) <= maxSteps {
		l.events = append(l.events, &e)
	}
}

// lines are the steps as text: file and line, what was evaluated, and with which
// values.
func (l *stepLog) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.events) == 0 {
		return nil
	}
	var b bytes.Buffer
	topdown.PrettyTraceWithOpts(&b, l.events[:min(len(l.events), maxSteps)], topdown.PrettyTraceOptions{Locations: true, ExprVariables: true})
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line[:min(len(line), maxStep)], " ")
	}
	if len(l.events) > maxSteps {
		lines = append(lines, "more steps than these are left out")
	}
	return lines
}

// ExplainSteps explains as Explain does, with each step of the evaluation, which
// takes about ten times as long.
func (e *Engine) ExplainSteps(ctx context.Context, in Input) (Explanation, error) {
	var steps stepLog
	x, err := e.Trace(ctx, in, &steps)
	if x.Steps = steps.lines(); len(x.Input.Redacted) > 0 {
		x.Steps = []string{"the steps are left out: they would show the values of secret parameters"}
	}
	return x, err
}
