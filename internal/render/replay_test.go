package render_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/whatif"
)

const hostileText = "x\x1b[31m\n\u202e<script>alert(1)</script>"

func hostileReplay() render.Replay {
	reason := []policy.Reason{{Code: hostileText, Msg: hostileText, Hint: hostileText, Rule: hostileText}}
	return render.Replay{Path: hostileText, Comparison: &whatif.Comparison{
		Ledger: ledger.Summary{Records: 9}, Decisions: 9, Same: 3, Counts: map[whatif.Kind]int{whatif.NowDenied: 1, whatif.OtherTerms: 1},
		NoInput: 2, Secret: 1, Unreadable: 2, Inexact: 1,
		Groups: []whatif.Group{{Kind: whatif.NowDenied, Code: hostileText, Rule: hostileText, Count: 1, First: 3}, {Kind: whatif.NowAllowed, Rule: hostileText}, {Kind: "other", Code: "timeout"}},
		Changes: []whatif.Change{
			{
				Seq: 3, Time: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), Kind: whatif.NowDenied, Path: hostileText, Caller: hostileText, DryRun: true,
				Worker: policy.Worker{ID: hostileText, Group: hostileText}, Was: whatif.Answer{Allow: true, User: hostileText, Tokens: []string{hostileText}, Rules: []string{hostileText}, Warn: reason},
				Now: whatif.Answer{Deny: reason, DenyCodes: []string{hostileText}}, Inexact: []string{hostileText},
			},
			{Kind: "other"},
		},
		Left: []whatif.Left{{Seq: 5, Name: hostileText, Reason: hostileText}, {Seq: 6}},
	}}
}

func TestAReplayIsWrittenWithoutAControlCharacter(t *testing.T) {
	t.Parallel()
	for _, name := range render.Formats() {
		r, err := render.New(name)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := r.Replay(&b, hostileReplay()); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(b.String(), "\x1b\u202e") {
			t.Errorf("%s: %q", name, b.String())
		}
		if name == "json" {
			var doc map[string]any
			if err := json.Unmarshal(b.Bytes(), &doc); err != nil || doc["settled"] != false || strings.Contains(b.String(), "null") {
				t.Errorf("%v: %s", err, b.String())
			}
			continue
		}
		for _, want := range []string{
			"decisions 9: 3 the same, 2 changed", "2 denied without an input", "2 unreadable", "inexact   1 decisions", "changes (2 of 2)",
			"inexact: not in the record", "not decided again (2 of 5)", "record 6, none: ", "was allowed by", "now denied: ",
		} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%q is not in\n%s", want, b.String())
			}
		}
	}
}
