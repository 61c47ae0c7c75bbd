// Package batch does one thing to many files, several at a time.
//
// Files are begun in their order, so that what was not begun is the end of the
// list. A fault that every file would meet stops the batch, and so does the end of
// the context. What became of each file is for the caller to keep; nothing is
// promised about the order in which files end.
package batch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// MaxJobs is the most that is done at a time.
const MaxJobs = 256

// Step is what is to follow a file. The zero value stops the batch.
type Step int

// The steps.
const (
	Stop Step = iota // every further file would end in the same way
	Next             // begin the next file
	// Proved is Next, and says that what all files share has served one of them:
	// with Options.Careful the rest need not be begun one by one any more.
	Proved
)

// Options say how the work is shared out.
type Options struct {
	// Jobs is how many files are worked on at a time, 1 to MaxJobs.
	Jobs int
	// Careful has one file at a time until a Step is Proved: what is wrong with a
	// key is asked of it once, and not Jobs times.
	Careful bool
	// Grace is how long files that were begun have after the context ended, before
	// the context that Do gets ends too.
	Grace time.Duration
	// Progress, if given, hears how many files have ended, of how many. It is never
	// called by two goroutines at once.
	Progress func(done, all int)
}

// Run calls do for 0 to n-1, and returns how many were begun; all of them have
// ended then. A panic of do stops the batch and goes on in the caller.
func Run(ctx context.Context, n int, o Options, do func(ctx context.Context, i int) Step) (begun int, err error) {
	if o.Jobs < 1 || o.Jobs > MaxJobs {
		return 0, fmt.Errorf("%d files at a time: want 1 to %d", o.Jobs, MaxJobs)
	}
	if do == nil {
		return 0, errors.New("there is nothing to do to the files")
	}
	inner, cancel := graceful(ctx, o.Grace)
	defer cancel()
	s := &share{n: n, proved: !o.Careful, progress: o.Progress}
	s.free = sync.NewCond(&s.mu)
	defer context.AfterFunc(ctx, s.wake)()
	var workers sync.WaitGroup
	for range min(o.Jobs, n) {
		workers.Go(func() {
			for i, ok := s.take(ctx); ok; i, ok = s.take(ctx) {
				s.done(guarded(inner, i, s, do))
			}
		})
	}
	workers.Wait()
	if s.panicked != nil {
		panic(s.panicked)
	}
	return s.next, nil
}

// graceful returns a context that ends this long after ctx.
func graceful(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	inner, end := context.WithCancelCause(context.WithoutCancel(ctx))
	var once sync.Once
	over := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-over:
		}
		end(context.Cause(ctx))
	})
	return inner, func() {
		once.Do(func() { close(over) })
		stop()
		end(context.Canceled)
	}
}

// share hands out the files.
type share struct {
	mu       sync.Mutex
	free     *sync.Cond
	n        int // files there are
	next     int // the first that was not begun
	running  int
	ended    int
	proved   bool
	stopped  bool
	panicked any
	progress func(done, all int)
}

// take returns the next file; false if there is none to begin.
func (s *share) take(ctx context.Context) (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	over := func() bool { return s.stopped || s.next >= s.n || ctx.Err() != nil }
	for !over() && !s.proved && s.running > 0 {
		s.free.Wait()
	}
	if over() {
		return 0, false
	}
	s.next++
	s.running++
	return s.next - 1, true
}

// done takes note of a file that ended.
func (s *share) done(step Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	s.ended++
	switch step {
	case Proved:
		s.proved = true
	case Next:
	case Stop:
		s.stopped = true
	default:
		s.stopped = true
	}
	if s.progress != nil {
		s.progress(s.ended, s.n)
	}
	s.free.Broadcast()
}

// wake has those who wait look again.
func (s *share) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free.Broadcast()
}

// guarded calls do and keeps its panic, which would end the process if it stayed
// in a goroutine of ours.
func guarded(ctx context.Context, i int, s *share, do func(context.Context, int) Step) (step Step) {
	defer func() {
		if r := recover(); r != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.panicked, step = r, Stop
		}
	}()
	return do(ctx, i)
}
