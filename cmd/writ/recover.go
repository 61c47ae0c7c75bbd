package main

import (
	"context"

	"github.com/runwrit/writ/worker"
)

// runsDir is the register of runs of the ledger at path.
func runsDir(path string) string { return path + ".runs" }

// recoverLost closes the runs whose gate was killed. That is no condition of this
// run: what goes wrong is said, and the next run tries again.
func (a *app) recoverLost(ctx context.Context, w *worker.Worker) {
	found, err := w.Recover(ctx)
	if err != nil {
		a.note("%v", err)
	}
	for _, start := range found.Lost {
		a.note("the run of start %d was lost: its gate ended before it; the ledger says so now", start)
	}
	for _, why := range found.Left {
		a.note("a lost run was not closed: %s", why)
	}
}
