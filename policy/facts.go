package policy

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// facts are what grants.yaml says about one input. They go to the policy as
// input.grants: names and groups are looked up here, the decision is made there.
type facts struct {
	path      string // of the runbook, without ".asc"
	signers   []person
	requester person
	approvals []approvalFact
	denied    map[string]string // reason by digest
	rules     []*rule
	// freezes and exemptions are those that may hold.
	freezes    []*freeze
	exemptions []*exemption
	// glass are the statements that break the glass, by the rules for them.
	glass      []approvalFact
	breakGlass *breakGlass
	// secrets are the parameters whose values must not be recorded.
	secrets    hidden
	parameters map[string]string
}

type person struct {
	name   string // "" for somebody that grants.yaml does not know
	groups []string
	// claims are what each of a signer's valid signatures says of the runbook.
	claims []claim
}

// claim is what one signature says, and the format that it is in.
type claim struct {
	verifier.Claims
	format string
}

// lookUp finds the facts about an input. With all set every rule is a
// candidate, unless there are more than maxExplained, as explaining wants it. An
// error does not take away what was found before it.
func (e *Engine) lookUp(in *Input, all bool) (facts, error) {
	f := facts{path: runbook.PayloadName(in.Runbook.Path), denied: map[string]string{}, parameters: in.Parameters}
	a := &asker{rows: e.rows, known: e.known}
	digests := in.Runbook.digests()
	rules := e.global.question(in, f.path, digests)
	a.want(tableFit, maxCandidates, rules.fit...)
	a.wantPeople(in)
	if e.global.SecretPositions {
		a.want(tableSecret, maxSecrets, rules.match...)
	}
	for _, d := range slices.Concat(digests, in.members) {
		a.want(tableDenied, 1, d.String())
	}
	for _, d := range slices.Concat(digests, in.members) {
		if why := a.one(tableDenied, d.String()); why != "" && !d.IsZero() {
			f.denied[d.String()] = why
		}
	}
	a.wantGroups(in)
	if all && e.global.Rules <= maxExplained {
		f.rules = a.allRules(e.global.Rules)
	} else {
		f.rules = a.candidates(rules, &in.Worker)
	}
	f.secrets.names = e.global.SecretNames
	if e.global.SecretPositions {
		for _, key := range rules.match {
			f.secrets.positions = append(f.secrets.positions, a.all(tableSecret, maxSecrets, key)...)
		}
	}
	keys := runbookKeys(f.path, digestTexts(digests))
	f.freezes = find(e.global.freezes, keys, in.NowNS, e.global.freeze)
	f.exemptions = find(e.global.exemptions, keys, in.NowNS, e.global.exemption)
	f.signers = a.signers(in.vouching())
	f.requester = a.requester(&in.Caller)
	a.approvals(in, &f, e.global)
	f.breakGlass = &e.global.BreakGlass
	return f, a.err
}

// digests are those of the file itself, by which a rule can name it.
func (r *Runbook) digests() []runbook.Digest {
	list := []runbook.Digest{r.SHA256, r.PayloadSHA256}
	if m := r.Manifest; m != nil {
		list = append(list, m.SHA256, m.DocumentSHA256)
	}
	return list
}

// wantPeople queues what finds out who signed and who asks.
func (a *asker) wantPeople(in *Input) {
	a.want(tablePerson, 1, in.Caller.ID)
	for _, s := range in.vouching() {
		a.want(tablePerson, 1, s.Signer.IDs...)
	}
	accounts, tokens := in.Caller.groupNames()
	a.want(tableOSGroups, maxGroups, accounts...)
	a.want(tableTokens, maxGroups, tokens...)
	for i := range in.Approvals {
		a.want(tablePerson, 1, in.Approvals[i].ids()...)
	}
}

// wantGroups queues the groups of everybody who signed or asks.
func (a *asker) wantGroups(in *Input) {
	ids := []string{in.Caller.ID}
	for _, s := range in.vouching() {
		ids = append(ids, s.Signer.IDs...)
	}
	for i := range in.Approvals {
		ids = append(ids, in.Approvals[i].ids()...)
	}
	for _, id := range ids {
		if name := a.one(tablePerson, id); name != "" {
			a.want(tableGroups, maxGroups, name)
		}
	}
}

// groupNames are the caller's groups of the operating system, without their
// namespace, and those that a token names.
func (c *Caller) groupNames() (accounts, tokens []string) {
	for _, id := range c.Groups {
		if name, ok := strings.CutPrefix(id, "os-group:"); ok {
			accounts = append(accounts, name)
		} else {
			tokens = append(tokens, id)
		}
	}
	return accounts, tokens
}

// signers returns the people whose valid signatures the file carries, each
// once, with what these claim. A signature whose identities belong to different people is nobody's.
func (a *asker) signers(signatures []Signature) []person {
	var people []person
	for _, s := range signatures {
		if s.Verdict != string(verifier.Valid) {
			continue
		}
		name, ambiguous := "", false
		for _, id := range s.Signer.IDs {
			p := a.one(tablePerson, id)
			if p == "" || !Signs(id) {
				continue
			}
			ambiguous = ambiguous || name != "" && name != p
			name = p
		}
		if name == "" || ambiguous {
			continue
		}
		i := slices.IndexFunc(people, func(p person) bool { return p.name == name })
		if i < 0 {
			i = len(people)
			people = append(people, person{name: name, groups: a.all(tableGroups, maxGroups, name)})
		}
		said := claim{format: s.Format}
		if s.Claims != nil {
			said.Claims = *s.Claims
		}
		people[i].claims = append(people[i].claims, said)
	}
	return people
}

func (a *asker) requester(c *Caller) person {
	p := person{name: a.one(tablePerson, c.ID)}
	if p.name != "" {
		p.groups = slices.Clone(a.all(tableGroups, maxGroups, p.name))
	}
	accounts, tokens := c.groupNames()
	for _, name := range accounts {
		p.groups = append(p.groups, a.all(tableOSGroups, maxGroups, name)...)
	}
	for _, name := range tokens {
		p.groups = append(p.groups, a.all(tableTokens, maxGroups, name)...)
	}
	slices.Sort(p.groups)
	p.groups = slices.Compact(p.groups)
	return p
}

// value is the document input.grants.
func (f *facts) value() ast.Value {
	signers := make([]*ast.Term, 0, len(f.signers))
	for _, s := range f.signers {
		signers = append(signers, s.signerTerm())
	}
	denied := ast.NewObject()
	for digest, why := range f.denied {
		denied.Insert(ast.StringTerm(digest), ast.StringTerm(why))
	}
	return ast.NewObject(
		item("path", ast.StringTerm(f.path)),
		item("signers", ast.ArrayTerm(signers...)),
		item("requester", f.requester.term()),
		item("approvals", approvalTerms(f.approvals)),
		item("break_glass", f.breakGlass.term(f.glass)),
		item("denied", ast.NewTerm(denied)),
		item("rules", terms(f.rules)),
		item("numbers", numbersTerm(f.parameters)),
		item("freezes", terms(f.freezes)),
		item("exemptions", terms(f.exemptions)),
	)
}

func item(key string, value *ast.Term) [2]*ast.Term { return ast.Item(ast.StringTerm(key), value) }

func (p person) term() *ast.Term {
	return ast.ObjectTerm(item("person", ast.StringTerm(p.name)), item("groups", texts(p.groups)))
}

func (p person) signerTerm() *ast.Term {
	claims := make([]*ast.Term, 0, len(p.claims))
	for _, c := range p.claims {
		claims = append(claims, ast.ObjectTerm(
			item("version", ast.StringTerm(c.Version)), item("numbers", numbers(c.Version)), item("namespace", ast.StringTerm(c.Namespace)),
			item("format", ast.StringTerm(c.format)),
		))
	}
	return ast.ObjectTerm(item("person", ast.StringTerm(p.name)), item("groups", texts(p.groups)), item("claims", ast.ArrayTerm(claims...)))
}

// numbers are those of a version, all of them, so that the order of lists is the
// order of versions. No version is the empty list, which comes before all others.
func numbers(version string) *ast.Term {
	v, err := verifier.ParseVersion(version)
	if err != nil {
		return ast.ArrayTerm()
	}
	terms := make([]*ast.Term, 0, len(v))
	for _, n := range v {
		terms = append(terms, ast.IntNumberTerm(int(n)))
	}
	return ast.ArrayTerm(terms...)
}

// terms are those of a list of parts of grants.yaml.
func terms[T interface{ term() *ast.Term }](list []T) *ast.Term {
	found := make([]*ast.Term, 0, len(list))
	for _, x := range list {
		found = append(found, x.term())
	}
	return ast.ArrayTerm(found...)
}

func digestTexts(digests []runbook.Digest) []string {
	list := make([]string, 0, len(digests))
	for _, d := range digests {
		list = append(list, d.String())
	}
	return list
}

func texts(list []string) *ast.Term {
	terms := make([]*ast.Term, 0, len(list))
	for _, s := range list {
		terms = append(terms, ast.StringTerm(s))
	}
	return ast.ArrayTerm(terms...)
}
