//go:build unix

package signer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// hasUnixModes says that permission bits mean something here.
const hasUnixModes = true

// copyOwner gives temp owner and group of the file it stands for.
func copyOwner(temp *os.File, like file) error {
	want, ok := like.info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("the owner of the file cannot be told")
	}
	info, err := temp.Stat()
	if err != nil {
		return err
	}
	if have, ok := info.Sys().(*syscall.Stat_t); ok && have.Uid == want.Uid && have.Gid == want.Gid {
		return nil
	}
	if err := temp.Chown(int(want.Uid), int(want.Gid)); err != nil {
		return fmt.Errorf("owner %d and group %d of %q cannot be kept: %w", want.Uid, want.Gid, like.path, err)
	}
	return nil
}

// links is the number of names of a file.
func links(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink) //nolint:unconvert // the type differs between systems
	}
	return 1
}

// syncFolder puts a new name on disk. Some file systems have no such operation.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // opened for reading only
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return fmt.Errorf("written, but the folder %q is perhaps not on disk yet: %w", dir, err)
	}
	return nil
}
