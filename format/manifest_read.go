package format

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/manifest"
	"github.com/runwrit/writ/runbook"
)

// ReadSet reads a project for a run of the file at entry, a path inside dir with
// slashes: the manifest of dir, and each file that it lists, once, through no link.
// Files have the modes that are listed, whatever they have in the folder.
// Nothing is judged: what cannot be listed, and what is not as it is listed, is a
// fact for the verifier. Files that are not listed are not read, but for entry.
//
// It fails with runbook.ErrNotRegular for an entry or a manifest that is no
// regular file, with fs.ErrNotExist where there is no entry, with *ProjectError for
// a project that has no manifest or is too large, with runbook.ErrName or
// runbook.ErrSet for odd names, or with the error of the file system.
func ReadSet(dir, entry string) (*runbook.Runbook, error) {
	document, err := runbook.ReadFile(filepath.Join(dir, manifest.Name), false)
	switch {
	case errors.Is(err, fs.ErrNotExist) && isFolder(dir):
		return nil, &ProjectError{Dir: dir, Msg: "there is no " + manifest.Name + ": nobody has signed it as a whole"}
	case err != nil:
		return nil, err
	}
	tree, err := manifest.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tree.Close() }() // opened for reading only
	files := listedFiles(document, entry)
	members := make([]runbook.Member, 0, len(files))
	for _, f := range files {
		m, err := tree.Read(f.Path)
		var limit *manifest.LimitError
		switch {
		case errors.As(err, &limit):
			return nil, &ProjectError{Dir: dir, Msg: limit.Error()}
		case err != nil:
			return nil, err
		case f.Path == entry && m.Problem() == manifest.ProblemMissing:
			return nil, fmt.Errorf("read %q in the project %q: %w", entry, dir, fs.ErrNotExist)
		case f.Path == entry && m.Problem() != "":
			return nil, fmt.Errorf("read %q in the project %q: %s: %w", entry, dir, m.Problem(), runbook.ErrNotRegular)
		}
		members = append(members, m.WithMode(f.Executable))
	}
	return runbook.NewSet(path.Join(path.Dir(document.Path()), entry), document.Bytes(), entry, members)
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// ProjectError says that a project cannot be read as a whole: it has no manifest,
// or is too large.
type ProjectError struct{ Dir, Msg string }

func (e *ProjectError) Error() string { return fmt.Sprintf("%q: %s", e.Dir, e.Msg) }

// listedFiles are the files that a manifest names, whoever signed it, and entry.
// Of one that is not well made, no other is read: it is not believed later either.
func listedFiles(document *runbook.Runbook, entry string) []manifest.Entry {
	files := []manifest.Entry{{Path: entry}}
	document.View(func(data []byte) {
		doc, err := cleartext.Parse(data)
		if err != nil {
			return
		}
		list, err := manifest.Parse(doc.Text())
		if err != nil {
			return
		}
		for _, e := range list.Entries() {
			if e.Path == entry {
				files[0] = e
			} else {
				files = append(files, e)
			}
		}
	})
	return files
}
