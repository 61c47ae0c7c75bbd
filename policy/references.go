package policy

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/runwrit/writ/internal/strictyaml"
)

// strayReferences finds what the user's files refer to below data and no file
// defines. There is no other data: such a reference never has a value, so that a
// deny with a misspelled helper would never hold, and one with "not" always would.
func strayReferences(c *ast.Compiler, user []File) (problems []*FileError) {
	for _, f := range user {
		for _, r := range c.Modules[f.Name].Rules {
			ast.WalkRefs(r, func(ref ast.Ref) bool {
				if bad := strayProblem(c.RuleTree, ref); bad != "" {
					problems = append(problems, &FileError{File: f.Name, Line: r.Location.Row, Column: r.Location.Col, Msg: bad})
				}
				return false
			})
		}
	}
	return problems[:min(len(problems), maxProblems)]
}

// strayProblem follows a reference through packages and rules, as far as its names
// are known.
func strayProblem(node *ast.TreeNode, ref ast.Ref) string {
	if !ref.HasPrefix(ast.DefaultRootRef) {
		return ""
	}
	for i, term := range ref {
		if i > 0 && (!term.IsGround() || len(node.Values) > 0) {
			return ""
		}
		next := node.Child(term.Value)
		if next == nil {
			what := "is defined by no file, and there is no other data"
			if near := strictyaml.Nearest(plain(term.Value), childNames(node)); near != "" {
				what += fmt.Sprintf("; did you mean %q?", near)
			}
			return fmt.Sprintf("%s %s", strictyaml.Clip(ref[:i+1].String()), what)
		}
		node = next
	}
	return ""
}

func childNames(node *ast.TreeNode) []string {
	var names []string
	for key := range node.Children {
		names = append(names, plain(key))
	}
	slices.Sort(names)
	return names
}

// plain is a name of a package or rule without its quotes.
func plain(v ast.Value) string {
	if s, ok := v.(ast.String); ok {
		return string(s)
	}
	return v.String()
}
