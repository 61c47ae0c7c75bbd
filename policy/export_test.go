package policy

import (
	"context"
	"encoding/json"

	"github.com/open-policy-agent/opa/v1/ast"
)

// DecideOnDocument judges an answer that the library would not give.
func (e *Engine) DecideOnDocument(in Input, v any) Decision {
	d, err := decodeDocument(v)
	if err != nil {
		return e.denial(&in, Reason{Code: CodePolicyError, Msg: err.Error(), Rule: ruleEngine})
	}
	f, err := e.lookUp(&in, false)
	if err != nil {
		return e.denial(&in, Reason{Code: CodePolicyError, Msg: err.Error(), Rule: ruleEngine})
	}
	return e.judge(&in, &f, d)
}

// DecideOnAllRules decides as Decide does, with every rule as a candidate.
func (e *Engine) DecideOnAllRules(ctx context.Context, in Input) ([]string, error) {
	data, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	f, err := e.lookUp(&in, true)
	if err != nil {
		return nil, err
	}
	d, err := e.ask(ctx, data, &f)
	if err != nil {
		return nil, err
	}
	return d.rules, nil
}

// AllowedBuiltins and the parts of the library that tests compare.
var AllowedBuiltins = allowedBuiltins

// LibraryText is the text of the built-in library.
func LibraryText() string { return string(libraryText()) }

// GlobProblem says why a text is no glob.
func GlobProblem(text string) string { return globProblem(text) }

// ParseGrants is parseGrants for fuzzing.
func ParseGrants(data []byte) ([]*FileError, bool) {
	g, problems := parseGrants(GrantsFile, data)
	return problems, g != nil
}

// Tables are those that every decision asks, whatever it is about.
var Tables = []Table{tablePerson, tableGroups, tableOSGroups, tableDenied, tableRule, tableMatch, tableFit}

// CompileTwice returns what the strict compiler makes of the library, and what
// the one makes of it that an engine uses.
func CompileTwice() (strict, quick map[string]string, err error) {
	b := builder{caps: capabilities()}
	compiler, err := b.newCompiler()
	if err != nil {
		return nil, nil, err
	}
	text := func(c *ast.Compiler) (map[string]string, error) {
		library, err := b.parseLibrary(nil)
		if err != nil {
			return nil, err
		}
		if c.Compile(library); c.Failed() {
			return nil, c.Errors
		}
		modules := map[string]string{}
		for name, m := range c.Modules {
			modules[name] = m.String()
		}
		return modules, nil
	}
	if strict, err = text(compiler); err != nil {
		return nil, nil, err
	}
	quick, err = text(b.uncheckedCompiler())
	return strict, quick, err
}

// LookUp looks up what grants.yaml says, and forgets it.
func (e *Engine) LookUp(in Input) { _, _ = e.lookUp(&in, false) }

// Known is how many rules the engine keeps.
func (e *Engine) Known() int { return len(e.known.rules) }
