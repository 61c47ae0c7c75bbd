// Command writ signs runbooks, verifies them, decides whether they may run, and
// runs exactly the bytes that it verified.
//
// This package holds no logic of its own: it reads flags, calls the packages
// that do the work, and turns what they return into output and one exit code.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	_ "github.com/runwrit/writ/internal/quickstart" // what is initialised at each start is kept
	"github.com/runwrit/writ/worker"
	_ "github.com/runwrit/writ/worker/early" // a stage does not need what the gate does
)

func main() {
	stage := worker.Enter(os.Exit) // first of all: this program is also what starts a runbook
	ownZones()
	ctx, stop := signal.NotifyContext(context.Background(), endSignals()...)
	a := newApp()
	a.stage = stage
	code := execute(ctx, a, commandLine(os.Args[0], os.Args[1:]))
	stop()
	os.Exit(code)
}

// endSignals are those that ask writ to end. Each by itself would end it before
// the end of a run is recorded, and the runtime's own way with SIGQUIT is exit
// code 2. Under nohup SIGHUP stays ignored.
func endSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}
