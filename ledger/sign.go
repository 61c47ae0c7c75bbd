package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Checkpoints says who signs the head of a ledger, and when: before an append,
// where Every records or more have come since the last checkpoint, or that is
// Interval old and records have come since; and before each rotation. Zero
// means never; without a Signer nothing is signed.
type Checkpoints struct {
	Signer   note.Signer
	Every    uint64
	Interval time.Duration
}

// checkpointsPath is the file of the checkpoints of the ledger at path.
func checkpointsPath(path string) string { return path + ".checkpoints" }

// ErrNoSigner says that there is no key to sign a checkpoint with.
var ErrNoSigner = errors.New("no key to sign checkpoints with")

// Checkpoint signs the last record now, unless it is signed already, and returns
// the last checkpoint, also as it stands in its file. It fails with ErrNoSigner,
// ErrNothingToSign, and as Append does.
func (l *Ledger) Checkpoint(ctx context.Context) (Checkpoint, []byte, error) {
	if l == nil || l.turn == nil {
		return Checkpoint{}, nil, ErrClosed
	}
	if l.checkpoints.Signer == nil {
		return Checkpoint{}, nil, ErrNoSigner
	}
	n, err := l.checkpointNow(ctx)
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("sign ledger %q: %w", l.path, err)
	}
	return n.last, n.block, nil
}

func (l *Ledger) checkpointNow(ctx context.Context) (*notes, error) {
	unlock, err := l.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	t, now, err := l.ready(false)
	if err != nil {
		return nil, err
	}
	if t.last.Seq == 0 {
		return nil, ErrNothingToSign
	}
	n, err := l.openNotes(t)
	if err != nil {
		return nil, err
	}
	defer func() { _ = n.file.Close() }() // every checkpoint was synced when it was written
	if n.last.Head.Seq < t.last.Seq {
		err = l.sign(n, t, now)
	}
	return n, err
}

// ErrNothingToSign says that a ledger holds no record.
var ErrNothingToSign = errors.New("it holds no record")

// checkpointIfDue signs the last record where it is time for that, or if force
// is set.
func (l *Ledger) checkpointIfDue(t *tail, now time.Time, force bool) error {
	c := l.checkpoints
	if c.Signer == nil || t.last.Seq == 0 {
		return nil
	}
	notes, err := l.openNotes(t)
	if err != nil {
		return err
	}
	defer func() { _ = notes.file.Close() }() // every checkpoint was synced when it was written
	since := t.last.Seq - notes.last.Head.Seq
	switch {
	case since == 0:
		return nil
	case force, c.Every > 0 && since >= c.Every, c.Interval > 0 && now.Sub(notes.last.Time) >= c.Interval:
		return l.sign(notes, t, now)
	}
	return nil
}

// notes is the end of a file of checkpoints.
type notes struct {
	file *os.File
	size int64
	last Checkpoint
	// block is last as it stands in the file.
	block []byte
}

// openNotes opens the file of checkpoints and mends it. It fails with *TailError
// if the last one is of a record that the ledger does not hold: its end was cut
// off, or it was rewritten.
func (l *Ledger) openNotes(t *tail) (*notes, error) {
	file, err := openFile(checkpointsPath(l.path), true)
	if err != nil {
		return nil, fmt.Errorf("open the checkpoints: %w", err)
	}
	n, err := readNotes(file)
	if err == nil {
		err = n.agree(t)
	}
	if err == nil {
		err = l.holds(n.last.Head, t)
	}
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, err
	}
	return n, nil
}

// readNotes reads the last checkpoint, and cuts off what follows it: a write
// that was cut short.
func readNotes(file *os.File) (*notes, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	n := &notes{file: file, size: info.Size()}
	buf := make([]byte, min(3*maxNote, n.size))
	start := n.size - int64(len(buf))
	if _, err := io.ReadFull(io.NewSectionReader(file, start, int64(len(buf))), buf); err != nil {
		return nil, err
	}
	end := lastNoteEnd(buf)
	if torn := len(buf) - end; torn > 0 {
		if torn > maxNote {
			return nil, &TailError{fmt.Sprintf("an incomplete checkpoint of more than %d bytes", maxNote)}
		}
		n.size = start + int64(end)
		if err := file.Truncate(n.size); err != nil {
			return nil, fmt.Errorf("cut off an incomplete checkpoint: %w", err)
		}
	}
	if end == 0 {
		return n, nil
	}
	block := buf[:end]
	if before := lastNoteEnd(block[:end-1]); before > 0 {
		block = block[before:]
	}
	n.block = block
	if n.last, err = readNote(block); err != nil {
		return nil, &TailError{"the last checkpoint: " + err.Error()}
	}
	return n, nil
}

// lastNoteEnd returns where the last whole checkpoint in buf ends; 0 if none
// does. The empty line behind a signature is its end.
func lastNoteEnd(buf []byte) int {
	for end := len(buf); ; {
		i := bytes.LastIndex(buf[:end], []byte("\n\n"))
		if i < 0 {
			return 0
		}
		line := buf[bytes.LastIndexByte(buf[:i], '\n')+1 : i]
		if bytes.HasPrefix(line, []byte("\u2014 ")) {
			return i + 2
		}
		end = i + 1
	}
}

// agree holds the end of the ledger to its last checkpoint.
func (n *notes) agree(t *tail) error {
	switch last := n.last.Head; {
	case last.Seq > t.last.Seq:
		return &TailError{fmt.Sprintf("record %d was signed, and the ledger ends with record %d: its end was cut off", last.Seq, t.last.Seq)}
	case last.Seq == t.last.Seq && last.Seq > 0 && last.Hash != t.last.Hash:
		return rewritten(last)
	}
	return nil
}

// holds looks up a record that was signed before the last one. It is looked for once:
// then this Ledger knows it. One whose segment was moved away is not looked for.
func (l *Ledger) holds(signed Head, t *tail) error {
	if signed.Seq == 0 || signed == l.held {
		return nil
	}
	if err := l.readBegun(); err != nil {
		return err
	}
	r := &Reader{path: l.path, active: l.file, size: t.size}
	if signed.Seq < l.begun.seq {
		var err error
		if r.closed, err = sealedSegments(l.path); err != nil {
			return err
		}
	}
	if err := r.From(signed.Seq); err != nil {
		return err
	}
	_, err := Scan(r, VerifyOptions{trustFirst: true}, func(r Record) error {
		if r.Seq == signed.Seq && r.Hash != signed.Hash || r.Seq == signed.Seq+1 && r.Prev != signed.Hash {
			return rewritten(signed)
		}
		return errSeen
	})
	var damage *ChainError
	switch {
	case errors.As(err, &damage):
		return &TailError{"where the record that was signed belongs: " + damage.Error()}
	case err == nil:
		return rewritten(signed)
	case !errors.Is(err, errSeen):
		return err
	}
	l.held = signed
	return nil
}

var errSeen = errors.New("seen")

func rewritten(signed Head) error {
	return &TailError{fmt.Sprintf("record %d is not the one that was signed: the ledger was rewritten", signed.Seq)}
}

// sign appends a checkpoint of the last record and waits until it is on disk.
func (l *Ledger) sign(n *notes, t *tail, now time.Time) error {
	c := Checkpoint{Origin: l.checkpoints.Signer.Name(), Head: Head{Seq: t.last.Seq, Hash: t.last.Hash}, Time: now.UTC()}
	if c.Time.Before(n.last.Time) {
		c.Time = n.last.Time
	}
	block, err := c.sign(l.checkpoints.Signer)
	if err != nil {
		return fmt.Errorf("sign a checkpoint: %w", err)
	}
	// Whoever wrote the record may have been killed before it was on disk.
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("sync what is signed: %w", err)
	}
	_, err = n.file.Write(block)
	if err == nil {
		err = n.file.Sync()
	}
	if err == nil && n.size == 0 {
		err = syncFolder(filepath.Dir(l.path))
	}
	if err != nil {
		_ = n.file.Truncate(n.size) // else the next append does it
		return fmt.Errorf("write a checkpoint: %w", err)
	}
	n.last, n.block, n.size = c, block, n.size+int64(len(block))
	l.held = c.Head
	return nil
}
