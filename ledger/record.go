package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// timeLayout has a fixed width, so that a time can be written in one way only.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

// The fixed parts of a line, in their order. What lies between them is a number,
// 64 digits, a time, a type word, an object, and 64 digits.
const (
	partSeq  = `{"seq":`
	partPrev = `,"prev":"`
	partTime = `","time":"`
	partType = `","type":"`
	partBody = `","body":`
	partHash = `,"hash":"`
	partEnd  = `"}`
)

const (
	hashDigits = 2 * sha256.Size
	// sealSize is the length of what follows the hashed part of a line.
	sealSize = len(partHash) + hashDigits + len(partEnd)
)

// Record is one line of a ledger.
type Record struct {
	Seq  uint64          `json:"seq"`
	Prev Hash            `json:"prev"`
	Time time.Time       `json:"time"`
	Type Type            `json:"type"`
	Body json.RawMessage `json:"body"`
	Hash Hash            `json:"hash"`
}

// encodeRecord returns the line of a record, with its line end. Hash is
// computed, not taken from r. The line has passed parseRecord: a ledger never
// writes what it would not read.
func encodeRecord(r Record) ([]byte, Hash, error) {
	line := r.head()
	hash := hashLine(line)
	line = seal(line, hash)
	if len(line)+1 > MaxRecord {
		return nil, Hash{}, fmt.Errorf("%d bytes, the limit of a record is %d", len(line)+1, MaxRecord)
	}
	if _, err := parseRecord(line); err != nil {
		return nil, Hash{}, err
	}
	return append(line, '\n'), hash, nil
}

// head is the line up to its hash.
func (r Record) head() []byte {
	line := make([]byte, 0, len(r.Body)+512)
	line = append(line, partSeq...)
	line = strconv.AppendUint(line, r.Seq, 10)
	line = append(line, partPrev...)
	line = append(line, r.Prev.String()...)
	line = append(line, partTime...)
	line = r.Time.UTC().AppendFormat(line, timeLayout)
	line = append(line, partType...)
	line = append(line, r.Type...)
	line = append(line, partBody...)
	return append(line, r.Body...)
}

func seal(line []byte, hash Hash) []byte {
	line = append(line, partHash...)
	line = append(line, hash.String()...)
	return append(line, partEnd...)
}

// Line returns the line of a record that was read, with its line end, as it
// stands in the ledger.
func (r Record) Line() []byte { return append(seal(r.head(), r.Hash), '\n') }

// hashLine hashes the part of a line before its hash, closed by a brace, which
// makes the hashed bytes a JSON object of their own.
func hashLine(part []byte) Hash {
	h := sha256.New()
	h.Write(part)
	h.Write([]byte{'}'})
	return Hash(h.Sum(nil))
}

// parseRecord reads one line without its line end. There is one way to write
// each field, and every other is refused. Body shares memory with line.
func parseRecord(line []byte) (Record, error) {
	for i, c := range line {
		if c < 0x20 || c > 0x7e {
			return Record{}, fmt.Errorf("column %d: byte 0x%02x, want printable ASCII only", i+1, c)
		}
	}
	if len(line) < sealSize {
		return Record{}, errors.New("not a record")
	}
	head, seal := line[:len(line)-sealSize], line[len(line)-sealSize:]
	var r Record
	var err error
	if seal, err = after(seal, partHash); err != nil {
		return Record{}, err
	}
	if r.Hash, err = parseHash(string(seal[:hashDigits])); err != nil {
		return Record{}, fmt.Errorf("hash: %w", err)
	}
	if string(seal[hashDigits:]) != partEnd {
		return Record{}, fmt.Errorf("does not end in %q", partEnd)
	}
	if head, err = r.parseHead(head); err != nil {
		return Record{}, err
	}
	if err := checkBody(head); err != nil {
		return Record{}, fmt.Errorf("body: %w", err)
	}
	r.Body = head
	if hashLine(line[:len(line)-sealSize]) != r.Hash {
		return Record{}, errHash
	}
	return r, nil
}

// errHash is the one parse error that says of a well-made line that it was
// changed.
var errHash = errors.New("the hash is not that of the record: the line was changed")

// parseHead reads the fields before the body and returns what follows them.
func (r *Record) parseHead(b []byte) ([]byte, error) {
	var field []byte
	var err error
	if b, err = after(b, partSeq); err != nil {
		return nil, err
	}
	if field, b, err = before(b, partPrev); err != nil {
		return nil, err
	}
	r.Seq, err = strconv.ParseUint(string(field), 10, 64)
	if err != nil || r.Seq == 0 || strconv.FormatUint(r.Seq, 10) != string(field) {
		return nil, errors.New("seq: want a number from 1 on")
	}
	if field, b, err = before(b, partTime); err != nil {
		return nil, err
	}
	if r.Prev, err = parseHash(string(field)); err != nil {
		return nil, fmt.Errorf("prev: %w", err)
	}
	if field, b, err = before(b, partType); err != nil {
		return nil, err
	}
	r.Time, err = time.Parse(timeLayout, string(field))
	if err != nil || r.Time.Format(timeLayout) != string(field) {
		return nil, fmt.Errorf("time: want the form %s", timeLayout)
	}
	if field, b, err = before(b, partBody); err != nil {
		return nil, err
	}
	r.Type = Type(field)
	if !r.Type.known() {
		return nil, fmt.Errorf("type: %.40q is not one that this version knows", field)
	}
	return b, nil
}

func after(b []byte, part string) ([]byte, error) {
	rest, found := bytes.CutPrefix(b, []byte(part))
	if !found {
		return nil, fmt.Errorf("want %q, found %.20q", part, b)
	}
	return rest, nil
}

func before(b []byte, part string) (field, rest []byte, err error) {
	field, rest, found := bytes.Cut(b, []byte(part))
	if !found {
		return nil, nil, fmt.Errorf("no %q where it belongs", part)
	}
	return field, rest, nil
}

// checkBody refuses everything but one compact JSON object in which no object
// has a key twice: two readers must never see two meanings.
func checkBody(body []byte) error {
	if len(body) == 0 || body[0] != '{' {
		return errors.New("want a JSON object")
	}
	if err := checkNesting(body); err != nil {
		return err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, body); err != nil {
		return err
	}
	if compact.Len() != len(body) {
		return errors.New("white space between JSON tokens")
	}
	return checkKeys(body)
}

// checkNesting bounds the depth before a recursive parser sees the bytes.
func checkNesting(body []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return fmt.Errorf("nested deeper than %d", MaxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// checkKeys refuses an object with the same key twice, at any depth. The body
// is known to be well-formed compact JSON, so that a string is a key if it stands
// right behind a brace or, in an object, behind a comma.
func checkKeys(body []byte) error {
	var stack []map[string]bool // the keys of each open object; nil for an array
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '{':
			stack = append(stack, map[string]bool{})
		case '[':
			stack = append(stack, nil)
		case '}', ']':
			stack = stack[:len(stack)-1]
		case '"':
			text := quoted(body[i:])
			if before := body[i-1]; before == '{' || before == ',' && stack[len(stack)-1] != nil {
				if err := addKey(stack[len(stack)-1], text); err != nil {
					return err
				}
			}
			i += len(text) - 1
		}
	}
	return nil
}

// quoted returns the string that b begins with, quotes included.
func quoted(b []byte) []byte {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return b[:i+1]
		}
	}
	return b
}

func addKey(keys map[string]bool, text []byte) error {
	key := string(text[1 : len(text)-1])
	if bytes.IndexByte(text, '\\') >= 0 { // one key may be written in several ways
		if err := json.Unmarshal(text, &key); err != nil {
			return err
		}
	}
	if keys[key] {
		return fmt.Errorf("the key %.40q is there twice", key)
	}
	keys[key] = true
	return nil
}
