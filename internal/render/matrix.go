package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/whatif"
)

// Matrix is what a policy decides about the library at Path.
type Matrix struct {
	Path string
	*whatif.Matrix
	// Problems are files and folders that could not be read, and why.
	Problems []string
}

// workerLabel names a worker in one cell.
func workerLabel(w policy.Worker) string {
	label := clip(w.Group)
	if label == "" {
		label = "no group"
	}
	if w.ID != "" {
		label += ", id " + clip(w.ID)
	}
	for _, name := range slices.Sorted(maps.Keys(w.Labels)) {
		label += ", " + clip(name) + "=" + clip(w.Labels[name])
	}
	if w.Identity != "" {
		label += ", identity " + clip(w.Identity)
	}
	if w.OS != "linux" && w.OS != "" {
		label += ", " + clip(w.OS)
	}
	return label
}

func callerLabel(c policy.Caller) string {
	label := clip(c.ID)
	if len(c.Groups) > 0 {
		label += " (" + clip(strings.Join(c.Groups, ", ")) + ")"
	}
	if !c.GroupsComplete {
		label += ", groups incomplete"
	}
	return label
}

// why says in one line what makes an answer yes or conditional; "" for no.
func why(c *whatif.Cell) string {
	switch c.Word {
	case whatif.Yes:
		return "rule " + clip(strings.Join(c.Rules, ", "))
	case whatif.Warned:
		return "only because the worker group is in mode warn"
	case whatif.Conditional:
		return fmt.Sprintf("needs %s (rule %s)", clip(strings.Join(c.Needs, ", ")), clip(c.Rule))
	case whatif.No:
	}
	return ""
}

func runbookLabel(r *whatif.Runbook) string { return clip(r.Path) }

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }
