package abilities

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/internal/cgroup"
	"github.com/runwrit/writ/internal/confine"
	"github.com/runwrit/writ/internal/guard"
)

const (
	// tryLimit is how long one try may take.
	tryLimit = 5 * time.Second
	// maxSaid is how much of what a program says is kept.
	maxSaid = 300
)

// harmless is what is run for a try, the first that is there.
var harmless = []string{"/bin/true", "/usr/bin/true"}

func firstOf(paths []string) (string, error) {
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("none of %s is here", strings.Join(paths, ", "))
}

// namespaces starts a program in the namespaces of the profile strict. Making its
// mounts private is the first thing that fails where a user namespace gives no rights.
func namespaces(ctx context.Context) (string, error) {
	path, err := firstOf(harmless)
	if err != nil {
		return "", err
	}
	attr := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWIPC, Unshareflags: unix.CLONE_NEWNS}
	detail := "PID, mount and IPC"
	if uid, gid := os.Geteuid(), os.Getegid(); uid != 0 {
		attr.Cloneflags |= unix.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		detail = "user, PID, mount and IPC"
	}
	ctx, cancel := context.WithTimeout(ctx, tryLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path) //nolint:gosec // one of harmless
	cmd.Dir, cmd.Env, cmd.SysProcAttr = "/", []string{}, attr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w%s", err, whyNoNamespaces())
	}
	return detail, nil
}

// whyNoNamespaces names the switch that forbids them to users.
func whyNoNamespaces() string {
	if os.Geteuid() == 0 {
		return ""
	}
	for _, s := range []struct{ file, forbids, why string }{
		{"/proc/sys/kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone is 0"},
		{"/proc/sys/user/max_user_namespaces", "0", "user.max_user_namespaces is 0"},
		{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns is 1: writ needs an AppArmor profile with the rule userns"},
	} {
		if data, err := os.ReadFile(s.file); err == nil && strings.TrimSpace(string(data)) == s.forbids {
			return ": " + s.why
		}
	}
	return ""
}

// seccomp installs the filter on a thread that then ends.
func seccomp() (string, error) {
	result := make(chan error)
	confine.Go(func() {
		err := confine.NoNewPrivs()
		if err == nil {
			err = confine.Seccomp()
		}
		result <- err
	})
	return "the filter can be installed", <-result
}

func landlock() (string, error) {
	abi, err := confine.LandlockABI()
	if err != nil {
		return "", err
	}
	detail := fmt.Sprintf("ABI %d", abi)
	if abi < 6 {
		detail += ": files only; signals and abstract sockets from ABI 6 on (linux 6.12)"
	}
	return detail, nil
}

func noExecSeal() (string, error) {
	fd, err := unix.MemfdCreate("writ-ability", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) {
		return "", errors.New("the kernel is older than 6.3: the memory that holds a script could be executed as a program")
	} else if err != nil {
		return "", err
	}
	return "scripts lie in memory that cannot be executed", unix.Close(fd)
}

// bubblewrap has bwrap make the namespaces of the profile standard.
func bubblewrap(ctx context.Context) (string, error) {
	path, err := FindBubblewrap()
	if err != nil {
		return "", err
	}
	program, err := firstOf(harmless)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, tryLimit)
	defer cancel()
	said, err := run(ctx, path, "--unshare-user-try", "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--new-session",
		"--ro-bind", "/", "/", "--proc", "/proc", "--tmpfs", "/tmp", "--", program)
	if err != nil {
		return "", fmt.Errorf("%s cannot make namespaces: %w: %s%s", path, err, said, whyNoNamespaces())
	}
	version, err := run(ctx, path, "--version")
	if err != nil {
		return "", fmt.Errorf("%s does not say its version: %w", path, err)
	}
	return path + ", " + version, nil
}

// run returns what a program says, of both streams.
func run(ctx context.Context, path string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // one of bubblewraps
	cmd.Dir, cmd.Env, cmd.WaitDelay = "/", []string{}, time.Second
	out, err := cmd.CombinedOutput()
	text := strings.ToValidUTF8(string(out[:min(len(out), maxSaid)]), "?")
	return string(bytes.TrimSpace([]byte(text))), err
}

// bubblewraps are the places where bwrap is looked for; never in $PATH.
var bubblewraps = []string{"/usr/bin/bwrap", "/bin/bwrap", "/usr/local/bin/bwrap"}

// FindBubblewrap returns the bwrap that a gate may use: one that only root, or the
// current user, can change.
func FindBubblewrap() (string, error) {
	path, err := firstOf(bubblewraps)
	if err != nil {
		return "", fmt.Errorf("bubblewrap: %w: install the package bubblewrap", err)
	}
	if err := guarded(path); err != nil {
		return "", fmt.Errorf("bubblewrap: %s: %w", path, err)
	}
	return path, nil
}

func guarded(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := guard.Entry(info); err != nil {
		return err
	}
	return guard.Folder(path[:strings.LastIndexByte(path, '/')])
}

func controlGroups(group string) (string, error) {
	p, err := cgroup.Look(group)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("version %d, in %s", p.Version(), p.Folder()), nil
}
