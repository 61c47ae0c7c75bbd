package policy

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"go.yaml.in/yaml/v3"
)

// freeze is a time in which nothing that it names may run.
type freeze struct {
	Name     string
	Reason   string
	Until    string // as it stands in grants.yaml
	From, To int64  // nanoseconds since 1970; To is not part of it
	Match    match  // the zero value for every runbook
	Workers  workers
}

func (g *grants) readFreezes(t *tree, n *yaml.Node) {
	seen := map[string]int{}
	for i, item := range t.Items(n, "freezes", maxFreezes) {
		field := fmt.Sprintf("freezes[%d]", i)
		f := t.Fields(item, field, "name", "from", "to", "zone", "match", "workers", "reason")
		x := freeze{Workers: workers{Any: true}}
		x.Name = t.uniqueName(t.Need(f, item, field, "name"), field+".name", "freeze", seen)
		x.Reason = t.Word(t.Need(f, item, field, "reason"), field+".reason", reasonProblem)
		if v := f["match"]; v != nil {
			x.Match = t.match(v, field+".match")
		}
		if v := f["workers"]; v != nil {
			x.Workers = t.workers(v, field+".workers")
		}
		zone := g.zone(t.Word(t.Need(f, item, field, "zone"), field+".zone", g.zoneProblem))
		from, to := t.Need(f, item, field, "from"), t.Need(f, item, field, "to")
		begin, end := t.Word(from, field+".from", localProblem), t.Word(to, field+".to", localProblem)
		first, ok := parseLocal(begin)
		last, okLast := parseLocal(end)
		if !ok || !okLast || zone == nil {
			continue
		}
		x.From, x.To = first.begin(zone).UnixNano(), last.end(zone).UnixNano()
		if x.To <= x.From {
			t.Problem(to, field+".to", "%s is not after %s", end, begin)
		}
		x.Until = end + " " + zone.String()
		g.freezes = append(g.freezes, x)
	}
}

// uniqueName reads the name of something in a list; seen holds those before it.
func (t *tree) uniqueName(n *yaml.Node, field, what string, seen map[string]int) string {
	name := t.Word(n, field, nameProblem)
	if name == "" {
		return ""
	}
	if line, twice := seen[name]; twice {
		t.Problem(n, field, "%q is the name of the %s in line %d already", name, what, line)
	}
	seen[name] = n.Line
	return name
}

func reasonProblem(s string) string { return textProblem(s, maxReasonText) }

func localProblem(s string) string {
	if _, ok := parseLocal(s); ok {
		return ""
	}
	return "want a day such as 2026-12-24, or a time of its zone such as 2026-12-24T18:00"
}

func (x *freeze) term() *ast.Term {
	return ast.ObjectTerm(
		item("name", ast.StringTerm(x.Name)), item("reason", ast.StringTerm(x.Reason)), item("until", ast.StringTerm(x.Until)),
		item("match", x.Match.term()), item("workers", x.Workers.term()),
	)
}

func (x *freeze) inForce(now int64) bool { return x.From <= now && now < x.To }

func (x *freeze) matched() *match { return &x.Match }
