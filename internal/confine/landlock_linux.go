package confine

import (
	"errors"
	"fmt"

	"github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// maxABI is the newest form of Landlock that this package knows how to use.
const maxABI = 7

// From these on the kernel can also keep a domain's signals, and its connections to
// abstract sockets, inside.
const (
	scopeABI = 6
	scopes   = syscall.ScopeSignal | syscall.ScopeAbstractUnixSocket
)

// fileRights is what each ABI added.
var fileRights = []struct {
	abi    int
	rights uint64
}{
	{1, syscall.AccessFSMakeSym<<1 - 1}, // all of the first ABI: execute to make_sym
	{2, syscall.AccessFSRefer},
	{3, syscall.AccessFSTruncate},
	{5, syscall.AccessFSIoctlDev},
}

const (
	readRights = syscall.AccessFSExecute | syscall.AccessFSReadFile | syscall.AccessFSReadDir
	// ofOneFile are the rights that a file can have which is no folder.
	ofOneFile = syscall.AccessFSExecute | syscall.AccessFSReadFile | syscall.AccessFSWriteFile | syscall.AccessFSTruncate | syscall.AccessFSIoctlDev
)

// LandlockABI returns the form of Landlock that the kernel gives, at most the newest
// one that this package knows. An error wraps ErrNotHere if there is none.
func LandlockABI() (int, error) {
	abi, err := syscall.LandlockGetABIVersion()
	switch {
	case errors.Is(err, unix.ENOSYS):
		return 0, fmt.Errorf("%w: landlock: the kernel was built without it", ErrNotHere)
	case errors.Is(err, unix.EOPNOTSUPP):
		return 0, fmt.Errorf("%w: landlock: switched off when the kernel was started", ErrNotHere)
	case err != nil:
		return 0, fmt.Errorf("landlock: %w", err)
	case abi < 1:
		return 0, fmt.Errorf("%w: landlock: the kernel says ABI %d", ErrNotHere, abi)
	}
	return min(abi, maxABI), nil
}

// LandlockFiles leaves the thread the files that are named, and nothing else of the
// file system; where the kernel can, also no signals to processes outside and no
// connections to their abstract sockets. NoNewPrivs comes first. It returns the ABI
// that was used: before 2 files cannot be moved between folders, before 3 an existing
// file that may not be written can still be truncated, before 5 devices can be controlled, before 6
// signals and sockets are free. Nothing is mounted from such a thread any more.
//
// Every path must exist. A link is followed once, here; the right is that of the
// file it leads to.
func LandlockFiles(files Files) (abi int, err error) {
	if abi, err = LandlockABI(); err != nil {
		return 0, err
	}
	attr := syscall.RulesetAttr{}
	for _, r := range fileRights {
		if r.abi <= abi {
			attr.HandledAccessFS |= r.rights
		}
	}
	if abi >= scopeABI {
		attr.Scoped = scopes
	}
	return abi, restrict(attr, func(ruleset int) error {
		for _, allowed := range []struct {
			paths  []string
			rights uint64
		}{
			{files.List, syscall.AccessFSReadDir},
			{files.Read, attr.HandledAccessFS & readRights},
			{files.Write, attr.HandledAccessFS},
		} {
			for _, path := range allowed.paths {
				if err := allowPath(ruleset, path, allowed.rights); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// LandlockScope leaves the file system alone: signals and abstract sockets of other
// processes only. Where the kernel cannot, an error wraps ErrNotHere.
//
// The confined thread is no "other": what it has started may signal it, and a deadly
// signal to one thread ends the whole process (tgkill). Where the job's user is that
// of this process, have what is started call this once more before it executes the job: then
// the thread is outside. To let it end when the job has started is too late for a
// job that is quick.
func LandlockScope() (abi int, err error) {
	if abi, err = LandlockABI(); err != nil {
		return 0, err
	}
	if abi < scopeABI {
		return 0, fmt.Errorf("%w: landlock: ABI %d does not know of signals, %d does", ErrNotHere, abi, scopeABI)
	}
	return abi, restrict(syscall.RulesetAttr{Scoped: scopes}, func(int) error { return nil })
}

func restrict(attr syscall.RulesetAttr, addRules func(ruleset int) error) error {
	ruleset, err := syscall.LandlockCreateRuleset(&attr, 0)
	if err != nil {
		return fmt.Errorf("landlock: make the rules: %w", err)
	}
	defer func() { _ = unix.Close(ruleset) }() // the thread holds what it enforces
	if err := addRules(ruleset); err != nil {
		return err
	}
	if err := syscall.LandlockRestrictSelf(ruleset, 0); err != nil {
		return fmt.Errorf("landlock: enforce the rules: %w", err)
	}
	return nil
}

func allowPath(ruleset int, path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("landlock: %q: %w", path, err)
	}
	defer func() { _ = unix.Close(fd) }() // the rule holds the file
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return fmt.Errorf("landlock: %q: %w", path, err)
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= ofOneFile
	}
	rule := syscall.PathBeneathAttr{AllowedAccess: rights, ParentFd: fd}
	if err := syscall.LandlockAddPathBeneathRule(ruleset, &rule, 0); err != nil {
		return fmt.Errorf("landlock: %q: %w", path, err)
	}
	return nil
}
