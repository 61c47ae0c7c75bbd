//go:build unix

package manifest

import "golang.org/x/sys/unix"

// openFlags: non-blocking, so that a FIFO put in place of a file cannot hang the
// open.
const openFlags = unix.O_NONBLOCK
