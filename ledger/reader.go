package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Reader reads a ledger: the closed segments that are there, the oldest first,
// and the file at its path, up to the end that it had when it was opened. Scan
// and Verify read it segment by segment; Read gives the bytes of all of them.
type Reader struct {
	path   string
	closed []segment
	active *os.File
	size   int64
	notes  *os.File // the checkpoints; nil if there are none
	noted  int64

	// skip is how many bytes of the first file are left out.
	skip int64
	// reading is what Read reads; nil before the first call.
	reading *concatenation
}

// OpenReader opens the ledger at path for reading, up to the end that it has at a
// moment when nobody appends: a record that is being written right now is not
// taken for a damaged one. Closed segments are looked for beside it, and in the
// folders of archives.
func OpenReader(ctx context.Context, path string, archives ...string) (*Reader, error) {
	for {
		r, err := openReader(ctx, path, archives)
		if err != nil {
			return nil, fmt.Errorf("open ledger %q: %w", path, err)
		}
		if r != nil {
			return r, nil
		}
	}
}

// openReader returns nil if the ledger went on in a new file meanwhile.
func openReader(ctx context.Context, path string, archives []string) (_ *Reader, err error) {
	r := &Reader{path: path}
	if r.active, err = openToRead(path); err != nil {
		return nil, err
	}
	current, err := r.settle(ctx, archives)
	if err != nil || !current {
		_ = r.Close() // opened for reading only
		return nil, err
	}
	return r, nil
}

// settle looks at the whole ledger while nobody appends to it.
func (r *Reader) settle(ctx context.Context, archives []string) (current bool, err error) {
	info, err := r.active.Stat()
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, errNotRegular
	}
	if err := lockFile(ctx, r.active, false); err != nil {
		return false, err
	}
	defer unlockFile(r.active)
	named, err := os.Stat(r.path)
	if err != nil || !os.SameFile(info, named) {
		return false, err
	}
	if info, err = r.active.Stat(); err != nil {
		return false, err
	}
	r.size = info.Size()
	if r.closed, err = sealedSegments(r.path, archives...); err != nil {
		return false, err
	}
	// A rotation that was killed leaves the file with both names.
	if n := len(r.closed); n > 0 {
		if last, err := os.Stat(r.closed[n-1].path); err == nil && os.SameFile(last, info) {
			r.closed = r.closed[:n-1]
		}
	}
	r.notes, err = openToRead(checkpointsPath(r.path))
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	if err == nil {
		info, err = r.notes.Stat()
	}
	if err != nil {
		return false, err
	}
	r.noted = info.Size()
	return true, nil
}

var errNotRegular = errors.New("not a regular file")

// Checkpoints returns a reader of the checkpoints beside the ledger, up to the
// last one of when it was opened; nil if there is no such file.
func (r *Reader) Checkpoints() io.Reader {
	if r.notes == nil {
		return nil
	}
	return io.NewSectionReader(r.notes, 0, r.noted)
}

// Close closes what is open.
func (r *Reader) Close() error {
	var err error
	for _, f := range []*os.File{r.active, r.notes} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	if c := r.reading; c != nil && c.in != nil {
		c.done()
	}
	r.active, r.notes, r.reading = nil, nil, nil
	return err
}

// files is how many files there are.
func (r *Reader) files() int { return len(r.closed) + 1 }

// part is one file of a ledger, open for reading.
type part struct {
	segment
	content io.ReaderAt
	size    int64
	close   func()
}

// part opens the file of number i; the last one is that at the path, whose first
// record has no name.
func (r *Reader) part(i int) (part, error) {
	if r.active == nil {
		return part{}, ErrClosed
	}
	if i == len(r.closed) {
		return part{segment{r.path, 0}, r.active, r.size, func() {}}, nil
	}
	f, err := openToRead(r.closed[i].path)
	if err != nil {
		return part{}, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("segment %q: %w", r.closed[i].path, errNotRegular)
	}
	if err != nil {
		_ = f.Close() // opened for reading only
		return part{}, err
	}
	return part{r.closed[i], f, info.Size(), func() { _ = f.Close() }}, nil
}

// Read implements io.Reader over the bytes of all files, from the oldest on.
func (r *Reader) Read(p []byte) (int, error) {
	if r.reading == nil {
		r.reading = &concatenation{of: r}
	}
	return r.reading.Read(p)
}

// concatenation reads the files of a ledger one after the other.
type concatenation struct {
	of   *Reader
	next int
	in   io.Reader
	done func()
}

func (c *concatenation) Read(p []byte) (int, error) {
	for {
		if c.in != nil {
			n, err := c.in.Read(p)
			if n > 0 || !errors.Is(err, io.EOF) {
				return n, err
			}
			c.done()
			c.in = nil
		}
		if c.next == c.of.files() {
			return 0, io.EOF
		}
		file, err := c.of.part(c.next)
		if err != nil {
			return 0, err
		}
		var skip int64
		if c.next == 0 {
			skip = c.of.skip
		}
		c.in, c.done, c.next = io.NewSectionReader(file.content, skip, file.size-skip), file.close, c.next+1
	}
}

// From leaves out what stands before the record of number seq: the reader then
// begins with it, or with the first record after it. It looks at a few places
// of one file, however long the ledger is.
func (r *Reader) From(seq uint64) error {
	first, err := readBeginning(io.NewSectionReader(r.active, 0, r.size))
	var damaged *TailError
	if err != nil && !errors.As(err, &damaged) { // who reads it says what is wrong with it
		return err
	}
	keep := 0
	for i := range r.closed {
		if r.closed[i].first <= seq {
			keep = i
		}
	}
	if first.seq != 0 && first.seq <= seq {
		keep = len(r.closed)
	}
	r.closed = r.closed[keep:]
	file, err := r.part(0)
	if err != nil {
		return err
	}
	defer file.close()
	r.skip, err = offsetOf(file.content, file.size, seq)
	return err
}

// linear is how much of a file is read from one end to the other.
const linear = 64 << 10

// offsetOf returns where the first line with a number of at least seq begins, by
// bisection. Numbers that do not grow are found by whoever then reads the lines.
func offsetOf(f io.ReaderAt, size int64, seq uint64) (int64, error) {
	low, high := int64(0), size // the line is at low or behind it, and not behind high
	for high-low > linear {
		middle := low + (high-low)/2
		start, number, err := lineAfter(f, middle, high)
		switch {
		case err != nil:
			return 0, err
		case start >= high || number >= seq:
			high = middle
		default:
			low = start
		}
	}
	for low < size {
		start, number, err := lineAt(f, low, size)
		if err != nil || number >= seq {
			return start, err
		}
		if low, err = lineEnd(f, start, size); err != nil {
			return 0, err
		}
	}
	return size, nil
}

// lineAfter returns the first line that begins behind the offset, and its
// number; limit if none begins before it.
func lineAfter(f io.ReaderAt, offset, limit int64) (start int64, number uint64, err error) {
	if offset, err = lineEnd(f, offset, limit); err != nil || offset >= limit {
		return limit, 0, err
	}
	return lineAt(f, offset, limit)
}

// lineAt returns the number of the line at the offset, with that offset; what
// has none, an incomplete line at the end, has the largest.
func lineAt(f io.ReaderAt, offset, limit int64) (start int64, number uint64, err error) {
	buf := make([]byte, min(maxHead, limit-offset))
	if _, err := f.ReadAt(buf, offset); err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, err
	}
	line, _, _ := bytes.Cut(buf, []byte{'\n'})
	var r Record
	if _, err := r.parseHead(line); err != nil {
		return offset, ^uint64(0), nil //nolint:nilerr // who reads the line says what is wrong with it
	}
	return offset, r.Seq, nil
}

// lineEnd returns where the line around the offset has ended, at most limit.
func lineEnd(f io.ReaderAt, offset, limit int64) (int64, error) {
	var buf [4 << 10]byte
	for offset < limit {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), limit-offset)], offset)
		if i := bytes.IndexByte(buf[:n], '\n'); i >= 0 {
			return offset + int64(i) + 1, nil
		}
		if offset += int64(n); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if n == 0 {
			break
		}
	}
	return limit, nil
}

// ScanFrom calls visit with the records from that of number seq on, or from the
// first one that is there, up to the end that the ledger has now. It takes the
// first for true and checks the chain from there; an incomplete last line, which
// the next append repairs, is left out. It fails as Scan does.
func (l *Ledger) ScanFrom(ctx context.Context, seq uint64, visit func(Record) error) error {
	if l == nil || l.turn == nil {
		return ErrClosed
	}
	_, err := scanFrom(ctx, l.path, seq, visit)
	return err
}

func scanFrom(ctx context.Context, path string, seq uint64, visit func(Record) error) (Summary, error) {
	r, err := OpenReader(ctx, path)
	if err != nil {
		return Summary{}, err
	}
	defer func() { _ = r.Close() }() // opened for reading only
	if err := r.From(seq); err != nil {
		return Summary{}, fmt.Errorf("read ledger %q: %w", path, err)
	}
	s, err := Scan(r, VerifyOptions{trustFirst: true}, visit)
	if notYet(err, path) {
		err = nil
	}
	return s, err
}
