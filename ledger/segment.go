package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rotation says when a ledger goes on in a new file: before a record with which
// the file would be larger than Size, or Age after its first record. Zero means
// never; the zero value keeps one file.
type Rotation struct {
	Size int64
	Age  time.Duration
}

// MissingError says that closed segments of a ledger are there and the file in
// which it goes on is not, or is empty. A new chain is not begun there: the
// newest records may have been removed.
type MissingError struct {
	Path    string
	Segment string // the newest closed one
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("the file is missing or empty, and the closed segment %q of this ledger lies beside it: put the file back, or begin a new ledger elsewhere", e.Segment)
}

// RotationError says that a ledger cannot go on in a new file.
type RotationError struct {
	Doing string
	Err   error
}

func (e *RotationError) Error() string {
	return fmt.Sprintf("begin a new segment: %s: %v", e.Doing, e.Err)
}

// Unwrap returns the cause.
func (e *RotationError) Unwrap() error { return e.Err }

// seqDigits are enough for every number of a record, so that names sort as
// numbers do.
const seqDigits = 20

// sealedPath is the name of the closed segment that begins with record first.
func sealedPath(path string, first uint64) string {
	return fmt.Sprintf("%s.%0*d", path, seqDigits, first)
}

// nextPath is where the next segment is prepared.
func nextPath(path string) string { return path + ".next" }

// segment is a closed file of a ledger.
type segment struct {
	path  string
	first uint64 // as its name says
}

// sealedSegments lists the closed segments of the ledger at path, the oldest
// first, that lie beside it and in the folders of archives. One that lies in
// several places is read where it is found first.
func sealedSegments(path string, archives ...string) ([]segment, error) {
	var list []segment
	seen := map[uint64]bool{}
	for _, folder := range append([]string{filepath.Dir(path)}, archives...) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			digits, found := strings.CutPrefix(e.Name(), filepath.Base(path)+".")
			first, err := strconv.ParseUint(digits, 10, 64)
			if !found || len(digits) != seqDigits || err != nil || first == 0 || seen[first] {
				continue
			}
			seen[first] = true
			list = append(list, segment{filepath.Join(folder, e.Name()), first})
		}
	}
	slices.SortFunc(list, func(a, b segment) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	return list, nil
}

// openOrMake opens the file at path, and makes it if nothing of the ledger is
// there yet.
func openOrMake(path string) (*os.File, error) {
	f, err := openFile(path, false)
	if !errors.Is(err, os.ErrNotExist) {
		return f, err
	}
	if err := alone(path); err != nil {
		return nil, err
	}
	return openFile(path, true)
}

// checkAlone refuses to begin a chain where the beginning of one is.
func (l *Ledger) checkAlone() error { return alone(l.path) }

func alone(path string) error {
	sealed, err := sealedSegments(path)
	if err != nil {
		return err
	}
	if len(sealed) > 0 {
		return &MissingError{Path: path, Segment: sealed[len(sealed)-1].path}
	}
	return nil
}

// beginning is what the first line of a file says; zero of an empty file.
type beginning struct {
	seq  uint64
	prev Hash
	time time.Time
}

// maxHead is more than the fields before the body take.
const maxHead = 256

// readBeginning reads the fields of the first record before its body. Whether
// they are true only a verification says.
func readBeginning(f io.ReaderAt) (beginning, error) {
	buf := make([]byte, maxHead)
	n, err := f.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return beginning{}, err
	}
	if n == 0 {
		return beginning{}, nil
	}
	line, _, _ := bytes.Cut(buf[:n], []byte{'\n'})
	var r Record
	if _, err := r.parseHead(line); err != nil {
		return beginning{}, &TailError{"the first record of its file: " + err.Error()}
	}
	return beginning{r.Seq, r.Prev, r.Time}, nil
}

// rotationDue says whether the next record, with a body of that size, belongs
// into a new file.
func (l *Ledger) rotationDue(t *tail, now time.Time, body int) (bool, error) {
	// A segment's own record alone is no reason for the next one.
	if l.rotation == (Rotation{}) || t.last.Seq == 0 || t.last.Type == TypeSegment {
		return false, nil
	}
	const around = 384 // what a line holds beside its body, and a little more
	if size := l.rotation.Size; size > 0 && t.size+int64(body)+around > size {
		return true, nil
	}
	if l.rotation.Age <= 0 {
		return false, nil
	}
	if err := l.readBegun(); err != nil {
		return false, err
	}
	return now.Sub(l.begun.time) >= l.rotation.Age, nil
}

// readBegun sees to it that the beginning of the file is known.
func (l *Ledger) readBegun() (err error) {
	if l.begun.seq == 0 {
		l.begun, err = readBeginning(l.file)
	}
	return err
}

// segmentBody is the body of the record that a segment begins with.
type segmentBody struct {
	Version int `json:"version"`
	// PreviousFirst is the number of the first record of the segment before.
	PreviousFirst uint64 `json:"previous_first"`
}

// rotate closes the file and goes on in a new one, under the lock. At every
// moment the path names a whole file: the new one, with its first record on
// disk, takes the place of the old one in one step, after the old one has got its
// second name. Killed in between, the ledger goes on in the old one.
func (l *Ledger) rotate(t *tail, now time.Time) error {
	if err := l.readBegun(); err != nil {
		return &RotationError{"read the beginning of the file", err}
	}
	// Whoever wrote the last record may have been killed before it was on disk.
	if err := l.file.Sync(); err != nil {
		return &RotationError{"sync the file", err}
	}
	next, after, err := l.prepare(t, now)
	if err != nil {
		return &RotationError{"prepare its file", err}
	}
	if err := l.giveWay(nextPath(l.path)); err != nil {
		_ = next.Close() // it is not part of the ledger
		return &RotationError{"put it in place", err}
	}
	// Closing gives the lock to those who wait; they see that the path names
	// another file, which this process has locked already.
	_ = l.file.Close() // every record was synced when it was written
	l.file, *t, l.begun = next, *after, beginning{after.last.Seq, after.last.Prev, now}
	if err := syncFolder(filepath.Dir(l.path)); err != nil {
		return &RotationError{"sync its folder", err}
	}
	return nil
}

// prepare makes the file of the next segment, with its first record on disk, and
// returns it locked.
func (l *Ledger) prepare(t *tail, now time.Time) (_ *os.File, _ *tail, err error) {
	path := nextPath(l.path)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, err
	}
	body, err := encodeBody(segmentBody{Version: 1, PreviousFirst: l.begun.seq})
	if err != nil {
		return nil, nil, err
	}
	line, hash, err := encodeRecord(Record{Seq: t.last.Seq + 1, Prev: t.last.Hash, Time: now, Type: TypeSegment, Body: body})
	if err != nil {
		return nil, nil, err
	}
	f, err := openFile(path, true)
	if err != nil {
		return nil, nil, err
	}
	if err = tryLock(f); err == nil {
		_, err = f.Write(line)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		_ = f.Close() // it is not part of the ledger
		return nil, nil, err
	}
	last := Record{Seq: t.last.Seq + 1, Prev: t.last.Hash, Time: now, Type: TypeSegment, Body: body, Hash: hash}
	return f, &tail{size: int64(len(line)), last: last}, nil
}

// giveWay gives the file at the path its name as a closed segment, and puts the
// next one in its place.
func (l *Ledger) giveWay(next string) error {
	sealed := sealedPath(l.path, l.begun.seq)
	// A rotation that was killed after this step has left its link.
	if err := os.Link(l.path, sealed); err != nil && !l.is(sealed) {
		return err
	}
	if err := syncFolder(filepath.Dir(l.path)); err != nil {
		return err
	}
	return os.Rename(next, l.path)
}

// is says whether path is another name of the open file.
func (l *Ledger) is(path string) bool {
	opened, err := l.file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(opened, named)
}
