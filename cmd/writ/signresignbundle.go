package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"

	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

// stagedExt is that of the new bundle of a file whose signature is replaced too. Two
// files cannot be replaced in one step: where the run ends between them, the bundle
// lies here and proves, by the new key, which bytes the file was to have.
const stagedExt = ".next"

func stagedPath(path string) string { return path + runbook.BundleExt + stagedExt }

// stagedBundle is the format of Sigstore bundles, each of which is put beside its
// place as soon as it is made, before any file is replaced.
type stagedBundle struct {
	signer.Beside
	path string
}

// Sign makes the bundle and keeps a copy.
func (f stagedBundle) Sign(ctx context.Context, rb *runbook.Runbook, key *signer.Key) ([]byte, error) {
	data, err := f.Beside.Sign(ctx, rb, key)
	if err != nil {
		return nil, err
	}
	return data, writeAtomic(f.path, data)
}

// bundle is the bundle to be made in the place of the one that was judged: of the
// very file that was, or of what becomes of it.
func (s *resigner) bundle(f signer.Format, path string, rb *runbook.Runbook, changes bool) form {
	o := signer.Options{Format: f, Key: s.key, Verify: s.verifyBundle, Source: rb.Digest()}
	if beside, ok := f.(signer.Beside); ok && changes {
		o.Format, o.Source = stagedBundle{beside, stagedPath(path)}, runbook.Digest{}
	}
	for _, sidecar := range rb.Sidecars() {
		if sidecar.IsBundle() {
			o.Only = runbook.DigestOf(sidecar.Data)
		}
	}
	return form{source: rb, path: path + runbook.BundleExt, content: rb.Digest(), options: o}
}

// staged is the bundle that an earlier run has left beside its place; is says whether
// the new key has made it, of the bytes that the file has now.
func (s *resigner) staged(ctx context.Context, path string, rb *runbook.Runbook) (data []byte, is bool) {
	next, err := runbook.ReadFile(stagedPath(path), false)
	if err != nil || next.Size() > runbook.MaxSidecar {
		return nil, false
	}
	data = next.Bytes()
	with, err := runbook.ParseWithSidecars(rb.Name(), rb.Bytes(), runbook.Sidecar{Name: rb.Name() + runbook.BundleExt, Data: data})
	if err != nil {
		return nil, false
	}
	found, err := s.verifyBundle(ctx, with)
	return data, err == nil && slices.Contains(found.Formats, formatSigstore) && slices.ContainsFunc(found.Signers, func(id string) bool {
		return slices.Contains(s.key.IDs(), id)
	})
}

// unfinished is the job to put a bundle in place that an earlier run has made and
// could not put there; nil where there is none.
func (s *resigner) unfinished(ctx context.Context, path string, rb *runbook.Runbook) *job {
	f, ok := s.o.formatNamed(formatSigstore).(signer.Beside)
	data, is := s.staged(ctx, path, rb)
	if !ok || !is {
		return nil
	}
	return &job{path: path, was: rb, finishes: true, forms: []form{s.bundle(already(f, data), path, rb, false)}}
}

// sweep removes what an earlier run has left that was ended after its last step. It is
// not for files of a project, where the manifest may list that too.
func (s *resigner) sweep(ctx context.Context, path string) {
	rb, err := runbook.ReadFile(path, false)
	if err != nil {
		return
	}
	if _, is := s.staged(ctx, path, rb); is {
		_ = discardStaged(path) // it does no harm
	}
}

// unstaged removes the copy of a bundle that is in its place, or of one that nobody
// needs since the file is as it was. Where only the file was replaced it stays, for
// the same command to go on with.
func unstaged(path string, was *runbook.Runbook, result render.SignResult) render.SignResult {
	if result.Err != nil {
		if now, err := runbook.ReadFile(path, false); err != nil || now.Digest() != was.Digest() {
			return result
		}
	}
	if err := discardStaged(path); result.Err == nil {
		result.Err = err
	}
	return result
}

func discardStaged(path string) error {
	if err := os.Remove(stagedPath(path)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
