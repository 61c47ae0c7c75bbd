package runbook

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrNotRegular says that a path names something that is not a regular file:
// a symbolic link (where links are refused), a directory, a device, a FIFO.
var ErrNotRegular = errors.New("not a regular file")

// ReadFile reads the regular file at path once and parses it under its base
// name. A symbolic link is followed only if follow is set. It fails with
// ErrNotRegular, *SizeError, or the error of the file system.
func ReadFile(path string, follow bool) (*Runbook, error) {
	f, err := openRegular(path, follow)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading only
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %q: %w", path, ErrNotRegular)
	}
	return read(filepath.Base(path), f, info.Size())
}

// Read reads all of r, to at most MaxSize bytes, and parses it under name.
func Read(name string, r io.Reader) (*Runbook, error) { return read(name, r, 0) }

// read takes expected as a hint for the buffer only: the file may grow or
// shrink while it is read.
func read(name string, r io.Reader, expected int64) (*Runbook, error) {
	if expected > MaxSize {
		return nil, &SizeError{Name: name, Size: expected}
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	buf := make([]byte, 0, expected+512)
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if len(buf) > MaxSize {
			return nil, &SizeError{Name: name, Size: -1}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read %q: %w", name, err)
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
	return newRunbook(name, buf), nil
}

// openRegular refuses what is not a regular file before it is opened, because
// opening a FIFO or a device can block or act; the caller checks again what it
// got, because the path may change in between.
func openRegular(path string, follow bool) (*os.File, error) {
	stat := os.Lstat
	if follow {
		stat = os.Stat
	}
	info, err := stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %q: %w", path, ErrNotRegular)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|openFlags(follow), 0)
	if err != nil {
		if isLinkLoop(err) {
			return nil, fmt.Errorf("read %q: %w", path, ErrNotRegular)
		}
		return nil, err
	}
	return f, nil
}
