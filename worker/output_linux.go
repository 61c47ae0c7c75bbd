package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// deliveryLimit is how long Run waits for a writer that does not take the last
// output of a runbook that the gate has ended.
const deliveryLimit = 2 * time.Second

// output takes what the runbook writes to its two streams. Pipes, not the
// caller's own files: so it can be counted, and a process that outlives the run
// cannot go on writing.
type output struct{ stdout, stderr *stream }

func newOutput(stdout, stderr io.Writer) (*output, error) {
	if stdout != nil && stdout == stderr {
		both := &oneAtATime{w: stdout}
		stdout, stderr = both, both
	}
	first, err := newStream("stdout", stdout)
	if err != nil {
		return nil, err
	}
	second, err := newStream("stderr", stderr)
	if err != nil {
		first.close()
		return nil, err
	}
	return &output{first, second}, nil
}

// abandon closes everything: the process was not started.
func (o *output) abandon() {
	o.stdout.close()
	o.stderr.close()
}

// copy begins to copy, now that the child has its ends of the pipes.
func (o *output) copy() {
	for _, s := range []*stream{o.stdout, o.stderr} {
		_ = s.child.Close() // the child has its own
		go s.run()
	}
}

// finish waits until what the runbook wrote before its end is delivered, and
// fills in res. It does not wait for a writer that blocks longer than the run may
// take.
func (o *output) finish(ctx context.Context, limit <-chan time.Time, res *Result) {
	if res.TimedOut || res.Canceled {
		timer := time.NewTimer(deliveryLimit)
		defer timer.Stop()
		ctx, limit = context.WithoutCancel(ctx), timer.C
	}
	undelivered := make(chan struct{})
	over := make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-limit:
		case <-ctx.Done():
		case <-over:
		}
		close(undelivered)
	}()
	for _, s := range []*stream{o.stdout, o.stderr} {
		// Wakes a read that waits; the copier then takes what is in the pipe. It
		// fails only where the copier has closed the pipe already.
		_ = s.read.SetReadDeadline(time.Unix(1, 0))
	}
	for _, s := range []*stream{o.stdout, o.stderr} {
		if problem := s.wait(undelivered); problem != "" {
			res.Warnings = append(res.Warnings, fmt.Sprintf("%s could not be delivered: %s", s.name, problem))
		}
	}
	res.StdoutBytes, res.StderrBytes = o.stdout.count.Load(), o.stderr.count.Load()
}

// stream is one pipe from the runbook to a writer.
type stream struct {
	name        string
	read, child *os.File
	w           io.Writer
	count       atomic.Int64
	done        chan struct{}
	err         error // of w or of the pipe; set before done is closed
}

func newStream(name string, w io.Writer) (*stream, error) {
	if w == nil {
		w = io.Discard
	}
	read, child, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &stream{name: name, read: read, child: child, w: w, done: make(chan struct{})}, nil
}

func (s *stream) close() {
	_ = s.read.Close()
	_ = s.child.Close()
}

// run copies until the pipe has no writer any more, or until finish sets the
// deadline: then it takes what is in the pipe, and no more. A process that
// outlives the run can hold the pipe open for ever, or fill it for ever.
func (s *stream) run() {
	defer close(s.done)
	defer func() { _ = s.read.Close() }() // tells a runbook that still writes that nobody reads
	buf := make([]byte, 32<<10)
	for {
		n, err := s.read.Read(buf)
		if s.deliver(buf[:n]) != nil {
			return
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.err = s.drain(buf)
			return
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				s.err = err
			}
			return
		}
	}
}

func (s *stream) deliver(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	s.count.Add(int64(len(b)))
	_, s.err = s.w.Write(b)
	return s.err
}

// wait waits for the end of run, but not beyond that of the other channel, and
// says what went wrong.
func (s *stream) wait(giveUp <-chan struct{}) (problem string) {
	select {
	case <-s.done:
	case <-giveUp:
	}
	select { // both may have come
	case <-s.done:
		if s.err != nil {
			return s.err.Error()
		}
		return ""
	default:
		return "the writer does not take it"
	}
}

// drain delivers what is in the pipe without waiting for more, at most as much
// as the pipe can hold.
func (s *stream) drain(buf []byte) error {
	if err := s.read.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	pipe, err := s.read.SyscallConn()
	if err != nil {
		return err
	}
	left, err := capacity(s.read)
	if err != nil {
		return err
	}
	for left > 0 {
		var n int
		var failed error
		err := pipe.Read(func(fd uintptr) bool {
			n, failed = unix.Read(int(fd), buf[:min(left, len(buf))])
			return true
		})
		switch {
		case err != nil:
			return err
		case errors.Is(failed, unix.EINTR):
			continue
		case errors.Is(failed, unix.EAGAIN), failed == nil && n == 0:
			return nil
		case failed != nil:
			return failed
		}
		if err := s.deliver(buf[:n]); err != nil {
			return err
		}
		left -= n
	}
	return nil
}

// capacity is how many bytes the pipe can hold.
func capacity(pipe *os.File) (size int, err error) {
	conn, err := pipe.SyscallConn()
	if err != nil {
		return 0, err
	}
	controlErr := conn.Control(func(fd uintptr) { size, err = unix.FcntlInt(fd, unix.F_GETPIPE_SZ, 0) })
	return size, errors.Join(controlErr, err)
}

// oneAtATime is a writer that two streams share.
type oneAtATime struct {
	mu sync.Mutex
	w  io.Writer
}

func (o *oneAtATime) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(b)
}
