package main

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

// doProject decides on the files that a manifest lists, and on the manifest. None of
// the files is changed unless the manifest can be made anew: it would not hold.
func (s *resigner) doProject(ctx context.Context, p *project) []render.SignResult {
	results := make([]render.SignResult, len(p.files), len(p.files)+1)
	jobs := map[int]*job{}
	for i, path := range p.files {
		var j *job
		if results[i], j = s.decide(ctx, path); j != nil {
			jobs[i] = j
		}
	}
	l, last := s.manifests.judge(ctx, p)
	if l != nil && p.outer && (len(jobs) > 0 || !l.byNew || l.moved) {
		l, last = nil, leftAlone(p.path, "another manifest lists it or one of its files, and would not hold any more", "sign the inner project first, and list the outer one anew with writ manifest sign")
	}
	for i, j := range jobs {
		switch {
		case l == nil:
			results[i] = leftAlone(j.path, fmt.Sprintf("%s lists it, and would not hold any more: it is not signed anew, since %s", p.path, last.Detail), s.fixListed())
		case len(j.forms) > 1 || j.finishes:
			results[i] = leftAlone(j.path, "it is signed inside and has a bundle, and both are listed in "+p.path, "take the bundle away, which does not count in a project, and list the project anew with writ manifest sign")
		default:
			continue
		}
		delete(jobs, i)
	}
	switch {
	case l == nil:
	case len(jobs) == 0 && l.byNew && !l.moved:
		last = render.SignResult{Path: p.path, Form: p.path, State: render.SignUnchanged, Signer: s.manifests.key.ID()}
		if !s.o.check {
			last.Err = l.tidy()
		}
	case s.o.check:
		for i, j := range jobs {
			results[i] = s.act(ctx, j)
		}
		last = render.SignResult{Path: p.path, Form: p.path, State: render.SignToSign}
		if len(jobs) == 0 {
			last.Content = runbook.DigestOf(l.list.Render()).String()
		}
	default:
		last = s.relist(ctx, l, jobs, results)
	}
	return append(results, last)
}

// fixListed says what to do about a file that cannot be signed anew for the sake of a
// manifest.
func (s *resigner) fixListed() string {
	const fix = "have the manifest taken away by whoever signed it, who lists the folder anew afterwards (writ manifest sign)"
	if s.manifests.key == nil && s.key != nil {
		return "name the key that signed the manifest with --manifest-key; or " + fix
	}
	return fix
}

// relist signs the files anew, and the manifest. All signatures are made and verified,
// and what the files will be is written down and signed, before the first one is
// replaced: whoever goes on after an interruption can tell what was done here from what
// somebody else has done.
func (s *resigner) relist(ctx context.Context, l *listing, jobs map[int]*job, results []render.SignResult) render.SignResult {
	order := slices.Sorted(maps.Keys(jobs))
	for _, i := range order {
		results[i] = render.SignResult{Path: jobs[i].path, State: render.SignNotReached}
	}
	failed := func(err error) render.SignResult {
		l.leaveRest(ctx, jobs, results)
		return render.SignResult{Path: l.path, Err: err}
	}
	changes := map[string]runbook.Digest{}
	for _, i := range order {
		name, digest, err := s.make(ctx, l, jobs[i])
		if err != nil {
			results[i] = render.SignResult{Path: jobs[i].path, Err: err}
			return failed(fmt.Errorf("%q and what it lists are left as they are: %w", l.path, err))
		}
		changes[name] = digest
	}
	list, err := relisted(l.list, changes)
	if err != nil {
		return failed(err)
	}
	made, err := s.manifests.make(ctx, l, list)
	if err != nil {
		return failed(err)
	}
	if len(jobs) > 0 {
		if err := s.manifests.writePlan(ctx, l, list); err != nil {
			return failed(err)
		}
		l.left = append(l.left, planName)
	}
	for n, i := range order {
		if results[i] = s.act(ctx, jobs[i]); results[i].Err != nil {
			if n == 0 && !l.moved {
				_ = l.tidy() // nothing has changed
			}
			return failed(fmt.Errorf("%q is not signed anew, since %q is not: sign again with the same command: %w", l.path, jobs[i].path, results[i].Err))
		}
	}
	result := made.put(ctx)
	if result.Err == nil {
		result.Err = l.tidy()
	}
	return result
}

// leaveRest says of the files that were not reached that something of the project
// could not be signed anew; an interruption says so itself.
func (l *listing) leaveRest(ctx context.Context, jobs map[int]*job, results []render.SignResult) {
	if ctx.Err() != nil {
		return
	}
	for i, j := range jobs {
		if results[i].State == render.SignNotReached {
			results[i] = leftAlone(j.path, fmt.Sprintf("%s, which lists it, or another file that it lists could not be signed anew", l.path), "mend that, and use the same command again")
		}
	}
}

// make makes the signature of a file in memory, and says what it will be in the list.
// The file must be the one that is listed: the folder was compared after the file was
// judged.
func (s *resigner) make(ctx context.Context, l *listing, j *job) (name string, _ runbook.Digest, err error) {
	f := &j.forms[0]
	dir, err := realFolder(filepath.Dir(f.path))
	if err != nil {
		return "", runbook.Digest{}, err
	}
	if name, err = filepath.Rel(l.root, filepath.Join(dir, filepath.Base(f.path))); err != nil {
		return "", runbook.Digest{}, err
	}
	name = filepath.ToSlash(name)
	switch entry, listed := l.list.Lookup(name); {
	case !listed:
		return "", runbook.Digest{}, fmt.Errorf("%q is not listed in %q", f.path, l.path)
	case entry.Digest != f.options.Only:
		return "", runbook.Digest{}, &signer.ChangedError{Path: f.path}
	}
	digest, err := f.make(ctx)
	return name, digest, err
}

// make makes the signed form in memory, as far as it can tell one that can be put in
// place, and has it verified; whoever puts it there does that again.
func (f *form) make(ctx context.Context) (runbook.Digest, error) {
	if err := signer.Replaceable(f.path); err != nil {
		return runbook.Digest{}, err
	}
	data, err := f.options.Format.Sign(ctx, f.source, f.options.Key)
	if err != nil {
		return runbook.Digest{}, err
	}
	if err := f.verify(ctx, data); err != nil {
		return runbook.Digest{}, &signer.SelfCheckError{Path: f.path, Err: err}
	}
	f.options.Format = already(f.options.Format, data)
	return runbook.DigestOf(data), nil
}

func (f form) verify(ctx context.Context, data []byte) error {
	name := filepath.Base(f.path)
	rb, err := runbook.Parse(name, data)
	if _, beside := f.options.Format.(signer.Beside); beside {
		rb, err = runbook.ParseWithSidecars(f.source.Name(), f.source.Bytes(), runbook.Sidecar{Name: name, Data: data})
	}
	if err != nil {
		return err
	}
	_, err = f.options.Verify(ctx, rb)
	return err
}
