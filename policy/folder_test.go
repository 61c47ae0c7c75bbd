package policy_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/policy"
)

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoadReadsAFolder(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"grants.yaml": peopleYAML + restartRule, "a.rego": "package writ.user\ndeny contains \"x\" if input.worker.id == \"w1\"\n", "README.md": "text", ".hidden": "\x00"})
	e, err := policy.Load(dir, policy.LoadOptions{Guarded: true})
	if err != nil {
		t.Fatal(err)
	}
	mustDeny(t, e.Patient().Decide(t.Context(), good()), "user-deny")
	if problems, err := policy.Check(dir, policy.LoadOptions{}); err != nil || len(problems) > 0 {
		t.Errorf("Check: %v %v", problems, err)
	}
}

func TestPolicyDigestTellsPoliciesApart(t *testing.T) {
	t.Parallel()
	one := policy.File{Name: "a.rego", Data: []byte("package writ.user\ndeny contains \"x\" if input.worker.id == \"w1\"\n")}
	two := policy.File{Name: "b.rego", Data: []byte("package writ.user\ndeny contains \"y\" if input.worker.id == \"w1\"\n")}
	digests := map[string]string{}
	for name, e := range map[string]*policy.Engine{
		"plain": engine(t, peopleYAML+restartRule), "comment": engine(t, peopleYAML+restartRule+"#\n"),
		"one": engine(t, peopleYAML+restartRule, one), "renamed": engine(t, peopleYAML+restartRule, policy.File{Name: "c.rego", Data: one.Data}),
		"both": engine(t, peopleYAML+restartRule, one, two),
	} {
		d := e.Policy().SHA256.String()
		if other, twice := digests[d]; twice || d == "" {
			t.Errorf("%s has the digest of %q", name, other)
		}
		digests[d] = name
	}
	if engine(t, peopleYAML+restartRule, two, one).Policy() != engine(t, peopleYAML+restartRule, one, two).Policy() {
		t.Error("the order of the files changes the digest")
	}
}

func TestFoldersThatAreRefused(t *testing.T) {
	t.Parallel()
	var unread *policy.FolderError
	var syntax *policy.SyntaxError
	whole := map[string]string{"grants.yaml": peopleYAML + restartRule}
	t.Run("no folder", func(t *testing.T) {
		t.Parallel()
		if _, err := policy.Load(filepath.Join(t.TempDir(), "none"), policy.LoadOptions{}); !errors.As(err, &unread) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no grants.yaml", func(t *testing.T) {
		t.Parallel()
		problems, err := policy.Check(folder(t, map[string]string{"a.rego": "package writ.user\ndeny contains \"x\" if true"}), policy.LoadOptions{})
		if err != nil || len(problems) != 1 || !strings.Contains(problems[0].Msg, "missing") {
			t.Errorf("got %v, %v", problems, err)
		}
	})
	t.Run("a file without effect", func(t *testing.T) {
		t.Parallel()
		if _, err := policy.Load(folder(t, map[string]string{"grants.yaml": peopleYAML + restartRule, "data.json": `{"writ":{"gate":{"allow":true}}}`}), policy.LoadOptions{}); !errors.As(err, &syntax) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a symbolic link", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		if err := os.Symlink(filepath.Join(folder(t, whole), "grants.yaml"), filepath.Join(dir, "grants.yaml")); err != nil {
			t.Fatal(err)
		}
		if _, err := policy.Load(dir, policy.LoadOptions{}); !errors.As(err, &unread) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a folder named like a policy", func(t *testing.T) {
		t.Parallel()
		dir := folder(t, whole)
		if err := os.Mkdir(filepath.Join(dir, "x.rego"), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := policy.Load(dir, policy.LoadOptions{}); !errors.As(err, &unread) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a file, the folder, or the one above, that others may write", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("skipped: access control lists are not looked at on Windows yet")
		}
		for _, path := range []string{"grants.yaml", ".", ".."} {
			dir := folder(t, whole)
			if err := os.Chmod(filepath.Join(dir, path), 0o777); err != nil {
				t.Fatal(err)
			}
			var unread *policy.FolderError
			if _, err := policy.Load(dir, policy.LoadOptions{Guarded: true}); !errors.As(err, &unread) {
				t.Errorf("%s: got %v", path, err)
			}
			if _, err := policy.Load(dir, policy.LoadOptions{}); err != nil {
				t.Errorf("%s, unguarded: %v", path, err)
			}
		}
	})
}

func TestExampleRuleWantsAWorkerGroup(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(testenv.Root(t), "examples", "policy", "worker-group.rego"))
	if err != nil {
		t.Fatal(err)
	}
	anywhere := strings.Replace(restartRule, "workers: {groups: [web], labels: {env: [test, stage]}}", "workers: {any: true}", 1)
	e := engine(t, peopleYAML+anywhere, policy.File{Name: "worker-group.rego", Data: text})
	if d := e.Decide(t.Context(), good()); !d.Allow {
		t.Fatalf("denied: %+v", d.Deny)
	}
	in := good()
	in.Worker.Group = ""
	mustDeny(t, e.Decide(t.Context(), in), "worker-group-required")
}

func TestExampleGrantsLoad(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(testenv.Root(t), "examples", "policy", "grants.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	filled := strings.NewReplacer("{{.X509}}", aliceCert, "{{.OpenPGP}}", aliceKey, "{{.User}}", "alice").Replace(string(text))
	e := engine(t, filled)
	in := good()
	in.Runbook.Path, in.Worker.Group, in.Caller.ID = "/demo/runbooks/disk-report.sh.asc", "demo-workers", "os:alice"
	in.Parameters = map[string]string{"1": "/var"}
	if d := e.Decide(t.Context(), in); !d.Allow {
		t.Errorf("denied: %+v", d.Deny)
	}
	in.Parameters["1"] = "/var; reboot"
	mustDeny(t, e.Decide(t.Context(), in), "parameter-pattern")
}
