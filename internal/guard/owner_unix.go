//go:build unix

package guard

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

func owned(info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("of an owner that cannot be determined")
	}
	if st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return errors.New("owned by another user: chown it to root or to the user of the gate")
	}
	return nil
}

func othersMayWrite(info fs.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }
