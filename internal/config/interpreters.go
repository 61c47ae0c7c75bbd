package config

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/strictyaml"
)

// Interpreter is the program that runs the runbooks of one kind.
type Interpreter struct {
	Program string   // absolute path
	Options []string // before the script
}

// maxOptions is how many options an interpreter may be given.
const maxOptions = 20

// interpreterKinds are the kinds of runbooks for which an interpreter can be
// named, in the words of rules.
var interpreterKinds = []string{"bash", "javascript", "perl", "powershell", "python", "ruby"}

// interpreters reads the table of interpreters, by kind.
func (t *tree) interpreters(n *yaml.Node) map[string]Interpreter {
	const field = "interpreters"
	pairs := t.Entries(n, field)
	if len(pairs) == 0 && n.Kind == yaml.MappingNode {
		t.Problem(n, field, "says nothing: give a kind of runbook and its program")
	}
	table := map[string]Interpreter{}
	for _, p := range pairs {
		at := field + "." + strictyaml.Clip(p.Key)
		if !slices.Contains(interpreterKinds, p.Key) {
			t.Problem(p.At, at, "%s", strictyaml.OneOf("kind", p.Key, interpreterKinds))
			continue
		}
		f := t.Fields(p.Value, at, "program", "options")
		row := Interpreter{Program: t.Word(t.Need(f, p.Value, at, "program"), at+".program", pathProblem)}
		if v := f["options"]; v != nil {
			row.Options = t.List(v, at+".options", optionProblem)
			if len(row.Options) > maxOptions {
				t.Problem(v, at+".options", "has %d entries, the limit is %d", len(row.Options), maxOptions)
			}
		}
		table[p.Key] = row
	}
	return table
}

// optionProblem refuses what is no option: the next word after the options is the
// script, and a word that does not begin with a dash would be run in its place.
func optionProblem(s string) string {
	if bad := textProblem(s); bad != "" {
		return bad
	}
	if len(s) < 2 || s[0] != '-' || strings.Trim(s, "-") == "" {
		return "want an option that begins with a dash and holds its own value, such as -w or --max-old-space-size=256"
	}
	return ""
}
