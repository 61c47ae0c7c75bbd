//go:build linux

package worker_test

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/worker"
)

//go:embed testdata/escape
var escapes embed.FS

// scene is what there is to attack on a host, and who does it: for a gate that is
// root the account nobody, for another one its own user, who then owns what the
// gate relies on.
type scene struct {
	*testing.T
	base    string // a folder that everybody may enter
	attack  string // the account of the runbooks
	limits  worker.Limits
	timeout string
}

func newScene(t *testing.T) *scene {
	t.Helper()
	base, err := os.MkdirTemp("", "writ-escape-") //nolint:usetesting // the folder of t.TempDir is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(base); err != nil {
			t.Error(err)
		}
	})
	s := &scene{T: t, base: base, attack: own(t), timeout: "20s"}
	if os.Geteuid() == 0 {
		s.attack = worker.DefaultUser
	}
	s.check(os.Chmod(base, 0o755))
	for _, dir := range []string{"temp", "trust", "state"} {
		s.check(os.Mkdir(s.path(dir), 0o755))
	}
	s.check(os.WriteFile(s.path("trust/ca.pem"), []byte("ca\n"), 0o644))
	s.check(os.WriteFile(s.path("state/ledger.jsonl"), []byte("records\n"), 0o600))
	s.check(os.WriteFile(s.path("state/ledger.key"), []byte("key\n"), 0o600))
	s.check(os.Mkdir(s.path("other-run"), 0o700))
	return s
}

func (s *scene) check(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *scene) path(name string) string { return filepath.Join(s.base, name) }

// untouched fails the test if what the gate relies on is not as it was.
func (s *scene) untouched() {
	s.Helper()
	for name, want := range map[string]string{"trust/ca.pem": "ca\n", "state/ledger.jsonl": "records\n", "state/ledger.key": "key\n"} {
		if text, err := os.ReadFile(s.path(name)); err != nil || string(text) != want {
			s.Errorf("%s is %q: %v", name, text, err)
		}
	}
	for _, dir := range []string{"trust", "other-run"} {
		if list, err := os.ReadDir(s.path(dir)); err != nil || len(list) > 1 || dir == "other-run" && len(list) > 0 {
			s.Errorf("%s holds %v: %v", dir, list, err)
		}
	}
}

func script(t testing.TB, name string) string {
	t.Helper()
	text, err := escapes.ReadFile(path.Join("testdata/escape", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// run runs a script behind a gate, in a profile.
func (s *scene) run(profile, name string, args []string, change ...func(*worker.Job)) outcome {
	s.Helper()
	return s.runAs(s.attack, profile, name, args, change...)
}

func (s *scene) runAs(account, profile, name string, args []string, change ...func(*worker.Job)) outcome {
	s.Helper()
	g := newGate(s.T, func(o *worker.Options) { o.TempDir, o.Sandbox.Limits = s.path("temp"), s.limits })
	g.temp, g.user, g.sandbox, g.timeout = s.path("temp"), account, profile, s.timeout
	for _, a := range args {
		g.args = append(g.args, policy.Argument{Value: a})
	}
	o := g.run(name, script(s.T, name), change...)
	var obliged *worker.ObligationError
	if errors.As(o.err, &obliged) && profile != policy.SandboxNone {
		s.Skipf("skipped: %v", o.err)
	}
	return o
}

// refused fails the test unless the script came to its end and no attempt worked.
func (s *scene) refused(o outcome) {
	s.Helper()
	if o.err != nil || !strings.Contains(o.stdout, "tried\n") {
		s.Errorf("it did not come to its end: %v, %+v\n%s%s", o.err, o.Result, o.stdout, o.stderr)
	}
	for _, line := range lines(o.stdout) {
		if strings.HasPrefix(line, "ESCAPED") {
			s.Error(line)
		}
	}
}

// control runs a script without writ, as the user that it attacks as, where each of
// the attempts must work: else that it is refused shows nothing.
func (s *scene) control(name string, args []string, attempts ...string) {
	s.Helper()
	file := s.path(name)
	s.check(os.WriteFile(file, []byte(script(s.T, name)), 0o644))
	interpreter := "/bin/bash"
	if strings.HasSuffix(name, ".py") {
		interpreter = "/usr/bin/python3"
	}
	home := s.path("home-of-control")
	s.check(os.MkdirAll(home, 0o777))
	s.check(os.Chmod(home, 0o777))
	ctx, cancel := context.WithTimeout(s.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, interpreter, append([]string{file}, args...)...)
	cmd.Env, cmd.Dir = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + home, "TMPDIR=" + home}, home
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: s.credential()}
	if os.Geteuid() == 0 { // it is to own its script
		s.check(os.Chown(file, int(cmd.SysProcAttr.Credential.Uid), -1))
		s.check(os.Chown(home, int(cmd.SysProcAttr.Credential.Uid), -1))
	}
	cmd.WaitDelay = time.Second // what it leaves behind may hold its output open
	out, err := cmd.CombinedOutput()
	for _, attempt := range attempts {
		if !strings.Contains(string(out), "ESCAPED: "+attempt) {
			s.Errorf("without writ it does not work either: %s: %v\n%s", attempt, err, out)
		}
	}
}

// credential is nil where the tests are nobody special.
func (s *scene) credential() *syscall.Credential {
	s.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup(s.attack)
	s.check(err)
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	s.check(err)
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	s.check(err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

var confined = []string{policy.SandboxStrict, policy.SandboxStandard}

// inEach runs an attack in each of the profiles, in a scene of its own.
func inEach(t *testing.T, profiles []string, attack func(s *scene, profile string)) {
	t.Helper()
	for _, profile := range profiles {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			attack(newScene(t), profile)
		})
	}
}

func TestAttackRunbookRewritesItself(t *testing.T) {
	t.Parallel()
	inEach(t, []string{policy.SandboxStrict, policy.SandboxStandard, policy.SandboxNone}, func(s *scene, profile string) {
		s.refused(s.run(profile, "own-script.sh", nil))
	})
	t.Run("control", func(t *testing.T) {
		s := newScene(t)
		s.check(os.Chmod(s.base, 0o777))
		s.control("own-script.sh", nil, "written to ", "made it writable", "moved away")
	})
}

func TestAttackRunbookAsRootRewritesItself(t *testing.T) {
	t.Parallel()
	onlyRoot(t)
	inEach(t, []string{policy.SandboxStrict, policy.SandboxNone}, func(s *scene, profile string) {
		o := s.runAs("root", profile, "own-script.sh", nil)
		// What stands for the sealed file in /dev/fd is no file.
		o.stdout = strings.ReplaceAll(o.stdout, "ESCAPED: removed\n", "")
		s.refused(o)
	})
}

func onlyRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("skipped: only root can run as root")
	}
}

func TestAttackWritesWhatTheGateReliesOn(t *testing.T) {
	t.Parallel()
	profiles := confined
	if os.Geteuid() != 0 {
		profiles = confined[:1] // the profile standard does not part a user from itself
	}
	inEach(t, profiles, func(s *scene, profile string) {
		for _, private := range []string{"state/ledger.jsonl", "state/ledger.key"} {
			s.refused(s.run(profile, "host-files.sh", []string{s.path("trust/ca.pem"), s.path(private), s.path("other-run")}))
		}
		s.untouched()
	})
	t.Run("control", func(t *testing.T) {
		s := newScene(t)
		for _, name := range []string{"trust", "trust/ca.pem", "state", "state/ledger.jsonl", "other-run"} {
			if c := s.credential(); c != nil {
				s.check(os.Chown(s.path(name), int(c.Uid), -1))
			}
		}
		s.control("host-files.sh", []string{s.path("trust/ca.pem"), s.path("state/ledger.jsonl"), s.path("other-run")},
			"written to ", "read ", "looked into ", "put a file into ", "put a file beside it")
	})
}

func TestAttackChangesTheMachine(t *testing.T) {
	t.Parallel()
	inEach(t, confined, func(s *scene, profile string) { s.refused(s.run(profile, "system-files.sh", nil)) })
	t.Run("strict as root", func(t *testing.T) {
		t.Parallel()
		onlyRoot(t)
		s := newScene(t)
		s.refused(s.runAs("root", policy.SandboxStrict, "system-files.sh", nil))
	})
}

func TestAttackMountsAndMakesNamespaces(t *testing.T) {
	t.Parallel()
	inEach(t, confined, func(s *scene, profile string) { s.refused(s.run(profile, "mount.sh", []string{s.path("other-run")})) })
	t.Run("strict as root", func(t *testing.T) {
		t.Parallel()
		onlyRoot(t)
		s := newScene(t)
		s.refused(s.runAs("root", policy.SandboxStrict, "mount.sh", nil))
	})
	t.Run("control", func(t *testing.T) {
		if exec.Command("unshare", "-Ur", "true").Run() != nil {
			t.Skip("skipped: on this host nobody makes a user namespace")
		}
		newScene(t).control("mount.sh", nil, "a user namespace", "a user and mount namespace")
	})
}

func TestAttackLooksIntoProcessesByTheKernel(t *testing.T) {
	t.Parallel()
	inEach(t, confined, func(s *scene, profile string) {
		s.refused(s.run(profile, "calls.py", []string{"parent", strconv.Itoa(os.Getpid())}))
	})
	t.Run("control", func(t *testing.T) {
		newScene(t).control("calls.py", nil, "read the memory of process", "traced process", "traced by its parent", "a namespace")
	})
}

func TestAttackEndsWhatWatchesOverIt(t *testing.T) {
	t.Parallel()
	inEach(t, confined, func(s *scene, profile string) {
		gate := exec.Command("sleep", "60") // stands for a gate: it does not catch signals
		s.check(gate.Start())
		s.Cleanup(func() {
			_ = gate.Process.Kill()
			_ = gate.Wait() // killed
		})
		o := s.run(profile, "processes.sh", []string{strconv.Itoa(gate.Process.Pid), "kill"})
		s.refused(o)
		if o.Status != 0 || o.Signal != 0 || len(o.Warnings) > 0 {
			s.Errorf("its stage did not live to report: %+v", o.Result)
		}
		if state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", gate.Process.Pid)); err != nil || !strings.Contains(string(state), ") S ") {
			s.Errorf("what stands for the gate is not asleep any more: %s, %v", state, err)
		}
	})
	t.Run("control", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("skipped: nobody may not look into processes of root without writ either")
		}
		s := newScene(t)
		s.check(os.WriteFile(s.path("processes.sh"), []byte(script(t, "processes.sh")), 0o644))
		s.control("watch.sh", []string{s.path("processes.sh")}, "read the environment of", "listed the descriptors of", "opened descriptor 3", "written to descriptor 3")
	})
}

func TestAttackFindsOpenDescriptors(t *testing.T) {
	t.Parallel()
	secret, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = secret.Close() })
	if _, err := syscall.Dup(int(secret.Fd())); err != nil { // which an exec does not close
		t.Fatal(err)
	}
	inEach(t, []string{policy.SandboxStrict, policy.SandboxStandard, policy.SandboxNone}, func(s *scene, profile string) {
		s.refused(s.run(profile, "descriptors.py", nil))
	})
}

// marker returns a number of seconds that nothing else sleeps.
func marker(s *scene) string {
	sum := 0
	for _, c := range s.Name() {
		sum = (sum*31 + int(c)) % 100_000
	}
	return fmt.Sprintf("%d.%07d", 3600+sum, os.Getpid())
}

func (s *scene) alone(mark string) {
	s.Helper()
	if left := testenv.Processes(mark); len(left) > 0 {
		s.Errorf("processes outlive the run: %v", left)
	}
}

func TestAttackLeavesADaemon(t *testing.T) {
	t.Parallel()
	inEach(t, []string{policy.SandboxStrict, policy.SandboxStandard, policy.SandboxNone}, func(s *scene, profile string) {
		mark := marker(s)
		s.refused(s.run(profile, "daemon.sh", []string{mark}))
		s.alone(mark)
	})
	t.Run("control", func(t *testing.T) {
		s := newScene(t)
		mark := marker(s)
		s.control("daemon.sh", []string{mark})
		if len(testenv.Processes(mark)) == 0 {
			t.Error("without writ nothing is left either")
		}
		for pids := testenv.Processes(mark); len(pids) > 0; pids = testenv.Processes(mark) {
			for _, pid := range pids {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may be gone
			}
		}
	})
}

func TestAttackDoesNotWantToEnd(t *testing.T) {
	t.Parallel()
	inEach(t, []string{policy.SandboxStrict, policy.SandboxStandard, policy.SandboxNone}, func(s *scene, profile string) {
		s.timeout = "1s"
		mark := marker(s)
		o := s.run(profile, "deaf.sh", []string{mark})
		s.refused(o)
		if code := worker.ExitCode(o.Result, o.err); code != worker.ExitTimedOut {
			s.Errorf("exit code %d: %+v", code, o.Result)
		}
		s.alone(mark)
	})
}

func TestAttackProcessesWithoutEnd(t *testing.T) {
	t.Parallel()
	inEach(t, []string{policy.SandboxStrict}, func(s *scene, profile string) {
		const most = 100
		s.timeout, s.limits = "4s", worker.Limits{Processes: most}
		if os.Geteuid() == 0 {
			s.attack = "daemon" // of whom there are no processes that count as well
		}
		mark := marker(s)
		highest := make(chan int, 1)
		ended := make(chan struct{})
		go func() {
			n := 0
			for {
				select {
				case <-ended:
					highest <- n
					return
				case <-time.After(50 * time.Millisecond):
					n = max(n, len(testenv.Processes(mark)))
				}
			}
		}()
		o := s.run(profile, "processes-without-end.sh", []string{mark})
		close(ended)
		s.refused(o)
		if n := <-highest; n == 0 || n > most {
			s.Errorf("there were %d of its processes, and %d are allowed", n, most)
		}
		s.alone(mark)
	})
}

func TestAttackFillsTheDisk(t *testing.T) {
	t.Parallel()
	inEach(t, []string{policy.SandboxStrict}, func(s *scene, profile string) {
		s.limits = worker.Limits{Temp: 4 << 20, FileSize: 2 << 20}
		s.refused(s.run(profile, "disk.sh", []string{"5"}))
	})
	t.Run("control", func(t *testing.T) { newScene(t).control("disk.sh", []string{"5"}, "a file of 10 MiB") })
}

func TestAttackTakesAllMemory(t *testing.T) {
	t.Parallel()
	inEach(t, []string{policy.SandboxStrict}, func(s *scene, profile string) {
		s.limits = worker.Limits{Memory: 256 << 20}
		s.refused(s.run(profile, "memory.py", []string{"512"}))
	})
	t.Run("control", func(t *testing.T) { newScene(t).control("memory.py", []string{"128"}, "128 MiB") })
}

func TestAttackRaisesLimitsAndDumpsCore(t *testing.T) {
	t.Parallel()
	inEach(t, []string{policy.SandboxStrict}, func(s *scene, profile string) {
		s.refused(s.run(profile, "limits.py", []string{strconv.Itoa(os.Getpid())}))
	})
}

func TestAttackCallsServicesOfTheHost(t *testing.T) {
	t.Parallel()
	// Below ABI 6 of landlock, and in the profile standard, what the user may call
	// stays callable.
	inEach(t, []string{policy.SandboxStrict}, func(s *scene, profile string) {
		s.refused(s.run(profile, "sockets.py", s.services()))
	})
	t.Run("control", func(t *testing.T) {
		s := newScene(t)
		s.control("sockets.py", s.services(), `connected to '\x00`, "connected to '/")
	})
}

// services starts an abstract service and one with a path, and returns their names.
func (s *scene) services() []string {
	s.Helper()
	names := []string{filepath.Base(s.base), s.path("docker.sock")}
	for _, address := range []string{"@" + names[0], names[1]} {
		l, err := net.Listen("unix", address)
		s.check(err)
		s.Cleanup(func() { _ = l.Close() })
	}
	s.check(os.Chmod(names[1], 0o777))
	return names
}

func TestAttackTypesIntoTheTerminal(t *testing.T) {
	t.Parallel()
	inEach(t, confined, func(s *scene, profile string) {
		terminal := s.terminal()
		o := s.run(profile, "terminal.py", nil, func(j *worker.Job) { j.Stdin = terminal })
		s.refused(o)
		if !strings.HasPrefix(o.stdout, fmt.Sprintf("errno %d\n", syscall.EPERM)) {
			s.Errorf("it was not the filter that refused: %s", o.stdout)
		}
	})
}

func TestAttackGainsPrivileges(t *testing.T) {
	t.Parallel()
	inEach(t, confined, func(s *scene, profile string) { s.refused(s.run(profile, "privileges.sh", []string{s.setuidBash()})) })
	t.Run("control", func(t *testing.T) {
		onlyRoot(t)
		s := newScene(t)
		s.control("privileges.sh", []string{s.setuidBash()}, "NoNewPrivs 0", "Seccomp 0", "user 0")
	})
}

// setuidBash is a bash that everybody may run as root; where the tests are not root,
// as themselves.
func (s *scene) setuidBash() string {
	s.Helper()
	found, err := exec.LookPath("bash")
	s.check(err)
	program, err := os.ReadFile(found)
	s.check(err)
	s.check(os.WriteFile(s.path("bash"), program, 0o755))
	s.check(os.Chmod(s.path("bash"), os.ModeSetuid|0o755))
	return s.path("bash")
}

// The variables stand in the environment of the gate itself, and of its stage.
func TestAttackEnvironmentOfTheGate(t *testing.T) { //nolint:paralleltest // the environment is that of the process
	s := newScene(t)
	s.check(os.Mkdir(s.path("evil"), 0o755))
	injected := s.path("evil/injected.sh")
	s.check(os.WriteFile(injected, []byte("echo 'ESCAPED: BASH_ENV was run'\n"), 0o644))
	for _, module := range []string{"sitecustomize.py", "usercustomize.py"} {
		s.check(os.WriteFile(s.path("evil/"+module), []byte("print('ESCAPED: a module was run')\n"), 0o644))
	}
	for name, value := range map[string]string{
		"BASH_ENV": injected, "ENV": injected, "LD_PRELOAD": s.path("evil/none.so"), "LD_LIBRARY_PATH": s.path("evil"),
		"PYTHONPATH": s.path("evil"), "PYTHONSTARTUP": injected, "PSModulePath": s.path("evil"), "PERL5OPT": "-Mevil",
		"NODE_OPTIONS": "--require=evil", "PROMPT_COMMAND": "echo ESCAPED", "IDENTITY_HEADER": "secret", "WRIT_SECRET": "secret",
		"BASH_FUNC_injected%%": "() { echo ESCAPED; }",
	} {
		t.Setenv(name, value)
	}
	for _, profile := range []string{policy.SandboxStrict, policy.SandboxStandard, policy.SandboxNone} {
		t.Run(profile, func(t *testing.T) {
			inner := *s
			inner.T = t
			inner.refused(inner.run(profile, "environment.sh", nil))
		})
	}
}

func TestAttackLeavesSomethingForTheNextRun(t *testing.T) {
	t.Parallel()
	inEach(t, []string{policy.SandboxStrict}, func(s *scene, profile string) {
		name := filepath.Base(s.base)
		s.refused(s.run(profile, "leave.sh", []string{name}))
		s.refused(s.run(profile, "find.sh", []string{name}))
	})
	t.Run("control", func(t *testing.T) {
		s := newScene(t)
		name := filepath.Base(s.base)
		s.control("leave.sh", []string{name})
		s.control("find.sh", []string{name}, "found it in /tmp", "found it in .")
		for _, dir := range []string{"/tmp", "/dev/shm", "/var/tmp"} {
			_ = os.Remove(filepath.Join(dir, "left-"+name)) // there may be no such folder
		}
	})
}

// All of it once more, from a gate without rights: its jobs run as its own user, and its
// namespaces are those of a user.
func TestAttacksOnAGateWithoutRights(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("skipped: that is what the other tests did")
	}
	s := newScene(t)
	credential := s.credential()
	temp := s.path("gate")
	s.check(os.Mkdir(temp, 0o755))
	s.check(os.Chown(temp, int(credential.Uid), int(credential.Gid)))
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run", "^TestAttack[^s]", "-test.v", "-test.timeout", "90s")
	cmd.Args[0] = os.Args[0]
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "HOME="+temp)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, "skipped: ") {
			t.Log(strings.TrimSpace(line))
		}
	}
	if n := strings.Count(string(out), "--- PASS: TestAttack"); n < 15 {
		t.Errorf("only %d of the attacks were tried:\n%s", n, out)
	}
}
