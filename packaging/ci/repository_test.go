// Package ci_test takes the shell steps out of the templates for pipelines, as
// they stand, and runs them with bash, git and writ on an example repository.
//
// What is around the steps is a stand-in of a few lines for each system: it puts
// inputs into the environment, decides which steps run, and reads their log. What
// GitHub, Azure DevOps or GitLab make of the rest of a file is not shown here.
package ci_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/runwrit/writ/internal/testenv"
)

// tools is what all tests share: the program, built once, a folder that writ init
// made, and two repositories in which nothing and everything is signed.
var tools struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if tools.dir != "" {
		_ = os.RemoveAll(tools.dir)
	}
	os.Exit(code)
}

// sharedDir is the folder of the tools: "writ", "demo", "unsigned" and "signed".
func sharedDir(t *testing.T) string {
	t.Helper()
	testenv.Tool(t, "git")
	tools.once.Do(func() {
		tools.dir, tools.err = os.MkdirTemp("", "writ-ci-") //nolint:usetesting // it outlives the test that is the first
		if tools.err == nil {
			tools.err = makeTools(tools.dir)
		}
	})
	if tools.err != nil {
		t.Fatal(tools.err)
	}
	return tools.dir
}

func makeTools(dir string) error {
	writ, demo := filepath.Join(dir, "writ"), filepath.Join(dir, "demo")
	if err := command("", "go", "build", "-o", writ, "github.com/runwrit/writ/cmd/writ"); err != nil {
		return err
	}
	if err := command(dir, writ, "init", demo); err != nil {
		return err
	}
	work, origin, keys := filepath.Join(dir, "unsigned", "work"), filepath.Join(dir, "unsigned", "group", "project.git"), filepath.Join(demo, "keys")
	for _, name := range []string{"runbooks", "trust", "policy"} {
		if err := os.CopyFS(filepath.Join(work, name), os.DirFS(filepath.Join(demo, name))); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(work, ".gitattributes"), []byte("runbooks/** -text\n"), 0o600); err != nil {
		return err
	}
	git := func(args ...string) []string {
		return append([]string{"git", "-c", "user.name=someone", "-c", "user.email=someone@example.test"}, args...)
	}
	begin := [][]string{
		git("init", "-q", "-b", "main", "."), git("add", "-A"), git("commit", "-q", "-m", "begin"),
		git("init", "-q", "--bare", origin), git("-C", origin, "config", "receive.advertisePushOptions", "true"),
		git("remote", "add", "origin", "../group/project.git"), git("push", "-q", "origin", "HEAD:refs/heads/main"),
	}
	for _, line := range begin {
		if err := command(work, line...); err != nil {
			return err
		}
	}
	if err := os.CopyFS(filepath.Join(dir, "signed"), os.DirFS(filepath.Join(dir, "unsigned"))); err != nil {
		return err
	}
	sign := [][]string{
		{writ, "sign", "--key", filepath.Join(keys, "codesign.key.pem"), "--cert", filepath.Join(keys, "codesign.pem"), "runbooks"},
		{writ, "sign", "--key", filepath.Join(keys, "openpgp.key.asc"), "runbooks/disk-report.sh", "runbooks/list-old-files.py"},
		git("add", "-A"), git("commit", "-q", "-m", "sign"), git("push", "-q", "origin", "HEAD:refs/heads/main"),
	}
	for _, line := range sign {
		if err := command(filepath.Join(dir, "signed", "work"), line...); err != nil {
			return err
		}
	}
	return nil
}

// command runs one command line that must not fail.
func command(dir string, line ...string) error {
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", line, err, out)
	}
	return nil
}

// repository is a clone as a pipeline has it, of an origin beside it.
type repository struct {
	t *testing.T
	// dir is the working directory, origin the bare repository that it is a clone
	// of, keys a folder outside of both, temp the pipeline's own.
	dir, origin, keys, temp string
	home                    string
	// calls is where the programs that a step starts write their command lines.
	calls string
	// program is writ, as a step is given it.
	program string
}

// newRepository makes a repository with runbooks, trust store and policy, nothing
// signed yet, and a branch main in its origin.
func newRepository(t *testing.T) *repository {
	t.Helper()
	return copyOf(t, "unsigned")
}

func copyOf(t *testing.T, which string) *repository {
	t.Helper()
	from, top := sharedDir(t), t.TempDir()
	if err := os.CopyFS(top, os.DirFS(filepath.Join(from, which))); err != nil {
		t.Fatal(err)
	}
	r := &repository{
		t: t, dir: filepath.Join(top, "work"), origin: filepath.Join(top, "group", "project.git"), keys: filepath.Join(from, "demo", "keys"), temp: filepath.Join(top, "temp"),
		home: filepath.Join(top, "home"), calls: filepath.Join(top, "calls"), program: filepath.Join(top, "bin", "writ"),
	}
	for _, dir := range []string{r.temp, r.home, filepath.Dir(r.program)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// These stand before the real ones and write down how they are called.
	for name, real := range map[string]string{"writ": filepath.Join(from, "writ"), "git": testenv.Tool(t, "git")} {
		text := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"%s $*\" >>%s\nexec %s \"$@\"\n", name, r.calls, real)
		testenv.WriteProgram(t, filepath.Join(filepath.Dir(r.program), name), []byte(text))
	}
	return r
}

// environment is what every step has: no variable of the machine but PATH.
func (r *repository) environment(more ...string) []string {
	return append([]string{
		"PATH=" + filepath.Dir(r.program) + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + r.home, "LC_ALL=C.UTF-8", "CI=true",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
	}, more...)
}

// git runs git as the people of the repository do.
func (r *repository) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=someone", "-c", "user.email=someone@example.test"}, args...)...)
	cmd.Dir, cmd.Env = r.dir, append(r.environment(), "PATH="+os.Getenv("PATH"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, stderr.Bytes())
	}
	return strings.TrimSpace(string(out))
}

// writ runs writ as the people of the repository do.
func (r *repository) writ(args ...string) {
	r.t.Helper()
	cmd := exec.Command(filepath.Join(sharedDir(r.t), "writ"), args...)
	cmd.Dir = r.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("writ %v: %v\n%s", args, err, out)
	}
}

func (r *repository) key(name string) string { return filepath.Join(r.keys, name) }

// secret is a PEM key, as a secret of the pipeline holds it.
func (r *repository) secret() string {
	r.t.Helper()
	text, err := os.ReadFile(r.key("codesign.key.pem"))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// wantNoSecret fails if a line of the key stands on a command line or in a log.
func (r *repository) wantNoSecret(log string) {
	r.t.Helper()
	said := r.called() + log
	for line := range strings.Lines(r.secret()) {
		if line = strings.TrimSpace(line); line != "" && strings.Contains(said, line) {
			r.t.Errorf("%q of the key stands in\n%s", line, said)
		}
	}
}

// standInForGo puts a program in the place of go, which writes down how and where it
// is called, and "installs" the writ that there is.
func (r *repository) standInForGo() {
	r.t.Helper()
	text := fmt.Sprintf("#!/bin/sh\necho \"go $* in $PWD\" >>%s\ncp %s \"$GOBIN/writ\"\n", r.calls, r.program)
	testenv.WriteProgram(r.t, filepath.Join(filepath.Dir(r.program), "go"), []byte(text))
}

// wantInstalled fails unless exactly this version was installed, and not from the
// repository, whose go.mod could say with what.
func (r *repository) wantInstalled() {
	r.t.Helper()
	var lines []string
	for line := range strings.Lines(r.called()) {
		if strings.HasPrefix(line, "go ") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "go install -tags cloudkms github.com/runwrit/writ/cmd/writ@v1.2.3 in ") || strings.Contains(lines[0], r.dir) {
		r.t.Errorf("go was called so: %q", lines)
	}
}

func (r *repository) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repository) read(name string) string {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, filepath.FromSlash(name)))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

func (r *repository) commit(message string) {
	r.t.Helper()
	r.git("add", "-A")
	r.git("commit", "-q", "-m", message)
}

// proposed is a repository in which main has everything signed. A change was made
// on a branch, and checked out is what a pipeline of GitHub or Azure checks out for
// it: its merge with main, with main as the first parent.
func proposed(t *testing.T, branch string, change func(r *repository)) *repository {
	t.Helper()
	r := copyOf(t, "signed")
	r.git("checkout", "-q", "-b", branch)
	change(r)
	r.commit("change")
	r.git("checkout", "-q", "--detach", "main")
	r.git("merge", "-q", "--no-ff", "-m", "merge", "refs/heads/"+branch)
	return r
}

// bash runs one step as a pipeline does: as a file.
func (r *repository) bash(options []string, script string, env ...string) (log string, code int) {
	r.t.Helper()
	file := filepath.Join(r.t.TempDir(), "step.sh")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(testenv.Tool(r.t, "bash"), append(append([]string{"--noprofile", "--norc"}, options...), file)...)
	cmd.Dir, cmd.Env = r.dir, r.environment(env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// called is every command line of writ and git that the steps started.
func (r *repository) called() string {
	text, err := os.ReadFile(r.calls)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// originMain is what main of the origin is.
func (r *repository) originMain() string {
	return r.git("-C", r.origin, "rev-parse", "refs/heads/main")
}

// wantVerified fails unless everything in main of the origin is signed by whom
// main's own trust store trusts.
func (r *repository) wantVerified() {
	r.t.Helper()
	fresh := filepath.Join(r.t.TempDir(), "fresh")
	r.git("clone", "-q", "-b", "main", "file://"+r.origin, fresh)
	r.writ("verify", "--trust", filepath.Join(fresh, "trust"), filepath.Join(fresh, "runbooks"))
}

// wantNothingRun fails if what a hostile name wanted to run has left its mark.
func (r *repository) wantNothingRun() {
	r.t.Helper()
	for _, dir := range []string{r.dir, r.temp, r.home, filepath.Join(r.dir, "runbooks")} {
		if _, err := os.Lstat(filepath.Join(dir, "pwned")); err == nil {
			r.t.Errorf("code in a name was run: it left %s", filepath.Join(dir, "pwned"))
		}
	}
}

// hostile are names of files that want to be options, commands of a shell, or
// commands of a pipeline. Each is a runbook that nobody signed.
func hostile() []string {
	return []string{
		"$(touch pwned).sh", "`touch pwned`.sh", "; touch pwned;.sh", "\"; touch pwned; \".sh", "'; touch pwned; '.sh", "--trust=evil.sh", "-o.sh", "* *.sh",
		"::stop-commands::x.sh", "##vso[task.complete result=Succeeded]x.sh", "##[set-output name=x]y.sh", "${{ github.token }}.sh", "$(Build.SourceBranch).sh",
	}
}

// hostileBranch is a branch that wants to be run.
const hostileBranch = "$(touch${IFS}pwned)"

// writeHostile writes a runbook under each hostile name, with this extension in
// place of its own unless it is "".
func (r *repository) writeHostile(extension, text string) {
	r.t.Helper()
	for _, name := range hostile() {
		if extension != "" {
			name = strings.TrimSuffix(name, ".sh") + extension
		}
		r.write("runbooks/"+name, text)
	}
}

// wantPushed fails unless the branch of the origin is what is checked out.
func (r *repository) wantPushed(branch string) {
	r.t.Helper()
	if got := r.git("-C", r.origin, "rev-parse", "refs/heads/"+branch); got != r.git("rev-parse", "HEAD") {
		r.t.Errorf("the branch of the origin is %s", got)
	}
}
