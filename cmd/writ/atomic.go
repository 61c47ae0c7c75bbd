package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// checkTarget refuses to put a file where something else than a plain file is:
// a rename would put a device or a link out of the way.
func checkTarget(flag, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return noAnswer(err)
	case !info.Mode().IsRegular():
		return usagef("%s %q: not a regular file", flag, path)
	}
	return nil
}

// writeAtomic puts data at path in one step, readable by the user only. After
// an error nothing new is left behind.
func writeAtomic(path string, data []byte) error {
	temp, err := tempBeside(path)
	if err != nil {
		return err
	}
	return finish(temp, path, data)
}

// tempBeside makes an empty file, readable by the user only, in the folder of
// path.
func tempBeside(path string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(path), ".writ-*.tmp") // mode 0600
}

// finish writes data to temp, which may have space set aside, and gives it its
// name.
func finish(temp *os.File, path string, data []byte) error {
	if _, err := temp.Write(data); err != nil {
		discard(temp)
		return err
	}
	if err := errors.Join(temp.Truncate(int64(len(data))), temp.Sync(), temp.Close()); err != nil {
		discard(temp)
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		discard(temp)
		return err
	}
	return nil
}

// discard removes temp; the error that led here is the one to report.
func discard(temp *os.File) {
	_ = temp.Close()
	_ = os.Remove(temp.Name())
}
