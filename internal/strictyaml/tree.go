// Package strictyaml reads YAML files that a gate relies on: one document, known
// keys only, no anchors, aliases or tags, nothing that two readers of YAML could
// take for different things, and nothing that is quietly left out. Every problem
// is reported with its line, column and field, and an unknown word with the one
// that was probably meant.
//
// It does not know what a file is about: that is its callers' part.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxProblems is how many problems of a file are listed.
const maxProblems = 100

// Tree reads a YAML file. It goes on after a problem, so that the author sees
// all of them at once. The zero value reads nothing: its limits are zero.
type Tree struct {
	// File is the name that problems carry.
	File string
	// MaxSize is how many bytes the file may have.
	MaxSize int
	// MaxMarks bounds the punctuation of the file, and with it the memory that the
	// tree takes: a node needs at least one mark.
	MaxMarks int
	// MaxList is how many entries a list of texts may have.
	MaxList int
	// Problems are what was wrong so far.
	Problems []*FileError
}

// Pair is one entry of a mapping.
type Pair struct {
	Key   string
	At    *yaml.Node // the key
	Value *yaml.Node
}

// Problem notes what is wrong at a node, which may be nil for the whole file, and
// in which field.
func (t *Tree) Problem(n *yaml.Node, field, format string, args ...any) {
	if len(t.Problems) >= maxProblems {
		return
	}
	e := &FileError{File: t.File, Field: field, Msg: fmt.Sprintf(format, args...)}
	if n != nil {
		e.Line, e.Column = n.Line, n.Column
	}
	t.Problems = append(t.Problems, e)
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?`)

// Document parses data, which must hold exactly one YAML document without
// anchors, aliases and tags. It returns nil after a problem.
func (t *Tree) Document(data []byte) (root *yaml.Node) {
	defer func() {
		if r := recover(); r != nil { // of the YAML parser, on bytes nobody wrote by hand
			t.Problem(nil, "", "is not YAML: %v", r)
			root = nil
		}
	}()
	if bad := t.bytesProblem(data); bad != "" {
		t.Problem(nil, "", "%s", bad)
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	err := decoder.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF):
		t.Problem(nil, "", "is empty")
		return nil
	case err != nil:
		t.syntax(err)
		return nil
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		if err != nil {
			t.syntax(err)
		} else {
			t.Problem(&second, "", "holds several YAML documents: remove the --- line")
		}
		return nil
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		t.Problem(&doc, "", "is empty")
		return nil
	}
	if !t.plain(doc.Content[0]) {
		return nil
	}
	return doc.Content[0]
}

// bytesProblem bounds what the YAML parser gets to see.
func (t *Tree) bytesProblem(data []byte) string {
	switch {
	case len(data) > t.MaxSize:
		return fmt.Sprintf("has %d bytes, the limit is %d", len(data), t.MaxSize)
	case !utf8.Valid(data):
		return "is not valid UTF-8"
	case t.TooMuch(data):
		return "has too many entries"
	}
	return ""
}

// TooMuch says whether data passes MaxSize or MaxMarks.
func (t *Tree) TooMuch(data []byte) bool {
	marks := 0
	for _, c := range data {
		switch c {
		case '\n', ',', '[', '{', ':', '-', '?', '\r':
			marks++
		}
	}
	return len(data) > t.MaxSize || marks > t.MaxMarks
}

// syntax takes the line out of an error of the YAML parser.
func (t *Tree) syntax(err error) {
	line := 0
	msg := err.Error()
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		msg = msg[len(m[0]):]
		line, _ = strconv.Atoi(m[1]) // "" and a number too long for an int give 0: no line
	}
	t.Problem(&yaml.Node{Line: line}, "", "is not YAML: %s", msg)
}

// plain refuses the parts of YAML that make a short file long or a plain value
// something else.
func (t *Tree) plain(n *yaml.Node) bool {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		t.Problem(n, "", "has an anchor or alias (& or *): write the value out, or quote it")
		return false
	case n.Style&yaml.TaggedStyle != 0:
		t.Problem(n, "", "has the tag %s: tags (!) are refused", n.Tag)
		return false
	}
	for _, c := range n.Content {
		if !t.plain(c) {
			return false
		}
	}
	return true
}

// Entries returns the entries of a mapping in their order. Keys must be plain
// strings and unique.
func (t *Tree) Entries(n *yaml.Node, field string) []Pair {
	if n.Kind != yaml.MappingNode {
		t.Problem(n, field, "want a mapping (key: value), found %s", kindWord(n))
		return nil
	}
	pairs := make([]Pair, 0, len(n.Content)/2)
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
			t.Problem(key, field, "want a plain word as key, found %s%s", kindWord(key), quoteHint(key))
			continue
		}
		if line, twice := seen[key.Value]; twice {
			t.Problem(key, Join(field, key.Value), "stands here a second time, first in line %d", line)
			continue
		}
		seen[key.Value] = key.Line
		pairs = append(pairs, Pair{key.Value, key, value})
	}
	return pairs
}

// Fields returns the values of a mapping whose keys are all known, by key.
func (t *Tree) Fields(n *yaml.Node, field string, known ...string) map[string]*yaml.Node {
	found := make(map[string]*yaml.Node, len(known))
	for _, p := range t.Entries(n, field) {
		if slices.Contains(known, p.Key) {
			found[p.Key] = p.Value
			continue
		}
		if near := Nearest(p.Key, known); near != "" {
			t.Problem(p.At, Join(field, Clip(p.Key)), "unknown key; did you mean %q?", near)
		} else {
			t.Problem(p.At, Join(field, Clip(p.Key)), "unknown key; known are %s", strings.Join(known, ", "))
		}
	}
	return found
}

// Items returns the entries of a list that is not empty.
func (t *Tree) Items(n *yaml.Node, field string, limit int) []*yaml.Node {
	switch {
	case n.Kind != yaml.SequenceNode:
		t.Problem(n, field, "want a list ([a, b]), found %s", kindWord(n))
	case len(n.Content) == 0:
		t.Problem(n, field, "is empty: an empty list never means everything; leave it out or name something")
	case len(n.Content) > limit:
		t.Problem(n, field, "has %d entries, the limit is %d", len(n.Content), limit)
	default:
		return n.Content
	}
	return nil
}

// Text returns a string. What YAML takes for a number or a boolean must be
// quoted.
func (t *Tree) Text(n *yaml.Node, field string) (string, bool) {
	switch {
	case n.Kind != yaml.ScalarNode:
		t.Problem(n, field, "want a text, found %s", kindWord(n))
	case n.ShortTag() != "!!str":
		t.Problem(n, field, "want a text, found %s%s", kindWord(n), quoteHint(n))
	case n.Value == "":
		t.Problem(n, field, "is empty")
	default:
		return n.Value, true
	}
	return "", false
}

// quoteHint says how to make a text of what YAML takes for something else.
func quoteHint(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!merge" || n.ShortTag() == "!!null" {
		return ""
	}
	return fmt.Sprintf("; quote it: \"%s\"", Clip(n.Value))
}

// List returns the texts of a list; check says what is wrong with one, "" for
// nothing. Every text may stand once.
func (t *Tree) List(n *yaml.Node, field string, check func(string) string) []string {
	nodes := t.Items(n, field, t.MaxList)
	texts := make([]string, 0, len(nodes))
	seen := make(map[string]bool, len(nodes))
	for i, item := range nodes {
		at := field + "[" + strconv.Itoa(i) + "]"
		s, ok := t.Text(item, at)
		if !ok {
			continue
		}
		switch bad := check(s); {
		case bad != "":
			t.Problem(item, at, "%q: %s", Clip(s), bad)
		case seen[s]:
			t.Problem(item, at, "%q stands in the list twice", Clip(s))
		default:
			seen[s] = true
			texts = append(texts, s)
		}
	}
	return texts
}

// Truth returns true for the word true and reports everything else: there is
// nothing that false could mean.
func (t *Tree) Truth(n *yaml.Node, field string) bool {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" && n.Value == "true" {
		return true
	}
	t.Problem(n, field, "want true, or leave the key out")
	return false
}

// Number returns a whole number between two bounds, which both may be.
func (t *Tree) Number(n *yaml.Node, field string, lowest, highest int) int {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!int" {
		// One way to write it: 010 is eight to some readers of YAML, ten to others.
		if v, err := strconv.Atoi(n.Value); err == nil && strconv.Itoa(v) == n.Value && v >= lowest && v <= highest {
			return v
		}
	}
	t.Problem(n, field, "want a whole number from %d to %d", lowest, highest)
	return 0
}

// Join is the name of a field inside another one.
func Join(field, key string) string {
	if field == "" {
		return key
	}
	return field + "." + key
}

// Clip shortens what is quoted in a message.
func Clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

func kindWord(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	case yaml.DocumentNode, yaml.ScalarNode:
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	default:
		return "a text"
	}
}

// Need returns the value of a key that must be there.
func (t *Tree) Need(f map[string]*yaml.Node, n *yaml.Node, field, key string) *yaml.Node {
	v := f[key]
	if v == nil && n.Kind == yaml.MappingNode {
		t.Problem(n, Join(field, key), "is missing")
	}
	return v
}

// Word reads a text of a certain form that may be missing.
func (t *Tree) Word(n *yaml.Node, field string, problem func(string) string) string {
	if n == nil {
		return ""
	}
	s, ok := t.Text(n, field)
	if !ok {
		return ""
	}
	if bad := problem(s); bad != "" {
		t.Problem(n, field, "%q: %s", Clip(s), bad)
	}
	return s
}
