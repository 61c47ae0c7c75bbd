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
	what   string // for messages
	people []person
	faults []string // why it does not count, whoever signed it
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

// approvals finds out who approved, and which approvals do not count.
func (a *asker) approvals(in *Input, requester person, limits approvalRules) []approvalFact {
	found := make([]approvalFact, 0, len(in.Approvals))
	for i := range in.Approvals {
		ap := &in.Approvals[i]
		fact := approvalFact{people: a.signers(ap.signatures()), faults: ap.faults(in, limits.MaxLife)}
		if r := ap.Requester; r != "" && r != in.Caller.ID && (requester.name == "" || a.one(tablePerson, r) != requester.name) {
			fact.faults = append(fact.faults, "it is for a run that "+r+" requests")
		}
		names := make([]string, 0, len(fact.people))
		for _, p := range fact.people {
			names = append(names, p.name)
		}
		fact.what = fmt.Sprintf("%s by %s", ap.File, strings.Join(names, ", "))
		if len(names) == 0 {
			fact.what = ap.File
			fact.faults = append(fact.faults, "nobody that grants.yaml knows has validly signed it")
		}
		found = append(found, fact)
	}
	return found
}

// faults says why an approval does not count for an input, whoever made it.
func (a *Approval) faults(in *Input, maxLife time.Duration) []string {
	var faults []string
	add := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if a.Verdict != string(verifier.Valid) { // nothing else of it is believed
		return []string{fmt.Sprintf("it is %s, not valid", a.Verdict)}
	}
	if a.Type != TypeApproval {
		add("it is no approval")
	}
	switch list := in.Runbook.manifest(); {
	case a.Runbook != in.Runbook.Name:
		add("it is for the runbook %s", a.Runbook)
	case a.RunbookSHA256 != in.Runbook.SHA256:
		add("it is for another version of the file")
	case in.Runbook.Manifest == nil && !a.ManifestSHA256.IsZero():
		add("it is for a run with all files of a project")
	case in.Runbook.Manifest != nil && (a.ManifestSHA256.IsZero() || a.ManifestSHA256 != list.SHA256):
		add("it is for other files of the project, or for none")
	}
	if !a.ParametersMatch {
		add("it is for other parameters")
	}
	if a.WorkerGroup == "" || a.WorkerGroup != in.Worker.Group {
		add("it is for the worker group %s", a.WorkerGroup)
	}
	switch life := time.Duration(a.ExpiresNS - a.NotBeforeNS); {
	case in.NowNS < a.NotBeforeNS:
		add("it holds from %s on", moment(a.NotBeforeNS))
	case in.NowNS >= a.ExpiresNS:
		add("it expired at %s", moment(a.ExpiresNS))
	case life > maxLife:
		add("it would last %v, the limit is %v", life, maxLife)
	}
	return faults
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
		people = append(people, p.term())
	}
	return ast.ObjectTerm(item("what", ast.StringTerm(f.what)), item("people", ast.ArrayTerm(people...)), item("faults", texts(f.faults)))
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
		if len(a.Signatures) > maxSignatures {
			return &InputError{field, "has too many signatures"}
		}
		texts := []string{a.Type, a.File, a.Verdict, a.Runbook, a.WorkerGroup, a.Requester, a.Reason}
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
		signatures := make([]ApprovalSignature, 0, len(a.Signatures))
		for _, s := range a.Signatures {
			signatures = append(signatures, ApprovalSignature{s.Verdict, append([]string{}, s.IDs...)})
		}
		a.Signatures = signatures
		clone = append(clone, a)
	}
	return clone
}
