package signer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ChangedError says that a file changed while it was being signed or repaired.
// Nothing was written.
type ChangedError struct{ Path string }

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%q changed meanwhile; nothing was written", e.Path)
}

// replace puts data at target, with mode, owner and access control list of what
// it replaces, or of the source where target is a new file. The data goes to a
// file of its own beside target first, and is on disk before it gets the name.
func replace(ctx context.Context, src *source, target file, data []byte) (err error) {
	like := src.file
	if target.rb != nil {
		like = target
	}
	temp, err := os.CreateTemp(filepath.Dir(target.path), ".writ-*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		// After a rename the name is gone already.
		if e := os.Remove(temp.Name()); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}()
	err = fill(temp, like, data)
	if e := temp.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("write %q: %w", target.path, err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("write %q: %w", target.path, err)
	}
	if err := unchanged(src, target); err != nil {
		return err
	}
	if target.rb == nil {
		err = create(temp.Name(), target.path)
	} else {
		err = os.Rename(temp.Name(), target.path)
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(target.path))
}

// fill writes data and makes the file like another. The mode comes last: while
// the owner changes nobody else may read it, and a change of owner clears bits.
func fill(temp *os.File, like file, data []byte) error {
	if _, err := temp.Write(data); err != nil {
		return err
	}
	if like.inMemory() {
		return errors.Join(temp.Chmod(newFileMode), temp.Sync())
	}
	if err := copyOwner(temp, like); err != nil {
		return err
	}
	if err := copyAttributes(temp, like); err != nil {
		return err
	}
	if err := temp.Chmod(like.info.Mode()); err != nil {
		return err
	}
	return temp.Sync()
}

// newFileMode is the mode of a new file where there is none to be like.
const newFileMode fs.FileMode = 0o644

// create gives a new file its name, without replacing one that came up
// meanwhile. The caller removes the temporary name.
func create(temp, path string) error {
	err := renameNew(temp, path)
	if errors.Is(err, errors.ErrUnsupported) {
		err = os.Link(temp, path)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return &ChangedError{path}
	}
	// A file system with neither: the last look at the name was just now.
	return os.Rename(temp, path)
}

// unchanged looks at source and target once more.
func unchanged(src *source, target file) error {
	if src.inMemory() {
		return target.still()
	}
	if err := src.still(); err != nil {
		return err
	}
	if target.path == src.path {
		return nil
	}
	return target.still()
}

func (f file) still() error {
	now, err := readFile(f.path)
	switch {
	case f.rb == nil && errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil, f.rb == nil:
		return &ChangedError{f.path}
	case !os.SameFile(f.info, now.info), f.info.Mode() != now.info.Mode(), f.rb.Digest() != now.rb.Digest(), links(now.info) > 1:
		return &ChangedError{f.path}
	}
	return nil
}
