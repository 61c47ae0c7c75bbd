package ci_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// gitlabJob is what the stand-in reads of a job.
type gitlabJob struct {
	Variables    map[string]string
	BeforeScript []string `yaml:"before_script"`
	Script       []string
}

// gitlabJobs are the jobs of our file; what they extend is in them.
func gitlabJobs(t *testing.T) map[string]gitlabJob {
	t.Helper()
	var jobs map[string]gitlabJob
	parse(t, "gitlab/runbooks.gitlab-ci.yml", &jobs)
	base := jobs[".writ"]
	for name, job := range jobs {
		variables := maps.Clone(base.Variables)
		maps.Copy(variables, job.Variables)
		job.Variables, job.BeforeScript = variables, base.BeforeScript
		jobs[name] = job
	}
	return jobs
}

// gitlab is the stand-in for a runner of GitLab: it runs before_script and script
// as one script.
func (r *repository) gitlab(job string, variables map[string]string, env ...string) (log string, code int) {
	r.t.Helper()
	j, known := gitlabJobs(r.t)[job]
	if !known {
		r.t.Fatalf("there is no job %s", job)
	}
	project := filepath.Dir(filepath.Dir(r.origin))
	env = append(env, "GITLAB_CI=true", "CI_PROJECT_DIR="+r.dir, "CI_DEFAULT_BRANCH=main", "CI_SERVER_URL=file://"+project, "CI_PROJECT_PATH=group/project")
	all := maps.Clone(j.Variables)
	all["WRIT_PROGRAM"] = r.program
	maps.Copy(all, variables)
	for name, value := range all {
		env = append(env, name+"="+value)
	}
	return r.bash([]string{"-e", "-o", "pipefail"}, strings.Join(append(append([]string{}, j.BeforeScript...), j.Script...), "\n"), env...)
}

// gitlabSigns is the job that signs, once with each key.
func (r *repository) gitlabSigns(branch string) string {
	r.t.Helper()
	log := ""
	for _, variables := range []map[string]string{
		{"WRIT_KEY": "env://SIGNING_KEY", "WRIT_CERT": r.key("codesign.pem")},
		{"WRIT_KEY": r.key("openpgp.key.asc"), "WRIT_PATHS": "runbooks/disk-report.sh runbooks/list-old-files.py", "WRIT_ARGUMENTS": "--runbook-version 1.4 --namespace prod"},
	} {
		said, code := r.gitlab("writ-sign", variables, "CI_COMMIT_BRANCH="+branch, "WRIT_PUSH_TOKEN=very secret", "SIGNING_KEY="+r.secret())
		if log += said; code != 0 {
			r.t.Fatalf("exit code %d:\n%s", code, log)
		}
	}
	return log
}

func TestGitLabSignsWhatIsMergedAndASecondRunChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	before := r.originMain()
	log := r.gitlabSigns("main")
	first := r.originMain()
	if first == before {
		t.Errorf("nothing was committed:\n%s", log)
	}
	r.wantVerified()
	if log := r.gitlabSigns("main"); r.originMain() != first || strings.Count(log, "unchanged") != 4 {
		t.Errorf("the second run changed something:\n%s", log)
	}
	r.wantNoSecret(log)
	if called := r.called(); strings.Contains(called+log, "very secret") || !strings.Contains(called, "push -o ci.skip") {
		t.Errorf("%s\n%s", called, log)
	}
}

type gitlabIssue struct {
	CheckName string `json:"check_name"`
	Location  struct {
		Path  string
		Lines struct{ Begin int }
	}
}

func (r *repository) gitlabReport() map[string]string {
	r.t.Helper()
	var issues []gitlabIssue
	if err := json.Unmarshal([]byte(r.read("writ-code-quality.json")), &issues); err != nil {
		r.t.Fatal(err)
	}
	found := map[string]string{}
	for _, i := range issues {
		found[fmt.Sprintf("%s:%d", i.Location.Path, i.Location.Lines.Begin)] = i.CheckName
	}
	return found
}

func TestGitLabShowsWhatAMergeRequestLeavesUnsigned(t *testing.T) {
	t.Parallel()
	r := proposed(t, "change", func(r *repository) {
		r.write("runbooks/new.ps1", "Get-Date\r\n")
		r.write("runbooks/Restart-Computer.ps1", strings.Replace(r.read("runbooks/Restart-Computer.ps1"), "Restart", "Stop", 1))
	})
	r.git("checkout", "-q", "change") // GitLab checks out the branch
	log, code := r.gitlab("writ-check", nil, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	want := map[string]string{"runbooks/new.ps1:1": "unsigned", "runbooks/Restart-Computer.ps1:1": "stale"}
	if found := r.gitlabReport(); !maps.Equal(found, want) {
		t.Errorf("got %v, want %v\n%s", found, want, log)
	}
	if n := strings.Count(r.read("writ.sarif"), `"ruleId"`); n != 2 {
		t.Errorf("writ.sarif has %d results", n)
	}
}

func TestGitLabIsContentWithAMergeRequestThatIsSigned(t *testing.T) {
	t.Parallel()
	r := proposed(t, "change", func(r *repository) { r.write("README.md", "# Runbooks\n") })
	if log, code := r.gitlab("writ-check", nil, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main"); code != 0 || len(r.gitlabReport()) != 0 {
		t.Errorf("exit code %d:\n%s", code, log)
	}
}

func TestAttackAMergeRequestTrustsItsOwnKeyOnGitLab(t *testing.T) {
	t.Parallel()
	r := trustOwnKey(t)
	r.git("checkout", "-q", "change")
	if log, code := r.gitlab("writ-check", nil, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main"); code != 1 || len(r.gitlabReport()) != 1 {
		t.Errorf("exit code %d:\n%s", code, log)
	}
}

func TestAttackNamesOnGitLab(t *testing.T) {
	t.Parallel()
	r := proposed(t, hostileBranch, func(r *repository) { r.writeHostile("", "echo hello\n") })
	r.git("push", "-q", "origin", "main:refs/heads/"+hostileBranch)
	log, code := r.gitlab("writ-check", nil, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME="+hostileBranch, "CI_COMMIT_MESSAGE=$(touch pwned)", "CI_MERGE_REQUEST_TITLE=`touch pwned`")
	if code != 1 || len(r.gitlabReport()) != len(hostile()) {
		t.Errorf("exit code %d, %d issues:\n%s", code, len(r.gitlabReport()), log)
	}
	r.writeHostile(".ps1", "Get-Date\r\n")
	r.gitlabSigns(hostileBranch)
	r.wantPushed(hostileBranch)
	r.wantNothingRun()
}

func TestAttackALinkInPlaceOfTheReportOnGitLab(t *testing.T) {
	t.Parallel()
	target := filepath.Join(t.TempDir(), ".bashrc")
	if err := os.WriteFile(target, []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := proposed(t, "change", func(r *repository) {
		for _, name := range []string{"writ-code-quality.json", "writ.sarif"} {
			if err := os.Symlink(target, filepath.Join(r.dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	})
	if log, code := r.gitlab("writ-check", nil, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main"); code != 0 {
		t.Errorf("exit code %d:\n%s", code, log)
	}
	if text, err := os.ReadFile(target); err != nil || string(text) != "# mine\n" {
		t.Errorf("the file that the link leads to is %q: %v", text, err)
	}
}

func TestTheJobsForGitLabRefuseWhatTheyAreNotFor(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	own := filepath.Join(r.dir, "writ")
	for what, variables := range map[string]map[string]string{
		"a key in place of its URI":   {"WRIT_KEY": "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n"},
		"neither version nor program": {"WRIT_PROGRAM": ""},
		"a relative program":          {"WRIT_PROGRAM": "./writ"},
		"a program in the repository": {"WRIT_PROGRAM": own},
		"no key":                      {},
		"no path":                     {"WRIT_PATHS": "", "WRIT_KEY": r.key("openpgp.key.asc")},
	} {
		before := r.originMain() + r.git("status", "--porcelain")
		log, code := r.gitlab("writ-sign", variables, "CI_COMMIT_BRANCH=main", "WRIT_PUSH_TOKEN=x")
		if code == 0 || strings.Contains(log, "MC4CAQ") {
			t.Errorf("%s: exit code %d:\n%s", what, code, log)
		}
		if after := r.originMain() + r.git("status", "--porcelain"); after != before {
			t.Errorf("%s: the repository changed: %s", what, after)
		}
	}
}
