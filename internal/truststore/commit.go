package truststore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/runwrit/writ/verifier"
)

// ChangedError says that somebody else changed a trust store meanwhile.
type ChangedError struct{ Path string }

func (e *ChangedError) Error() string {
	return fmt.Sprintf("trust store %q changed meanwhile: nothing was added", e.Path)
}

// ExistsError says that a file is there already under the name of a new one, and
// holds something else.
type ExistsError struct{ Path string }

func (e *ExistsError) Error() string {
	return fmt.Sprintf("%q is there already and holds something else: nothing was added", e.Path)
}

// UnusableError says that a trust store could not be used any more with what was to
// be added.
type UnusableError struct{ Err error }

func (e *UnusableError) Error() string {
	return fmt.Sprintf("the trust store could not be used with it: %v", e.Err)
}

// Unwrap returns the cause.
func (e *UnusableError) Unwrap() error { return e.Err }

// CheckFunc says whether a trust store can be used, by those who judge with it.
type CheckFunc func(*verifier.TrustStore) error

// Commit writes what is to be added into the trust store at dir, if the whole can
// be used then: as it is judged before anything is written, and as it is read
// afterwards. Else it leaves everything as it was. Each file appears in one step,
// those that take trust away before those that give it.
func (p *Addition) Commit(ctx context.Context, dir string, check CheckFunc) (*verifier.TrustStore, error) {
	if len(p.files) == 0 {
		return p.before, nil
	}
	want, err := verifier.NewTrust(append(p.before.All(), p.files...)...)
	if err != nil {
		return nil, err
	}
	if err := check(want); err != nil {
		return nil, &UnusableError{err}
	}
	w, err := openWriter(ctx, dir)
	if err != nil {
		return nil, err
	}
	after, err := p.write(w, dir, want)
	return after, errors.Join(err, w.close(err != nil))
}

func (p *Addition) write(w *writer, dir string, want *verifier.TrustStore) (*verifier.TrustStore, error) {
	now, err := Open(dir)
	if err != nil {
		return nil, err
	}
	if now.Digest() != p.before.Digest() {
		return nil, &ChangedError{dir}
	}
	for _, f := range p.files {
		if err := w.stage(f); err != nil {
			return nil, err
		}
	}
	if err := w.place(dir); err != nil {
		return nil, err
	}
	after, err := verifier.OpenTrust(dir, verifier.TrustOptions{})
	if err != nil {
		return nil, &UnusableError{err}
	}
	if after.Digest() != want.Digest() {
		return nil, &ChangedError{dir}
	}
	return after, nil
}

// writer puts files into a trust store, and takes back what it did. Its paths do
// not leave the folder, whatever links are in it.
type writer struct {
	root   *os.Root
	unlock func()
	dir    string   // that it made; "" if it was there
	made   []string // folders
	temps  []string // files under names that a verifier leaves out
	names  []string // what they are to be called
	placed int      // how many are
}

func openWriter(ctx context.Context, dir string) (*writer, error) {
	w := &writer{}
	switch err := os.Mkdir(dir, 0o755); { //nolint:gosec // nothing in a trust store is secret
	case err == nil:
		w.dir = dir
	case !errors.Is(err, fs.ErrExist):
		return nil, err
	}
	var err error
	if w.root, err = os.OpenRoot(dir); err != nil {
		return nil, errors.Join(err, w.close(true))
	}
	if w.unlock, err = lock(ctx, w.root); err != nil {
		return nil, errors.Join(err, w.close(true))
	}
	return w, nil
}

// stage writes a file beside its place.
func (w *writer) stage(f verifier.TrustFile) error {
	room := path.Dir(f.Name)
	for _, folder := range []string{f.Store, room} {
		switch err := w.root.Mkdir(folder, 0o755); {
		case err == nil:
			w.made = append(w.made, folder)
		case !errors.Is(err, fs.ErrExist):
			return err
		}
	}
	temp := path.Join(room, ".writ-"+rand.Text()+".tmp")
	file, err := w.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	w.temps, w.names = append(w.temps, temp), append(w.names, f.Name)
	_, err = file.Write(f.Data)
	return errors.Join(err, file.Chmod(0o644), file.Sync(), file.Close())
}

// place gives the files their names, none of which may be taken.
func (w *writer) place(dir string) error {
	for i, name := range w.names {
		err := w.root.Link(w.temps[i], name)
		if err != nil && !errors.Is(err, fs.ErrExist) { // a file system without links
			if _, err = w.root.Lstat(name); errors.Is(err, fs.ErrNotExist) {
				err = w.root.Rename(w.temps[i], name)
			} else {
				err = fs.ErrExist
			}
		}
		switch {
		case errors.Is(err, fs.ErrExist):
			return &ExistsError{path.Join(dir, name)}
		case err != nil:
			return err
		}
		w.placed++
		if err := w.sync(path.Dir(name)); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) sync(folder string) error {
	f, err := w.root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(syncFolder(f), f.Close())
}

// close removes what is of no use any more: with undo, everything that was made.
func (w *writer) close(undo bool) error {
	var failed []error
	remove := func(remove func(string) error, name string) {
		if err := remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	if w.root != nil {
		for _, temp := range w.temps {
			remove(w.root.Remove, temp)
		}
		if undo {
			for _, name := range w.names[:w.placed] {
				remove(w.root.Remove, name)
			}
			for i := len(w.made) - 1; i >= 0; i-- {
				remove(w.root.Remove, w.made[i])
			}
		}
		if w.unlock != nil {
			w.unlock()
		}
		failed = append(failed, w.root.Close())
	}
	if undo && w.dir != "" {
		remove(os.Remove, w.dir)
	}
	return errors.Join(failed...)
}
