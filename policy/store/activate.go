package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/bundle"
	"github.com/runwrit/writ/policy/index"
	"github.com/runwrit/writ/policy/policytest"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// Activation is what came of an activation.
type Activation struct {
	Generation
	// Already says that this very bundle was active: nothing was changed.
	Already bool
	// Notes are what the operator should know of the bundle.
	Notes []string
}

// Activate verifies a bundle, with its detached signatures, nil for none; tries
// its policy and its tests; and makes it the active one. Until the last step the
// one before stays active, and it is kept. It fails with *bundle.RefusedError for
// what is wrong with the bundle, with *Error for what is wrong with the store.
func (s *Store) Activate(ctx context.Context, data, detached []byte) (*Activation, error) {
	trust, err := s.Trust()
	if err != nil {
		return nil, err
	}
	b, err := bundle.Verify(data, detached, trust)
	if err != nil {
		return nil, err
	}
	now := s.options.Now().UTC()
	if err := s.check(b.Meta(), now); err != nil {
		return nil, err
	}
	a := &Activation{Generation: generationOf(b, now)}
	if a.Notes, err = try(ctx, b); err != nil {
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
	if err := s.switchTo(a, b, data, detached); err != nil {
		return nil, err
	}
	return a, nil
}

func generationOf(b *bundle.Bundle, now time.Time) Generation {
	m := b.Meta()
	return Generation{
		Name: m.Name, Epoch: m.Epoch, SHA256: b.Digest(), NotBefore: m.NotBefore.UTC(), Expires: m.Expires.UTC(),
		Signers: b.Signers(), Activated: now,
	}
}

// check holds what a bundle says of itself to the settings, the clock and this
// program.
func (s *Store) check(m bundle.Meta, now time.Time) error {
	if m.Name != s.settings.name {
		return refuse(CodeName, "it is the policy %q, and this store is for %q", m.Name, s.settings.name)
	}
	return Usable(m, now, s.options.Tool)
}

// Usable says why a bundle that says this of itself cannot be used now, by the
// program of this version; nil if it can. It fails with *bundle.RefusedError.
func Usable(m bundle.Meta, now time.Time, tool string) error {
	switch {
	case !now.Before(m.Expires):
		return refuse(CodeExpired, "it expired at %s", m.Expires.UTC().Format(time.RFC3339))
	case now.Before(m.NotBefore):
		return refuse(CodeNotYet, "it holds from %s on", m.NotBefore.UTC().Format(time.RFC3339))
	case !atLeast(tool, m.MinTool):
		return refuse(CodeTool, "it wants writ %s or later, and this is %q", m.MinTool, tool)
	}
	return nil
}

// atLeast compares the version of a program with the oldest that will do. One
// that is not known is older, and so is what comes before a release.
func atLeast(tool, least string) bool {
	if least == "" {
		return true
	}
	number, before, _ := strings.Cut(strings.TrimPrefix(tool, "v"), "-")
	number, _, _ = strings.Cut(number, "+")
	have, err := verifier.ParseVersion(number)
	want, err2 := verifier.ParseVersion(least)
	if err != nil || err2 != nil {
		return false
	}
	order := slices.Compare(have[:], want[:])
	return order > 0 || order == 0 && before == ""
}

func refuse(code bundle.Code, format string, args ...any) error {
	return &bundle.RefusedError{Code: code, Msg: fmt.Sprintf(format, args...)}
}

// try compiles the policy of a bundle and runs its tests.
func try(ctx context.Context, b *bundle.Bundle) (notes []string, err error) {
	src := b.Source()
	if _, err := policy.New(src); err != nil {
		return nil, refuse(CodePolicy, "%v", err)
	}
	if len(src.Tests) == 0 {
		notes = append(notes, "the bundle has no tests of its own")
	} else if err := runTests(ctx, src); err != nil {
		return nil, err
	}
	if !b.OwnLibrary() {
		notes = append(notes, "the bundle was built by another version of writ: this one decides by its own library")
	}
	return notes, nil
}

func runTests(ctx context.Context, src policy.Source) error {
	report, err := policytest.Run(ctx, src, policytest.Options{})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return refuse(CodeTests, "its tests cannot be run: %v", err)
	case report.Failed() > 0:
		return refuse(CodeTests, "%d of its own tests fail, such as %s", report.Failed(), firstFailed(report))
	}
	return nil
}

func firstFailed(r *policytest.Report) string {
	for _, c := range r.Cases {
		if !c.Passed {
			return fmt.Sprintf("%q", c.Name)
		}
	}
	for _, c := range r.Rego {
		if !c.Passed {
			return c.Name
		}
	}
	return ""
}

// switchTo makes a generation the active one, under the lock.
func (s *Store) switchTo(a *Activation, b *bundle.Bundle, data, detached []byte) error {
	state, err := s.State()
	if err != nil {
		return err
	}
	mark := Mark{a.Epoch, a.SHA256}
	switch high := state.HighWater; {
	case slices.Contains(state.Withdrawn, mark):
		return refuse(CodeWithdrawn, "epoch %d was rolled back here: give what mends it a higher epoch", a.Epoch)
	case a.Epoch < high.Epoch:
		return refuse(CodeRolledBack, "it has the epoch %d, and %d was active already", a.Epoch, high.Epoch)
	case a.Epoch == high.Epoch && a.SHA256 != high.SHA256:
		return refuse(CodeRolledBack, "epoch %d was another bundle", a.Epoch)
	case state.Active != nil && state.Active.SHA256 == a.SHA256 && s.intact(state.Active) == nil:
		a.Already, a.Generation = true, *state.Active
		return nil
	}
	if err := s.keep(&a.Generation, b, data, detached); err != nil {
		return s.fail(err)
	}
	if state.Active != nil && state.Active.SHA256 != a.SHA256 {
		state.Previous = state.Active
	}
	state.Active, state.HighWater = &a.Generation, mark
	state.remember(Change{At: a.Activated, Action: "activate", Epoch: a.Epoch, SHA256: a.SHA256})
	if err := s.writeJSON(stateFile, state); err != nil {
		return s.fail(err)
	}
	s.step("prune")
	if err := s.prune(&state); err != nil {
		a.Notes = append(a.Notes, fmt.Sprintf("what is no longer needed could not be removed: %v", err))
	}
	return nil
}

func (s *State) remember(c Change) {
	s.History = append(s.History, c)
	s.History = s.History[max(0, len(s.History)-maxHistory):]
}

// keep writes the files of a generation. They have their final names only when
// they are whole and on disk.
func (s *Store) keep(g *Generation, b *bundle.Bundle, data, detached []byte) error {
	temp := generations + "/.new"
	if err := s.root.RemoveAll(temp); err != nil { // left by a crash
		return err
	}
	if err := s.fill(temp, g, b, data, detached); err != nil {
		return errors.Join(err, s.root.RemoveAll(temp)) // a full disk is not to stay so
	}
	folder := generations + "/" + g.folder()
	if err := s.root.RemoveAll(folder); err != nil { // left by a crash, or damaged
		return err
	}
	s.step("rename " + temp)
	if err := s.root.Rename(temp, folder); err != nil {
		return err
	}
	s.step("sync " + generations)
	return s.syncFolder(generations)
}

// fill makes a folder with the files of a generation.
func (s *Store) fill(temp string, g *Generation, b *bundle.Bundle, data, detached []byte) error {
	s.step("make " + temp)
	if err := s.root.Mkdir(temp, 0o700); err != nil {
		return err
	}
	s.step("write the bundle")
	if err := s.write(temp+"/"+bundleFile, data); err != nil {
		return err
	}
	if detached != nil {
		if err := s.write(temp+"/"+detachedFile, detached); err != nil {
			return err
		}
	}
	if err := s.makeIndex(g, b, temp); err != nil {
		return err
	}
	s.step("sync " + temp)
	return s.syncFolder(temp)
}

// makeIndex writes what a gate reads in the place of a large bundle.
func (s *Store) makeIndex(g *Generation, b *bundle.Bundle, folder string) error {
	grants := b.Source().Grants
	if len(grants) < indexFrom {
		return nil
	}
	s.step("write the index")
	ref, err := index.Build(filepath.Join(s.dir, filepath.FromSlash(folder), indexFile), grants)
	if err != nil {
		return err
	}
	excerpt, err := b.Excerpt()
	if err != nil {
		return err
	}
	s.step("write the excerpt")
	if err := s.write(folder+"/"+excerptFile, excerpt); err != nil {
		return err
	}
	g.Index = &Index{Rows: rowsVersion(), Grants: ref, Excerpt: runbook.DigestOf(excerpt)}
	return nil
}

// prune removes all generations but the active one and the one before.
func (s *Store) prune(state *State) error {
	keep := map[string]bool{}
	for _, g := range []*Generation{state.Active, state.Previous} {
		if g != nil {
			keep[g.folder()] = true
		}
	}
	entries, err := fs.ReadDir(s.root.FS(), generations)
	if err != nil {
		return err
	}
	var failed []error
	for _, e := range entries {
		if !keep[e.Name()] {
			failed = append(failed, s.root.RemoveAll(generations+"/"+e.Name()))
		}
	}
	return errors.Join(failed...)
}
