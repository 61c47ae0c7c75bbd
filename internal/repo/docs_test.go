package repo_test

import (
	"go/ast"
	"go/token"
	"regexp"
	"strings"
	"testing"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/verifier"
)

// documented fails for each word that no line of the document has as code.
func documented(t *testing.T, doc string, words ...string) {
	t.Helper()
	text := read(t, doc)
	for _, w := range words {
		if !strings.Contains(text, "`"+w+"`") {
			t.Errorf("%s does not mention `%s`", doc, w)
		}
	}
}

func TestEachCheckIsDocumented(t *testing.T) {
	t.Parallel()
	for _, id := range verifier.CheckIDs() {
		documented(t, "docs/formats/checks.md", string(id))
	}
}

func TestEachVerdictIsDocumented(t *testing.T) {
	t.Parallel()
	for _, v := range verifier.Verdicts() {
		documented(t, "docs/formats/checks.md", v.String())
	}
}

// Exit codes are constants whose names begin with "exit".
func TestEachExitCodeIsDocumented(t *testing.T) {
	t.Parallel()
	codes := 0
	for _, f := range goFiles(t) {
		if f.test || f.dir != "cmd/writ" && f.dir != "worker" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 || !strings.HasPrefix(strings.ToLower(spec.Names[0].Name), "exit") {
				return true
			}
			if number, ok := spec.Values[0].(*ast.BasicLit); ok && number.Kind == token.INT {
				documented(t, "docs/cli/README.md", number.Value)
				codes++
			}
			return true
		})
	}
	if codes < 8 {
		t.Errorf("found %d exit codes only", codes)
	}
}

// Each signature format has its page, named after the format's word.
func TestEachFormatIsDocumented(t *testing.T) {
	t.Parallel()
	for _, f := range []verifier.Format{format.NewAuthenticode(), format.NewClearsign(), format.NewDetached(), format.NewManifest(), format.NewStatement()} {
		page := read(t, "docs/formats/"+f.Name()+".md")
		if !strings.Contains(page, "`"+f.Name()+"`") && !strings.HasPrefix(strings.ToLower(page), "# "+f.Name()) {
			t.Errorf("docs/formats/%s.md is not about %s", f.Name(), f.Name())
		}
	}
}

// The threat model names the test that holds each control; a control whose
// test is gone is a promise that nobody keeps.
func TestTheThreatModelNamesTestsThatExist(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{}
	for _, f := range goFiles(t) {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && f.test && fn.Recv == nil {
				tests[fn.Name.Name] = true
			}
		}
	}
	scripts := map[string]bool{}
	files(t, func(name string) {
		if strings.HasSuffix(name, ".txtar") {
			scripts[name[strings.LastIndex(name, "/")+1:]] = true
		}
	})
	text := read(t, "docs/threat-model.md")
	names := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`").FindAllStringSubmatch(text, -1)
	if len(names) < 20 {
		t.Errorf("the threat model names %d tests only", len(names))
	}
	for _, m := range names {
		if !tests[m[1]] {
			t.Errorf("the threat model names %s, and there is no such test", m[1])
		}
	}
	for _, m := range regexp.MustCompile("`([a-z0-9-]+\\.txtar)`").FindAllStringSubmatch(text, -1) {
		if !scripts[m[1]] {
			t.Errorf("the threat model names %s, and there is no such script", m[1])
		}
	}
	// Every row of a table of controls names at least one.
	for n, line := range strings.Split(text, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) == 7 && !strings.Contains(line, "---") && !strings.Contains(line, "| test") && !strings.Contains(cells[5], "`") {
			t.Errorf("docs/threat-model.md:%d: the control names no test", n+1)
		}
	}
}
