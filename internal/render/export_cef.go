package render

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/runwrit/writ/ledger"
)

// cefRecords writes one line for each record in the Common Event Format, version
// 0. Header and values are escaped as that says: a backslash before "\" and "|"
// in the header, before "\" and "=" in a value; and everything is on one line.
type cefRecords struct{ w io.Writer }

func (c cefRecords) Write(r ledger.Record) error {
	b := bodyOf(r)
	word := b.outcome(r.Type)
	name := strings.TrimSpace(string(r.Type) + " " + word)
	line := fmt.Sprintf("CEF:0|writ|writ|1|%s|%s|%d|%s\n",
		cefHeader(string(r.Type)), cefHeader(name), severity(r.Type, word), cefExtension(r, &b, word))
	_, err := io.WriteString(c.w, line)
	return err
}

func (cefRecords) Close() error { return nil }

// severity is from 0 to 10, as CEF has it.
func severity(t ledger.Type, outcome string) int {
	switch {
	case t == ledger.TypeRepair, outcome == "lost":
		return 7
	case outcome == "denied":
		return 6
	case outcome == "failed", outcome == "timed-out", outcome == "canceled", outcome == "not-started":
		return 4
	}
	return 2
}

// cefExtension are the pairs of a line; those without a value are left out.
func cefExtension(r ledger.Record, b *recordBody, outcome string) string {
	pairs := []struct{ key, value string }{
		{"rt", strconv.FormatInt(r.Time.UnixMilli(), 10)},
		{"externalId", strconv.FormatUint(r.Seq, 10)},
		{"act", outcome},
		{"fname", b.Runbook.Name},
		{"fileHash", b.Runbook.SHA256},
		{"suser", b.Input.Caller.ID},
		{"duser", b.User},
		{"dvchost", b.Input.Worker.ID},
		{"reason", b.codes()},
		{"cs1Label", "rules"}, {"cs1", strings.Join(b.Rules, " ")},
		{"cs2Label", "verdict"}, {"cs2", b.Verdict},
		{"cs3Label", "recordHash"}, {"cs3", r.Hash.String()},
		{"cs4Label", "sandbox"}, {"cs4", b.Sandbox.word()},
		{"cs5Label", "audience"}, {"cs5", b.Audience},
		{"cn1Label", "decision"}, {"cn1", numberOrNone(b.Decision)},
		{"cn2Label", "status"}, {"cn2", endOnly(r.Type, strconv.Itoa(b.Status))},
		{"cn3Label", "durationMs"}, {"cn3", endOnly(r.Type, strconv.FormatInt(b.DurationMS, 10))},
		{"msg", aboutRecord(r)},
	}
	var out []string
	for i, p := range pairs {
		labelled := strings.HasSuffix(p.key, "Label")
		if p.value == "" || labelled && pairs[i+1].value == "" {
			continue
		}
		out = append(out, p.key+"="+cefValue(p.value))
	}
	return strings.Join(out, " ")
}

func endOnly(t ledger.Type, text string) string {
	if t != ledger.TypeEnd {
		return ""
	}
	return text
}

func cefHeader(text string) string {
	return strings.NewReplacer(`\`, `\\`, `|`, `\|`).Replace(clip(text))
}

// cefValue leaves no blank at the end, where it would be lost.
func cefValue(text string) string {
	return strings.NewReplacer(`\`, `\\`, `=`, `\=`).Replace(strings.TrimRight(clip(text), " "))
}
