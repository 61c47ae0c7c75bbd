package policy

import (
	"fmt"
	"maps"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/strictyaml"
)

// role is something that a signer can be, such as author or reviewer.
type role struct {
	Name           string
	People, Groups []string
}

func (g *grants) readRoles(t *tree, n *yaml.Node) {
	for _, p := range t.Entries(n, "roles") {
		field := "roles." + strictyaml.Clip(p.Key)
		if bad := nameProblem(p.Key); bad != "" {
			t.Problem(p.At, field, "%s", bad)
			continue
		}
		f := t.Fields(p.Value, field, "people", "groups")
		if len(f) == 0 && p.Value.Kind == yaml.MappingNode {
			t.Problem(p.Value, field, "names nobody: give people or groups")
		}
		r := role{Name: p.Key}
		r.People, r.Groups = g.readNames(t, f, field)
		g.roles[p.Key] = r
	}
}

// readSignerRoles reads the roles that must be filled, each by somebody else. All
// who fill one of them may sign.
func (g *grants) readSignerRoles(t *tree, f map[string]*yaml.Node, field string, s *signedBy) {
	if f["people"] != nil || f["groups"] != nil {
		t.Problem(f["roles"], field+".roles", "stands beside people or groups: choose one")
	}
	names := t.List(f["roles"], field+".roles", func(name string) string {
		if _, ok := g.roles[name]; ok {
			return ""
		}
		return strictyaml.UnknownName("role", name, maps.Keys(g.roles))
	})
	if len(names) > maxRoles {
		t.Problem(f["roles"], field+".roles", "has %d roles, the limit is %d", len(names), maxRoles)
		return
	}
	s.People, s.Groups, s.AtLeast = nil, nil, len(names)
	for _, name := range names {
		r := g.roles[name]
		s.Roles = append(s.Roles, r)
		s.People = append(s.People, r.People...)
		s.Groups = append(s.Groups, r.Groups...)
	}
	if len(t.Problems) > 0 {
		return
	}
	key := strings.Join(names, " ")
	bad, known := g.fillable[key]
	if !known {
		bad = g.rolesProblem(s.Roles)
		g.fillable[key] = bad
	}
	if bad != "" {
		t.Problem(f["roles"], field+".roles", "%s", bad)
	}
}

// rolesProblem says which of these roles could never be filled by different
// people, "" if all can be.
func (g *grants) rolesProblem(roles []role) string {
	for _, set := range roleSets(len(roles)) {
		var names, people, groups []string
		for _, i := range set {
			names = append(names, roles[i].Name)
			people = append(people, roles[i].People...)
			groups = append(groups, roles[i].Groups...)
		}
		if n := g.countPeople(people, groups); n < len(set) {
			return fmt.Sprintf("%s can be filled by %d different people only: it could never be met", strings.Join(names, " and "), n)
		}
	}
	return ""
}

// roleSets are all sets of n roles, by their numbers. Each role can be filled by
// somebody else if, and only if, each set of roles has at least as many people who
// fill one of them as it has roles (Hall's theorem).
func roleSets(n int) [][]int {
	var sets [][]int
	for bits := 1; bits < 1<<n; bits++ {
		var set []int
		for i := range n {
			if bits&(1<<i) != 0 {
				set = append(set, i)
			}
		}
		sets = append(sets, set)
	}
	return sets
}

// rolesTerm is what the library reads of the roles of a rule.
func rolesTerm(roles []role) (list, sets *ast.Term) {
	terms := make([]*ast.Term, 0, len(roles))
	for _, r := range roles {
		terms = append(terms, ast.ObjectTerm(
			item("name", ast.StringTerm(r.Name)), item("people", texts(r.People)), item("groups", texts(r.Groups)),
		))
	}
	var all []*ast.Term
	for _, set := range roleSets(len(roles)) {
		var numbers []*ast.Term
		for _, i := range set {
			numbers = append(numbers, ast.IntNumberTerm(i))
		}
		all = append(all, ast.ArrayTerm(numbers...))
	}
	return ast.ArrayTerm(terms...), ast.ArrayTerm(all...)
}
