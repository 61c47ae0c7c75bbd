package render

import (
	"encoding/json"
	"io"
	"strings"

	"github.com/runwrit/writ/ledger"
)

// Export returns a writer of records for other programs: "json" (JSON Lines, the
// very lines of the ledger), "csv" for a spreadsheet, "cef" for a collector of
// security events. It keeps nothing in memory. It fails with *FormatError for
// another format.
func Export(format string, w io.Writer) (RecordWriter, error) {
	switch format {
	case "json":
		return jsonLines{w}, nil
	case "csv":
		return newCSVRecords(w), nil
	case "cef":
		return cefRecords{w}, nil
	}
	return nil, &FormatError{format, []string{"json", "csv", "cef"}}
}

// jsonLines writes each record as its line in the ledger, which is ASCII.
type jsonLines struct{ w io.Writer }

func (j jsonLines) Write(r ledger.Record) error {
	_, err := j.w.Write(r.Line())
	return err
}

func (jsonLines) Close() error { return nil }

// bodyOf reads as much of a body as the gate's own have in common; the zero value
// of one that is another's.
func bodyOf(r ledger.Record) recordBody {
	var b recordBody
	if err := json.Unmarshal(r.Body, &b); err != nil {
		return recordBody{}
	}
	return b
}

// codes are why a decision denies.
func (b *recordBody) codes() string {
	var codes []string
	for _, reason := range b.Deny {
		codes = append(codes, reason.Code)
	}
	return strings.Join(codes, " ")
}

// outcome says in one word what came of it.
func (b *recordBody) outcome(t ledger.Type) string {
	switch t {
	case ledger.TypeDecision, ledger.TypeToken:
		if b.Allow {
			return "allowed"
		}
		return "denied"
	case ledger.TypeStart:
		return "started"
	case ledger.TypeEnd:
		return b.ending()
	case ledger.TypeRepair, ledger.TypeSegment:
	}
	return ""
}

func (b *recordBody) ending() string {
	switch {
	case b.Lost:
		return "lost"
	case !b.Started:
		return "not-started"
	case b.TimedOut:
		return "timed-out"
	case b.Canceled:
		return "canceled"
	case b.Status == 0 && b.Signal == 0:
		return "succeeded"
	}
	return "failed"
}
