//go:build linux

package worker_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/worker"
)

// One worker is for any number of goroutines. Each run gets its own output, lines,
// states and logs, also where others are stopped, fail to deliver, or are refused.
func TestOneWorkerServesManyGoroutines(t *testing.T) {
	t.Parallel()
	dir, logs := withLogs(t, 0)
	g := newGate(t, logs)
	const runs, atOnce = 24, 8
	verified := g.verify("r.sh", "echo \"$HOME\"; echo \"WARNING: $HOME\"; echo \"$HOME\" >&2\n")
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i := range runs {
		decision := g.record(verified)
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var out, told strings.Builder // each for one run: the race detector watches
			var states []worker.State
			job := worker.Job{
				Decision: decision, Runbook: verified, Stdout: &out,
				OnLine:  func(l worker.Line) { _, _ = fmt.Fprintf(&told, "%s: %s\n", l.Stream, l.Text) },
				OnState: func(s worker.State) { states = append(states, s) },
			}
			switch i % 4 {
			case 1: // stopped as soon as it says something
				job.OnState = nil
				job.OnLine = func(worker.Line) { cancel() }
			case 2: // asked for twice, at the same time
				if n := startedOf(ctx, g, job, job); n != 1 {
					t.Errorf("run %d: one permit was good for %d runs", i, n)
				}
				return
			}
			res, err := g.worker.Run(ctx, job)
			if err != nil || res.Start == 0 || res.End == 0 {
				t.Errorf("run %d: %v, %+v", i, err, res)
				return
			}
			held, err := os.ReadFile(res.StdoutLog.Path)
			if err != nil || string(held) != out.String() || res.StdoutDigest != runbook.DigestOf(held) {
				t.Errorf("run %d: %v, the log holds %q, delivered was %q", i, err, held, out.String())
			}
			if i%4 == 1 {
				if state := worker.StateOf(res, err); state != worker.Stopped && state != worker.Completed {
					t.Errorf("run %d: %s", i, state)
				}
				return
			}
			l := lines(out.String())
			home := l[0]
			for _, line := range []string{"Output: " + home, "Warning: WARNING: " + home, "Error: " + home} {
				if strings.Count(told.String(), line+"\n") != 1 {
					t.Errorf("run %d: told %q, want %q", i, told.String(), line)
				}
			}
			if len(states) != 3 || states[2] != worker.Completed || res.Lines != (worker.LineCounts{Output: 1, Error: 1, Warning: 1}) {
				t.Errorf("run %d: %v, %+v", i, states, res.Lines)
			}
		})
	}
	wg.Wait()
	g.nothingLeft()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".part") {
			t.Errorf("%s was left", e.Name())
		}
	}
	if types, _ := g.records(); len(types) < runs {
		t.Errorf("%d records", len(types))
	}
}

// startedOf runs jobs at the same time, without their callbacks, and says how many of
// them were started.
func startedOf(ctx context.Context, g *gate, jobs ...worker.Job) int {
	var started atomic.Int64
	var wg sync.WaitGroup
	for _, job := range jobs {
		job.Stdout, job.OnLine, job.OnState = nil, nil, nil
		wg.Go(func() {
			if res, _ := g.worker.Run(ctx, job); res.Started {
				started.Add(1)
			}
		})
	}
	wg.Wait()
	return int(started.Load())
}
