//go:build linux

package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/runwrit/writ/examples/internal/demo"
	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/worker"
)

// asProgram makes the test's binary the program that it tests.
const asProgram = "WRIT_EXAMPLE_EMBED"

func TestMain(m *testing.M) {
	worker.Enter(os.Exit)
	if os.Getenv(asProgram) != "" {
		main()
	}
	m.Run() // its code becomes that of the process
}

func start(t *testing.T, m *demo.Machine, group string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, append([]string{"-trust", m.Trust, "-policy", m.Policy, "-ledger", m.Ledger, "-group", group}, args...)...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func TestTheProgramEndsWithTheCodeOfTheRun(t *testing.T) {
	t.Parallel()
	m := demo.New(t)
	greet := m.Sign(t, "greet.sh", "echo \"hello $1\"\nexit 7\n")
	forged := m.Sign(t, "forged.sh", "echo \"signed\"\n")
	text, err := os.ReadFile(forged)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(forged, []byte(strings.Replace(string(text), "signed", "forged", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, group string
		args        []string
		code        int
		stdout, say string
	}{
		{"it runs", demo.Group, []string{greet, "world"}, 7, "hello world\n", ""},
		{"an argument that the policy does not allow", demo.Group, []string{greet, "Good Day"}, 126, "", "parameter"},
		{"another worker group", "other", []string{greet}, 126, "", "denied"},
		{"a changed file", demo.Group, []string{forged}, 126, "", "tampered"},
		{"no such file", demo.Group, []string{greet + "x"}, 125, "", "no such file"},
		{"no runbook at all", demo.Group, nil, 125, "", "want a runbook"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := start(t, m, c.group, c.args...)
			if code != c.code || stdout != c.stdout || !strings.Contains(stderr, c.say) {
				t.Errorf("exit code %d, output %q, errors %q", code, stdout, stderr)
			}
		})
	}
	t.Cleanup(func() {
		f, err := os.Open(m.Ledger)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }() // was only read
		if _, err := ledger.Verify(f, ledger.VerifyOptions{}); err != nil {
			t.Error(err)
		}
	})
}
