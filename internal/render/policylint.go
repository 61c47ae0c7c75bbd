package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/runwrit/writ/policy/lint"
)

// Warnings counts the findings that are more than notes.
func Warnings(findings []lint.Finding) int {
	n := 0
	for _, f := range findings {
		if f.Severity != lint.Note {
			n++
		}
	}
	return n
}

func (textRenderer) PolicyFindings(w io.Writer, findings []lint.Finding) error {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%s", clip(f.File))
		if f.Line > 0 {
			fmt.Fprintf(&b, ":%d", f.Line)
		}
		what := ""
		if f.What != "" {
			what = f.What + ": "
		}
		fmt.Fprintf(&b, ": %s %s: %s%s\n  mend: %s\n", f.Severity, f.Code, clip(what), clip(f.Why), clip(f.Mend))
	}
	if len(findings) == 0 {
		b.WriteString("nothing was found\n")
	}
	return write(w, &b)
}

func (jsonRenderer) PolicyFindings(w io.Writer, findings []lint.Finding) error {
	return writeJSON(w, struct {
		Version  int            `json:"version"`
		Warnings int            `json:"warnings"`
		Findings []lint.Finding `json:"findings"`
	}{schemaVersion, Warnings(findings), findings})
}
