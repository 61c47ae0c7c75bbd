package policy

import "github.com/runwrit/writ/internal/glob"

// globProblem says why text is not a glob that can be shown and compared, "" if
// it is one.
func globProblem(text string) string {
	if bad := textProblem(text, maxGlob); bad != "" {
		return bad
	}
	return glob.Problem(text)
}
