package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/runwrit/writ/worker"
)

// maxStreams is how much is written of what a runbook says: it must not fill the disk
// on which the ledger is.
const maxStreams = 256 << 20

// streamFile is the file of --streams: it grows while the runbook runs. Its last line
// is the state in which the job ended; a file without that is not whole.
type streamFile struct {
	now   func() time.Time
	limit int64

	mu      sync.Mutex
	file    *os.File
	size    int64
	leftOut int64 // lines that came when it was full
	err     error // the first one; nothing is written after it
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
	return &streamFile{now: now, limit: maxStreams, file: file}, nil
}

// addTo makes a job tell the file what it writes.
func (s *streamFile) addTo(job *worker.Job) {
	if s == nil {
		return
	}
	job.OnLine = s.line
	job.OnState = func(state worker.State) {
		if !state.Final() { // close writes that
			s.mu.Lock()
			defer s.mu.Unlock()
			s.put(worker.EncodeState(s.now(), state))
		}
	}
}

func (s *streamFile) line(l worker.Line) {
	entry, err := worker.EncodeLine(l)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leftOut > 0 || s.size+int64(len(entry)) > s.limit {
		s.leftOut++
		return
	}
	s.put(entry, err)
}

// put writes an entry; the caller holds mu.
func (s *streamFile) put(entry []byte, err error) {
	if s.err == nil && err == nil {
		_, err = s.file.Write(entry)
		s.size += int64(len(entry))
	}
	if s.err == nil {
		s.err = err
	}
}

// close writes the last entries, and notes in the outcome what went wrong.
func (s *streamFile) close(o *runOutcome) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leftOut > 0 {
		s.put(fmt.Appendf(nil, "{\"left_out\":%d}\n", s.leftOut), nil)
		o.result.Warnings = append(o.result.Warnings, fmt.Sprintf("the file of --streams is full: %d lines are left out", s.leftOut))
	}
	s.put(worker.EncodeState(s.now(), worker.StateOf(o.result, o.err)))
	if err := s.file.Close(); s.err == nil {
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
