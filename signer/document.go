package signer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/runwrit/writ/runbook"
)

// SignDocument signs a text that lies in no file, and puts the signed form at
// path. The base name of path must be what the format makes of the name of rb.
//
// It is as careful as SignFile: what was signed is verified before it replaces
// anything, and replacement is atomic. A new file has the mode 0644. It fails with
// the same errors.
func SignDocument(ctx context.Context, path string, rb *runbook.Runbook, o Options) (Outcome, error) {
	if o.Format == nil || o.Key == nil || o.Verify == nil || rb == nil {
		return Outcome{}, errors.New("sign: a text, a format, a key and a verifier are needed")
	}
	if name := o.Format.OutputName(rb.Name()); name != filepath.Base(path) || name == rb.Name() {
		return Outcome{}, fmt.Errorf("sign: the format %s puts %q into %q, not into %q", o.Format.Name(), rb.Name(), name, path)
	}
	src := &source{file: file{rb: rb}, content: rb.Bytes()}
	target, err := readFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		target = file{path: path}
	case err != nil:
		return Outcome{}, err
	}
	if err := target.mayBeReplaced(src, o.Force, isClearSigned); err != nil {
		return Outcome{}, err
	}
	if err := o.mayReplace(target); err != nil {
		return Outcome{}, err
	}
	if !o.Force && !o.Replace && alreadySigned(ctx, src, target, o) {
		return Outcome{Path: path, Unchanged: true}, nil
	}
	if err := mayTakeAll(src, target, o); err != nil {
		return Outcome{}, err
	}
	if err := ctx.Err(); err != nil {
		return Outcome{}, fmt.Errorf("sign %q: %w", path, err)
	}
	signed, err := o.Format.Sign(ctx, rb, o.Key)
	if err != nil {
		return Outcome{}, err
	}
	if err := selfCheck(ctx, src, target, signed, o); err != nil {
		return Outcome{}, err
	}
	return Outcome{Path: path}, replace(ctx, src, target, signed)
}

// inMemory says that there is no file which could change meanwhile, and whose
// mode and owner a new one could have.
func (f file) inMemory() bool { return f.path == "" }
