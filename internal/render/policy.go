package render

import (
	"io"
	"strings"

	"github.com/runwrit/writ/policy"
)

func (textRenderer) PolicyProblems(w io.Writer, problems []*policy.FileError) error {
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(clip(p.Error()) + "\n")
	}
	if len(problems) == 0 {
		b.WriteString("the policy can be used\n")
	}
	return write(w, &b)
}

func (jsonRenderer) PolicyProblems(w io.Writer, problems []*policy.FileError) error {
	type problem struct {
		File   string `json:"file"`
		Line   int    `json:"line"`
		Column int    `json:"column"`
		Field  string `json:"field"`
		Detail string `json:"detail"`
	}
	doc := struct {
		Version  int       `json:"version"`
		Usable   bool      `json:"usable"`
		Problems []problem `json:"problems"`
	}{schemaVersion, len(problems) == 0, []problem{}}
	for _, p := range problems {
		doc.Problems = append(doc.Problems, problem{p.File, p.Line, p.Column, p.Field, p.Msg})
	}
	return writeJSON(w, doc)
}
