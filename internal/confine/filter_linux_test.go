package confine

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/internal/testenv"
)

// wantRefused and wantAbsent say it a second time, by name alone: the numbers come
// from golang.org/x/sys, which took them from the kernel.
const (
	wantRefused = `acct add_key adjtimex bpf chroot clock_adjtime clock_settime delete_module fanotify_init
		finit_module fsconfig fsmount fsopen fspick init_module kcmp kexec_file_load kexec_load keyctl lookup_dcookie
		mount mount_setattr move_mount open_by_handle_at open_tree open_tree_attr perf_event_open pidfd_getfd pivot_root
		process_madvise process_vm_readv process_vm_writev ptrace quotactl quotactl_fd reboot request_key
		setdomainname sethostname setns settimeofday swapoff swapon syslog umount2 unshare userfaultfd vhangup`
	wantRefusedOnAMD64 = `create_module get_kernel_syms ioperm iopl modify_ldt query_module`
	wantAbsent         = `clone3 io_uring_enter io_uring_register io_uring_setup`
)

// run does what the kernel does with a filter and a call (kernel/seccomp.c).
func run(t *testing.T, program []unix.SockFilter, audit, number uint32, args [6]uint64) uint32 {
	t.Helper()
	data := make([]uint32, 16)
	data[offsetNumber/4], data[offsetArch/4] = number, audit
	for i, a := range args {
		data[offsetArguments/4+2*i], data[offsetArguments/4+2*i+1] = uint32(a), uint32(a>>32)
	}
	var acc uint32
	for at := 0; at < len(program); at++ {
		i := program[at]
		holds := false
		switch i.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			if i.K%4 != 0 || i.K >= 64 {
				t.Fatalf("instruction %d reads at offset %d", at, i.K)
			}
			acc = data[i.K/4]
			continue
		case unix.BPF_RET | unix.BPF_K:
			return i.K
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			holds = acc == i.K
		case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
			holds = acc > i.K
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			holds = acc&i.K != 0
		default:
			t.Fatalf("instruction %d is unknown: %#x", at, i.Code)
		}
		if holds {
			at += int(i.Jt)
		} else {
			at += int(i.Jf)
		}
	}
	t.Fatal("the program ends without an answer")
	return 0
}

// numbers reads the names and numbers of all calls of an architecture.
func numbers(t *testing.T, arch string) map[string]uint32 {
	t.Helper()
	out, err := exec.Command(testenv.Tool(t, "go"), "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil || len(out) == 0 {
		t.Skipf("skipped: the sources of golang.org/x/sys are not here: %v", err)
	}
	name := filepath.Join(strings.TrimSpace(string(out)), "unix", "zsysnum_linux_"+arch+".go")
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]uint32{}
	for _, m := range regexp.MustCompile(`(?m)^\s*SYS_(\w+)\s*=\s*(\d+)$`).FindAllStringSubmatch(string(source), -1) {
		n, err := strconv.ParseUint(m[2], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		found[strings.ToLower(m[1])] = uint32(n)
	}
	if len(found) < 250 {
		t.Fatalf("found %d calls", len(found))
	}
	return found
}

func TestTheFilterAnswersEveryCallOfBothArchitectures(t *testing.T) {
	t.Parallel()
	for arch, a := range architectures {
		t.Run(arch, func(t *testing.T) {
			t.Parallel()
			program, err := filter(a)
			if err != nil {
				t.Fatal(err)
			}
			named := numbers(t, arch)
			want := map[uint32]uint32{}
			expect := func(names string, verdict uint32) {
				for _, name := range strings.Fields(names) {
					n, ok := named[name]
					if !ok {
						t.Errorf("%s has no call %s", arch, name)
					}
					want[n] = verdict
				}
			}
			expect(wantRefused, verdictRefuse)
			expect(wantAbsent, verdictAbsent)
			if arch == "amd64" {
				expect(wantRefusedOnAMD64, verdictRefuse)
			}
			if greatest := slices.Max(slices.Collect(maps.Values(named))); greatest != lastKnown {
				t.Errorf("the greatest number is %d, the table knows %d", greatest, lastKnown)
			}
			for n := range uint32(1 << 16) {
				verdict, ok := want[n]
				if !ok && n <= lastKnown {
					verdict = verdictAllow
				} else if !ok {
					verdict = verdictAbsent
				}
				if got := run(t, program, a.audit, n, [6]uint64{}); got != verdict {
					t.Errorf("call %d: got %#x, want %#x", n, got, verdict)
				}
			}
		})
	}
}

func TestEachCallOfTheTableHasItsNumber(t *testing.T) {
	t.Parallel()
	for arch, a := range architectures {
		named := numbers(t, arch)
		all := slices.Concat(refused, absent)
		for _, c := range flagged {
			all = append(all, c.call)
		}
		for _, c := range all {
			want, exists := named[c.name]
			if got := a.number(c); exists != (got != none) || exists && uint32(got) != want {
				t.Errorf("%s on %s: got %d, want %d (%v)", c.name, arch, got, want, exists)
			}
		}
	}
}

func TestAttackACallInTheWayOfAnotherArchitectureKills(t *testing.T) {
	t.Parallel()
	foreign := []uint32{unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_ARM, unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_AARCH64, unix.AUDIT_ARCH_RISCV64, 0}
	for arch, a := range architectures {
		program, err := filter(a)
		if err != nil {
			t.Fatal(err)
		}
		for _, audit := range foreign {
			if audit == a.audit {
				continue
			}
			for n := range uint32(600) {
				if got := run(t, program, audit, n, [6]uint64{}); got != verdictKill {
					t.Errorf("%s: call %d of %#x: got %#x", arch, n, audit, got)
				}
			}
		}
	}
}

func TestAttackNumbersOfX32AndNegativeOnesDoNotExist(t *testing.T) {
	t.Parallel()
	a := architectures["amd64"]
	program, err := filter(a)
	if err != nil {
		t.Fatal(err)
	}
	for n := range uint32(1024) {
		for _, number := range []uint32{0x4000_0000 | n, 0x8000_0000 | n, 0xFFFF_FFFF - n} {
			if got := run(t, program, a.audit, number, [6]uint64{}); got != verdictAbsent {
				t.Errorf("call %#x: got %#x", number, got)
			}
		}
	}
}

func TestAttackCloneIntoANamespaceIsRefusedWhateverElseItAsks(t *testing.T) {
	t.Parallel()
	namespaces := uint64(unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET)
	for arch, a := range architectures {
		program, err := filter(a)
		if err != nil {
			t.Fatal(err)
		}
		number := uint32(map[string]int{"amd64": 56, "arm64": 220}[arch])
		for bit := range 64 {
			flags := uint64(1)<<bit | uint64(unix.SIGCHLD)
			want := uint32(verdictAllow)
			if flags&namespaces != 0 {
				want = verdictRefuse
			}
			if got := run(t, program, a.audit, number, [6]uint64{flags}); got != want {
				t.Errorf("%s: clone with %#x: got %#x, want %#x", arch, flags, got, want)
			}
			if got := run(t, program, a.audit, number, [6]uint64{flags | unix.CLONE_NEWUSER}); got != verdictRefuse {
				t.Errorf("%s: clone with %#x and CLONE_NEWUSER: got %#x", arch, flags, got)
			}
		}
		// A thread and a fork, as the C libraries make them; flags elsewhere are none.
		thread := uint64(unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD | unix.CLONE_SYSVSEM | unix.CLONE_SETTLS | unix.CLONE_PARENT_SETTID | unix.CLONE_CHILD_CLEARTID)
		for _, args := range [][6]uint64{{thread}, {uint64(unix.SIGCHLD), namespaces, namespaces, namespaces, namespaces, namespaces}} {
			if got := run(t, program, a.audit, number, args); got != verdictAllow {
				t.Errorf("%s: clone with %#x: got %#x", arch, args, got)
			}
		}
	}
}

func TestAttackTypingIntoTheTerminalIsRefused(t *testing.T) {
	t.Parallel()
	for arch, a := range architectures {
		program, err := filter(a)
		if err != nil {
			t.Fatal(err)
		}
		number := uint32(map[string]int{"amd64": 16, "arm64": 29}[arch])
		for request := range uint64(1 << 16) {
			want := uint32(verdictAllow)
			if request == unix.TIOCSTI || request == unix.TIOCLINUX {
				want = verdictRefuse
			}
			// The upper half is not looked at by the kernel (CVE-2019-10063).
			for _, upper := range []uint64{0, 1 << 32, 0xFFFF_FFFF << 32} {
				if got := run(t, program, a.audit, number, [6]uint64{3, request | upper}); got != want {
					t.Errorf("%s: ioctl %#x: got %#x, want %#x", arch, request|upper, got, want)
				}
			}
		}
	}
}

func TestAttackLimitsOfAnotherProcessAreRefused(t *testing.T) {
	t.Parallel()
	for arch, a := range architectures {
		program, err := filter(a)
		if err != nil {
			t.Fatal(err)
		}
		number := uint32(map[string]int{"amd64": 302, "arm64": 261}[arch])
		for _, pid := range []uint64{0, 1, 2, 4711, 0xFFFF_FFFF, 1 << 32} {
			want := verdictRefuse
			if uint32(pid) == 0 {
				want = verdictAllow
			}
			if got := run(t, program, a.audit, number, [6]uint64{pid}); got != want {
				t.Errorf("%s: prlimit64 of %d: got %#x, want %#x", arch, pid, got, want)
			}
		}
	}
}

func TestAFilterThatIsTooLongForItsJumpsIsAnError(t *testing.T) {
	t.Parallel()
	p := &assembler{labels: map[string]int{}}
	p.jump(unix.BPF_JEQ, 0, "end", "")
	for i := range 256 {
		p.answer(fmt.Sprint(i), verdictAllow)
	}
	p.answer("end", verdictKill)
	if _, err := p.program(); err == nil {
		t.Error("want an error")
	}
}
