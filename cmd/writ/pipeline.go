package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/runwrit/writ/internal/render"
)

// judged is the writer of what a command finds out about signatures.
func (o *output) judged() (render.Judged, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, noAnswer(fmt.Errorf("find the working directory: %w", err))
	}
	r, err := render.NewJudged(o.name, render.Pipeline{Dir: dir, Root: repositoryOf(dir), Version: version()})
	if err != nil {
		return nil, usageError{err}
	}
	return r, nil
}

// signWriter writes what became of files that were to be signed.
type signWriter interface {
	Sign(w io.Writer, s render.Signing) error
}

// repositoryOf is the folder of the git repository that dir is in, or dir: by its
// path from there a pipeline knows a file. In a linked work tree .git is a file.
func repositoryOf(dir string) string {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			return dir
		}
	}
}

// version is that of this program.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
