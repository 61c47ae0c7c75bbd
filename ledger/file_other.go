//go:build !linux && !darwin

package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
)

// openFile refuses: the gate does not run here yet, and a ledger that cannot be
// locked must not be written.
func openFile(string, bool) (*os.File, error) {
	return nil, fmt.Errorf("writing a ledger on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func openToRead(path string) (*os.File, error) { return os.Open(path) }

// lockFile does nothing: nobody appends here.
func lockFile(context.Context, *os.File, bool) error { return nil }

func tryLock(*os.File) error { return errors.ErrUnsupported }

func unlockFile(*os.File) {}

func syncFolder(string) error { return errors.ErrUnsupported }
