//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/runwrit/writ/worker"
)

// agent takes jobs out of its queue.
type agent struct {
	queue *queue
	run   func(context.Context, job, *outputs) (worker.Result, error)
	slots int
	tick  <-chan time.Time

	running map[string]context.CancelFunc // by the job's name
	ended   chan finished
}

type finished struct {
	name string
	err  error // of the queue: the job's own are in its result
}

// work runs jobs until ctx ends; then it tells those that run to end, and waits
// for them. An error of the queue ends it as well: an agent that cannot write down
// what it did must not do more.
func (a *agent) work(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.running, a.ended = map[string]context.CancelFunc{}, make(chan finished)
	err := a.closeLost()
	for err == nil && ctx.Err() == nil {
		if err = a.startWaiting(ctx); err != nil {
			break
		}
		select {
		case <-ctx.Done():
		case <-a.tick:
			a.stopAsked()
		case f := <-a.ended:
			err = a.forget(f)
		}
	}
	cancel()
	for len(a.running) > 0 {
		err = errors.Join(err, a.forget(<-a.ended))
	}
	return err
}

// closeLost ends the jobs that an agent before this one had claimed. They may have
// run, wholly or in part: the ledger knows. They are never run again.
func (a *agent) closeLost() error {
	names, err := a.queue.list(folderRunning)
	for _, name := range names {
		err = errors.Join(err, a.queue.finish(name, report{State: stateLost, Error: "the agent ended before the job did"}))
	}
	return err
}

// startWaiting claims jobs and starts them while there are slots.
func (a *agent) startWaiting(ctx context.Context) error {
	names, err := a.queue.list(folderNew)
	if err != nil {
		return err
	}
	for _, name := range names {
		if len(a.running) >= a.slots {
			return nil
		}
		if _, busy := a.running[name]; busy {
			continue // the same name again: it is refused once that one has ended
		}
		j, err := a.queue.claim(name)
		var refused *jobError
		switch {
		case errors.Is(err, errTaken):
			fmt.Fprintf(os.Stderr, "agent: job %s was there before and does not run again\n", name)
		case errors.As(err, &refused):
			if err := a.queue.finish(name, report{State: stateFailed, Error: refused.Error()}); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			a.start(ctx, name, j)
		}
	}
	return nil
}

func (a *agent) start(ctx context.Context, name string, j job) {
	ctx, cancel := context.WithCancel(ctx)
	a.running[name] = cancel
	go func() {
		a.ended <- finished{name, a.runOne(ctx, name, j)}
	}()
}

// runOne runs a job that is claimed and writes down what came of it.
func (a *agent) runOne(ctx context.Context, name string, j job) error {
	out, err := a.queue.outputs(name)
	if err != nil {
		return err
	}
	result, failed := a.run(ctx, j, out)
	return errors.Join(out.close(), a.queue.finish(name, newReport(result, failed)))
}

func (a *agent) forget(f finished) error {
	a.running[f.name]()
	delete(a.running, f.name)
	return f.err
}

// stopAsked ends the jobs that somebody wants to be stopped: Run sends SIGTERM,
// and after its grace SIGKILL.
func (a *agent) stopAsked() {
	for name, cancel := range a.running {
		if a.queue.stopWanted(name) {
			cancel()
		}
	}
}
