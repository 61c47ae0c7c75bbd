// Package store keeps the policy of a gate on disk, as bundles that were verified
// before they were taken in: the active one, the one before it, and the highest
// epoch that there was.
//
// It promises that a gate finds the old policy or the new one whole, also where a
// machine stops in the middle of an activation; that an older bundle does not come
// back, unless a person rolls back and says why; and that what it loads are the
// bytes that were activated. It trusts whoever may write its folder, which has to
// be root or the user of the gate alone: Guarded refuses everything else. It does
// not decide, and it does not check signatures again when it loads.
//
// docs/formats/bundle.md describes the folder.
package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/runwrit/writ/internal/guard"
	"github.com/runwrit/writ/policy/bundle"
)

// Files of a store.
const (
	settingsFile = "settings"
	keysFolder   = "keys"
	stateFolder  = "state"
	stateFile    = stateFolder + "/state.json"
	trustFile    = stateFolder + "/trust.json"
	syncFile     = stateFolder + "/sync.json"
	lockFile     = stateFolder + "/lock"
	generations  = stateFolder + "/generations"
	bundleFile   = "bundle.tar.gz"
	indexFile    = "grants.index"
	excerptFile  = "excerpt.tar"
)

// indexFrom is the size of a grants.yaml from which on an index is read faster
// than the file.
const indexFrom = 64 << 10

// maxStateFile is the largest file of the state, but for bundles.
const maxStateFile = 1 << 20

// Codes with which a store refuses a bundle, beside those of package bundle.
const (
	CodeName       = bundle.Code("bundle-name")        // it is of another name
	CodeExpired    = bundle.Code("bundle-expired")     // its time is over
	CodeNotYet     = bundle.Code("bundle-not-yet")     // its time has not come
	CodeTool       = bundle.Code("bundle-min-tool")    // it wants a newer writ
	CodeRolledBack = bundle.Code("bundle-rolled-back") // its epoch is below the highest, or was another bundle's
	CodeWithdrawn  = bundle.Code("bundle-withdrawn")   // it was rolled back here
	CodePolicy     = bundle.Code("bundle-policy")      // its policy cannot be used
	CodeTests      = bundle.Code("bundle-tests")       // its own tests fail
)

// Error says that a store cannot be used: it is for the operator to mend, and
// no fact about a bundle.
type Error struct {
	Path string
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("policy store %q: %v", e.Path, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrNoPolicy says that no policy was activated yet.
var ErrNoPolicy = errors.New("no policy was activated yet")

// Options are the parts of a Store. The zero value is useful.
type Options struct {
	// Guarded refuses a store and files in it that anyone but root and the current
	// user may write, and a place where others could put another one.
	Guarded bool
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Tool is the version of this program, such as "v1.4.2"; "" where it is not
	// known, which is older than every other.
	Tool string
}

// Store is a folder that keeps policies.
type Store struct {
	dir      string
	root     *os.Root
	options  Options
	settings settings
	// step is told of each step of a change before it is taken; for tests.
	step func(name string)
}

// Is says whether dir is a policy store, and not a policy folder.
func Is(dir string) bool {
	info, err := os.Lstat(filepath.Join(dir, settingsFile))
	return err == nil && info.Mode().IsRegular()
}

// Open opens the store at dir and reads its settings. It fails with *Error.
func Open(dir string, o Options) (*Store, error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, &Error{dir, errors.New("not a folder")}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, &Error{dir, err}
	}
	s := &Store{dir: dir, root: root, options: o, step: func(string) {}}
	if s.options.Now == nil {
		s.options.Now = time.Now
	}
	if err := s.open(); err != nil {
		_ = root.Close() // opened for reading only
		return nil, &Error{dir, err}
	}
	return s, nil
}

func (s *Store) open() error {
	if s.options.Guarded {
		if err := guard.Folder(s.dir + "/.."); err != nil {
			return err
		}
		if err := s.guard("."); err != nil {
			return err
		}
	}
	data, err := s.read(settingsFile, maxStateFile)
	if err != nil {
		return err
	}
	s.settings, err = parseSettings(data)
	return err
}

// Close lets go of the folder.
func (s *Store) Close() error { return s.root.Close() }

// Name is the name of the policies that the store takes.
func (s *Store) Name() string { return s.settings.name }

// Trust says who must have signed, by the settings and the keys that these name.
// It fails with *Error.
func (s *Store) Trust() (*bundle.Trust, error) {
	var keys []bundle.Key
	if s.options.Guarded {
		if err := s.guard(keysFolder); err != nil {
			return nil, s.fail(err)
		}
	}
	for _, signer := range s.settings.signers {
		data, err := s.read(keysFolder+"/"+signer.file, maxStateFile)
		if err != nil {
			return nil, s.fail(err)
		}
		key, err := bundle.NewKey(signer.owner, data)
		if err != nil {
			return nil, s.fail(fmt.Errorf("%s/%s: %w", keysFolder, signer.file, err))
		}
		keys = append(keys, key)
	}
	trust, err := bundle.NewTrust(s.settings.threshold, keys...)
	if err != nil {
		return nil, s.fail(fmt.Errorf("%s: %w", settingsFile, err))
	}
	return trust, nil
}

func (s *Store) fail(err error) error { return &Error{s.dir, err} }

// guard holds one file or folder to the rule of who may write it.
func (s *Store) guard(name string) error {
	info, err := s.root.Lstat(name)
	if err != nil {
		return err
	}
	if err := guard.Entry(info); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// read reads a plain file of at most limit bytes.
func (s *Store) read(name string, limit int) ([]byte, error) {
	info, err := s.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file; links are refused", name)
	}
	if s.options.Guarded {
		if err := guard.Entry(info); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	f, err := s.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading only
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(data) > limit {
		err = fmt.Errorf("%s: more than %d bytes", name, limit)
	}
	return data, err
}
