package render

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/runwrit/writ/internal/manifest"
	"github.com/runwrit/writ/verifier"
)

// Project is what was found out about a project's folder. Unless the manifest is
// valid, nothing was compared: Files is 0 and Drift is empty.
type Project struct {
	Dir      string
	Manifest File
	Files    int // how many are listed
	Drift    []manifest.Drift
}

// AsSigned says that the manifest is valid, was signed as one, and the folder is as
// it says.
func (p Project) AsSigned() bool {
	elsewise := func(f verifier.Finding) bool { return f.Code == verifier.CodeContradicts }
	return p.Manifest.Report.Verdict == verifier.Valid && !slices.ContainsFunc(p.Manifest.Report.Findings, elsewise) && len(p.Drift) == 0
}

func (t textRenderer) Project(w io.Writer, p Project) error {
	if err := t.Verify(w, []File{p.Manifest}); err != nil {
		return err
	}
	var b strings.Builder
	writeDrift(&b, p.Drift)
	switch {
	case p.Manifest.Report.Verdict != verifier.Valid:
		b.WriteString("the manifest is not valid: the folder was not compared with it\n")
	case len(p.Drift) == 0:
		fmt.Fprintf(&b, "%d files, all as they are listed, and no other\n", p.Files)
	default:
		fmt.Fprintf(&b, "listed files: %d; different from the list: %d\n", p.Files, len(p.Drift))
	}
	return write(w, &b)
}

// Changes writes, for people, what a new manifest says otherwise than the one
// before.
func Changes(w io.Writer, drift []manifest.Drift) error {
	var b strings.Builder
	writeDrift(&b, drift)
	return write(w, &b)
}

func writeDrift(b *strings.Builder, drift []manifest.Drift) {
	for _, d := range drift {
		fmt.Fprintf(b, "%-9s %s", d.State, clip(d.Path))
		if d.Detail != "" {
			fmt.Fprintf(b, ": %s", clip(d.Detail))
		}
		b.WriteString("\n")
	}
}

type jsonDrift struct {
	Path   string         `json:"path"`
	State  manifest.State `json:"state"`
	Detail string         `json:"detail"`
}

func newJSONDrift(drift []manifest.Drift) []jsonDrift {
	list := make([]jsonDrift, 0, len(drift))
	for _, d := range drift {
		list = append(list, jsonDrift(d))
	}
	return list
}

func (jsonRenderer) Project(w io.Writer, p Project) error {
	return writeJSON(w, struct {
		Version  int         `json:"version"`
		Dir      string      `json:"dir"`
		AsSigned bool        `json:"as_signed"`
		Manifest jsonFile    `json:"manifest"`
		Files    int         `json:"files"`
		Drift    []jsonDrift `json:"drift"`
	}{schemaVersion, p.Dir, p.AsSigned(), newJSONFile(p.Manifest), p.Files, newJSONDrift(p.Drift)})
}
