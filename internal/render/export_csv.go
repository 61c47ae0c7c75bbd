package render

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/runwrit/writ/ledger"
)

// csvColumns are the columns of an export, in their order; docs/cli/ledger.md.
var csvColumns = []string{
	"seq", "time", "type", "outcome", "runbook", "file_sha256", "verdict", "reasons", "rules", "caller", "worker",
	"decision", "start", "user", "sandbox", "interpreter", "audience", "status", "signal", "duration_ms", "dry_run", "error", "hash",
}

// csvRecords writes comma-separated values as RFC 4180 has them, with one line of
// names first. Nothing in it is a formula to a spreadsheet: see cell.
type csvRecords struct {
	w     *csv.Writer
	begun bool
}

func newCSVRecords(w io.Writer) *csvRecords {
	c := csv.NewWriter(w)
	c.UseCRLF = true
	return &csvRecords{w: c}
}

func (c *csvRecords) begin() error {
	if c.begun {
		return nil
	}
	c.begun = true
	return c.w.Write(csvColumns)
}

func (c *csvRecords) Write(r ledger.Record) error {
	if err := c.begin(); err != nil {
		return err
	}
	b := bodyOf(r)
	row := []string{
		strconv.FormatUint(r.Seq, 10), r.Time.UTC().Format(time.RFC3339Nano), string(r.Type), b.outcome(r.Type),
		b.Runbook.Name, b.Runbook.SHA256, b.Verdict, b.codes(), strings.Join(b.Rules, " "), b.Input.Caller.ID, b.Input.Worker.ID,
		numberOrNone(b.Decision), numberOrNone(b.Start), b.User, b.Sandbox.word(), b.Interpreter, b.Audience, "", "", "", "", b.Error, r.Hash.String(),
	}
	const status, signal, duration, dry = 17, 18, 19, 20
	if r.Type == ledger.TypeEnd {
		row[status], row[signal], row[duration] = strconv.Itoa(b.Status), strconv.Itoa(b.Signal), strconv.FormatInt(b.DurationMS, 10)
	}
	if r.Type == ledger.TypeDecision {
		row[dry] = strconv.FormatBool(b.DryRun)
	}
	for i, text := range row {
		row[i] = cell(text)
	}
	if err := c.w.Write(row); err != nil {
		return err
	}
	c.w.Flush() // a reader of a pipe gets whole lines
	return c.w.Error()
}

// Close writes the line of names also where there are no records.
func (c *csvRecords) Close() error {
	if err := c.begin(); err != nil {
		return err
	}
	c.w.Flush()
	return c.w.Error()
}

func numberOrNone(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

// formulaMarks begin a formula in some spreadsheet; the wide ones do in some.
const formulaMarks = "=+-@\uff1d\uff0b\uff0d\uff20"

// cell returns text as a cell that no spreadsheet takes for a formula: on one
// line, escaped as everywhere, and with an apostrophe before what would begin a
// formula: at its beginning, and behind what some spreadsheet may take for the
// end of a cell. A number stays one.
func cell(text string) string {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(n, 10) == text {
		return text
	}
	text = clip(text)
	if !strings.ContainsAny(text, formulaMarks) {
		return text
	}
	var b strings.Builder
	begins := true
	for _, r := range text {
		if begins && strings.ContainsRune(formulaMarks, r) {
			b.WriteByte('\'')
		}
		b.WriteRune(r)
		begins = strings.ContainsRune(";,|\"\t", r) || begins && unicode.IsSpace(r)
	}
	return b.String()
}
