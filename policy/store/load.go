package store

import (
	"fmt"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/bundle"
)

// Active is the policy that a gate decides by.
type Active struct {
	Engine *policy.Engine
	// Approvals are the signed statements that came with the policy.
	Approvals []policy.File
	Generation
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
	b, err := s.generation(state.Active)
	if err != nil {
		return nil, s.fail(err)
	}
	src := b.Source()
	src.Release.HighEpoch = max(state.HighWater.Epoch, state.Active.Epoch)
	engine, err := policy.New(src)
	if err != nil {
		return nil, s.fail(err)
	}
	return &Active{Engine: engine, Approvals: b.Approvals(), Generation: *state.Active}, nil
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
	m := b.Meta()
	switch {
	case b.Digest() != g.SHA256:
		return nil, fmt.Errorf("%s is not what was activated: its sha-256 is another", g.folder())
	case m.Name != g.Name || m.Epoch != g.Epoch:
		return nil, fmt.Errorf("%s: the bundle is %s/%d, and %s/%d was activated", g.folder(), m.Name, m.Epoch, g.Name, g.Epoch)
	}
	return b, nil
}

// files reads the files of a generation; the detached signatures may be nil.
func (s *Store) files(g *Generation) (data, detached []byte, err error) {
	folder := generations + "/" + g.folder()
	if s.options.Guarded {
		for _, name := range []string{generations, folder} {
			if err := s.guard(name); err != nil {
				return nil, nil, err
			}
		}
	}
	if data, err = s.read(folder+"/"+bundleFile, bundle.MaxSize); err != nil {
		return nil, nil, err
	}
	if _, missing := s.root.Lstat(folder + "/" + detachedFile); missing == nil {
		detached, err = s.read(folder+"/"+detachedFile, bundle.MaxEnvelope)
	}
	return data, detached, err
}

// intact says what is wrong with the files of a generation, nil for nothing.
func (s *Store) intact(g *Generation) error {
	_, err := s.generation(g)
	return err
}
