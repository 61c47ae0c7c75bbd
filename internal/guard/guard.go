// Package guard holds the one rule of who may own and write what a gate relies
// on: its trust store, its policy, its ledger and its temporary folder. Only
// root and the user that the gate runs as may, and the folders above count too,
// because who may rename a folder can put another one in its place.
//
// It looks at owners and permission bits, which show the mask of a POSIX access
// control list as well. It does not look at file systems that others control,
// nor at the folders that hold a symbolic link in the path: it looks where the
// link leads. On Windows it accepts everything; the gate does not run there yet.
package guard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Entry refuses a file or folder that somebody other than root and the current
// user owns or may write. The permission bits of a symbolic link mean nothing.
func Entry(info fs.FileInfo) error {
	if err := owned(info); err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink == 0 && othersMayWrite(info) {
		return errors.New("others may write it: chmod go-w")
	}
	return nil
}

// Folder refuses a folder in which somebody other than root and the current user
// could put something else in the place of what belongs to those two, and does
// so for every folder above. Others may write a folder only if its sticky bit
// keeps them from each other's files, as in /tmp; a group may write it only if
// it is the owner's own, by its number.
func Folder(dir string) error {
	for {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if err := owned(info); err != nil {
			return fmt.Errorf("the folder %q is %v", absolute(dir), err)
		}
		if othersMayRename(info) {
			return fmt.Errorf("others may rename what is in the folder %q: chmod go-w, or set its sticky bit", absolute(dir))
		}
		// Not filepath.Dir: that is another folder where dir leads through a link.
		above := dir + "/.."
		up, err := os.Stat(above)
		if err != nil {
			return err
		}
		if os.SameFile(info, up) {
			return nil
		}
		dir = above
	}
}

// absolute is dir for a message.
func absolute(dir string) string {
	resolved, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return dir
	}
	abs, err := filepath.Abs(resolved)
	if err != nil {
		return dir
	}
	return abs
}
