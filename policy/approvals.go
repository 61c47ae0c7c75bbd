package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/strictyaml"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// TypeApproval is the type of the statements that approved_by counts.
const TypeApproval = "writ.approval/v1"

// DefaultApprovalLife is how long an approval may last where grants.yaml does not
// say.
const DefaultApprovalLife = 7 * 24 * time.Hour

// Approval holds the facts about one signed statement on the runbook, good or bad.
type Approval struct {
	// Type is that of the statement, such as TypeApproval.
	Type string `json:"type"`
	// File is the name of the file that holds it.
	File string `json:"file"`
	// SHA256 is the digest of that file.
	SHA256 runbook.Digest `json:"sha256"`
	// Verdict is the verifier's word for it; only "valid" means yes.
	Verdict    string              `json:"verdict"`
	Signatures []ApprovalSignature `json:"signatures"`
	// Runbook, RunbookSHA256 and ManifestSHA256 say what it is about, as the same
	// fields of the input's runbook do.
	Runbook        string         `json:"runbook"`
	RunbookSHA256  runbook.Digest `json:"runbook_sha256"`
	ManifestSHA256 runbook.Digest `json:"manifest_sha256"`
	// ParametersMatch says that it is bound to exactly the parameters of the input.
	ParametersMatch bool   `json:"parameters_match"`
	WorkerGroup     string `json:"worker_group"`
	// Requester is whose request it is for; "" for anybody's.
	Requester   string `json:"requester"`
	Reason      string `json:"reason"`
	NotBeforeNS int64  `json:"not_before_ns"`
	ExpiresNS   int64  `json:"expires_ns"`
	// Path is a glob, of a break-glass statement that is not bound to one file.
	Path string `json:"path"`
	// Nonce tells a break-glass statement from all others.
	Nonce string `json:"nonce"`
	// Uses is how often a break-glass statement has been used, -1 where nothing
	// counts that.
	Uses int `json:"uses"`
}

// ApprovalSignature is one signature on a statement.
type ApprovalSignature struct {
	Verdict string   `json:"verdict"`
	IDs     []string `json:"ids"`
}

// approvedBy: at_least different people of these, who do not include the requester.
type approvedBy struct {
	Wanted         bool
	People, Groups []string
	AtLeast        int
	NotSigners     bool
}

// approvalRules is the section approvals of grants.yaml.
type approvalRules struct{ MaxLife time.Duration }

// approvalFact is what grants.yaml says about one approval.
type approvalFact struct {
	sha256 runbook.Digest
	what   string // for messages
	people []person
	faults []string // why it does not count, whoever signed it
	// vouched are those who have validly signed the runbook or its manifest.
	vouched []person
}

func (a *Approval) signatures() []Signature {
	list := make([]Signature, 0, len(a.Signatures))
	for _, s := range a.Signatures {
		list = append(list, Signature{Verdict: s.Verdict, Signer: Signer{IDs: s.IDs}})
	}
	return list
}

// ids are all identities that grants.yaml is asked about.
func (a *Approval) ids() []string {
	ids := []string{a.Requester}
	for _, s := range a.Signatures {
		ids = append(ids, s.IDs...)
	}
	return ids
}

// approvals finds out who signed the statements, and which do not count: first the
// approvals, then those that break the glass.
func (a *asker) approvals(in *Input, f *facts, g *global) {
	var vouched []person
	if len(in.Approvals) > 0 { // of all signatures: in a project the author's is on the runbook itself
		vouched = a.signers(in.Signatures)
	}
	for i := range in.Approvals {
		ap := &in.Approvals[i]
		fact := approvalFact{sha256: ap.SHA256, what: ap.File, people: a.signers(ap.signatures()), vouched: vouched}
		if ap.Type == TypeBreakGlass {
			fact.faults = g.BreakGlass.glassFaults(ap, in, f.path)
		} else {
			fact.faults = ap.faults(in, g.Approvals.MaxLife)
		}
		if r := ap.Requester; r != in.Caller.ID && (r != "" || ap.Type == TypeBreakGlass) && (f.requester.name == "" || a.one(tablePerson, r) != f.requester.name) {
			fact.faults = append(fact.faults, "it is for a run that "+r+" requests")
		}
		var names []string
		for _, p := range fact.people {
			names = append(names, p.name)
		}
		if len(names) > 0 {
			fact.what += " by " + strings.Join(names, ", ")
		} else {
			fact.faults = append(fact.faults, "nobody that grants.yaml knows has validly signed it")
		}
		if ap.Type == TypeBreakGlass {
			f.glass = append(f.glass, fact)
		} else {
			f.approvals = append(f.approvals, fact)
		}
	}
}

// faults says why an approval does not count for an input, whoever made it.
func (a *Approval) faults(in *Input, maxLife time.Duration) []string {
	if bad := a.unbelieved(); bad != "" {
		return []string{bad}
	}
	var faults []string
	if a.Type != TypeApproval {
		faults = append(faults, "it is no approval")
	}
	faults = append(faults, a.aboutOther(in)...)
	if !a.ParametersMatch {
		faults = append(faults, "it is for other parameters")
	}
	faults = append(faults, a.elsewhere(in)...)
	return append(faults, a.outOfTime(in, maxLife)...)
}

// unbelieved says why nothing of a statement is believed, "" if it is valid.
func (a *Approval) unbelieved() string {
	if a.Verdict == string(verifier.Valid) {
		return ""
	}
	return fmt.Sprintf("it is %s, not valid", a.Verdict)
}

// aboutOther says about what else than the runbook of an input it is.
func (a *Approval) aboutOther(in *Input) []string {
	switch list := in.Runbook.manifest(); {
	case a.Runbook != in.Runbook.Name:
		return []string{"it is for the runbook " + a.Runbook}
	case a.RunbookSHA256 != in.Runbook.SHA256:
		return []string{"it is for another version of the file"}
	case in.Runbook.Manifest == nil && !a.ManifestSHA256.IsZero():
		return []string{"it is for a run with all files of a project"}
	case in.Runbook.Manifest != nil && (a.ManifestSHA256.IsZero() || a.ManifestSHA256 != list.SHA256):
		return []string{"it is for other files of the project, or for none"}
	}
	return nil
}

func (a *Approval) elsewhere(in *Input) []string {
	if a.WorkerGroup == "" || a.WorkerGroup != in.Worker.Group {
		return []string{"it is for the worker group " + a.WorkerGroup}
	}
	return nil
}

func (a *Approval) outOfTime(in *Input, maxLife time.Duration) []string {
	switch life := time.Duration(a.ExpiresNS - a.NotBeforeNS); {
	case in.NowNS < a.NotBeforeNS:
		return []string{"it holds from " + moment(a.NotBeforeNS) + " on"}
	case in.NowNS >= a.ExpiresNS:
		return []string{"it expired at " + moment(a.ExpiresNS)}
	case life > maxLife:
		return []string{fmt.Sprintf("it would last %v, the limit is %v", life, maxLife)}
	}
	return nil
}

// ApprovalOutcome is what grants.yaml makes of one statement.
type ApprovalOutcome struct {
	// What names the file and those who have validly signed it.
	What string `json:"what"`
	// People are those people.
	People []string `json:"people"`
	// Faults say why it does not count, whatever a rule says; empty for one that may.
	Faults []string `json:"faults"`
}

func (f *approvalFact) outcome() ApprovalOutcome {
	o := ApprovalOutcome{What: f.what, People: []string{}, Faults: append([]string{}, f.faults...)}
	for _, p := range f.people {
		o.People = append(o.People, p.name)
	}
	return o
}

func (f *approvalFact) term() *ast.Term {
	people := make([]*ast.Term, 0, len(f.people))
	for _, p := range f.people {
		signed := slices.ContainsFunc(f.vouched, func(v person) bool { return v.name == p.name })
		people = append(people, ast.ObjectTerm(item("person", ast.StringTerm(p.name)), item("groups", texts(p.groups)), item("signed", ast.BooleanTerm(signed))))
	}
	return ast.ObjectTerm(item("sha256", ast.StringTerm(f.sha256.String())), item("what", ast.StringTerm(f.what)), item("people", ast.ArrayTerm(people...)), item("faults", texts(f.faults)))
}

func approvalTerms(list []approvalFact) *ast.Term {
	terms := make([]*ast.Term, 0, len(list))
	for i := range list {
		terms = append(terms, list[i].term())
	}
	return ast.ArrayTerm(terms...)
}

func (a *approvedBy) term() *ast.Term {
	return ast.ObjectTerm(
		item("wanted", ast.BooleanTerm(a.Wanted)), item("people", texts(a.People)), item("groups", texts(a.Groups)),
		item("at_least", ast.IntNumberTerm(a.AtLeast)), item("not_signers", ast.BooleanTerm(a.NotSigners)),
	)
}

func (g *grants) readApprovedBy(t *tree, n *yaml.Node, field string) approvedBy {
	a := approvedBy{Wanted: true, AtLeast: 1}
	f := t.Fields(n, field, "people", "groups", "at_least", "not_signers")
	a.People, a.Groups = g.readNames(t, f, field)
	if f["people"] == nil && f["groups"] == nil && n.Kind == yaml.MappingNode {
		t.Problem(n, field, "names nobody: give people or groups")
	}
	if v := f["at_least"]; v != nil {
		a.AtLeast = t.Number(v, field+".at_least", 1, MaxApprovals)
		if most := g.countPeople(a.People, a.Groups); a.AtLeast > most && len(t.Problems) == 0 {
			t.Problem(v, field+".at_least", "%d people must approve, but only %d are named: it could never be met", a.AtLeast, most)
		}
	}
	if v := f["not_signers"]; v != nil {
		a.NotSigners = t.Truth(v, field+".not_signers")
	}
	return a
}

// Bounds of approvals.max_life in grants.yaml.
const (
	minApprovalLife = time.Minute
	maxApprovalLife = 90 * 24 * time.Hour
)

func (g *grants) readApprovals(t *tree, n *yaml.Node) {
	f := t.Fields(n, "approvals", "max_life")
	if v := t.Need(f, n, "approvals", "max_life"); v != nil {
		g.approvals.MaxLife = t.life(v, "approvals.max_life", minApprovalLife, maxApprovalLife)
	}
}

// life reads how long something may last.
func (t *tree) life(n *yaml.Node, field string, least, most time.Duration) time.Duration {
	s, ok := t.Text(n, field)
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < least || d > most || d%time.Second != 0 {
		t.Problem(n, field, "%q: want whole seconds from %v to %v, such as 30m or 48h", strictyaml.Clip(s), least, most)
	}
	return d
}

// checkApprovals bounds what comes from signed statements.
func (in *Input) checkApprovals() error {
	if len(in.Approvals) > MaxApprovals {
		return &InputError{"approvals", fmt.Sprintf("%d are too many, the limit is %d", len(in.Approvals), MaxApprovals)}
	}
	for i, a := range in.Approvals {
		field := fmt.Sprintf("approvals[%d]", i)
		if a.SHA256.IsZero() || a.Verdict == string(verifier.Valid) && (a.NotBeforeNS <= 0 || a.ExpiresNS <= a.NotBeforeNS) {
			return &InputError{field, "has no digest, or an odd time"}
		}
		if a.Uses < -1 || len(a.Signatures) > maxSignatures {
			return &InputError{field, "has too many signatures, or an odd number of uses"}
		}
		texts := []string{a.Type, a.File, a.Verdict, a.Runbook, a.WorkerGroup, a.Requester, a.Reason, a.Path, a.Nonce}
		for _, s := range a.Signatures {
			if len(s.IDs) > maxIDs {
				return &InputError{field, "has a signer with too many identities"}
			}
			texts = slices.Concat(texts, s.IDs, []string{s.Verdict})
		}
		for _, s := range texts {
			if bad := textProblem(s, maxText); bad != "" {
				return &InputError{field, "a text " + bad}
			}
		}
	}
	return nil
}

// Parameters is the view of arguments that a policy sees: a map from name to
// value; positional arguments have the names "1", "2", ...
func Parameters(args []Argument) map[string]string { return parameters(args) }

// cloneApprovals copies a list, and makes every list in it one that JSON writes as
// a list.
func cloneApprovals(list []Approval) []Approval {
	clone := make([]Approval, 0, len(list))
	for _, a := range list {
		a.Signatures = cloneSignatures(a.Signatures)
		clone = append(clone, a)
	}
	return clone
}

func cloneSignatures(list []ApprovalSignature) []ApprovalSignature {
	clone := make([]ApprovalSignature, 0, len(list))
	for _, s := range list {
		clone = append(clone, ApprovalSignature{s.Verdict, append([]string{}, s.IDs...)})
	}
	return clone
}
