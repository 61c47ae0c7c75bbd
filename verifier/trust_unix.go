//go:build unix

package verifier

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// Guarded refuses a file or folder that somebody other than root and the current
// user owns or may write: such a one must not say whom or what a gate trusts.
func Guarded(info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("its owner cannot be determined")
	}
	if st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return errors.New("owned by another user: chown it to root or to the user of the gate")
	}
	if info.Mode()&fs.ModeSymlink == 0 && info.Mode().Perm()&0o022 != 0 {
		return errors.New("others may write it: chmod go-w")
	}
	return nil
}
