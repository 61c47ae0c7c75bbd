package main

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/manifest"
	"github.com/runwrit/writ/runbook"
)

// unit is what is signed anew together: one file, or in its place a project.
type unit struct {
	path    string
	project *project
}

// project is a folder with a manifest, and what of it was asked for. What the manifest
// says is not believed here: it only keeps files from being changed one by one.
type project struct {
	root string         // the folder, without links
	path string         // of the manifest
	list *manifest.List // nil where it is none
	// hidden says that the manifest may not be read: it may list any file.
	hidden bool
	files  []string // of the run: those that are listed, or whose bundle is
	// outer says that another manifest lists this one, or one of the files.
	outer bool
}

// lists says whether the manifest lists the file of that name, or its bundle.
func (p *project) lists(name string) bool {
	switch {
	case p == nil:
		return false
	case p.hidden:
		return true
	case p.list == nil:
		return false
	}
	_, file := p.list.Lookup(name)
	_, bundle := p.list.Lookup(name + runbook.BundleExt)
	return file || bundle
}

// projects are those that were met, by folder; nil for a folder without a manifest.
type projects map[string]*project

// unitsOf puts the files together that a manifest lists, in the order in which they
// come.
func unitsOf(files []string) (units []unit) {
	known := projects{}
	met := map[*project]bool{}
	for _, path := range files {
		p := known.owner(path)
		switch {
		case p == nil:
			units = append(units, unit{path: path})
			continue
		case !met[p]:
			met[p] = true
			units = append(units, unit{project: p})
		}
		if filepath.Base(path) != manifest.Name {
			p.files = append(p.files, path)
		}
	}
	return units
}

// pathsOf are the files of each unit.
func pathsOf(units []unit) [][]string {
	all := make([][]string, len(units))
	for i, u := range units {
		if u.project == nil {
			all[i] = []string{u.path}
			continue
		}
		all[i] = append(append(all[i], u.project.files...), u.project.path)
	}
	return all
}

// owner is the project whose manifest lists the file, or whose manifest it is; the
// innermost, where there are several.
func (all projects) owner(path string) *project {
	shown, name := filepath.Split(filepath.Clean(path))
	shown = filepath.Clean(shown)
	dir, err := realFolder(shown)
	if err != nil {
		return nil // reading the file says what is wrong with it
	}
	var owners []*project
	listed := name
	for range manifest.MaxDepth {
		p := all.in(dir, shown)
		if p.lists(listed) || p != nil && listed == manifest.Name {
			owners = append(owners, p)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		listed = filepath.Base(dir) + "/" + listed
		dir, shown = parent, filepath.Join(shown, "..")
	}
	if len(owners) == 0 {
		return nil
	}
	owners[0].outer = owners[0].outer || len(owners) > 1
	return owners[0]
}

// in returns the project of a folder, which the user would name as shown.
func (all projects) in(dir, shown string) *project {
	if p, known := all[dir]; known {
		return p
	}
	var p *project
	rb, err := runbook.ReadFile(filepath.Join(dir, manifest.Name), false)
	if hidden := errors.Is(err, fs.ErrPermission); err == nil || hidden {
		if !sameFile(shown, dir) { // a link on the way
			shown = dir
		}
		p = &project{root: dir, path: filepath.Join(shown, manifest.Name), hidden: hidden}
	}
	if err == nil {
		if text, err := format.NewClearsign().Content(rb); err == nil {
			p.list, _ = manifest.Parse(text) // what is no list keeps nobody from anything
		}
	}
	all[dir] = p
	return p
}

func realFolder(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}
