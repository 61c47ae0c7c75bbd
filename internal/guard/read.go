package guard

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// ReadFile reads at most limit bytes of a regular file that is no link. With
// guarded it refuses one that somebody other than root and the current user may
// write, or could put another file in the place of. What it looked at is what it
// read.
func ReadFile(path string, limit int64, guarded bool) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file; links are refused")
	}
	if guarded {
		if err := Folder(filepath.Dir(path)); err != nil {
			return nil, err
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading only
	opened, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(info, opened) {
		return nil, errors.New("was replaced while it was read")
	}
	if guarded {
		if err := Entry(opened); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(io.LimitReader(f, limit))
}
