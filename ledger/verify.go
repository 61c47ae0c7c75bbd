package ledger

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// Problem is the kind of damage that was found in a ledger.
type Problem string

// The problems.
const (
	ProblemEmpty      Problem = "empty"      // no record at all
	ProblemMalformed  Problem = "malformed"  // a line is not a record
	ProblemEdited     Problem = "edited"     // a record's hash is not its own
	ProblemSequence   Problem = "sequence"   // a record is missing, repeated or out of order
	ProblemChain      Problem = "chain"      // a record does not follow the one before it
	ProblemTime       Problem = "time"       // a record is older than the one before it
	ProblemIncomplete Problem = "incomplete" // the last line has no end: a write was cut short
	ProblemHead       Problem = "head"       // the head that was noted is not in the ledger
	ProblemSegment    Problem = "segment"    // a file does not begin as a segment of its name does
	ProblemTruncated  Problem = "truncated"  // a checkpoint is of a record behind the ledger's end
	ProblemRewritten  Problem = "rewritten"  // a checkpoint is of another record than the one that stands there
	ProblemNote       Problem = "checkpoint" // a checkpoint is malformed
	ProblemKey        Problem = "key"        // a checkpoint is signed by a key that is not known
	ProblemForged     Problem = "forged"     // a checkpoint's signature is not of that key
	ProblemRollback   Problem = "rollback"   // a checkpoint is of an earlier record or time than the one before it
	ProblemUnsigned   Problem = "unsigned"   // there is no checkpoint
)

// ChainError says that a ledger is not intact, and where.
type ChainError struct {
	// File is the segment, or the file of checkpoints, that Line is in; "" where
	// only one stream was read.
	File string
	// Line counts from 1; it is the line after the last one for a problem of the
	// ledger's end, and 0 where the file was not read from its beginning.
	Line int
	// Seq is the number of the record at fault, or of the one that belongs at
	// this place if the line does not tell.
	Seq     uint64
	Problem Problem
	Detail  string
}

func (e *ChainError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.Place(), e.Problem, e.Detail)
}

// Place says where in its file the problem is.
func (e *ChainError) Place() string {
	if e.Line == 0 {
		return fmt.Sprintf("record %d", e.Seq)
	}
	return fmt.Sprintf("line %d, record %d", e.Line, e.Seq)
}

// Summary is what an intact ledger amounts to; of a damaged one, what its intact
// beginning does.
type Summary struct {
	Records uint64    `json:"records"`
	First   time.Time `json:"first,omitzero"`
	Last    time.Time `json:"last,omitzero"`
	// Head is the last record. Note it elsewhere: it is what shows later that
	// nothing was cut off.
	Head    Head   `json:"head"`
	Repairs uint64 `json:"repairs"`
	// Segments is how many files were read.
	Segments int `json:"segments"`
	// Checkpoints is how many hold, and Signed the last record that one is of; 0
	// where none was asked for.
	Checkpoints uint64 `json:"checkpoints"`
	Signed      uint64 `json:"signed"`
}

// VerifyOptions say what else to hold a ledger to.
type VerifyOptions struct {
	// Head is a head that was noted earlier; the ledger must still hold that
	// very record. The zero value asks for nothing.
	Head Head
	// After is the head up to which the ledger is known: what is read begins with
	// that record, or with the one after it. Zero for the beginning of the ledger.
	After Head
	// Checkpoints must all be of records of the ledger; what is read must reach
	// as far as they do. Each is read once.
	Checkpoints []*CheckpointReader

	// trustFirst takes the first record for true: what is read begins somewhere.
	trustFirst bool
}

// Verify reads a whole ledger and checks every record and the chain. It fails
// with *ChainError if the ledger is not intact, and with the error of r if that
// cannot be read. Memory does not grow with the ledger.
func Verify(r io.Reader, o VerifyOptions) (Summary, error) {
	return Scan(r, o, func(Record) error { return nil })
}

// Scan is Verify and calls visit with each record, in order, once the record and
// everything before it are found intact. What comes after it may still be
// damaged. An error of visit ends the scan and is returned. The record's Body is
// valid only until visit returns. Of a *Reader that has read nothing yet each
// segment is looked at as the file that it is.
func Scan(r io.Reader, o VerifyOptions, visit func(Record) error) (Summary, error) {
	s := &scan{o: o, visit: visit}
	s.Head = o.After
	for _, c := range o.Checkpoints {
		if err := c.begin(o.After); err != nil {
			return s.Summary, err
		}
	}
	var err error
	if book, ok := r.(*Reader); ok {
		err = s.book(book)
	} else {
		err = s.file(r)
	}
	if err == nil {
		err = s.checkEnd()
	}
	return s.Summary, err
}

// scan is a verification under way.
type scan struct {
	Summary
	o     VerifyOptions
	visit func(Record) error
	// name and first are of the file that is read; "" and 0 where they are not
	// known. line is the next line, 0 where lines are not counted.
	name  string
	first uint64
	line  int
	// begun says that a record of this file was read, anchored that the record
	// of o.After was.
	begun, anchored bool
}

// book reads the files of a ledger one after the other.
func (s *scan) book(r *Reader) error {
	for i := range r.files() {
		p, err := r.part(i)
		if err != nil {
			return err
		}
		var skip int64
		if i == 0 {
			skip = r.skip
		}
		s.name, s.first = p.path, p.first
		err = s.part(io.NewSectionReader(p.content, skip, p.size-skip), skip > 0)
		p.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// part reads one file of several; partly says that it is not read from its
// beginning.
func (s *scan) part(r io.Reader, partly bool) error {
	s.begun = partly
	if partly {
		s.Segments++
		return s.lines(r, 0)
	}
	return s.file(r)
}

func (s *scan) file(r io.Reader) error {
	s.Segments++
	return s.lines(r, 1)
}

func (s *scan) lines(r io.Reader, line int) error {
	in := bufio.NewScanner(r)
	in.Buffer(nil, MaxRecord)
	in.Split(splitLines)
	for s.line = line; in.Scan(); {
		record, err := s.next(in.Bytes())
		if err != nil {
			return err
		}
		if record != nil {
			if err := s.visit(*record); err != nil {
				return err
			}
		}
		if s.line > 0 {
			s.line++
		}
	}
	if err := in.Err(); err != nil {
		return s.readError(err)
	}
	return nil
}

var errNoLineEnd = errors.New("the last line has no end")

// splitLines is bufio.ScanLines without its leniency: a carriage return belongs
// to the line, and the last line needs its end too.
func splitLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if end := bytes.IndexByte(data, '\n'); end >= 0 {
		return end + 1, data[:end], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, errNoLineEnd
	}
	return 0, nil, nil
}

// next takes one line into the summary. It returns no record for that of
// o.After, which is not new.
func (s *scan) next(text []byte) (*Record, error) {
	want := s.Head.Seq + 1
	r, err := parseRecord(text)
	switch {
	case errors.Is(err, errHash):
		return nil, s.problem(want, ProblemEdited, err.Error())
	case err != nil:
		return nil, s.problem(want, ProblemMalformed, err.Error())
	}
	if s.Records == 0 && !s.anchored {
		if known, err := s.anchor(&r); known || err != nil {
			return nil, err
		}
		want = s.Head.Seq + 1
	}
	switch {
	case r.Seq != want:
		return nil, s.problem(r.Seq, ProblemSequence, s.outOfOrder(r.Seq, want))
	case r.Prev != s.Head.Hash:
		return nil, s.problem(r.Seq, ProblemChain, "it names another record as the one before it")
	case s.Records > 0 && r.Time.Before(s.Last):
		return nil, s.problem(r.Seq, ProblemTime, "it is older than the record before it")
	case r.Seq == s.o.Head.Seq && r.Hash != s.o.Head.Hash:
		return nil, s.problem(r.Seq, ProblemHead, "it is not the record whose head was noted: the ledger was rewritten")
	}
	if !s.begun {
		if err := s.checkFirst(&r); err != nil {
			return nil, err
		}
	}
	for _, c := range s.o.Checkpoints {
		if err := c.hold(&r); err != nil {
			return nil, err
		}
	}
	s.count(&r)
	return &r, nil
}

// anchor deals with the first record that is read, where that is not the first of
// the ledger.
func (s *scan) anchor(r *Record) (known bool, err error) {
	switch after := s.o.After; {
	case s.o.trustFirst:
		s.Head = Head{Seq: r.Seq - 1, Hash: r.Prev}
	case after.Seq == 0 || r.Seq != after.Seq:
	case r.Hash != after.Hash:
		return false, s.problem(r.Seq, ProblemHead, "it is not the record from which on the ledger was to be read: the ledger was rewritten")
	default:
		s.anchored, s.begun, s.Last = true, true, r.Time
		return true, nil
	}
	return false, nil
}

// outOfOrder says what a number in the wrong place may mean.
func (s *scan) outOfOrder(seq, want uint64) string {
	text := fmt.Sprintf("record %d stands where record %d belongs", seq, want)
	switch {
	case s.begun || s.name == "" || seq < want:
	case s.Records == 0:
		text += ": the segments before this file are not there"
	default:
		text += ": a segment before this file is not there"
	}
	return text
}

// checkFirst holds the first record of a file to what begins a segment.
func (s *scan) checkFirst(r *Record) error {
	s.begun = true
	switch {
	case s.name == "":
		return nil
	case s.first != 0 && s.first != r.Seq:
		return s.problem(r.Seq, ProblemSegment, fmt.Sprintf("the file's name says that it begins with record %d", s.first))
	case r.Seq > 1 && r.Type != TypeSegment:
		return s.problem(r.Seq, ProblemSegment, "a file that goes on with a ledger begins with a record of the type segment")
	}
	return nil
}

func (s *scan) count(r *Record) {
	if s.Records == 0 {
		s.First = r.Time
	}
	if r.Type == TypeRepair {
		s.Repairs++
	}
	s.Records++
	s.Last = r.Time
	s.Head = Head{Seq: r.Seq, Hash: r.Hash}
}

func (s *scan) problem(seq uint64, p Problem, detail string) error {
	return &ChainError{s.name, s.line, seq, p, detail}
}

// checkEnd holds the ledger's end to what was noted elsewhere.
func (s *scan) checkEnd() error {
	want := s.Head.Seq + 1
	switch {
	case s.Records == 0 && s.o.After.Seq == 0 && !s.o.trustFirst:
		return s.problem(1, ProblemEmpty, "the ledger holds no record")
	case s.Records == 0 && s.o.After.Seq > 0 && !s.anchored:
		return s.problem(want, ProblemHead, fmt.Sprintf("record %d, from which on the ledger was to be read, is gone: the end was cut off", s.o.After.Seq))
	case s.o.Head.Seq > s.Head.Seq:
		return s.problem(want, ProblemHead, fmt.Sprintf("record %d was noted as head and is gone: the end was cut off", s.o.Head.Seq))
	}
	for _, c := range s.o.Checkpoints {
		if err := c.end(s.Head); err != nil {
			return err
		}
		s.Checkpoints += c.held
		s.Signed = max(s.Signed, c.last.Head.Seq)
	}
	return nil
}

func (s *scan) readError(err error) error {
	seq := s.Head.Seq + 1
	switch {
	case errors.Is(err, errNoLineEnd) && s.first != 0:
		return s.problem(seq, ProblemIncomplete, "the last line has no end, and this segment was closed: it was cut off")
	case errors.Is(err, errNoLineEnd):
		return s.problem(seq, ProblemIncomplete, "the last line has no end: a write was cut short; the next append cuts it off and records that")
	case errors.Is(err, bufio.ErrTooLong):
		return s.problem(seq, ProblemMalformed, fmt.Sprintf("longer than %d bytes", MaxRecord))
	case s.name != "":
		return fmt.Errorf("read ledger %q, line %d: %w", s.name, s.line, err)
	}
	return fmt.Errorf("read ledger, line %d: %w", s.line, err)
}
