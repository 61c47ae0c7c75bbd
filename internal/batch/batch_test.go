package batch_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/batch"
)

func TestEachFileIsTakenOnceAndNoMoreThanJobsAtATime(t *testing.T) {
	t.Parallel()
	const n, jobs = 500, 7
	var running, most atomic.Int32
	var times [n]atomic.Int32
	var heard []int
	begun, err := batch.Run(t.Context(), n, batch.Options{Jobs: jobs, Progress: func(done, _ int) { heard = append(heard, done) }}, func(_ context.Context, i int) batch.Step {
		if now := running.Add(1); now > jobs {
			most.Store(now)
		}
		times[i].Add(1)
		running.Add(-1)
		return batch.Next
	})
	if err != nil || begun != n {
		t.Fatalf("%d begun, %v", begun, err)
	}
	if n := most.Load(); n > 0 {
		t.Errorf("%d at a time", n)
	}
	for i := range times {
		if times[i].Load() != 1 {
			t.Errorf("file %d was taken %d times", i, times[i].Load())
		}
	}
	if len(heard) != n || heard[n-1] != n {
		t.Errorf("progress: %v", heard)
	}
}

// All jobs are at work at once: each waits for the others.
func TestFilesAreWorkedOnAtATime(t *testing.T) {
	t.Parallel()
	const jobs = 4
	var all sync.WaitGroup
	all.Add(jobs)
	begun, err := batch.Run(t.Context(), jobs, batch.Options{Jobs: jobs}, func(context.Context, int) batch.Step {
		all.Done()
		all.Wait()
		return batch.Next
	})
	if err != nil || begun != jobs {
		t.Fatalf("%d begun, %v", begun, err)
	}
}

func TestACarefulBatchGoesOneByOneUntilSomethingIsProved(t *testing.T) {
	t.Parallel()
	const proof = 3
	var running atomic.Int32
	var order []int
	var mu sync.Mutex
	_, err := batch.Run(t.Context(), 50, batch.Options{Jobs: 8, Careful: true}, func(_ context.Context, i int) batch.Step {
		if running.Add(1) > 1 && i <= proof {
			t.Errorf("file %d is not alone", i)
		}
		defer running.Add(-1)
		mu.Lock()
		order = append(order, i)
		mu.Unlock()
		if i == proof {
			return batch.Proved
		}
		return batch.Next
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{0, 1, 2, 3}, order[:proof+1]); diff != "" {
		t.Error(diff)
	}
	if len(order) != 50 {
		t.Errorf("%d files", len(order))
	}
}

func TestAFaultStopsTheBatch(t *testing.T) {
	t.Parallel()
	t.Run("a careful one after one file", func(t *testing.T) {
		t.Parallel()
		var calls atomic.Int32
		begun, err := batch.Run(t.Context(), 500, batch.Options{Jobs: 8, Careful: true}, func(context.Context, int) batch.Step {
			calls.Add(1)
			return batch.Stop
		})
		if err != nil || begun != 1 || calls.Load() != 1 {
			t.Errorf("%d begun, %d calls, %v", begun, calls.Load(), err)
		}
	})
	t.Run("any other after those that were begun", func(t *testing.T) {
		t.Parallel()
		begun, err := batch.Run(t.Context(), 500, batch.Options{Jobs: 8}, func(context.Context, int) batch.Step { return batch.Stop })
		if err != nil || begun > 8 {
			t.Errorf("%d begun, %v", begun, err)
		}
	})
	t.Run("a step that does not exist is a fault", func(t *testing.T) {
		t.Parallel()
		begun, err := batch.Run(t.Context(), 9, batch.Options{Jobs: 1}, func(context.Context, int) batch.Step { return 9 })
		if err != nil || begun != 1 {
			t.Errorf("%d begun, %v", begun, err)
		}
	})
}

func TestAnInterruptionLetsFilesEndThatWereBegun(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	begun, err := batch.Run(ctx, 100, batch.Options{Jobs: 1, Grace: time.Hour}, func(ctx context.Context, i int) batch.Step {
		if i == 10 {
			interrupt(reason)
		}
		if ctx.Err() != nil {
			t.Errorf("file %d: %v", i, ctx.Err())
		}
		return batch.Next
	})
	if err != nil || begun != 11 {
		t.Errorf("%d begun, %v", begun, err)
	}
}

func TestAfterTheGraceTheContextEndsWithItsReason(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	var got error
	begun, err := batch.Run(ctx, 100, batch.Options{Jobs: 1}, func(ctx context.Context, _ int) batch.Step {
		interrupt(reason)
		<-ctx.Done()
		got = context.Cause(ctx)
		return batch.Next
	})
	if err != nil || begun != 1 || !errors.Is(got, reason) {
		t.Errorf("%d begun, %v, %v", begun, got, err)
	}
}

func TestAContextThatHasEndedBeginsNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // whether the end is heard of before the first file is a matter of luck otherwise
		begun, err := batch.Run(ctx, 100, batch.Options{Jobs: 4}, func(context.Context, int) batch.Step { return batch.Next })
		if err != nil || begun != 0 {
			t.Fatalf("%d begun, %v", begun, err)
		}
	}
}

func TestAPanicReachesTheCaller(t *testing.T) {
	t.Parallel()
	defer func() {
		if r := recover(); r != "defect" {
			t.Errorf("recovered %v", r)
		}
	}()
	_, _ = batch.Run(t.Context(), 3, batch.Options{Jobs: 2}, func(context.Context, int) batch.Step { panic("defect") })
	t.Error("no panic")
}

func TestNonsenseIsRefused(t *testing.T) {
	t.Parallel()
	next := func(context.Context, int) batch.Step { return batch.Next }
	for _, jobs := range []int{-1, 0, batch.MaxJobs + 1} {
		if _, err := batch.Run(t.Context(), 1, batch.Options{Jobs: jobs}, next); err == nil {
			t.Errorf("%d jobs", jobs)
		}
	}
	if _, err := batch.Run(t.Context(), 1, batch.Options{Jobs: 1}, nil); err == nil {
		t.Error("nothing to do")
	}
	if begun, err := batch.Run(t.Context(), 0, batch.Options{Jobs: 1}, next); err != nil || begun != 0 {
		t.Errorf("no files: %d, %v", begun, err)
	}
}
