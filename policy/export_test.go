package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/rego"
)

// DecideOnDocument judges an answer that the library would not give.
func (e *Engine) DecideOnDocument(in Input, v any) Decision {
	d, err := decodeDocument(v)
	if err != nil {
		return e.denial(&in, Reason{Code: CodePolicyError, Msg: err.Error(), Rule: ruleEngine})
	}
	f, err := e.lookUp(&in, false)
	if err != nil {
		return e.denial(&in, Reason{Code: CodePolicyError, Msg: err.Error(), Rule: ruleEngine})
	}
	return e.judge(&in, &f, d)
}

// DecideOnAllRules decides as Decide does, with every rule as a candidate.
func (e *Engine) DecideOnAllRules(ctx context.Context, in Input) ([]string, error) {
	f, err := e.lookUp(&in, true)
	if err != nil {
		return nil, err
	}
	d, err := e.ask(ctx, &in, &f)
	if err != nil {
		return nil, err
	}
	return d.rules, nil
}

// AllowedBuiltins and the parts of the library that tests compare.
var AllowedBuiltins = allowedBuiltins

// LibraryText is the text of the built-in library.
func LibraryText() string {
	var text strings.Builder
	for _, f := range libraryFilesText() {
		text.Write(f.Data)
	}
	return text.String()
}

// GlobProblem says why a text is no glob.
func GlobProblem(text string) string { return globProblem(text) }

// ParseGrants is parseGrants for fuzzing.
func ParseGrants(data []byte) ([]*FileError, bool) {
	g, problems := parseGrants(GrantsFile, data)
	return problems, g != nil
}

// Tables are those that every decision asks, whatever it is about.
var Tables = []Table{tablePerson, tableGroups, tableOSGroups, tableDenied, tableRule, tableMatch, tableFit}

// CompileTwice returns what the strict compiler makes of the library, or of the files
// of it that a plain yes needs, and what the one makes of it that an engine uses.
func CompileTwice(plain bool) (strict, quick map[string]string, err error) {
	b := builder{caps: capabilities()}
	files := libraryFilesText()
	if plain {
		files = plainFiles()
	}
	text := func(c *ast.Compiler) (map[string]string, error) {
		library, err := b.parseLibrary(files, nil)
		if err != nil {
			return nil, err
		}
		if c.Compile(library); c.Failed() {
			return nil, c.Errors
		}
		modules := map[string]string{}
		for name, m := range c.Modules {
			modules[name] = m.String()
		}
		return modules, nil
	}
	if strict, err = text(b.newCompiler()); err != nil {
		return nil, nil, err
	}
	quick, err = text(b.uncheckedCompiler())
	return strict, quick, err
}

// LookUp looks up what grants.yaml says, and forgets it.
func (e *Engine) LookUp(in Input) { _, _ = e.lookUp(&in, false) }

// Known is how many rules the engine keeps.
func (e *Engine) Known() int { return len(e.known.rules) }

// ParsedLibrary is the built-in library, parsed. Who changes a module of it makes a copy.
func ParsedLibrary() (map[string]*ast.Module, error) {
	b := builder{caps: capabilities()}
	return b.parseLibrary(libraryFilesText(), nil)
}

// Mutant is a library that may have been changed.
type Mutant struct{ plain, decision, explanation rego.PreparedEvalQuery }

// NewMutant compiles a library.
func NewMutant(library map[string]*ast.Module) (*Mutant, error) {
	b := builder{caps: capabilities()}
	compiler := b.uncheckedCompiler()
	if compiler.Compile(library); compiler.Failed() {
		return nil, compiler.Errors
	}
	var m Mutant
	var err error
	if m.plain, err = b.prepare(context.Background(), compiler, queryPlain); err != nil {
		return nil, err
	}
	if m.decision, err = b.prepare(context.Background(), compiler, queryDecision); err != nil {
		return nil, err
	}
	m.explanation, err = b.prepare(context.Background(), compiler, queryExplanation)
	return &m, err
}

// Decision is what the library answers, as text; first whether it is a plain yes.
func (m *Mutant) Decision(ctx context.Context, document ast.Value) string {
	return answer(ctx, &m.plain, document) + answer(ctx, &m.decision, document)
}

// Explanation is what the library says about each rule, as text.
func (m *Mutant) Explanation(ctx context.Context, document ast.Value) string {
	return answer(ctx, &m.explanation, document)
}

// Lines are those of the library that it evaluates, each as file:line.
func (m *Mutant) Lines(ctx context.Context, document, all ast.Value) (map[string]bool, error) {
	seen := cover.New()
	if _, err := m.plain.Eval(ctx, rego.EvalParsedInput(document), rego.EvalQueryTracer(seen)); err != nil {
		return nil, err
	}
	if _, err := m.decision.Eval(ctx, rego.EvalParsedInput(document), rego.EvalQueryTracer(seen)); err != nil {
		return nil, err
	}
	if _, err := m.explanation.Eval(ctx, rego.EvalParsedInput(all), rego.EvalQueryTracer(seen)); err != nil {
		return nil, err
	}
	lines := map[string]bool{}
	for file, of := range seen.Report(nil).Files {
		for _, r := range of.Covered {
			for line := r.Start.Row; line <= r.End.Row; line++ {
				lines[fmt.Sprintf("%s:%d", file, line)] = true
			}
		}
	}
	return lines, nil
}

func answer(ctx context.Context, q *rego.PreparedEvalQuery, document ast.Value) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = "it panics"
		}
	}()
	results, err := q.Eval(ctx, rego.EvalParsedInput(document))
	if err != nil {
		return "it fails"
	}
	data, err := json.Marshal(results)
	if err != nil {
		return "it cannot be written"
	}
	return string(data)
}

// Question is the document that the library reads; with all rules if it is asked for
// an explanation.
func (e *Engine) Question(in Input, all bool) (ast.Value, error) {
	f, err := e.lookUp(&in, all)
	if err != nil {
		return nil, err
	}
	return inputValue(in, e.Policy(), &f), nil
}

var compiled = sync.OnceValues(func() (*Engine, error) {
	const nothing = "version: 1\npeople: {a: {identities: [\"os:a\"]}}\nrules: [{name: a, match: {paths: [/a]}, workers: {any: true}, signed_by: {people: [a]}, requested_by: {anyone: true}}]\n"
	return New(Source{Grants: []byte(nothing)})
})

// NewCompiled is New for a policy without Rego of the user, with the library that
// was compiled before.
func NewCompiled(grants []byte) (*Engine, error) {
	base, err := compiled()
	if err != nil {
		return nil, err
	}
	src := Source{Grants: grants}
	rows, problems := src.rows()
	if len(problems) > 0 {
		return nil, &SyntaxError{Problems: problems}
	}
	common, err := readGlobal(rows)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		rows: rows, global: common, known: &knownRules{}, plain: base.plain, whole: base.whole, pool: base.pool, digest: src.digest(rows.Grants()), explainer: base.explainer,
	}
	return e.Patient(), nil
}

// Patient has e, which nobody uses yet, wait for an answer as long as a busy machine
// takes. How long a gate waits is in TestARuleThatNeverEndsIsADenial.
func (e *Engine) Patient() *Engine {
	e.pool.within = time.Minute
	return e
}

// Misuse asks for a policy that gives no answer, and for an explanation of an odd
// shape.
func (e *Engine) Misuse(ctx context.Context) []error {
	b := builder{}
	compiler, _ := b.compile(nil, libraryFilesText())
	q, err := b.prepare(ctx, compiler, "data.writ.gate.nothing")
	if err == nil {
		_, err = e.pool.evaluate(ctx, &q, ast.NewObject())
	}
	errs := []error{err}
	for _, v := range []any{make(chan int), "x", []any{1, 2}} {
		_, err := decodeOutcomes(v, nil)
		errs = append(errs, err)
	}
	return errs
}

// SameFile is the check that a file is the one that was looked at.
var SameFile = sameFile

// InputValue is the input as the policy reads it.
func InputValue(in Input) ast.Value { return value(reflect.ValueOf(in)).Value }

// OfWholeLibrary is the same engine, which never asks for a plain yes.
func (e *Engine) OfWholeLibrary() (*Engine, error) {
	whole, err := e.whole()
	clone := *e
	clone.plain = &whole
	return &clone, err
}

// DecideAndSay decides, and says whether that took no look at the whole library.
func (e *Engine) DecideAndSay(ctx context.Context, in Input) (d Decision, plain bool) {
	clone := *e
	plain = true
	clone.whole = func() (rego.PreparedEvalQuery, error) { plain = false; return e.whole() }
	d = clone.Decide(ctx, in)
	return d, plain
}

// WithoutLibrary is the same engine, whose whole library does not compile.
func (e *Engine) WithoutLibrary() *Engine {
	clone := *e
	clone.whole = func() (rego.PreparedEvalQuery, error) { return rego.PreparedEvalQuery{}, errors.New("no library") }
	return &clone
}

// Evaluators are the goroutines on which an engine evaluates.
type Evaluators = evaluators

// NewEvaluators returns Evaluators without a goroutine.
func NewEvaluators() Evaluators { return newEvaluators() }

// EvaluatorLife is how long one of them waits unused.
const EvaluatorLife = evaluatorLife

// Run runs f on one of them.
func (p evaluators) Run(f func()) { p.run(f) }
