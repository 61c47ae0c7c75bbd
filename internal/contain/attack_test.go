//go:build linux

package contain_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/internal/contain"
	"github.com/runwrit/writ/internal/testenv"
)

// nobody is an account without rights, as which root's jobs run.
func nobody() *contain.User { return &contain.User{UID: 65534, GID: 65534, Groups: []uint32{65534}} }

// asOwnUserAndAsNobody runs a test for jobs of the same user as the stage and, where the
// tests are root's, for jobs of another one.
func asOwnUserAndAsNobody(t *testing.T, forms []contain.Form, f func(*testing.T, contain.Form, *contain.User)) {
	for _, form := range forms {
		t.Run(string(form)+"/own user", func(t *testing.T) {
			t.Parallel()
			f(t, form, nil)
		})
		if os.Geteuid() == 0 {
			t.Run(string(form)+"/nobody", func(t *testing.T) {
				t.Parallel()
				f(t, form, nobody())
			})
		}
	}
}

// python is a specification that runs a Python program.
func python(t *testing.T, form contain.Form, user *contain.User, program string) contain.Spec {
	t.Helper()
	testenv.Tool(t, "python3")
	spec := bash(form, "")
	spec.Program, spec.Arguments, spec.User = "/usr/bin/python3", []string{"python3", "-I", "-c", program}, user
	return spec
}

// attempts is the beginning of a program that says what it was able to do.
const attempts = `
import ctypes, os, signal, socket, sys, time
libc = ctypes.CDLL(None, use_errno=True)
stage = os.getppid()
def attempt(name, f):
    try:
        result = f()
    except OSError as e:
        return
    if result not in (None, False, -1):
        print("could", name, result)
`

// A job must not reach into its stage: what it is told, what it reports, its memory. That
// of root without confinement could; here it has lost what it takes.
func TestAttackLookIntoTheStage(t *testing.T) {
	t.Parallel()
	asOwnUserAndAsNobody(t, forms, func(t *testing.T, form contain.Form, user *contain.User) {
		o := run(t, python(t, form, user, attempts+`
attempt("trace the stage", lambda: libc.ptrace(16, stage, 0, 0))
attempt("seize the stage", lambda: libc.ptrace(0x4206, stage, 0, 0))
attempt("read its environment", lambda: open(f"/proc/{stage}/environ", "rb").read(1) != b"")
attempt("read its memory", lambda: open(f"/proc/{stage}/mem", "rb"))
for fd in range(0, 12):
    attempt(f"open its descriptor {fd}", lambda: os.open(f"/proc/{stage}/fd/{fd}", os.O_RDWR))
    pidfd = libc.syscall(434, stage, 0)
    attempt(f"take its descriptor {fd}", lambda: libc.syscall(438, pidfd, fd, 0))
for fd in range(3, 64):
    attempt(f"forge a report through {fd}", lambda: os.write(fd, b'{"is":"ended"}') and None)
    attempt(f"hold descriptor {fd}", lambda: os.fstat(fd) and not os.readlink(f"/proc/self/fd/{fd}").startswith(("/proc", "pidfd", "anon_inode")))
print("end")
sys.exit(5)
`), contain.IO{})
		if o.output != "end\n" || o.Code != 5 {
			t.Errorf("%+v", o)
		}
	})
}

// A confined job must not end or stop what holds it together, and so get away: not by
// its process, and not by one of its threads.
func TestAttackKillTheStage(t *testing.T) {
	t.Parallel()
	if abi := landlockABI(); abi < 6 && os.Geteuid() != 0 {
		t.Skipf("skipped: the kernel has landlock %d, and keeps signals inside from 6 on", abi)
	}
	asOwnUserAndAsNobody(t, forms, func(t *testing.T, form contain.Form, user *contain.User) {
		m := mark(t)
		o := run(t, python(t, form, user, attempts+`
import subprocess
subprocess.Popen(["setsid", "sleep", "`+m+`"])
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGQUIT, signal.SIGSEGV):
    try:
        os.kill(stage, number)
    except OSError:
        pass
    for task in map(int, os.listdir(f"/proc/{stage}/task")): # and no other: they are of this host
        libc.syscall(234, stage, task, int(number))
        libc.syscall(200, task, int(number))
time.sleep(0.2)
print("end")
sys.exit(6)
`), contain.IO{})
		if o.output != "end\n" || o.Code != 6 || o.Lost || o.Left > 0 {
			t.Errorf("%+v", o)
		}
		if pids := testenv.Processes(m); len(pids) > 0 {
			t.Errorf("processes %v are left", pids)
		}
	})
}

func landlockABI() int {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(abi)
}

// Where the job may stop its stage, because it has not been confined, its end comes all
// the same.
func TestAttackStopTheStage(t *testing.T) {
	t.Parallel()
	m := mark(t)
	spec := bash(contain.Subreaper, "setsid sleep "+m+" & sleep "+m+" & kill -STOP $PPID; echo stopped; wait")
	spec.NoNewPrivs = false
	o := run(t, spec, contain.IO{}, func(p *contain.Process) {
		wait(t, "its children", func() bool { return len(testenv.Processes("sleep\x00"+m)) == 2 })
		p.Signal(syscall.SIGTERM)
		p.Kill()
	})
	if o.output != "stopped\n" || o.Signal == 0 || o.Lost {
		t.Errorf("%+v", o)
	}
	if pids := testenv.Processes(m); len(pids) > 0 {
		t.Errorf("processes %v are left", pids)
	}
}

// A job that was not confined can kill its stage. What did not leave the session is found
// all the same, and the caller is told.
func TestAStageThatWasKilledIsTold(t *testing.T) {
	t.Parallel()
	m := mark(t)
	spec := bash(contain.Subreaper, "sleep "+m+" & kill -KILL $PPID; wait")
	spec.NoNewPrivs = false
	o := run(t, spec, contain.IO{})
	if !o.Lost || o.Signal != int(unix.SIGKILL) {
		t.Errorf("%+v", o)
	}
	wait(t, "the end of its children", func() bool { return len(testenv.Processes(m)) == 0 })
}

// The caller is killed: the kernel closes its end of the socket, and the stage ends
// everything and removes the private folder.
func TestNothingOutlivesACallerThatIsKilled(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		t.Run(string(form), func(t *testing.T) {
			t.Parallel()
			m, scratch := mark(t), filepath.Join(t.TempDir(), "scratch")
			if err := os.MkdirAll(filepath.Join(scratch, "locked", "in"), 0o700); err != nil {
				t.Fatal(err)
			}
			start(t, bash(form, "true"), contain.IO{}).Close() // or skip
			caller := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestHelper$")
			caller.Env = append(os.Environ(), "WRIT_CONTAIN="+string(form), "WRIT_MARK="+m, "WRIT_SCRATCH="+scratch, "TMPDIR="+open(t))
			if err := caller.Start(); err != nil {
				t.Fatal(err)
			}
			wait(t, "the job", func() bool { return len(testenv.Processes("sleep\x00"+m)) == 2 })
			if err := caller.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = caller.Wait() // it was killed
			wait(t, "the end of the job", func() bool { return len(testenv.Processes(m)) == 0 })
			if form != contain.Subreaper {
				return // the stage sees no folder outside
			}
			wait(t, "the end of the private folder", func() bool {
				_, err := os.Stat(scratch)
				return errors.Is(err, os.ErrNotExist)
			})
		})
	}
}

// TestHelper is nothing by itself: it is a caller that another test kills.
func TestHelper(t *testing.T) {
	form := contain.Form(os.Getenv("WRIT_CONTAIN"))
	if form == "" {
		return
	}
	m := os.Getenv("WRIT_MARK")
	spec := bash(form, "trap '' TERM; setsid sleep "+m+" & sleep "+m+" & wait")
	spec.Scratch = os.Getenv("WRIT_SCRATCH")
	p := start(t, spec, contain.IO{})
	if err := p.Go(); err != nil {
		t.Fatal(err)
	}
	p.Wait()
}

// What is put into the new root folder is what its caller has put together: a file whose
// content is another one, through whatever defect, is not run.
func TestAFileWhoseContentIsAnotherIsRefused(t *testing.T) {
	t.Parallel()
	content, err := contain.NewContent()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = content.Close() }()
	if err := content.Add("a.sh", false, []byte("echo verified\n")); err != nil {
		t.Fatal(err)
	}
	start(t, bash(contain.Namespaces, "true"), contain.IO{}).Close() // or skip
	content.Files()[0].SHA256 = strings.Repeat("0", 64)
	p, err := contain.Start(t.Context(), contain.Self, bash(contain.Namespaces, "true"), contain.IO{Content: content})
	var unavailable *contain.UnavailableError
	if p != nil || !errors.As(err, &unavailable) || !strings.Contains(err.Error(), "not what was verified") {
		t.Errorf("%v", err)
	}
}

// Whoever executes the program under the stage's name gets nothing from it.
func TestAttackStartAStageByHand(t *testing.T) {
	t.Parallel()
	ours, theirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = ours.Close(), theirs.Close() }()
	for name, files := range map[string][]*os.File{"no descriptors": nil, "a socket and nothing else": {theirs}} {
		cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
		cmd.Args, cmd.ExtraFiles = []string{contain.StageName}, files
		out, err := cmd.CombinedOutput()
		var failed *exec.ExitError
		if !errors.As(err, &failed) || failed.ExitCode() != 1 || len(out) > 0 {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs"), nil
}

// A job in namespaces must not see or change more than it was given.
func TestAttackOutOfTheNewRootFolder(t *testing.T) {
	t.Parallel()
	asOwnUserAndAsNobody(t, []contain.Form{contain.Namespaces}, func(t *testing.T, form contain.Form, user *contain.User) {
		secret := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		o := run(t, python(t, form, user, attempts+fmt.Sprintf(`
for path in (%q, "/proc/1/root", "/proc/1/cwd", "/root", "/home", "/var/lib", "/sys/kernel", "/boot"):
    attempt("see " + path, lambda: os.stat(path) and True)
for path in ("/", "/etc", "/usr/bin", "/run/writ/runbook", "/run/writ", "/proc", "/dev", "/etc/writ"):
    attempt("write to " + path, lambda: os.open(path + "/evil", os.O_CREAT | os.O_WRONLY))
for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/kernel/hostname", "/proc/self/oom_score_adj", "/proc/self/uid_map"):
    attempt("write " + path, lambda: os.open(path, os.O_WRONLY))
attempt("mount", lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0)
attempt("remount", lambda: libc.mount(b"", b"/", b"", 0x20 | 0x1000, None) == 0)
attempt("unmount", lambda: libc.umount2(b"/etc", 2) == 0)
attempt("get a namespace", lambda: libc.unshare(0x10000000) == 0)
attempt("get mounts", lambda: libc.unshare(0x00020000) == 0)
attempt("change its root", lambda: libc.chroot(b"/tmp") == 0)
attempt("enter the stage's namespace", lambda: libc.setns(os.open("/proc/1/ns/mnt", 0), 0) == 0)
attempt("make a device", lambda: libc.mknod(b"/tmp/sda", 0o60660, 0x0800) == 0)
attempt("name the machine", lambda: libc.sethostname(b"evil", 4) == 0)
attempt("open by handle", lambda: libc.open_by_handle_at(-100, None, 0) >= 0)
os.mkdir("/tmp/d")
open("/tmp/d/f", "w").write("own")
print("end")
`, secret)), contain.IO{})
		if o.output != "end\n" || o.Code != 0 {
			t.Errorf("%+v", o)
		}
	})
}

// What a job sees it can list: landlock does not hide the few folders that the new root
// folder has.
func TestARunbookInStrictListsTheFewFoldersThatThereAre(t *testing.T) {
	t.Parallel()
	asOwnUserAndAsNobody(t, []contain.Form{contain.Namespaces}, func(t *testing.T, form contain.Form, user *contain.User) {
		o := run(t, python(t, form, user, `
import os
system = {"bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "opt"}
print(sorted(set(os.listdir("/")) - system), sorted(os.listdir("/run/writ")))
`), contain.IO{})
		if want := "['dev', 'proc', 'run', 'tmp'] ['home', 'runbook']\n"; o.output != want || o.Code != 0 {
			t.Errorf("%+v, want %s", o, want)
		}
	})
}

// What the new root folder needs is made in it, and never in a folder of the host that
// is shown there.
func TestAttackHaveTheStageWriteIntoTheHost(t *testing.T) {
	t.Parallel()
	before, errBefore := os.Stat("/run/writ")
	for _, path := range []string{"/run", "/var/run"} {
		for _, spec := range []contain.Spec{{Write: []string{path}}, {Read: []string{path, "/var"}}, {Write: []string{path, "/var"}}} {
			s := bash(contain.Namespaces, "echo ran")
			s.Read, s.Write = spec.Read, spec.Write
			p, err := contain.Start(t.Context(), contain.Self, s, contain.IO{})
			if err == nil {
				p.Close() // it was shown under another name
			}
		}
	}
	after, errAfter := os.Stat("/run/writ")
	if (errBefore == nil) != (errAfter == nil) || errBefore == nil && !before.ModTime().Equal(after.ModTime()) {
		t.Errorf("/run/writ of the host: before %v, after %v", errBefore, errAfter)
	}
}

// What a job may use up is bounded: processes, files, temporary folders.
func TestAttackUseUpWhatThereIs(t *testing.T) {
	t.Parallel()
	spec := python(t, contain.Namespaces, nil, attempts+`
import errno
def fails(name, number, f):
    try:
        for _ in range(100000):
            f()
        print("no end of", name)
    except OSError as e:
        if e.errno not in number:
            print(name, e)
kept = []
fails("files", [errno.EMFILE], lambda: kept.append(os.open("/dev/null", 0)))
for fd in kept: os.close(fd)
block = b"x" * (1 << 20)
for folder in ("/tmp", "/run/writ/home", "/dev/shm"):
    f = os.open(folder + "/big", os.O_CREAT | os.O_WRONLY)
    fails(folder, [errno.ENOSPC, errno.EFBIG], lambda: os.write(f, block))
    os.close(f)
    os.unlink(folder + "/big")
n = 0
def small():
    global n
    n += 1
    os.close(os.open(f"/tmp/{n}", os.O_CREAT | os.O_WRONLY))
fails("names", [errno.ENOSPC], small)
children = []
def fork():
    pid = os.fork()
    if pid == 0:
        time.sleep(100)
    children.append(pid)
if os.getuid() != 0:
    fails("processes", [errno.EAGAIN], fork)
    print("processes", len(children) < 60)
else:
    print("processes", True)
print("end")
`)
	spec.Limits = contain.Limits{Processes: 60, FileSize: 8 << 20, OpenFiles: 64, Data: 512 << 20, Temp: 4 << 20}
	if os.Geteuid() == 0 {
		spec.User = nobody()
	}
	if o := run(t, spec, contain.IO{}); o.output != "processes True\nend\n" || o.Code != 0 {
		t.Errorf("%+v", o)
	}
}
