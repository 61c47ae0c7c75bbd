//go:build linux || darwin

package truststore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockTimeout is how long an addition waits for another one.
const lockTimeout = 10 * time.Second

// lock keeps other additions out until unlock. It locks the folder itself: a trust
// store holds nothing but trust.
func lock(ctx context.Context, root *os.Root) (unlock func(), err error) {
	f, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = f.Close() }, nil // which lets go of the lock
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			_ = f.Close() // nothing was written
			return nil, fmt.Errorf("lock the trust store: %w", err)
		}
		timer := time.NewTimer(20 * time.Millisecond)
		select {
		case <-ctx.Done():
			timer.Stop()
			_ = f.Close() // nothing was written
			return nil, fmt.Errorf("lock the trust store: another process adds to it: %w", ctx.Err())
		case <-timer.C:
		}
	}
}

func syncFolder(folder *os.File) error { return folder.Sync() }
