package policy

import (
	"errors"
	"strings"

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
	Formats        formats
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
	if r.Name == "" || r.Match.empty() || r.SignedBy.AtLeast < max(1, len(r.SignedBy.Roles)) || r.SignedBy.Formats.incomplete() || r.Obligations.Timeout < MinTimeout ||
		r.ApprovedBy.Wanted && r.ApprovedBy.AtLeast < 1 {
		return nil, errors.New("it is not complete")
	}
	r.asTerm = r.newTerm()
	return r, nil
}

func (r *rule) term() *ast.Term { return r.asTerm }

// newTerm is the rule as the library reads it: every list is there, globs and
// patterns come as anchored regular expressions, and that a list does not restrict
// anything is said beside it: to count it at each decision would take longer.
func (r *rule) newTerm() *ast.Term {
	parameters := ast.NewObject()
	var required []string
	for _, p := range r.Parameters {
		if p.Required {
			required = append(required, p.Name)
		}
		anchored := "" // which every value matches
		if p.Pattern != "" {
			anchored = anchorPattern(p.Pattern)
		}
		parameters.Insert(ast.StringTerm(p.Name), ast.ObjectTerm(
			item("type", ast.StringTerm(p.Type)), item("pattern", ast.StringTerm(p.Pattern)), item("anchored", ast.StringTerm(anchored)),
			item("enum", texts(p.Enum)), item("any_value", ast.BooleanTerm(len(p.Enum) == 0)), item("any_number", ast.BooleanTerm(p.Range == bounds{})),
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
			item("namespace", ast.StringTerm(r.SignedBy.Namespace)), item("formats", r.SignedBy.Formats.term()),
			item("roles", roles), item("role_sets", sets), item("any_role", ast.BooleanTerm(len(r.SignedBy.Roles) == 0)),
		)),
		item("requested_by", ast.ObjectTerm(
			item("anyone", ast.BooleanTerm(r.RequestedBy.Anyone)), item("people", texts(r.RequestedBy.People)), item("groups", texts(r.RequestedBy.Groups)),
			item("assurance", texts(r.RequestedBy.Assurance)), item("any_assurance", ast.BooleanTerm(len(r.RequestedBy.Assurance) == 0)),
		)),
		item("hours", hoursTerm(r.Hours)), item("any_time", ast.BooleanTerm(len(r.Hours) == 0)),
		item("approved_by", r.ApprovedBy.term()),
		item("parameters", ast.NewTerm(parameters)), item("required", texts(required)),
	)
}

// empty says that it names nothing, and so would hold for every runbook.
func (m *match) empty() bool { return len(m.Paths)+len(m.Kinds)+len(m.Digests) == 0 }

func (m *match) term() *ast.Term {
	var exact, patterns []string
	for _, g := range m.Paths {
		if strings.ContainsAny(g, "*?") {
			patterns = append(patterns, glob.Pattern(g))
		} else {
			exact = append(exact, g)
		}
	}
	return ast.ObjectTerm(
		item("any_path", ast.BooleanTerm(len(m.Paths) == 0)), item("paths", texts(m.Paths)), item("exact", texts(exact)), item("patterns", texts(patterns)),
		item("any_kind", ast.BooleanTerm(len(m.Kinds) == 0)), item("kinds", texts(m.Kinds)),
		item("any_digest", ast.BooleanTerm(len(m.Digests) == 0)), item("sha256", texts(m.Digests)),
	)
}

func (w *workers) term() *ast.Term {
	labels := ast.NewObject()
	for _, l := range w.Labels {
		labels.Insert(ast.StringTerm(l.Name), texts(l.Values))
	}
	return ast.ObjectTerm(
		item("any", ast.BooleanTerm(w.Any)), item("named", ast.BooleanTerm(len(w.Groups)+len(w.IDs)+len(w.Labels)+len(w.Identities) > 0)),
		item("any_group", ast.BooleanTerm(len(w.Groups) == 0)), item("groups", texts(w.Groups)),
		item("any_id", ast.BooleanTerm(len(w.IDs) == 0)), item("ids", texts(w.IDs)),
		item("any_label", ast.BooleanTerm(len(w.Labels) == 0)), item("labels", ast.NewTerm(labels)),
		item("any_identity", ast.BooleanTerm(len(w.Identities) == 0)), item("identities", texts(w.Identities)),
	)
}
