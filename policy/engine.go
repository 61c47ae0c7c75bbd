package policy

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/runwrit/writ/runbook"
)

// Source is the text of a policy.
type Source struct {
	// Grants is the content of grants.yaml; required, unless there are Rows.
	Grants []byte
	// Rows are those of a grants.yaml that was read before.
	Rows Rows
	// Rego are the user's own files; they may add deny and warn.
	Rego []File
	// Release says which edition of the policy it is; the zero value for a folder.
	Release Release
	// Tests are tests.yaml and the *_test.rego files. They say what the policy must
	// decide, take no part in any decision and are not in the policy's digest: New
	// does not look at them.
	Tests []File
}

// Engine decides by one policy. It is immutable and safe for use by several
// goroutines. The zero value denies everything.
type Engine struct {
	rows   Rows
	global *global
	known  *knownRules
	plain  *rego.PreparedEvalQuery
	whole  func() (rego.PreparedEvalQuery, error)
	pool   evaluators
	// explainer is compiled at the first explanation.
	explainer func() (*explainer, error)
	digest    runbook.Digest
	release   Release
}

// Load reads and compiles the policy folder at dir. It fails with *FolderError
// where the folder cannot be read or is not guarded, and with *SyntaxError where
// something in it is wrong.
func Load(dir string, o LoadOptions) (*Engine, error) {
	src, err := ReadFolder(dir, o)
	if err != nil {
		return nil, err
	}
	return New(src)
}

// Check returns every problem of the policy folder at dir, none if Load would
// accept it. An error says that the folder could not be read.
//
// Unlike Load it looks at the *_test.rego files, too, because something that
// decides must not stand in one, and at the metadata of the rules, which only an
// explanation reads.
func Check(dir string, o LoadOptions) ([]*FileError, error) {
	src, err := ReadFolder(dir, o)
	if err == nil {
		_, err = New(src)
	}
	if err == nil {
		_, err = NewRegoTests(src)
	}
	if err == nil && len(src.Rego) > 0 {
		annotated := builder{annotated: true}
		_, problems := annotated.compile(src.Rego, libraryFilesText())
		return problems, nil
	}
	var bad *SyntaxError
	if errors.As(err, &bad) {
		return bad.Problems, nil
	}
	return nil, err
}

// New compiles a policy. It fails with *SyntaxError, which lists all problems,
// or with what the Rows fail with.
func New(src Source) (*Engine, error) {
	var b builder
	var compiler *ast.Compiler
	var more []*FileError
	library := plainFiles()
	if len(src.Rego) > 0 {
		library = libraryFilesText() // theirs can refer to all of it
	}
	compiled := make(chan struct{})
	compile := func() {
		defer close(compiled)
		compiler, more = b.compile(src.Rego, library)
	}
	if len(src.Rego) == 0 {
		go compile() // the library alone, while grants.yaml is read
	} else {
		compile()
	}
	rows, problems := src.rows()
	<-compiled
	if problems = append(problems, more...); len(problems) > 0 {
		return nil, &SyntaxError{Problems: problems}
	}
	plain, preparing := b.prepare(context.Background(), compiler, queryPlain)
	common, reading := readGlobal(rows)
	if err := errors.Join(preparing, reading); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	files := make([]File, 0, len(src.Rego)) // for explaining
	for _, f := range src.Rego {
		files = append(files, File{Name: f.Name, Data: slices.Clone(f.Data)})
	}
	return &Engine{
		rows: rows, global: common, known: &knownRules{}, plain: &plain, whole: b.whole(compiler, len(src.Rego) == 0), pool: newEvaluators(), digest: src.digest(rows.Grants()), release: src.Release,
		explainer: sync.OnceValues(func() (*explainer, error) { return newExplainer(files) }),
	}, nil
}

// rows are those that were given, or are made of grants.yaml.
func (s *Source) rows() (Rows, []*FileError) {
	if s.Rows == nil {
		return newMemory(s.Grants)
	}
	if len(s.Grants) > 0 {
		return nil, []*FileError{{File: GrantsFile, Msg: "is given beside the rows of one that was read before"}}
	}
	return s.Rows, nil
}

// digest hashes the built-in library and every file: each by the length of its
// name, its name and the digest of its content, so that no two policies share a
// digest.
func (s *Source) digest(grants runbook.Digest) runbook.Digest {
	h := sha256.New()
	add := func(name string, content runbook.Digest) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(name)))
		h.Write(n[:])
		h.Write([]byte(name))
		h.Write(content[:])
	}
	add(GrantsFile, grants)
	add("library", libraryDigest())
	files := slices.Clone(s.Rego)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range files {
		add(f.Name, runbook.DigestOf(f.Data))
	}
	return runbook.Digest(h.Sum(nil))
}

// Policy identifies what the engine decides by.
func (e *Engine) Policy() Ref {
	if e == nil {
		return Ref{}
	}
	ref := e.release.ref()
	ref.SHA256 = e.digest
	return ref
}

// Decide answers one question. It never fails and never panics: whatever goes
// wrong is a denial with its reason.
func (e *Engine) Decide(ctx context.Context, in Input) (d Decision) {
	d = e.denial(&in)
	defer func() {
		if r := recover(); r != nil {
			d = e.denial(&in, Reason{Code: CodePolicyError, Msg: fmt.Sprintf("the policy engine stopped: %v", r), Rule: ruleEngine})
		}
	}()
	if e == nil || e.rows == nil || e.plain == nil {
		return e.denial(&in, Reason{Code: CodePolicyError, Msg: "no policy is loaded", Rule: ruleEngine})
	}
	if err := in.decidable(); err != nil {
		return e.denial(&in, Reason{Code: CodeInputInvalid, Msg: err.Error(), Rule: ruleEngine})
	}
	in.Policy = Ref{}
	data, err := json.Marshal(in)
	if err != nil || in.seal != nil && in.seal.digest != sha256.Sum256(data) {
		return e.denial(&in, Reason{Code: CodeInputInvalid, Msg: "the input was changed after it was made", Rule: ruleEngine})
	}
	in.Policy = e.Policy()
	f, err := e.lookUp(&in, false)
	if err != nil {
		return e.failure(&in, &f, err)
	}
	doc, err := e.ask(ctx, &in, &f)
	if err != nil {
		d = e.failure(&in, &f, err)
	} else {
		d = e.judge(&in, &f, doc)
	}
	d.hide(&in, &f)
	return d
}

// failure is the denial where the policy could not be asked.
func (e *Engine) failure(in *Input, f *facts, err error) Decision {
	d := e.denial(in, Reason{Code: CodePolicyError, Msg: err.Error(), Rule: ruleEngine})
	d.Deny = append(d.Deny, hardReasons(in, f)...)
	return d
}

// denial is a fresh decision that denies.
func (e *Engine) denial(in *Input, reasons ...Reason) Decision {
	return Decision{
		Version: DecisionVersion, Mode: ModeEnforce,
		Deny: append([]Reason{}, reasons...), Warn: []Reason{}, WouldDeny: []Reason{}, Rules: []string{}, Exemptions: []Exemption{},
		Obligations: Obligations{Env: []string{}}, Policy: e.Policy(), Runbook: in.Runbook.SHA256, Manifest: in.Runbook.manifest().SHA256,
	}
}

// judge puts together what the policy said and what no policy can lift.
func (e *Engine) judge(in *Input, f *facts, doc *document) Decision {
	used := f.exempt(doc)
	d := e.denial(in, f.nearestFirst(slices.Concat(doc.deny, doc.userDeny))...)
	d.Warn = append(d.Warn, doc.warn...)
	for _, x := range used {
		d.Exemptions, d.Warn = append(d.Exemptions, x), append(d.Warn, x.warning())
	}
	for _, r := range hardReasons(in, f) {
		if !slices.ContainsFunc(d.Deny, func(known Reason) bool { return known.Code == r.Code && strings.HasPrefix(known.Rule, libraryRules) }) {
			d.Deny = append(d.Deny, r)
		}
	}
	granted, ok := f.granted(doc.rules)
	switch {
	case !ok:
		d.Deny = append(d.Deny, Reason{Code: CodePolicyError, Msg: "the policy names a rule that was not asked about", Rule: ruleEngine})
	case doc.allow && len(granted) == 0:
		d.Deny = append(d.Deny, Reason{Code: CodePolicyError, Msg: "the policy allows without naming a rule", Rule: ruleEngine})
	case !doc.allow && len(d.Deny) == 0:
		d.Deny = append(d.Deny, Reason{Code: CodeUnspecified, Msg: "the policy denies and does not say why", Rule: ruleEngine})
	}
	var until int64
	if d.Mode, until = e.global.mode(&in.Worker, in.NowNS); d.Mode == ModeWarn {
		d.onlyWarn(in.Worker.Group, until)
	}
	d.lift(f.override(in, doc))
	if len(d.Deny) > 0 {
		return d
	}
	d.Allow, d.Obligations = true, combine(granted)
	if len(d.WouldDeny) > 0 {
		d.Obligations, granted = f.confined(granted, doc.deny), nil
	}
	for _, r := range granted {
		d.Rules = append(d.Rules, r.Name)
	}
	if in.seal != nil {
		d.permit = &Permit{
			file: in.Runbook.SHA256, payload: in.Runbook.PayloadSHA256,
			arguments: slices.Clone(in.seal.arguments), obligations: d.Obligations,
			manifest: in.Runbook.manifest(),
			expires:  time.Unix(0, in.NowNS).UTC().Add(permitLife),
			uses:     append(in.Ticket.uses(), d.Override.uses()...),
			secret:   map[string]bool{},
		}
	}
	return d
}

// granted returns the rules of these names, in the order of grants.yaml. ok is
// false if there is a name that is no candidate's.
func (f *facts) granted(names []string) (rules []*rule, ok bool) {
	for _, r := range f.rules {
		if slices.Contains(names, r.Name) {
			rules = append(rules, r)
		}
	}
	return rules, len(rules) == len(names)
}

// nearestFirst orders reasons: first those that no rule gave, then rule by rule,
// those first that lack the fewest things. Of very many the first are enough.
func (f *facts) nearestFirst(reasons []Reason) []Reason {
	lacks, place := map[string]int{}, map[string]int{}
	for i, r := range f.rules {
		place[r.Name] = i + 1
	}
	for _, r := range reasons {
		lacks[r.Rule]++
	}
	slices.SortStableFunc(reasons, func(a, b Reason) int {
		byPlace := cmp.Compare(place[a.Rule], place[b.Rule])
		if place[a.Rule] == 0 || place[b.Rule] == 0 {
			return byPlace
		}
		return cmp.Or(cmp.Compare(lacks[a.Rule], lacks[b.Rule]), byPlace)
	})
	return reasons[:min(len(reasons), maxReasons)]
}

// combine makes the obligations of several rules that all allow: the shortest
// timeout, and all else of the first rule, because a union would give more than any
// of them. Where no rule did, they are the defaults.
func combine(granted []*rule) Obligations {
	if len(granted) == 0 {
		return Obligations{Timeout: DefaultTimeout, Env: []string{}}
	}
	o := granted[0].Obligations.clone()
	for _, r := range granted {
		o.Timeout = min(o.Timeout, r.Obligations.Timeout)
	}
	return o
}

// confined are the obligations of what no rule lets run, but a mode or an override:
// the defaults, as the user and in the sandbox of the first rule that is about it and
// names one. Else a caller would get out of a sandbox by asking for what the rule
// does not give.
func (f *facts) confined(granted []*rule, denied []Reason) Obligations {
	o := combine(nil)
	for _, r := range f.rules {
		about := slices.Contains(granted, r) || slices.ContainsFunc(denied, func(why Reason) bool { return why.Rule == r.Name })
		if about && o.User == "" && o.Sandbox == nil {
			o.User, o.Sandbox = r.Obligations.User, slices.Clone(r.Obligations.Sandbox)
		}
	}
	return o
}
