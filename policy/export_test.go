package policy

import (
	"context"
	"encoding/json"
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

// Document is the input document that a policy reads, as JSON.
func (e *Engine) Document(in Input) ([]byte, error) {
	data, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	f, err := e.lookUp(&in, false)
	if err != nil {
		return nil, err
	}
	v, err := inputValue(data, e.Policy(), &f)
	if err != nil {
		return nil, err
	}
	return []byte(v.String()), nil
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
