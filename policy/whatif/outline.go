package whatif

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/strictyaml"
	"github.com/runwrit/writ/policy"
)

// outline is what a simulation needs to know of a grants.yaml that the engine
// accepted.
type outline struct {
	required  map[string][]string // names of the parameters that each rule demands
	approvals map[string]string   // what each rule with approved_by demands, in words
	workers   []policy.Worker
	callers   []policy.Caller
}

// newOutline reads a file that was found to be in order: what is not there has no
// entries.
func newOutline(grants []byte) *outline {
	t := &strictyaml.Tree{File: policy.GrantsFile, MaxSize: policy.MaxGrantsSize, MaxMarks: policy.MaxGrantsSize, MaxList: policy.MaxGrantsSize}
	root := t.Document(grants)
	o := &outline{required: map[string][]string{}, approvals: map[string]string{}}
	seen := map[string]bool{}
	for _, rule := range items(field(root, "rules")) {
		name := text(field(rule, "name"))
		o.required[name] = []string{}
		for _, p := range fields(field(rule, "parameters")) {
			if text(field(p.value, "required")) == "true" {
				o.required[name] = append(o.required[name], p.key)
			}
		}
		if by := field(rule, "approved_by"); by != nil {
			o.approvals[name] = approvalsOf(by)
		}
		for _, w := range workersOf(field(rule, "workers")) {
			if key := workerKey(w); !seen[key] && len(o.workers) < maxSubjects {
				seen[key] = true
				o.workers = append(o.workers, w)
			}
		}
	}
	if none := newWorker("", "", ""); !seen[workerKey(none)] {
		o.workers = append(o.workers, none)
	}
	o.callers = callersOf(root)
	return o
}

// approvalsOf says whose approvals a rule demands.
func approvalsOf(n *yaml.Node) string {
	var who []string
	for _, person := range items(field(n, "people")) {
		who = append(who, person.Value)
	}
	for _, group := range items(field(n, "groups")) {
		who = append(who, "group "+group.Value)
	}
	return fmt.Sprintf("approval by %s of %s", cmp.Or(text(field(n, "at_least")), "1"), strings.Join(who, ", "))
}

// workersOf are the workers that a rule names: of each group one, with the first
// ID and identity and the first value of each label.
func workersOf(n *yaml.Node) []policy.Worker {
	id, identity := firstText(field(n, "ids")), firstText(field(n, "identities"))
	labels := map[string]string{}
	for _, l := range fields(field(n, "labels")) {
		labels[l.key] = l.value.Value
		if values := items(l.value); len(values) > 0 {
			labels[l.key] = values[0].Value
		}
	}
	groups := []string{""}
	if named := items(field(n, "groups")); len(named) > 0 {
		groups = groups[:0]
		for _, g := range named {
			groups = append(groups, g.Value)
		}
	}
	workers := make([]policy.Worker, 0, len(groups))
	for _, g := range groups {
		w := newWorker(id, g, identity)
		w.Labels = maps.Clone(labels)
		workers = append(workers, w)
	}
	return workers
}

func callersOf(root *yaml.Node) []policy.Caller {
	var callers []policy.Caller
	add := func(id string, groups ...string) {
		if len(callers) < maxSubjects {
			c := newCaller(id)
			c.Groups = append(c.Groups, groups...)
			callers = append(callers, c)
		}
	}
	for _, person := range fields(field(root, "people")) {
		for _, id := range items(field(person.value, "identities")) {
			if !policy.Signs(id.Value) {
				add(id.Value)
				break
			}
		}
	}
	var named []string
	for _, group := range fields(field(root, "groups")) {
		for _, os := range items(field(group.value, "os_groups")) {
			named = append(named, "os-group:"+os.Value)
		}
		for _, token := range items(field(group.value, "token_groups")) {
			named = append(named, token.Value)
		}
	}
	slices.Sort(named)
	for _, g := range slices.Compact(named) {
		scheme, _, _ := strings.Cut(strings.Replace(g, "os-group:", "os:", 1), ":")
		add(fmt.Sprintf("%s:somebody of %s", scheme, g), g)
	}
	add("os:a stranger")
	return callers
}

type entry struct {
	key   string
	value *yaml.Node
}

func fields(n *yaml.Node) []entry {
	var list []entry
	if n != nil && n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			list = append(list, entry{n.Content[i].Value, n.Content[i+1]})
		}
	}
	return list
}

func field(n *yaml.Node, key string) *yaml.Node {
	for _, e := range fields(n) {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

func items(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// firstText is the first text of a list, "" for none.
func firstText(n *yaml.Node) string {
	if list := items(n); len(list) > 0 {
		return list[0].Value
	}
	return ""
}

func text(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	return n.Value
}
