//go:build linux

// Command agent runs the jobs that it finds in a queue, several at a time, behind
// the gate.
//
//	agent -queue DIR -runbooks DIR -trust DIR -policy DIR -ledger FILE -group NAME [-jobs N]
//
// It is honest about crashes: a job is claimed, on disk, before it starts, and a
// claim is never taken back. What an agent that died left claimed ends as Lost and
// does not run again; who wants it to run submits it anew. README.md describes the
// queue.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/runwrit/writ/worker"
)

// interval is how often the agent looks for new jobs and for jobs to be stopped.
const interval = 200 * time.Millisecond

func main() {
	stage := worker.Enter(os.Exit) // first of all: here begins each job that the worker starts, too
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, stage, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

// run works until ctx ends, which ends the jobs, too.
func run(ctx context.Context, stage worker.Stage, args []string) error {
	s := settings{stage: stage}
	flags := flag.NewFlagSet("agent", flag.ContinueOnError)
	dir := flags.String("queue", "", "queue, a `folder`")
	jobs := flags.Int("jobs", 4, "how many jobs run at a time")
	flags.StringVar(&s.runbooks, "runbooks", "", "signed runbooks, a `folder`")
	flags.StringVar(&s.trust, "trust", "", "trust store, a `folder`")
	flags.StringVar(&s.policy, "policy", "", "policy, a `folder`")
	flags.StringVar(&s.ledger, "ledger", "", "ledger, a `file`")
	flags.StringVar(&s.group, "group", "", "worker group, a `name`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || *jobs < 1 {
		return fmt.Errorf("want flags only, and -jobs of 1 or more")
	}
	q, err := openQueue(*dir)
	if err != nil {
		return err
	}
	defer q.close()
	g, err := openGate(s)
	if err != nil {
		return err
	}
	defer g.close()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	a := &agent{queue: q, run: g.run, slots: *jobs, tick: ticker.C}
	return a.work(ctx)
}
