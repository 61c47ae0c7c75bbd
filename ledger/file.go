package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
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
}

// Ledger appends to one ledger file. Several processes, and several Ledgers of
// one process, may share a file; it is safe for use by several goroutines.
type Ledger struct {
	path string
	now  func() time.Time
	// turn holds one token while nobody appends, and is closed with the ledger.
	turn chan struct{}
	file *os.File
}

var _ Sink = (*Ledger)(nil)

// Open opens the ledger at path for appending and makes it, readable and
// writable for its owner only, if there is none. It refuses a path that is not a
// regular file (symbolic links included), a file that belongs to, or can be
// written by, anyone but root and the current user, and a folder in which others
// could replace it. What the file holds is looked at by Append and Verify.
func Open(path string, o Options) (*Ledger, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	file, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("open ledger %q: %w", path, err)
	}
	l := &Ledger{path: path, now: o.Now, turn: make(chan struct{}, 1), file: file}
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
// is damaged, ErrReplaced, ErrClosed, or the error of the system.
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
func (l *Ledger) append(r Record, mayBeBehind bool) (uint64, error) {
	if err := l.checkPath(); err != nil {
		return 0, err
	}
	t, err := readTail(l.file)
	if err != nil {
		return 0, err
	}
	now := l.now().UTC()
	behind := now.Before(t.last.Time)
	if behind && !mayBeBehind {
		return 0, &ClockError{Now: now, Last: t.last.Time}
	}
	if behind {
		now = t.last.Time
	}
	if len(t.torn) > 0 {
		if err := l.repair(&t, now); err != nil {
			return 0, err
		}
	}
	r.Time = now
	if err := l.write(&t, r); err != nil {
		return 0, err
	}
	return t.last.Seq, nil
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
	if err := l.checkPath(); err != nil {
		return time.Time{}, err
	}
	t, err := readTail(l.file)
	return t.last.Time, err
}

// checkPath fails with ErrReplaced if the path names another file by now.
func (l *Ledger) checkPath() error {
	opened, err := l.file.Stat()
	if err != nil {
		return err
	}
	named, err := os.Lstat(l.path)
	if errors.Is(err, os.ErrNotExist) || err == nil && !os.SameFile(opened, named) {
		return ErrReplaced
	}
	return err
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
// processes.
func (l *Ledger) lock(ctx context.Context) (unlock func(), err error) {
	select {
	case _, open := <-l.turn:
		if !open {
			return nil, ErrClosed
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := lockFile(ctx, l.file, true); err != nil {
		l.turn <- struct{}{}
		return nil, err
	}
	return func() {
		unlockFile(l.file)
		l.turn <- struct{}{}
	}, nil
}

// TailError says that the last record of a ledger is damaged. Nothing is
// appended then: Verify says what is wrong, and a person decides.
type TailError struct{ Reason string }

func (e *TailError) Error() string { return "the last record is damaged: " + e.Reason }

// tail is the end of a ledger file.
type tail struct {
	// size is the length of the file up to the end of its last complete line.
	size int64
	last Record
	// torn is what follows the last complete line: a write that was cut short.
	torn []byte
}

// readTail reads as much of the end of the file as its last record needs.
func readTail(f *os.File) (tail, error) {
	info, err := f.Stat()
	if err != nil {
		return tail{}, err
	}
	size := info.Size()
	for window := int64(8 << 10); ; window *= 2 {
		window = min(window, size)
		buf := make([]byte, window)
		if _, err := io.ReadFull(io.NewSectionReader(f, size-window, window), buf); err != nil {
			return tail{}, err
		}
		if window < size && window <= 2*MaxRecord && bytes.Count(buf, []byte{'\n'}) < 2 {
			continue
		}
		return parseTail(buf, size)
	}
}

// parseTail reads the last record out of the last bytes of a file of that size.
func parseTail(buf []byte, size int64) (tail, error) {
	end := bytes.LastIndexByte(buf, '\n')
	t := tail{torn: buf[end+1:], size: size - int64(len(buf)-end-1)}
	if len(t.torn) > MaxRecord {
		return tail{}, &TailError{fmt.Sprintf("an incomplete line of more than %d bytes", MaxRecord)}
	}
	if end < 0 {
		return t, nil
	}
	start := bytes.LastIndexByte(buf[:end], '\n')
	if start < 0 && int64(len(buf)) < size || end-start > MaxRecord {
		return tail{}, &TailError{fmt.Sprintf("a line of more than %d bytes", MaxRecord)}
	}
	r, err := parseRecord(buf[start+1 : end])
	if err != nil {
		return tail{}, &TailError{err.Error()}
	}
	t.last = r
	return t, nil
}

// OpenReader opens the ledger at path for reading, up to the end that it has at a
// moment when nobody appends: a record that is being written right now is not
// taken for a damaged one.
func OpenReader(ctx context.Context, path string) (io.ReadCloser, error) {
	f, err := openToRead(path)
	if err != nil {
		return nil, err
	}
	size, err := settledSize(ctx, f)
	if err != nil {
		_ = f.Close() // opened for reading only
		return nil, fmt.Errorf("open ledger %q: %w", path, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, 0, size), f}, nil
}

func settledSize(ctx context.Context, f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, errNotRegular
	}
	if err := lockFile(ctx, f, false); err != nil {
		return 0, err
	}
	defer unlockFile(f)
	if info, err = f.Stat(); err != nil {
		return 0, err
	}
	return info.Size(), nil
}

var errNotRegular = errors.New("not a regular file")
