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
	s := o.worker.Run.Sandbox
	w.Sandbox = worker.Sandbox{Read: s.Read, Write: s.Write, Cgroup: s.Cgroup, Limits: worker.Limits{
		Memory: s.Limits.Memory, FileSize: s.Limits.FileSize, Temp: s.Limits.Tmp,
		Processes: s.Limits.Processes, OpenFiles: s.Limits.OpenFiles, CPU: s.Limits.CPU,
	}}
	w.Interpreters = map[runbook.Kind]worker.Interpreter{}
	for kind, row := range o.worker.Interpreters {
		w.Interpreters[runbook.Kind(kind)] = worker.Interpreter{Program: row.Program, Options: row.Options}
	}
	return w
}
