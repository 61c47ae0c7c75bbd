package store

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/bundle"
	"github.com/runwrit/writ/policy/index"
	"github.com/runwrit/writ/runbook"
)

// Active is the policy that a gate decides by.
type Active struct {
	Engine *policy.Engine
	// Approvals are the signed statements that came with the policy.
	Approvals []policy.File
	Generation

	index *index.Index
}

// Close lets go of the files that the Engine reads.
func (a *Active) Close() error {
	if a == nil || a.index == nil {
		return nil
	}
	return a.index.Close()
}

// Load reads and compiles the active policy: the bytes that were activated, by
// their digest. Whether its time is over is the Engine's to say. It fails with
// *Error, which is ErrNoPolicy where nothing was activated yet.
func (s *Store) Load() (*Active, error) {
	state, err := s.State()
	if err != nil {
		return nil, err
	}
	if state.Active == nil {
		return nil, s.fail(ErrNoPolicy)
	}
	active, err := s.load(state.Active, max(state.HighWater.Epoch, state.Active.Epoch))
	if err != nil {
		return nil, s.fail(err)
	}
	return active, nil
}

func (s *Store) load(g *Generation, high uint64) (*Active, error) {
	active := &Active{Generation: *g}
	var b *bundle.Bundle
	var err error
	if g.Index.current() {
		b, err = s.indexed(active)
	} else {
		b, err = s.generation(g)
	}
	if err != nil {
		return nil, err
	}
	// The program may be older than the one that activated it.
	if m := b.Meta(); !atLeast(s.options.Tool, m.MinTool) {
		return nil, errors.Join(fmt.Errorf("the active policy wants writ %s or later, and this is %q", m.MinTool, s.options.Tool), active.Close())
	}
	src := b.Source()
	src.Release.HighEpoch = high
	if active.index != nil {
		src.Rows = active.index
	}
	if active.Engine, err = policy.New(src); err != nil {
		return nil, errors.Join(err, active.Close())
	}
	active.Approvals = b.Approvals()
	return active, nil
}

// indexed opens what lies beside a large bundle. What it reads is held to the
// digests in the state, page by page.
func (s *Store) indexed(active *Active) (*bundle.Bundle, error) {
	g := &active.Generation
	folder := generations + "/" + g.folder()
	if err := s.guardFolders(folder); err != nil {
		return nil, err
	}
	data, err := s.read(folder+"/"+excerptFile, bundle.MaxUnpacked)
	if err != nil {
		return nil, err
	}
	if runbook.DigestOf(data) != g.Index.Excerpt {
		return nil, fmt.Errorf("%s/%s is not what was activated", folder, excerptFile)
	}
	b, err := bundle.ReadExcerpt(data)
	if err != nil {
		return nil, err
	}
	if err := g.isOf(b.Meta()); err != nil {
		return nil, err
	}
	path := filepath.Join(s.dir, filepath.FromSlash(folder), indexFile)
	active.index, err = index.Open(path, g.Index.Grants, index.Options{Guarded: s.options.Guarded})
	return b, err
}

// isOf holds what a bundle says of itself to what was activated.
func (g *Generation) isOf(m bundle.Meta) error {
	if m.Name != g.Name || m.Epoch != g.Epoch || !m.NotBefore.Equal(g.NotBefore) || !m.Expires.Equal(g.Expires) {
		return fmt.Errorf("%s: the bundle is %s/%d, or of other times than what was activated as %s/%d", g.folder(), m.Name, m.Epoch, g.Name, g.Epoch)
	}
	return nil
}

// guardFolders holds the folders of a generation to the rule of who may write
// them.
func (s *Store) guardFolders(folder string) error {
	if !s.options.Guarded {
		return nil
	}
	for _, name := range []string{generations, folder} {
		if err := s.guard(name); err != nil {
			return err
		}
	}
	return nil
}

// generation reads the bundle of a generation.
func (s *Store) generation(g *Generation) (*bundle.Bundle, error) {
	data, _, err := s.files(g)
	if err != nil {
		return nil, err
	}
	b, err := bundle.ReadUnverified(data)
	if err != nil {
		return nil, err
	}
	if b.Digest() != g.SHA256 {
		return nil, fmt.Errorf("%s is not what was activated: its sha-256 is another", g.folder())
	}
	return b, g.isOf(b.Meta())
}

// files reads the files of a generation; the detached signatures may be nil.
func (s *Store) files(g *Generation) (data, detached []byte, err error) {
	folder := generations + "/" + g.folder()
	if err := s.guardFolders(folder); err != nil {
		return nil, nil, err
	}
	if data, err = s.read(folder+"/"+bundleFile, bundle.MaxSize); err != nil {
		return nil, nil, err
	}
	if _, missing := s.root.Lstat(folder + "/" + detachedFile); missing == nil {
		detached, err = s.read(folder+"/"+detachedFile, bundle.MaxEnvelope)
	}
	return data, detached, err
}

// intact says what is wrong with the files of a generation, or that its index is
// of another version of writ; nil for nothing.
func (s *Store) intact(g *Generation) error {
	b, err := s.generation(g)
	if err != nil {
		return err
	}
	if g.Index == nil && len(b.Source().Grants) < indexFrom {
		return nil
	}
	if !g.Index.current() {
		return errors.New("the index is of another version")
	}
	active := &Active{Generation: *g}
	_, err = s.indexed(active)
	return errors.Join(err, active.Close())
}
