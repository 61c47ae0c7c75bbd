package signer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/runwrit/writ/runbook"
)

// SignInFormats signs the runbook at path in several formats: first into the file,
// where one of them does that, then what the file is by then into files beside it.
// The outcomes are in the order of the options.
//
// It is as careful as SignFile, and fails with the same errors. Nothing is written
// before all signatures have been made and verified; where a later one cannot be
// written, the error says which stand already. Texts are not normalised. The same
// call goes on from there.
func SignInFormats(ctx context.Context, path string, all ...Options) (_ []Outcome, err error) {
	defer inFolder(path, &err)
	inside, err := checkFormats(filepath.Base(path), all)
	if err != nil {
		return nil, err
	}
	works := make([]*work, len(all))
	var first *work // what goes into the file
	if inside >= 0 {
		src, err := readSource(path, all[inside].Format)
		if err != nil {
			return nil, err
		}
		if first, err = src.prepare(ctx, all[inside]); err != nil {
			return nil, err
		}
		if err := first.besideFits(all); err != nil {
			return nil, err
		}
		if err := first.sign(ctx); err != nil {
			return nil, err
		}
		works[inside] = first
	}
	var order []*work
	for i, o := range all {
		if i == inside {
			order = append([]*work{first}, order...)
			continue
		}
		src, err := first.readAfter(path, o.Format)
		if err != nil {
			return nil, err
		}
		if works[i], err = src.prepare(ctx, o); err != nil {
			return nil, err
		}
		if err := works[i].sign(ctx); err != nil {
			return nil, err
		}
		order = append(order, works[i])
	}
	if err := putAll(ctx, order); err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, len(all))
	for i, w := range works {
		outcomes[i] = w.outcome
	}
	return outcomes, nil
}

// checkFormats returns which of the formats goes into the file, -1 for none.
func checkFormats(name string, all []Options) (inside int, err error) {
	inside = -1
	targets := map[string]bool{}
	for i := range all {
		if err := all[i].complete(); err != nil {
			return 0, err
		}
		target := all[i].Format.OutputName(name)
		switch {
		case targets[target]:
			return 0, errors.New("sign: two formats for one file")
		case all[i].Confirm != nil:
			return 0, errors.New("sign: a text is not normalised for several formats at once")
		case target == name:
			inside = i
		}
		targets[target] = true
	}
	if len(all) == 0 {
		return 0, errors.New("sign: a format is needed")
	}
	return inside, nil
}

// readAfter reads the file as it will be once the first signature is in it; w is
// nil where there is none, and else knows the file.
func (w *work) readAfter(path string, format Format) (*source, error) {
	if w == nil {
		return readSource(path, format)
	}
	f := w.src.file
	if w.signed != nil {
		rb, err := runbook.Parse(f.rb.Name(), w.signed)
		if err != nil {
			return nil, err
		}
		f.rb = rb
	}
	return newSource(f, format)
}

// putAll writes what has been signed, the file itself first: a bundle that is not
// there yet is better than one that does not fit.
func putAll(ctx context.Context, order []*work) error {
	written := ""
	for _, w := range order {
		err := w.src.refresh(written != "")
		if err == nil {
			err = w.put(ctx)
		}
		switch {
		case err != nil && written != "":
			return fmt.Errorf("%q is signed, and the signature in format %s is not there: sign again with the same command: %w", written, w.Format.Name(), err)
		case err != nil:
			return err
		case !w.outcome.Unchanged:
			written = w.outcome.Path
		}
	}
	return nil
}

// refresh takes note that the file has been replaced by what was signed here,
// which is what this signature covers.
func (s *source) refresh(replaced bool) error {
	if !replaced || s.stripper != nil {
		return nil
	}
	now, err := readFile(s.path)
	if err != nil {
		return err
	}
	if now.rb.Digest() != s.rb.Digest() {
		return &ChangedError{s.path}
	}
	s.file = now
	return nil
}

// besideFits refuses to change a file that has a bundle, which covers all of its
// bytes and would not fit any more, unless that is made anew by one of the others.
func (w *work) besideFits(others []Options) error {
	if w.src.stripper == nil || w.outcome.Unchanged {
		return nil
	}
	name := w.src.rb.Name()
	for _, o := range others {
		if o.Format.OutputName(name) == name+runbook.BundleExt {
			return nil
		}
	}
	return w.src.hasNoBundle("sign in both formats at once (--format " + w.Format.Name() + ",sigstore), or take the bundle away first")
}

// fixBundle is for what changes a file and makes no bundle.
const fixBundle = "take the bundle away first, and sign the file in format sigstore again afterwards"

// hasNoBundle refuses to change a file with a bundle, with what to do.
func (s *source) hasNoBundle(fix string) error {
	bundle := s.path + runbook.BundleExt
	switch _, err := os.Lstat(bundle); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return &InputError{
		Name: s.rb.Name(), Msg: filepath.Base(bundle) + " lies beside it and covers its bytes as they are: it would not fit any more",
		Fix: fix,
	}
}
