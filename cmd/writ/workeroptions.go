package main

import (
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/worker"
)

// workerOptions adds what the configuration says of how runbooks are run.
func workerOptions(o *runOptions, w worker.Options) worker.Options {
	if o.worker == nil {
		return w
	}
	w.User = o.worker.Run.User
	w.Interpreters = map[runbook.Kind]worker.Interpreter{}
	for kind, row := range o.worker.Interpreters {
		w.Interpreters[runbook.Kind(kind)] = worker.Interpreter{Program: row.Program, Options: row.Options}
	}
	return w
}
