package ci_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
)

// hook runs the script of the hook as pre-commit calls it.
func (r *repository) hook(args ...string) (log string, code int) {
	r.t.Helper()
	script, err := filepath.Abs("pre-commit/check-signed.sh")
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(script, args...)
	cmd.Dir, cmd.Env = r.dir, r.environment()
	out, _ := cmd.CombinedOutput() // the exit code says what came of it
	return string(out), cmd.ProcessState.ExitCode()
}

func TestTheHookChecksTheFilesThatItIsGiven(t *testing.T) {
	t.Parallel()
	r := copyOf(t, "signed")
	r.write("runbooks/new.ps1", "Get-Date\r\n")
	r.write("runbooks/-x.sh", "echo hello\n")
	for _, c := range []struct {
		what string
		args []string
		code int
		says string
	}{
		{"signed files", []string{"--trust", "trust", "--", "runbooks/Restart-Computer.ps1", "runbooks/disk-report.sh"}, 0, ""},
		{"a document stands for its runbook", []string{"--trust", "trust", "--", "runbooks/disk-report.sh.asc"}, 0, ""},
		{"a document without a runbook is none of its business", []string{"--trust", "trust", "--", "trust/demo/openpgp/signer.asc"}, 0, ""},
		{"no file at all", []string{"--trust", "trust", "--"}, 0, ""},
		{"an unsigned file", []string{"--trust", "trust", "--", "runbooks/Restart-Computer.ps1", "runbooks/new.ps1"}, 1, "unsigned  ./runbooks/new.ps1"},
		{"a name that is an option", []string{"--trust", "trust", "--", "runbooks/-x.sh"}, 1, "unsigned  ./runbooks/-x.sh"},
		{"args without an end", []string{"--trust", "trust", "runbooks/new.ps1"}, 2, "must end with"},
		{"nobody to trust", []string{"--", "runbooks/Restart-Computer.ps1"}, 2, "whom to trust"},
	} {
		if log, code := r.hook(c.args...); code != c.code || !strings.Contains(log, c.says) {
			t.Errorf("%s: exit code %d:\n%s", c.what, code, log)
		}
	}
	t.Run("a name that is an option, where it lies at the top", func(t *testing.T) {
		r.write("--trust=evil.sh", "echo hello\n")
		if log, code := r.hook("--trust", "trust", "--", "--trust=evil.sh"); code != 1 || !strings.Contains(log, "unsigned  ./--trust=evil.sh") {
			t.Errorf("exit code %d:\n%s", code, log)
		}
	})
}

// pre-commit itself, from its Debian package, with our hook from a repository.
func TestPreCommitKeepsAnUnsignedRunbookOutOfACommit(t *testing.T) {
	t.Parallel()
	program := testenv.Tool(t, "pre-commit")
	r := copyOf(t, "signed")
	hooks := &repository{t: t, dir: filepath.Join(t.TempDir(), "hooks"), program: r.program, home: r.home}
	text, err := os.ReadFile("../../.pre-commit-hooks.yaml")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("pre-commit/check-signed.sh")
	if err != nil {
		t.Fatal(err)
	}
	hooks.write(".pre-commit-hooks.yaml", string(text))
	hooks.write("packaging/ci/pre-commit/check-signed.sh", string(script))
	if err := os.Chmod(filepath.Join(hooks.dir, "packaging/ci/pre-commit/check-signed.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	hooks.git("init", "-q", "-b", "main", ".")
	hooks.commit("hooks")
	r.write(".pre-commit-config.yaml", "repos:\n- repo: file://"+hooks.dir+"\n  rev: "+hooks.git("rev-parse", "HEAD")+"\n  hooks:\n  - id: writ-check-signed\n")
	r.write("runbooks/signed.ps1", "Get-Date\r\n")
	r.writ("sign", "--key", r.key("codesign.key.pem"), "--cert", r.key("codesign.pem"), "runbooks/signed.ps1")
	r.git("add", "-A")
	precommit := func() (string, int) {
		cmd := exec.Command(program, "run")
		cmd.Dir, cmd.Env = r.dir, r.environment("PRE_COMMIT_HOME="+filepath.Join(r.home, "pre-commit"))
		out, _ := cmd.CombinedOutput() // the exit code says what came of it
		return string(out), cmd.ProcessState.ExitCode()
	}
	if log, code := precommit(); code != 0 || !strings.Contains(log, "Passed") {
		t.Errorf("everything is signed, exit code %d:\n%s", code, log)
	}
	r.commit("sign")
	r.write("runbooks/$(touch pwned).ps1", "Get-Date\r\n")
	r.git("add", "-A")
	if log, code := precommit(); code != 1 || !strings.Contains(log, "unsigned  ./runbooks/$(touch pwned).ps1") {
		t.Errorf("exit code %d:\n%s", code, log)
	}
	r.wantNothingRun()
}

// A type of runbook that the hook does not look at would go past it.
func TestTheHookKnowsEachTypeOfRunbook(t *testing.T) {
	t.Parallel()
	var hooks []struct{ Files, Entry string }
	parse(t, "../../.pre-commit-hooks.yaml", &hooks)
	if len(hooks) != 1 {
		t.Fatalf("%d hooks", len(hooks))
	}
	files, err := regexp.Compile(hooks[0].Files)
	if err != nil {
		t.Fatal(err)
	}
	for _, ext := range []string{".ps1", ".psm1", ".psd1", ".ps1xml", ".psc1", ".cdxml", ".mof", ".vbs", ".vbe", ".js", ".jse", ".wsf", ".sh", ".bash", ".py", ".pl", ".rb"} {
		if !runbook.KindOf("x" + ext).Runnable() {
			t.Errorf("%s is no runbook any more", ext)
		}
	}
	// Every ending of up to six letters that some runbook may have.
	for _, name := range endings() {
		if kind := runbook.KindOf("x." + name); kind.Runnable() != files.MatchString("a/x."+strings.ToUpper(name)) {
			t.Errorf("x.%s is of the kind %s, and the hook says otherwise", name, kind)
		}
	}
	if info, err := os.Stat(filepath.Join("../..", hooks[0].Entry)); err != nil || info.Mode().Perm()&0o111 == 0 {
		t.Errorf("%s cannot be run: %v", hooks[0].Entry, err)
	}
}

// endings are those of files that scripts are known by, runbooks of writ or not.
func endings() []string {
	return strings.Fields("ps1 psm1 psd1 ps1xml psc1 cdxml mof vbs vbe js jse wsf sh bash py pl rb zsh ksh fish bat cmd psrc pssc lua php ts mjs cjs pm tcl awk sed txt md yaml json xml exe dll msi cat")
}
