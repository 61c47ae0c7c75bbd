//go:build linux

package worker_test

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// terminal is one side of a terminal that the test holds the other side of.
func (s *scene) terminal() *os.File {
	s.Helper()
	host, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	s.check(err)
	s.Cleanup(func() { _ = host.Close() })
	s.check(unix.IoctlSetPointerInt(int(host.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(host.Fd()), unix.TIOCGPTN)
	s.check(err)
	side, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	s.check(err)
	s.Cleanup(func() { _ = side.Close() })
	return side
}
