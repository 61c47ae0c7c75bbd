package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/glob"
	"github.com/runwrit/writ/runbook"
)

// TypeBreakGlass is the type of the statements that lift the policy.
const TypeBreakGlass = "writ.break-glass/v1"

// CodeBreakGlass is the code of the warning that the policy was lifted.
const CodeBreakGlass = "break-glass"

// Defaults and bounds of the section break_glass.
const (
	DefaultBreakGlassLife = 4 * time.Hour
	minBreakGlassLife     = time.Minute
	maxBreakGlassLife     = 24 * time.Hour
	maxBreakGlassUses     = 100
)

// Override says which statements lifted the denials of a policy, and who answers
// for it.
type Override struct {
	// Statements are the digests of the files that hold them.
	Statements []runbook.Digest `json:"statements"`
	// Nonces are theirs: before anything starts, one use of each must be taken. The
	// file can be written in other ways that are as valid, the nonce cannot.
	Nonces []string `json:"nonces"`
	// Requester is the person who asked, Approvers are those who signed.
	Requester string   `json:"requester"`
	Approvers []string `json:"approvers"`
	// Reason is that of the first statement.
	Reason string `json:"reason"`
	// ExpiresNS is when the first of the statements ends.
	ExpiresNS int64 `json:"expires_ns"`
	// MaxUses is how often each statement may be used.
	MaxUses int `json:"max_uses"`
}

// breakGlass is the section break_glass of grants.yaml. Its zero value lets nobody
// lift anything.
type breakGlass struct {
	Requesters, Approvers named
	AtLeast               int
	MaxLife               time.Duration
	MaxUses               int
	WorkerGroups          []string
}

// named are people, and the members of groups.
type named struct{ People, Groups []string }

func (g *grants) readBreakGlass(t *tree, n *yaml.Node) breakGlass {
	const field = "break_glass"
	b := breakGlass{AtLeast: 1, MaxLife: DefaultBreakGlassLife, MaxUses: 1}
	f := t.Fields(n, field, "requesters", "approvers", "max_life", "max_uses", "worker_groups")
	if v := t.Need(f, n, field, "requesters"); v != nil {
		b.Requesters = g.readNamed(t, v, field+".requesters", t.Fields(v, field+".requesters", "people", "groups"))
	}
	if v := t.Need(f, n, field, "approvers"); v != nil {
		at := field + ".approvers"
		a := t.Fields(v, at, "people", "groups", "at_least")
		b.Approvers = g.readNamed(t, v, at, a)
		if v := a["at_least"]; v != nil {
			b.AtLeast = t.Number(v, at+".at_least", 1, MaxApprovals)
			if most := g.countPeople(b.Approvers.People, b.Approvers.Groups); b.AtLeast > most && len(t.Problems) == 0 {
				t.Problem(v, at+".at_least", "%d people must approve, but only %d are named: it could never be met", b.AtLeast, most)
			}
		}
	}
	if v := t.Need(f, n, field, "worker_groups"); v != nil {
		b.WorkerGroups = t.List(v, field+".worker_groups", nameProblem)
	}
	if v := f["max_life"]; v != nil {
		b.MaxLife = t.life(v, field+".max_life", minBreakGlassLife, maxBreakGlassLife)
	}
	if v := f["max_uses"]; v != nil {
		b.MaxUses = t.Number(v, field+".max_uses", 1, maxBreakGlassUses)
	}
	return b
}

func (g *grants) readNamed(t *tree, n *yaml.Node, field string, f map[string]*yaml.Node) named {
	if f["people"] == nil && f["groups"] == nil && n.Kind == yaml.MappingNode {
		t.Problem(n, field, "names nobody: give people or groups")
	}
	people, groups := g.readNames(t, f, field)
	return named{people, groups}
}

// glassFaults says why a break-glass statement does not count for an input, whoever
// signed it.
func (b *breakGlass) glassFaults(a *Approval, in *Input, path string) []string {
	if bad := a.unbelieved(); bad != "" {
		return []string{bad}
	}
	var faults []string
	add := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	switch {
	case b.AtLeast == 0:
		add("grants.yaml has no break_glass")
	case !slices.Contains(b.WorkerGroups, a.WorkerGroup):
		add("the worker group %s has no break-glass", a.WorkerGroup)
	}
	if a.Path == "" {
		faults = append(faults, a.aboutOther(in)...)
	} else if !coversPath(a.Path, path) {
		add("it is for %s", a.Path)
	}
	faults = append(faults, a.elsewhere(in)...)
	faults = append(faults, a.outOfTime(in, b.MaxLife)...)
	switch {
	case a.Uses < 0:
		add("nothing counts its uses: no state folder is given")
	case a.Uses >= b.MaxUses && b.AtLeast > 0:
		add("it has been used %d times, the limit is %d", a.Uses, b.MaxUses)
	}
	return faults
}

func coversPath(text, path string) bool {
	if globProblem(text) != "" || glob.StartProblem(text) != "" {
		return false
	}
	covers, err := regexp.MatchString(glob.Pattern(text), path)
	return err == nil && covers
}

// term is the section, with the statements, as the library reads it.
func (b *breakGlass) term(statements []approvalFact) *ast.Term {
	return ast.ObjectTerm(
		item("requesters", b.Requesters.term()), item("approvers", b.Approvers.term()),
		item("at_least", ast.IntNumberTerm(b.AtLeast)), item("statements", approvalTerms(statements)),
	)
}

func (n *named) term() *ast.Term {
	return ast.ObjectTerm(item("people", texts(n.People)), item("groups", texts(n.Groups)))
}

// override makes of the library's answer what is recorded; nil where nothing lifts.
func (f *facts) override(in *Input, doc *document) *Override {
	if len(doc.glass) == 0 || len(doc.glassApprovers) == 0 {
		return nil
	}
	o := &Override{Statements: []runbook.Digest{}, Nonces: []string{}, Requester: f.requester.name, Approvers: slices.Sorted(slices.Values(doc.glassApprovers)), MaxUses: f.breakGlass.MaxUses}
	for i := range in.Approvals {
		a := &in.Approvals[i]
		if a.Type != TypeBreakGlass || !slices.Contains(doc.glass, a.SHA256.String()) || slices.Contains(o.Statements, a.SHA256) {
			continue
		}
		if len(o.Statements) == 0 {
			o.Reason = a.Reason
		}
		o.Statements = append(o.Statements, a.SHA256)
		if !slices.Contains(o.Nonces, a.Nonce) {
			o.Nonces = append(o.Nonces, a.Nonce)
		}
		if o.ExpiresNS == 0 || a.ExpiresNS < o.ExpiresNS {
			o.ExpiresNS = a.ExpiresNS
		}
	}
	if len(o.Statements) != len(doc.glass) {
		return nil
	}
	return o
}

// lift lets run what only the policy denies, as onlyWarn does.
func (d *Decision) lift(o *Override) {
	if o == nil || len(d.Deny) == 0 || slices.ContainsFunc(d.Deny, Reason.hard) {
		return
	}
	d.WouldDeny, d.Deny, d.Override = d.Deny, []Reason{}, o
	d.Warn = append(d.Warn, o.warning(d.WouldDeny))
}

// warning tells of an override that was used.
func (o *Override) warning(denied []Reason) Reason {
	codes := make([]string, 0, len(denied))
	for _, r := range denied {
		if !slices.Contains(codes, r.Code) {
			codes = append(codes, r.Code)
		}
	}
	return Reason{
		Code: CodeBreakGlass, Rule: ruleBreakGlass,
		Msg: fmt.Sprintf("BREAK GLASS: the policy denies it (%s), and %s has it run all the same, approved by %s, until %s: %s",
			strings.Join(codes, ", "), o.Requester, strings.Join(o.Approvers, ", "), moment(o.ExpiresNS), o.Reason),
	}
}

const ruleBreakGlass = "writ/break-glass"
