package policy

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

// tree reads a YAML file strictly. It goes on after a problem, so that the
// author sees all of them at once.
type tree struct {
	file     string
	problems []*FileError
}

// pair is one entry of a mapping.
type pair struct {
	key   string
	at    *yaml.Node // the key
	value *yaml.Node
}

func (t *tree) problem(n *yaml.Node, field, format string, args ...any) {
	if len(t.problems) >= maxProblems {
		return
	}
	e := &FileError{File: t.file, Field: field, Msg: fmt.Sprintf(format, args...)}
	if n != nil {
		e.Line, e.Column = n.Line, n.Column
	}
	t.problems = append(t.problems, e)
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?`)

// document parses data, which must hold exactly one YAML document without
// anchors, aliases and tags. It returns nil after a problem.
func (t *tree) document(data []byte) (root *yaml.Node) {
	defer func() {
		if r := recover(); r != nil { // of the YAML parser, on bytes nobody wrote by hand
			t.problem(nil, "", "is not YAML: %v", r)
			root = nil
		}
	}()
	if bad := yamlBytesProblem(data); bad != "" {
		t.problem(nil, "", "%s", bad)
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	err := decoder.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF):
		t.problem(nil, "", "is empty")
		return nil
	case err != nil:
		t.syntax(err)
		return nil
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		if err != nil {
			t.syntax(err)
		} else {
			t.problem(&second, "", "holds several YAML documents: remove the --- line")
		}
		return nil
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		t.problem(&doc, "", "is empty")
		return nil
	}
	if !t.plain(doc.Content[0]) {
		return nil
	}
	return doc.Content[0]
}

// yamlBytesProblem bounds what the YAML parser gets to see.
func yamlBytesProblem(data []byte) string {
	switch {
	case len(data) > MaxGrantsSize:
		return fmt.Sprintf("has %d bytes, the limit is %d", len(data), MaxGrantsSize)
	case !utf8.Valid(data):
		return "is not valid UTF-8"
	}
	marks := 0
	for _, c := range data {
		switch c {
		case '\n', ',', '[', '{', ':', '-', '?', '\r':
			marks++
		}
	}
	if marks > maxGrantsMarks {
		return "has too many entries"
	}
	return ""
}

// syntax takes the line out of an error of the YAML parser.
func (t *tree) syntax(err error) {
	line := 0
	msg := err.Error()
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		msg = msg[len(m[0]):]
		line, _ = strconv.Atoi(m[1]) // "" and a number too long for an int give 0: no line
	}
	t.problem(&yaml.Node{Line: line}, "", "is not YAML: %s", msg)
}

// plain refuses the parts of YAML that make a short file long or a plain value
// something else.
func (t *tree) plain(n *yaml.Node) bool {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		t.problem(n, "", "has an anchor or alias (& or *): write the value out, or quote it")
		return false
	case n.Style&yaml.TaggedStyle != 0:
		t.problem(n, "", "has the tag %s: tags (!) are refused", n.Tag)
		return false
	}
	for _, c := range n.Content {
		if !t.plain(c) {
			return false
		}
	}
	return true
}

// entries returns the entries of a mapping in their order. Keys must be plain
// strings and unique.
func (t *tree) entries(n *yaml.Node, field string) []pair {
	if n.Kind != yaml.MappingNode {
		t.problem(n, field, "want a mapping (key: value), found %s", kindWord(n))
		return nil
	}
	pairs := make([]pair, 0, len(n.Content)/2)
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
			t.problem(key, field, "want a plain word as key, found %s%s", kindWord(key), quoteHint(key))
			continue
		}
		if line, twice := seen[key.Value]; twice {
			t.problem(key, join(field, key.Value), "stands here a second time, first in line %d", line)
			continue
		}
		seen[key.Value] = key.Line
		pairs = append(pairs, pair{key.Value, key, value})
	}
	return pairs
}

// fields returns the values of a mapping whose keys are all known, by key.
func (t *tree) fields(n *yaml.Node, field string, known ...string) map[string]*yaml.Node {
	found := make(map[string]*yaml.Node, len(known))
	for _, p := range t.entries(n, field) {
		if slices.Contains(known, p.key) {
			found[p.key] = p.value
			continue
		}
		if near := nearest(p.key, known); near != "" {
			t.problem(p.at, join(field, clip(p.key)), "unknown key; did you mean %q?", near)
		} else {
			t.problem(p.at, join(field, clip(p.key)), "unknown key; known are %s", strings.Join(known, ", "))
		}
	}
	return found
}

// items returns the entries of a list that is not empty.
func (t *tree) items(n *yaml.Node, field string, limit int) []*yaml.Node {
	switch {
	case n.Kind != yaml.SequenceNode:
		t.problem(n, field, "want a list ([a, b]), found %s", kindWord(n))
	case len(n.Content) == 0:
		t.problem(n, field, "is empty: an empty list never means everything; leave it out or name something")
	case len(n.Content) > limit:
		t.problem(n, field, "has %d entries, the limit is %d", len(n.Content), limit)
	default:
		return n.Content
	}
	return nil
}

// text returns a string. What YAML takes for a number or a boolean must be
// quoted.
func (t *tree) text(n *yaml.Node, field string) (string, bool) {
	switch {
	case n.Kind != yaml.ScalarNode:
		t.problem(n, field, "want a text, found %s", kindWord(n))
	case n.ShortTag() != "!!str":
		t.problem(n, field, "want a text, found %s%s", kindWord(n), quoteHint(n))
	case n.Value == "":
		t.problem(n, field, "is empty")
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
	return fmt.Sprintf("; quote it: \"%s\"", clip(n.Value))
}

// list returns the texts of a list; check says what is wrong with one, "" for
// nothing. Every text may stand once.
func (t *tree) list(n *yaml.Node, field string, check func(string) string) []string {
	nodes := t.items(n, field, maxList)
	texts := make([]string, 0, len(nodes))
	for i, item := range nodes {
		at := fmt.Sprintf("%s[%d]", field, i)
		s, ok := t.text(item, at)
		if !ok {
			continue
		}
		switch bad := check(s); {
		case bad != "":
			t.problem(item, at, "%q: %s", clip(s), bad)
		case slices.Contains(texts, s):
			t.problem(item, at, "%q stands in the list twice", clip(s))
		default:
			texts = append(texts, s)
		}
	}
	return texts
}

// truth returns true for the word true and reports everything else: there is
// nothing that false could mean.
func (t *tree) truth(n *yaml.Node, field string) bool {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" && n.Value == "true" {
		return true
	}
	t.problem(n, field, "want true, or leave the key out")
	return false
}

func (t *tree) number(n *yaml.Node, field string, lowest, highest int) int {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!int" {
		// One way to write it: 010 is eight to some readers of YAML, ten to others.
		if v, err := strconv.Atoi(n.Value); err == nil && strconv.Itoa(v) == n.Value && v >= lowest && v <= highest {
			return v
		}
	}
	t.problem(n, field, "want a whole number from %d to %d", lowest, highest)
	return 0
}

func join(field, key string) string {
	if field == "" {
		return key
	}
	return field + "." + key
}

// clip shortens what is quoted in a message.
func clip(s string) string {
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
