package ci_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/testenv"
)

// azureRun is the stand-in for an agent of Azure Pipelines.
type azureRun struct {
	*repository
	parameters map[string]string
	secrets    map[string]string
	env        []string
}

var (
	azureParameter = regexp.MustCompile(`\$\{\{ *parameters\.([A-Za-z]+) *\}\}`)
	azureIf        = regexp.MustCompile(`^\$\{\{ if (.*) \}\}$`)
	azureCompare   = regexp.MustCompile(`(eq|ne)\(parameters\.([A-Za-z]+), '([^']*)'\)`)
)

// steps runs the steps of a list. A step that fails ends it.
func (a *azureRun) steps(list []any) (log string, code int) {
	a.t.Helper()
	for _, one := range list {
		step, ok := one.(map[string]any)
		if !ok {
			a.t.Fatalf("a step is %T", one)
		}
		said, code := "", 0
		if script, ok := step["bash"].(string); ok {
			said, code = a.step(script, step["env"])
		}
		for key, inner := range step {
			if m := azureIf.FindStringSubmatch(key); m != nil && a.holds(m[1]) {
				said, code = a.steps(inner.([]any))
			}
		}
		log += said
		if code != 0 {
			return log, code
		}
	}
	return log, 0
}

// holds evaluates the conditions that our template has: all parts must hold.
func (a *azureRun) holds(condition string) bool {
	parts := azureCompare.FindAllStringSubmatch(condition, -1)
	rest := azureCompare.ReplaceAllString(condition, "")
	if len(parts) == 0 || rest != "" && rest != "and(, )" {
		a.t.Fatalf("the stand-in does not know the condition %q", condition)
	}
	for _, p := range parts {
		if (a.parameters[p[2]] == p[3]) != (p[1] == "eq") {
			return false
		}
	}
	return true
}

func (a *azureRun) step(script string, environment any) (log string, code int) {
	a.t.Helper()
	env := append([]string{"TF_BUILD=True", "BUILD_SOURCESDIRECTORY=" + a.dir, "AGENT_TEMPDIRECTORY=" + a.temp}, a.env...)
	list, _ := environment.(map[string]any)
	for name, value := range list {
		if strings.HasPrefix(name, "${{ each secret in parameters.secretEnv") {
			for secret, text := range a.secrets {
				env = append(env, secret+"="+text)
			}
			continue
		}
		env = append(env, name+"="+azureParameter.ReplaceAllStringFunc(fmt.Sprint(value), func(e string) string {
			return a.parameters[azureParameter.FindStringSubmatch(e)[1]]
		}))
	}
	return a.bash(nil, script, env...)
}

// template runs our template with these parameters.
func (a *azureRun) template(parameters map[string]string) (log string, code int) {
	a.t.Helper()
	var template struct {
		Parameters []struct {
			Name    string
			Default any
		}
		Steps []any
	}
	parse(a.t, "azure-pipelines/writ.yml", &template)
	a.parameters = map[string]string{}
	for _, p := range template.Parameters {
		a.parameters[p.Name] = ""
		if text, ok := p.Default.(string); ok {
			a.parameters[p.Name] = text
		}
	}
	all := map[string]string{"program": a.program, "paths": "runbooks", "trust": "trust"}
	maps.Copy(all, parameters)
	for name, value := range all {
		if _, known := a.parameters[name]; !known {
			a.t.Fatalf("the template has no parameter %s", name)
		}
		a.parameters[name] = value
	}
	return a.steps(template.Steps)
}

// signAndCommit is the job "sign" of the example.
func (a *azureRun) signAndCommit() string {
	a.t.Helper()
	log := ""
	a.secrets = map[string]string{"SIGNING_KEY": a.secret()}
	for _, parameters := range []map[string]string{
		{"mode": "sign", "key": "env://SIGNING_KEY", "cert": a.key("codesign.pem")},
		{"mode": "sign", "key": a.key("openpgp.key.asc"), "paths": "runbooks/disk-report.sh\nrunbooks/list-old-files.py\n"},
	} {
		said, code := a.template(parameters)
		if log += said; code != 0 {
			a.t.Fatalf("exit code %d:\n%s", code, log)
		}
	}
	said, code := a.steps(azureJob(a.t, "sign"))
	if log += said; code != 0 {
		a.t.Fatalf("exit code %d:\n%s", code, log)
	}
	return log
}

func azureJob(t *testing.T, name string) []any {
	t.Helper()
	var example struct {
		Jobs []struct {
			Job   string
			Steps []any
		}
	}
	parse(t, "azure-pipelines/azure-pipelines.yml", &example)
	for _, j := range example.Jobs {
		if j.Job == name {
			return j.Steps
		}
	}
	t.Fatalf("there is no job %s", name)
	return nil
}

func TestAzureSignsWhatIsMergedAndASecondRunChangesNothing(t *testing.T) {
	t.Parallel()
	a := &azureRun{repository: newRepository(t), env: []string{"BUILD_SOURCEBRANCH=refs/heads/main"}}
	before := a.originMain()
	log := a.signAndCommit()
	first := a.originMain()
	if first == before || !strings.Contains(a.git("log", "-1", "--format=%s"), "[skip ci]") {
		t.Errorf("nothing was committed:\n%s", log)
	}
	a.wantVerified()
	if found := testenv.AzureCommands(log); len(found) != 0 {
		t.Errorf("issues of a success: %v", found)
	}
	if log := a.signAndCommit(); a.originMain() != first || !strings.Contains(log, "unchanged 2") {
		t.Errorf("the second run changed something:\n%s", log)
	}
	a.wantNoSecret(log)
}

func TestAzureShowsWhatAPullRequestLeavesUnsigned(t *testing.T) {
	t.Parallel()
	r := proposed(t, "change", func(r *repository) {
		r.write("runbooks/new.ps1", "Get-Date\r\n")
		r.write("runbooks/Restart-Computer.ps1", strings.Replace(r.read("runbooks/Restart-Computer.ps1"), "Restart", "Stop", 1))
	})
	a := &azureRun{repository: r}
	log, code := a.template(map[string]string{"trustRef": "HEAD^1"})
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	found := map[string]string{}
	for _, c := range testenv.AzureCommands(log) {
		found[c.Properties["sourcepath"]+":"+c.Properties["linenumber"]] = c.Name + " " + c.Properties["type"] + " " + c.Properties["code"]
	}
	want := map[string]string{"runbooks/new.ps1:1": "task.logissue error unsigned", "runbooks/Restart-Computer.ps1:1": "task.logissue error stale"}
	if !maps.Equal(found, want) {
		t.Errorf("got %v, want %v\n%s", found, want, log)
	}
	document, err := os.ReadFile(filepath.Join(r.temp, "writ-sarif", "writ.sarif"))
	if err != nil || strings.Count(string(document), `"ruleId"`) != 2 {
		t.Errorf("%v\n%s", err, document)
	}
}

func TestAzureIsContentWithAPullRequestThatIsSigned(t *testing.T) {
	t.Parallel()
	r := proposed(t, "change", func(r *repository) { r.write("README.md", "# Runbooks\n") })
	a := &azureRun{repository: r}
	if log, code := a.template(map[string]string{"trustRef": "HEAD^1", "policy": "policy"}); code != 0 || len(testenv.AzureCommands(log)) != 0 {
		t.Errorf("exit code %d:\n%s", code, log)
	}
}

func TestAttackAPullRequestTrustsItsOwnKeyOnAzure(t *testing.T) {
	t.Parallel()
	r := trustOwnKey(t)
	if log, code := (&azureRun{repository: r}).template(map[string]string{"trustRef": "HEAD^1"}); code != 1 || len(testenv.AzureCommands(log)) != 1 {
		t.Errorf("exit code %d:\n%s", code, log)
	}
}

func TestAttackNamesOnAzure(t *testing.T) {
	t.Parallel()
	r := proposed(t, hostileBranch, func(r *repository) { r.writeHostile("", "echo hello\n") })
	a := &azureRun{repository: r, env: []string{"BUILD_SOURCEBRANCH=refs/heads/" + hostileBranch, "BUILD_SOURCEVERSIONMESSAGE=##vso[task.complete result=Succeeded]$(touch pwned)"}}
	log, code := a.template(map[string]string{"trustRef": "HEAD^1"})
	commands := testenv.AzureCommands(log)
	if code != 1 || len(commands) != 10 {
		t.Errorf("exit code %d, %d commands:\n%s", code, len(commands), log)
	}
	for _, c := range commands {
		if c.Name != "task.logissue" || c.Properties["type"] != "error" || c.Properties["code"] != "unsigned" && c.Properties["code"] != "more" {
			t.Errorf("a command that is not ours: %v", c)
		}
	}
	a.writeHostile(".ps1", "Get-Date\r\n")
	if log := a.signAndCommit(); len(testenv.AzureCommands(log)) != 0 {
		t.Errorf("commands: %v", testenv.AzureCommands(log))
	}
	r.wantPushed(hostileBranch)
	a.wantNothingRun()
}

func TestTheTemplateForAzureKeepsSecretsOffCommandLines(t *testing.T) {
	t.Parallel()
	a := &azureRun{repository: newRepository(t), secrets: map[string]string{"SIGNING_KEY": "very secret", "PASSPHRASE": "very secret"}}
	log, code := a.template(map[string]string{"mode": "sign", "key": a.key("codesign.key.pem"), "cert": a.key("codesign.pem"), "passphraseEnv": "PASSPHRASE"})
	if code != 0 {
		t.Errorf("exit code %d:\n%s", code, log)
	}
	if called := a.called(); !strings.Contains(called, "--passphrase-env PASSPHRASE") || strings.Contains(called+log, "very secret") {
		t.Errorf("%s\n%s", called, log)
	}
	secret := "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----\n"
	if log, code := a.template(map[string]string{"mode": "sign", "key": secret}); code == 0 || strings.Contains(log+a.called(), "MHcCAQEE") {
		t.Errorf("a key in place of its URI: exit code %d:\n%s", code, log)
	}
}
