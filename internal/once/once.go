// Package once remembers what may be used only once, or only a few times: the
// nonce of a ticket, a break-glass statement. A use is a file in a folder, made
// before anything starts and synced to the disk, so that neither a crash nor a
// second gate nor a restart gives it back.
//
// It forgets a use a week after the thing itself has expired, by the clock that it
// is given. It does not notice that somebody who may write the folder removes
// files: such a folder is refused, unless he is root or the current user.
package once

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/runwrit/writ/internal/guard"
)

// folder is the part of a state folder that belongs to this package.
const folder = "once"

const (
	// grace is how long a use is remembered after it could be repeated, for clocks
	// that are put back.
	grace = 7 * 24 * time.Hour
	// maxLooked is how many old uses are looked at for one new one.
	maxLooked = 256
	// maxWord is the length of a kind and of a key.
	maxWord = 64
	// MaxUses is how often anything can be used.
	MaxUses = 1_000
)

// ErrUsed says that a thing has been used as often as it may be.
var ErrUsed = errors.New("it has been used already")

// Store remembers uses in a folder. The nil Store remembers nothing: every use of
// it fails.
type Store struct{ dir string }

// Open returns the store in a state folder, which must exist and be guarded.
func Open(state string) (*Store, error) {
	s, err := open(state)
	if err != nil {
		return nil, fmt.Errorf("state folder %q: %w", state, err)
	}
	return s, nil
}

func open(state string) (*Store, error) {
	info, err := os.Stat(state)
	switch {
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, errors.New("not a folder")
	}
	if err := guard.Folder(state); err != nil {
		return nil, err
	}
	if err := guard.Entry(info); err != nil {
		return nil, err
	}
	dir := filepath.Join(state, folder)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if info, err = os.Lstat(dir); err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%q is not a folder", folder)
	}
	if err := guard.Entry(info); err != nil {
		return nil, err
	}
	return &Store{dir}, sync(state)
}

// Count returns how often a thing has been used.
func (s *Store) Count(kind, key string) (int, error) {
	if s == nil {
		return 0, errNoStore
	}
	for n := range MaxUses {
		path, err := s.path(kind, key, n)
		if err != nil {
			return 0, err
		}
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return n, nil
		} else if err != nil {
			return 0, err
		}
	}
	return MaxUses, nil
}

var errNoStore = errors.New("no state folder is given: uses cannot be counted")

// Use takes one use of a thing that may be used limit times until it expires. It
// fails with ErrUsed if there is none left. After any other error the use may be
// gone.
func (s *Store) Use(kind, key string, limit int, expires, now time.Time) error {
	if s == nil {
		return errNoStore
	}
	s.prune(now)
	for n := range min(limit, MaxUses) {
		path, err := s.path(kind, key, n)
		if err != nil {
			return err
		}
		err = s.put(path, expires)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return ErrUsed
}

// path refuses kinds and keys that are no names; those of different kinds do not meet.
func (s *Store) path(kind, key string, n int) (string, error) {
	for _, word := range []string{kind, key} {
		if word == "" || len(word) > maxWord || strings.Trim(word, "0123456789abcdefghijklmnopqrstuvwxyz-") != "" {
			return "", fmt.Errorf("%.40q cannot be remembered: want lower-case letters and digits", word)
		}
	}
	return filepath.Join(s.dir, fmt.Sprintf("%s.%s.%d", kind, key, n)), nil
}

// put makes the file of a use, and has it on the disk before it returns.
func (s *Store) put(path string, expires time.Time) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(expires.UTC().Format(time.RFC3339) + "\n")
	return errors.Join(err, f.Sync(), f.Close(), sync(s.dir))
}

func sync(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// prune forgets a few of those that expired long ago. What cannot be read stays.
func (s *Store) prune(now time.Time) {
	dir, err := os.Open(s.dir)
	if err != nil {
		return
	}
	names, err := dir.Readdirnames(maxLooked)
	_ = dir.Close() // opened for reading only
	if err != nil && !errors.Is(err, io.EOF) {
		return
	}
	for _, name := range names {
		path := filepath.Join(s.dir, name)
		if at, err := readExpiry(path); err == nil && now.After(at.Add(grace)) {
			_ = os.Remove(path) // the next one tries again
		}
	}
}

func readExpiry(path string) (time.Time, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return time.Time{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > 64 {
		return time.Time{}, errors.New("not the file of a use")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, strings.TrimSuffix(string(text), "\n"))
}
