package policytest

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

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

func newOutline(data []byte) *outline {
	t := &strictyaml.Tree{File: policy.GrantsFile, MaxSize: policy.MaxGrantsSize, MaxMarks: policy.MaxGrantsSize, MaxList: policy.MaxGrantsSize}
	o := &outline{identities: map[string][]string{}}
	root := t.Document(data)
	for _, p := range entries(value(root, "people")) {
		for _, id := range contents(value(p.Value, "identities")) {
			o.identities[p.Key] = append(o.identities[p.Key], id.Value)
		}
	}
	for _, n := range contents(value(root, "rules")) {
		r := ruleOutline{line: n.Line}
		for _, p := range entries(n) {
			switch {
			case p.Key == "name":
				r.name = p.Value.Value
			case p.Key == "match", p.Key == "run", value(p.Value, "any") != nil, value(p.Value, "anyone") != nil:
			default:
				r.parts = append(r.parts, p.Key)
			}
		}
		o.rules = append(o.rules, r)
	}
	return o
}

// entries, contents and value read a tree that was found to be in order; what is not
// there has none.
func entries(n *yaml.Node) []strictyaml.Pair {
	var pairs []strictyaml.Pair
	if n != nil && n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			pairs = append(pairs, strictyaml.Pair{Key: n.Content[i].Value, At: n.Content[i], Value: n.Content[i+1]})
		}
	}
	return pairs
}

func contents(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

func value(n *yaml.Node, key string) *yaml.Node {
	for _, p := range entries(n) {
		if p.Key == key {
			return p.Value
		}
	}
	return nil
}

// signs says whether an identity is that of a key or a certificate.
func signs(id string) bool {
	return strings.HasPrefix(id, "openpgp:") || strings.HasPrefix(id, "x509-")
}

// signingIdentity is one that the person signs with; "" for none. Only OpenPGP
// signatures claim a version or a namespace.
func (o *outline) signingIdentity(person string, claims bool) string {
	ids := o.identities[person]
	if i := slices.IndexFunc(ids, func(id string) bool { return claims && strings.HasPrefix(id, "openpgp:") }); i >= 0 {
		return ids[i]
	}
	if i := slices.IndexFunc(ids, signs); i >= 0 {
		return ids[i]
	}
	return ""
}

// askingIdentity is one that the person asks with; "" for none.
func (o *outline) askingIdentity(person string) string {
	ids := o.identities[person]
	if i := slices.IndexFunc(ids, func(id string) bool { return !signs(id) }); i >= 0 {
		return ids[i]
	}
	return ""
}
