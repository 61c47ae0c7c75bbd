package ci_test

import "testing"

func TestTheTemplatesInstallTheVersionThatIsAskedFor(t *testing.T) {
	t.Parallel()
	for system, run := range map[string]func(r *repository) (string, int){
		"GitHub": func(r *repository) (string, int) {
			return newGitHubRun(r).action(map[string]string{"program": "", "version": "v1.2.3", "build-tags": "cloudkms"})
		},
		"Azure": func(r *repository) (string, int) {
			return (&azureRun{repository: r}).template(map[string]string{"program": "", "version": "v1.2.3", "buildTags": "cloudkms"})
		},
		"GitLab": func(r *repository) (string, int) {
			return r.gitlab("writ-check", map[string]string{"WRIT_PROGRAM": "", "WRIT_VERSION": "v1.2.3", "WRIT_BUILD_TAGS": "cloudkms"}, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main")
		},
	} {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			r := copyOf(t, "signed")
			r.standInForGo()
			if log, code := run(r); code != 0 {
				t.Errorf("exit code %d:\n%s", code, log)
			}
			r.wantInstalled()
		})
	}
}
