package confine

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe" // the kernel takes the filter by address, and golang.org/x/sys has no call for it

	"golang.org/x/sys/unix"
)

// NoNewPrivs keeps the thread, and what it starts, from ever getting more rights by
// executing a program: set-user-ID bits and file capabilities mean nothing any more.
func NoNewPrivs() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	return nil
}

func hasNoNewPrivs() (bool, error) {
	set, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	if err != nil {
		return false, fmt.Errorf("no_new_privs: %w", err)
	}
	return set == 1, nil
}

// Seccomp installs the filter of system calls; NoNewPrivs comes first.
func Seccomp() error {
	program, err := hostFilter()
	if err != nil {
		return err
	}
	if set, err := hasNoNewPrivs(); err != nil {
		return err
	} else if !set {
		return errors.New("filter of system calls: no_new_privs is not set on this thread")
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog))) //nolint:gosec // see the import
	runtime.KeepAlive(program)
	if errno == unix.ENOSYS || errno == unix.EINVAL {
		return fmt.Errorf("%w: filter of system calls: %s", ErrNotHere, errno)
	} else if errno != 0 {
		return fmt.Errorf("filter of system calls: %w", errno)
	}
	return nil
}

// hostFilter returns the filter for this processor.
func hostFilter() ([]unix.SockFilter, error) {
	a, ok := architectures[runtime.GOARCH]
	if !ok {
		return nil, fmt.Errorf("%w: filter of system calls: no table for %s", ErrNotHere, runtime.GOARCH)
	}
	return filter(a)
}
