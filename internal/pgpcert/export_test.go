package pgpcert

import (
	"fmt"
	"time"
)

// CutoffRows is the table of algorithms as the page about the format shows it.
func CutoffRows() []string {
	uses := map[use]string{overData: "text", inside: "certificates", asKey: "keys"}
	var rows []string
	for _, c := range cutoffs {
		name, since := c.algorithm, "always"
		if c.below > 0 {
			name += fmt.Sprintf(" under %d bits", c.below)
		}
		if !c.since.IsZero() {
			since = c.since.Format(time.DateOnly)
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s |", name, uses[c.use], since))
	}
	return rows
}
