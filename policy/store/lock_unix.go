//go:build linux || darwin

package store

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/runwrit/writ/internal/filelock"
)

// lockTimeout is how long a change waits for another one.
const lockTimeout = 30 * time.Second

// lock keeps other processes from changing the state until unlock.
func (s *Store) lock(ctx context.Context) (unlock func(), err error) {
	f, err := s.root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := filelock.Lock(ctx, f, lockTimeout); err != nil {
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("%s: %w", lockFile, err)
	}
	return func() { _ = f.Close() }, nil // which lets go of the lock
}

func syncOpened(folder *os.File) error { return folder.Sync() }
