//go:build unix

package runbook

import (
	"errors"

	"golang.org/x/sys/unix"
)

// openFlags: non-blocking, so that a FIFO put in place of the file cannot hang
// the open.
func openFlags(follow bool) int {
	flags := unix.O_NONBLOCK | unix.O_CLOEXEC
	if !follow {
		flags |= unix.O_NOFOLLOW
	}
	return flags
}

func isLinkLoop(err error) bool { return errors.Is(err, unix.ELOOP) }
