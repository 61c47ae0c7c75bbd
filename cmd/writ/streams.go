package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/runwrit/writ/worker"
)

// streamFile is the file of --streams: it grows while the runbook runs. Its last line
// is the state in which the job ended; a file without that is not whole.
type streamFile struct {
	now func() time.Time

	mu   sync.Mutex
	file *os.File
	err  error // the first one; nothing is written after it
}

// newStreamFile makes the file at path, in the place of the one that may be there;
// nil for "".
func newStreamFile(path string, now func() time.Time) (*streamFile, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // nobody wants it
	}
	if err := checkTarget("--streams", path); err != nil {
		return nil, err
	}
	file, err := tempBeside(path)
	if err != nil {
		return nil, fmt.Errorf("prepare the file of --streams: %w", err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		discard(file)
		return nil, fmt.Errorf("prepare the file of --streams: %w", err)
	}
	return &streamFile{now: now, file: file}, nil
}

// addTo makes a job tell the file what it writes.
func (s *streamFile) addTo(job *worker.Job) {
	if s == nil {
		return
	}
	job.OnLine = func(l worker.Line) { s.write(worker.EncodeLine(l)) }
	job.OnState = func(state worker.State) {
		if !state.Final() { // close writes that
			s.write(worker.EncodeState(s.now(), state))
		}
	}
}

func (s *streamFile) write(line []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		if s.err = err; err == nil {
			_, s.err = s.file.Write(line)
		}
	}
}

// close writes the last line, and notes in the outcome what went wrong.
func (s *streamFile) close(o *runOutcome) {
	if s == nil {
		return
	}
	s.write(worker.EncodeState(s.now(), worker.StateOf(o.result, o.err)))
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.file.Close()
	if s.err == nil {
		s.err = err
	}
	if s.err != nil {
		o.result.Warnings = append(o.result.Warnings, fmt.Sprintf("the file of --streams is not whole: %v", s.err))
	}
}

// runLogs says where the output of runs is kept: as the configuration or the flag
// says.
func (o *runOptions) runLogs() (worker.Logs, error) {
	if o.worker != nil {
		if l := o.worker.Logs; l != nil {
			return worker.Logs{Dir: l.Dir, MaxBytes: l.MaxBytes, KeepRuns: l.KeepRuns, KeepDays: l.KeepDays}, nil
		}
		return worker.Logs{}, nil
	}
	if o.logs == "" {
		return worker.Logs{}, nil
	}
	dir, err := filepath.Abs(o.logs)
	return worker.Logs{Dir: dir}, err
}
