package doctor

import (
	"os"

	"golang.org/x/sys/unix"
)

// ClockSynchronized asks the kernel whether something keeps its clock right.
func ClockSynchronized() (bool, error) {
	var t unix.Timex // with no mode set nothing is changed
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return false, err
	}
	return state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0, nil
}

// FreeSpace is how much more a user may write on the file system of a folder.
func FreeSpace(folder *os.File) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(folder.Fd()), &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}
