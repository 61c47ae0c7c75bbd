package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/worker"
)

// TestAClockBehindTheLedgerStopsTheGate: the denial is recorded all the same, with
// the time of the record before it.
func TestAClockBehindTheLedgerStopsTheGate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("skipped: run works on Linux only")
	}
	dir := filepath.Join(t.TempDir(), "demo")
	in := func(name string) string { return filepath.Join(dir, name) }
	now := time.Now()
	call := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		var out, errs bytes.Buffer
		a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, now: func() time.Time { return now }, stage: worker.Enter(os.Exit)}
		if code := execute(t.Context(), a, args); code != want {
			t.Fatalf("%q: exit code %d, want %d: %s", args, code, want, errs.String())
		}
		return out.String(), errs.String()
	}
	call(0, "init", dir)
	call(0, "sign", "--key", in("keys/openpgp.key.asc"), in("runbooks/disk-report.sh"))
	run := []string{
		"run", "--trust", in("trust"), "--policy", in("policy"), "--worker-group", "demo-workers", "--ledger", in("ledger.jsonl"),
		"--dry-run", in("runbooks/disk-report.sh.asc"), "--", "/",
	}
	now = now.Add(time.Minute)
	call(0, run...)
	now = now.Add(-time.Second)
	if _, stderr := call(worker.ExitDenied, run...); !strings.Contains(stderr, "clock: ") {
		t.Errorf("stderr: %s", stderr)
	}
	if stdout, _ := call(0, "ledger", "show", "-o", "json", in("ledger.jsonl")); !strings.Contains(stdout, `"code":"clock"`) {
		t.Errorf("the denial is not in the ledger: %s", stdout)
	}
	now = now.Add(time.Second)
	call(0, run...)
}
