// Package repo_test holds the house rules that neither compiler nor linter
// sees. It reads the tree through os and go/parser, so that the test cache
// notices every change.
package repo_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/testenv"
)

const module = "github.com/runwrit/writ"

// mayImport is the import table: what of ours each package's own code may
// import. Its tests may import more. A new package needs a line here.
var mayImport = map[string][]string{
	"runbook":  {},
	"ledger":   {"internal/guard"},
	"verifier": {"runbook", "internal/guard", "internal/trustlist"},
	"signer":   {"runbook", "internal/cleartext", "internal/cms", "internal/lazyregexp", "internal/pgpcert", "internal/witness"},
	"format": {
		"runbook", "verifier", "signer",
		"internal/cms", "internal/authscript", "internal/cleartext", "internal/endpoint", "internal/glob", "internal/keybox", "internal/lazyregexp", "internal/manifest", "internal/oidctoken", "internal/pgpcert", "internal/sigstoreclient", "internal/statement", "internal/strictjson", "internal/trustlist", "internal/witness",
	},
	"policy":        {"runbook", "verifier", "internal/account", "internal/audience", "internal/glob", "internal/guard", "internal/guid", "internal/lazyregexp", "internal/strictjson", "internal/strictyaml"},
	"policy/whatif": {"runbook", "verifier", "policy", "ledger", "audit", "internal/glob", "internal/strictyaml"},
	"policy/bundle": {"runbook", "verifier", "policy", "internal/strictjson"},
	"policy/store":  {"runbook", "verifier", "policy", "policy/bundle", "policy/policytest", "internal/filelock", "internal/guard", "internal/trustlist", "internal/strictjson", "policy/index"},
	"worker":        {"runbook", "verifier", "policy", "ledger", "worker/broker", "internal/abilities", "internal/account", "internal/cgroup", "internal/contain", "internal/guard", "internal/once", "internal/joblog", "internal/procstat", "internal/streams"},
	"audit":         {"runbook", "verifier", "policy"},

	"worker/identity":        {"runbook", "policy", "internal/guard", "internal/guid"},
	"worker/broker":          {"internal/audience"},
	"worker/early":           {"internal/contain"},
	"worker/managedidentity": {},

	"internal/cms":        {"runbook", "internal/rsasig"},
	"internal/batch":      {},
	"internal/resign":     {"runbook", "verifier", "internal/lazyregexp", "internal/pgpcert"},
	"internal/anchors":    {"verifier", "signer", "format", "internal/cleartext", "internal/cms", "internal/keybox", "internal/pgpcert", "internal/sst", "internal/strictjson"},
	"internal/truststore": {"runbook", "verifier", "internal/anchors", "internal/filelock", "internal/lazyregexp", "internal/trustlist"},
	"internal/sst":        {},
	"internal/approvals":  {"runbook", "verifier", "policy", "internal/guard", "internal/statement"},
	"internal/authscript": {"runbook"},
	"internal/cleartext":  {"runbook"},
	"internal/keybox":     {"runbook"},
	"internal/manifest":   {"runbook"},
	"internal/statement":  {"runbook"},
	"internal/pgpcert":    {"runbook", "internal/cleartext", "internal/keybox", "internal/rsasig"},
	"internal/render":     {"runbook", "verifier", "signer", "policy", "policy/lint", "policy/policytest", "policy/whatif", "worker", "ledger", "audit", "internal/doctor", "internal/manifest", "policy/bundle", "policy/store", "internal/anchors", "internal/truststore"},

	"internal/strictjson": {},
	"policy/index":        {"runbook", "policy", "internal/guard", "internal/guid"},
	"policy/lint":         {"policy", "policy/policytest", "internal/strictyaml"},
	"policy/policytest":   {"runbook", "verifier", "policy", "internal/strictyaml"},

	"internal/account":    {"internal/lazyregexp"},
	"internal/config":     {"internal/account", "internal/guard", "internal/lazyregexp", "internal/strictyaml", "worker/broker", "worker/identity", "worker/managedidentity"},
	"internal/abilities":  {"internal/cgroup", "internal/confine", "internal/guard"},
	"internal/cgroup":     {},
	"internal/confine":    {},
	"internal/endpoint":   {},
	"internal/doctor":     {"verifier", "internal/abilities", "internal/config", "internal/hybrid", "internal/lazyregexp", "internal/pgpcert"},
	"internal/hybrid":     {"internal/cleartext", "internal/config", "internal/keybox", "internal/lazyregexp", "internal/pgpcert"},
	"examples":            {},
	"internal/audience":   {"internal/lazyregexp"},
	"internal/glob":       {"runbook"},
	"internal/filelock":   {},
	"internal/guard":      {},
	"internal/contain":    {"internal/confine", "internal/procstat"},
	"internal/guid":       {},
	"internal/joblog":     {"internal/guard", "internal/lazyregexp"},
	"internal/newkeys":    {"internal/cleartext", "internal/lazyregexp"},
	"internal/oidctoken":  {"internal/endpoint", "internal/lazyregexp"},
	"internal/once":       {"internal/guard"},
	"internal/procstat":   {},
	"internal/lazyregexp": {},
	"internal/quickstart": {},
	"internal/rsasig":     {},
	"internal/testenv":    {},

	"internal/sigstoreclient":       {"internal/endpoint", "internal/lazyregexp", "internal/oidctoken"},
	"internal/testenv/kmsplugin":    {},
	"internal/testenv/vaultserver":  {},                   // a module of its own
	"internal/testenv/testsigstore": {"internal/testenv"}, // for tests: no package of ours may import it
	"internal/vectors":              {},                   // for tests: no package of ours may import it
	"internal/streams":              {},
	"internal/strictyaml":           {},
	"internal/trustlist":            {},
	"internal/witness":              {},

	"cmd/writ": {
		"runbook", "verifier", "signer", "format", "policy", "policy/lint", "policy/policytest", "policy/whatif", "worker", "worker/broker", "worker/early", "worker/identity", "worker/managedidentity", "ledger", "audit", "policy/bundle", "policy/store",
		"internal/approvals", "internal/abilities", "internal/batch", "internal/config", "internal/doctor", "internal/endpoint", "internal/guard", "internal/hybrid", "internal/lazyregexp", "internal/manifest", "internal/render", "internal/newkeys", "internal/oidctoken", "internal/quickstart", "internal/resign", "internal/statement", "internal/strictjson", "examples", "internal/anchors", "internal/truststore",
	},
}

// startsProcesses lists the packages, and the files, whose own code may start a
// process. signer/kms.go starts none by itself: Sigstore's client, which it calls,
// starts the program sigstore-kms-NAME for a key that is named NAME://.
var startsProcesses = []string{"internal/contain", "internal/abilities", "internal/testenv", "internal/testenv/testsigstore", "examples/sigstore-kms-hsm", "signer/gpg.go", "signer/kms.go"}

// asksKMS are the only files that may have Sigstore's client for KMS keys: it
// starts processes and talks to a network.
var asksKMS = []string{"signer/kms.go", "signer/kms_cloud.go"}

// talksToNetwork lists the packages whose own code may: only to where the user
// said.
var talksToNetwork = []string{"cmd/writ", "signer", "policy/store", "worker/broker", "worker/identity", "worker/managedidentity", "internal/endpoint", "internal/oidctoken", "internal/sigstoreclient", "internal/testenv", "internal/testenv/testsigstore", "internal/testenv/vaultserver"}

// forbidden are imports that no package's own code may have; a path that ends
// in a slash stands for all below it.
var forbidden = []struct{ path, why string }{
	{"net", "nothing here talks to a network"},
	{"net/http", "nothing here talks to a network"},
	{"golang.org/x/crypto/openpgp", "frozen and unsafe"},
	{"golang.org/x/crypto/openpgp/", "frozen and unsafe"},
	{"github.com/open-policy-agent/opa/rego", "Rego v0 semantics: use v1"},
	{"github.com/open-policy-agent/opa/ast", "Rego v0 semantics: use v1"},
	{"github.com/open-policy-agent/opa/v1/sdk", "polls and logs on its own"},
	{"math/rand", "keys and nonces come from crypto/rand"},
	{"math/rand/v2", "keys and nonces come from crypto/rand"},
	{"unsafe", "memory safety"},
}

// usesUnsafe is the one file that may: the kernel takes a filter of system calls by
// its address, and no package that we use has a call for that.
const usesUnsafe = "internal/confine/install_linux.go"

type goFile struct {
	dir, name string // slash-separated, from the root of the repository
	test      bool
	fset      *token.FileSet
	ast       *ast.File
}

func (f goFile) at(n ast.Node) string { return f.fset.Position(n.Pos()).String() }

func (f goFile) imports() []string {
	var paths []string
	for _, s := range f.ast.Imports {
		p, err := strconv.Unquote(s.Path.Value)
		if err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

// uses returns each place where the file names importPath.name; with onlyCalls
// only those where it is called.
func (f goFile) uses(importPath, name string, onlyCalls bool) []ast.Node {
	local := path.Base(importPath)
	imported := false
	for _, s := range f.ast.Imports {
		if strings.Trim(s.Path.Value, `"`) == importPath {
			imported = true
			if s.Name != nil {
				local = s.Name.Name
			}
		}
	}
	if !imported {
		return nil
	}
	var found []ast.Node
	match := func(e ast.Expr) bool {
		sel, ok := e.(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != name {
			return false
		}
		x, ok := sel.X.(*ast.Ident)
		return ok && x.Name == local
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if onlyCalls && match(n.Fun) {
				found = append(found, n)
			}
		case *ast.SelectorExpr:
			if !onlyCalls && match(n) {
				found = append(found, n)
			}
		}
		return true
	})
	return found
}

// files calls f for every file of the repository, but for what git or a build
// put there.
func files(t *testing.T, f func(name string)) {
	t.Helper()
	root := testenv.Root(t)
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if d.IsDir() {
			if slices.Contains([]string{".git", "bin", "writ-demo"}, name) {
				return fs.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() && !strings.HasSuffix(name, ".out") && !strings.HasSuffix(name, ".test") {
			f(name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testenv.Root(t), filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func goFiles(t *testing.T) []goFile {
	t.Helper()
	var list []goFile
	fset := token.NewFileSet()
	files(t, func(name string) {
		if path.Ext(name) != ".go" {
			return
		}
		parsed, err := parser.ParseFile(fset, name, read(t, name), parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, goFile{
			dir: path.Dir(name), name: name, fset: fset, ast: parsed,
			test: strings.HasSuffix(name, "_test.go"),
		})
	})
	if len(list) == 0 {
		t.Fatal("found no Go files")
	}
	return list
}

func TestEachPackageImportsOnlyWhatTheTableAllows(t *testing.T) {
	t.Parallel()
	for _, f := range goFiles(t) {
		if f.test || strings.HasPrefix(f.dir, "examples") {
			continue
		}
		allowed, known := mayImport[f.dir]
		if !known {
			t.Errorf("%s: package %s is not in the import table", f.name, f.dir)
			continue
		}
		for _, p := range f.imports() {
			ours, ok := strings.CutPrefix(p, module+"/")
			if ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s, which the table does not allow", f.name, ours)
			}
			for _, no := range forbidden {
				if (p == "net" || p == "net/http") && slices.Contains(talksToNetwork, f.dir) {
					continue
				}
				if p == "unsafe" && f.name == usesUnsafe {
					continue
				}
				if p == no.path || strings.HasSuffix(no.path, "/") && strings.HasPrefix(p, no.path) {
					t.Errorf("%s imports %s: %s", f.name, p, no.why)
				}
			}
		}
	}
}

func TestExamplesUseOnlyWhatOthersCanImport(t *testing.T) {
	t.Parallel()
	for _, f := range goFiles(t) {
		if !strings.HasPrefix(f.dir, "examples") {
			continue
		}
		for _, p := range f.imports() {
			if strings.HasPrefix(p, module+"/internal/") || strings.HasPrefix(p, module+"/cmd/") {
				t.Errorf("%s imports %s, which nobody outside this module can", f.name, p)
			}
		}
	}
}

func TestOnlyTheFilesThatAskAKMSHaveItsClient(t *testing.T) {
	t.Parallel()
	for _, f := range goFiles(t) {
		if f.test || slices.Contains(asksKMS, f.name) || f.dir == "examples/sigstore-kms-hsm" || f.dir == "internal/testenv" || strings.HasPrefix(f.dir, "internal/testenv/") {
			continue
		}
		for _, p := range f.imports() {
			if strings.HasPrefix(p, "github.com/sigstore/sigstore/pkg/signature/kms") {
				t.Errorf("%s imports %s", f.name, p)
			}
		}
	}
}

func TestOnlyTheWorkerAndTheFilesThatAskForKeysStartProcesses(t *testing.T) {
	t.Parallel()
	starters := []struct{ pkg, name string }{
		{"os", "StartProcess"}, {"syscall", "Exec"}, {"syscall", "ForkExec"}, {"syscall", "StartProcess"},
		{"golang.org/x/sys/unix", "Exec"}, {"golang.org/x/sys/unix", "ForkExec"},
	}
	for _, f := range goFiles(t) {
		if f.test || slices.Contains(startsProcesses, f.dir) || slices.Contains(startsProcesses, f.name) {
			continue
		}
		if slices.Contains(f.imports(), "os/exec") {
			t.Errorf("%s imports os/exec", f.name)
		}
		for _, s := range starters {
			for _, n := range f.uses(s.pkg, s.name, false) {
				t.Errorf("%s: %s.%s starts a process", f.at(n), s.pkg, s.name)
			}
		}
	}
}

// A stage ends before main where its program lets it begin early.
func TestOnlyMainEndsTheProcess(t *testing.T) {
	t.Parallel()
	for _, f := range goFiles(t) {
		if f.test || f.name == "cmd/writ/main.go" || f.name == "worker/early/early.go" || strings.HasPrefix(f.dir, "examples") {
			continue
		}
		for _, n := range f.uses("os", "Exit", false) {
			t.Errorf("%s: os.Exit outside cmd/writ/main.go", f.at(n))
		}
		for _, name := range []string{"Fatal", "Fatalf", "Fatalln"} {
			for _, n := range f.uses("log", name, false) {
				t.Errorf("%s: log.%s ends the process", f.at(n), name)
			}
		}
	}
}

// The clock is handed in; time.Now may be named as its default and not called.
func TestNobodyReadsTheClockBehindTheCallersBack(t *testing.T) {
	t.Parallel()
	for _, f := range goFiles(t) {
		if f.test || f.dir == "cmd/writ" || strings.HasPrefix(f.dir, "internal/testenv") || strings.HasPrefix(f.dir, "examples") {
			continue
		}
		for _, name := range []string{"Now", "Since", "Until"} {
			for _, n := range f.uses("time", name, true) {
				t.Errorf("%s: time.%s is called; take a clock through Options", f.at(n), name)
			}
		}
	}
}

func TestStandardOutputIsHandedInNeverReachedFor(t *testing.T) {
	t.Parallel()
	for _, f := range goFiles(t) {
		if f.test || f.dir == "cmd/writ" || f.dir == "internal/testenv/kmsplugin" || f.dir == "internal/testenv/vaultserver" || strings.HasPrefix(f.dir, "examples") {
			continue
		}
		for _, name := range []string{"Stdout", "Stderr", "Stdin"} {
			for _, n := range f.uses("os", name, false) {
				t.Errorf("%s: os.%s; take a writer or reader from the caller", f.at(n), name)
			}
		}
	}
}

// parsers are the packages that read what an attacker may have written.
var parsers = []string{
	"internal/anchors", "internal/authscript", "internal/sst", "internal/cms", "internal/cleartext", "internal/config", "internal/doctor", "internal/glob", "internal/hybrid", "internal/keybox", "internal/manifest", "internal/pgpcert", "internal/trustlist",
	"format", "internal/contain", "ledger", "policy", "policy/index", "policy/policytest", "signer", "internal/strictjson", "policy/bundle", "policy/store", "worker/broker", "internal/streams", "internal/account", "internal/cgroup", "internal/oidctoken", "internal/procstat", "internal/sigstoreclient", "internal/statement", "internal/strictyaml",
}

func TestEachParserHasAFuzzTarget(t *testing.T) {
	t.Parallel()
	fuzzed := map[string]bool{}
	for _, f := range goFiles(t) {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && f.test && strings.HasPrefix(fn.Name.Name, "Fuzz") {
				fuzzed[f.dir] = true
			}
		}
	}
	for _, dir := range parsers {
		if !fuzzed[dir] {
			t.Errorf("package %s parses hostile input and has no fuzz target", dir)
		}
	}
}

func TestEachPackageHasItsPlaceInTheDesign(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(testenv.Root(t), "docs", "design.md"))
	if err != nil {
		t.Fatal(err)
	}
	for dir := range mayImport {
		if dir != "examples" && !strings.Contains(string(text), "`"+dir+"`") {
			t.Errorf("docs/design.md does not say what package %s does", dir)
		}
	}
}

func TestEachPackageSaysWhatItDoes(t *testing.T) {
	t.Parallel()
	comment := map[string]string{}
	for _, f := range goFiles(t) {
		if !f.test {
			comment[f.dir] += f.ast.Doc.Text()
		}
	}
	for dir, text := range comment {
		if len(text) < 80 {
			t.Errorf("package %s: the package comment is missing or says too little: %q", dir, text)
		}
	}
}
