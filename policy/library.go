package policy

import (
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/runwrit/writ/runbook"
)

//go:embed rego/*.rego
var libraryFiles embed.FS

// Entry points of the library.
const (
	queryPlain       = "data.writ.gate.plain"
	queryDecision    = "data.writ.gate.decision"
	queryExplanation = "data.writ.gate.explanation"
)

// builder compiles the built-in library together with the files of the user.
type builder struct {
	caps *ast.Capabilities
	// annotated keeps the labels of the rules, for explaining.
	annotated bool
}

// compile compiles these files of the library with those of the user.
func (b *builder) compile(user, files []File) (*ast.Compiler, []*FileError) {
	b.caps = capabilities()
	modules, problems := b.parseUser(user)
	if len(problems) > 0 {
		return nil, problems
	}
	packages, problems := checkUser(modules)
	if len(problems) > 0 {
		return nil, problems
	}
	library, err := b.parseLibrary(files, packages)
	for name, m := range library {
		modules[name] = m
	}
	compiler := b.uncheckedCompiler()
	if len(user) > 0 || b.annotated {
		compiler = b.newCompiler()
	}
	if compiler.Compile(modules); compiler.Failed() {
		err = compiler.Errors
	}
	if err != nil {
		return nil, RegoProblems(err)
	}
	if problems := strayReferences(compiler, user); len(problems) > 0 {
		return nil, problems
	}
	return compiler, nil
}

func (b *builder) prepare(ctx context.Context, c *ast.Compiler, query string) (rego.PreparedEvalQuery, error) {
	return rego.New(
		rego.Query(query),
		rego.Compiler(c),
		rego.SetRegoVersion(ast.RegoV1),
		rego.Strict(true),
		rego.Capabilities(b.caps),
		rego.StrictBuiltinErrors(true), // or a failing builtin makes a deny not fire
	).PrepareForEval(ctx)
}

// libraryDigest is that of the text of the built-in library. A start asks for it more
// than once.
var libraryDigest = sync.OnceValue(func() runbook.Digest {
	h := sha256.New()
	for _, f := range libraryFilesText() {
		h.Write(f.Data)
	}
	return runbook.Digest(h.Sum(nil))
})

// parseLibrary parses files of the library, and one more that collects what the
// packages of the user answer; two at a time, to start sooner.
func (b *builder) parseLibrary(files []File, packages []userAnswers) (map[string]*ast.Module, error) {
	files = append(slices.Clone(files), File{Name: "users.rego", Data: []byte(collector(packages))})
	parsed := make([]*ast.Module, len(files))
	errs := make([]error, len(files))
	var next atomic.Int32
	work := func() {
		for i := int(next.Add(1)) - 1; i < len(files); i = int(next.Add(1)) - 1 {
			parsed[i], errs[i] = b.parseRego("library/"+files[i].Name, string(files[i].Data))
		}
	}
	var wg sync.WaitGroup
	wg.Go(work)
	work()
	wg.Wait()
	modules := make(map[string]*ast.Module, len(files))
	for i, f := range files {
		modules["library/"+f.Name] = parsed[i]
	}
	return modules, errors.Join(errs...)
}

// collector writes the module that reads each answer of each user package.
// Package names were checked: nothing in them needs quoting.
func collector(packages []userAnswers) string {
	var b strings.Builder
	b.WriteString("package writ.users\n\nresults := {")
	for i, p := range packages {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q: {", p.name)
		for j, a := range p.answers {
			if j > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "%q: data.%s.%s", a, p.name, a)
		}
		b.WriteString("}")
	}
	b.WriteString("}\n")
	return b.String()
}

func (b *builder) parseRego(name, text string) (*ast.Module, error) {
	return ast.ParseModuleWithOpts(name, text, ast.ParserOptions{
		Capabilities: b.caps, ProcessAnnotation: b.annotated, RegoVersion: ast.RegoV1,
	})
}

func (b *builder) parseUser(files []File) (map[string]*ast.Module, []*FileError) {
	for _, f := range files {
		if IsTest(f.Name) {
			return nil, []*FileError{{File: f.Name, Msg: "is a test, and takes no part in decisions"}}
		}
	}
	return b.parseFiles(files)
}

func (b *builder) parseFiles(files []File) (modules map[string]*ast.Module, problems []*FileError) {
	modules = make(map[string]*ast.Module, len(files)+8)
	if len(files) > MaxRegoFiles {
		return nil, []*FileError{{File: files[MaxRegoFiles].Name, Msg: fmt.Sprintf("more than %d .rego files", MaxRegoFiles)}}
	}
	for _, f := range files {
		switch {
		case path.Ext(f.Name) != ".rego" || strings.Contains(f.Name, "/"):
			problems = append(problems, &FileError{File: f.Name, Msg: "is not a plain file name that ends in .rego"})
			continue
		case modules[f.Name] != nil:
			problems = append(problems, &FileError{File: f.Name, Msg: "is given twice"})
			continue
		case len(f.Data) > MaxRegoSize:
			problems = append(problems, &FileError{File: f.Name, Msg: fmt.Sprintf("has %d bytes, the limit is %d", len(f.Data), MaxRegoSize)})
			continue
		}
		m, err := b.parseRego(f.Name, string(f.Data))
		switch {
		case err != nil:
			problems = append(problems, RegoProblems(err)...)
		default:
			modules[f.Name] = m
		}
	}
	return modules, problems
}

// RegoProblems turns the errors of OPA into problems of files.
func RegoProblems(err error) []*FileError {
	var several ast.Errors
	if !errors.As(err, &several) {
		return []*FileError{{File: "policy", Msg: err.Error()}}
	}
	var problems []*FileError
	for _, e := range several[:min(len(several), maxProblems)] {
		p := &FileError{File: "policy", Msg: e.Message}
		if e.Code != "" {
			p.Msg = e.Code + ": " + e.Message
		}
		if e.Location != nil {
			p.File, p.Line, p.Column = e.Location.File, e.Location.Row, e.Location.Col
		}
		problems = append(problems, p)
	}
	return problems
}
