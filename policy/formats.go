package policy

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/strictyaml"
)

// signatureFormats are the formats in which a runbook can be signed, as
// Signature.Format names them: how the identities of their signers begin, and whether
// signatures in them make claims. They are the same in every build: a policy means the
// same to each gate that reads it, also to one that cannot verify all of them.
var signatureFormats = []struct {
	name, scheme string
	claims       bool
}{
	{"authenticode", "x509-", false},
	{"clearsign", "openpgp:", true},
	{"detached", "openpgp:", true},
	{manifestFormat, "openpgp:", true},
	{"sigstore", "sigstore", false},
}

// formats are those in which signatures count.
type formats struct {
	Names []string // none for any
	// Each says that somebody must have signed in each of them.
	Each bool
}

// readFormats reads in which formats the signatures count that a rule wants. It comes
// last of all that is read of signed_by.
func (g *grants) readFormats(t *tree, n *yaml.Node, field string, s *signedBy) {
	f := t.Fields(n, field, "all", "any")
	switch all, some := f["all"], f["any"]; {
	case all != nil && some != nil:
		t.Problem(some, field+".any", "stands beside all: choose one")
		return
	case all != nil:
		s.Formats.Each = true
		n, field = all, field+".all"
	case some != nil:
		n, field = some, field+".any"
	default:
		if n.Kind == yaml.MappingNode {
			t.Problem(n, field, "names none: give all or any, such as all: [authenticode, sigstore]")
		}
		return
	}
	var known []string
	for _, x := range signatureFormats {
		known = append(known, x.name)
	}
	s.Formats.Names = t.List(n, field, func(s string) string { return strictyaml.OneOf("format", s, known) })
	if bad := g.formatsProblem(s); bad != "" && len(t.Problems) == 0 {
		t.Problem(n, field, "%s: it could never be met", bad)
	}
}

// formatsProblem says why no signatures could ever be in the formats that count, "" if
// they can.
func (g *grants) formatsProblem(s *signedBy) string {
	names := s.Formats.Names
	unfit := func(fits func(place int) bool) string {
		var words []string
		for i, x := range signatureFormats {
			if slices.Contains(names, x.name) && !fits(i) {
				words = append(words, x.name)
			}
		}
		if s.Formats.Each || len(words) == len(names) {
			return strings.Join(words, " or ")
		}
		return ""
	}
	claimed := s.MinVersion != "" || s.Namespace != ""
	signers := g.signingFormats(s)
	if s.Formats.Each && len(names) > 1 && slices.Contains(names, manifestFormat) {
		return "manifest stands beside others: in a project only the signatures of its manifest count, and elsewhere there are none"
	}
	if bad := unfit(func(i int) bool { return !claimed || signatureFormats[i].claims }); bad != "" {
		return "min_version and namespace are never claimed in the format " + bad
	}
	if bad := unfit(func(i int) bool { return signers&(1<<i) != 0 }); bad != "" {
		return "nobody who may sign has an identity for the format " + bad
	}
	return ""
}

// formatsOf says in which formats people and members of groups can sign: bits, by the
// places in signatureFormats.
type formatsOf struct{ person, group map[string]uint }

// signingFormats are those in which somebody of a rule can sign.
func (g *grants) signingFormats(s *signedBy) (found uint) {
	if g.formatsOf.person == nil {
		g.formatsOf = formatsOf{map[string]uint{}, map[string]uint{}}
		for id, name := range g.person {
			for i, x := range signatureFormats {
				if strings.HasPrefix(id, x.scheme) {
					g.formatsOf.person[name] |= 1 << i
				}
			}
		}
		for group, members := range g.groups {
			for _, name := range members {
				g.formatsOf.group[group] |= g.formatsOf.person[name]
			}
		}
	}
	for _, name := range s.People {
		found |= g.formatsOf.person[name]
	}
	for _, name := range s.Groups {
		found |= g.formatsOf.group[name]
		for _, inner := range g.inner[name] {
			found |= g.formatsOf.group[inner]
		}
	}
	return found
}

// incomplete says that formats would let pass what their author did not mean: the
// parser of grants.yaml makes none of these.
func (o *formats) incomplete() bool { return o.Each && len(o.Names) == 0 }

func (o *formats) term() *ast.Term {
	var each []string
	if o.Each {
		each = o.Names
	}
	return ast.ObjectTerm(item("any", ast.BooleanTerm(len(o.Names) == 0)), item("names", texts(o.Names)), item("each", texts(each)))
}
