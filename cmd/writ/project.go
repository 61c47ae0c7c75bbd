package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/manifest"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// projectOption is the --manifest flag: runbooks are judged as parts of a project.
type projectOption struct{ path string }

func (o *projectOption) addTo(cmd *cobra.Command) {
	cmd.Flags().Var(o, "manifest", "the `folder` of the project that the runbook is a part of: its "+manifest.Name+" vouches for every file")
}

// Set refuses the empty name, which is what a variable gives that is not set: the
// runbook would run without the files of its project.
func (o *projectOption) Set(path string) error {
	if path == "" {
		return errors.New("want a folder")
	}
	o.path = path
	return nil
}

// String and Type are of a flag's value.
func (o *projectOption) String() string { return o.path }

// Type names the value in the help.
func (*projectOption) Type() string { return "folder" }

func (o *projectOption) given() bool { return o.path != "" }

// read reads the runbook at path, which must lie in the project, with all files of
// the project.
func (o *projectOption) read(path string) (*runbook.Runbook, error) {
	dir, err := o.dir()
	if err != nil {
		return nil, err
	}
	resolved, err := resolveFolders(path)
	if err != nil {
		return nil, err
	}
	entry, err := filepath.Rel(dir, resolved)
	if err != nil || !filepath.IsLocal(entry) || entry == "." {
		return nil, usagef("%q does not lie in the project %q", path, o.path)
	}
	return format.ReadSet(dir, filepath.ToSlash(entry))
}

// dir is the project's folder without links. The manifest in it may be named as
// well.
func (o *projectOption) dir() (string, error) {
	info, err := os.Stat(o.path)
	if err != nil { // it is not the runbook that is missing
		return "", noAnswer(errors.New(err.Error()))
	}
	dir := o.path
	if !info.IsDir() {
		if filepath.Base(o.path) != manifest.Name {
			return "", usagef("--manifest %q: want a folder, or the %s in it", o.path, manifest.Name)
		}
		dir = filepath.Dir(o.path)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", noAnswer(err)
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return "", noAnswer(err)
	}
	return abs, nil
}

// verifyInProject judges files as parts of their project.
func (a *app) verifyInProject(ctx context.Context, v *verifier.Verifier, r render.Judged, o *verifyOptions) error {
	files := make([]render.File, 0, len(o.paths))
	for _, path := range o.paths {
		if path == "-" {
			return usagef("--manifest is for files of a project, not for standard input")
		}
		rb, err := o.project.read(path)
		if err != nil {
			return err
		}
		report, err := v.Inspect(ctx, rb)
		if err != nil {
			return noAnswer(err)
		}
		files = append(files, render.File{Path: path, Report: report})
	}
	if err := r.Verify(a.stdout, files, nil); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	return a.answer(files, nil)
}
