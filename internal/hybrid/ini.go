// Package hybrid reads worker.conf, the configuration of the old Linux Hybrid
// Runbook Worker of Azure Automation, as that worker's Python does: what a line
// means there is what it means here, to the letter. Whoever audits or replaces
// such a worker must not find enforcement on where Python finds it off.
//
// The file is an INI file as Python 3's ConfigParser reads it with its default
// settings: names of options in any case, "=" or ":", values that go on in lines
// indented deeper, comments in lines of their own only, a section [DEFAULT] that
// all others inherit from, and references %(name)s. Sections and options that
// occur twice are errors.
//
// Where Python depends on its version or its surroundings the package says that
// it does not know: bytes that are not UTF-8, and names of options that are not
// ASCII. It opens nothing that the file names.
package hybrid

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a configuration.
const (
	MaxSize = 1 << 20 // bytes of the file
	// maxValue is how long a value may become by its references.
	maxValue = 2 * MaxSize
	// maxSteps is how many references one value may follow.
	maxSteps = 10_000
	// maxReferences is how deep references may lead, Python's own limit.
	maxReferences = 10
)

const defaultSection = "DEFAULT"

// SyntaxError says that Python does not read the file, or that it is not known
// whether it does. Line is 0 where it is about the whole file.
type SyntaxError struct {
	Line int
	Msg  string
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Msg
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Msg)
}

// ValueError says that Python has no value for an option, or another kind of one
// than is wanted.
type ValueError struct {
	Section, Option string
	Line            int // of the option; 0 where it is in no line
	Msg             string
}

func (e *ValueError) Error() string {
	at := ""
	if e.Line > 0 {
		at = fmt.Sprintf("line %d: ", e.Line)
	}
	return fmt.Sprintf("%s[%s] %s %s", at, e.Section, e.Option, e.Msg)
}

// entry is the raw value of an option, and the line that it begins in; 0 for one
// that no file has.
type entry struct {
	lines []string
	value string
	line  int
}

// file is an INI file that was read.
type file struct {
	sections map[string]map[string]*entry
	defaults map[string]*entry
}

// space is what Python's str.strip takes away, and \s in its expressions.
func space(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func strip(s string) string { return strings.TrimFunc(s, space) }

// scan reads one line after the other.
type scan struct {
	*file
	section map[string]*entry // nil before the first header
	name    string            // of the section
	option  *entry            // that a deeper line would go on with; nil for none
	indent  int
	seen    map[[2]string]bool // sections, and options of sections
}

// parse reads a file; defaults are the options that the program brings itself.
// It fails with *SyntaxError.
func parse(data []byte, defaults map[string]string) (*file, error) {
	switch {
	case len(data) > MaxSize:
		return nil, &SyntaxError{0, fmt.Sprintf("has more than %d bytes", MaxSize)}
	case !utf8.Valid(data):
		return nil, &SyntaxError{0, "is not UTF-8: what Python makes of it depends on its surroundings"}
	}
	f := &file{sections: map[string]map[string]*entry{}, defaults: map[string]*entry{}}
	for name, value := range defaults {
		f.defaults[name] = &entry{value: value}
	}
	s := &scan{file: f, seen: map[[2]string]bool{}}
	text := strings.ReplaceAll(strings.ReplaceAll(string(data), "\r\n", "\n"), "\r", "\n")
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		if err := s.line(line, number); err != nil {
			return nil, err
		}
	}
	for _, options := range append(slices.Collect(maps.Values(f.sections)), f.defaults) {
		for _, e := range options {
			if e.line > 0 {
				e.value = strings.TrimRightFunc(strings.Join(e.lines, "\n"), space)
				e.lines = nil
			}
		}
	}
	return f, nil
}

func (s *scan) line(line string, number int) error {
	text := strip(line)
	switch {
	case strings.HasPrefix(text, "#"), strings.HasPrefix(text, ";"):
		return nil
	case text == "":
		if s.option != nil {
			s.option.lines = append(s.option.lines, "")
		}
		return nil
	}
	indent := utf8.RuneCountInString(line[:strings.IndexFunc(line, func(r rune) bool { return !space(r) })])
	if s.option != nil && indent > s.indent {
		s.option.lines = append(s.option.lines, text)
		return nil
	}
	s.indent = indent
	if name, ok := header(text); ok {
		return s.open(name, number)
	}
	if s.section == nil {
		return &SyntaxError{number, "stands before the first [section]"}
	}
	return s.set(text, number)
}

// header is the name in a line that begins a section. What follows the last "]"
// does not count.
func header(text string) (string, bool) {
	end := strings.LastIndexByte(text, ']')
	if text[0] != '[' || end < 2 {
		return "", false
	}
	return text[1:end], true
}

func (s *scan) open(name string, number int) error {
	s.name, s.option = name, nil
	if name == defaultSection {
		s.section = s.defaults
		return nil
	}
	if s.sections[name] != nil {
		return &SyntaxError{number, fmt.Sprintf("the section %q is there already", name)}
	}
	s.section = map[string]*entry{}
	s.sections[name] = s.section
	return nil
}

func (s *scan) set(text string, number int) error {
	at := strings.IndexAny(text, "=:")
	if at < 0 {
		return &SyntaxError{number, "is neither a [section] nor an option with a value"}
	}
	name := strip(text[:at])
	switch {
	case name == "":
		return &SyntaxError{number, "has a value without a name"}
	case strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }):
		return &SyntaxError{number, "has a name that is not ASCII: which option it is depends on the version of Python"}
	}
	name = strings.ToLower(name)
	if s.seen[[2]string{s.name, name}] {
		return &SyntaxError{number, fmt.Sprintf("the option %q is there already", name)}
	}
	s.seen[[2]string{s.name, name}] = true
	s.option = &entry{lines: []string{strip(text[at+1:])}, line: number}
	s.section[name] = s.option
	return nil
}

// find is the raw entry of an option, of its section or of [DEFAULT].
func (f *file) find(section, option string) (*entry, *ValueError) {
	options, ok := f.sections[section]
	if !ok {
		return nil, &ValueError{section, option, 0, "is missing: there is no such section"}
	}
	if e := options[option]; e != nil {
		return e, nil
	}
	if e := f.defaults[option]; e != nil {
		return e, nil
	}
	return nil, &ValueError{section, option, 0, "is missing"}
}

// get is the value of an option with its references replaced. It fails with
// *ValueError.
func (f *file) get(section, option string) (string, error) {
	e, bad := f.find(section, option)
	if bad != nil {
		return "", bad
	}
	x := &expansion{file: f, section: section}
	if msg := x.expand(e.value, 1); msg != "" {
		return "", &ValueError{section, option, e.line, msg}
	}
	return x.out.String(), nil
}

// expansion replaces the references of one value.
type expansion struct {
	*file
	section string
	out     strings.Builder
	steps   int // references that were followed
}

// expand writes a value with its references replaced, and says what is wrong
// with it.
func (x *expansion) expand(value string, depth int) string {
	if depth > maxReferences {
		return fmt.Sprintf("has references more than %d deep", maxReferences)
	}
	for value != "" {
		text, rest, found := strings.Cut(value, "%")
		x.out.WriteString(text)
		if x.out.Len() > maxValue || x.steps > maxSteps {
			return "becomes too long by its references"
		}
		if !found {
			return ""
		}
		if strings.HasPrefix(rest, "%") {
			x.out.WriteByte('%')
			value = rest[1:]
			continue
		}
		end := strings.IndexByte(rest, ')')
		if !strings.HasPrefix(rest, "(") || end < 2 || !strings.HasPrefix(rest[end:], ")s") {
			return `has a "%" that is neither "%%" nor a reference "%(name)s"`
		}
		name := rest[1:end]
		value = rest[end+2:]
		if msg := x.follow(name, depth); msg != "" {
			return msg
		}
	}
	return ""
}

func (x *expansion) follow(name string, depth int) string {
	x.steps++
	if strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return "refers to a name that is not ASCII"
	}
	e, bad := x.find(x.section, strings.ToLower(name))
	switch {
	case bad != nil:
		return fmt.Sprintf("refers to %q, which is missing", clip(name))
	case strings.Contains(e.value, "%"):
		return x.expand(e.value, depth+1)
	}
	x.out.WriteString(e.value)
	return ""
}

// truths are the words that Python's getboolean knows.
var truths = map[string]bool{
	"1": true, "yes": true, "true": true, "on": true,
	"0": false, "no": false, "false": false, "off": false,
}

// boolean is the value of an option as getboolean reads it. It fails with
// *ValueError.
func (f *file) boolean(section, option string) (bool, error) {
	value, err := f.get(section, option)
	if err != nil {
		return false, err
	}
	truth, ok := truths[strings.ToLower(value)]
	if !ok {
		return false, &ValueError{section, option, f.lineOf(section, option), fmt.Sprintf("is %q, which is no boolean to Python", clip(value))}
	}
	return truth, nil
}

// lineOf is where the value of an option stands; 0 if no line has it.
func (f *file) lineOf(section, option string) int {
	e, bad := f.find(section, option)
	if bad != nil {
		return 0
	}
	return e.line
}

// clip shortens a text for a message.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
