package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"go.yaml.in/yaml/v3"
)

// exemption lifts reasons of the policy, for some runbooks on some workers, until
// it expires.
type exemption struct {
	ID              string
	Codes           []string
	Match           match
	Workers         workers
	Owner, Approver string
	Reason          string
	Expires         int64 // nanoseconds since 1970; not part of it
}

// Exemption says which reasons of a decision an exemption of grants.yaml lifted.
type Exemption struct {
	ID       string   `json:"id"`
	Codes    []string `json:"codes"` // of the reasons
	Owner    string   `json:"owner"`
	Approver string   `json:"approver"`
	Reason   string   `json:"reason"`
	// ExpiresNS is when it ends.
	ExpiresNS int64 `json:"expires_ns"`
}

const (
	codeExempted   = "exempted"
	ruleExemptions = "writ/exemptions"
	ruleModes      = "writ/modes"
	codeWouldDeny  = "would-deny"
)

// hardCodes are those of the hard checks, and of a policy that failed: nothing
// lifts them.
var hardCodes = []string{
	CodePolicyError, CodeUnspecified, CodeInputInvalid, CodeClock, codeSignature, codeStatement, codeDenied, codeClaims,
	codePolicyExpired, codePolicyNotYet, codePolicyRolledBack, codeTrustExpired, codeTrustNotYet, codeTrustRolledBack,
	"ticket-not-valid", "ticket-issuer-unknown", "ticket-mismatch", "ticket-out-of-time", CodeTicketUsed,
}

// hard says that nothing lifts the reason.
func (r Reason) hard() bool { return r.Rule == ruleEngine || slices.Contains(hardCodes, r.Code) }

// unmatchedCodes say that no rule is about the runbook: there is none that could
// count all the same.
var unmatchedCodes = []string{"no-rule-matches", "path-not-matched", "kind-not-matched", "digest-not-matched"}

// otherCodes come from the gate, before the policy is asked and after, or only warn.
var otherCodes = []string{
	CodeBreakGlass, "break-glass-refused", CodeBreakGlassUsed, codeExempted, codeWouldDeny, codeUserWarn,
	"token-size", "token-format", "token-header", "token-algorithm", "token-key", "token-signature", "token-issuer", "token-audience",
	"token-expired", "token-not-yet", "token-too-old", "token-claims", "token-pins",
}

func exemptableProblem(code string) string {
	switch {
	case !codeForm.holds(code):
		return "want the code of a reason, such as worker-not-allowed"
	case slices.Contains(hardCodes, code):
		return "is a hard check: nothing lifts it"
	case slices.Contains(unmatchedCodes, code):
		return "means that no rule is about the runbook: write one"
	case slices.Contains(otherCodes, code):
		return "is no reason of a rule, a freeze or a .rego file: there is nothing to lift"
	}
	return ""
}

func (g *grants) readExemptions(t *tree, n *yaml.Node) {
	seen := map[string]int{}
	for i, item := range t.Items(n, "exemptions", maxExemptions) {
		field := fmt.Sprintf("exemptions[%d]", i)
		f := t.Fields(item, field, "id", "codes", "match", "workers", "owner", "approver", "reason", "expires")
		need := func(key string) (*yaml.Node, string) { return t.Need(f, item, field, key), field + "." + key }
		word := func(key string, problem func(string) string) string {
			n, at := need(key)
			return t.Word(n, at, problem)
		}
		x := exemption{ID: t.uniqueName(t.Need(f, item, field, "id"), field+".id", "exemption", seen)}
		if v, at := need("codes"); v != nil {
			x.Codes = t.List(v, at, exemptableProblem)
		}
		if v, at := need("match"); v != nil {
			x.Match = t.match(v, at)
		}
		if v, at := need("workers"); v != nil {
			x.Workers = t.workers(v, at)
		}
		x.Owner, x.Approver = word("owner", g.knownPerson()), word("approver", g.knownPerson())
		if x.Approver == x.Owner && x.Owner != "" {
			t.Problem(f["approver"], field+".approver", "%s is the owner: somebody else must approve", x.Owner)
		}
		x.Reason = word("reason", reasonProblem)
		x.Expires = instant(word("expires", instantProblem))
		g.exemptions = append(g.exemptions, x)
	}
}

func (x *exemption) inForce(now int64) bool { return now < x.Expires }

func (x *exemption) matched() *match { return &x.Match }

func (x *exemption) term() *ast.Term {
	return ast.ObjectTerm(
		item("id", ast.StringTerm(x.ID)), item("codes", texts(x.Codes)), item("approver", ast.StringTerm(x.Approver)),
		item("match", x.Match.term()), item("workers", x.Workers.term()),
	)
}

// exempt takes out of an answer the reasons of the user that exemptions lift, as
// the library did with its own, and returns the exemptions that lifted something.
func (f *facts) exempt(doc *document) []Exemption {
	var used []Exemption
	lifted := slices.Clone(doc.lifted)
	deny := doc.userDeny[:0]
	for _, r := range doc.userDeny {
		if slices.ContainsFunc(f.exemptions, func(x *exemption) bool {
			return slices.Contains(doc.exemptions, x.ID) && slices.Contains(x.Codes, r.Code)
		}) {
			lifted = append(lifted, r.Code)
		} else {
			deny = append(deny, r)
		}
	}
	doc.userDeny = deny
	for _, x := range f.exemptions {
		codes := slices.DeleteFunc(slices.Clone(x.Codes), func(code string) bool { return !slices.Contains(lifted, code) })
		if len(codes) > 0 && slices.Contains(doc.exemptions, x.ID) {
			used = append(used, Exemption{ID: x.ID, Codes: codes, Owner: x.Owner, Approver: x.Approver, Reason: x.Reason, ExpiresNS: x.Expires})
		}
	}
	return used
}

// warning tells of an exemption that was used.
func (x *Exemption) warning() Reason {
	return Reason{
		Code: codeExempted, Rule: ruleExemptions,
		Msg: fmt.Sprintf("the exemption %s of %s, approved by %s, lifts %s until %s: %s",
			x.ID, x.Owner, x.Approver, strings.Join(x.Codes, ", "), moment(x.ExpiresNS), x.Reason),
	}
}
