package config

import "go.yaml.in/yaml/v3"

// Logs says where the output of runs is kept, and how much of it.
type Logs struct {
	Dir string // absolute
	// MaxBytes is how much of one stream of a run is kept; 0 where the worker's own
	// limit holds.
	MaxBytes int64
	// KeepRuns and KeepDays say what stays; 0 for all, and for ever.
	KeepRuns, KeepDays int
}

// Bounds of logs.
const (
	minLog      = 1 << 10
	maxKeepRuns = 1_000_000
	maxKeepDays = 36_500
)

func (t *tree) logs(n *yaml.Node) *Logs {
	f := t.Fields(n, "logs", "dir", "max_bytes", "keep")
	l := &Logs{Dir: t.Word(t.Need(f, n, "logs", "dir"), "logs.dir", pathProblem)}
	if v := f["max_bytes"]; v != nil {
		l.MaxBytes = t.size(v, "logs.max_bytes", minLog)
	}
	if v := f["keep"]; v != nil {
		t.keep(v, l)
	}
	return l
}

func (t *tree) keep(n *yaml.Node, l *Logs) {
	f := t.Fields(n, "logs.keep", "runs", "days")
	if len(f) == 0 && n.Kind == yaml.MappingNode {
		t.Problem(n, "logs.keep", "says nothing: give runs or days")
	}
	if v := f["runs"]; v != nil {
		l.KeepRuns = t.Number(v, "logs.keep.runs", 1, maxKeepRuns)
	}
	if v := f["days"]; v != nil {
		l.KeepDays = t.Number(v, "logs.keep.days", 1, maxKeepDays)
	}
}
