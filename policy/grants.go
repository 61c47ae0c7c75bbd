package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/strictyaml"
	"github.com/runwrit/writ/runbook"
)

// GrantsFile is the name of the file in a policy folder that holds people,
// groups, rules and denied digests.
const GrantsFile = "grants.yaml"

// grants is a parsed grants.yaml. Its rows are what decides; see grants.table.
type grants struct {
	// person by identity: who has it.
	person map[string]string
	// groups of each person, and of each group of the operating system; sorted.
	groupsOf   map[string][]string
	groupsOfOS map[string][]string
	// and of each group that a token may name.
	groupsOfToken map[string][]string
	groups        map[string][]string // members that each group names
	inner         map[string][]string // groups in each group, at any depth
	people        map[string]bool
	roles         map[string]role
	fillable      map[string]string // what is wrong with a list of roles
	formatsOf     formatsOf
	zones         map[string]*time.Location
	freezes       []freeze
	exemptions    []exemption
	modes         map[string]groupMode // by worker group
	rules         []rule
	denied        map[runbook.Digest]string // reason by digest
	approvals     approvalRules
	breakGlass    breakGlass
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
	{"sigstore-key:", "0123456789abcdef", []int{64}, "the SHA-256 of the public key, 64 lower-case hexadecimal digits"},
}

// schemes are those of all identities.
var schemes = []string{"openpgp:", "x509-sha256:", "x509-spki:", sigstoreScheme, sigstoreNamedScheme, "sigstore-key:", "os:", "entra:", "github:", "oidc:", "spiffe://"}

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
	if is, bad := sigstoreIdentity(s); is {
		return bad
	}
	if is, bad := tokenIdentity(s); is {
		return bad
	}
	last := len(schemes) - 1
	want := "want an identity that begins with " + strings.Join(schemes[:last], ", ") + " or " + schemes[last]
	if scheme, _, ok := strings.Cut(s, ":"); ok {
		if near := strictyaml.Nearest(scheme+":", schemes); near != "" {
			want += fmt.Sprintf("; did you mean %q?", near)
		}
	}
	return want
}

func nameProblem(s string) string {
	if nameForm.holds(s) {
		return ""
	}
	return `want a name of at most 64 ASCII letters, digits and ". _ @ -", beginning with a letter or digit`
}

// tree reads grants.yaml.
type tree struct{ *strictyaml.Tree }

func newTree(file string) *tree {
	return &tree{&strictyaml.Tree{File: file, MaxSize: MaxGrantsSize, MaxMarks: maxGrantsMarks, MaxList: maxList}}
}

// parseGrants reads a grants.yaml. On any problem it returns all of them and no
// grants.
func parseGrants(file string, data []byte) (*grants, []*FileError) {
	t := newTree(file)
	root := t.Document(data)
	if root == nil {
		return nil, t.Problems
	}
	g := &grants{
		person: map[string]string{}, groupsOf: map[string][]string{}, groupsOfOS: map[string][]string{}, groupsOfToken: map[string][]string{},
		roles: map[string]role{}, fillable: map[string]string{}, zones: map[string]*time.Location{}, modes: map[string]groupMode{},
		groups: map[string][]string{}, inner: map[string][]string{}, people: map[string]bool{}, denied: map[runbook.Digest]string{},
	}
	f := t.Fields(root, "", "version", "people", "groups", "roles", "approvals", "break_glass", "rules", "denied", "freezes", "exemptions", "worker_groups")
	if v := t.Need(f, root, "", "version"); v != nil {
		t.Number(v, "version", 1, 1)
	}
	if v := t.Need(f, root, "", "people"); v != nil {
		g.readPeople(t, v)
	}
	if v := f["groups"]; v != nil {
		g.readGroups(t, v)
	}
	if v := f["roles"]; v != nil {
		g.readRoles(t, v)
	}
	g.approvals.MaxLife = DefaultApprovalLife
	if v := f["approvals"]; v != nil {
		g.readApprovals(t, v)
	}
	if v := f["break_glass"]; v != nil {
		g.breakGlass = g.readBreakGlass(t, v)
	}
	if v := t.Need(f, root, "", "rules"); v != nil {
		g.readRules(t, v)
	}
	if v := f["denied"]; v != nil {
		g.readDenied(t, v)
	}
	if v := f["freezes"]; v != nil {
		g.readFreezes(t, v)
	}
	if v := f["exemptions"]; v != nil {
		g.readExemptions(t, v)
	}
	if v := f["worker_groups"]; v != nil {
		g.readModes(t, v)
	}
	if len(t.Problems) > 0 {
		return nil, t.Problems
	}
	return g, nil
}

func (g *grants) readPeople(t *tree, n *yaml.Node) {
	for _, p := range t.Entries(n, "people") {
		field := "people." + strictyaml.Clip(p.Key)
		if bad := nameProblem(p.Key); bad != "" {
			t.Problem(p.At, field, "%s", bad)
			continue
		}
		g.people[p.Key] = true
		f := t.Fields(p.Value, field, "identities")
		v := t.Need(f, p.Value, field, "identities")
		if v == nil {
			continue
		}
		for i, id := range t.List(v, field+".identities", identityProblem) {
			if owner, taken := g.person[id]; taken {
				t.Problem(v, fmt.Sprintf("%s.identities[%d]", field, i), "%s belongs to %s already: an identity belongs to one person", id, owner)
				continue
			}
			g.person[id] = p.Key
		}
	}
	if len(g.people) == 0 && n.Kind == yaml.MappingNode {
		t.Problem(n, "people", "names nobody: nothing could ever be allowed")
	}
}

func (g *grants) knownPerson() func(string) string {
	return func(s string) string {
		if g.people[s] {
			return ""
		}
		return strictyaml.UnknownName("person", s, maps.Keys(g.people))
	}
}

func (g *grants) knownGroup() func(string) string {
	return func(s string) string {
		if _, ok := g.groups[s]; ok {
			return ""
		}
		return strictyaml.UnknownName("group", s, maps.Keys(g.groups))
	}
}

func (g *grants) readDenied(t *tree, n *yaml.Node) {
	for i, item := range t.Items(n, "denied", maxRules) {
		field := fmt.Sprintf("denied[%d]", i)
		f := t.Fields(item, field, "sha256", "reason")
		at, why := t.Need(f, item, field, "sha256"), t.Need(f, item, field, "reason")
		if at == nil || why == nil {
			continue
		}
		text, ok := t.Text(at, field+".sha256")
		reason, okReason := t.Text(why, field+".reason")
		if !ok || !okReason {
			continue
		}
		digest, err := runbook.ParseDigest(text)
		if err != nil {
			t.Problem(at, field+".sha256", "%v", err)
			continue
		}
		if bad := textProblem(reason, maxReasonText); bad != "" {
			t.Problem(why, field+".reason", "%s", bad)
			continue
		}
		if _, twice := g.denied[digest]; twice {
			t.Problem(at, field+".sha256", "this digest is denied already")
			continue
		}
		g.denied[digest] = reason
	}
}
