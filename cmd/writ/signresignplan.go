package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/manifest"
	"github.com/runwrit/writ/runbook"
)

// planName is the file in a project, signed as a manifest, that says what its files
// will be. It lists itself with the digest of the manifest that it is for, so that it
// proves nothing about any other, and is the manifest of no folder.
const planName = manifest.Name + stagedExt

func (l *listing) planPath() string { return filepath.Join(l.root, planName) }

func (m *manifestResigner) writePlan(ctx context.Context, l *listing, list *manifest.List) error {
	plan, err := manifest.New(append(list.Entries(), manifest.Entry{Path: planName, Digest: l.rb.Digest()}))
	if err != nil {
		return err
	}
	rb, err := runbook.Parse(runbook.ManifestName, plan.Render())
	if err != nil {
		return err
	}
	signed, err := format.NewClearsign().Sign(ctx, rb, m.key)
	if err != nil {
		return err
	}
	return writeAtomic(l.planPath(), signed)
}

// readPlan returns what an earlier run was about to do to this very manifest, nil if
// nothing proves that; mine says that the file there is such a plan, if only for a
// manifest that was replaced since.
func (m *manifestResigner) readPlan(ctx context.Context, l *listing) (plan *manifest.List, mine bool) {
	if m.self == nil {
		return nil, false
	}
	next, err := runbook.ReadFile(l.planPath(), false)
	if err != nil {
		return nil, false
	}
	rb, err := runbook.Parse(manifest.Name, next.Bytes())
	if err != nil {
		return nil, false
	}
	verified, err := m.self.Verify(ctx, rb)
	if err != nil {
		return nil, false
	}
	list, err := manifest.Parse(verified.Payload())
	if err != nil {
		return nil, false
	}
	self, mine := list.Lookup(planName)
	if mine && self.Digest == l.rb.Digest() {
		return list, true
	}
	return nil, mine
}

// temporary are the names of files that writ writes to before it gives them theirs.
var temporary = regexp.MustCompile(`^(.*/)?\.writ-[0-9]+\.tmp$`)

// tidy removes what this run, or one that was interrupted, has left in the folder: it
// would not be as the manifest says.
func (l *listing) tidy() error {
	if len(l.left) == 0 {
		return nil
	}
	root, err := os.OpenRoot(l.root)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // nothing was written through it
	for _, name := range l.left {
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
