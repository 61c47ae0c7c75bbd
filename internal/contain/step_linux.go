package contain

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/internal/confine"
)

// stepName is the name under which the stage's program is executed to be the last step
// before the program of a job.
const stepName = "writ-step"

// stepped says that the process takes one step more: into a landlock domain below that of
// the thread which starts it. In the same domain it could signal that thread, in the
// moment before it ends, and so end the whole stage. The first process of a namespace
// is not ended from inside, and that of another user not by one without rights.
func (s *stage) stepped() bool {
	u := s.spec.User
	return s.spec.Form == Subreaper && s.spec.NoNewPrivs && (u == nil || u.UID == 0 || int(u.UID) == os.Geteuid())
}

// startStepped starts the process by way of the step, and returns its number, or the
// error that executing the program made.
func startStepped(program string, arguments []string, env *syscall.ProcAttr) (pid int, err error) {
	var ends [2]int // both are closed when the program is executed
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return 0, err
	}
	r, w := os.NewFile(uintptr(ends[0]), "said"), os.NewFile(uintptr(ends[1]), "say")
	defer func() { _ = r.Close() }() // opened for reading only
	step := []string{stepName, strconv.Itoa(len(env.Files)), program}
	env.Files = append(env.Files, w.Fd())
	pid, err = syscall.ForkExec(Self, append(step, arguments...), env) //nolint:gosec // it is this program
	_ = w.Close()                                                      // nothing was written
	if err != nil {
		return 0, err
	}
	said, err := io.ReadAll(io.LimitReader(r, maxMessage))
	switch {
	case err != nil:
		return pid, err
	case len(said) == 0 || said[0] != 0:
		return pid, errors.New("the last step before the program has failed")
	case len(said) > 1:
		errno, _ := binary.Uvarint(said[1:]) // 0 where it is none
		return pid, syscall.Errno(errno)
	}
	return pid, nil
}

// runStep does the step, and returns only if it fails: having said why.
func runStep() int {
	fd, err := -1, errors.New("nobody has started this as a step")
	if len(os.Args) > 3 {
		if fd, err = strconv.Atoi(os.Args[1]); err == nil {
			err = step(fd)
		}
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		errno = unix.EINVAL
	}
	_, _ = unix.Write(fd, binary.AppendUvarint(nil, uint64(errno))) // else it is seen that it ended
	return 1
}

// step says on fd that it was taken, by one byte.
func step(fd int) error {
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
		return fmt.Errorf("keep descriptor %d from the process: %w", fd, err)
	}
	runtime.LockOSThread() // the program gets the rights of the thread that executes it
	if _, err := confine.LandlockScope(); err != nil && !errors.Is(err, confine.ErrNotHere) {
		return err
	}
	if _, err := unix.Write(fd, []byte{0}); err != nil {
		return err
	}
	unix.Umask(0o077)                                          // a package of the program may have set another one since
	return syscall.Exec(os.Args[2], os.Args[3:], os.Environ()) //nolint:gosec // what it executes is what its caller says
}
