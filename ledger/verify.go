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
)

// ChainError says that a ledger is not intact, and where.
type ChainError struct {
	// Line counts from 1; it is the line after the last one for a problem of the
	// ledger's end.
	Line int
	// Seq is the number of the record at fault, or of the one that belongs at
	// this place if the line does not tell.
	Seq     uint64
	Problem Problem
	Detail  string
}

func (e *ChainError) Error() string {
	return fmt.Sprintf("line %d, record %d: %s: %s", e.Line, e.Seq, e.Problem, e.Detail)
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
}

// VerifyOptions say what else to hold a ledger to.
type VerifyOptions struct {
	// Head is a head that was noted earlier; the ledger must still hold that
	// very record. The zero value asks for nothing.
	Head Head
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
// valid only until visit returns.
func Scan(r io.Reader, o VerifyOptions, visit func(Record) error) (Summary, error) {
	var s Summary
	in := bufio.NewScanner(r)
	in.Buffer(nil, MaxRecord)
	in.Split(splitLines)
	line := 1
	for ; in.Scan(); line++ {
		record, err := s.next(line, in.Bytes(), o.Head)
		if err != nil {
			return s, err
		}
		if err := visit(record); err != nil {
			return s, err
		}
	}
	if err := in.Err(); err != nil {
		return s, s.readError(line, err)
	}
	return s, s.checkEnd(line, o.Head)
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

// next takes one line into the summary.
func (s *Summary) next(line int, text []byte, head Head) (Record, error) {
	want := s.Head.Seq + 1
	r, err := parseRecord(text)
	switch {
	case errors.Is(err, errHash):
		return r, &ChainError{line, want, ProblemEdited, err.Error()}
	case err != nil:
		return r, &ChainError{line, want, ProblemMalformed, err.Error()}
	case r.Seq != want:
		return r, &ChainError{line, r.Seq, ProblemSequence, fmt.Sprintf("record %d stands where record %d belongs", r.Seq, want)}
	case r.Prev != s.Head.Hash:
		return r, &ChainError{line, r.Seq, ProblemChain, "it names another record as the one before it"}
	case s.Records > 0 && r.Time.Before(s.Last):
		return r, &ChainError{line, r.Seq, ProblemTime, "it is older than the record before it"}
	case r.Seq == head.Seq && r.Hash != head.Hash:
		return r, &ChainError{line, r.Seq, ProblemHead, "it is not the record whose head was noted: the ledger was rewritten"}
	}
	if s.Records == 0 {
		s.First = r.Time
	}
	if r.Type == TypeRepair {
		s.Repairs++
	}
	s.Records++
	s.Last = r.Time
	s.Head = Head{Seq: r.Seq, Hash: r.Hash}
	return r, nil
}

func (s *Summary) checkEnd(line int, head Head) error {
	switch {
	case s.Records == 0:
		return &ChainError{line, 1, ProblemEmpty, "the ledger holds no record"}
	case head.Seq > s.Head.Seq:
		return &ChainError{line, s.Head.Seq + 1, ProblemHead, fmt.Sprintf("record %d was noted as head and is gone: the end was cut off", head.Seq)}
	}
	return nil
}

func (s *Summary) readError(line int, err error) error {
	seq := s.Head.Seq + 1
	switch {
	case errors.Is(err, errNoLineEnd):
		return &ChainError{line, seq, ProblemIncomplete, "the last line has no end: a write was cut short; the next append cuts it off and records that"}
	case errors.Is(err, bufio.ErrTooLong):
		return &ChainError{line, seq, ProblemMalformed, fmt.Sprintf("longer than %d bytes", MaxRecord)}
	}
	return fmt.Errorf("read ledger, line %d: %w", line, err)
}
