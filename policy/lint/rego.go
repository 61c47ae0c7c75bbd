package lint

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"

	"github.com/runwrit/writ/policy"
)

// Format returns a .rego file in the one form that all are written in. It fails with
// *policy.SyntaxError where the file is no Rego.
func Format(f policy.File) ([]byte, error) {
	before, err := parse(f)
	if err != nil {
		return nil, &policy.SyntaxError{Problems: policy.RegoProblems(err)}
	}
	data, err := format.SourceWithOpts(f.Name, f.Data, format.Opts{RegoVersion: ast.RegoV1})
	if err != nil {
		return nil, &policy.SyntaxError{Problems: policy.RegoProblems(err)}
	}
	after, err := parse(policy.File{Name: f.Name, Data: data})
	if err != nil || !sameRules(before, after) {
		return nil, fmt.Errorf("%s: in the other form it would not say the same: it stays as it is", f.Name)
	}
	return data, nil
}

func parse(f policy.File) (*ast.Module, error) {
	return ast.ParseModuleWithOpts(f.Name, string(f.Data), ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true})
}

// sameRules compares what two files define; comments may stand elsewhere.
func sameRules(a, b *ast.Module) bool {
	return a != nil && b != nil && a.Package.Equal(b.Package) && len(a.Imports) == len(b.Imports) &&
		slices.EqualFunc(a.Rules, b.Rules, func(x, y *ast.Rule) bool { return x.Equal(y) })
}

func lintRego(f *findings, src policy.Source) {
	labels := map[string]bool{}
	for _, file := range src.Rego {
		if data, err := Format(file); err == nil && !bytes.Equal(data, file.Data) {
			f.add(NotFormatted, file.Name, 0, "")
		}
		m, err := parse(file)
		if err != nil { // the labels alone can be wrong: the engine has read the rest
			f.add(NoLabel, file.Name, 0, "")
			continue
		}
		if !titled(m) {
			f.add(NoTitle, file.Name, m.Package.Location.Row, m.Package.Path.String()[len("data."):])
		}
		for _, r := range m.Rules {
			lintReason(f, file.Name, r, labels)
		}
		if usesTime(m) && !mentionsNow(m) {
			f.add(TimeWithoutNow, file.Name, 0, "")
		}
	}
}

func titled(m *ast.Module) bool {
	return slices.ContainsFunc(m.Annotations, func(a *ast.Annotations) bool {
		return (a.Scope == "package" || a.Scope == "subpackages") && (a.Title != "" || a.Description != "")
	})
}

// lintReason looks at a rule that gives reasons.
func lintReason(f *findings, file string, r *ast.Rule, labels map[string]bool) {
	name := r.Head.Ref().String()
	if name != "deny" && name != "warn" {
		return
	}
	if name == "deny" && !hasCode(r) {
		f.add(NoCode, file, r.Location.Row, name)
	}
	label := ""
	for _, a := range r.Annotations {
		if id, ok := a.Labels["id"].(string); ok {
			label = id
		}
	}
	switch {
	case label == "":
		f.add(NoLabel, file, r.Location.Row, name)
	case labels[label]:
		f.add(LabelTwice, file, r.Location.Row, label)
	}
	labels[label] = true
}

// hasCode says whether the reason that a rule gives has a code. Of a variable that
// the body makes, any object with a code in it counts.
func hasCode(r *ast.Rule) bool {
	found := false
	ast.WalkTerms(r, func(t *ast.Term) bool {
		if o, ok := t.Value.(ast.Object); ok {
			found = found || o.Get(ast.StringTerm("code")) != nil
		}
		return found
	})
	return found
}

// clocks are the functions that say something of a point in time.
var clocks = []string{"time.clock", "time.date", "time.weekday", "time.format", "time.diff", "time.add_date"}

func usesTime(m *ast.Module) bool {
	found := false
	ast.WalkRefs(m, func(r ast.Ref) bool {
		found = found || slices.Contains(clocks, r.String())
		return found
	})
	return found
}

func mentionsNow(m *ast.Module) bool {
	found := false
	ast.WalkRefs(m, func(r ast.Ref) bool {
		found = found || strings.HasPrefix(r.String(), "input.now_ns")
		return found
	})
	return found
}
