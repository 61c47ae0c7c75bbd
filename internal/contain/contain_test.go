//go:build linux

package contain_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/internal/contain"
	"github.com/runwrit/writ/internal/testenv"
)

// TestMain makes this program its own stage.
func TestMain(m *testing.M) {
	if contain.IsStage() {
		os.Exit(contain.RunStage())
	}
	withoutReachable(m.Run) // its code becomes that of the process
}

var forms = []contain.Form{contain.Namespaces, contain.Subreaper, contain.Bubblewrap}

// bash is a specification that runs a script.
func bash(form contain.Form, script string) contain.Spec {
	dir := contain.HomeDir
	if form != contain.Namespaces {
		dir = "/"
	}
	return contain.Spec{
		Form: form, Program: "/bin/bash", Arguments: []string{"bash", "-c", script}, Dir: dir,
		Environment: []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "HOME=" + contain.HomeDir}, NoNewPrivs: true,
	}
}

// start makes the containment, or skips a test that this host cannot run.
func start(t *testing.T, spec contain.Spec, o contain.IO) *contain.Process {
	t.Helper()
	program := contain.Self
	if spec.Form == contain.Bubblewrap {
		program = inBubblewrap(t, &spec, &o)
	}
	p, err := contain.Start(t.Context(), program, spec, o)
	var unavailable *contain.UnavailableError
	if errors.As(err, &unavailable) && spec.Form == contain.Namespaces {
		t.Skipf("skipped: this host gives no namespaces: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// outcome is what came of a process.
type outcome struct {
	contain.Status
	output string // both streams
}

// run starts a process and waits for its end; during is called in between.
func run(t *testing.T, spec contain.Spec, o contain.IO, during ...func(*contain.Process)) outcome {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	o.Stdout, o.Stderr = out, out
	p := start(t, spec, o)
	if err := p.Go(); err != nil {
		t.Fatal(err)
	}
	for _, f := range during {
		f(p)
	}
	status := p.Wait()
	data, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return outcome{status, string(data)}
}

// wait waits for a condition.
func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 6000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond) // what it waits for happens in other processes
	}
	t.Errorf("waited in vain: %s", what)
}

// mark returns a number of seconds to sleep that no other test sleeps.
func mark(t *testing.T) string {
	t.Helper()
	sum := 0
	for _, c := range t.Name() {
		sum = (sum*31 + int(c)) % 1_000_000
	}
	return fmt.Sprintf("%d.%d", 1000+sum, os.Getpid())
}

func TestAProcessRunsAndItsStatusComesBack(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		for script, want := range map[string]contain.Status{
			"true": {}, "exit 7": {Code: 7}, "kill -TERM $$": {Code: -1, Signal: 15}, "kill -KILL $$": {Code: -1, Signal: 9},
		} {
			if o := run(t, bash(form, script), contain.IO{}); o.Status != want {
				t.Errorf("%s: %s: %+v", form, script, o)
			}
		}
	}
}

// left are the ways in which a process can try to outlive its job. MARK is what it
// sleeps.
var left = map[string]string{
	"in the background":         "sleep MARK & ",
	"a session of its own":      "setsid sleep MARK & ",
	"nohup":                     "nohup sleep MARK >/dev/null 2>&1 & ",
	"a double fork":             "(setsid bash -c 'sleep MARK & sleep MARK & exit' & ) ; sleep 0.1",
	"deaf to every signal":      "setsid bash -c \"trap '' TERM HUP INT QUIT USR1; while :; do sleep MARK; done\" & sleep 0.1",
	"one that starts new ones":  "setsid bash -c 'while :; do setsid sleep MARK & sleep 0.01; done' & sleep 0.1",
	"one that is stopped":       "setsid bash -c 'kill -STOP $$; exec sleep MARK' & sleep MARK & kill -STOP $!",
	"disowned, all files shut":  "setsid sleep MARK </dev/null >/dev/null 2>&1 & disown",
	"from a child that is gone": "bash -c 'bash -c \"setsid sleep MARK &\" &'; sleep 0.1",
}

func TestNothingOutlivesAProcessThatEnds(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		for name, script := range left {
			t.Run(string(form)+"/"+name, func(t *testing.T) {
				t.Parallel()
				m := mark(t)
				o := run(t, bash(form, strings.ReplaceAll(script, "MARK", m)+"\nexit 3"), contain.IO{})
				if want := (contain.Status{Code: 3}); o.Status != want {
					t.Errorf("%+v", o)
				}
				if pids := testenv.Processes(m); len(pids) > 0 {
					t.Errorf("processes %v are left", pids)
				}
			})
		}
	}
}

func TestNothingOutlivesAProcessThatIsKilled(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		t.Run(string(form), func(t *testing.T) {
			t.Parallel()
			m := mark(t)
			script := "trap '' TERM; setsid sleep MARK & setsid bash -c \"trap '' TERM; sleep MARK\" & while :; do sleep 0.1; done"
			o := run(t, bash(form, strings.ReplaceAll(script, "MARK", m)), contain.IO{}, func(p *contain.Process) {
				wait(t, "its children", func() bool { return len(testenv.Processes("sleep\x00"+m)) == 2 })
				p.Signal(syscall.SIGTERM) // in vain
				p.Kill()
			})
			if want := (contain.Status{Code: -1, Signal: 9}); o.Status != want {
				t.Errorf("%+v", o)
			}
			if pids := testenv.Processes(m); len(pids) > 0 {
				t.Errorf("processes %v are left", pids)
			}
		})
	}
}

func TestASignalReachesTheProcessAndItsGroup(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		t.Run(string(form), func(t *testing.T) {
			t.Parallel()
			m := mark(t)
			o := run(t, bash(form, "trap 'echo told; exit 4' TERM; sleep "+m+" & wait"), contain.IO{}, func(p *contain.Process) {
				wait(t, "its child", func() bool { return len(testenv.Processes("sleep\x00"+m)) == 1 })
				p.Signal(syscall.SIGTERM)
			})
			if o.output != "told\n" || o.Code != 4 {
				t.Errorf("%+v", o)
			}
		})
	}
}

// Whoever starts the caller has signals blocked: a job that is to end by one ends.
func TestAProcessStartsWithNoSignalBlocked(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		t.Run(string(form), func(t *testing.T) {
			t.Parallel()
			runtime.LockOSThread() // and the thread ends with the test
			blocked := &unix.Sigset_t{}
			blocked.Val[0] = 1<<(unix.SIGALRM-1) | 1<<(unix.SIGPIPE-1)
			if err := unix.PthreadSigmask(unix.SIG_BLOCK, blocked, nil); err != nil {
				t.Fatal(err)
			}
			o := run(t, bash(form, "grep -E 'SigBlk|SigIgn' /proc/self/status"), contain.IO{})
			fields := strings.Fields(o.output)
			if len(fields) != 4 {
				t.Fatal(o.output)
			}
			for _, mask := range []string{fields[1], fields[3]} {
				bits, err := strconv.ParseUint(mask, 16, 64)
				for _, s := range untakable { // those whoever started the test may have ignored
					bits &^= 1 << (s - 1)
				}
				if err != nil || bits != 0 {
					t.Error(o.output)
				}
			}
		})
	}
}

// untakable are the signals that nobody can take; nor Go; and those that it leaves to C
// libraries.
var untakable = []syscall.Signal{
	syscall.SIGKILL, syscall.SIGSTOP,
	syscall.SIGILL, syscall.SIGTRAP, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGSTKFLT, syscall.SIGSYS,
	32, 33, 34,
}

func TestASignalToTheStageNeitherEndsNorStopsIt(t *testing.T) {
	t.Parallel()
	for _, form := range []contain.Form{contain.Namespaces, contain.Subreaper} {
		t.Run(string(form), func(t *testing.T) {
			t.Parallel()
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _, _ = read.Close(), write.Close() })
			o := run(t, bash(form, "read -r; exit 7"), contain.IO{Stdin: read}, func(p *contain.Process) {
				for s := syscall.Signal(1); s <= 64; s++ {
					if slices.Contains(untakable, s) {
						continue
					}
					if err := syscall.Kill(p.PID(), s); err != nil {
						t.Error(err)
					}
				}
				_ = write.Close()
			})
			if o.Code != 7 || o.Signal != 0 || o.Lost {
				t.Errorf("%+v", o)
			}
		})
	}
}

func TestWhatWasNotLetGoNeverRuns(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		spec := bash(form, "echo ran")
		out, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		p := start(t, spec, contain.IO{Stdout: out})
		p.Close()
		p.Close() // twice does no harm
		if text, err := os.ReadFile(out.Name()); err != nil || len(text) > 0 {
			t.Errorf("%s: %q, %v", form, text, err)
		}
		if err := p.Go(); !errors.Is(err, contain.ErrEnded) {
			t.Errorf("%s: it went after its end: %v", form, err)
		}
	}
}

func TestAProgramThatCannotBeExecutedSaysWhy(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		for program, want := range map[string]syscall.Errno{"/usr/bin/nonesuch": syscall.ENOENT, "/etc/passwd": syscall.EACCES} {
			spec := bash(form, "")
			spec.Program = program
			p := start(t, spec, contain.IO{})
			if err := p.Go(); !errors.Is(err, want) {
				t.Errorf("%s: %s: %v", form, program, err)
			}
			p.Close()
		}
	}
}

func TestAContextThatHasEndedContainsNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p, err := contain.Start(ctx, contain.Self, bash(contain.Subreaper, "true"), contain.IO{})
	if p != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", p, err)
	}
}

func TestAProgramThatIsNoStageContainsNothing(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"/bin/true", "/usr/bin/nonesuch"} {
		p, err := contain.Start(t.Context(), program, bash(contain.Subreaper, "true"), contain.IO{})
		var unavailable *contain.UnavailableError
		if p != nil || !errors.As(err, &unavailable) {
			t.Errorf("%s: %v", program, err)
		}
	}
}

// When memory is short the job goes, and its stage stays to say so.
func TestTheKernelTakesTheJobBeforeItsStage(t *testing.T) {
	t.Parallel()
	own, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range forms {
		o := run(t, bash(form, "sleep 0.1; cat /proc/self/oom_score_adj /proc/$PPID/oom_score_adj"), contain.IO{})
		if want := "1000\n" + string(own); o.output != want {
			t.Errorf("%s: %q, want %q", form, o.output, want)
		}
	}
}
