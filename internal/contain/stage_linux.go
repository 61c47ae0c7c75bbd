package contain

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/internal/confine"
)

// StageName is the name under which a program is executed to be a stage.
const StageName = "writ-stage"

// IsStage says that this process was started to be a stage, or the last step of one.
func IsStage() bool {
	return len(os.Args) > 0 && (os.Args[0] == StageName || os.Args[0] == wrappedStage || os.Args[0] == stepName)
}

// deadly are the signals that would end or stop a stage, and with it the job, if nobody
// took them. Others that can be taken do nothing to a Go program by themselves; those that
// stand for faults of its own, SIGKILL and SIGSTOP cannot be. It is not all of them, since
// each one costs several changes of thread.
var deadly = []os.Signal{
	unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGABRT, unix.SIGPIPE, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU,
}

// stage is the parent of one process.
type stage struct {
	spec    *Spec
	content *os.File
	null    *os.File
	oom     oomScore
	pid     int
	asks    chan message  // closed when the caller is gone
	run     chan struct{} // closed to let the process start
	ended   chan unix.WaitStatus
	gone    chan struct{} // closed when the stage has no children any more
}

// RunStage does what a stage does, and returns the exit code for it. It is called before
// anything else in a process for which IsStage is true, and nothing comes after it.
func RunStage() int {
	if os.Args[0] == stepName {
		return runStep()
	}
	signal.Notify(make(chan os.Signal, 1), deadly...)
	s := &stage{
		asks: make(chan message, 4), run: make(chan struct{}),
		ended: make(chan unix.WaitStatus, 1), gone: make(chan struct{}),
	}
	by, err := s.prepare()
	if err != nil {
		var unavailable *UnavailableError
		if !errors.As(err, &unavailable) {
			unavailable = &UnavailableError{"prepare the stage", err.Error()}
		}
		_ = say(message{Is: sayUnavailable, Step: unavailable.Step, Reason: unavailable.Reason}) // else the caller sees the end
		return 1
	}
	go s.listen()
	started := make(chan error)
	confined := make(chan error)
	go s.child(&by, confined, started)
	if err := <-confined; err != nil {
		_ = say(message{Is: sayUnavailable, Step: "confine the process", Reason: err.Error()}) // as above
		return 1
	}
	if err := say(message{Is: sayReady, By: by}); err != nil {
		return 1
	}
	if m, ok := <-s.asks; !ok || m.Is != askGo {
		return s.abandon()
	}
	close(s.run)
	if err := <-started; err != nil {
		_ = say(failure(err)) // as above
		return 1
	}
	s.letGo()
	go s.reap()
	if err := say(message{Is: sayRunning}); err != nil {
		return s.abandon()
	}
	return s.watch()
}

func say(m message) error {
	data, err := m.encode()
	if err != nil {
		return err
	}
	_, err = unix.Write(fdSocket, data)
	return err
}

// failure is what is said where the program could not be executed.
func failure(err error) message {
	m := message{Is: sayFailed, Errno: int(unix.EINVAL), Reason: err.Error()}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		m.Errno = int(errno)
	}
	return m
}

// prepare reads what is to be done and makes the containment around this process.
func (s *stage) prepare() (by []string, err error) {
	if kind, err := unix.GetsockoptInt(fdSocket, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || kind != unix.SOCK_SEQPACKET {
		return nil, errors.New("nobody has started this as a stage")
	}
	told := os.NewFile(fdSpec, "spec")
	doc, err := io.ReadAll(io.NewSectionReader(told, 0, MaxSpec+1))
	if err != nil {
		return nil, err
	}
	if s.spec, err = decodeSpec(doc); err != nil {
		return nil, err
	}
	if s.spec.Form == Bubblewrap {
		if err := s.takeStdio(); err != nil {
			return nil, err
		}
	}
	s.content = os.NewFile(fdContent, "content")
	if err := closeOnExec(); err != nil {
		return nil, err
	}
	if s.null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
		return nil, err
	}
	if by, err = s.surround(); err != nil {
		return nil, err
	}
	if err := os.Chdir(s.spec.Dir); err != nil {
		return nil, &UnavailableError{"enter the working directory", err.Error()}
	}
	return by, nil
}

// surround makes what is true of the whole process.
func (s *stage) surround() (by []string, err error) {
	if s.spec.NoNewPrivs {
		if err := s.oom.raise(); err != nil {
			return nil, &UnavailableError{"let the kernel kill the job first", err.Error()}
		}
	}
	switch s.spec.Form {
	case Namespaces:
		if err := newRoot(s.spec, s.content); err != nil {
			return nil, err
		}
		by = append(by, "namespaces")
	case Bubblewrap:
		if err := s.unwrapped(); err != nil {
			return nil, err
		}
		by = append(by, "bwrap")
	default:
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return nil, &UnavailableError{"become the parent of orphans", err.Error()}
		}
		by = append(by, "subreaper")
	}
	// The process shall not look into its stage, nor take the socket from it.
	if err := confine.NotDumpable(); err != nil {
		return nil, &UnavailableError{"hide the stage from the process", err.Error()}
	}
	return by, nil
}

// closeOnExec keeps the process from inheriting descriptors. Those that it shall have
// are passed on when it is started.
func closeOnExec() error {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range fds {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			return err
		}
		if fd <= 2 {
			continue
		}
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil && !errors.Is(err, unix.EBADF) {
			return fmt.Errorf("keep descriptor %d from the process: %w", fd, err)
		}
	}
	return nil
}

// child starts the process, from a thread that has given up its rights and ends with
// this goroutine.
func (s *stage) child(by *[]string, confined, started chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() {
		// The first thread stands for the whole process, and cannot end: keep it, and
		// take another one.
		go s.child(by, confined, started)
		select {}
	}
	err := s.confine(by)
	confined <- err
	if err != nil {
		return
	}
	<-s.run
	files := []uintptr{0, 1, 2}
	for i := range s.spec.Extra {
		files = append(files, uintptr(fdExtra+i))
	}
	attr := &syscall.SysProcAttr{Setpgid: true}
	// A process that is confined, and takes no further step, may signal the thread that it
	// was confined with: that thread has to go. One that is not confined may signal the
	// stage in any case; then it ends with the thread, which has to stay for that.
	stay := !s.spec.NoNewPrivs
	if stay {
		attr.Pdeathsig = unix.SIGKILL
	}
	if u := s.spec.User; u != nil {
		attr.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
	}
	unix.Umask(0o077) // what the process makes is its user's alone
	// What the caller's own parent has blocked is not blocked for the process.
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil); err != nil {
		started <- err
		return
	}
	env := &syscall.ProcAttr{Env: s.spec.Environment, Files: files, Sys: attr}
	if s.stepped() {
		s.pid, err = startStepped(s.spec.Program, s.spec.Arguments, env)
	} else {
		s.pid, err = syscall.ForkExec(s.spec.Program, s.spec.Arguments, env) //nolint:gosec // what it executes is what its caller says
	}
	s.oom.restore()
	started <- err
	if stay {
		select {}
	}
}

// letGo closes what only the process shall have open now: whoever reads its output
// then sees when nobody can write it any more.
func (s *stage) letGo() {
	for fd := range 3 {
		_ = unix.Dup3(int(s.null.Fd()), fd, 0) // it then stays open a little longer
	}
	for i := range s.spec.Extra {
		_ = unix.Close(fdExtra + i)
	}
}

// listen takes what the caller asks for.
func (s *stage) listen() {
	defer close(s.asks)
	buf := make([]byte, maxMessage+1)
	for {
		n, err := unix.Read(fdSocket, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			return
		}
		m, err := decodeMessage(buf[:n])
		if err != nil {
			return
		}
		s.asks <- m
	}
}

// reap takes the status of every child, also of those that were left to this process.
func (s *stage) reap() {
	ended := false // from then on another process may have its number
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			close(s.gone)
			return
		case pid == s.pid && !ended:
			ended = true
			s.ended <- status
		}
	}
}

// watch waits for the end of the process, or brings it about, and reports it.
func (s *stage) watch() int {
	for {
		select {
		case status := <-s.ended:
			return s.report(status)
		case m, ok := <-s.asks:
			switch {
			case !ok:
				return s.abandon()
			case m.Is == askSignal:
				_ = unix.Kill(-s.pid, unix.Signal(m.Signal)) // it may just have ended
				_ = unix.Kill(-s.pid, unix.SIGCONT)          // one that is stopped would not notice
			case m.Is == askKill:
				return s.report(unix.WaitStatus(unix.SIGKILL))
			}
		}
	}
}

// report ends what is left and says how the process ended. status is for the case that
// it cannot be ended.
func (s *stage) report(status unix.WaitStatus) int {
	left := s.endAll()
	select {
	case status = <-s.ended:
	default:
	}
	m := message{Is: sayEnded, Code: status.ExitStatus(), Left: left}
	if status.Signaled() {
		m.Code, m.Signal = -1, int(status.Signal())
	}
	if say(m) != nil {
		return s.abandon()
	}
	return 0
}

// abandon cleans up for a caller that is gone.
func (s *stage) abandon() int {
	_ = s.endAll()
	if s.spec.Scratch != "" {
		_ = RemoveAll(s.spec.Scratch) // nobody is left to be told
	}
	return 1
}

// endAll ends every process that the job has left, and counts those that it cannot
// end. Where the stage is the first process of a namespace, the kernel does that when the
// stage ends.
func (s *stage) endAll() (left int) {
	if s.spec.Form != Subreaper || s.pid == 0 {
		return 0
	}
	limit := time.NewTimer(killLimit)
	defer limit.Stop()
	// A process that has left nothing is the rule, and known at once.
	for first := true; ; first = false {
		if !first {
			left = sweep(os.Getpid(), s.pid)
		}
		pause := time.NewTimer(2 * time.Millisecond)
		select {
		case <-s.gone:
			pause.Stop()
			return 0
		case <-limit.C:
			pause.Stop()
			return left
		case <-pause.C:
		}
	}
}
