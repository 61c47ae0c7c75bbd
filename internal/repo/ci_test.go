package repo_test

import (
	"go/ast"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// onEveryDebian are programs that a script of a test may start and that no
// installation of Debian is without; gpgconf comes with gpg.
const onEveryDebian = "bash chmod cp diff gpgconf grep head ln mkdir mkfifo mv rm script sed sh stat tail timeout truncate unshare"

// A machine on which developers work has long had what a new test starts; a new
// machine has not.
func TestCIInstallsWhatTestsStart(t *testing.T) {
	t.Parallel()
	ci := read(t, ".ci/run")
	installed := map[string]bool{"go": true, "writ": true}
	for _, name := range strings.Fields(onEveryDebian) {
		installed[name] = true
	}
	for _, m := range regexp.MustCompile(`\[([a-z0-9-]+)\]=|GOPATH\)/bin/([a-z0-9-]+)"`).FindAllStringSubmatch(ci, -1) {
		installed[m[1]+m[2]] = true
	}
	peers := strings.Fields(regexp.MustCompile(`(?m)^PEERS\s*:= (.*)$`).FindStringSubmatch(read(t, "Makefile"))[1])
	for _, name := range peers {
		if !installed[name] {
			t.Errorf("make test says that it misses %s, which .ci/run does not install", name)
		}
	}
	started := startedByTests(t)
	if len(started) < 20 {
		t.Errorf("found %d programs only that tests start", len(started))
	}
	for name, where := range started {
		if !installed[name] {
			t.Errorf("%s starts %s, which .ci/run does not install", where, name)
		}
	}
}

// startedByTests returns the programs that Go tests ask testenv for and that
// scripts of tests start, each with a file that does.
func startedByTests(t *testing.T) map[string]string {
	t.Helper()
	started := map[string]string{}
	for _, f := range goFiles(t) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 2 {
				return true
			}
			name, isText := call.Args[1].(*ast.BasicLit)
			if fun, ok := call.Fun.(*ast.SelectorExpr); ok && fun.Sel.Name == "Tool" && isText {
				if program, err := strconv.Unquote(name.Value); err == nil {
					started[program] = f.name
				}
			}
			return true
		})
	}
	line := regexp.MustCompile(`(?m)^(?:\[[^\]]*\] *)*(?:! )?(?:exec|exits \d+) ([a-z][a-z0-9-]*)|\[!?exec:([^\]]+)\]`)
	files(t, func(name string) {
		if path.Ext(name) != ".txtar" {
			return
		}
		for _, m := range line.FindAllStringSubmatch(read(t, name), -1) {
			started[m[1]+m[2]] = name
		}
	})
	return started
}
