//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// The folders of a queue. A job is a file in one of the first two, or has a result
// in the last.
const (
	folderNew     = "new"
	folderRunning = "running"
	folderStop    = "stop"
	folderDone    = "done"
)

const (
	maxJob    = 64 << 10
	maxOutput = 8 << 20 // of each stream, kept; what is beyond is counted in the result and lost
)

// nameForm is that of a job's name; its file is NAME.json. Whatever else lies in
// the queue is left alone.
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// errTaken says that there is, or was, a job of this name.
var errTaken = errors.New("there was a job of this name")

// jobError says that what was submitted is no job.
type jobError struct{ Reason string }

func (e *jobError) Error() string { return "not a job: " + e.Reason }

// job is what somebody submits.
type job struct {
	Runbook    string            `json:"runbook"` // the name of a file
	Parameters map[string]string `json:"parameters"`
	Arguments  []string          `json:"arguments"`
}

type queue struct {
	dir  string
	lock *os.File
}

// openQueue makes the folders and takes the lock: one agent works on a queue. It
// refuses one that anybody else may write: who can submit asks as this process's user.
func openQueue(dir string) (*queue, error) {
	for _, name := range []string{folderNew, folderRunning, folderStop, folderDone} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			return nil, err
		}
	}
	var about unix.Stat_t
	if err := unix.Stat(dir, &about); err != nil {
		return nil, err
	}
	if int(about.Uid) != os.Geteuid() || about.Mode&0o077 != 0 {
		return nil, fmt.Errorf("the queue %q is not for its user alone: chmod 700", dir)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another agent works on %q: %w", dir, err), lock.Close())
	}
	return &queue{dir, lock}, nil
}

func (q *queue) close() { _ = q.lock.Close() } // which gives the lock back

func (q *queue) path(folder, file string) string { return filepath.Join(q.dir, folder, file) }

// list returns the names of the jobs in a folder, sorted.
func (q *queue) list(folder string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(q.dir, folder))
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".json"); ok && nameForm.MatchString(name) {
			names = append(names, name)
		}
	}
	return names, err
}

// claim takes a job. When it returns, the claim is on disk. A link, other than a
// rename, never takes the place of a claim that is there, so no name is claimed
// twice; and what is done is looked for after that.
func (q *queue) claim(name string) (job, error) {
	file := name + ".json"
	err := os.Link(q.path(folderNew, file), q.path(folderRunning, file))
	if errors.Is(err, fs.ErrExist) {
		return job{}, errors.Join(errTaken, os.Remove(q.path(folderNew, file)))
	}
	if err == nil {
		err = q.sync(folderRunning)
	}
	if err == nil {
		err = os.Remove(q.path(folderNew, file))
	}
	if err != nil {
		return job{}, err
	}
	if _, err := os.Lstat(q.path(folderDone, file)); !errors.Is(err, fs.ErrNotExist) {
		return job{}, errors.Join(errTaken, os.Remove(q.path(folderRunning, file)))
	}
	return readJob(q.path(folderRunning, file))
}

// readJob is strict: a field that it does not know may have been meant to narrow
// what runs.
func readJob(path string) (job, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return job{}, &jobError{err.Error()}
	}
	defer func() { _ = f.Close() }() // was only read
	data, err := io.ReadAll(io.LimitReader(f, maxJob+1))
	if err != nil || len(data) > maxJob {
		return job{}, &jobError{fmt.Sprintf("want a file of at most %d bytes", maxJob)}
	}
	var j job
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return job{}, &jobError{err.Error()}
	}
	if d.More() || j.Runbook == "" || j.Runbook != filepath.Base(j.Runbook) || !filepath.IsLocal(j.Runbook) {
		return job{}, &jobError{"want one object, with the name of a runbook and no path"}
	}
	return j, nil
}

// finish writes the result, once, and then gives up the claim. After a crash in
// between the job is done and claimed: the next agent finds both and keeps the
// result.
func (q *queue) finish(name string, r report) error {
	file := name + ".json"
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	fresh := q.path(folderDone, "."+file)
	if err := writeSynced(fresh, append(data, '\n')); err != nil {
		return err
	}
	err = os.Link(fresh, q.path(folderDone, file))
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err == nil {
		err = q.sync(folderDone)
	}
	if err != nil {
		return err
	}
	_ = os.Remove(q.path(folderStop, name)) // nobody may have asked
	return errors.Join(os.Remove(fresh), os.Remove(q.path(folderRunning, file)))
}

func (q *queue) stopWanted(name string) bool {
	_, err := os.Lstat(q.path(folderStop, name))
	return err == nil
}

// sync brings the entries of a folder to the disk.
func (q *queue) sync(folder string) error {
	dir, err := os.Open(filepath.Join(q.dir, folder))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// outputs are the files done/NAME.out and done/NAME.err.
type outputs struct{ stdout, stderr *capped }

func (q *queue) outputs(name string) (*outputs, error) {
	stdout, err := os.Create(q.path(folderDone, name+".out"))
	if err != nil {
		return nil, err
	}
	stderr, err := os.Create(q.path(folderDone, name+".err"))
	if err != nil {
		return nil, errors.Join(err, stdout.Close())
	}
	return &outputs{&capped{f: stdout, left: maxOutput}, &capped{f: stderr, left: maxOutput}}, nil
}

func (o *outputs) close() error { return errors.Join(o.stdout.f.Close(), o.stderr.f.Close()) }

// capped keeps the beginning of what is written to it.
type capped struct {
	f    *os.File
	left int
}

func (c *capped) Write(p []byte) (int, error) {
	n, err := c.f.Write(p[:min(len(p), c.left)])
	c.left -= n
	if err != nil {
		return n, err
	}
	return len(p), nil
}
