package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The runtime ends a program that panics with code 2: of run that is a code of
// the runbook, of all others a malformed question.
func TestAPanicIsNeverAnAnswer(t *testing.T) {
	t.Parallel()
	demo := filepath.Join(t.TempDir(), "demo")
	var out, errs bytes.Buffer
	a := &app{stdin: &bytes.Buffer{}, stdout: &out, stderr: &errs, now: time.Now}
	if code := execute(t.Context(), a, []string{"init", demo}); code != exitYes {
		t.Fatalf("init: %d: %s", code, &errs)
	}
	a.now = func() time.Time { panic("\x1b[2Jthe clock is broken") }
	trust, policy := filepath.Join(demo, "trust"), filepath.Join(demo, "policy")
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"run", "--trust", trust, "--policy", policy, filepath.Join(demo, "runbooks", "disk-report.sh")}, 125},
		{[]string{"init", filepath.Join(demo, "other")}, exitNoAnswer},
	} {
		errs.Reset()
		if code := execute(t.Context(), a, c.args); code != c.code {
			t.Errorf("%v: code %d, want %d", c.args, code, c.code)
		}
		if said := errs.String(); !strings.HasPrefix(said, "error: ") || strings.Count(said, "\n") != 1 || strings.Contains(said, "\x1b") {
			t.Errorf("%v: %q", c.args, said)
		}
	}
}
