//go:build linux || darwin

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockTimeout is how long a change waits for another one.
const lockTimeout = 30 * time.Second

// lock keeps other processes from changing the state until unlock.
func (s *Store) lock(ctx context.Context) (unlock func(), err error) {
	f, err := s.root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = f.Close() }, nil // which lets go of the lock
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			_ = f.Close() // nothing was written
			return nil, fmt.Errorf("%s: %w", lockFile, err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			_ = f.Close() // nothing was written
			return nil, fmt.Errorf("%s: another process holds it: %w", lockFile, ctx.Err())
		case <-timer.C:
		}
	}
}

func syncOpened(folder *os.File) error { return folder.Sync() }
