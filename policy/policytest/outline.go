package policytest

import (
	"slices"

	"github.com/runwrit/writ/internal/strictyaml"
	"github.com/runwrit/writ/policy"
)

// outline is what tests need to know of a grants.yaml that the engine accepted:
// whose identities are whose, and which rules there are.
type outline struct {
	identities map[string][]string // by person, in the order of the file
	rules      []ruleOutline
}

type ruleOutline struct {
	name string
	line int
	// parts are the keys of the rule that can deny.
	parts []string
}

// notParts are the keys of a rule that do not deny, or not by themselves.
var notParts = []string{"name", "match", "run"}

func newOutline(data []byte) *outline {
	t := &strictyaml.Tree{File: policy.GrantsFile, MaxSize: policy.MaxGrantsSize, MaxMarks: policy.MaxGrantsSize, MaxList: policy.MaxGrantsSize}
	o := &outline{identities: map[string][]string{}}
	root := t.Document(data)
	people := strictyaml.Value(root, "people")
	for _, person := range strictyaml.Keys(people) {
		for _, id := range strictyaml.Contents(strictyaml.Value(strictyaml.Value(people, person.Value), "identities")) {
			o.identities[person.Value] = append(o.identities[person.Value], id.Value)
		}
	}
	for _, n := range strictyaml.Contents(strictyaml.Value(root, "rules")) {
		r := ruleOutline{name: strictyaml.Scalar(strictyaml.Value(n, "name")), line: n.Line}
		for _, key := range strictyaml.Keys(n) {
			part := strictyaml.Value(n, key.Value)
			whoever := strictyaml.Value(part, "any") != nil || strictyaml.Value(part, "anyone") != nil
			if !whoever && !slices.Contains(notParts, key.Value) {
				r.parts = append(r.parts, key.Value)
			}
		}
		o.rules = append(o.rules, r)
	}
	return o
}

// askingIdentity is one that the person asks with; "" for none.
func (o *outline) askingIdentity(person string) string {
	ids := o.identities[person]
	if i := slices.IndexFunc(ids, func(id string) bool { return !policy.Signs(id) }); i >= 0 {
		return ids[i]
	}
	return ""
}
