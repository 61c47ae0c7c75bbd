package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/runwrit/writ/internal/glob"
)

// rule is one rule of grants.yaml. Every part of it must hold.
type rule struct {
	name        string
	line        int
	match       match
	workers     workers
	signedBy    signedBy
	requestedBy requestedBy
	parameters  []parameter
	obligations Obligations
}

// match: each list that is not empty must hold the runbook.
type match struct {
	paths   []string // globs
	kinds   []string
	digests []string // of the file or of the payload
}

// workers: any, or each list that is not empty must hold the worker.
type workers struct {
	any    bool
	groups []string
	ids    []string
	labels []label
}

type label struct {
	name   string
	values []string
}

type signedBy struct {
	people, groups []string
	atLeast        int
	minVersion     string // "" for none: then any signature counts
	namespace      string // "" for any
}

type requestedBy struct {
	anyone         bool
	people, groups []string
}

type parameter struct {
	name     string // or "*", for the positional ones that have no entry
	typ      string
	pattern  string
	enum     []string
	required bool
}

// term is the rule as the library reads it: every list is there, globs and
// patterns come with the anchored regular expression.
func (r *rule) term() *ast.Term {
	paths := make([]*ast.Term, 0, len(r.match.paths))
	for _, g := range r.match.paths {
		paths = append(paths, ast.ObjectTerm(item("glob", ast.StringTerm(g)), item("pattern", ast.StringTerm(glob.Pattern(g)))))
	}
	labels := ast.NewObject()
	for _, l := range r.workers.labels {
		labels.Insert(ast.StringTerm(l.name), texts(l.values))
	}
	parameters := ast.NewObject()
	for _, p := range r.parameters {
		anchored := ""
		if p.pattern != "" {
			anchored = anchorPattern(p.pattern)
		}
		parameters.Insert(ast.StringTerm(p.name), ast.ObjectTerm(
			item("type", ast.StringTerm(p.typ)), item("pattern", ast.StringTerm(p.pattern)), item("anchored", ast.StringTerm(anchored)),
			item("enum", texts(p.enum)), item("required", ast.BooleanTerm(p.required)),
		))
	}
	return ast.ObjectTerm(
		item("name", ast.StringTerm(r.name)),
		item("match", ast.ObjectTerm(
			item("paths", ast.ArrayTerm(paths...)), item("kinds", texts(r.match.kinds)), item("sha256", texts(r.match.digests)),
		)),
		item("workers", ast.ObjectTerm(
			item("any", ast.BooleanTerm(r.workers.any)), item("groups", texts(r.workers.groups)),
			item("ids", texts(r.workers.ids)), item("labels", ast.NewTerm(labels)),
		)),
		item("signed_by", ast.ObjectTerm(
			item("people", texts(r.signedBy.people)), item("groups", texts(r.signedBy.groups)),
			item("at_least", ast.IntNumberTerm(r.signedBy.atLeast)),
			item("min_version", ast.StringTerm(r.signedBy.minVersion)), item("min_numbers", numbers(r.signedBy.minVersion)),
			item("namespace", ast.StringTerm(r.signedBy.namespace)),
		)),
		item("requested_by", ast.ObjectTerm(
			item("anyone", ast.BooleanTerm(r.requestedBy.anyone)), item("people", texts(r.requestedBy.people)), item("groups", texts(r.requestedBy.groups)),
		)),
		item("parameters", ast.NewTerm(parameters)),
	)
}
