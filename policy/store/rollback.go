package store

import (
	"context"
	"errors"
	"strings"
	"unicode"

	"github.com/runwrit/writ/policy/bundle"
)

// maxReason is the length of a reason in bytes.
const maxReason = 500

// ErrReason says that a rollback has no reason that can be kept.
var ErrReason = errors.New("a rollback needs a reason, one line of at most 500 bytes")

// Rollback makes the previous generation the active one, lowers the high-water
// mark to it, and keeps the reason. The bundle that was active is withdrawn: it
// cannot be activated again. The previous one is verified once more, by the keys
// and the clock of now. It fails as Activate
// does, or with ErrReason.
func (s *Store) Rollback(ctx context.Context, reason string) (*Activation, error) {
	if strings.TrimSpace(reason) == "" || len(reason) > maxReason || strings.ContainsFunc(reason, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return nil, ErrReason
	}
	trust, err := s.Trust()
	if err != nil {
		return nil, err
	}
	if err := s.makeFolders(); err != nil {
		return nil, s.fail(err)
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return nil, s.fail(err)
	}
	defer unlock()
	state, err := s.State()
	switch {
	case err != nil:
		return nil, err
	case state.Previous == nil:
		return nil, s.fail(errors.New("there is no generation before the active one"))
	}
	data, detached, err := s.files(state.Previous)
	if err != nil {
		return nil, s.fail(err)
	}
	b, err := bundle.Verify(data, detached, trust)
	if err != nil {
		return nil, err
	}
	if b.Digest() != state.Previous.SHA256 {
		return nil, s.fail(errors.New("the generation before is not what was activated"))
	}
	now := s.options.Now().UTC()
	if err := s.check(b.Meta(), now); err != nil {
		return nil, err
	}
	a := &Activation{Generation: generationOf(b, now)}
	if a.Notes, err = try(ctx, b); err != nil {
		return nil, err
	}
	if s.intact(state.Previous) == nil {
		a.Index = state.Previous.Index
	} else if err := s.keep(&a.Generation, b, data, detached); err != nil {
		return nil, s.fail(err)
	}
	state.Withdrawn = append(state.Withdrawn, Mark{state.Active.Epoch, state.Active.SHA256})
	state.Withdrawn = state.Withdrawn[max(0, len(state.Withdrawn)-maxHistory):]
	state.Active, state.Previous, state.HighWater = &a.Generation, nil, Mark{a.Epoch, a.SHA256}
	state.remember(Change{At: now, Action: "rollback", Epoch: a.Epoch, SHA256: a.SHA256, Reason: reason})
	if err := s.writeJSON(stateFile, state); err != nil {
		return nil, s.fail(err)
	}
	return a, nil
}
