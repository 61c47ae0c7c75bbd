//go:build linux

package worker_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/worker"
)

func TestARunbookRunsAndIsRecorded(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	o := g.must(g.run("hello.sh.asc", "echo hello; echo oops >&2\n"))
	if o.stdout != "hello\n" || o.stderr != "oops\n" || o.StdoutBytes != 6 || o.StderrBytes != 5 {
		t.Errorf("%+v", o)
	}
	types, bodies := g.records()
	if diff := cmp.Diff([]ledger.Type{ledger.TypeDecision, ledger.TypeStart, ledger.TypeEnd}, types); diff != "" {
		t.Fatal(diff)
	}
	if o.Decision != 1 || o.Start != 2 || o.End != 3 {
		t.Errorf("records %d, %d, %d", o.Decision, o.Start, o.End)
	}
	payload := runbook.DigestOf([]byte("echo hello; echo oops >&2\n")).String()
	file := runbook.DigestOf([]byte("signed\necho hello; echo oops >&2\n")).String()
	decision, start, end := bodies[0], bodies[1], bodies[2]
	for _, body := range []map[string]any{decision, start} {
		facts, _ := body["runbook"].(map[string]any)
		if facts["file_sha256"] != file || facts["payload_sha256"] != payload || facts["kind"] != "bash" {
			t.Errorf("runbook %v", facts)
		}
	}
	if decision["allow"] != true || decision["verdict"] != "valid" || len(decision["trust_sha256"].(string)) != 64 || len(decision["policy_sha256"].(string)) != 64 {
		t.Errorf("decision %v", decision)
	}
	if input, _ := decision["input"].(map[string]any); input["version"] != policy.InputVersion {
		t.Errorf("input %v", input)
	}
	if start["decision"] != 1.0 || !strings.HasSuffix(start["interpreter"].(string), "/bash") {
		t.Errorf("start %v", start)
	}
	if end["start"] != 2.0 || end["started"] != true || end["status"] != 0.0 || end["stdout_bytes"] != 6.0 || end["error"] != "" {
		t.Errorf("end %v", end)
	}
}

func TestExitCodesAndSignalsReachTheCaller(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	for payload, want := range map[string]struct{ code, signal int }{
		"exit 0\n":             {0, 0},
		"exit 7\n":             {7, 0},
		"exit 124\n":           {124, 0},
		"exit 126\n":           {126, 0},
		"exit 255\n":           {255, 0},
		"kill -TERM $$\n":      {143, 15},
		"kill -KILL $$\n":      {137, 9},
		"kill -SEGV $$\n":      {139, 11},
		"nonesuch-program\n":   {127, 0},
		"if true; then\n":      {2, 0},
		"":                     {0, 0},
		"kill -TERM 0; wait\n": {143, 15},
	} {
		o := g.run("r.sh", payload)
		if o.err != nil {
			t.Errorf("%q: %v", payload, o.err)
		}
		if code := worker.ExitCode(o.Result, o.err); code != want.code || o.Signal != want.signal {
			t.Errorf("%q: exit code %d, signal %d, want %v", payload, code, o.Signal, want)
		}
		if codes := worker.Codes(o.Result, o.err); len(codes) != 0 {
			t.Errorf("%q: the gate claims %v", payload, codes)
		}
	}
}

func TestPythonRunsIsolated(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "python3")
	g := newGate(t)
	// A module in "/", in the working directory or in the home folder must not be
	// importable: that is where a memory file, or the environment, would lead to.
	if err := os.WriteFile(filepath.Join(g.dir, "evil_module.py"), []byte("print('EVIL')\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := g.must(g.run("r.py", `import os, sys
assert "" not in sys.path and "/" not in sys.path and os.getcwd() not in sys.path, sys.path
assert sys.flags.isolated == 1
try:
    import evil_module
except ImportError:
    print("no neighbours")
print(__file__, sys.argv)
`, func(j *worker.Job) { j.Dir = g.dir }))
	if want := "no neighbours\n/dev/fd/3 ['/dev/fd/3']\n"; o.stdout != want {
		t.Errorf("got %q, want %q", o.stdout, want)
	}
}

func TestTheFileIsReplacedBetweenVerificationAndRun(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	path := filepath.Join(g.dir, "r.sh")
	if err := os.WriteFile(path, []byte("signed\necho verified\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rb, err := runbook.ReadFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	v, err := newVerifier(t).Verify(t.Context(), rb)
	if err != nil {
		t.Fatal(err)
	}
	decision := g.record(v)
	if err := os.WriteFile(path, []byte("signed\necho EVIL\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out buffer
	res, err := g.worker.Run(t.Context(), worker.Job{Decision: decision, Runbook: v, Stdout: &out, Dir: g.dir})
	if err != nil || out.String() != "verified\n" {
		t.Errorf("%+v, %v: ran %q", res, err, out.String())
	}
}

// bash reads a script while it runs it: a line that is added in the meantime is
// run as well, if it can be added.
func TestARunningScriptCannotRewriteItself(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	original := filepath.Join(g.dir, "r.sh")
	if err := os.WriteFile(original, []byte("signed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	injected := filepath.Join(g.dir, "injected")
	payload := `
for target in "$0" /proc/self/fd/3 /proc/$$/fd/3 /proc/$$/fd/255 ` + original + `; do
  { echo 'touch ` + injected + `' >> "$target"; } 2>/dev/null && echo "appended to $target"
  { echo 'touch ` + injected + `' > "$target"; } 2>/dev/null && echo "wrote to $target"
  { truncate -s 1M "$target"; } 2>/dev/null && echo "grew $target"
  { truncate -s 0 "$target"; } 2>/dev/null && echo "cut $target"
done
{ echo 'touch ` + injected + `' >&3; } 2>/dev/null && echo "wrote to descriptor 3"
{ mv "` + original + `" /dev/fd/3; } 2>/dev/null && echo moved
sleep 0.05
echo end
`
	o := g.must(g.run("r.sh", payload))
	if _, err := os.Stat(injected); err == nil {
		t.Error("the injected line was run")
	}
	for _, line := range lines(o.stdout) {
		// The file that was read at first may be changed: nobody reads it any more.
		if line != "end" && !strings.HasSuffix(line, original) {
			t.Errorf("the script could do this: %s", line)
		}
	}
	if !strings.HasSuffix(o.stdout, "end\n") {
		t.Errorf("the script did not run to its end: %s", o.stdout)
	}
}

// Another process of the same user, root here if the tests run as root, cannot
// write to the script through the descriptors of bash either.
func TestNobodyElseCanWriteToTheRunningScript(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "python3")
	g := newGate(t)
	o := g.run("r.sh", `
python3 -I - "$$" <<'EOF'
import sys, os, mmap
for fd in (3, 255):
    path = f"/proc/{sys.argv[1]}/fd/{fd}"
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_TRUNC):
        try:
            f = os.open(path, flags)
        except OSError:
            continue
        for attempt in (lambda: os.write(f, b"touch EVIL\n"), lambda: os.ftruncate(f, 0), lambda: os.ftruncate(f, 1 << 20)):
            try:
                attempt()
                print("written through", path, flags)
            except OSError as e:
                assert e.errno == 1, e
        os.close(f)
    try:
        f = os.open(path, os.O_RDWR)
        mmap.mmap(f, 10, mmap.MAP_SHARED, mmap.PROT_WRITE)
        print("mapped", path)
    except (OSError, ValueError):
        pass
EOF
echo end
`)
	if o.err != nil || o.stdout != "end\n" || o.stderr != "" {
		t.Errorf("%v: %s%s", o.err, o.stdout, o.stderr)
	}
}

func TestATimeoutEndsTheWholeGroup(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		payload, out string
		patient      bool // it ends by itself, and needs no killing
	}{
		"a script that ends on TERM":   {"trap 'echo term; exit 3' TERM; echo begun; sleep 60 & wait\n", "begun\nterm\n", true},
		"a script that ignores TERM":   {"trap '' TERM; echo begun; while :; do sleep 0.1; done\n", "begun\n", false},
		"a child that ignores TERM":    {"(trap '' TERM; sleep 61) & echo begun; wait\n", "begun\n", false},
		"a script that stopped itself": {"(until grep -q '^State:.T' /proc/$$/status; do sleep 0.01; done; echo begun) & kill -STOP $$\n", "begun\n", false},
		"a busy loop":                  {"echo begun; while :; do :; done\n", "begun\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, func(o *worker.Options) {
				if c.patient {
					o.Grace = time.Minute
				}
			})
			o := g.run("r.sh", c.payload, g.upOnce("begun\n"))
			if o.err != nil || !o.TimedOut || o.stdout != c.out {
				t.Errorf("%v: %+v", o.err, o)
			}
			if code := worker.ExitCode(o.Result, o.err); code != worker.ExitTimedOut {
				t.Errorf("exit code %d", code)
			}
			_, bodies := g.records()
			if end := bodies[len(bodies)-1]; end["timed_out"] != true {
				t.Errorf("end %v", end)
			}
		})
	}
}

func TestTheEndOfTheContextEndsTheRun(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := g.runContext(ctx, "r.sh", "echo begun; sleep 60\n", func(j *worker.Job) {
		j.Stdout = writerFunc(func(b []byte) (int, error) { cancel(); return len(b), nil })
	})
	if o.err != nil || !o.Canceled || o.TimedOut || worker.ExitCode(o.Result, o.err) != 128+15 {
		t.Errorf("%v: %+v", o.err, o.Result)
	}
	types, bodies := g.records()
	if len(types) != 3 || bodies[2]["canceled"] != true {
		t.Errorf("the end is not recorded: %v", bodies)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestAContextThatHasEndedStartsNothing(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := g.runContext(ctx, "r.sh", "echo begun\n")
	if o.err == nil || o.Started || o.stdout != "" || worker.ExitCode(o.Result, o.err) != worker.ExitGateFailure {
		t.Errorf("%v: %+v", o.err, o)
	}
	if types, _ := g.records(); len(types) != 1 {
		t.Errorf("records %v", types)
	}
}

func TestWhatIsLeftOfTheGroupIsKilled(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	o := g.must(g.run("r.sh", "sleep 300 & echo $!\n"))
	pid, err := strconv.Atoi(strings.TrimSpace(o.stdout))
	if err != nil {
		t.Fatal(err)
	}
	gone(t, pid)
}

// gone waits until there is no such process, or only what is left of its entry.
func gone(t *testing.T, pid int) {
	t.Helper()
	for range 3000 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || bytes.Contains(stat, []byte(") Z ")) {
			return
		}
		time.Sleep(10 * time.Millisecond) // a killed process takes its time to go
	}
	t.Errorf("process %d is still there", pid)
}

// A process that leaves the group outlives the run, as docs/worker.md says. It
// must not keep Run from returning, whether it only holds the output open or
// goes on writing.
func TestAProcessThatLeavesTheGroupDoesNotHoldTheRun(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"holding the output": "sleep 300",
		"writing for ever":   "yes",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t)
			pidFile := filepath.Join(g.dir, "pid")
			o := g.run("r.sh", `echo first
setsid bash -c 'echo $$ > `+pidFile+`; exec `+body+`' &
while ! [ -s `+pidFile+` ]; do sleep 0.01; done
`)
			text, err := os.ReadFile(pidFile)
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Kill(pid, unix.SIGKILL) })
			if o.err != nil || o.TimedOut || !strings.HasPrefix(o.stdout, "first\n") {
				t.Errorf("%v: %+v", o.err, o.Result)
			}
		})
	}
}

func TestTheRunbookDiesWithAGateThatIsKilled(t *testing.T) {
	t.Parallel()
	cmd := helper(t, "sleeper", t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	gone(t, pid)
}

func TestHugeOutputTakesConstantMemory(t *testing.T) {
	t.Parallel()
	cmd := helper(t, "flood", t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "ok\nPASS\n" {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTheLastOutputIsDeliveredToASlowReader(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	var got int
	o := g.must(g.run("r.sh", "head -c 200000 /dev/zero\n", func(j *worker.Job) {
		j.Stdout = writerFunc(func(b []byte) (int, error) {
			time.Sleep(20 * time.Millisecond) // a slow reader is what this is about
			got += len(b)
			return len(b), nil
		})
	}))
	if got != 200_000 || o.StdoutBytes != 200_000 {
		t.Errorf("%d of 200000 bytes came through", got)
	}
}

func TestAReaderThatFailsIsToldAndTheRunGoesOn(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	o := g.run("r.sh", "trap '' PIPE; echo one; sleep 0.1; echo two 2>/dev/null; echo three >&2; exit 5\n", func(j *worker.Job) {
		j.Stdout = writerFunc(func([]byte) (int, error) { return 0, io.ErrClosedPipe })
	})
	if o.err != nil || o.Status != 5 || o.stderr != "three\n" || len(o.Warnings) != 1 {
		t.Errorf("%v: %+v", o.err, o)
	}
}

func TestAReaderThatBlocksDoesNotOutlastTheTimeLimit(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	release := make(chan struct{})
	defer close(release)
	o := g.run("r.sh", "yes\n", func(j *worker.Job) {
		j.Stdout = writerFunc(func(b []byte) (int, error) { <-release; return len(b), nil })
	}, g.upOnce("y\n"))
	if o.err != nil || !o.TimedOut || len(o.Warnings) != 1 {
		t.Errorf("%v: %+v", o.err, o.Result)
	}
}

func TestOneWriterForBothStreamsGetsOneWriteAtATime(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	var both bytes.Buffer // not safe for two goroutines: the race detector watches
	g.must(g.run("r.sh", "for i in {1..200}; do echo out; echo err >&2; done\n", func(j *worker.Job) {
		j.Stdout, j.Stderr = &both, &both
	}))
	if n := len(lines(both.String())); n != 400 {
		t.Errorf("%d lines", n)
	}
}

func TestWritersThatCannotBeComparedAreTwo(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	var out, errs buffer
	g.must(g.run("r.sh", "echo out; echo err >&2\n", func(j *worker.Job) { j.Stdout, j.Stderr = writerFunc(out.Write), writerFunc(errs.Write) }))
	if out.String() != "out\n" || errs.String() != "err\n" {
		t.Errorf("%q, %q", out.String(), errs.String())
	}
}

func TestRunsSideBySideDoNotMix(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	verified := g.verify("r.sh", "echo $HOME; sleep 0.05; pwd; ls -A\ntouch here\n")
	var wg sync.WaitGroup
	var mu sync.Mutex
	homes := map[string]bool{}
	for range 8 {
		decision := g.record(verified)
		wg.Go(func() {
			var out buffer
			res, err := g.worker.Run(t.Context(), worker.Job{Decision: decision, Runbook: verified, Stdout: &out})
			if err != nil || worker.ExitCode(res, err) != 0 {
				t.Errorf("%+v, %v", res, err)
			}
			l := lines(out.String())
			mu.Lock()
			defer mu.Unlock()
			if len(l) != 2 || l[0] != l[1] || homes[l[0]] {
				t.Errorf("a run saw %q", l)
			}
			homes[l[0]] = true
		})
	}
	wg.Wait()
	g.nothingLeft()
	if types, _ := g.records(); len(types) != 24 {
		t.Errorf("%d records", len(types))
	}
}

func TestOnlyFourDescriptorsReachTheRunbook(t *testing.T) {
	t.Parallel()
	// The helper inherits descriptors of its own, as from a careless shell.
	secret, err := os.Create(filepath.Join(t.TempDir(), "secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = secret.Close() }()
	cmd := helper(t, "descriptors", t.TempDir())
	cmd.ExtraFiles = []*os.File{secret, secret, secret}
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "0 1 2 3 \nPASS\n" {
		t.Errorf("%v: the runbook has the descriptors\n%s", err, out)
	}
}

func TestStdinIsEmptyUnlessGiven(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	if o := g.must(g.run("r.sh", "cat; readlink /proc/self/fd/0\n")); o.stdout != "/dev/null\n" {
		t.Errorf("got %q", o.stdout)
	}
	path := filepath.Join(g.dir, "in")
	if err := os.WriteFile(path, []byte("given\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	if o := g.must(g.run("r.sh", "cat\n", func(j *worker.Job) { j.Stdin = in })); o.stdout != "given\n" {
		t.Errorf("got %q", o.stdout)
	}
}

func TestNothingIsLeftBehindWhateverTheRunbookDoesToItsFolder(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	lockFolders(g)
}

// lockFolders runs a runbook that makes its folder hard to remove.
func lockFolders(g *gate) {
	g.t.Helper()
	outside := filepath.Join(g.dir, "outside")
	if err := os.WriteFile(outside, []byte("kept"), 0o600); err != nil {
		g.t.Fatal(err)
	}
	g.must(g.run("r.sh", `mkdir -p a/b/c; touch a/b/c/f; ln -s `+g.dir+` link; ln -s `+outside+` a/file
chmod 000 a/b/c a/b a; chmod 000 ..; chmod 000 .
`))
	if text, err := os.ReadFile(outside); err != nil || string(text) != "kept" {
		g.t.Errorf("a file outside was touched: %q, %v", text, err)
	}
}

// Root may remove anything; the rest of us must open the folders first.
func TestNothingIsLeftBehindForAnOrdinaryUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("skipped: the tests run as an ordinary user already")
	}
	dir, err := os.MkdirTemp("", "writ-test-") //nolint:usetesting // the folder of t.TempDir is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cmd := helper(t, "ordinary", dir)
	binary := filepath.Join(dir, "helper")
	data, err := os.ReadFile(cmd.Path)
	if err != nil {
		t.Fatal(err)
	}
	testenv.WriteProgram(t, binary, data)
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	cmd.Path, cmd.Dir = binary, dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "PASS\n" {
		t.Errorf("%v\n%s", err, out)
	}
}

// helper is the test binary run again, to play a role of TestHelper.
func helper(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestHelper$", "-test.v=false")
	cmd.Env = append(os.Environ(), "WRIT_TEST_ROLE="+role, "TMPDIR="+dir)
	return cmd
}

// TestHelper is nothing by itself: it is a process that other tests start.
func TestHelper(t *testing.T) {
	switch os.Getenv("WRIT_TEST_ROLE") {
	case "sleeper":
		g := newGate(t)
		g.run("r.sh", "echo $$; exec sleep 300\n", func(j *worker.Job) { j.Stdout = os.Stdout })
	case "registered":
		g := newGate(t, inRegister)
		g.run("r.sh", "echo $$; exec sleep 300\n", func(j *worker.Job) { j.Stdout = os.Stdout })
	case "descriptors":
		g := newGate(t)
		// The shell lists its own descriptors without opening the folder itself.
		g.run("r.sh", `for i in {0..300}; do [ $i -ne 255 ] && [ -e /proc/$$/fd/$i ] && echo -n "$i "; done; echo`+"\n",
			func(j *worker.Job) { j.Stdout = os.Stdout })
	case "flood":
		flood(t, newGate(t))
	case "long":
		longOutput(t)
	case "ordinary":
		ownAccountOnly(t)
		g := newGate(t)
		lockFolders(g)
		powershell := newGate(t, standIn(t, "exit 0\n"))
		powershell.must(powershell.run("r.ps1", "Write-Output 1\n"))
	}
}

// flood looks at the memory of a process of its own.
func flood(t *testing.T, g *gate) {
	t.Helper()
	const size = 300_000_000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var n int64
	o := g.must(g.run("r.sh", fmt.Sprintf("head -c %d /dev/zero; echo done >&2\n", size), func(j *worker.Job) {
		j.Stdout = writerFunc(func(b []byte) (int, error) { n += int64(len(b)); return len(b), nil })
	}))
	runtime.ReadMemStats(&after)
	if n != size || o.StdoutBytes != n || o.stderr != "done\n" {
		t.Errorf("%d of %d bytes came through", n, size)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
		t.Errorf("%d bytes were allocated for it", grown)
	}
	_, _ = fmt.Fprintln(os.Stdout, "ok")
}
