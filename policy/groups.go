package policy

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/strictyaml"
)

func (g *grants) readGroups(t *tree, n *yaml.Node) {
	pairs := t.Entries(n, "groups")
	for _, p := range pairs { // a group may name one that stands below it
		if nameProblem(p.Key) == "" {
			g.groups[p.Key] = nil
		}
	}
	x := nesting{inside: map[string][]string{}, at: map[string]*yaml.Node{}, done: map[string]nested{}}
	for _, p := range pairs {
		field := "groups." + strictyaml.Clip(p.Key)
		if bad := nameProblem(p.Key); bad != "" {
			t.Problem(p.At, field, "%s", bad)
			continue
		}
		f := t.Fields(p.Value, field, "members", "groups", "os_groups", "token_groups")
		if len(f) == 0 && p.Value.Kind == yaml.MappingNode {
			t.Problem(p.Value, field, "has no members, groups, os_groups or token_groups")
		}
		if v := f["members"]; v != nil {
			g.groups[p.Key] = t.List(v, field+".members", g.knownPerson())
		}
		for _, person := range g.groups[p.Key] {
			g.groupsOf[person] = append(g.groupsOf[person], p.Key)
		}
		if v := f["groups"]; v != nil {
			x.inside[p.Key], x.at[p.Key] = t.List(v, field+".groups", g.knownGroup()), v
		}
		if v := f["os_groups"]; v != nil {
			for _, name := range t.List(v, field+".os_groups", accountProblem) {
				g.groupsOfOS[name] = append(g.groupsOfOS[name], p.Key)
			}
		}
		if v := f["token_groups"]; v != nil {
			for _, name := range t.List(v, field+".token_groups", tokenGroupProblem) {
				g.groupsOfToken[name] = append(g.groupsOfToken[name], p.Key)
			}
		}
	}
	g.nest(t, n, &x)
}

func accountProblem(s string) string {
	if accountForm.holds(s) {
		return ""
	}
	return "want the name of a group of the operating system"
}

// nesting finds the groups that stand in groups, and in those in turn.
type nesting struct {
	inside map[string][]string   // groups that a group names
	at     map[string]*yaml.Node // where
	done   map[string]nested
	path   []string // from the group that was begun with to the one that is looked at
	size   int      // of all that was found
}

// nested is what stands in a group at any depth.
type nested struct {
	groups []string
	depth  int
}

// all returns the groups in a group, at any depth. A group that stands in itself
// is a problem.
func (x *nesting) all(t *tree, name string) nested {
	if known, ok := x.done[name]; ok {
		return known
	}
	if i := slices.Index(x.path, name); i >= 0 {
		circle := append(slices.Clone(x.path[i:]), name)
		t.Problem(x.at[name], "groups."+name+".groups", "stands in itself: %s", strings.Join(circle, " has "))
		return nested{}
	}
	if len(x.path) > maxNesting {
		return nested{depth: maxNesting}
	}
	x.path = append(x.path, name)
	var found nested
	for _, inner := range x.inside[name] {
		below := x.all(t, inner)
		if x.size += 1 + len(below.groups); x.size > maxMemberships {
			break
		}
		found.groups = append(append(found.groups, inner), below.groups...)
		found.depth = max(found.depth, below.depth+1)
	}
	x.path = x.path[:len(x.path)-1]
	slices.Sort(found.groups)
	found.groups = slices.Compact(found.groups)
	x.done[name] = found
	return found
}

// nest makes the members of inner groups members of the outer ones.
func (g *grants) nest(t *tree, n *yaml.Node, x *nesting) {
	outer := map[string][]string{} // groups that a group stands in, at any depth
	for _, name := range slices.Sorted(maps.Keys(x.inside)) {
		found := x.all(t, name)
		switch {
		case found.depth > maxNesting:
			t.Problem(x.at[name], "groups."+name+".groups", "has groups inside groups more than %d deep", maxNesting)
			return
		case x.size > maxMemberships:
			t.Problem(n, "groups", "groups inside groups make more than %d memberships", maxMemberships)
			return
		}
		for _, inner := range found.groups {
			outer[inner] = append(outer[inner], name)
		}
		g.inner[name] = found.groups
	}
	for _, of := range g.memberships() {
		for name, groups := range of {
			for _, inner := range groups {
				if x.size += len(outer[inner]); x.size > maxMemberships {
					t.Problem(n, "groups", "groups inside groups make more than %d memberships", maxMemberships)
					return
				}
				groups = append(groups, outer[inner]...)
			}
			slices.Sort(groups)
			of[name] = slices.Compact(groups)
		}
	}
}

// memberships are the groups of all who can be in one.
func (g *grants) memberships() []map[string][]string {
	return []map[string][]string{g.groupsOf, g.groupsOfOS, g.groupsOfToken}
}

// countPeople counts who is in these lists and groups, up to more than any number
// of signers can be asked for.
func (g *grants) countPeople(people, groups []string) int {
	lists := [][]string{people}
	for _, name := range groups {
		lists = append(lists, g.groups[name])
		for _, inner := range g.inner[name] {
			lists = append(lists, g.groups[inner])
		}
	}
	seen := map[string]bool{}
	for _, list := range lists {
		for _, p := range list {
			if seen[p] = true; len(seen) > maxSignatures {
				return len(seen)
			}
		}
	}
	return len(seen)
}
