package confine_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/internal/confine"
	"github.com/runwrit/writ/internal/testenv"
)

// children are what TestMain can be asked to do, on a thread of its own.
var children = map[string]func(args []string) error{
	"probe calls":        probeCalls,
	"filter first":       func([]string) error { return confine.Seccomp() },
	"confine and run":    confineAndRun,
	"one thread only":    oneThreadOnly,
	"capabilities":       capabilitiesOfJobs,
	"files":              filesAndRun,
	"scope":              scopeAndRun,
	"limits":             limitsAndRun,
	"not dumpable":       notDumpableAndRun,
	"missing path":       missingPath,
	"bounding set first": func([]string) error { return confine.DropCapabilities(nil) },
}

func noNewPrivsAndCapabilities(keep []confine.Capability) error {
	return errors.Join(confine.NoNewPrivs(), confine.DropCapabilities(keep))
}

func seccompOnly([]string) error { return confine.Seccomp() }

// probeCalls makes calls that do no harm and that the kernel would answer otherwise,
// before and after the filter.
func probeCalls([]string) error {
	probes := []struct {
		name   string
		number uintptr
		args   [3]uintptr
	}{
		{"ptrace", unix.SYS_PTRACE, [3]uintptr{^uintptr(0)}},
		{"unshare", unix.SYS_UNSHARE, [3]uintptr{}},
		{"keyctl", unix.SYS_KEYCTL, [3]uintptr{^uintptr(0)}},
		{"bpf", unix.SYS_BPF, [3]uintptr{^uintptr(0)}},
		{"kcmp", unix.SYS_KCMP, [3]uintptr{^uintptr(0)}},
		{"perf_event_open", unix.SYS_PERF_EVENT_OPEN, [3]uintptr{}},
		{"clone3", unix.SYS_CLONE3, [3]uintptr{}},
		{"io_uring_enter", unix.SYS_IO_URING_ENTER, [3]uintptr{^uintptr(0)}},
		{"ioctl TIOCSTI", unix.SYS_IOCTL, [3]uintptr{^uintptr(0), unix.TIOCSTI}},
		{"ioctl TIOCGWINSZ", unix.SYS_IOCTL, [3]uintptr{^uintptr(0), unix.TIOCGWINSZ}},
		{"prlimit of itself", unix.SYS_PRLIMIT64, [3]uintptr{0, unix.RLIMIT_CORE}},
		{"prlimit of init", unix.SYS_PRLIMIT64, [3]uintptr{1, unix.RLIMIT_CORE}},
		{"call 5000", 5000, [3]uintptr{}},
		{"getpid of x32", 0x4000_0000 | unix.SYS_GETPID, [3]uintptr{}},
		{"getppid", unix.SYS_GETPPID, [3]uintptr{}},
	}
	for _, when := range []string{"before", "after"} {
		if when == "after" {
			if err := confineAll(); err != nil {
				return err
			}
		}
		for _, p := range probes {
			_, _, errno := unix.RawSyscall(p.number, p.args[0], p.args[1], p.args[2])
			if unix.ErrnoName(errno) == "" {
				say(when, p.name+": done")
			} else {
				say(when, p.name+":", unix.ErrnoName(errno))
			}
		}
	}
	return nil
}

func TestTheKernelGivesTheAnswersOfTheFilter(t *testing.T) {
	t.Parallel()
	got := child(t, true, "probe calls")
	wantLines(t, got,
		"before unshare: done", "after unshare: EPERM",
		"before kcmp: ESRCH", "after kcmp: EPERM",
		"before keyctl: ENOTSUP", "after keyctl: EPERM",
		"before ioctl TIOCSTI: EBADF", "after ioctl TIOCSTI: EPERM",
		"before ioctl TIOCGWINSZ: EBADF", "after ioctl TIOCGWINSZ: EBADF",
		"before clone3: EINVAL", "after clone3: ENOSYS",
		"after io_uring_enter: ENOSYS",
		"after ptrace: EPERM", "after bpf: EPERM", "after perf_event_open: EPERM",
		"before prlimit of itself: done", "after prlimit of itself: done", "after prlimit of init: EPERM",
		"after call 5000: ENOSYS", "after getpid of x32: ENOSYS",
		"after getppid: done",
	)
}

func TestTheFilterWantsNoNewPrivsFirst(t *testing.T) {
	t.Parallel()
	wantLines(t, child(t, false, "filter first"), "error: filter of system calls: no_new_privs is not set on this thread")
}

func confineAndRun(args []string) error {
	if err := confineAll(); err != nil {
		return err
	}
	return start(args[0], args[1:]...)
}

// program is a static program of 32 bits for Linux on x86 that ends with status 42.
func program32() []byte {
	code := []byte{0x31, 0xC0, 0x40, 0xB3, 42, 0xCD, 0x80} // xor eax,eax; inc eax; mov bl,42; int 0x80
	const base, headers = 0x08048000, 52 + 32
	le16 := func(v ...uint16) (b []byte) {
		for _, x := range v {
			b = append(b, byte(x), byte(x>>8))
		}
		return b
	}
	le32 := func(v ...uint32) (b []byte) {
		for _, x := range v {
			b = append(b, byte(x), byte(x>>8), byte(x>>16), byte(x>>24))
		}
		return b
	}
	elf := append([]byte("\x7fELF\x01\x01\x01"), make([]byte, 9)...)
	elf = append(elf, le16(2, 3)...)                                  // executable, 386
	elf = append(elf, le32(1, base+headers, 52, 0, 0)...)             // version, entry, program headers
	elf = append(elf, le16(52, 32, 1, 0, 0, 0)...)                    // sizes and counts
	size := uint32(headers + len(code))                               // the one segment is the whole file
	elf = append(elf, le32(1, 0, base, base, size, size, 5, 4096)...) // load, read and execute
	return append(elf, code...)
}

func TestAttackAProgramOf32BitsIsKilled(t *testing.T) {
	t.Parallel()
	if runtime.GOARCH != "amd64" {
		t.Skip("skipped: the program is one of x86")
	}
	path := filepath.Join(t.TempDir(), "program")
	testenv.WriteProgram(t, path, program32())
	var exit *exec.ExitError
	if err := exec.Command(path).Run(); !errors.As(err, &exit) || exit.ExitCode() != 42 {
		t.Skipf("skipped: this kernel does not run programs of 32 bits: %v", err)
	}
	wantLines(t, child(t, false, "confine and run", path), "ended: signal: bad system call")
}

func TestOrdinaryProgramsRunUnderTheFilter(t *testing.T) {
	t.Parallel()
	code := `import os, subprocess, threading, socket, tempfile, time
t = threading.Thread(target=lambda: print("thread")); t.start(); t.join()
print("child", subprocess.run(["/bin/echo", "hello"], capture_output=True, text=True).stdout.strip())
a, b = socket.socketpair(); a.send(b"x"); print("socket", b.recv(1).decode())
with tempfile.TemporaryFile() as f: f.write(b"y")
time.sleep(0); pid = os.fork()
if pid == 0: os._exit(3)
print("fork", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)`
	wantLines(t, child(t, true, "confine and run", python(t), "-I", "-c", code), "thread", "child hello", "socket x", "fork 3")
	wantLines(t, child(t, true, "confine and run", "/bin/bash", "-c", "ulimit -c 0; echo $(echo one | tr a-z A-Z) & wait; setsid true; echo $?"), "ONE", "0")
}

func TestAttackAJobCannotMakeItselfANamespace(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"unshare -Ur true", "unshare -m true", "nsenter -t $$ -m true", "mount -t tmpfs none /mnt", "chroot / true"} {
		got := child(t, false, "confine and run", "/bin/bash", "-c", command+" && echo escaped")
		if strings.Contains(got, "escaped") || !strings.Contains(strings.ToLower(got), "not permitted") && !strings.Contains(got, "denied") && !strings.Contains(got, "must be superuser") {
			t.Errorf("%s: %s", command, got)
		}
	}
}

// oneThreadOnly confines its thread in every way and shows both.
func oneThreadOnly([]string) error {
	if err := confineAll(); err != nil {
		return err
	}
	_, err := confine.LandlockFiles(confine.Files{Read: []string{"/proc"}})
	if err != nil && !errors.Is(err, confine.ErrNotHere) {
		return err
	}
	for name, thread := range map[string]int{"confined": unix.Gettid(), "main": mainThread()} {
		say(name, status(thread, "NoNewPrivs"))
		say(name, status(thread, "Seccomp"))
	}
	read := make(chan error)
	go func() {
		_, err := os.ReadFile("/etc/passwd")
		read <- err
	}()
	say("another thread reads:", <-read)
	return nil
}

func TestOnlyTheCallingThreadIsConfined(t *testing.T) {
	t.Parallel()
	wantLines(t, child(t, false, "one thread only"),
		"confined NoNewPrivs: 1", "confined Seccomp: 2", "main NoNewPrivs: 0", "main Seccomp: 0", "another thread reads: <nil>")
}

func capabilitiesOfJobs(args []string) error {
	keep, uid := []confine.Capability(nil), uint32(nobody)
	if args[0] == "root" {
		keep, uid = confine.OfRoot(), 0
	}
	if err := noNewPrivsAndCapabilities(keep); err != nil {
		return err
	}
	cmd := exec.Command("/bin/grep", "Cap", "/proc/self/status")
	cmd.Stdout = os.Stdout
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	return cmd.Run()
}

func TestNoCapabilityIsLeftToAJob(t *testing.T) {
	t.Parallel()
	got := child(t, false, "capabilities", "nobody")
	want := []string{"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapAmb:\t0000000000000000"}
	if os.Getuid() == 0 { // others cannot change their bounding set; no_new_privs stands in for it
		want = append(want, "CapBnd:\t0000000000000000")
	}
	wantLines(t, got, want...)
}

func TestAJobOfRootKeepsAFewCapabilities(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("skipped: only root can start a job of root")
	}
	const few = "00000000000004fb"
	wantLines(t, child(t, false, "capabilities", "root"), "CapInh:\t0000000000000000", "CapPrm:\t"+few, "CapEff:\t"+few, "CapBnd:\t"+few, "CapAmb:\t0000000000000000")
}

func TestAThreadThatCannotDropCapabilitiesNeedsNoNewPrivsFirst(t *testing.T) {
	t.Parallel()
	wantLines(t, child(t, true, "bounding set first"), "error: bounding set: this thread may not change it, and no_new_privs is not set")
}

func needLandlock(t *testing.T, least int) {
	t.Helper()
	if abi, err := confine.LandlockABI(); err != nil || abi < least {
		t.Skipf("skipped: landlock ABI %d is needed, this kernel has %d (%v)", least, abi, err)
	}
}

func filesAndRun(args []string) error {
	if err := confine.NoNewPrivs(); err != nil {
		return err
	}
	abi, err := confine.LandlockFiles(confine.Files{
		Read:  []string{"/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/proc"},
		Write: []string{args[0], "/dev/null"},
	})
	if err != nil {
		return err
	}
	say("abi", abi)
	return start("/bin/bash", "-c", args[1])
}

func TestOnlyTheNamedFilesStayUsable(t *testing.T) {
	t.Parallel()
	needLandlock(t, 3)
	dir, outside := t.TempDir(), t.TempDir()
	secret := filepath.Join(outside, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	script := `cd ` + dir + `
say() { if "$@" 2>/dev/null; then echo "$1 done"; else echo "$1 refused"; fi; }
inside() { echo a > a && mv a b && mkdir d && mv b d/b && rm -r d; }
readout() { cat ` + secret + `; }
listout() { ls ` + outside + `; }
writeout() { echo x > ` + outside + `/new; }
truncateout() { : > ` + secret + `; }
linkin() { ln -s ` + secret + ` l && cat l; }
hardlink() { ln ` + secret + ` h; }
etc() { cat /etc/passwd; }
null() { echo x > /dev/null; }
usr() { : > /usr/writ-test; }
for f in inside readout listout writeout truncateout linkin hardlink etc null usr; do say $f; done`
	wantLines(t, child(t, false, "files", dir, script),
		"inside done", "null done", "readout refused", "listout refused", "writeout refused", "truncateout refused", "linkin refused",
		"hardlink refused", "etc refused", "usr refused")
	if data, err := os.ReadFile(secret); string(data) != "secret" {
		t.Errorf("the file outside is %q (%v)", data, err)
	}
}

func missingPath([]string) error {
	if err := confine.NoNewPrivs(); err != nil {
		return err
	}
	_, err := confine.LandlockFiles(confine.Files{Read: []string{"/usr", "/no/such/folder"}})
	return err
}

func TestAPathThatIsNotThereIsAnErrorAndNotLeftOut(t *testing.T) {
	t.Parallel()
	needLandlock(t, 1)
	wantLines(t, child(t, false, "missing path"), `error: landlock: "/no/such/folder": no such file or directory`)
}

// scopeAndRun runs a job that tries to signal what started it, as it should be done:
// the confined thread ends once the job has started.
func scopeAndRun(args []string) error {
	cmd := exec.Command(args[0], "-I", "-c", args[1])
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
	failed := make(chan error)
	confine.Go(func() {
		cmd.Args = append(cmd.Args, strconv.Itoa(unix.Gettid()))
		if err := confine.NoNewPrivs(); err != nil {
			failed <- err
			return
		}
		if _, err := confine.LandlockScope(); err != nil {
			failed <- err
			return
		}
		failed <- cmd.Start()
	})
	if err := <-failed; err != nil {
		return err
	}
	return cmd.Wait()
}

const signalsOfAJob = `
import os, signal, sys, ctypes, time
parent, thread = os.getppid(), int(sys.argv[1])
try:
    os.kill(parent, 0); print("kill done")
except PermissionError: print("kill refused")
libc = ctypes.CDLL(None, use_errno=True)
for _ in range(1000):
    if not os.path.exists(f"/proc/{parent}/task/{thread}"): break
    time.sleep(0.002)
tgkill = 131 if os.uname().machine == "aarch64" else 234
print("tgkill", "done" if libc.syscall(tgkill, parent, thread, 0) == 0 else "failed")
child = os.fork()
if child == 0: time.sleep(60)
os.kill(child, signal.SIGKILL); print("own child", os.waitpid(child, 0)[1])
`

func TestAttackAJobCannotSignalWhatWatchesOverIt(t *testing.T) {
	t.Parallel()
	needLandlock(t, 6)
	wantLines(t, child(t, true, "scope", python(t), signalsOfAJob), "kill refused", "tgkill failed", "own child 9")
}

func limitsAndRun([]string) error {
	limits := confine.Limits{Processes: 4321, FileSize: 1 << 20, OpenFiles: 64, CPU: 7, Data: 1 << 30}
	if err := limits.Apply(); err != nil {
		return err
	}
	if err := (confine.Limits{OpenFiles: 1 << 20}).Apply(); err != nil { // none is raised
		return err
	}
	if err := confine.OOMScore(1000); err != nil {
		return err
	}
	return start("/bin/bash", "-c", "cat /proc/self/limits; echo score $(cat /proc/self/oom_score_adj); dd if=/dev/zero of=$(mktemp) bs=1M count=2 status=none; echo dd $?")
}

func TestGoRunsOnAThreadThatEnds(t *testing.T) {
	t.Parallel()
	for range 50 {
		thread := make(chan int)
		confine.Go(func() { thread <- unix.Gettid() })
		id := <-thread
		if id == unix.Getpid() {
			t.Fatal("it is the main thread")
		}
		for unix.Tgkill(unix.Getpid(), id, 0) == nil {
			runtime.Gosched()
		}
	}
}

func TestLimitsHoldForWhatIsStarted(t *testing.T) {
	t.Parallel()
	got := regexp.MustCompile(` +`).ReplaceAllString(child(t, true, "limits"), " ")
	wantLines(t, got, "Max core file size 0 0 bytes ", "Max processes 4321 4321 processes ", "Max file size 1048576 1048576 bytes ",
		"Max open files 64 64 files ", "Max cpu time 7 8 seconds ", "Max data size 1073741824 1073741824 bytes ", "score 1000", "dd 153")
}

func TestAnOOMScoreOutOfRangeIsRefused(t *testing.T) {
	t.Parallel()
	for _, score := range []int{-1, 1001} {
		if err := confine.OOMScore(score); err == nil {
			t.Errorf("%d is taken", score)
		}
	}
}

func notDumpableAndRun(args []string) error {
	if args[0] == "set" {
		if err := confine.NotDumpable(); err != nil {
			return err
		}
	}
	return start("/bin/bash", "-c", "cat /proc/$PPID/environ >/dev/null && echo read")
}

func TestAttackAJobCannotReadTheMemoryOfWhatStartedIt(t *testing.T) {
	t.Parallel()
	wantLines(t, child(t, true, "not dumpable", "not set"), "read")
	if got := child(t, true, "not dumpable", "set"); strings.Contains(got, "\nread\n") || !strings.Contains(got, "Permission denied") {
		t.Error(got)
	}
}
