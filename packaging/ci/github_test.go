package ci_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/testenv"
)

// githubStep is what the stand-in reads of a step.
type githubStep struct {
	Name, ID, If, Uses, Shell, Run string
	Env, With                      map[string]string
}

type githubAction struct {
	Inputs map[string]struct{ Default string }
	Runs   struct{ Steps []githubStep }
}

type githubWorkflow struct {
	Permissions map[string]string
	Jobs        map[string]struct {
		Permissions map[string]string
		Environment string
		Steps       []githubStep
	}
}

func parse(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// githubRun is the stand-in for a runner of GitHub Actions: the values that
// expressions have, and what steps said.
type githubRun struct {
	*repository
	values map[string]string // of "inputs.paths", "github.ref_name"
	env    []string          // of the step that uses the action
	output string
}

func newGitHubRun(r *repository) *githubRun {
	g := &githubRun{repository: r, values: map[string]string{}, output: filepath.Join(r.temp, "output")}
	if err := os.WriteFile(g.output, nil, 0o600); err != nil {
		r.t.Fatal(err)
	}
	return g
}

var (
	githubExpression = regexp.MustCompile(`\$\{\{ *([a-z_.-]+) *\}\}`)
	githubCondition  = regexp.MustCompile(`^([a-z_.-]+) (==|!=) '([^']*)'$`)
)

// holds evaluates the conditions that our files have.
func (g *githubRun) holds(condition string) bool {
	for part := range strings.SplitSeq(condition, " && ") {
		if part == "" {
			continue
		}
		m := githubCondition.FindStringSubmatch(part)
		if m == nil {
			g.t.Fatalf("the stand-in does not know the condition %q", part)
		}
		if (g.values[m[1]] == m[3]) != (m[2] == "==") {
			return false
		}
	}
	return true
}

// step runs one step of a shell.
func (g *githubRun) step(s githubStep) (log string, code int) {
	if s.Shell != "bash" || !g.holds(s.If) {
		return "", 0
	}
	env := append([]string{
		"GITHUB_ACTIONS=true", "GITHUB_WORKSPACE=" + g.dir, "RUNNER_TEMP=" + g.temp, "GITHUB_OUTPUT=" + g.output,
	}, g.env...)
	for name, text := range s.Env {
		env = append(env, name+"="+githubExpression.ReplaceAllStringFunc(text, func(e string) string {
			return g.values[githubExpression.FindStringSubmatch(e)[1]]
		}))
	}
	return g.bash([]string{"-e", "-o", "pipefail"}, s.Run, env...)
}

// action runs our action with these inputs. A step that fails ends it.
func (g *githubRun) action(inputs map[string]string) (log string, code int) {
	g.t.Helper()
	var action githubAction
	parse(g.t, "github/action.yml", &action)
	for name, input := range action.Inputs {
		g.values["inputs."+name] = input.Default
	}
	all := map[string]string{"program": g.program, "paths": "runbooks\n", "trust": "trust"}
	maps.Copy(all, inputs)
	for name, value := range all {
		if _, known := action.Inputs[name]; !known {
			g.t.Fatalf("the action has no input %s", name)
		}
		g.values["inputs."+name] = value
	}
	for _, s := range action.Runs.Steps {
		said, code := g.step(s)
		log += said
		if code != 0 {
			return log, code
		}
	}
	return log, 0
}

// outputs are those that steps have written.
func (g *githubRun) outputs() map[string]string {
	text, err := os.ReadFile(g.output)
	if err != nil {
		g.t.Fatal(err)
	}
	found := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok {
			g.t.Fatalf("GITHUB_OUTPUT has the line %q", line)
		}
		found[name] = value
	}
	return found
}

// signAndCommit is the job "sign" of the example.
func (g *githubRun) signAndCommit(branch string) string {
	g.t.Helper()
	log := ""
	g.env = append(g.env, "SIGNING_KEY="+g.secret())
	for _, inputs := range []map[string]string{
		{"mode": "sign", "key": "env://SIGNING_KEY", "cert": g.key("codesign.pem")},
		{"mode": "sign", "key": g.key("openpgp.key.asc"), "paths": "runbooks/disk-report.sh\nrunbooks/list-old-files.py\n"},
	} {
		said, code := g.action(inputs)
		if log += said; code != 0 {
			g.t.Fatalf("exit code %d:\n%s", code, log)
		}
	}
	g.values["steps.sign.outputs.changed"], g.values["github.ref_name"] = g.outputs()["changed"], branch
	var example githubWorkflow
	parse(g.t, "github/runbooks.yml", &example)
	for _, s := range example.Jobs["sign"].Steps {
		said, code := g.step(s)
		if log += said; code != 0 {
			g.t.Fatalf("exit code %d:\n%s", code, log)
		}
	}
	return log
}

func TestGitHubSignsWhatIsMergedAndASecondRunChangesNothing(t *testing.T) {
	t.Parallel()
	g := newGitHubRun(newRepository(t))
	before := g.originMain()
	log := g.signAndCommit("main")
	if g.outputs()["changed"] != "true" || g.originMain() == before {
		t.Fatalf("nothing was committed:\n%s", log)
	}
	g.wantVerified()
	if found := testenv.GitHubCommands(log); len(found) != 0 {
		t.Errorf("annotations of a success: %v", found)
	}
	first := g.originMain()
	again := newGitHubRun(g.repository)
	log = again.signAndCommit("main")
	if again.outputs()["changed"] != "false" || g.originMain() != first || !strings.Contains(log, "unchanged 2") {
		t.Errorf("the second run changed something: %v\n%s", again.outputs(), log)
	}
	g.wantNoSecret(log)
}

func TestGitHubShowsWhatAPullRequestLeavesUnsigned(t *testing.T) {
	t.Parallel()
	r := proposed(t, "change", func(r *repository) {
		r.write("runbooks/new.ps1", "Get-Date\r\n")
		r.write("runbooks/Restart-Computer.ps1", strings.Replace(r.read("runbooks/Restart-Computer.ps1"), "Restart", "Stop", 1))
		r.write("runbooks/disk-report.sh", r.read("runbooks/disk-report.sh")+"# more\n")
	})
	g := newGitHubRun(r)
	log, code := g.action(map[string]string{"trust-ref": "HEAD^1", "sarif": "true"})
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	found := map[string]string{}
	for _, c := range testenv.GitHubCommands(log) {
		found[c.Properties["file"]+":"+c.Properties["line"]] = c.Name + " " + c.Properties["title"]
	}
	want := map[string]string{
		"runbooks/new.ps1:1": "error runbook is unsigned", "runbooks/Restart-Computer.ps1:1": "error runbook is stale", "runbooks/disk-report.sh:1": "error runbook is stale",
	}
	if !maps.Equal(found, want) {
		t.Errorf("got %v, want %v\n%s", found, want, log)
	}
	document, err := os.ReadFile(g.outputs()["sarif"])
	if err != nil || strings.Count(string(document), `"ruleId"`) != 3 || !strings.Contains(string(document), `"uri": "runbooks/new.ps1"`) {
		t.Errorf("the document for code scanning: %v\n%s", err, document)
	}
}

func TestGitHubIsContentWithAPullRequestThatIsSigned(t *testing.T) {
	t.Parallel()
	r := proposed(t, "change", func(r *repository) {
		r.write("runbooks/new.ps1", "Get-Date\r\n")
		r.writ("sign", "--key", r.key("codesign.key.pem"), "--cert", r.key("codesign.pem"), "runbooks/new.ps1")
	})
	g := newGitHubRun(r)
	log, code := g.action(map[string]string{"trust-ref": "HEAD^1", "sarif": "true", "policy": "policy"})
	if code != 0 || len(testenv.GitHubCommands(log)) != 0 {
		t.Errorf("exit code %d:\n%s", code, log)
	}
	if document, err := os.ReadFile(g.outputs()["sarif"]); err != nil || !strings.Contains(string(document), `"results": []`) {
		t.Errorf("%v\n%s", err, document)
	}
}

// A bundle lies beside a runbook of any type: one call signs all.
func TestGitHubSignsBundlesOfSigstore(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	if err := command(r.dir, "openssl", "pkey", "-in", r.key("codesign.key.pem"), "-pubout", "-out", "release.pub"); err != nil {
		t.Fatal(err)
	}
	r.write("trust/demo/sigstore/release.pub", r.read("release.pub"))
	if err := os.Remove(filepath.Join(r.dir, "release.pub")); err != nil {
		t.Fatal(err)
	}
	r.commit("trust the key for bundles too")
	g := newGitHubRun(r)
	g.env = []string{"SIGNING_KEY=" + r.secret()}
	if log, code := g.action(map[string]string{"mode": "sign", "key": "env://SIGNING_KEY", "format": "sigstore"}); code != 0 || !strings.Contains(log, "signed 4") {
		t.Fatalf("exit code %d:\n%s", code, log)
	}
	g.values["steps.sign.outputs.changed"], g.values["github.ref_name"] = g.outputs()["changed"], "main"
	var example githubWorkflow
	parse(t, "github/runbooks.yml", &example)
	for _, s := range example.Jobs["sign"].Steps {
		if log, code := g.step(s); code != 0 {
			t.Fatalf("exit code %d:\n%s", code, log)
		}
	}
	g.wantVerified()
	if log, code := newGitHubRun(r).action(map[string]string{"trust-ref": "HEAD"}); code != 0 {
		t.Errorf("exit code %d:\n%s", code, log)
	}
	r.write("runbooks/list-old-files.py", r.read("runbooks/list-old-files.py")+"# more\n")
	log, code := newGitHubRun(r).action(map[string]string{"trust-ref": "HEAD"})
	if found := testenv.GitHubCommands(log); code != 1 || len(found) != 1 || found[0].Properties["file"] != "runbooks/list-old-files.py" || found[0].Properties["title"] != "runbook is stale" {
		t.Errorf("exit code %d:\n%s", code, log)
	}
}

func TestGitHubFailsForAPolicyThatIsNotWellMade(t *testing.T) {
	t.Parallel()
	r := proposed(t, "change", func(r *repository) { r.write("policy/grants.yaml", "version: 1\nsurprise: true\n") })
	if log, code := newGitHubRun(r).action(map[string]string{"trust-ref": "HEAD^1", "policy": "policy"}); code == 0 {
		t.Errorf("exit code 0:\n%s", log)
	}
}

func TestAttackAPullRequestTrustsItsOwnKeyOnGitHub(t *testing.T) {
	t.Parallel()
	r := trustOwnKey(t)
	if log, code := newGitHubRun(r).action(map[string]string{"trust-ref": "HEAD^1"}); code != 1 || len(testenv.GitHubCommands(log)) != 1 {
		t.Errorf("exit code %d:\n%s", code, log)
	}
}

// trustOwnKey proposes a runbook that is signed with a key of the author's own,
// and puts that key into the trust store too.
func trustOwnKey(t *testing.T) *repository {
	return proposed(t, "change", func(r *repository) {
		own := t.TempDir()
		r.writ("init", filepath.Join(own, "demo"))
		r.write("runbooks/new.ps1", "Get-Date\r\n")
		r.writ("sign", "--key", filepath.Join(own, "demo/keys/codesign.key.pem"), "--cert", filepath.Join(own, "demo/keys/codesign.pem"), "runbooks/new.ps1")
		if err := os.CopyFS(filepath.Join(r.dir, "trust", "own"), os.DirFS(filepath.Join(own, "demo", "trust", "demo"))); err != nil {
			t.Fatal(err)
		}
		r.writ("sign", "--check", "--trust", "trust", "runbooks") // so it would pass
	})
}

func TestAttackNamesOnGitHub(t *testing.T) {
	t.Parallel()
	r := proposed(t, hostileBranch, func(r *repository) { r.writeHostile("", "echo hello\n") })
	g := newGitHubRun(r)
	g.env = []string{"GITHUB_HEAD_REF=" + hostileBranch, "GITHUB_REF_NAME=1/merge"}
	log, code := g.action(map[string]string{"trust-ref": "HEAD^1", "sarif": "true"})
	if code != 1 {
		t.Errorf("exit code %d:\n%s", code, log)
	}
	commands := testenv.GitHubCommands(log)
	for _, c := range commands {
		if c.Name != "error" || c.Properties["title"] != "runbook is unsigned" && c.Properties["title"] != "more than can be shown here" {
			t.Errorf("a command that is not ours: %v", c)
		}
	}
	if len(commands) != 10 || len(g.outputs()) != 1 {
		t.Errorf("%d annotations, outputs %q", len(commands), g.outputs())
	}
	g.wantNothingRun()
}

// After the merge the same names are signed and committed, on a branch of such a
// name, behind a commit message of such a kind.
func TestAttackNamesWhenGitHubSigns(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	r.writeHostile(".ps1", "Get-Date\r\n")
	r.commit("$(touch pwned)\n\n::error::x\n`touch pwned` ${{ github.token }}")
	g := newGitHubRun(r)
	log := g.signAndCommit(hostileBranch)
	if len(testenv.GitHubCommands(log)) != 0 {
		t.Errorf("commands: %v", testenv.GitHubCommands(log))
	}
	r.wantPushed(hostileBranch)
	g.wantNothingRun()
}

func TestTheActionRefusesWhatItIsNotFor(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	head := r.git("status", "--porcelain") + r.git("rev-parse", "HEAD")
	secret := "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIG\n-----END PRIVATE KEY-----\n"
	for what, inputs := range map[string]map[string]string{
		"a mode that there is not":         {"mode": "verify"},
		"a key in place of its URI":        {"mode": "sign", "key": secret},
		"neither version nor program":      {"program": ""},
		"a relative program":               {"program": "bin/writ"},
		"a trust store that is not there":  {"trust": "nowhere"},
		"the same in the base":             {"trust": "nowhere", "trust-ref": "HEAD"},
		"a commit that is not there":       {"trust-ref": "nowhere"},
		"a commit that is an option":       {"trust-ref": "--output=pwned"},
		"no path":                          {"paths": "\n"},
		"a path that is an option":         {"paths": "--trust=evil"},
		"a format that there is not":       {"format": "pgp"},
		"a key that is not there":          {"mode": "sign", "key": "none.pem"},
		"an argument that there is not":    {"mode": "sign", "key": "none.pem", "arguments": "--nothing"},
		"a variable that nobody has set":   {"mode": "sign", "key": "none.pem", "passphrase-env": "NOT_SET"},
		"no key where one is to be signed": {"mode": "sign"},
	} {
		t.Run(what, func(t *testing.T) {
			log, code := newGitHubRun(r).action(inputs)
			if code == 0 {
				t.Errorf("exit code 0:\n%s", log)
			}
			if strings.Contains(log, "MC4CAQ") {
				t.Errorf("the key is in the log:\n%s", log)
			}
			if after := r.git("status", "--porcelain") + r.git("rev-parse", "HEAD"); after != head {
				t.Errorf("it changed the repository: %s", after)
			}
			r.wantNothingRun()
		})
	}
	t.Run("a checkout without the commit before", func(t *testing.T) {
		shallow := *r
		shallow.dir = filepath.Join(t.TempDir(), "shallow")
		r.git("clone", "-q", "--depth=1", "file://"+r.origin, shallow.dir)
		if log, code := newGitHubRun(&shallow).action(map[string]string{"trust-ref": "HEAD^1"}); code != 2 || !strings.Contains(log, "fetch-depth: 2") {
			t.Errorf("exit code %d:\n%s", code, log)
		}
	})
	t.Run("a program in the repository", func(t *testing.T) {
		testenv.WriteProgram(t, filepath.Join(r.dir, "writ"), []byte("#!/bin/sh\ntouch pwned\n"))
		if log, code := newGitHubRun(r).action(map[string]string{"program": filepath.Join(r.dir, "writ")}); code == 0 {
			t.Errorf("exit code 0:\n%s", log)
		}
		r.wantNothingRun()
	})
}

// A tag can be moved to other code; a job has no right that it does not need.
func TestTheExampleForGitHubPinsActionsAndAsksForLittle(t *testing.T) {
	t.Parallel()
	var example githubWorkflow
	parse(t, "github/runbooks.yml", &example)
	if example.Permissions == nil || len(example.Permissions) != 0 {
		t.Errorf("the workflow has permissions for all jobs: %v", example.Permissions)
	}
	want := map[string]map[string]string{
		"check": {"contents": "read", "security-events": "write"},
		"sign":  {"contents": "write", "id-token": "write"},
	}
	pinned := regexp.MustCompile(`^[a-z/-]+@[0-9a-f]{40}$`)
	for name, job := range example.Jobs {
		if !maps.Equal(job.Permissions, want[name]) {
			t.Errorf("the job %s has the permissions %v", name, job.Permissions)
		}
		for _, s := range job.Steps {
			if s.Uses != "" && !pinned.MatchString(s.Uses) {
				t.Errorf("%s is not pinned by commit", s.Uses)
			}
		}
	}
	if example.Jobs["sign"].Environment == "" || example.Jobs["check"].Environment != "" {
		t.Error("the secrets are not those of an environment that only signing has")
	}
}

func TestTheExamplesGiveOnlyWhatTheTemplatesTake(t *testing.T) {
	t.Parallel()
	var action githubAction
	parse(t, "github/action.yml", &action)
	var example githubWorkflow
	parse(t, "github/runbooks.yml", &example)
	uses := 0
	for _, job := range example.Jobs {
		for _, s := range job.Steps {
			if !strings.HasPrefix(s.Uses, "runwrit/writ/") {
				continue
			}
			uses++
			for name := range s.With {
				if _, known := action.Inputs[name]; !known {
					t.Errorf("the action has no input %s", name)
				}
			}
		}
	}
	var template struct{ Parameters []struct{ Name string } }
	parse(t, "azure-pipelines/writ.yml", &template)
	known := map[string]bool{}
	for _, p := range template.Parameters {
		known[p.Name] = true
	}
	for _, job := range []string{"check", "sign"} {
		for _, one := range azureJob(t, job) {
			step, _ := one.(map[string]any)
			parameters, _ := step["parameters"].(map[string]any)
			for name := range parameters {
				if uses++; !known[name] {
					t.Errorf("the template has no parameter %s", name)
				}
			}
		}
	}
	if uses < 10 {
		t.Errorf("found %d uses only", uses)
	}
}
