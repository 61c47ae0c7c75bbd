package render

import (
	"fmt"
	"io"
	"strings"
)

func (textRenderer) Recovered(w io.Writer, r Recovered) error {
	var b strings.Builder
	fmt.Fprintf(&b, "ledger    %s\n", clip(r.Path))
	for _, start := range r.Lost {
		fmt.Fprintf(&b, "lost      the run of start %d\n", start)
	}
	for _, folder := range r.Folders {
		fmt.Fprintf(&b, "removed   %s\n", clip(folder))
	}
	for _, why := range r.Left {
		fmt.Fprintf(&b, "left      %s\n", clip(why))
	}
	fmt.Fprintf(&b, "running   %d\n", r.Running)
	return write(w, &b)
}

func (jsonRenderer) Recovered(w io.Writer, r Recovered) error {
	return writeJSON(w, struct {
		Version int      `json:"version"`
		Path    string   `json:"path"`
		Lost    []uint64 `json:"lost"`
		Folders []string `json:"folders"`
		Left    []string `json:"left"`
		Running int      `json:"running"`
	}{schemaVersion, r.Path, r.Lost, r.Folders, r.Left, r.Running})
}
