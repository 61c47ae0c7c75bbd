package worker

import (
	"errors"
	"path/filepath"

	"github.com/runwrit/writ/internal/joblog"
	"github.com/runwrit/writ/runbook"
)

// DefaultMaxLog is how much of one stream of a run is kept.
const DefaultMaxLog = 10 << 20

// Logs says where the output of runs is kept, byte by byte but for masked secrets: a
// file for each stream of each run. Its zero value keeps none.
type Logs struct {
	// Dir is the folder, absolute; "" for no logs. It must exist, and nobody but root
	// and the current user may write it. If a log cannot be made, nothing runs.
	Dir string
	// MaxBytes is how much of one stream is kept; DefaultMaxLog if 0.
	MaxBytes int64
	// KeepRuns and KeepDays say which logs stay: those of the last runs, those that are
	// not older; 0 for all. The others are removed after each run.
	KeepRuns, KeepDays int
}

// problem says why the logs cannot be kept as they should; nil if they can.
func (l Logs) problem() error {
	switch {
	case l == (Logs{}):
		return nil
	case !filepath.IsAbs(l.Dir):
		return &LogError{l.Dir, errors.New("want the absolute path of a folder")}
	case l.MaxBytes < 0 || l.KeepRuns < 0 || l.KeepDays < 0:
		return &LogError{l.Dir, errors.New("less than nothing cannot be kept")}
	}
	return nil
}

// Log is the file that holds what a runbook wrote to one stream.
type Log struct {
	// Path is where it is; "" if there is none. The name ends in ".part" if it could
	// not be finished: then a warning says why.
	Path string
	// Bytes is how many bytes of the stream it holds, from the first one.
	Bytes int64
	// Cut says that the stream has more, and that the file ends with a mark that says so.
	Cut bool
	// Digest is that of the file.
	Digest runbook.Digest
}

func logOf(f *joblog.Facts) Log {
	if f == nil {
		return Log{}
	}
	return Log{Path: f.Path, Bytes: f.Bytes, Cut: f.Cut, Digest: f.Digest}
}

// runLogs are the logs of one run; nil for none.
type runLogs struct {
	folder         *joblog.Folder
	stdout, stderr *joblog.Log
	keep           joblog.Keep
}

// openLogs makes the logs of a run. It fails with *LogError.
func openLogs(p *plan) (_ *runLogs, err error) {
	if p.logs.Dir == "" {
		return nil, nil //nolint:nilnil // no logs are no error
	}
	l := &runLogs{keep: joblog.Keep{Runs: p.logs.KeepRuns, Days: p.logs.KeepDays}}
	if l.folder, err = joblog.Open(p.logs.Dir); err != nil {
		return nil, &LogError{p.logs.Dir, err}
	}
	limit := p.logs.MaxBytes
	if limit == 0 {
		limit = DefaultMaxLog
	}
	name := joblog.Name(p.now(), p.decision.seq)
	if l.stdout, err = l.folder.Create(name, "stdout", limit); err == nil {
		if l.stderr, err = l.folder.Create(name, "stderr", limit); err == nil {
			return l, nil
		}
		l.stdout.Discard()
	}
	l.folder.Close()
	return nil, &LogError{p.logs.Dir, err}
}

// tidy removes old logs, and says what went wrong.
func (l *runLogs) tidy(p *plan) (problem string) {
	err := l.folder.Prune(l.keep, p.now())
	l.folder.Close()
	if err != nil {
		return "old logs could not be removed: " + err.Error()
	}
	return ""
}
