package policy

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/runwrit/writ/internal/lazyregexp"
)

var (
	// nameForm holds for people, groups, rules, worker groups, worker IDs and
	// labels: ASCII only, so that no two names look alike.
	nameForm = newForm(`^[A-Za-z0-9][A-Za-z0-9._@-]*$`, 64)
	// parameterForm holds for the names of arguments.
	parameterForm = newForm(`^[A-Za-z][A-Za-z0-9_-]*$`, 64)
	// segmentForm holds for each part of the name of a Rego package.
	segmentForm  = newForm(`^[a-z_][a-z0-9_]*$`, 64)
	positionForm = newForm(`^[1-9][0-9]*$`, 3)
	// accountForm holds for the names that an operating system gives.
	accountForm = newForm(`^[A-Za-z0-9_][A-Za-z0-9._@$\\-]*$`, 128)
)

// form is a pattern and the most bytes that may match it: a count within the
// pattern would cost each start of a program a millisecond.
type form struct {
	pattern *lazyregexp.Regexp
	max     int
}

func newForm(pattern string, maxLen int) form { return form{lazyregexp.New(pattern), maxLen} }

func (f form) holds(s string) bool { return len(s) <= f.max && f.pattern.MatchString(s) }

// badText says what makes s unfit to be shown or compared: "" for nothing.
// Line ends and tabs count as control characters.
func badText(s string) string {
	if !utf8.ValidString(s) {
		return "is not valid UTF-8"
	}
	for _, r := range s {
		switch {
		case r == 0:
			return "holds a NUL character"
		case unicode.IsControl(r):
			return "holds a control character"
		case r == '\u2028' || r == '\u2029':
			return "holds a line separator"
		case unicode.Is(unicode.Bidi_Control, r):
			return "holds a character that changes the direction of text"
		}
	}
	return ""
}

// textProblem says why s is no text of at most limit bytes, "" if it is one.
func textProblem(s string, limit int) string {
	if len(s) > limit {
		return fmt.Sprintf("has %d bytes, the limit is %d", len(s), limit)
	}
	return badText(s)
}
