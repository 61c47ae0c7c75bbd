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
// name. A symbolic link is followed only if follow is set; links in the folders
// above always are. It fails with ErrNotRegular, *SizeError, or the error of the
// file system.
func ReadFile(path string, follow bool) (*Runbook, error) {
	resolved := resolve(path, follow)
	f, err := openRegular(path, resolved, follow)
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
	rb, err := read(filepath.Base(path), f, info.Size())
	if err == nil {
		rb.path = filepath.ToSlash(resolved)
	}
	return rb, err
}

// resolve makes path absolute and clean, without links, be it the last element
// or only the folders above it; "" if that cannot be done.
func resolve(path string, last bool) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	if last {
		if abs, err = filepath.EvalSymlinks(abs); err != nil {
			return ""
		}
		return abs
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return ""
	}
	return filepath.Join(folder, filepath.Base(abs))
}

// Read reads all of r, to at most MaxSize bytes, and parses it under name.
func Read(name string, r io.Reader) (*Runbook, error) { return read(name, r, 0) }

// read takes expected as a hint for the buffer only: the file may grow or
// shrink while it is read.
func read(name string, r io.Reader, expected int64) (*Runbook, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	data, err := readAll(name, r, expected)
	if err != nil {
		return nil, err
	}
	return newRunbook(name, data), nil
}

func readAll(name string, r io.Reader, expected int64) ([]byte, error) {
	if expected > MaxSize {
		return nil, &SizeError{Name: name, Size: expected}
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
	return buf, nil
}

// openRegular refuses what is not a regular file before it is opened, because
// opening a FIFO or a device can block or act; the caller checks again what it
// got, because the path may change in between. Where resolved is known, that is
// what is opened, so that the file lies where Path says.
func openRegular(path, resolved string, follow bool) (*os.File, error) {
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
	target := path
	if resolved != "" {
		target, follow = resolved, false
	}
	f, err := os.OpenFile(target, os.O_RDONLY|openFlags(follow), 0)
	if err != nil {
		if isLinkLoop(err) {
			return nil, fmt.Errorf("read %q: %w", path, ErrNotRegular)
		}
		return nil, err
	}
	return f, nil
}
