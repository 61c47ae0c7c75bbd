// Package trustlist reads the text files of a trust store: pins, deny lists and
// settings. A file has one entry a line,
//
//	kind:value key="value" key=value   # why
//
// where blank lines and lines that begin with "#" are left out. The package
// knows the form only: which kinds and keys there are is for its callers, who
// have to refuse those that they do not know. A line that it cannot read is an
// error with its number, never one that is passed over.
package trustlist

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a file.
const (
	MaxLine    = 4 << 10
	MaxEntries = 200_000
	maxFields  = 8
)

// Entry is one line.
type Entry struct {
	Line  int // from 1
	Kind  string
	Value string // behind the colon, up to the first blank; may be empty
	// Fields are what follows, key=value; nil without.
	Fields map[string]string
	Why    string // the comment
}

// SyntaxError is a line that cannot be read.
type SyntaxError struct {
	Line int
	Msg  string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Msg) }

// Errorf makes an error about the entry.
func (e Entry) Errorf(format string, args ...any) error {
	return &SyntaxError{e.Line, fmt.Sprintf(format, args...)}
}

// Only refuses fields other than the named ones.
func (e Entry) Only(keys ...string) error {
	for key := range e.Fields {
		known := false
		for _, k := range keys {
			known = known || k == key
		}
		if !known {
			return e.Errorf("%s has no field %q", e.Kind, key)
		}
	}
	return nil
}

// Parse reads a file. It fails with *SyntaxError.
func Parse(data []byte) ([]Entry, error) {
	var entries []Entry
	for n := 1; len(data) > 0; n++ {
		var raw []byte
		raw, data, _ = bytes.Cut(data, []byte("\n"))
		raw = bytes.TrimSuffix(raw, []byte("\r"))
		if err := checkLine(raw); err != "" {
			return nil, &SyntaxError{n, err}
		}
		line := strings.TrimSpace(string(raw))
		if line == "" || line[0] == '#' {
			continue
		}
		if len(entries) == MaxEntries {
			return nil, &SyntaxError{n, fmt.Sprintf("more than %d entries", MaxEntries)}
		}
		e, err := parseLine(line)
		if err != "" {
			return nil, &SyntaxError{n, err}
		}
		e.Line = n
		entries = append(entries, e)
	}
	return entries, nil
}

func checkLine(raw []byte) string {
	switch {
	case len(raw) > MaxLine:
		return fmt.Sprintf("longer than %d bytes", MaxLine)
	case bytes.HasPrefix(raw, []byte("\xEF\xBB\xBF")):
		return "a byte-order mark: save the file without one"
	case !utf8.Valid(raw):
		return "not UTF-8"
	}
	for _, r := range string(raw) {
		if r != '\t' && !unicode.IsPrint(r) {
			return fmt.Sprintf("the character %U has no place here", r)
		}
	}
	return ""
}

// parseLine returns what is wrong, "" for nothing.
func parseLine(line string) (e Entry, wrong string) {
	head, rest := cutWord(line)
	kind, value, found := strings.Cut(head, ":")
	if !found || kind == "" {
		return e, fmt.Sprintf("%q: want kind:value", head)
	}
	e.Kind, e.Value = kind, value
	for rest != "" {
		if rest[0] == '#' {
			e.Why = strings.TrimSpace(rest[1:])
			return e, ""
		}
		key, after, found := strings.Cut(rest, "=")
		if !found || key == "" || strings.ContainsAny(key, "# \t\"") {
			word, _ := cutWord(rest)
			return e, fmt.Sprintf("%q: want key=value, or # and a comment", word)
		}
		if _, twice := e.Fields[key]; twice || len(e.Fields) == maxFields {
			return e, fmt.Sprintf("the field %q stands there twice, or there are too many", key)
		}
		if e.Fields == nil {
			e.Fields = map[string]string{}
		}
		if e.Fields[key], rest, wrong = cutValue(after); wrong != "" {
			return e, fmt.Sprintf("field %q: %s", key, wrong)
		}
	}
	return e, ""
}

// cutWord takes what stands before the first blank.
func cutWord(s string) (word, rest string) {
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.TrimLeft(s[i:], " \t")
}

// cutValue takes a value, in the quotes of Go or up to the first blank.
func cutValue(s string) (value, rest, wrong string) {
	if !strings.HasPrefix(s, `"`) {
		value, rest = cutWord(s)
		if value == "" || strings.ContainsAny(value, "\"`'") {
			return "", "", "empty, or with a quote inside"
		}
		return value, rest, ""
	}
	quoted, err := strconv.QuotedPrefix(s)
	if err != nil {
		return "", "", "the quotes do not close"
	}
	value, err = strconv.Unquote(quoted)
	rest = s[len(quoted):]
	if err != nil || value == "" || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return "", "", "empty, or something follows the quotes"
	}
	return value, strings.TrimLeft(rest, " \t"), ""
}
