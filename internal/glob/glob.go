// Package glob selects runbooks by path: "*" and "?" match inside one segment, a
// segment "**" matches any number of segments, everything else is literal and
// the case of letters counts. The whole path must match.
//
// It compares text with text. Whether a path is absolute, clean and free of
// links is for its callers to see to, and so is the length of a glob.
package glob

import (
	"regexp"
	"strings"

	"github.com/runwrit/writ/runbook"
)

// Problem says why text is not a glob, "" if it is one.
func Problem(text string) string {
	if text == "" {
		return "is empty"
	}
	if strings.HasSuffix(strings.ToLower(text), runbook.SignatureExt) {
		return `ends in .asc: leave it out, a rule matches the path of the runbook inside ("**/x.sh" for x.sh.asc)`
	}
	if i := strings.IndexAny(text, `[]{}\`); i >= 0 {
		return "has " + text[i:i+1] + ": only *, ? and ** are special, and segments are divided by /"
	}
	previous := ""
	for i, segment := range strings.Split(text, "/") {
		switch {
		case segment == "" && i > 0:
			return "has an empty segment"
		case segment == "." || segment == "..":
			return "has a segment " + segment + ": paths are compared after they were made absolute and clean"
		case segment == "**" && previous == "**":
			return "has ** twice in a row"
		case segment != "**" && strings.Contains(segment, "**"):
			return "has ** inside a segment: it must stand alone between slashes"
		}
		previous = segment
	}
	return ""
}

var start = regexp.MustCompile(`^(?:/|\*\*(?:/|$)|[A-Za-z]:/)`)

// StartProblem refuses a glob that looks as if it meant a path below some
// folder, and would never match: paths are absolute.
func StartProblem(text string) string {
	if start.MatchString(text) {
		return ""
	}
	return "could never match, because paths are absolute: begin with / (or **/ for any folder)"
}

// Pattern translates a glob into an anchored regular expression.
func Pattern(glob string) string {
	var b strings.Builder
	b.WriteString(`\A`)
	segments := strings.Split(glob, "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		if segment == "**" {
			if i == 0 {
				b.WriteString("/?") // of an absolute path
			}
			if last {
				b.WriteString("(?s:.+)")
			} else {
				b.WriteString("(?:[^/]+/)*")
			}
			continue
		}
		for _, r := range segment {
			switch r {
			case '*':
				b.WriteString("[^/]*")
			case '?':
				b.WriteString("[^/]")
			default:
				b.WriteString(regexp.QuoteMeta(string(r)))
			}
		}
		if !last {
			b.WriteString("/")
		}
	}
	b.WriteString(`\z`)
	return b.String()
}

// Literals returns what every path that the glob matches begins with, in whole
// segments ("/srv/" of "/srv/*/x.sh"), and its last segment if that is literal.
// For a glob without wildcards prefix is the glob itself.
func Literals(glob string) (prefix, base string) {
	segments := strings.Split(glob, "/")
	if last := segments[len(segments)-1]; !strings.ContainsAny(last, "*?") {
		base = last
	}
	wild := strings.IndexAny(glob, "*?")
	if wild < 0 {
		return glob, base
	}
	return glob[:strings.LastIndexByte(glob[:wild], '/')+1], base
}
