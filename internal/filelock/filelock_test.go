//go:build linux || darwin

package filelock_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/filelock"
)

func opened(t *testing.T, dir string) *os.File {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestOneHoldsTheLockUntilItClosesTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := opened(t, dir), opened(t, dir)
	if err := filelock.Lock(t.Context(), first, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := filelock.Lock(t.Context(), second, time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("both have it: %v", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := filelock.Lock(ended, second, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("the context ended, and it waits on: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := filelock.Lock(t.Context(), second, time.Minute); err != nil {
		t.Errorf("nobody has it, and still: %v", err)
	}
}

func TestAClosedFileIsNotLocked(t *testing.T) {
	t.Parallel()
	f := opened(t, t.TempDir())
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := filelock.Lock(t.Context(), f, time.Minute); err == nil {
		t.Error("locked")
	}
}
