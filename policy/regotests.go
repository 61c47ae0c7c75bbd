package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// testBuiltins are the functions that tests may call beside those of a policy: to
// print, and what names the cases of one test.
var testBuiltins = []string{"print", "internal.print", "internal.test_case"}

// RegoTests are the *_test.rego files of a policy with all that they may refer to,
// parsed and not compiled yet: the runner of tests compiles them.
type RegoTests struct {
	Modules  map[string]*ast.Module
	Compiler *ast.Compiler
}

// NewRegoTests parses the *_test.rego files of a policy that New accepts. It returns
// nil for one that has none, and fails with *SyntaxError.
func NewRegoTests(src Source) (*RegoTests, error) {
	files := slices.DeleteFunc(slices.Clone(src.Tests), func(f File) bool { return f.Name == TestsFile })
	if len(files) == 0 {
		return nil, nil
	}
	b := builder{caps: capabilities(testBuiltins...)}
	modules, problems := b.parseFiles(slices.Concat(src.Rego, files))
	for _, f := range files {
		if m := modules[f.Name]; m != nil {
			problems = append(problems, checkTests(f.Name, m)...)
		}
	}
	if len(problems) > 0 {
		return nil, &SyntaxError{Problems: problems}
	}
	return &RegoTests{Modules: modules, Compiler: b.newCompiler().WithEnablePrintStatements(true)}, nil
}

// checkTests holds a file of tests to packages of their own, and to not looking like
// something that decides.
func checkTests(file string, m *ast.Module) (problems []*FileError) {
	segments, ok := packageSegments(m.Package)
	if !ok || !hasPrefix(segments, userPackage[:1]) || !strings.HasSuffix(segments[len(segments)-1], "_test") {
		problems = append(problems, &FileError{File: file, Line: m.Package.Location.Row, Msg: fmt.Sprintf("is in %s: want a package of tests, such as writ.user_test", m.Package)})
	}
	tests := 0
	for _, r := range m.Rules {
		name := strings.Trim(r.Head.Ref()[0].Value.String(), `"`)
		switch {
		case slices.Contains(answers, name):
			problems = append(problems, &FileError{File: file, Line: r.Location.Row, Column: r.Location.Col, Msg: name + " in a file of tests decides nothing: move it to a file whose name does not end in _test.rego"})
		case strings.HasPrefix(name, "test_"):
			tests++
		}
	}
	if tests == 0 {
		problems = append(problems, &FileError{File: file, Msg: "has no rule whose name begins with test_"})
	}
	return problems
}
