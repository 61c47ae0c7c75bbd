package contain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Self is the program that a stage runs when it is the caller's own.
const Self = "/proc/self/exe"

const (
	// startLimit is how long a stage may take to make the containment.
	startLimit = 30 * time.Second
	// contInterval is how often a stage that may have been stopped is continued.
	contInterval = 100 * time.Millisecond
	// killLimit is how long a stage tries to end what can hardly be ended.
	killLimit = 5 * time.Second
)

// The descriptors of a stage after the first three.
const (
	fdSocket = 3 + iota
	fdSpec
	fdContent
	fdExtra
)

// IO are the files that a process gets. Those that are nil are /dev/null.
type IO struct {
	Stdin, Stdout, Stderr *os.File
	// Content are the files of the specification; nil for none.
	Content *Content
	// Extra become the descriptors from FirstExtra on.
	Extra []*os.File
	// Script is what Spec.Wrap names; nil for none.
	Script *os.File
}

// Process is one that was started, with what contains it.
type Process struct {
	form     Form
	by       []string
	cmd      *exec.Cmd
	socket   *os.File
	messages chan message
	killed   atomic.Bool
	killing  chan struct{} // closed by the first Kill
	kill     sync.Once
	wait     func() Status
	ended    chan struct{} // closed when the stage has ended
}

// Begin starts the stage, which makes the containment. program is the caller's own, which
// calls RunStage. It fails with *UnavailableError if the stage cannot be started, with
// *SpecError, or with the error of ctx. Whatever the result, the files of o remain the
// caller's.
func Begin(ctx context.Context, program string, spec Spec, o IO) (*Process, error) {
	spec.Extra, spec.Files = len(o.Extra), nil
	if o.Content != nil {
		spec.Files = o.Content.Files()
	}
	if err := spec.check(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p := &Process{form: spec.Form, messages: make(chan message, 8), killing: make(chan struct{}), ended: make(chan struct{})}
	p.wait = sync.OnceValue(p.await)
	if err := p.startStage(program, &spec, o); err != nil {
		return nil, err
	}
	return p, nil
}

// Ready waits until the containment stands: the process then waits for Go. It is called
// once. It fails with *UnavailableError if the host cannot give the containment, or with
// the error of ctx; the stage has then ended.
func (p *Process) Ready(ctx context.Context) error {
	patience := startLimit
	if p.form == Bubblewrap {
		patience = wrapLimit
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	var failed error
	select {
	case m := <-p.messages:
		if m.Is == sayReady {
			p.by = m.By
			return nil
		}
		if failed = (&UnavailableError{m.Step, m.Reason}); m.Is != sayUnavailable {
			failed = &UnavailableError{"start the stage", "it ended, or said what it should not"}
		}
	case <-limit.C:
		failed = &UnavailableError{"start the stage", fmt.Sprintf("it was not ready after %s", patience)}
	case <-ctx.Done():
		failed = ctx.Err()
	}
	if p.form == Bubblewrap {
		failed = p.unwrap(failed)
	}
	p.Close()
	return failed
}

// startStage starts the stage and reads what it says.
func (p *Process) startStage(program string, spec *Spec, o IO) error {
	ours, theirs, err := socketPair()
	if err != nil {
		return &UnavailableError{"make a socket", err.Error()}
	}
	p.socket = ours
	defer func() { _ = theirs.Close() }() // the stage has its own
	err = p.startCommand(program, spec, o, theirs)
	if err != nil {
		_ = ours.Close() // nobody has the other end
		var unfit *SpecError
		var unavailable *UnavailableError
		if errors.As(err, &unfit) || errors.As(err, &unavailable) {
			return err
		}
		if why := noNamespaces(err); p.form == Namespaces && why != "" {
			return &UnavailableError{"make namespaces", why}
		}
		return &UnavailableError{"start the stage", err.Error()}
	}
	go p.read()
	return nil
}

func (p *Process) startCommand(program string, spec *Spec, o IO, theirs *os.File) error {
	var user *User
	if p.form == Bubblewrap {
		var err error
		if user, err = wrapped(spec); err != nil {
			return err
		}
	}
	cmd, sealed, err := command(program, spec, o)
	if err != nil {
		return err
	}
	defer closeAll(sealed)
	cmd.ExtraFiles = slices.Concat([]*os.File{theirs}, sealed, o.Extra)
	p.cmd = cmd
	if p.form != Bubblewrap {
		return cmd.Start()
	}
	opened, err := wrap(cmd, spec, o)
	if err != nil {
		return err
	}
	defer closeAll(opened)
	if user != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: user.UID, Gid: user.GID, Groups: user.Groups}
	}
	return onLastingThread(cmd.Start, p.ended)
}

// command describes the stage; sealed are the files that tell it what to do.
func command(program string, spec *Spec, o IO) (cmd *exec.Cmd, sealed []*os.File, err error) {
	defer func() {
		if err != nil {
			closeAll(sealed)
		}
	}()
	doc, err := json.Marshal(spec)
	if err != nil {
		return nil, nil, err
	}
	if len(doc) > MaxSpec {
		return nil, nil, specError("more than %d bytes", MaxSpec)
	}
	told, err := Sealed("writ-spec", doc)
	if err != nil {
		return nil, nil, err
	}
	sealed = append(sealed, told)
	content := o.Content
	if content == nil {
		if content, err = NewContent(); err != nil {
			return nil, sealed, err
		}
		defer func() { _ = content.Close() }() // it is empty
	}
	files, err := seal(content.memory)
	if err != nil {
		return nil, sealed, err
	}
	sealed = append(sealed, files)
	cmd = &exec.Cmd{
		Path: program, Args: []string{StageName}, Dir: "/",
		// A stage does little: it needs no second processor, and collects no garbage.
		Env:         []string{"GOMAXPROCS=2", "GOGC=off"},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if o.Stdin != nil { // a nil *os.File in an interface would not be nil
		cmd.Stdin = o.Stdin
	}
	if o.Stdout != nil {
		cmd.Stdout = o.Stdout
	}
	if o.Stderr != nil {
		cmd.Stderr = o.Stderr
	}
	if spec.Form == Namespaces {
		separate(cmd.SysProcAttr, spec.User)
	}
	return cmd, sealed, nil
}

func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		_, _ = unix.Close(fds[0]), unix.Close(fds[1])
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "stage"), os.NewFile(uintptr(fds[1]), "stage"), nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // opened for reading only
	}
}

// read passes on what the stage says, until it says nothing more.
func (p *Process) read() {
	defer close(p.messages)
	buf := make([]byte, maxMessage+1)
	for range cap(p.messages) { // it has less to say than that
		n, err := p.socket.Read(buf)
		if err != nil {
			return
		}
		m, err := decodeMessage(buf[:n])
		if err != nil {
			return
		}
		p.messages <- m
	}
}

func (p *Process) ask(m message) error {
	data, err := m.encode()
	if err != nil {
		return err
	}
	_, err = p.socket.Write(data)
	return err
}

// PID is the number of the process that was started first: the stage, or bwrap with the
// stage in it.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// PIDs are the numbers of that process and of those that it has started: before Go all
// that there is of the job. Only bwrap has started one then.
func (p *Process) PIDs() []int {
	if p.form != Bubblewrap {
		return []int{p.PID()}
	}
	if children, err := childrenOf(p.PID()); err == nil {
		return append([]int{p.PID()}, children...)
	}
	pids := []int{p.PID()}
	for _, d := range descendants(p.PID()) {
		pids = append(pids, d.PID)
	}
	return pids
}

// By names what contains the process.
func (p *Process) By() []string { return slices.Clone(p.by) }

// ErrEnded says that the stage ended before it was told to.
var ErrEnded = errors.New("the stage of the process has ended")

// Go lets the process start. If its program cannot be executed, Go fails with the
// errno that says why (syscall.Errno), and the caller calls Close. A stage that ends
// before it has said so may have started it: Go does not fail then, and Wait says that
// the process is lost.
func (p *Process) Go() error {
	if err := p.ask(message{Is: askGo}); err != nil {
		return errors.Join(ErrEnded, err)
	}
	m, ok := p.answer()
	switch {
	case !ok, m.Is == sayRunning:
		return nil
	case m.Is == sayFailed && m.Errno != 0:
		return syscall.Errno(m.Errno)
	}
	return ErrEnded
}

// answer waits for what the stage says of the start. A process that is not confined may
// have stopped it by then.
func (p *Process) answer() (m message, ok bool) {
	again, limit := time.NewTicker(contInterval), time.NewTimer(startLimit)
	defer again.Stop()
	defer limit.Stop()
	for {
		select {
		case m, ok := <-p.messages:
			return m, ok
		case <-again.C:
			_ = p.cmd.Process.Signal(unix.SIGCONT) // it may have ended
		case <-limit.C:
			p.Kill() // and Wait sees to the rest
			return message{}, false
		}
	}
}

// Signal sends the process and its process group a signal. One that has ended does not
// notice.
func (p *Process) Signal(s syscall.Signal) {
	_ = p.cmd.Process.Signal(unix.SIGCONT) // a process may have stopped the stage
	_ = p.ask(message{Is: askSignal, Signal: int(s)})
}

// Kill kills the process and all that it started.
func (p *Process) Kill() {
	p.kill.Do(func() {
		p.killed.Store(true)
		if p.form == Namespaces {
			_ = p.cmd.Process.Kill() // and the kernel kills all that is in there
		} else {
			_ = p.cmd.Process.Signal(unix.SIGCONT)
			_ = p.ask(message{Is: askKill})
		}
		close(p.killing)
	})
}

// Wait waits for the end of the process, and of all that it has left behind.
func (p *Process) Wait() Status { return p.wait() }

func (p *Process) await() Status {
	killing := p.killing
	var again, patience <-chan time.Time
	for {
		select {
		case m, ok := <-p.messages:
			if !ok {
				return p.afterStage(nil)
			}
			if m.Is == sayEnded {
				return p.afterStage(&m)
			}
		case <-killing:
			killing = nil
			ticker, timer := time.NewTicker(contInterval), time.NewTimer(2*killLimit)
			defer ticker.Stop()
			defer timer.Stop()
			again, patience = ticker.C, timer.C
		case <-again:
			_ = p.cmd.Process.Signal(unix.SIGCONT) // the job may stop the stage as often as it likes
		case <-patience:
			// The stage does not answer: do its work.
			_ = sweep(p.cmd.Process.Pid, 0)
			_ = p.cmd.Process.Kill()
		}
	}
}

// afterStage waits for the stage itself; m is its report, nil for none.
func (p *Process) afterStage(m *message) Status {
	_ = p.cmd.Wait() // its exit code says nothing that it has not reported
	close(p.ended)
	_ = p.socket.Close()
	switch {
	case m != nil:
		return Status{Code: m.Code, Signal: m.Signal, Left: m.Left}
	case p.form == Namespaces:
		return Status{Code: -1, Signal: int(unix.SIGKILL), Lost: !p.killed.Load()}
	}
	// What the stage held together may go on; what is in its session still can be found.
	return Status{Code: -1, Signal: int(unix.SIGKILL), Lost: true, Left: killSession(p.cmd.Process.Pid)}
}

// Close ends the process, if it has not ended, and frees what belongs to it.
func (p *Process) Close() {
	p.Kill()
	_ = p.Wait()
}
