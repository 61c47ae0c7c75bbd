package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/internal/joblog"
	"github.com/runwrit/writ/internal/streams"
)

// output takes what the runbook writes to its two streams. Pipes, not the
// caller's own files: so it can be counted, logged and masked, and a process that
// outlives the run cannot go on writing.
type output struct {
	stdout, stderr *stream
	logs           *runLogs // nil for none
	plan           *plan
}

// sameWriter says whether both are one. Functions, for example, cannot be compared: they
// are two.
func sameWriter(a, b io.Writer) bool {
	return a != nil && b != nil && reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// newOutput makes pipes and logs. It fails with *StartError or *LogError.
func newOutput(p *plan, job Job) (*output, error) {
	logs, err := openLogs(p)
	if err != nil {
		return nil, err
	}
	o := &output{logs: logs, plan: p}
	stdout, stderr := job.Stdout, job.Stderr
	if sameWriter(stdout, stderr) {
		both := &oneAtATime{w: stdout}
		stdout, stderr = both, both
	}
	redactor := streams.NewRedactor(p.secrets)
	redactor.Follow(&p.given)
	o.stdout = &stream{name: "stdout", w: stdout, redactor: redactor, counter: streams.NewCounter("")}
	o.stderr = &stream{name: "stderr", w: stderr, redactor: redactor.Clone(), counter: streams.NewCounter(StreamError)}
	o.stdout.account, o.stderr.account = joblog.NewStream(nil), joblog.NewStream(nil)
	if logs != nil {
		o.stdout.account, o.stderr.account = joblog.NewStream(logs.stdout), joblog.NewStream(logs.stderr)
	}
	if job.OnLine != nil {
		var one sync.Mutex // the streams have a goroutine each
		tell := func(l streams.Line) {
			one.Lock()
			defer one.Unlock()
			job.OnLine(lineOf(l, p.now()))
		}
		o.stdout.lines, o.stdout.tell = streams.NewLines("", MaxLine), tell
		o.stderr.lines, o.stderr.tell = streams.NewLines(StreamError, MaxLine), tell
	}
	for _, s := range o.both() {
		s.done = make(chan struct{})
		if s.w == nil {
			s.w = io.Discard
		}
		if s.read, s.child, err = os.Pipe(); err != nil {
			o.abandon()
			return nil, &StartError{"make pipes for the output", err}
		}
	}
	return o, nil
}

func (o *output) both() [2]*stream { return [2]*stream{o.stdout, o.stderr} }

// abandon closes everything and removes the logs: the runbook was not started. It may
// be called whether or not copy was, and does nothing after finish.
func (o *output) abandon() {
	for _, s := range o.both() {
		_ = s.child.Close() // a nil file says that it is none
		_ = s.read.SetReadDeadline(time.Unix(1, 0))
		if s.discard() {
			_ = s.read.Close()
		}
	}
	if o.logs != nil {
		o.logs.folder.Close()
	}
}

// copy begins to copy, now that the child has its ends of the pipes.
func (o *output) copy() {
	for _, s := range o.both() {
		_ = s.child.Close() // the child has its own
		go s.run()
	}
}

// finish waits until what the runbook wrote before its end is delivered, and
// fills in res. It waits for a writer as long as the run may take, and then for a
// moment more: the run may have ended right before. It does not lose for the logs what
// a writer that blocks did not take.
func (o *output) finish(ctx context.Context, limit <-chan time.Time, res *Result) {
	cut := res.TimedOut || res.Canceled
	undelivered := make(chan struct{})
	over := make(chan struct{})
	defer close(over)
	go func() {
		defer close(undelivered)
		if !cut {
			select {
			case <-limit:
			case <-ctx.Done():
			case <-over:
			}
		}
		moment := time.NewTimer(deliveryLimit)
		defer moment.Stop()
		select {
		case <-moment.C:
		case <-over:
		}
	}()
	for _, s := range o.both() {
		// Wakes a read that waits; the copier then takes what is in the pipe. It
		// fails only where the copier has closed the pipe already.
		_ = s.read.SetReadDeadline(time.Unix(1, 0))
	}
	for _, s := range o.both() {
		if problem := s.wait(undelivered); problem != "" {
			res.Warnings = append(res.Warnings, fmt.Sprintf("%s could not be delivered: %s", s.name, problem))
		}
	}
	o.tellOf(res)
}

// tellOf closes the accounts and logs, and fills in res.
func (o *output) tellOf(res *Result) {
	var accounts [2]joblog.Account
	var counts streams.Counts
	for i, s := range o.both() {
		var err error
		if accounts[i], err = s.close(); err != nil {
			res.Warnings = append(res.Warnings, fmt.Sprintf("the log of %s is not whole: %v", s.name, err))
		}
		counts = counts.Plus(s.counter.Counts())
	}
	res.StdoutBytes, res.StdoutDigest, res.StdoutLog = accounts[0].Bytes, accounts[0].Digest, logOf(accounts[0].Log)
	res.StderrBytes, res.StderrDigest, res.StderrLog = accounts[1].Bytes, accounts[1].Digest, logOf(accounts[1].Log)
	res.Lines = LineCounts(counts)
	if o.logs != nil {
		if problem := o.logs.tidy(o.plan); problem != "" {
			res.Warnings = append(res.Warnings, problem)
		}
	}
}

// stream is one pipe from the runbook to a writer.
type stream struct {
	name        string
	read, child *os.File
	w           io.Writer
	lines       *streams.Lines // nil if nobody wants them
	tell        func(streams.Line)
	done        chan struct{}
	err         error // of w or of the pipe; set before done is closed

	mu sync.Mutex // guards what follows; not held while the caller's writer is at work
	// closed says that the account is closed, and nothing is read any more.
	closed   bool
	redactor *streams.Redactor
	counter  *streams.Counter
	account  *joblog.Stream
	draining bool
	left     int // while draining: how much is still taken
}

// pieceSize is how much is read at once: as much as a pipe holds.
const pieceSize = 64 << 10

// run copies until the pipe has no writer any more, or until finish sets the
// deadline: then it takes what is in the pipe, and no more. A process that
// outlives the run can hold the pipe open for ever, or fill it for ever.
func (s *stream) run() {
	defer close(s.done)
	defer func() { _ = s.read.Close() }() // tells a runbook that still writes that nobody reads
	buf := make([]byte, pieceSize)
	for {
		clean, end := s.next(buf)
		if s.err = s.deliver(clean); s.err != nil {
			return
		}
		if end != nil {
			if s.lines != nil {
				s.lines.Close(s.tell)
			}
			if !errors.Is(end, io.EOF) {
				s.err = end
			}
			return
		}
	}
}

// next returns the next piece to deliver. An error says that it is the last one.
func (s *stream) next(buf []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, io.EOF
	}
	return s.take(buf)
}

// take reads a piece, masks it and puts it into the account, before anybody else
// sees it.
func (s *stream) take(buf []byte) (clean []byte, err error) {
	n, err := s.fetch(buf)
	if err == nil {
		clean = s.redactor.Next(buf[:n])
	} else {
		clean = s.redactor.Rest()
	}
	s.counter.Write(clean)
	s.account.Write(clean)
	return clean, err
}

// fetch reads from the pipe. After the deadline it takes what is in the pipe without
// waiting for more, at most as much as the pipe can hold.
func (s *stream) fetch(buf []byte) (int, error) {
	if !s.draining {
		n, err := s.read.Read(buf)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		s.draining = true
		if s.left, err = capacity(s.read); err != nil {
			return 0, err
		}
		if err := s.read.SetReadDeadline(time.Time{}); err != nil {
			return 0, err
		}
	}
	n, err := readNow(s.read, buf[:min(s.left, len(buf))])
	s.left -= n
	return n, err
}

// deliver hands a piece to the caller.
func (s *stream) deliver(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if s.lines != nil {
		s.lines.Write(b, s.tell)
	}
	_, err := s.w.Write(b)
	return err
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

// close closes the account. If the writer still holds up run, what is in the pipe
// goes into the account all the same.
func (s *stream) close() (joblog.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.redactor = s.redactor.Clone() // the writer may be looking at what the other one gave out
	buf := make([]byte, pieceSize)
	for {
		if _, err := s.take(buf); err != nil { // at once, if run has closed the pipe
			break
		}
	}
	s.counter.Close()
	return s.account.Close()
}

// discard removes the log, and reports whether there was something to do.
func (s *stream) discard() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.closed = true
	s.account.Discard()
	return true
}

// readNow reads what is there; io.EOF says that there is nothing.
func readNow(pipe *os.File, buf []byte) (n int, err error) {
	if len(buf) == 0 {
		return 0, io.EOF
	}
	conn, err := pipe.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = conn.Read(func(fd uintptr) bool {
		for {
			n, failed = unix.Read(int(fd), buf)
			if !errors.Is(failed, unix.EINTR) {
				return true
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case errors.Is(failed, unix.EAGAIN), failed == nil && n == 0:
		return 0, io.EOF
	case failed != nil:
		return 0, failed
	}
	return n, nil
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
