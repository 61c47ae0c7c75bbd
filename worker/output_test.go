//go:build linux

package worker

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A run that is contained, and then not started, leaves nothing of its output.
func TestOutputThatIsAbandonedLeavesNoLog(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		copied, finished bool
		files            int
	}{
		"before it is copied": {},
		"while it is copied":  {copied: true},
		"when it is finished": {copied: true, finished: true, files: 2},
	} {
		dir := filepath.Join(t.TempDir(), "logs")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		out, err := newOutput(&plan{decision: &Recorded{seq: 7}, logs: Logs{Dir: dir}, now: time.Now}, Job{})
		if err != nil {
			t.Fatal(err)
		}
		if c.copied {
			out.copy()
		}
		if c.finished {
			out.finish(t.Context(), nil, &Result{})
		}
		out.abandon()
		out.abandon()
		if c.copied {
			<-out.stdout.done
			<-out.stderr.done
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != c.files {
			t.Errorf("%s: %v, %v", name, entries, err)
		}
	}
}

// TestWhatARunWroteIsDeliveredIfItIsStoppedRightAfterItsEnd: the runbook has ended,
// its context ends, and the writer is still at work.
func TestWhatARunWroteIsDeliveredIfItIsStoppedRightAfterItsEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var delivered bytes.Buffer
	out, err := newOutput(&plan{decision: &Recorded{seq: 7}, now: time.Now}, Job{Stdout: &delivered, OnLine: func(Line) {
		cancel()
		time.Sleep(20 * time.Millisecond) // for finish to see it
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.stdout.child.WriteString("last words\n"); err != nil {
		t.Fatal(err)
	}
	out.copy()
	var res Result
	out.finish(ctx, nil, &res)
	if len(res.Warnings) > 0 || delivered.String() != "last words\n" {
		t.Errorf("%q, %q", res.Warnings, delivered.String())
	}
}
