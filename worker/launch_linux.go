package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// launch starts the process, waits for its end and fills in res. An error says
// that nothing was started.
func (s *stage) launch(ctx context.Context, p *plan, job Job, res *Result) error {
	// The kernel kills the child when the thread that started it ends, so that
	// the runbook does not outlive a gate that was killed; hold on to the thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd, err := s.command(p, job)
	if err != nil {
		return &StartError{"prepare the process", err}
	}
	out, err := newOutput(p, job)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = out.stdout.child, out.stderr.child
	if err := cmd.Start(); err != nil {
		out.abandon()
		return startFailure(p, err)
	}
	res.Started = true
	job.OnState(Running)
	limit := time.NewTimer(p.timeout)
	defer limit.Stop()
	out.copy()
	err = supervise(ctx, cmd, limit.C, p.grace, res)
	res.setStatus(cmd.ProcessState, err)
	out.finish(ctx, limit.C, res)
	return nil
}

// command describes the process. Nothing of it is parsed by a shell.
func (s *stage) command(p *plan, job Job) (*exec.Cmd, error) {
	dir := job.Dir
	if dir == "" {
		dir = s.home
	}
	if info, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !info.IsDir() || !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("working directory %q: want the absolute path of a folder", dir)
	}
	if err := closeOnExec(); err != nil {
		return nil, err
	}
	args := append([]string{p.interpreter}, p.options...)
	args = append(args, s.script)
	cmd := &exec.Cmd{
		Path: p.interpreter,
		Args: append(args, p.arguments...),
		Env:  environment(p, s.home),
		Dir:  dir,
		SysProcAttr: &syscall.SysProcAttr{
			Setpgid:   true,
			Pdeathsig: syscall.SIGKILL,
		},
	}
	if job.Stdin != nil { // a nil *os.File in an interface would not be nil
		cmd.Stdin = job.Stdin
	}
	if s.memory != nil {
		cmd.ExtraFiles = []*os.File{s.memory} // becomes descriptor 3
	}
	return cmd, nil
}

// closeOnExec keeps the runbook from inheriting descriptors that the gate itself
// inherited. Go opens all of its own that way already.
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
			return fmt.Errorf("keep descriptor %d from the runbook: %w", fd, err)
		}
	}
	return nil
}

// startFailure tells an interpreter that cannot be executed from other failures;
// the working directory is known to exist.
func startFailure(p *plan, err error) error {
	for _, cause := range []error{unix.ENOENT, unix.EACCES, unix.ENOEXEC, unix.ENOTDIR} {
		if errors.Is(err, cause) {
			return &InterpreterError{p.kind, p.interpreter, "it cannot be executed: " + cause.Error()}
		}
	}
	return &StartError{"start the interpreter", err}
}

// supervise waits for the end of the process, and brings it about when the time
// is up or ctx ends: SIGTERM to the group, SIGKILL after the grace. What is left
// of the group when its leader has ended is killed.
func supervise(ctx context.Context, cmd *exec.Cmd, limit <-chan time.Time, grace time.Duration, res *Result) error {
	group := -cmd.Process.Pid
	exited := make(chan error, 1)
	go func() { exited <- awaitExit(cmd.Process.Pid) }()
	canceled := ctx.Done()
	var kill <-chan time.Time
	for {
		select {
		case err := <-exited:
			// Nobody has taken the leader's status yet, so that the number of the
			// group cannot belong to another one by now.
			_ = unix.Kill(group, unix.SIGKILL)
			return errors.Join(err, cmd.Wait())
		case <-limit:
			res.TimedOut = true
		case <-canceled:
			canceled, res.Canceled = nil, true
		case <-kill:
			_ = unix.Kill(group, unix.SIGKILL)
			continue
		}
		if kill == nil {
			_ = unix.Kill(group, unix.SIGTERM)
			_ = unix.Kill(group, unix.SIGCONT) // one that is stopped would not notice
			timer := time.NewTimer(grace)
			defer timer.Stop()
			kill = timer.C
		}
	}
}

// awaitExit waits until the process has ended, and leaves its status in place.
func awaitExit(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// setStatus takes over how the process ended; err is what waiting for it gave.
func (r *Result) setStatus(state *os.ProcessState, err error) {
	r.Status = -1
	if state == nil {
		r.Warnings = append(r.Warnings, fmt.Sprintf("how the runbook ended is not known: %v", err))
		return
	}
	r.Status = state.ExitCode()
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		r.Signal = int(status.Signal())
	}
}
