package ledger

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// maxNote is the largest checkpoint in bytes; names of keys are kept short for it.
const (
	maxNote   = 1 << 10
	maxOrigin = 256
)

// Checkpoint is a signed statement that a ledger holds a record, and through its
// hash everything before it.
type Checkpoint struct {
	// Origin says whose ledger it is: the name of the key.
	Origin string    `json:"origin"`
	Head   Head      `json:"head"`
	Time   time.Time `json:"time"`
}

// text is what is signed: four lines.
func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n%s\n", c.Origin, c.Head.Seq, c.Head.Hash, c.Time.UTC().Format(timeLayout))
}

// parseCheckpoint reads the text of a checkpoint. There is one way to write it.
func parseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 5 || lines[4] != "" {
		return Checkpoint{}, errors.New("want the four lines origin, record, hash, time")
	}
	c := Checkpoint{Origin: lines[0]}
	var err error
	if c.Head.Seq, err = strconv.ParseUint(lines[1], 10, 64); err != nil || c.Head.Seq == 0 {
		return Checkpoint{}, errors.New("second line: want the number of a record")
	}
	if c.Head.Hash, err = parseHash(lines[2]); err != nil {
		return Checkpoint{}, fmt.Errorf("third line: %w", err)
	}
	if c.Time, err = time.Parse(timeLayout, lines[3]); err != nil {
		return Checkpoint{}, fmt.Errorf("fourth line: want a time of the form %s", timeLayout)
	}
	if c.text() != text || c.Origin == "" || len(c.Origin) > maxOrigin {
		return Checkpoint{}, errors.New("not in the one form of a checkpoint")
	}
	return c, nil
}

// sign returns the checkpoint as it stands in its file.
func (c Checkpoint) sign(signer note.Signer) ([]byte, error) {
	signed, err := note.Sign(&note.Note{Text: c.text()}, signer)
	if err != nil {
		return nil, err
	}
	signed = append(signed, '\n')
	if len(signed) > maxNote {
		return nil, fmt.Errorf("%d bytes, the limit of a checkpoint is %d: give the key a shorter name", len(signed), maxNote)
	}
	if _, err := readNote(signed); err != nil {
		return nil, err
	}
	return signed, nil
}

// readNote reads a checkpoint as it stands in its file, and does not look at the
// signature.
func readNote(block []byte) (Checkpoint, error) {
	text, sig, found := strings.Cut(string(block), "\n\n")
	if !found || !strings.HasPrefix(sig, "\u2014 ") || !strings.HasSuffix(sig, "\n\n") || strings.Count(sig, "\n") != 2 {
		return Checkpoint{}, errors.New("want the text, an empty line, one signature and an empty line")
	}
	return parseCheckpoint(text + "\n")
}

// CheckpointReader reads a file of checkpoints, and holds a ledger to them.
type CheckpointReader struct {
	name string
	in   *bufio.Scanner
	keys note.Verifiers
	line int
	// next is the one that the ledger has not reached yet; nil behind the last.
	next *Checkpoint
	last Checkpoint
	held uint64
}

// NewCheckpointReader returns a reader of the checkpoints in r, which must all be
// signed by one of the keys. Problems carry the name.
func NewCheckpointReader(name string, r io.Reader, keys ...note.Verifier) (*CheckpointReader, error) {
	if len(keys) == 0 {
		return nil, errors.New("no key: a checkpoint that anybody may have signed says nothing")
	}
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxNote)
	in.Split(splitNotes)
	return &CheckpointReader{name: name, in: in, keys: note.VerifierList(keys...), line: 1}, nil
}

// splitNotes takes text and signature, each with the empty line behind it.
func splitNotes(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if text := bytes.Index(data, []byte("\n\n")); text >= 0 {
		if sig := bytes.Index(data[text+2:], []byte("\n\n")); sig >= 0 {
			end := text + 2 + sig + 2
			return end, data[:end], nil
		}
	}
	if atEOF && len(data) > 0 {
		return 0, nil, errNoLineEnd
	}
	return 0, nil, nil
}

// begin reads up to the first checkpoint behind the head.
func (c *CheckpointReader) begin(after Head) error {
	for {
		if err := c.advance(); err != nil || c.next == nil || c.next.Head.Seq > after.Seq {
			return err
		}
		if c.next.Head.Seq == after.Seq && c.next.Head != after {
			return c.rewritten()
		}
	}
}

// hold compares the checkpoints of one record, which are those that come next.
func (c *CheckpointReader) hold(r *Record) error {
	for c.next != nil && c.next.Head.Seq == r.Seq {
		if c.next.Head.Hash != r.Hash {
			return c.rewritten()
		}
		if c.next.Time.Before(r.Time) {
			return c.problem(ProblemRollback, "it is older than the record that it is of")
		}
		c.held++
		if err := c.advance(); err != nil {
			return err
		}
	}
	return nil
}

// end fails if a checkpoint is left: its record is not there.
func (c *CheckpointReader) end(head Head) error {
	switch {
	case c.next != nil:
		return c.problem(ProblemTruncated, fmt.Sprintf("record %d was signed and is gone: the ledger ends with record %d, its end was cut off", c.next.Head.Seq, head.Seq))
	case c.last.Head.Seq == 0:
		return c.problem(ProblemUnsigned, "there is no checkpoint")
	}
	return nil
}

func (c *CheckpointReader) rewritten() error {
	return c.problem(ProblemRewritten, fmt.Sprintf("it is of another record %d than the ledger holds: the ledger was rewritten, or is another one", c.next.Head.Seq))
}

// advance reads the next checkpoint and its signature.
func (c *CheckpointReader) advance() error {
	if c.next != nil {
		c.last = *c.next
		c.line += noteLines
	}
	c.next = nil
	if !c.in.Scan() {
		return c.readError(c.in.Err())
	}
	found, err := readNote(c.in.Bytes())
	if err != nil {
		return c.problem(ProblemNote, err.Error())
	}
	c.next = &found
	if err := c.verify(); err != nil {
		return err
	}
	if found.Head.Seq < c.last.Head.Seq || found.Time.Before(c.last.Time) {
		return c.problem(ProblemRollback, fmt.Sprintf("it is of record %d at %s, and the one before it of record %d at %s",
			found.Head.Seq, found.Time.Format(time.RFC3339), c.last.Head.Seq, c.last.Time.Format(time.RFC3339)))
	}
	return nil
}

// noteLines is how many lines a checkpoint takes.
const noteLines = 7

// verify checks the signature of the checkpoint that was read just now.
func (c *CheckpointReader) verify() error {
	block := c.in.Bytes()
	n, err := note.Open(block[:len(block)-1], c.keys)
	var unknown *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unknown):
		return c.problem(ProblemKey, "it is signed by a key that was not given")
	case errors.As(err, &invalid):
		return c.problem(ProblemForged, "the signature is not of the key that it names")
	case err != nil:
		return c.problem(ProblemNote, err.Error())
	case len(n.Sigs) != 1 || n.Sigs[0].Name != c.next.Origin:
		return c.problem(ProblemNote, "its first line is not the name of the key")
	}
	return nil
}

func (c *CheckpointReader) readError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoLineEnd):
		return c.problem(ProblemIncomplete, "the last checkpoint has no end: its writing was cut short; the next append that signs cuts it off")
	case errors.Is(err, bufio.ErrTooLong):
		return c.problem(ProblemNote, fmt.Sprintf("longer than %d bytes", maxNote))
	}
	return fmt.Errorf("read checkpoints %q: %w", c.name, err)
}

func (c *CheckpointReader) problem(p Problem, detail string) error {
	seq := c.last.Head.Seq
	if c.next != nil {
		seq = c.next.Head.Seq
	}
	return &ChainError{c.name, c.line, seq, p, detail}
}
