package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/runwrit/writ/internal/guard"
	"github.com/runwrit/writ/internal/strictjson"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/bundle"
	"github.com/runwrit/writ/policy/index"
	"github.com/runwrit/writ/runbook"
)

// maxHistory is how many changes are remembered.
const maxHistory = 100

// Generation is one bundle that was activated.
type Generation struct {
	Name      string         `json:"name"`
	Epoch     uint64         `json:"epoch"`
	SHA256    runbook.Digest `json:"sha256"` // of the bundle
	NotBefore time.Time      `json:"not_before"`
	Expires   time.Time      `json:"expires"`
	Signers   []string       `json:"signers"`
	Activated time.Time      `json:"activated_at"`
	// Index says what lies beside the bundle for a gate to read in its place; nil
	// where the bundle is small.
	Index *Index `json:"index,omitempty"`
}

// Index names what a gate reads in the place of a large bundle.
type Index struct {
	// Rows is the digest of the version of the rows: those of another version of
	// writ are not read.
	Rows runbook.Digest `json:"rows"`
	// Grants is the index of the grants.yaml.
	Grants index.Ref `json:"grants"`
	// Excerpt is the digest of the rest.
	Excerpt runbook.Digest `json:"excerpt"`
}

// current says whether this program can read the index.
func (x *Index) current() bool { return x != nil && x.Rows == rowsVersion() }

func rowsVersion() runbook.Digest { return runbook.DigestOf([]byte(policy.RowsVersion())) }

// folder is where the generation lies, below the folder of generations. With an
// index of another version it is another folder: so one that decides stays until
// the new one does.
func (g *Generation) folder() string {
	name := fmt.Sprintf("%010d-%s", g.Epoch, g.SHA256.String()[:16])
	if g.Index != nil {
		name += "-" + g.Index.Rows.String()[:8]
	}
	return name
}

// Mark is the highest edition that there was.
type Mark struct {
	Epoch  uint64         `json:"epoch"`
	SHA256 runbook.Digest `json:"sha256"`
}

// Change is one entry of the history of a store.
type Change struct {
	At     time.Time      `json:"at"`
	Action string         `json:"action"` // "activate" or "rollback"
	Epoch  uint64         `json:"epoch"`  // that is active from then on
	SHA256 runbook.Digest `json:"sha256"`
	// Reason is why it was rolled back.
	Reason string `json:"reason,omitempty"`
}

// State is what a store remembers. It is one file, which is replaced as a whole:
// there is no moment at which one part of it is new and another old.
type State struct {
	Version int `json:"version"`
	// Active is nil where nothing was activated yet.
	Active *Generation `json:"active,omitempty"`
	// Previous is the last good one before it, which a rollback goes back to.
	Previous *Generation `json:"previous,omitempty"`
	// HighWater is the mark below which no bundle is activated.
	HighWater Mark `json:"high_water"`
	// Withdrawn are the bundles that were rolled back: they do not come back.
	Withdrawn []Mark `json:"withdrawn"`
	// History holds the last changes, the newest last.
	History []Change `json:"history"`
}

const stateVersion = 1

// State reads what the store remembers. It fails with *Error.
func (s *Store) State() (State, error) {
	state := State{Version: stateVersion, Withdrawn: []Mark{}, History: []Change{}}
	err := s.readJSON(stateFile, &state)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return state, nil
	case err != nil:
		return State{}, s.fail(err)
	}
	if bad := state.problem(s.settings.name); bad != "" {
		return State{}, s.fail(fmt.Errorf("%s: %s", stateFile, bad))
	}
	return state, nil
}

// problem says what is wrong with a state, "" for nothing.
func (s *State) problem(name string) string {
	switch {
	case s.Version != stateVersion:
		return fmt.Sprintf("version %d is not known to this writ", s.Version)
	case s.Active == nil:
		return "no generation is active, and one was"
	case s.Active.Name != name:
		return fmt.Sprintf("the active policy is %q, and the settings want %q", s.Active.Name, name)
	case s.Active.Epoch == 0 || s.Active.SHA256.IsZero():
		return "the active generation has no epoch or no digest"
	}
	return ""
}

// readJSON reads a file of the state; what is not understood is an error.
func (s *Store) readJSON(name string, to any) error {
	if s.options.Guarded {
		if err := s.guard(stateFolder); err != nil {
			return err
		}
	}
	data, err := s.read(name, maxStateFile)
	if err != nil {
		return err
	}
	if err := strictjson.Decode(data, maxStateFile, to); err != nil {
		return fmt.Errorf("%s: cannot be read: %v", name, err)
	}
	return nil
}

// writeJSON replaces a file of the state.
func (s *Store) writeJSON(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return s.replace(name, append(data, '\n'))
}

// replace puts data in the place of a file in one step, and waits until it is on
// disk. Whoever stops in between leaves the old file and a temporary one.
func (s *Store) replace(name string, data []byte) error {
	temp := path.Join(path.Dir(name), ".new-"+path.Base(name))
	s.step("write " + temp)
	if err := s.write(temp, data); err != nil {
		return err
	}
	s.step("rename " + temp)
	if err := s.root.Rename(temp, name); err != nil {
		return err
	}
	s.step("sync " + path.Dir(name))
	return s.syncFolder(path.Dir(name))
}

// write makes a new file, on disk before it returns. What a crash left behind
// under the name goes.
func (s *Store) write(name string, data []byte) error {
	if err := s.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func (s *Store) syncFolder(name string) error {
	f, err := s.root.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // opened for reading only
	return syncOpened(f)
}

// makeFolders makes the folders of the state.
func (s *Store) makeFolders() error {
	for _, name := range []string{stateFolder, generations} {
		if err := s.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		info, err := s.root.Lstat(name)
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("%s: not a folder", name)
		}
		if s.options.Guarded {
			if err := guard.Entry(info); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// detachedFile is the name of the detached signatures of a generation.
const detachedFile = bundleFile + bundle.EnvelopeExt
