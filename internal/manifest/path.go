package manifest

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// CheckPath says why a path cannot be listed, "" if it can. A path is relative,
// with slashes, and means one file on every system: whoever reads the list sees
// the name that is there, and no system makes another name of it.
func CheckPath(path string) string {
	switch {
	case path == "":
		return "the path is empty"
	case len(path) > MaxPath:
		return fmt.Sprintf("the path has %d bytes, the limit is %d", len(path), MaxPath)
	case !utf8.ValidString(path):
		return "the path is not valid UTF-8"
	case path[0] == '/':
		return "the path is absolute"
	case strings.Count(path, "/") >= MaxDepth:
		return fmt.Sprintf("the path has more than %d names", MaxDepth)
	case !norm.NFC.IsNormalString(path):
		return "the path is not in Unicode's normal form C: some systems would make another name of it"
	}
	for name := range strings.SplitSeq(path, "/") {
		if bad := checkName(name); bad != "" {
			return bad
		}
	}
	if fold(path) == Name {
		return "that is the name of the manifest itself"
	}
	return ""
}

// checkName looks at one name of a path.
func checkName(name string) string {
	switch {
	case name == "":
		return "the path has an empty name in it"
	case name == "." || name == "..":
		return "the path has . or .. in it"
	case len(name) > MaxName:
		return fmt.Sprintf("a name of %d bytes, the limit is %d", len(name), MaxName)
	case name[0] == ' ' || strings.HasSuffix(name, " ") || strings.HasSuffix(name, "."):
		return "a name begins or ends with a blank, or ends with a dot: Windows would make another name of it"
	case strings.ContainsAny(name, `\:*?"<>|`):
		return `a name holds one of \ : * ? " < > |, which mean something else to Windows`
	case fold(name) == gitFolder:
		return "git's own folder is never listed"
	case isDevice(name):
		return "the name of a device of Windows"
	}
	for _, r := range name {
		if !visible(r) {
			return fmt.Sprintf("a name holds the character %U, which cannot be seen or does more than be seen", r)
		}
	}
	return ""
}

// gitFolder is what git keeps its own files in; every command of git changes them.
const gitFolder = ".git"

// visible leaves out controls, formats (bidirectional, zero-width, tags), private
// use, every space but U+0020, and what has no shape.
func visible(r rune) bool {
	const brailleBlank = '\u2800'
	return unicode.IsPrint(r) && r != brailleBlank && r != utf8.RuneError &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// isDevice knows the names that are devices in every folder of Windows, whatever
// follows a dot in them.
func isDevice(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	rest, port := strings.CutPrefix(stem, "COM")
	if !port {
		rest, port = strings.CutPrefix(stem, "LPT")
	}
	if !port {
		return false
	}
	r, size := utf8.DecodeRuneInString(rest)
	return size > 0 && size == len(rest) && (r >= '0' && r <= '9' || r == '\u00b9' || r == '\u00b2' || r == '\u00b3')
}

// fold makes one spelling of all that differ in the case of letters only, as file
// systems of Windows and macOS take them.
func fold(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return norm.NFC.String(strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return unicode.ToLower(least) // the least one of ASCII letters is the capital
	}, s))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// twins finds paths that are one file on a system that does not tell the case of
// letters, and a path that is a file here and a folder there.
type twins struct{ known map[string]spelling }

type spelling struct {
	path   string // as it was written
	folder bool
}

func newTwins() *twins { return &twins{known: map[string]spelling{}} }

// add says what is wrong with one more path, "" if nothing is.
func (t *twins) add(path string) string {
	folded := fold(path) // which leaves every slash in its place among the names
	for end, foldedEnd := 0, 0; ; end, foldedEnd = end+1, foldedEnd+1 {
		next, foldedNext := strings.IndexByte(path[end:], '/'), strings.IndexByte(folded[foldedEnd:], '/')
		if next < 0 || foldedNext < 0 {
			return t.one(folded, spelling{path, false})
		}
		end, foldedEnd = end+next, foldedEnd+foldedNext
		if bad := t.one(folded[:foldedEnd], spelling{path[:end], true}); bad != "" {
			return bad
		}
	}
}

func (t *twins) one(key string, now spelling) string {
	before, found := t.known[key]
	switch {
	case !found:
		t.known[key] = now
		return ""
	case before.path != now.path:
		return fmt.Sprintf("%q differs from it in the case of letters only, and is the same name on some systems", before.path)
	case !before.folder || !now.folder:
		return fmt.Sprintf("%q is listed before, as a file or a folder", before.path)
	}
	return ""
}
