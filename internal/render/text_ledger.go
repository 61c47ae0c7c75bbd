package render

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
)

func (textRenderer) Chain(w io.Writer, c Chain) error {
	var b strings.Builder
	if d := c.Damage; d != nil {
		fmt.Fprintf(&b, "damaged   %s\n", clip(c.Path))
		fmt.Fprintf(&b, "problem   %s at %s: %s\n", d.Problem, d.Place(), clip(d.Detail))
		if d.File != "" && d.File != c.Path {
			fmt.Fprintf(&b, "file      %s\n", clip(d.File))
		}
		fmt.Fprintf(&b, "before it %d records are intact\n", c.Summary.Records)
	} else {
		fmt.Fprintf(&b, "intact    %s\n", clip(c.Path))
		fmt.Fprintf(&b, "records   %d\n", c.Summary.Records)
	}
	if c.Summary.Segments > 1 {
		fmt.Fprintf(&b, "segments  %d\n", c.Summary.Segments)
	}
	if c.Summary.Records > 0 {
		fmt.Fprintf(&b, "first     %s\n", c.Summary.First.UTC().Format(time.RFC3339))
		fmt.Fprintf(&b, "last      %s\n", c.Summary.Last.UTC().Format(time.RFC3339))
		fmt.Fprintf(&b, "head      %s\n", c.Summary.Head)
	}
	if c.Damage == nil && c.Summary.Checkpoints > 0 {
		fmt.Fprintf(&b, "signed    up to record %d (checkpoints: %d, records after it: %d)\n",
			c.Summary.Signed, c.Summary.Checkpoints, c.Summary.Head.Seq-c.Summary.Signed)
	}
	if c.Summary.Repairs > 0 {
		fmt.Fprintf(&b, "repairs   %d (a last line without an end was cut off)\n", c.Summary.Repairs)
	}
	return write(w, &b)
}

type textRecords struct{ w io.Writer }

func (textRenderer) Records(w io.Writer) RecordWriter { return textRecords{w} }

// Write says in one line what a record is about; JSON has the whole of it.
func (t textRecords) Write(r ledger.Record) error {
	_, err := fmt.Fprintf(t.w, "%d %s %s %s\n", r.Seq, r.Time.UTC().Format(time.RFC3339), clip(string(r.Type)), clip(aboutRecord(r)))
	return err
}

func (textRecords) Close() error { return nil }

// recordBody are the fields of all bodies that the gate writes, as far as a
// line has room for them; docs/formats/ledger.md.
type recordBody struct {
	Runbook struct {
		Name   string `json:"name"`
		SHA256 string `json:"file_sha256"`
	} `json:"runbook"`
	Verdict string          `json:"verdict"`
	Allow   bool            `json:"allow"`
	DryRun  bool            `json:"dry_run"`
	Deny    []policy.Reason `json:"deny"`
	Rules   []string        `json:"rules"`
	Input   struct {
		Caller policy.Caller `json:"caller"`
		Worker policy.Worker `json:"worker"`
	} `json:"input"`

	Decision    uint64 `json:"decision"`
	Interpreter string `json:"interpreter"`

	Started    bool   `json:"started"`
	Status     int    `json:"status"`
	Signal     int    `json:"signal"`
	TimedOut   bool   `json:"timed_out"`
	Canceled   bool   `json:"canceled"`
	DurationMS int64  `json:"duration_ms"`
	Error      string `json:"error"`

	Start   uint64      `json:"start"`
	User    string      `json:"user"`
	Sandbox sandboxWord `json:"sandbox"`
	Lost    bool        `json:"lost"`

	Audience string `json:"audience"`
	Given    bool   `json:"given"`
	Expires  string `json:"expires"`

	DroppedBytes  int    `json:"dropped_bytes"`
	PreviousFirst uint64 `json:"previous_first"`
}

// aboutRecord falls back on the body as it is: others may keep ledgers too.
func aboutRecord(r ledger.Record) string {
	var b recordBody
	if err := json.Unmarshal(r.Body, &b); err != nil {
		return string(r.Body)
	}
	switch r.Type {
	case ledger.TypeDecision:
		return b.decision()
	case ledger.TypeStart:
		return b.start()
	case ledger.TypeEnd:
		return b.end()
	case ledger.TypeToken:
		return b.token()
	case ledger.TypeSegment:
		return fmt.Sprintf("the file that began with record %d is closed", b.PreviousFirst)
	case ledger.TypeRepair:
		return fmt.Sprintf("an incomplete last line of %d bytes was cut off", b.DroppedBytes)
	}
	return string(r.Body)
}

func (b *recordBody) decision() string {
	word, why := "denied", "no reason"
	if b.Allow {
		word, why = "allowed", "rule "+strings.Join(b.Rules, ", ")
	} else if len(b.Deny) > 0 {
		var codes []string
		for _, reason := range b.Deny {
			codes = append(codes, reason.Code)
		}
		why = strings.Join(codes, ", ")
	}
	if b.DryRun {
		word += " (dry run)"
	}
	return fmt.Sprintf("%s: %s; file %s; by %s on %s; %s",
		word, why, orNone(b.Verdict), orNone(b.Input.Caller.ID), orNone(b.Input.Worker.ID), b.Runbook.Name)
}

// start names account and sandbox where the record does: those of older versions do not.
func (b *recordBody) start() string {
	text := fmt.Sprintf("of decision %d: %s runs %s", b.Decision, b.Interpreter, b.Runbook.Name)
	if b.User != "" {
		text += " as " + b.User
	}
	if len(b.Sandbox) > 0 {
		text += ", sandbox " + b.Sandbox.word()
	}
	return text
}

func (b *recordBody) token() string {
	switch {
	case !b.Allow:
		return fmt.Sprintf("of decision %d: no token for %s, which the policy does not grant", b.Decision, b.Audience)
	case !b.Given:
		return fmt.Sprintf("of decision %d: no token for %s: %s", b.Decision, b.Audience, b.Error)
	}
	return fmt.Sprintf("of decision %d: a token for %s until %s", b.Decision, b.Audience, b.Expires)
}

func (b *recordBody) end() string {
	how := fmt.Sprintf("exit code %d", b.Status)
	switch {
	case !b.Started:
		how = "not started: " + b.Error
	case b.Signal > 0:
		how = fmt.Sprintf("signal %d", b.Signal)
	}
	switch {
	case b.Lost:
		return fmt.Sprintf("of decision %d: lost: %s", b.Decision, b.Error)
	case b.TimedOut:
		how = "timed out, " + how
	case b.Canceled:
		how = "ended by the gate, " + how
	}
	return fmt.Sprintf("of decision %d after %s: %s", b.Decision, time.Duration(b.DurationMS)*time.Millisecond, how)
}

// sandboxWord is a profile, or a list of them of which the policy accepts any.
type sandboxWord []string

// UnmarshalJSON takes a word or a list of words.
func (s *sandboxWord) UnmarshalJSON(data []byte) error {
	var word string
	if err := json.Unmarshal(data, &word); err == nil {
		*s = sandboxWord{word}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(s))
}

func (s sandboxWord) word() string { return strings.Join(s, " ") }
