package worker

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/runwrit/writ/internal/contain"
	"github.com/runwrit/writ/ledger"
)

// gateID names a process: no other one of the same start of the same machine has
// the same number and time.
type gateID struct {
	PID int `json:"pid"`
	// Started is in clock ticks after the start of the machine.
	Started uint64 `json:"started"`
	BootID  string `json:"boot_id"`
}

// registered is the content of the file that a run has in RunsDir while it is
// under way.
type registered struct {
	Version  int    `json:"version"`
	Decision uint64 `json:"decision"`
	Gate     gateID `json:"gate"`
	Folder   string `json:"folder"` // the private folder of the run
}

// newFolder chooses the path of a private folder: it is in the register before it
// is made, so that none is left that nobody knows of.
func (w *Worker) newFolder() string { return filepath.Join(w.tempDir, tempPrefix+rand.Text()) }

// maxRegistered is the largest such file.
const maxRegistered = 16 << 10

// Recovered is what Recover has found and done.
type Recovered struct {
	// Lost are the numbers of the starts that it gave an end.
	Lost []uint64 `json:"lost"`
	// Folders are the private folders that it removed.
	Folders []string `json:"folders"`
	// Running is how many runs are under way.
	Running int `json:"running"`
	// Left says what it could not mend, and why.
	Left []string `json:"left"`
}

// ErrNoHistory says that a worker cannot look for runs that were lost: it has no
// RunsDir, or its ledger cannot be read.
var ErrNoHistory = errors.New("no register of runs, or a ledger that cannot be read")

// history is a ledger that can be read, as a *ledger.Ledger.
type history interface {
	ScanFrom(ctx context.Context, seq uint64, visit func(ledger.Record) error) error
}

// Recover gives the runs whose gate ended before them an end in the ledger, with
// "lost" set, and removes their private folders. It looks at the register of
// runs alone, whatever the length of the ledger, and reads of that only what came
// after the decision of such a run. A run counts as lost if nobody holds its file
// in the register, and the process that the file names is gone: by number, time
// of start, and start of the machine. It is never run again.
func (w *Worker) Recover(ctx context.Context) (Recovered, error) {
	book, err := w.history()
	if err != nil {
		return Recovered{}, err
	}
	found, dead, err := w.abandoned(ctx)
	if err != nil {
		return found, &RecoverError{err}
	}
	for _, o := range dead {
		if err := w.recoverOne(ctx, book, o, &found); err != nil {
			found.Left = append(found.Left, fmt.Sprintf("the run of decision %d: %v", o.is.Decision, err))
		}
		_ = o.file.Close() // gives up its lock
	}
	return found, nil
}

// RecoverError says that the register of runs cannot be read.
type RecoverError struct{ Err error }

func (e *RecoverError) Error() string { return fmt.Sprintf("look for lost runs: %v", e.Err) }

// Unwrap returns the cause.
func (e *RecoverError) Unwrap() error { return e.Err }

func (w *Worker) history() (history, error) {
	if w == nil || w.ledger == nil {
		return nil, ErrNoLedger
	}
	book, ok := w.ledger.(history)
	if !ok || w.runsDir == "" {
		return nil, ErrNoHistory
	}
	return book, nil
}

// openRun is a run in the register, whose file this process holds the lock of.
type openRun struct {
	file *os.File
	path string
	is   registered
}

// done takes the run out of the register: it has an end, or never began. Without
// an end it is only let go, and is lost when this process has ended.
func (o *openRun) done(ended bool) error {
	if o == nil {
		return nil
	}
	var err error
	if ended {
		err = os.Remove(o.path)
	}
	return errors.Join(err, o.file.Close())
}

// abandoned lists the runs whose gate is gone, locked by this process.
func (w *Worker) abandoned(ctx context.Context) (Recovered, []*openRun, error) {
	found := Recovered{Lost: []uint64{}, Folders: []string{}, Left: []string{}}
	names, unlock, err := listRegister(ctx, w.runsDir)
	if errors.Is(err, os.ErrNotExist) {
		return found, nil, nil
	}
	if err != nil {
		return found, nil, err
	}
	defer unlock()
	var dead []*openRun
	for _, name := range names {
		o, err := takeOver(filepath.Join(w.runsDir, name))
		switch {
		case err != nil:
			found.Left = append(found.Left, err.Error())
		case o == nil:
			found.Running++
		default:
			dead = append(dead, o)
		}
	}
	return found, dead, nil
}

// takeOver locks the file of a run, if its gate is gone; nil if it is not.
func takeOver(path string) (*openRun, error) {
	f, err := openRegistered(path)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, errHeld) {
		return nil, nil //nolint:nilnil // under way, or ended meanwhile: nothing to do
	}
	if err != nil {
		return nil, err
	}
	o := &openRun{file: f, path: path}
	if err := o.read(); err != nil {
		_ = f.Close() // opened for reading only
		return nil, fmt.Errorf("register of runs, %q: %w", path, err)
	}
	if o.is.Gate.alive() {
		_ = f.Close()   // opened for reading only
		return nil, nil //nolint:nilnil // under way
	}
	return o, nil
}

// read reads the file of a run. An empty one is of a gate that was killed, or a
// machine that lost power, before its content was written; its name remains.
func (o *openRun) read() error {
	data, err := io.ReadAll(io.LimitReader(o.file, maxRegistered+1))
	if err != nil {
		return err
	}
	if len(data) > maxRegistered {
		return fmt.Errorf("more than %d bytes", maxRegistered)
	}
	if len(data) == 0 {
		o.is.Decision, err = strconv.ParseUint(filepath.Base(o.path), 10, 64)
		return err
	}
	if err := json.Unmarshal(data, &o.is); err != nil {
		return err
	}
	if o.is.Version != recordVersion || strconv.FormatUint(o.is.Decision, 10) != filepath.Base(o.path) || o.is.Gate == (gateID{}) {
		return errors.New("not the file of a run, or of another version of writ")
	}
	return nil
}

// recoverOne closes a run in the ledger, if it has begun there, and removes what
// it has left.
func (w *Worker) recoverOne(ctx context.Context, book history, o *openRun, found *Recovered) error {
	start, gate, ended, err := lookUp(ctx, book, o.is.Decision)
	if err != nil {
		return err
	}
	if start > 0 && !ended {
		if gate != (gateID{}) && gate.alive() {
			return fmt.Errorf("start %d is of a process that is alive, and the register names another one", start)
		}
		if err := w.recordLost(ctx, o.is.Decision, start); err != nil {
			return err
		}
		found.Lost = append(found.Lost, start)
	}
	removed, err := removeLeft(o.is.Folder)
	if err != nil {
		return err
	}
	if removed {
		found.Folders = append(found.Folders, o.is.Folder)
	}
	return os.Remove(o.path)
}

// runRef are the fields of start and end that say which run they are of.
type runRef struct {
	Decision uint64 `json:"decision"`
	Start    uint64 `json:"start"`
	Gate     gateID `json:"gate"`
}

var errEnough = errors.New("found")

// lookUp finds start and end of the one run that a decision permits, and the gate that
// its start names.
func lookUp(ctx context.Context, book history, decision uint64) (start uint64, gate gateID, ended bool, err error) {
	err = book.ScanFrom(ctx, decision, func(r ledger.Record) error {
		var ref runRef
		if r.Type != ledger.TypeStart && r.Type != ledger.TypeEnd {
			return nil
		}
		if err := json.Unmarshal(r.Body, &ref); err != nil || ref.Decision != decision {
			return nil //nolint:nilerr // a record of somebody else's
		}
		if r.Type == ledger.TypeEnd {
			ended = true
			return errEnough
		}
		start, gate = r.Seq, ref.Gate
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return start, gate, ended, err
}

// recordLost records the end of a run that nobody saw.
func (w *Worker) recordLost(ctx context.Context, decision, start uint64) error {
	res := Result{Decision: decision, Start: start, Started: true, Status: -1}
	return w.recordEnd(ctx, &res, errLost)
}

var errLost = errors.New("the gate ended before the run; whether it was started, and how it ended, nobody has seen")

// tempPrefix is how the names of private folders begin.
const tempPrefix = "writ-run-"

// removeLeft removes the private folder of a run whose gate is gone. The
// register says where it is; a path of another form is left alone.
func removeLeft(folder string) (bool, error) {
	if folder == "" {
		return false, nil
	}
	if !filepath.IsAbs(folder) || filepath.Clean(folder) != folder || !strings.HasPrefix(filepath.Base(folder), tempPrefix) {
		return false, fmt.Errorf("%q is not the private folder of a run", folder)
	}
	info, err := os.Lstat(folder)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !info.IsDir() {
		return false, fmt.Errorf("%q is not a folder", folder)
	}
	return true, contain.RemoveAll(folder)
}

// maxOpen bounds the starts without an end that RecoverAll keeps in mind.
const maxOpen = 100_000

// RecoverAll is Recover and reads the whole ledger for starts without an end of
// which the register knows nothing: after a power failure, or where somebody
// removed it. Starts by gates that did not say who they are stay open.
func (w *Worker) RecoverAll(ctx context.Context) (Recovered, error) {
	found, err := w.Recover(ctx)
	if err != nil {
		return found, err
	}
	book, err := w.history()
	if err != nil {
		return found, err
	}
	s := openStarts{refs: map[uint64]runRef{}}
	if err := s.read(ctx, book); err != nil {
		return found, &RecoverError{err}
	}
	for _, start := range slices.Sorted(maps.Keys(s.refs)) {
		if err := w.closeOpen(ctx, book, start, &s, &found); err != nil {
			return found, err
		}
	}
	return found, nil
}

// openStarts are the starts without an end, by their numbers.
type openStarts struct {
	refs map[uint64]runRef
	last uint64 // the last record that was read
}

// read reads what the ledger has from the last record on.
func (s *openStarts) read(ctx context.Context, book history) error {
	return book.ScanFrom(ctx, max(s.last, 1), func(r ledger.Record) error {
		s.last = r.Seq
		var ref runRef
		if r.Type != ledger.TypeStart && r.Type != ledger.TypeEnd || json.Unmarshal(r.Body, &ref) != nil {
			return nil //nolint:nilerr // a record of somebody else's
		}
		if r.Type == ledger.TypeEnd {
			delete(s.refs, ref.Start)
			return nil
		}
		if s.refs[r.Seq] = ref; len(s.refs) > maxOpen {
			return fmt.Errorf("more than %d starts without an end", maxOpen)
		}
		return nil
	})
}

// closeOpen gives a start an end, unless the run is under way, nobody can tell, or it
// has got one since the ledger was read.
func (w *Worker) closeOpen(ctx context.Context, book history, start uint64, s *openStarts, found *Recovered) error {
	ref, open := s.refs[start]
	_, err := os.Lstat(filepath.Join(w.runsDir, strconv.FormatUint(ref.Decision, 10)))
	switch {
	case !open, err == nil: // Recover has seen to those in the register, or left them for a reason
		return nil
	case !errors.Is(err, os.ErrNotExist):
		return &RecoverError{err}
	case ref.Gate == gateID{}:
		found.Left = append(found.Left, fmt.Sprintf("start %d does not say which process it is of", start))
		return nil
	case ref.Gate.alive():
		found.Running++
		return nil
	}
	// Of two that look for lost runs one enters this run into the register.
	o, err := claim(ctx, w.runsDir, ref.Decision)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return &RecoverError{err}
	}
	defer func() { _ = o.done(true) }() // else Recover finds that it has an end
	// Its gate is gone: what is not in the ledger now will never be.
	if err := s.read(ctx, book); err != nil {
		return &RecoverError{err}
	}
	if _, open := s.refs[start]; !open {
		return nil
	}
	if err := w.recordLost(ctx, ref.Decision, start); err != nil {
		return err
	}
	found.Lost = append(found.Lost, start)
	return nil
}
