// Package statement reads and writes what people and schedulers sign about a
// runbook: that they approve a run of it, that an emergency lifts the policy for
// it, that a job wants it run.
//
// A statement is a JSON object in one text: what Parse accepts, Render gives back
// byte for byte. The keys stand in the order of the Go types, all of them, each
// once, indented by two blanks, in ASCII (other characters as \u and four
// lower-case digits), with one LF at the end; that is what Python's
// json.dumps(document, indent=2) writes. The first key is "type", so that no
// statement can be taken for one of another type, nor for a runbook.
//
// The package knows nothing of signatures, and of no clock: a Document is what
// somebody may have signed, about some time.
package statement

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/runwrit/writ/runbook"
)

// Type says what a statement is, and in which version.
type Type string

// The types.
const (
	TypeApproval   Type = "writ.approval/v1"
	TypeBreakGlass Type = "writ.break-glass/v1"
	TypeTicket     Type = "writ.ticket/v1"
)

// begin is how every statement begins, whatever its type. No runbook does.
const begin = "{\n  \"type\": \"writ."

// Is reports whether a text begins as a statement does, well made or not.
func Is(text []byte) bool { return bytes.HasPrefix(text, []byte(begin)) }

// Mentions reports whether a file that holds a signed statement may be about the
// runbook of this name. Of a well made one it is never wrong in saying no.
func Mentions(file []byte, name string) bool {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(name) // a text cannot fail
	if bytes.Contains(file, []byte(begin+"break-glass/")) && !bytes.Contains(file, []byte("\n  \"path\": \"\"")) {
		return true // it is about paths
	}
	return bytes.Contains(file, append([]byte("\n  \"runbook\": "), inASCII(bytes.TrimSuffix(b.Bytes(), []byte("\n")))...))
}

// Document is a statement: *Approval, *BreakGlass or *Ticket.
type Document interface {
	// About is what every statement says.
	About() *Subject
	// problem says what is not as it should be; "" for nothing.
	problem() string
}

// Subject is the part that all statements have: which runbook they are about,
// where, and when.
type Subject struct {
	Type Type `json:"type"`
	// Runbook is the file name of the payload, without ".asc".
	Runbook string `json:"runbook"`
	// SHA256 is the digest of the signed file.
	SHA256 runbook.Digest `json:"sha256"`
	// Manifest is the digest of the list of files of its project; zero for a
	// runbook that runs by itself.
	Manifest runbook.Digest `json:"manifest_sha256"`
	// WorkerGroup is the group of the workers on which it may run.
	WorkerGroup string `json:"worker_group"`
	Reason      string `json:"reason"`
	NotBefore   Time   `json:"not_before"`
	// Expires is the first moment at which the statement says nothing any more.
	Expires Time `json:"expires"`
}

// About returns s itself.
func (s *Subject) About() *Subject { return s }

// Parameters are the arguments that a statement is bound to, without telling them.
type Parameters struct {
	// Salt keeps values that are easy to guess from being guessed.
	Salt string `json:"salt"`
	// Digest is what ParametersDigest makes of the salt and the arguments.
	Digest runbook.Digest `json:"parameters_sha256"`
}

// Approval says that its signer wants one run to be possible.
type Approval struct {
	Subject
	Parameters
	// Requester is the identity of who may ask for the run; "" for whom policy lets.
	Requester string `json:"requester"`
}

// BreakGlass says that its signer lifts the policy, in an emergency, for one
// requester.
type BreakGlass struct {
	Subject
	// Path is a glob of runbooks, where the statement is not bound to one digest;
	// "" where it is.
	Path      string `json:"path"`
	Requester string `json:"requester"`
	// Nonce tells statements apart that say the same.
	Nonce string `json:"nonce"`
}

// Ticket says that its signer, a scheduler, wants a job run for a caller.
type Ticket struct {
	Subject
	Parameters
	// WorkerID is the one worker that may run it; "" for each of the group.
	WorkerID string `json:"worker_id"`
	Caller   Caller `json:"caller"`
	Job      Job    `json:"job"`
	// Nonce is taken once.
	Nonce string `json:"nonce"`
}

// Caller is who asked the scheduler.
type Caller struct {
	Kind           string   `json:"kind"`
	ID             string   `json:"id"`
	Groups         []string `json:"groups"`
	GroupsComplete bool     `json:"groups_complete"`
	Roles          []string `json:"roles"`
}

// Job is what the scheduler knows of it. Times may be zero.
type Job struct {
	ID        string `json:"id"`
	Trigger   string `json:"trigger"`
	Scheduled Time   `json:"scheduled"`
	Submitted Time   `json:"submitted"`
}

// Time is a moment in UTC, in whole seconds; the zero value is none.
type Time struct{ time.Time }

// timeForm is how a moment is written.
const timeForm = "2006-01-02T15:04:05Z"

// At is t in whole seconds.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Second)} }

// String returns the moment as it is written; "" for none.
func (t Time) String() string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeForm)
}

// MarshalJSON writes the form of String.
func (t Time) MarshalJSON() ([]byte, error) { return json.Marshal(t.String()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Time) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	*t = Time{}
	if s == "" {
		return nil
	}
	parsed, err := time.Parse(timeForm, s)
	if err != nil {
		return fmt.Errorf("%.40q is no time such as %s", s, timeForm)
	}
	t.Time = parsed.UTC()
	return nil
}

// SyntaxError says why a text is no statement.
type SyntaxError struct{ Detail string }

func (e *SyntaxError) Error() string { return e.Detail }

func syntaxf(format string, args ...any) error {
	return &SyntaxError{fmt.Sprintf(format, args...)}
}

// Parse reads the text of a statement. It fails with *SyntaxError for every text
// but the one that Render writes.
func Parse(text []byte) (Document, error) {
	if len(text) > MaxText {
		return nil, syntaxf("the text has %d bytes, the limit is %d", len(text), MaxText)
	}
	if !Is(text) {
		return nil, syntaxf("the text does not begin as a statement does")
	}
	var head struct {
		Type Type `json:"type"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, syntaxf("the text is not JSON: %v", err)
	}
	var d Document
	switch head.Type {
	case TypeApproval:
		d = &Approval{}
	case TypeBreakGlass:
		d = &BreakGlass{}
	case TypeTicket:
		d = &Ticket{}
	default:
		return nil, syntaxf("the type %.40q is not known", string(head.Type))
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(d); err != nil {
		return nil, syntaxf("%v", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, syntaxf("something follows the statement")
	}
	again, err := Render(d)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, text) {
		return nil, syntaxf("the text is not in the one form that a statement has: keys in their order, each once, indented by two blanks")
	}
	return d, nil
}

// Render returns the text. It fails with *SyntaxError for a document that is not
// as it should be.
func Render(d Document) ([]byte, error) {
	if bad := d.problem(); bad != "" {
		return nil, syntaxf("%s", bad)
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(d); err != nil {
		return nil, syntaxf("%v", err)
	}
	out := inASCII(b.Bytes())
	if len(out) > MaxText {
		return nil, syntaxf("the text would have %d bytes, the limit is %d", len(out), MaxText)
	}
	return out, nil
}

// inASCII escapes what is not ASCII.
func inASCII(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		if r < utf8.RuneSelf {
			out = append(out, byte(r))
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			out = fmt.Appendf(out, "\\u%04x", unit)
		}
	}
	return out
}

// ParametersDigest is the digest of arguments, by name and position as a policy
// sees them, with a salt: of the JSON object {"parameters":{...},"salt":"..."},
// its keys sorted, without blanks.
func ParametersDigest(salt string, parameters map[string]string) runbook.Digest {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if parameters == nil {
		parameters = map[string]string{}
	}
	// Neither a map of strings nor a buffer can fail.
	_ = encoder.Encode(struct {
		Parameters map[string]string `json:"parameters"`
		Salt       string            `json:"salt"`
	}{parameters, salt})
	return runbook.DigestOf(inASCII(bytes.TrimSuffix(b.Bytes(), []byte("\n"))))
}

// NewNonce returns a text that nobody has had before; it serves as a salt too.
func NewNonce() string {
	var b [nonceBytes]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}
