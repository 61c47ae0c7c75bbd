package render

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/runwrit/writ/policy/whatif"
)

func (textRenderer) Matrix(w io.Writer, m Matrix) error {
	out := bufio.NewWriter(w)
	counts := m.Counts()
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) } // Flush returns the error
	say("library  %s\n", clip(m.Path))
	say("policy   %s\n", orNone(m.Policy.SHA256.String()))
	say("at       %s\n", moment(m.At))
	say("asked    %d runbooks, %d workers, %d callers\n", len(m.Runbooks), len(m.Workers), len(m.Callers))
	say("answers  %d: %d yes, %d warned, %d conditional, %d no\n", len(m.Cells), counts[whatif.Yes], counts[whatif.Warned], counts[whatif.Conditional], counts[whatif.No])
	if m.LeftOut > 0 {
		say("left out %d runbooks, from %s on: the matrix would be too large\n", m.LeftOut, clip(m.FirstLeft))
	}
	for _, p := range m.Problems {
		say("not read %s\n", clip(p))
	}
	if len(m.Cells) > 0 {
		say("\n")
	}
	runbooks, workers, callers := m.labels()
	for i := range m.Cells {
		c := &m.Cells[i]
		say("%-11s  %s  %s  %s  %s\n", c.Word, runbooks[c.Runbook], workers[c.Worker], callers[c.Caller], whyInOneLine(c))
	}
	return out.Flush()
}

// whyInOneLine is why, and for no the first reason, which names what is nearest to
// a yes.
func whyInOneLine(c *whatif.Cell) string {
	line := why(c)
	if c.Word != whatif.Conditional && len(c.Reasons) > 0 {
		first := c.Reasons[0]
		line = strings.TrimPrefix(line+"; ", "; ") + clip(first.Code) + ": " + clip(first.Msg)
		var others []string
		for _, code := range c.Codes {
			if code != first.Code {
				others = append(others, code)
			}
		}
		if len(others) > 0 {
			line += "; also " + clip(strings.Join(others, ", "))
		}
	}
	return line
}

// labels are the names of all rows of one column, of one width.
func (m Matrix) labels() (runbooks, workers, callers []string) {
	for i := range m.Runbooks {
		runbooks = append(runbooks, runbookLabel(&m.Runbooks[i]))
	}
	for _, w := range m.Workers {
		workers = append(workers, workerLabel(w))
	}
	for _, c := range m.Callers {
		callers = append(callers, callerLabel(c))
	}
	for _, column := range [][]string{runbooks, workers, callers} {
		pad(column)
	}
	return runbooks, workers, callers
}

// maxPadded is the width up to which a column is made even.
const maxPadded = 60

func pad(column []string) {
	width := 0
	for _, s := range column {
		width = max(width, min(utf8.RuneCountInString(s), maxPadded))
	}
	for i, s := range column {
		column[i] = fmt.Sprintf("%-*s", width, s)
	}
}
