package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// lockTimeout is how long Append and OpenReader wait for other writers.
const lockTimeout = 10 * time.Second

// Options are the parts of a Ledger. The zero value is useful.
type Options struct {
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Rotation says when the ledger goes on in a new file; never if zero.
	Rotation Rotation
	// Checkpoints says who signs the head and when; nobody if zero.
	Checkpoints Checkpoints
}

// Ledger appends to one ledger. Several processes, and several Ledgers of one
// process, may share it; it is safe for use by several goroutines.
type Ledger struct {
	path        string
	now         func() time.Time
	rotation    Rotation
	checkpoints Checkpoints
	// turn holds one token while nobody appends, and is closed with the ledger.
	turn chan struct{}
	// file is the one at path; another one after a rotation.
	file *os.File
	// begun is the first record of file; zero until it was read.
	begun beginning
	// held is the last record that was signed, of which it is known that it is there.
	held Head
}

var _ Sink = (*Ledger)(nil)

// Open opens the ledger at path for appending and makes it, readable and
// writable for its owner only, if there is none. It refuses a path that is not a
// regular file (symbolic links included), a file that belongs to, or can be
// written by, anyone but root and the current user, and a folder in which others
// could replace it; and with *MissingError a path without a file beside which
// closed segments lie. What the file holds is looked at by Append and Verify.
func Open(path string, o Options) (*Ledger, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	file, err := openOrMake(path)
	if err != nil {
		return nil, fmt.Errorf("open ledger %q: %w", path, err)
	}
	l := &Ledger{path: path, now: o.Now, rotation: o.Rotation, checkpoints: o.Checkpoints, turn: make(chan struct{}, 1), file: file}
	if l.now == nil {
		l.now = time.Now
	}
	l.turn <- struct{}{}
	return l, nil
}

// Close closes the file. It waits for an Append that is under way.
func (l *Ledger) Close() error {
	if l == nil || l.turn == nil {
		return ErrClosed
	}
	if _, open := <-l.turn; !open {
		return ErrClosed
	}
	close(l.turn)
	return l.file.Close()
}

// Append records e and returns its sequence number, once the record is on disk.
// If it fails, e is not recorded: what was written of it is cut off again, now or
// by the next Append.
//
// It fails with *EventError for an event that cannot be recorded, *ClockError if
// the clock is behind the last record (but for an end: that has happened, and is
// recorded with the time of the record before it, and so is an event with Behind), *TailError if the last record
// or the last checkpoint is damaged, *MissingError, *RotationError, ErrReplaced,
// ErrClosed, or the error of the system.
func (l *Ledger) Append(ctx context.Context, e Event) (uint64, error) {
	if l == nil || l.turn == nil {
		return 0, ErrClosed
	}
	if !e.Type.known() || e.Type.own() {
		return 0, &EventError{e.Type, "not a type that callers may record"}
	}
	body, err := encodeBody(e.Body)
	if err != nil {
		return 0, &EventError{e.Type, err.Error()}
	}
	unlock, err := l.lock(ctx)
	if err != nil {
		return 0, fmt.Errorf("append to ledger %q: %w", l.path, err)
	}
	defer unlock()
	seq, err := l.append(Record{Type: e.Type, Body: body}, e.Behind || e.Type == TypeEnd)
	if err != nil {
		return 0, fmt.Errorf("append to ledger %q: %w", l.path, err)
	}
	return seq, nil
}

// append does the work of Append under the lock.
func (l *Ledger) append(r Record, happened bool) (uint64, error) {
	t, now, err := l.ready(happened)
	if err != nil {
		return 0, err
	}
	// What has happened is recorded, also where the ledger cannot be kept as it
	// should be; the next record that announces something fails then.
	if err := l.keep(t, now, len(r.Body)); err != nil && !happened {
		return 0, err
	}
	r.Time = now
	if err := l.write(t, r); err != nil {
		return 0, err
	}
	return t.last.Seq, nil
}

// ready reads the end of the file, mends it, and returns the time of the next
// record.
func (l *Ledger) ready(happened bool) (*tail, time.Time, error) {
	t, err := readTail(l.file)
	if err != nil {
		return nil, time.Time{}, err
	}
	if t.last.Seq == 0 {
		if err := l.checkAlone(); err != nil {
			return nil, time.Time{}, err
		}
	}
	now := l.now().UTC()
	behind := now.Before(t.last.Time)
	if behind && !happened {
		return nil, time.Time{}, &ClockError{Now: now, Last: t.last.Time}
	}
	if behind {
		now = t.last.Time
	}
	if len(t.torn) > 0 {
		if err := l.repair(&t, now); err != nil {
			return nil, time.Time{}, err
		}
	}
	return &t, now, nil
}

// keep signs what is to be signed before the next record, and begins a new file
// where the old one is large or old enough.
func (l *Ledger) keep(t *tail, now time.Time, size int) error {
	rotate, err := l.rotationDue(t, now, size)
	if err != nil {
		return err
	}
	if err := l.checkpointIfDue(t, now, rotate); err != nil || !rotate {
		return err
	}
	return l.rotate(t, now)
}

// LastTime returns the time of the last record, zero if there is none. It fails
// with *TailError if that record is damaged, ErrReplaced, ErrClosed, or the error
// of the system.
func (l *Ledger) LastTime(ctx context.Context) (time.Time, error) {
	if l == nil || l.turn == nil {
		return time.Time{}, ErrClosed
	}
	last, err := l.lastTime(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("read ledger %q: %w", l.path, err)
	}
	return last, nil
}

func (l *Ledger) lastTime(ctx context.Context) (time.Time, error) {
	unlock, err := l.lock(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer unlock()
	t, err := readTail(l.file)
	return t.last.Time, err
}

// repairBody is the body of a repair record: what was cut off before it.
type repairBody struct {
	DroppedBytes  int    `json:"dropped_bytes"`
	DroppedSHA256 string `json:"dropped_sha256"`
}

// repair cuts off an incomplete last line and records that. Whoever wrote the
// line was never told that it is recorded.
func (l *Ledger) repair(t *tail, now time.Time) error {
	sum := sha256.Sum256(t.torn)
	body, err := encodeBody(repairBody{len(t.torn), hex.EncodeToString(sum[:])})
	if err != nil {
		return err
	}
	if err := l.file.Truncate(t.size); err != nil {
		return fmt.Errorf("cut off an incomplete last line: %w", err)
	}
	t.torn = nil
	return l.write(t, Record{Time: now, Type: TypeRepair, Body: body})
}

// write puts one record after the tail, waits until it is on disk and moves the
// tail on.
func (l *Ledger) write(t *tail, r Record) error {
	r.Seq, r.Prev = t.last.Seq+1, t.last.Hash
	line, hash, err := encodeRecord(r)
	if err != nil {
		return &EventError{r.Type, err.Error()}
	}
	_, err = l.file.Write(line)
	if err == nil {
		err = l.file.Sync()
	}
	if err == nil && t.size == 0 {
		err = syncFolder(filepath.Dir(l.path))
	}
	if err != nil {
		if cut := l.file.Truncate(t.size); cut != nil {
			err = fmt.Errorf("%w (and the partial record could not be cut off: %w)", err, cut)
		}
		return err
	}
	r.Hash = hash
	t.size += int64(len(line))
	t.last = r
	return nil
}

// lock waits for the turn within this process and for the lock between
// processes, on the file that is at the path now.
func (l *Ledger) lock(ctx context.Context) (unlock func(), err error) {
	select {
	case _, open := <-l.turn:
		if !open {
			return nil, ErrClosed
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		err := lockFile(ctx, l.file, true)
		if err != nil {
			l.turn <- struct{}{}
			return nil, err
		}
		current, err := l.isCurrent()
		if current {
			break
		}
		unlockFile(l.file)
		if err == nil {
			err = l.reopen()
		}
		if err != nil {
			l.turn <- struct{}{}
			return nil, err
		}
	}
	return func() {
		unlockFile(l.file)
		l.turn <- struct{}{}
	}, nil
}

// isCurrent reports whether the path still names the file that is open.
func (l *Ledger) isCurrent() (bool, error) {
	named, err := os.Lstat(l.path)
	if errors.Is(err, os.ErrNotExist) {
		return false, ErrReplaced
	}
	if err != nil {
		return false, err
	}
	opened, err := l.file.Stat()
	return err == nil && os.SameFile(opened, named), err
}

// reopen follows a rotation by somebody else. It fails with ErrReplaced unless
// the file that was open is a closed segment of this ledger now, or the one at
// the path goes on where it ends.
func (l *Ledger) reopen() error {
	file, err := openFile(l.path, false)
	if err != nil {
		return err
	}
	follows, err := l.isFollowedBy(file)
	if err == nil && !follows {
		err = ErrReplaced
	}
	if err != nil {
		_ = file.Close() // nothing was written
		return err
	}
	_ = l.file.Close() // every record was synced when it was written
	l.file, l.begun = file, beginning{}
	return nil
}

func (l *Ledger) isFollowedBy(file *os.File) (bool, error) {
	first, err := readBeginning(l.file)
	if err != nil || first.seq == 0 {
		return false, err
	}
	if l.is(sealedPath(l.path, first.seq)) {
		return true, nil
	}
	// The closed file may have been moved elsewhere already.
	t, err := readTail(l.file)
	if err != nil {
		return false, err
	}
	next, err := readBeginning(file)
	return err == nil && next.seq == t.last.Seq+1 && next.prev == t.last.Hash, err
}
