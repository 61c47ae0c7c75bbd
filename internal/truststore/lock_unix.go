//go:build linux || darwin

package truststore

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/runwrit/writ/internal/filelock"
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
	if err := filelock.Lock(ctx, f, lockTimeout); err != nil {
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("lock the trust store: %w", err)
	}
	return func() { _ = f.Close() }, nil // which lets go of the lock
}

func syncFolder(folder *os.File) error { return folder.Sync() }
