package worker

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runwrit/writ/internal/streams"
	"github.com/runwrit/writ/ledger"
)

// The streams of a job, as hybrid runbook workers name them. All of standard error is
// StreamError. Of standard output, a line that begins with "DEBUG:", "VERBOSE:",
// "WARNING:" or "ERROR:", all in capitals, in small letters, or with one capital,
// belongs to that stream, and every other line is StreamOutput.
const (
	StreamOutput  = "Output"
	StreamError   = "Error"
	StreamWarning = "Warning"
	StreamVerbose = "Verbose"
	StreamDebug   = "Debug"
)

// MaxLine is how many bytes of a line a Line holds.
const MaxLine = 32 << 10

// Line is one line that a runbook wrote.
type Line struct {
	// Time is when the worker had the whole of it.
	Time time.Time
	// Stream is one of those above.
	Stream string
	// Text is the line without its end. Secrets are masked, and what is not UTF-8 is
	// replaced by U+FFFD; control characters are as the runbook wrote them.
	Text string
	// Cut says that the line was longer than MaxLine, and Text is its beginning.
	Cut bool
}

// EncodeLine returns a line as one line of JSON in ASCII: docs/formats/streams.md.
func EncodeLine(l Line) ([]byte, error) {
	return encodeEntry(struct {
		Time   string `json:"time"`
		Stream string `json:"stream"`
		Text   string `json:"text"`
		Cut    bool   `json:"cut,omitempty"`
	}{stamp(l.Time), l.Stream, l.Text, l.Cut})
}

// EncodeState returns a state as one line of JSON in ASCII: docs/formats/streams.md.
func EncodeState(at time.Time, s State) ([]byte, error) {
	return encodeEntry(struct {
		Time  string `json:"time"`
		State State  `json:"state"`
	}{stamp(at), s})
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }

func encodeEntry(entry any) ([]byte, error) {
	data, err := json.Marshal(entry)
	if err != nil {
		return nil, err
	}
	return append(ledger.ASCII(data), '\n'), nil
}

// LineCounts is how many lines each stream of a job got.
type LineCounts struct {
	Output  int64 `json:"output"`
	Error   int64 `json:"error"`
	Warning int64 `json:"warning"`
	Verbose int64 `json:"verbose"`
	Debug   int64 `json:"debug"`
}

func lineOf(l streams.Line, at time.Time) Line {
	return Line{Time: at, Stream: l.Stream, Text: strings.ToValidUTF8(string(l.Text), "\ufffd"), Cut: l.Cut}
}

// secretsOf returns the values among the arguments of a run that must not be shown:
// all but those of which the decision says that they may be.
func secretsOf(e Evidence) []string {
	permit, err := e.Decision.Permit()
	if err != nil {
		return nil // nothing is run
	}
	hidden := e.Decision.Redact(e.Input).Redacted
	var secrets []string
	position := 0
	for _, a := range permit.Arguments() {
		name := a.Name
		if name == "" {
			position++
			name = strconv.Itoa(position)
		}
		if value, known := e.Input.Parameters[name]; !known || value != a.Value || slices.Contains(hidden, name) {
			secrets = append(secrets, a.Value)
			if a.JSON {
				secrets = append(secrets, textsOf(a.Value)...)
			}
		}
	}
	return secrets
}
