package manifest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/runwrit/writ/runbook"
)

// LimitError says that a project is larger than a manifest may be.
type LimitError struct{ Detail string }

func (e *LimitError) Error() string { return "the project is too large: " + e.Detail }

// Tree reads a project's folder. It follows no link below that folder, opens
// nothing but folders and regular files, and reads at most runbook.MaxSetSize
// bytes in all. It is for one goroutine.
type Tree struct {
	root *os.Root
	left int // bytes that may still be read
}

// Open opens the project's folder, which may itself be named through a link.
func Open(dir string) (*Tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Tree{root: root, left: runbook.MaxSetSize}, nil
}

// Close closes the folder.
func (t *Tree) Close() error { return t.root.Close() }

// ProblemMissing is the problem of a member whose file is not there.
const ProblemMissing = "it is not there"

// What else can stand in the place of a file.
const (
	problemLink    = "it is a symbolic link, or stands behind one"
	problemOther   = "it is not a regular file"
	problemFolder  = "it is a folder"
	problemSwapped = "it was replaced while it was read"
	problemLarge   = "it is larger than a runbook may be"
)

// Read reads the regular file at path. What is not one, and what is too large, is
// an absent member, which says why; an error is about the system, or *LimitError.
func (t *Tree) Read(path string) (runbook.Member, error) {
	if !fs.ValidPath(path) || path == "." {
		return runbook.Member{}, fmt.Errorf("read %q: not a path inside the project", path)
	}
	names := strings.Split(path, "/")
	dir := t.root
	for _, name := range names[:len(names)-1] {
		sub, problem, err := openFolder(dir, name)
		if dir != t.root {
			_ = dir.Close() // opened for reading only
		}
		switch {
		case err != nil:
			return runbook.Member{}, err
		case problem != "":
			return runbook.AbsentMember(path, problem), nil
		}
		dir = sub
	}
	if dir != t.root {
		defer func() { _ = dir.Close() }() // opened for reading only
	}
	return t.readFile(dir, names[len(names)-1], path)
}

// openFolder opens the folder of that name, and makes sure that it is the one
// that was looked at: a link that takes its place meanwhile leads elsewhere.
func openFolder(dir *os.Root, name string) (sub *os.Root, problem string, err error) {
	info, err := dir.Lstat(name)
	if problem, err := wantType(info, err, fs.ModeDir); problem != "" || err != nil {
		return nil, problem, err
	}
	sub, err = dir.OpenRoot(name)
	switch {
	case errors.Is(err, fs.ErrNotExist): // gone since it was looked at
		return nil, ProblemMissing, nil
	case err != nil:
		return nil, "", err
	}
	opened, err := sub.Stat(".")
	if err != nil {
		_ = sub.Close()
		return nil, "", err
	}
	if !os.SameFile(info, opened) {
		_ = sub.Close()
		return nil, problemSwapped, nil
	}
	return sub, "", nil
}

// wantType sorts what Lstat gave: a problem of the file, or an error.
func wantType(info fs.FileInfo, err error, want fs.FileMode) (problem string, _ error) {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ProblemMissing, nil
	case err != nil:
		return "", err
	case info.Mode().Type() == want:
		return "", nil
	case info.Mode()&fs.ModeSymlink != 0:
		return problemLink, nil
	case want == fs.ModeDir:
		return ProblemMissing, nil // a file stands where a folder should
	case info.IsDir():
		return problemFolder, nil
	}
	return problemOther, nil
}

// readFile looks at the type before it opens, because opening a FIFO or a device
// can block or act, and again at what it opened.
func (t *Tree) readFile(dir *os.Root, name, path string) (runbook.Member, error) {
	info, err := dir.Lstat(name)
	if problem, err := wantType(info, err, 0); problem != "" || err != nil {
		return runbook.AbsentMember(path, problem), err
	}
	f, err := dir.OpenFile(name, os.O_RDONLY|openFlags, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return runbook.AbsentMember(path, ProblemMissing), nil
	case err != nil:
		return runbook.Member{}, err
	}
	defer func() { _ = f.Close() }() // opened for reading only
	opened, err := f.Stat()
	switch {
	case err != nil:
		return runbook.Member{}, err
	case !opened.Mode().IsRegular() || !os.SameFile(info, opened):
		return runbook.AbsentMember(path, problemSwapped), nil
	}
	m, err := runbook.ReadMember(path, opened.Mode()&0o100 != 0, io.LimitReader(f, int64(t.left)+1), min(opened.Size(), int64(t.left)))
	var tooLarge *runbook.SizeError
	if errors.As(err, &tooLarge) {
		return runbook.AbsentMember(path, problemLarge), nil
	}
	if t.left -= m.Size(); t.left < 0 {
		return runbook.Member{}, &LimitError{fmt.Sprintf("the files have more than %d bytes in all", runbook.MaxSetSize)}
	}
	return m, err
}

// Found is a name in a project's folder that is not a folder.
type Found struct {
	Path string
	// Problem says why it cannot be listed, as far as its type says; "" for a
	// regular file.
	Problem string
}

// Walk returns everything in the folder but folders, sorted by path, and leaves out
// what is never listed: git's own folder at any depth, and the manifest at the top.
// It fails with *LimitError, with the error of ctx, or of the file system.
func (t *Tree) Walk(ctx context.Context) ([]Found, error) {
	w := &walk{ctx: ctx}
	if err := w.folder(t.root, "", 1); err != nil {
		return nil, err
	}
	slices.SortFunc(w.found, func(a, b Found) int { return strings.Compare(a.Path, b.Path) })
	return w.found, nil
}

type walk struct {
	ctx     context.Context //nolint:containedctx // of one walk
	found   []Found
	folders int
}

func (w *walk) folder(dir *os.Root, prefix string, depth int) error {
	if w.folders++; w.folders > MaxFolder {
		return &LimitError{fmt.Sprintf("more than %d folders", MaxFolder)}
	}
	list, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = list.Close() }() // opened for reading only
	for {
		entries, err := list.ReadDir(256)
		for _, e := range entries {
			if err := w.entry(dir, prefix, e, depth); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case w.ctx.Err() != nil:
			return w.ctx.Err()
		}
	}
}

func (w *walk) entry(dir *os.Root, prefix string, e fs.DirEntry, depth int) error {
	path := prefix + e.Name()
	switch {
	case e.Name() == gitFolder, path == Name && e.Type().IsRegular():
		return nil
	case e.IsDir():
		return w.enter(dir, path, e.Name(), depth)
	}
	if len(w.found) == MaxFiles {
		return &LimitError{fmt.Sprintf("more than %d files", MaxFiles)}
	}
	found := Found{Path: path}
	switch {
	case e.Type()&fs.ModeSymlink != 0:
		found.Problem = problemLink
	case !e.Type().IsRegular():
		found.Problem = problemOther
	}
	w.found = append(w.found, found)
	return nil
}

func (w *walk) enter(dir *os.Root, path, name string, depth int) error {
	if depth >= MaxDepth {
		return &LimitError{fmt.Sprintf("folders are nested more than %d deep", MaxDepth-1)}
	}
	sub, problem, err := openFolder(dir, name)
	switch {
	case err != nil:
		return err
	case problem == ProblemMissing: // gone since the folder was listed
		return nil
	case problem != "":
		w.found = append(w.found, Found{Path: path, Problem: problem})
		return nil
	}
	defer func() { _ = sub.Close() }() // opened for reading only
	return w.folder(sub, path+"/", depth+1)
}

// keepsModes says whether the system has modes of files at all.
func keepsModes() bool { return runtime.GOOS != "windows" }
