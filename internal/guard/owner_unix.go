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

func othersMayRead(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }

// othersMayRename is milder to the group: where each user has a group of the
// same number that nobody else is in, the usual umask is 002.
func othersMayRename(folder fs.FileInfo) bool {
	st, ok := folder.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return true
	case folder.Mode()&fs.ModeSticky != 0:
		return false
	default:
		return st.Mode&0o002 != 0 || st.Mode&0o020 != 0 && st.Gid != st.Uid
	}
}
