package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runwrit/writ/policy/bundle"
	"github.com/runwrit/writ/runbook"
)

// maxCandidates is how many bundles a folder may hold.
const maxCandidates = 100

// synced is what is remembered of the last fetch over the web.
type synced struct {
	Version int            `json:"version"`
	Source  string         `json:"source"`
	ETag    string         `json:"etag"`
	SHA256  runbook.Digest `json:"sha256"` // of what was activated of it
}

// ErrNoSource says that neither the caller nor the settings name a source.
var ErrNoSource = errors.New("no source: the settings have no line for one")

// Sync gets the bundle at a source and activates it. The source is a URL of
// https, http or file, or an absolute path: of a bundle, or of a folder, from which
// the bundle of the highest epoch is taken; "" is that of the settings. Detached
// signatures are looked for beside it. A nil Activation says that the server has
// nothing new. It fails as Activate does, or with *FetchError.
func (s *Store) Sync(ctx context.Context, source string) (*Activation, error) {
	if source == "" {
		source = s.settings.source
	}
	if source == "" {
		return nil, s.fail(ErrNoSource)
	}
	if err := checkSource(source); err != nil {
		return nil, &FetchError{shown(source), err}
	}
	if isWeb(source) {
		return s.syncWeb(ctx, source)
	}
	data, detached, err := readLocal(strings.TrimPrefix(source, "file://"), s.settings.name)
	if err != nil {
		return nil, &FetchError{source, err}
	}
	return s.Activate(ctx, data, detached)
}

func (s *Store) syncWeb(ctx context.Context, source string) (*Activation, error) {
	last := synced{}
	// What cannot be read is worth as much as nothing: everything is fetched again.
	if err := s.readJSON(syncFile, &last); err != nil {
		last = synced{}
	}
	state, err := s.State()
	if err != nil {
		return nil, err
	}
	// What the server had is only of use while it is what is active.
	known := ""
	if last.Source == source && state.Active != nil && state.Active.SHA256 == last.SHA256 && s.intact(state.Active) == nil {
		known = last.ETag
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	got, err := fetch(ctx, source, known, bundle.MaxSize)
	if err != nil || got == nil {
		return nil, err
	}
	detached, err := fetch(ctx, source+bundle.EnvelopeExt, "", bundle.MaxEnvelope)
	var missing *missingError
	if errors.As(err, &missing) {
		detached, err = &fetched{}, nil
	}
	if err != nil {
		return nil, err
	}
	a, err := s.Activate(ctx, got.data, detached.data)
	if err != nil {
		return nil, err
	}
	// Not worth failing for: the next time it is fetched again.
	if err := s.rememberSync(ctx, synced{stateVersion, source, got.etag, a.SHA256}); err != nil {
		a.Notes = append(a.Notes, fmt.Sprintf("what the server had cannot be remembered: %v", err))
	}
	return a, nil
}

// rememberSync takes the lock: two that write one file would mix.
func (s *Store) rememberSync(ctx context.Context, what synced) error {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return s.writeJSON(syncFile, what)
}

// readLocal reads a bundle and its detached signatures, of a file or of the folder
// that holds it.
func readLocal(path, name string) (data, detached []byte, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if info.IsDir() {
		if path, err = newest(path, name); err != nil {
			return nil, nil, err
		}
	}
	return ReadBundle(path)
}

// ReadBundle reads a bundle, and its detached signatures if they lie beside it.
func ReadBundle(path string) (data, detached []byte, err error) {
	if data, err = readFile(path, bundle.MaxSize); err != nil {
		return nil, nil, err
	}
	detached, err = readFile(path+bundle.EnvelopeExt, bundle.MaxEnvelope)
	if errors.Is(err, fs.ErrNotExist) {
		return data, nil, nil
	}
	return data, detached, err
}

// newest is the bundle of the name with the highest epoch. What bundles say of
// themselves is not verified yet: it decides which one is tried, and no more.
func newest(dir, name string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return !strings.HasSuffix(e.Name(), ".tar.gz") })
	if len(entries) > maxCandidates {
		return "", fmt.Errorf("%d bundles are too many, the limit is %d", len(entries), maxCandidates)
	}
	best, high := "", uint64(0)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		data, err := readFile(path, bundle.MaxSize)
		if err != nil {
			return "", err
		}
		b, err := bundle.ReadUnverified(data)
		if err != nil {
			return "", fmt.Errorf("%q: %w", path, err)
		}
		if m := b.Meta(); m.Name == name && m.Epoch > high {
			best, high = path, m.Epoch
		}
	}
	if best == "" {
		return "", fmt.Errorf("no bundle of the policy %q", name)
	}
	return best, nil
}

// readFile reads a regular file of at most limit bytes.
func readFile(path string, limit int) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%q is not a regular file", path)
	case info.Size() > int64(limit):
		return nil, fmt.Errorf("%q has %d bytes, the limit is %d", path, info.Size(), limit)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading only
	return io.ReadAll(io.LimitReader(f, int64(limit)+1))
}
