package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/runwrit/writ/runbook"
)

// Limits of one audit.
const (
	MaxFiles = 2_000_000
	MaxDepth = 200
)

// LimitError says that a library is larger than one audit takes on.
type LimitError struct {
	Path string
	Msg  string
}

func (e *LimitError) Error() string { return fmt.Sprintf("audit %q: %s", e.Path, e.Msg) }

// file is one file to look at. Named files were given by the user: they are
// audited whatever their type, and a link is followed.
type file struct {
	path  string
	named bool
}

// walk finds the files below the roots and sends them to the workers.
type walk struct {
	seen     map[string]bool
	files    chan file
	found    atomic.Int64
	skipped  []Skip
	problems []Problem
}

// run sends the files among the roots first: what is named and in a folder too
// counts as named.
func (w *walk) run(ctx context.Context, roots []string) error {
	var folders []string
	for _, root := range roots {
		path := filepath.Clean(root)
		info, err := os.Stat(path)
		switch {
		case err != nil:
			w.problems = append(w.problems, Problem{path, err})
		case info.IsDir():
			folders = append(folders, path)
		default:
			if err := w.send(ctx, file{path, true}); err != nil {
				return err
			}
		}
	}
	for _, path := range folders {
		if err := w.folder(ctx, path, 0); err != nil {
			return err
		}
	}
	return nil
}

// folder goes through one folder in the order of names.
func (w *walk) folder(ctx context.Context, dir string, depth int) error {
	if w.seen[dir] {
		return nil
	}
	w.seen[dir] = true
	if depth > MaxDepth {
		return &LimitError{dir, fmt.Sprintf("folders are nested more than %d deep", MaxDepth)}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		w.problems = append(w.problems, Problem{dir, err})
		return nil //nolint:nilerr // it is a problem of the result; the walk goes on
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir() && e.Name() == ".git":
			w.skipped = append(w.skipped, Skip{path, "git's own folder"})
		case e.IsDir():
			err = w.folder(ctx, path, depth+1)
		case e.Type()&fs.ModeSymlink != 0:
			w.skipped = append(w.skipped, Skip{path, "a symbolic link, not followed"})
		case !e.Type().IsRegular():
			w.skipped = append(w.skipped, Skip{path, "not a regular file"})
		case strings.EqualFold(e.Name(), runbook.ManifestName+runbook.SignatureExt):
			w.skipped = append(w.skipped, Skip{path, "the manifest of a project: writ manifest verify judges it"})
		case runbook.KindOf(e.Name()) == runbook.Statement:
			w.skipped = append(w.skipped, Skip{path, "a statement about a runbook: writ policy explain --approvals says what it counts for"})
		default:
			err = w.send(ctx, file{path, false})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) send(ctx context.Context, f file) error {
	if w.seen[f.path] {
		return nil
	}
	w.seen[f.path] = true
	if len(w.seen) > MaxFiles {
		return &LimitError{f.path, fmt.Sprintf("more than %d files and folders", MaxFiles)}
	}
	select {
	case w.files <- f:
		w.found.Add(1)
		return nil
	case <-ctx.Done():
		return fmt.Errorf("audit: %w", ctx.Err())
	}
}

// What the first bytes of a file without a runbook's name say that it is.
const (
	startsAsOther = iota
	startsAsSigned
	startsAsKey
)

// sniff reads the first bytes of the regular file at path.
func sniff(path string) (int, error) {
	f, err := openPlain(path)
	if err != nil {
		return startsAsOther, err
	}
	defer func() { _ = f.Close() }() // opened for reading only
	head := make([]byte, 256)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return startsAsOther, err
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head[:n], []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case bytes.HasPrefix(text, []byte("-----BEGIN PGP SIGNED MESSAGE-----")):
		return startsAsSigned, nil
	case bytes.HasPrefix(text, []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----")),
		bytes.HasPrefix(text, []byte("-----BEGIN PGP PRIVATE KEY BLOCK-----")):
		return startsAsKey, nil
	}
	return startsAsOther, nil
}
