//go:build linux

package worker_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/worker"
)

// withLogs keeps the output of runs below the gate's own folder.
func withLogs(t *testing.T, most int64) (dir string, change func(*worker.Options)) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir, func(o *worker.Options) { o.Logs = worker.Logs{Dir: dir, MaxBytes: most} }
}

func TestOutputIsLoggedAndDigested(t *testing.T) {
	t.Parallel()
	dir, logs := withLogs(t, 0)
	g := newGate(t, logs)
	o := g.must(g.run("r.sh", `printf 'one\n\377two\n'; echo oops >&2`+"\n"))
	const stdout, stderr = "one\n\xfftwo\n", "oops\n"
	if o.stdout != stdout || o.stderr != stderr {
		t.Errorf("delivered %q and %q", o.stdout, o.stderr)
	}
	for _, c := range []struct {
		text   string
		digest runbook.Digest
		log    worker.Log
	}{{stdout, o.StdoutDigest, o.StdoutLog}, {stderr, o.StderrDigest, o.StderrLog}} {
		held, err := os.ReadFile(c.log.Path)
		if err != nil || string(held) != c.text || filepath.Dir(c.log.Path) != dir {
			t.Errorf("%s holds %q, %v", c.log.Path, held, err)
		}
		if want := runbook.DigestOf([]byte(c.text)); c.digest != want || c.log.Digest != want || c.log.Bytes != int64(len(c.text)) || c.log.Cut {
			t.Errorf("%+v", c)
		}
	}
	if name := filepath.Base(o.StdoutLog.Path); name != "20261122T120000.000Z-1.stdout.log" {
		t.Errorf("the log is named %s", name)
	}
	_, bodies := g.records()
	end := bodies[2]
	if end["state"] != "Completed" || end["stdout_sha256"] != o.StdoutDigest.String() || end["stderr_sha256"] != o.StderrDigest.String() {
		t.Errorf("%v", end)
	}
	if diff := cmp.Diff(map[string]any{"output": 2.0, "error": 1.0, "warning": 0.0, "verbose": 0.0, "debug": 0.0}, end["lines"]); diff != "" {
		t.Error(diff)
	}
	want := map[string]any{"stream": "stderr", "path": o.StderrLog.Path, "bytes": 5.0, "cut": false, "sha256": o.StderrDigest.String()}
	if list, _ := end["logs"].([]any); len(list) != 2 || !cmp.Equal(want, list[1]) {
		t.Errorf("%v", list)
	}
}

func TestALogIsCutOffAndTheDigestIsOfTheWholeStream(t *testing.T) {
	t.Parallel()
	_, logs := withLogs(t, 1000)
	g := newGate(t, logs)
	o := g.must(g.run("r.sh", "head -c 300000 /dev/zero\n"))
	held, err := os.ReadFile(o.StdoutLog.Path)
	want := strings.Repeat("\x00", 1000) + "\n[writ: the log is cut off here, after 1000 of 300000 bytes]\n"
	if err != nil || string(held) != want {
		t.Errorf("the log has %d bytes, %v", len(held), err)
	}
	if !o.StdoutLog.Cut || o.StdoutDigest != runbook.DigestOf(make([]byte, 300_000)) || o.StdoutLog.Digest != runbook.DigestOf(held) || len(o.stdout) != 300_000 {
		t.Errorf("%+v", o.Result)
	}
}

func TestALogThatCannotBeMadeStartsNothing(t *testing.T) {
	t.Parallel()
	dir, logs := withLogs(t, 0)
	g := newGate(t, logs)
	if err := os.WriteFile(filepath.Join(dir, "20261122T120000.000Z-1.stderr.log.part"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o := g.run("r.sh", "echo ran\n")
	if code := worker.ExitCode(o.Result, o.err); code != worker.ExitGateFailure || o.Started || o.stdout != "" {
		t.Errorf("exit code %d, %+v", code, o)
	}
	if codes := worker.Codes(o.Result, o.err); !cmp.Equal(codes, []string{"log"}) || worker.StateOf(o.Result, o.err) != worker.Suspended {
		t.Errorf("%v, %v", codes, o.err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if o := g.run("r.sh", "echo ran\n"); o.err == nil || o.Started || !strings.Contains(o.err.Error(), "chmod go-w") {
		t.Errorf("in a folder of everybody: %+v", o)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v was left", entries)
	}
}

func TestAnInterpreterThatDoesNotStartLeavesNoLog(t *testing.T) {
	t.Parallel()
	dir, logs := withLogs(t, 0)
	g := newGate(t, logs, standIn(t, ""))
	programs, err := filepath.Glob(filepath.Join(filepath.Dir(t.TempDir()), "*", "stand-in-for-pwsh"))
	if err != nil || len(programs) != 1 {
		t.Fatalf("%v, %v", programs, err)
	}
	testenv.WriteProgram(t, programs[0], []byte("#!/nonesuch/program\n"))
	if o := g.run("r.ps1", "exit 0\n"); o.err == nil || o.Started {
		t.Errorf("%+v", o)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("%v was left", entries)
	}
}

func TestLogsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	for _, l := range []worker.Logs{{Dir: "logs"}, {MaxBytes: 1}, {Dir: "/logs", MaxBytes: -1}, {Dir: "/logs", KeepRuns: -1}, {Dir: "/logs", KeepDays: -1}} {
		o := g.options
		o.Logs = l
		if w, err := worker.New(o); err == nil || w != nil {
			t.Errorf("%+v is taken", l)
		}
	}
}

func TestOldLogsGoAfterARun(t *testing.T) {
	t.Parallel()
	dir, logs := withLogs(t, 0)
	g := newGate(t, logs, func(o *worker.Options) { o.Logs.KeepRuns = 2 })
	for range 4 {
		g.must(g.run("r.sh", "echo x\n"))
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 4 { // two runs, two streams
		t.Errorf("%v, %v", entries, err)
	}
}

func TestLinesAreTold(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	var got []string
	o := g.must(g.run("r.sh", `echo plain; echo 'WARNING: w'; echo 'Verbose: v'; echo 'debug: d'; echo 'ERROR: e'; printf 'last\377'
head -c 40000 /dev/zero | tr '\0' x >&2; echo 'DEBUG: no' >&2`+"\n", func(j *worker.Job) {
		j.OnLine = func(l worker.Line) { // one at a time: the race detector watches
			got = append(got, fmt.Sprintf("%s|%.20s|%d|%t", l.Stream, l.Text, len(l.Text), l.Cut))
			if !l.Time.Equal(atTime()) {
				t.Errorf("at %s", l.Time)
			}
		}
	}))
	var stdout, stderr []string
	for _, l := range got {
		if strings.Contains(l, "xxx") || strings.Contains(l, "no") {
			stderr = append(stderr, l)
		} else {
			stdout = append(stdout, l)
		}
	}
	want := []string{"Output|plain|5|false", "Warning|WARNING: w|10|false", "Verbose|Verbose: v|10|false", "Debug|debug: d|8|false", "Error|ERROR: e|8|false", "Output|last\ufffd|7|false"}
	if diff := cmp.Diff(want, stdout); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"Error|xxxxxxxxxxxxxxxxxxxx|32768|true"}, stderr); diff != "" {
		t.Error(diff)
	}
	if want := (worker.LineCounts{Output: 2, Error: 2, Warning: 1, Verbose: 1, Debug: 1}); o.Lines != want {
		t.Errorf("%+v", o.Lines)
	}
}

func TestALineAsJSONHoldsNoControlCharacter(t *testing.T) {
	t.Parallel()
	data, err := worker.EncodeLine(worker.Line{Time: atTime(), Stream: worker.StreamError, Text: "\x1b[2J \u202e\xff", Cut: true})
	want := `{"time":"2026-11-22T12:00:00.000000000Z","stream":"Error","text":"\u001b[2J \u202e\ufffd","cut":true}` + "\n"
	if err != nil || string(data) != want {
		t.Errorf("%s, %v", data, err)
	}
	data, err = worker.EncodeState(atTime(), worker.Running)
	if want := `{"time":"2026-11-22T12:00:00.000000000Z","state":"Running"}` + "\n"; err != nil || string(data) != want {
		t.Errorf("%s, %v", data, err)
	}
}

// A secret is in nothing that a run leaves or shows, also where it comes in pieces.
func TestAttackRunbookPrintsItsSecrets(t *testing.T) {
	t.Parallel()
	_, logs := withLogs(t, 0)
	g := newGate(t, logs)
	g.args = []policy.Argument{{Name: "password", Value: "hunter2 \"x\""}, {Name: "service", Value: "nginx"}}
	g.secret = "password"
	var told []string
	o := g.must(g.run("r.sh", `p=$(python3 -Ic 'import json, os; print(json.load(open(os.environ["WRIT_PARAMETERS"]))["password"])')
echo "as it is: $p, $1"; echo "error: $p" >&2
for ((i = 0; i < ${#p}; i++)); do printf '%s' "${p:$i:1}"; sleep 0.002; done; echo
printf '"%s"\n' "${p//\"/\\\"}"; printf '%s' "$p" | base64
printf '%s' "${p:0:5}"
`, func(j *worker.Job) { j.OnLine = func(l worker.Line) { told = append(told, l.Text) } }))
	want := "as it is: ***, --service=nginx\n***\n\"***\"\n***\nhunte" // the padding of base64 is left, if it has some
	if o.stdout != want && o.stdout != strings.Replace(want, "\n***\nhunte", "\n***=\nhunte", 1) {
		t.Errorf("stdout %q", o.stdout)
	}
	var logged []string
	for _, l := range []worker.Log{o.StdoutLog, o.StderrLog} {
		held, err := os.ReadFile(l.Path)
		if err != nil {
			t.Fatal(err)
		}
		logged = append(logged, string(held))
	}
	if logged[0] != o.stdout || logged[1] != "error: ***\n" || o.stderr != logged[1] || strings.Contains(strings.Join(told, "\n"), "hunter2") || len(told) == 0 {
		t.Errorf("%q, %q, %q", logged, o.stderr, told)
	}
	// The digest is of what can be seen: else it would help to guess what cannot.
	if o.StdoutDigest != runbook.DigestOf([]byte(o.stdout)) || o.StdoutBytes != int64(len(o.stdout)) {
		t.Errorf("%+v", o.Result)
	}
}

// What a writer does not take is in the log all the same.
func TestAWriterThatBlocksDoesNotHoldTheLog(t *testing.T) {
	t.Parallel()
	_, logs := withLogs(t, 0)
	g := newGate(t, logs)
	release := make(chan struct{})
	returned := make(chan struct{})
	o := g.run("r.sh", "echo first; sleep 0.1; seq 1 5000; echo last; echo other >&2\n", func(j *worker.Job) {
		j.Stdout = writerFunc(func(b []byte) (int, error) { <-release; close(returned); return 0, io.ErrClosedPipe })
	}, g.upOnce("other\n"))
	close(release)
	<-returned
	if o.err != nil || len(o.Warnings) != 1 || o.stderr != "other\n" {
		t.Errorf("%v: %+v", o.err, o.Result)
	}
	held, err := os.ReadFile(o.StdoutLog.Path)
	if err != nil || !bytes.HasPrefix(held, []byte("first\n1\n2\n")) || !bytes.HasSuffix(held, []byte("5000\nlast\n")) || o.StdoutDigest != runbook.DigestOf(held) {
		t.Errorf("the log has %d bytes, %v", len(held), err)
	}
}

func TestAWriterThatFailsDoesNotEndTheLogOfTheOtherStream(t *testing.T) {
	t.Parallel()
	_, logs := withLogs(t, 0)
	g := newGate(t, logs)
	o := g.run("r.sh", "trap '' PIPE; echo one; sleep 0.1; echo two 2>/dev/null; echo three >&2; exit 5\n", func(j *worker.Job) {
		j.Stdout = writerFunc(func([]byte) (int, error) { return 0, io.ErrClosedPipe })
	})
	stdout, err := os.ReadFile(o.StdoutLog.Path)
	stderr, otherErr := os.ReadFile(o.StderrLog.Path)
	if err != nil || otherErr != nil || string(stdout) != "one\n" || string(stderr) != "three\n" || o.Status != 5 {
		t.Errorf("%q, %q, %v, %v", stdout, stderr, err, otherErr)
	}
}

func TestAStateThatNobodyHearsDoesNotHoldTheRun(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	release := make(chan struct{})
	defer close(release)
	begun := time.Now()
	g.must(g.run("r.sh", "echo x\n", func(j *worker.Job) { j.OnState = func(worker.State) { <-release } }))
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestStatesAreToldInTheirOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		payload string
		want    []worker.State
	}{
		"it completes": {"true\n", []worker.State{worker.Queued, worker.Running, worker.Completed}},
		"it fails":     {"false\n", []worker.State{worker.Queued, worker.Running, worker.Failed}},
	} {
		g := newGate(t)
		var got []worker.State
		g.run("r.sh", c.payload, func(j *worker.Job) { j.OnState = func(s worker.State) { got = append(got, s) } })
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if _, bodies := g.records(); bodies[2]["state"] != string(c.want[2]) {
			t.Errorf("%s: %v", name, bodies[2])
		}
	}
	g := newGate(t)
	var got []worker.State
	if _, err := g.worker.Run(t.Context(), worker.Job{OnState: func(s worker.State) { got = append(got, s) }}); err == nil {
		t.Error("a job without a decision runs")
	}
	if diff := cmp.Diff([]worker.State{worker.Queued, worker.Suspended}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheResultSaysHowTheRunWasContained(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	o := g.must(g.run("r.sh", "true\n"))
	_, bodies := g.records()
	start := bodies[1]
	if o.User == "" || start["user"] != o.User || start["sandbox"] != o.Sandbox || !cmp.Equal(anyStrings(start["contained"]), o.Contained) {
		t.Errorf("%q, %q, %q, recorded was %v", o.User, o.Sandbox, o.Contained, start)
	}
}
