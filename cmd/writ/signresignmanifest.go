package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/manifest"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/internal/resign"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// manifestResigner signs the manifests of projects anew.
type manifestResigner struct {
	rules     resign.Rules
	inspector audit.Inspector
	key       *signer.Key        // nil where nothing is to be written, and where no manifest can be
	self      *verifier.Verifier // trusts the key alone
}

// listing is a manifest that may be made anew: its signature proves it, and the folder
// is as it says.
type listing struct {
	*project
	rb     *runbook.Runbook
	list   *manifest.List // with the files that an earlier run has replaced as they are
	claims claimOptions
	byNew  bool
	moved  bool // the list is not that of rb
	// left are files of an interrupted run, to be removed when all is done.
	left []string
}

// judge decides on a manifest. It returns nil with what becomes of it where it cannot
// be made anew.
func (m *manifestResigner) judge(ctx context.Context, p *project) (*listing, render.SignResult) {
	rb, err := runbook.ReadFile(p.path, false)
	if err != nil {
		return nil, render.SignResult{Path: p.path, Err: err, Detail: err.Error()}
	}
	report, err := m.inspector.Inspect(ctx, rb)
	if err != nil {
		return nil, render.SignResult{Path: p.path, Err: err, Detail: err.Error()}
	}
	l := &listing{project: p, rb: rb}
	plan := m.rules.Judge(report)
	by := plan.Signature
	switch plan.Action {
	case resign.Sign:
	case resign.Unchanged:
		l.byNew = true
		if _, err := m.self.Verify(ctx, rb); err != nil {
			return nil, leftAlone(p.path, "the new key has signed it, and it is not valid: "+err.Error(), "see writ manifest verify")
		}
	case resign.Leave:
		return nil, render.SignResult{Path: p.path, State: render.SignLeft, Detail: plan.Why, Fix: plan.Fix}
	default:
		return nil, leftAlone(p.path, plan.Why, plan.Fix)
	}
	if by.Claims != nil {
		l.claims = claimOptions{version: by.Claims.Version, namespace: by.Claims.Namespace}
	}
	text, err := format.NewClearsign().Content(rb)
	if err == nil {
		l.list, err = manifest.Parse(text)
	}
	if err != nil {
		return nil, leftAlone(p.path, "the list is not well made: "+err.Error(), "list the project anew: writ manifest sign")
	}
	if why, err := m.compare(ctx, l); err != nil {
		return nil, render.SignResult{Path: p.path, Err: err, Detail: err.Error()}
	} else if why != "" {
		return nil, leftAlone(p.path, "the folder is not as it says: "+why, "see writ manifest verify; put the files back, or review them and list the project anew: writ manifest sign")
	}
	return l, render.SignResult{}
}

// compare says how the folder differs from the list, but for what an earlier run has
// done, which a plan by the new key for this very manifest proves.
func (m *manifestResigner) compare(ctx context.Context, l *listing) (why string, err error) {
	drift, err := l.drift(ctx)
	if err != nil || len(drift) == 0 {
		return "", err
	}
	plan, mine := m.readPlan(ctx, l)
	if plan != nil {
		changes := map[string]runbook.Digest{}
		for _, d := range drift {
			if now, planned := plan.Lookup(d.Path); planned && d.State == manifest.Changed {
				changes[d.Path] = now.Digest
			}
		}
		if l.list, err = relisted(l.list, changes); err != nil {
			return "", err
		}
		l.moved = len(changes) > 0
		if drift, err = l.drift(ctx); err != nil {
			return "", err
		}
	}
	drift = slices.DeleteFunc(drift, func(d manifest.Drift) bool {
		if d.State != manifest.Added || !(mine && d.Path == planName || temporary.MatchString(d.Path)) {
			return false
		}
		l.left = append(l.left, d.Path)
		return true
	})
	if len(drift) == 0 {
		return "", nil
	}
	return fmt.Sprintf("%d files differ, the first is %q (%s)", len(drift), drift[0].Path, drift[0].State), nil
}

func (l *listing) drift(ctx context.Context) ([]manifest.Drift, error) {
	tree, err := manifest.Open(l.root)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tree.Close() }() // opened for reading only
	return manifest.Compare(ctx, l.list, tree)
}

// relisted is the list with other digests of some of its files.
func relisted(list *manifest.List, changes map[string]runbook.Digest) (*manifest.List, error) {
	entries := list.Entries()
	for i, e := range entries {
		if digest, changed := changes[e.Path]; changed {
			entries[i].Digest = digest
		}
	}
	return manifest.New(entries)
}

// make makes the manifest with this list in memory.
func (m *manifestResigner) make(ctx context.Context, l *listing, list *manifest.List) (*form, error) {
	rb, err := runbook.Parse(runbook.ManifestName, list.Render())
	if err != nil {
		return nil, err
	}
	f := &form{source: rb, path: l.path, content: rb.Digest(), document: true, options: signer.Options{
		Format: l.claims.equip(format.NewClearsign()), Key: m.key, Verify: verifyBy(m.self, l.claims), Replace: m.rules.Replace, Only: l.rb.Digest(),
	}}
	_, err = f.make(ctx)
	return f, err
}
