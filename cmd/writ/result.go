package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/runwrit/writ/worker"
)

// checkOutputs refuses a file of --result or --streams that would take the place of
// what the run reads or writes.
func checkOutputs(o *runOptions) error {
	others := []struct{ what, path string }{{"the runbook", o.path}, {"the ledger", o.ledger}, {"the configuration", o.config.path}, {"the token", o.token}}
	for _, file := range []struct{ flag, path string }{{"--result", o.result}, {"--streams", o.streams}} {
		if file.path == "" {
			continue
		}
		for _, other := range others {
			if samePlace(file.path, other.path) {
				return usagef("%s %q is %s itself", file.flag, file.path, other.what)
			}
		}
		others = append(others, struct{ what, path string }{"the file of " + file.flag, file.path})
	}
	return nil
}

// samePlace says whether two paths name one file, be it there already or not.
func samePlace(a, b string) bool {
	infoA, errA := os.Lstat(a)
	infoB, errB := os.Lstat(b)
	if errA == nil && errB == nil {
		return os.SameFile(infoA, infoB)
	}
	dirA, errA := os.Stat(filepath.Dir(a))
	dirB, errB := os.Stat(filepath.Dir(b))
	return errA == nil && errB == nil && os.SameFile(dirA, dirB) && filepath.Base(a) == filepath.Base(b)
}

// resultSpace is set aside before a run for what there will be to say of it.
const resultSpace = 16 << 10

// resultFile is the file of --result. Its place and its space are made before
// anything runs, so that a run whose outcome could not be told does not begin.
type resultFile struct {
	path string
	temp *os.File
}

// newResultFile makes the file for path; nil for "".
func newResultFile(path string) (*resultFile, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // nobody wants it
	}
	if err := checkTarget("--result", path); err != nil {
		return nil, err
	}
	temp, err := tempBeside(path)
	if err != nil {
		return nil, err
	}
	if _, err := temp.WriteAt(make([]byte, resultSpace), 0); err != nil {
		discard(temp)
		return nil, err
	}
	// The result of an earlier run must not be taken for this one's, if the gate is killed.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		discard(temp)
		return nil, err
	}
	return &resultFile{path, temp}, nil
}

func (f *resultFile) write(o runOutcome) error {
	if f == nil {
		return nil
	}
	data, err := worker.EncodeResult(o.result, o.err)
	if err != nil {
		discard(f.temp)
		return err
	}
	return finish(f.temp, f.path, data)
}
