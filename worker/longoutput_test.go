//go:build linux

package worker_test

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/worker"
)

// The process of a gate does not grow with what a runbook writes, whatever is done
// with it. WRIT_LONG_OUTPUT says how many MiB it writes.
func TestALongOutputTakesConstantMemory(t *testing.T) {
	t.Parallel()
	cmd := helper(t, "long", t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// longOutput runs in a process of its own, and looks at that.
func longOutput(t *testing.T) {
	t.Helper()
	size := 48
	if mib := os.Getenv("WRIT_LONG_OUTPUT"); mib != "" {
		var err error
		if size, err = strconv.Atoi(mib); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, payload string
		lines, masked bool
	}{
		{"no line ends", "head -c %dM /dev/zero", false, false},
		{"lines of 80 bytes", "yes '2026-11-22T12:00:00Z something happened to something, and this says what it was.' | head -c %dM", false, false},
		{"lines of 80 bytes, told", "yes '2026-11-22T12:00:00Z something happened to something, and this says what it was.' | head -c %dM", true, false},
		{"lines of 80 bytes, masked", "yes '2026-11-22T12:00:00Z something happened to something, and this says what it was.' | head -c %dM", false, true},
		{"lines of 1 byte", "yes | head -c %dM", false, false},
	} {
		_, logs := withLogs(t, 0)
		g := newGate(t, logs)
		g.timeout = "10m"
		if c.masked {
			g.args, g.secret = []policy.Argument{{Name: "password", Value: "correct horse battery staple"}}, "password"
		}
		var told, bytes int64
		run := func(mib int) worker.Result {
			return g.must(g.run("r.sh", fmt.Sprintf(c.payload, mib), func(j *worker.Job) {
				j.Stdout = writerFunc(func(b []byte) (int, error) { bytes += int64(len(b)); return len(b), nil })
				if c.lines {
					j.OnLine = func(worker.Line) { told++ }
				}
			})).Result
		}
		run(1)
		debug.FreeOSMemory()
		runtime.GC()
		peak(t)
		before := peak(t)
		bytes = 0
		begun := time.Now()
		o := run(size)
		took := time.Since(begun)
		grown := peak(t) - before
		_, _ = fmt.Fprintf(os.Stdout, "%-26s %d MiB, %.0f MB/s, peak grown by %d KiB\n", c.name, size, float64(bytes)/1e6/took.Seconds(), grown)
		if bytes != int64(size)<<20 || o.StdoutBytes != bytes || o.StdoutLog.Bytes != worker.DefaultMaxLog || !o.StdoutLog.Cut {
			t.Errorf("%s: %d bytes came through: %+v", c.name, bytes, o)
		}
		if c.lines != (told > 0) {
			t.Errorf("%s: %d lines were told", c.name, told)
		}
		if grown > 32<<10 {
			t.Errorf("%s: the process grew by %d KiB", c.name, grown)
		}
	}
}

// peak is how much memory this process has had at most since it was last asked, in KiB.
func peak(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+([0-9]+) kB`).FindSubmatch(status)
	if m == nil {
		t.Skip("skipped: this kernel does not say how much memory a process has had")
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	// The next peak counts from here.
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	return n
}
