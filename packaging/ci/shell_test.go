package ci_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/testenv"
)

// scripts are all shell steps and scripts, by what to call them.
func scripts(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	var action githubAction
	parse(t, "github/action.yml", &action)
	for _, s := range action.Runs.Steps {
		found["github action "+s.Name] = s.Run
	}
	var workflow githubWorkflow
	parse(t, "github/runbooks.yml", &workflow)
	for name, job := range workflow.Jobs {
		for _, s := range job.Steps {
			if s.Run != "" {
				found["github "+name+" "+s.Name] = s.Run
			}
		}
	}
	for _, file := range []string{"writ.yml", "azure-pipelines.yml"} {
		var document any
		parse(t, "azure-pipelines/"+file, &document)
		collect(document, func(script string) { found[fmt.Sprintf("azure %s %d", file, len(found))] = script })
	}
	for name, job := range gitlabJobs(t) {
		if strings.HasPrefix(name, ".") { // it is in the others
			continue
		}
		found["gitlab "+name] = strings.Join(append(append([]string{}, job.BeforeScript...), job.Script...), "\n")
	}
	script, err := os.ReadFile("pre-commit/check-signed.sh")
	if err != nil {
		t.Fatal(err)
	}
	found["pre-commit"] = string(script)
	if len(found) < 11 {
		t.Fatalf("found %d scripts only", len(found))
	}
	return found
}

// collect finds the steps of bash in a document of Azure Pipelines.
func collect(node any, take func(string)) {
	switch node := node.(type) {
	case map[string]any:
		if script, ok := node["bash"].(string); ok {
			take(script)
		}
		for _, inner := range node {
			collect(inner, take)
		}
	case []any:
		for _, inner := range node {
			collect(inner, take)
		}
	}
}

// An expression in a script is put into it as text before the shell reads it: a
// branch could be named so that its name is run.
func TestAttackAnExpressionInAScript(t *testing.T) {
	t.Parallel()
	for name, script := range scripts(t) {
		if strings.Contains(script, "${{") {
			t.Errorf("%s has an expression in its script", name)
		}
		// Azure puts the values of variables in place of $(Name), where there is one.
		if m := regexp.MustCompile(`\$\([A-Za-z_.]+\)`).FindString(script); m != "" {
			t.Errorf("%s has the macro %s in its script", name, m)
		}
		if m := regexp.MustCompile(`\beval\b|bash -c|sh -c`).FindString(script); m != "" {
			t.Errorf("%s has %s", name, m)
		}
	}
}

// macOS has bash 3.2, which does not know these.
func TestTheScriptsAreForBash3Too(t *testing.T) {
	t.Parallel()
	newer := regexp.MustCompile(`\b(mapfile|readarray|coproc)\b|(declare|local|typeset) -[gAn]|\$\{[A-Za-z_]+(\[[^]]*\])?(,|\^|@[A-Za-z])|\|&|&>>|;;&|;&|wait -n|\$\{[A-Za-z_]+: -|printf '%\(|\[-[0-9]+\]`)
	for name, script := range scripts(t) {
		if m := newer.FindString(script); m != "" {
			t.Errorf("%s uses %q", name, m)
		}
	}
	for _, known := range []string{"mapfile -t x", "declare -A x", "${x,,}", "${x[@]@Q}", "${x[-1]}"} {
		if !newer.MatchString(known) {
			t.Errorf("the test does not find %q", known)
		}
	}
}

func TestShellcheckHasNothingToSayAgainstTheScripts(t *testing.T) {
	t.Parallel()
	shellcheck := testenv.Tool(t, "shellcheck")
	dir := t.TempDir()
	var files []string
	for name, script := range scripts(t) {
		if !strings.Contains(script, "set -euo pipefail\n") {
			t.Errorf("%s does not end at the first failure", name)
		}
		file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".sh")
		if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	if out, err := exec.Command(shellcheck, append([]string{"--shell=bash"}, files...)...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
