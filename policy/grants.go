package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/runbook"
)

// GrantsFile is the name of the file in a policy folder that holds people,
// groups, rules and denied digests.
const GrantsFile = "grants.yaml"

// grants is a parsed grants.yaml. It is immutable.
type grants struct {
	// person by identity: who has it.
	person map[string]string
	// groups of each person, and of each group of the operating system; sorted.
	groupsOf   map[string][]string
	groupsOfOS map[string][]string
	groups     map[string][]string // members of each group
	people     map[string]bool
	rules      []rule
	denied     map[runbook.Digest]string // reason by digest
	index      *index
}

// fingerprintForms are the identities that end in hexadecimal digits.
var fingerprintForms = []struct {
	scheme, digits string
	sizes          []int
	want           string
}{
	{"openpgp:", "0123456789ABCDEF", []int{40, 64}, "the whole fingerprint of the primary key, 40 or 64 upper-case hexadecimal digits"},
	{"x509-sha256:", "0123456789abcdef", []int{64}, "the SHA-256 of the certificate, 64 lower-case hexadecimal digits"},
	{"x509-spki:", "0123456789abcdef", []int{64}, "the SHA-256 of the public key, 64 lower-case hexadecimal digits"},
}

func identityProblem(s string) string {
	for _, f := range fingerprintForms {
		if rest, ok := strings.CutPrefix(s, f.scheme); ok {
			if slices.Contains(f.sizes, len(rest)) && strings.Trim(rest, f.digits) == "" {
				return ""
			}
			return "want " + f.scheme + " and " + f.want
		}
	}
	if name, ok := strings.CutPrefix(s, "os:"); ok {
		if accountForm.holds(name) {
			return ""
		}
		return "want os: and the name of an account"
	}
	return "want an identity that begins with openpgp:, x509-sha256:, x509-spki: or os:"
}

func nameProblem(s string) string {
	if nameForm.holds(s) {
		return ""
	}
	return `want a name of at most 64 ASCII letters, digits and ". _ @ -", beginning with a letter or digit`
}

// parseGrants reads a grants.yaml. On any problem it returns all of them and no
// grants.
func parseGrants(file string, data []byte) (*grants, []*FileError) {
	t := &tree{file: file}
	root := t.document(data)
	if root == nil {
		return nil, t.problems
	}
	g := &grants{
		person: map[string]string{}, groupsOf: map[string][]string{}, groupsOfOS: map[string][]string{},
		groups: map[string][]string{}, people: map[string]bool{}, denied: map[runbook.Digest]string{},
	}
	f := t.fields(root, "", "version", "people", "groups", "rules", "denied")
	if v := t.need(f, root, "", "version"); v != nil {
		t.number(v, "version", 1, 1)
	}
	if v := t.need(f, root, "", "people"); v != nil {
		g.readPeople(t, v)
	}
	if v := f["groups"]; v != nil {
		g.readGroups(t, v)
	}
	if v := t.need(f, root, "", "rules"); v != nil {
		g.readRules(t, v)
	}
	if v := f["denied"]; v != nil {
		g.readDenied(t, v)
	}
	if len(t.problems) > 0 {
		return nil, t.problems
	}
	g.index = newIndex(g.rules)
	return g, nil
}

// need returns the value of a key that must be there.
func (t *tree) need(f map[string]*yaml.Node, n *yaml.Node, field, key string) *yaml.Node {
	v := f[key]
	if v == nil && n.Kind == yaml.MappingNode {
		t.problem(n, join(field, key), "is missing")
	}
	return v
}

func (g *grants) readPeople(t *tree, n *yaml.Node) {
	for _, p := range t.entries(n, "people") {
		field := "people." + clip(p.key)
		if bad := nameProblem(p.key); bad != "" {
			t.problem(p.at, field, "%s", bad)
			continue
		}
		g.people[p.key] = true
		f := t.fields(p.value, field, "identities")
		v := t.need(f, p.value, field, "identities")
		if v == nil {
			continue
		}
		for i, id := range t.list(v, field+".identities", identityProblem) {
			if owner, taken := g.person[id]; taken {
				t.problem(v, fmt.Sprintf("%s.identities[%d]", field, i), "%s belongs to %s already: an identity belongs to one person", id, owner)
				continue
			}
			g.person[id] = p.key
		}
	}
	if len(g.people) == 0 && n.Kind == yaml.MappingNode {
		t.problem(n, "people", "names nobody: nothing could ever be allowed")
	}
}

func (g *grants) readGroups(t *tree, n *yaml.Node) {
	for _, p := range t.entries(n, "groups") {
		field := "groups." + clip(p.key)
		if bad := nameProblem(p.key); bad != "" {
			t.problem(p.at, field, "%s", bad)
			continue
		}
		f := t.fields(p.value, field, "members", "os_groups")
		if f["members"] == nil && f["os_groups"] == nil {
			t.problem(p.value, field, "has neither members nor os_groups")
		}
		g.groups[p.key] = nil
		if v := f["members"]; v != nil {
			g.groups[p.key] = t.list(v, field+".members", g.knownPerson())
		}
		for _, person := range g.groups[p.key] {
			g.groupsOf[person] = append(g.groupsOf[person], p.key)
		}
		if v := f["os_groups"]; v != nil {
			for _, name := range t.list(v, field+".os_groups", accountProblem) {
				g.groupsOfOS[name] = append(g.groupsOfOS[name], p.key)
			}
		}
	}
	for _, of := range []map[string][]string{g.groupsOf, g.groupsOfOS} {
		for _, names := range of {
			slices.Sort(names)
		}
	}
}

func accountProblem(s string) string {
	if accountForm.holds(s) {
		return ""
	}
	return "want the name of a group of the operating system"
}

func (g *grants) knownPerson() func(string) string {
	return func(s string) string {
		if g.people[s] {
			return ""
		}
		return unknownName("person", s, maps.Keys(g.people))
	}
}

func (g *grants) knownGroup() func(string) string {
	return func(s string) string {
		if _, ok := g.groups[s]; ok {
			return ""
		}
		return unknownName("group", s, maps.Keys(g.groups))
	}
}

func (g *grants) readDenied(t *tree, n *yaml.Node) {
	for i, item := range t.items(n, "denied", maxRules) {
		field := fmt.Sprintf("denied[%d]", i)
		f := t.fields(item, field, "sha256", "reason")
		at, why := t.need(f, item, field, "sha256"), t.need(f, item, field, "reason")
		if at == nil || why == nil {
			continue
		}
		text, ok := t.text(at, field+".sha256")
		reason, okReason := t.text(why, field+".reason")
		if !ok || !okReason {
			continue
		}
		digest, err := runbook.ParseDigest(text)
		if err != nil {
			t.problem(at, field+".sha256", "%v", err)
			continue
		}
		if bad := textProblem(reason, maxReasonText); bad != "" {
			t.problem(why, field+".reason", "%s", bad)
			continue
		}
		if _, twice := g.denied[digest]; twice {
			t.problem(at, field+".sha256", "this digest is denied already")
			continue
		}
		g.denied[digest] = reason
	}
}
