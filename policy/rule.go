package policy

import (
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/runwrit/writ/internal/glob"
)

// rule is one rule of grants.yaml. Every part of it must hold. Its fields are
// those of its row, as JSON.
type rule struct {
	Name        string
	Line        int
	Match       match
	Workers     workers
	SignedBy    signedBy
	RequestedBy requestedBy
	Hours       []hours // none for any time
	ApprovedBy  approvedBy
	Parameters  []parameter
	Obligations Obligations

	asTerm *ast.Term // set with the rule, by decodeRule
}

// match: each list that is not empty must hold the runbook.
type match struct {
	Paths   []string // globs
	Kinds   []string
	Digests []string // of the file or of the payload
}

// workers: any, or each list that is not empty must hold the worker.
type workers struct {
	Any    bool
	Groups []string
	IDs    []string
	Labels []label
	// Identities are those that a managed identity proves.
	Identities []string
}

type label struct {
	Name   string
	Values []string
}

type signedBy struct {
	People, Groups []string
	AtLeast        int
	MinVersion     string // "" for none: then any signature counts
	Namespace      string // "" for any
	// Roles must each be filled by somebody else; People and Groups are all who
	// fill one of them, then.
	Roles []role
}

type requestedBy struct {
	Anyone         bool
	People, Groups []string
	Assurance      []string // how the caller must be known; any of them, all if empty
}

type parameter struct {
	Name     string // or "*", for the positional ones that have no entry
	Type     string
	Pattern  string
	Enum     []string
	Range    bounds
	Required bool
	Secret   bool // its value must not be recorded
}

// decodeRule reads the row of a rule. What the parser of grants.yaml would not
// let pass is refused, where it could make a rule wider.
func decodeRule(text string) (*rule, error) {
	r := &rule{}
	if err := decode(text, r); err != nil {
		return nil, err
	}
	if r.Name == "" || r.Match.empty() || r.SignedBy.AtLeast < max(1, len(r.SignedBy.Roles)) || r.Obligations.Timeout < MinTimeout ||
		r.ApprovedBy.Wanted && r.ApprovedBy.AtLeast < 1 {
		return nil, errors.New("it is not complete")
	}
	r.asTerm = r.newTerm()
	return r, nil
}

func (r *rule) term() *ast.Term { return r.asTerm }

// newTerm is the rule as the library reads it: every list is there, globs and
// patterns come with the anchored regular expression.
func (r *rule) newTerm() *ast.Term {
	parameters := ast.NewObject()
	for _, p := range r.Parameters {
		anchored := ""
		if p.Pattern != "" {
			anchored = anchorPattern(p.Pattern)
		}
		parameters.Insert(ast.StringTerm(p.Name), ast.ObjectTerm(
			item("type", ast.StringTerm(p.Type)), item("pattern", ast.StringTerm(p.Pattern)), item("anchored", ast.StringTerm(anchored)),
			item("enum", texts(p.Enum)), item("required", ast.BooleanTerm(p.Required)),
			item("min", decimalTerm(p.Range.Min)), item("max", decimalTerm(p.Range.Max)), item("range", ast.StringTerm(p.Range.said())),
			item("secret", ast.BooleanTerm(p.Secret)),
		))
	}
	roles, sets := rolesTerm(r.SignedBy.Roles)
	return ast.ObjectTerm(
		item("name", ast.StringTerm(r.Name)),
		item("match", r.Match.term()),
		item("workers", r.Workers.term()),
		item("signed_by", ast.ObjectTerm(
			item("people", texts(r.SignedBy.People)), item("groups", texts(r.SignedBy.Groups)),
			item("at_least", ast.IntNumberTerm(r.SignedBy.AtLeast)),
			item("min_version", ast.StringTerm(r.SignedBy.MinVersion)), item("min_numbers", numbers(r.SignedBy.MinVersion)),
			item("namespace", ast.StringTerm(r.SignedBy.Namespace)),
			item("roles", roles), item("role_sets", sets),
		)),
		item("requested_by", ast.ObjectTerm(
			item("anyone", ast.BooleanTerm(r.RequestedBy.Anyone)), item("people", texts(r.RequestedBy.People)), item("groups", texts(r.RequestedBy.Groups)),
			item("assurance", texts(r.RequestedBy.Assurance)),
		)),
		item("hours", hoursTerm(r.Hours)),
		item("approved_by", r.ApprovedBy.term()),
		item("parameters", ast.NewTerm(parameters)),
	)
}

// empty says that it names nothing, and so would hold for every runbook.
func (m *match) empty() bool { return len(m.Paths)+len(m.Kinds)+len(m.Digests) == 0 }

func (m *match) term() *ast.Term {
	paths := make([]*ast.Term, 0, len(m.Paths))
	for _, g := range m.Paths {
		paths = append(paths, ast.ObjectTerm(item("glob", ast.StringTerm(g)), item("pattern", ast.StringTerm(glob.Pattern(g)))))
	}
	return ast.ObjectTerm(item("paths", ast.ArrayTerm(paths...)), item("kinds", texts(m.Kinds)), item("sha256", texts(m.Digests)))
}

func (w *workers) term() *ast.Term {
	labels := ast.NewObject()
	for _, l := range w.Labels {
		labels.Insert(ast.StringTerm(l.Name), texts(l.Values))
	}
	return ast.ObjectTerm(
		item("any", ast.BooleanTerm(w.Any)), item("groups", texts(w.Groups)),
		item("ids", texts(w.IDs)), item("labels", ast.NewTerm(labels)), item("identities", texts(w.Identities)),
	)
}
