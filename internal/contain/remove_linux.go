package contain

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// RemoveAll removes a folder and all that is in it, also where folders were locked, and
// however deep they lie in each other: its time grows with what there is, and it has
// three descriptors open at most. What lies deeper is moved up before it is removed, so
// that no path is longer than two names.
func RemoveAll(folder string) error {
	if err := removeAll(folder); err != nil {
		return fmt.Errorf("remove the private folder: %w", err)
	}
	return nil
}

func removeAll(folder string) error {
	parent, err := unix.Open(filepath.Dir(folder), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: filepath.Dir(folder), Err: err}
	}
	defer func() { _ = unix.Close(parent) }() // opened for its path only
	if removed, err := unlink(parent, filepath.Base(folder)); removed || err != nil {
		return err
	}
	top, err := openLocked(parent, filepath.Base(folder))
	if err != nil {
		return ignoreAbsent(err)
	}
	defer func() { _ = top.Close() }() // opened for reading only
	r := remover{top: top, prefix: ".writ-" + rand.Text() + "-"}
	for {
		if err := r.empty(top); err != nil {
			return err
		}
		err := unix.Unlinkat(parent, filepath.Base(folder), unix.AT_REMOVEDIR)
		// Another one that removes it, the stage or the next gate, has moved something up.
		if r.seen++; !errors.Is(err, unix.ENOTEMPTY) || r.seen > maxRemoved {
			return pathError("rmdir", folder, ignoreAbsent(err))
		}
	}
}

// maxRemoved bounds how often something is removed: a process that lives on could put
// files there for ever.
const maxRemoved = 1 << 26

// remover empties a folder.
type remover struct {
	top    *os.File
	prefix string // of the new names of what was moved up
	seen   uint64
}

// empty removes what is in dir. Folders that are not empty are emptied in the top folder
// only; in any other one they are moved there.
func (r *remover) empty(dir *os.File) error {
	for {
		names, err := namesIn(dir)
		if err != nil || len(names) == 0 {
			return err
		}
		for _, name := range names {
			if err := r.remove(dir, name); err != nil {
				return err
			}
		}
	}
}

func (r *remover) remove(dir *os.File, name string) error {
	if r.seen++; r.seen > maxRemoved {
		return errors.New("there is no end of what is in it")
	}
	at := int(dir.Fd())
	if removed, err := unlink(at, name); removed || err != nil {
		return err
	}
	if err := unix.Unlinkat(at, name, unix.AT_REMOVEDIR); err == nil || errors.Is(err, unix.ENOENT) {
		return nil // it was empty
	}
	sub, err := openLocked(at, name)
	if err != nil {
		return ignoreAbsent(err)
	}
	defer func() { _ = sub.Close() }() // opened for reading only
	if dir != r.top {
		// Its mode lets it be moved now.
		err := unix.Renameat(at, name, int(r.top.Fd()), r.prefix+strconv.FormatUint(r.seen, 36))
		return pathError("rename", name, ignoreAbsent(err))
	}
	if err := r.empty(sub); err != nil {
		return err
	}
	err = unix.Unlinkat(at, name, unix.AT_REMOVEDIR)
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
		return nil // somebody has put something there: it is seen again
	}
	return pathError("rmdir", name, ignoreAbsent(err))
}

// unlink removes what is no folder. It says whether nothing is left there.
func unlink(dir int, name string) (removed bool, err error) {
	err = unix.Unlinkat(dir, name, 0)
	switch {
	case err == nil, errors.Is(err, unix.ENOENT):
		return true, nil
	case errors.Is(err, unix.EISDIR):
		return false, nil
	}
	return false, pathError("unlink", name, err)
}

// openLocked opens a folder, and no link to one, for reading and makes it writable for
// its owner. A job may have taken every right to it away.
func openLocked(dir int, name string) (*os.File, error) {
	path, err := unix.Openat(dir, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	defer func() { _ = unix.Close(path) }() // opened for its path only
	self := "/proc/self/fd/" + strconv.Itoa(path)
	if err := unix.Chmod(self, 0o700); err != nil {
		return nil, pathError("chmod", name, err)
	}
	fd, err := unix.Open(self, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// namesIn lists some of what is in a folder, from its beginning.
func namesIn(dir *os.File) ([]string, error) {
	const some = 1024
	if _, err := dir.Seek(0, 0); err != nil {
		return nil, err
	}
	names, err := dir.Readdirnames(some)
	// Of a folder that somebody else has removed meanwhile the kernel says ENOENT.
	if len(names) > 0 || errors.Is(err, io.EOF) || errors.Is(err, unix.ENOENT) {
		return names, nil
	}
	return nil, err
}

func ignoreAbsent(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

func pathError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: path, Err: err}
}
