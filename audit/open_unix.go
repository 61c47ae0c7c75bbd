//go:build unix

package audit

import (
	"os"

	"golang.org/x/sys/unix"
)

// openPlain opens for reading without waiting: the file may have become a FIFO
// or a link since the folder was listed.
func openPlain(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}
