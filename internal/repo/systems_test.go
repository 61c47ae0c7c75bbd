package repo_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"

	"github.com/runwrit/writ/internal/testenv"
)

// Type-checking from source takes seconds; "go vet" for another system compiles
// a thousand packages first, minutes on a new machine. It is "make vet".
func TestTheTreeIsRightForTheOtherSystems(t *testing.T) {
	t.Parallel()
	for _, system := range []string{"linux", "windows", "darwin"} {
		if system == runtime.GOOS {
			continue // the tests are compiled for it
		}
		t.Run(system, func(t *testing.T) {
			root := testenv.Root(t)
			loaded, err := packages.Load(&packages.Config{
				Mode: packages.LoadAllSyntax, Dir: root, Tests: true,
				Env: append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system),
				ParseFile: func(fset *token.FileSet, name string, src []byte) (*ast.File, error) {
					return parse(fset, root, name, src)
				},
			}, "./...")
			if err != nil {
				t.Fatal(err)
			}
			if len(loaded) < 100 {
				t.Errorf("looked at %d packages only", len(loaded))
			}
			for _, p := range loaded {
				if strings.HasSuffix(p.ID, ".test") { // what go test generates
					continue
				}
				for _, e := range p.Errors {
					t.Error(e)
				}
			}
		})
	}
}

// parse leaves out the bodies of functions that are not ours: nobody needs them
// to check ours, and they are nine tenths of the text.
func parse(fset *token.FileSet, root, name string, src []byte) (*ast.File, error) {
	file, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	if file == nil || strings.HasPrefix(name, root+string(os.PathSeparator)) {
		return file, err
	}
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok {
			f.Body = nil
		}
	}
	return file, err
}
