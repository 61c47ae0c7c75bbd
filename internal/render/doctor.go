package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/runwrit/writ/internal/doctor"
)

// Doctor writes commands whole and as they are: they hold nothing that would be
// escaped, or there is none.
func (textRenderer) Doctor(w io.Writer, r *doctor.Report) error {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%-8s %s %s", f.Severity, f.Code, clip(f.Where))
		if f.Line > 0 {
			fmt.Fprintf(&b, ":%d", f.Line)
		}
		if f.Detail != "" {
			fmt.Fprintf(&b, ": %s", clip(f.Detail))
		}
		fmt.Fprintf(&b, "\n  why:  %s\n", clip(f.Why))
		for _, m := range f.Mend {
			fmt.Fprintf(&b, "  mend: %s\n", Escape(m))
		}
		if f.Note != "" {
			fmt.Fprintf(&b, "  note: %s\n", clip(f.Note))
		}
	}
	for _, u := range r.Unread {
		fmt.Fprintf(&b, "not looked at %s: %s\n", clip(u.Where), clip(u.Detail))
	}
	var counts []string
	for s := doctor.Critical; s <= doctor.Info; s++ {
		if n := r.Count(s); n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, s))
		}
	}
	if len(counts) == 0 {
		counts = []string{"nothing was found"}
	}
	fmt.Fprintf(&b, "%s: %s\n", clip(r.Root), strings.Join(counts, ", "))
	return write(w, &b)
}

func (jsonRenderer) Doctor(w io.Writer, r *doctor.Report) error {
	type finding struct {
		Code     doctor.Code     `json:"code"`
		Severity doctor.Severity `json:"severity"`
		Where    string          `json:"where"`
		Line     int             `json:"line"`
		Detail   string          `json:"detail"`
		Why      string          `json:"why"`
		Mend     []string        `json:"mend"`
		Note     string          `json:"note"`
	}
	type unread struct {
		Where  string `json:"where"`
		Detail string `json:"detail"`
	}
	doc := struct {
		Version  int            `json:"version"`
		Root     string         `json:"root"`
		At       string         `json:"at"`
		Counts   map[string]int `json:"counts"`
		Findings []finding      `json:"findings"`
		Unread   []unread       `json:"unread"`
	}{schemaVersion, r.Root, r.At.Format("2006-01-02T15:04:05Z"), map[string]int{}, []finding{}, []unread{}}
	for s := doctor.Critical; s <= doctor.Info; s++ {
		doc.Counts[s.String()] = r.Count(s)
	}
	for _, f := range r.Findings {
		doc.Findings = append(doc.Findings, finding{f.Code, f.Severity, f.Where, f.Line, f.Detail, f.Why, append([]string{}, f.Mend...), f.Note})
	}
	for _, u := range r.Unread {
		doc.Unread = append(doc.Unread, unread(u))
	}
	return writeJSON(w, doc)
}
