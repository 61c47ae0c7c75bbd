package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/runwrit/writ/ledger"
)

// Chain is what was found out about a ledger. Damage is nil if it is intact;
// Summary is then of the whole, else of the intact beginning.
type Chain struct {
	Path    string
	Summary ledger.Summary
	Damage  *ledger.ChainError
}

// RecordWriter writes the records of a ledger one by one: a ledger may be
// larger than memory. Close writes what belongs at the end, once.
type RecordWriter interface {
	Write(r ledger.Record) error
	Close() error
}

func (textRenderer) Chain(w io.Writer, c Chain) error {
	var b bytes.Buffer
	if c.Damage != nil {
		fmt.Fprintf(&b, "damaged   %s\n", clip(c.Path))
		fmt.Fprintf(&b, "problem   %s at line %d, record %d: %s\n", c.Damage.Problem, c.Damage.Line, c.Damage.Seq, clip(c.Damage.Detail))
		fmt.Fprintf(&b, "before it %d records are intact\n", c.Summary.Records)
	} else {
		fmt.Fprintf(&b, "intact    %s\n", clip(c.Path))
		fmt.Fprintf(&b, "records   %d\n", c.Summary.Records)
	}
	if c.Summary.Records > 0 {
		fmt.Fprintf(&b, "first     %s\n", c.Summary.First.UTC().Format(time.RFC3339))
		fmt.Fprintf(&b, "last      %s\n", c.Summary.Last.UTC().Format(time.RFC3339))
		fmt.Fprintf(&b, "head      %s\n", c.Summary.Head)
	}
	if c.Summary.Repairs > 0 {
		fmt.Fprintf(&b, "repairs   %d (a last line without an end was cut off)\n", c.Summary.Repairs)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (jsonRenderer) Chain(w io.Writer, c Chain) error {
	type damage struct {
		Line    int            `json:"line"`
		Seq     uint64         `json:"seq"`
		Problem ledger.Problem `json:"problem"`
		Detail  string         `json:"detail"`
	}
	doc := struct {
		Version int        `json:"version"`
		Path    string     `json:"path"`
		Intact  bool       `json:"intact"`
		Records uint64     `json:"records"`
		First   *time.Time `json:"first"`
		Last    *time.Time `json:"last"`
		Head    string     `json:"head"`
		Repairs uint64     `json:"repairs"`
		Damage  *damage    `json:"damage"`
	}{
		Version: schemaVersion, Path: c.Path, Intact: c.Damage == nil, Records: c.Summary.Records,
		First: timeOrNull(c.Summary.First), Last: timeOrNull(c.Summary.Last),
		Head: c.Summary.Head.String(), Repairs: c.Summary.Repairs,
	}
	if c.Damage != nil {
		doc.Damage = &damage{c.Damage.Line, c.Damage.Seq, c.Damage.Problem, c.Damage.Detail}
	}
	return writeJSON(w, doc)
}

type textRecords struct{ w io.Writer }

func (textRenderer) Records(w io.Writer) RecordWriter { return textRecords{w} }

func (t textRecords) Write(r ledger.Record) error {
	_, err := fmt.Fprintf(t.w, "%d %s %s %s\n", r.Seq, r.Time.UTC().Format(time.RFC3339), clip(string(r.Type)), Escape(string(r.Body)))
	return err
}

func (textRecords) Close() error { return nil }

type jsonRecords struct {
	w     io.Writer
	begun bool
}

func (jsonRenderer) Records(w io.Writer) RecordWriter { return &jsonRecords{w: w} }

func (j *jsonRecords) Write(r ledger.Record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	before := ",\n"
	if !j.begun {
		before = j.begin()
	}
	_, err = fmt.Fprintf(j.w, "%s%s", before, escapeJSON(line))
	return err
}

func (j *jsonRecords) begin() string {
	j.begun = true
	return fmt.Sprintf("{\"version\":%d,\"records\":[\n", schemaVersion)
}

func (j *jsonRecords) Close() error {
	end := "]}\n"
	if !j.begun {
		end = j.begin() + end
	}
	_, err := io.WriteString(j.w, end)
	return err
}
