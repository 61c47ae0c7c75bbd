package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/runbook"
)

// filesToResign lists files as they are given, and of folders all that can be signed:
// a document stands for the source beside it too, unless that can carry a signature
// itself.
func (a *app) filesToResign(paths []string) ([]string, error) {
	var files []string
	known := fileSet{}
	for _, root := range paths {
		if root == "" || root == "-" {
			return nil, usagef("sign needs files or folders, not %q", root)
		}
		found := namedToResign(root)
		if info, err := os.Lstat(root); err == nil && info.IsDir() {
			if found, err = a.signableIn(root); err != nil {
				return nil, noAnswer(err)
			}
		}
		files = append(files, slices.DeleteFunc(found, func(path string) bool { return !known.add(path) })...)
	}
	return files, nil
}

// namedToResign are the files that a name stands for: a bundle for its file, a source
// for the document that it is signed in, and for itself if a bundle is beside it.
func namedToResign(path string) []string {
	if file, is := fileOfBundle(path); is {
		return []string{file}
	}
	if !isSourceOfDocument(path) {
		return []string{path}
	}
	document := path + runbook.SignatureExt
	if hasBundle(path) {
		return []string{path, document}
	}
	return []string{document}
}

// fileOfBundle is the file beside a bundle of this name, where there is one.
func fileOfBundle(path string) (file string, is bool) {
	file, is = strings.CutSuffix(path, runbook.BundleExt)
	if !is || runbook.IsSidecarName(file) {
		return "", false
	}
	_, err := os.Lstat(file)
	return file, err == nil
}

func isBundleName(path string) bool {
	return strings.HasSuffix(strings.ToLower(path), runbook.BundleExt)
}

func hasBundle(path string) bool {
	_, err := os.Lstat(path + runbook.BundleExt)
	return err == nil && !runbook.IsSidecarName(path)
}

// signableIn lists what in a folder may be signed: runbooks and documents, whatever
// has a bundle beside it, and bundles without a file.
func (a *app) signableIn(root string) (files []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.IsDir(), !mayBeSigned(path):
		case !d.Type().IsRegular():
			a.note("%q is left out: not a regular file", path)
		default:
			files = append(files, path)
		}
		return nil
	})
	return files, err
}

// mayBeSigned says, by the name and what lies beside, whether a file may hold what the
// old signer has signed.
func mayBeSigned(path string) bool {
	switch {
	case isBundleName(path):
		_, beside := fileOfBundle(path)
		return !beside
	case hasBundle(path):
		return true
	case runbook.IsSidecarName(path):
		return isClearSigned(path)
	}
	return runbook.KindOf(filepath.Base(path)) != runbook.Unknown && !isSourceOfDocument(path)
}

// isSourceOfDocument says that the file is signed in a document beside it, and
// carries no signature itself.
func isSourceOfDocument(path string) bool {
	return !isDocument(path) && !format.CarriesAuthenticode(path) && isClearSigned(path+runbook.SignatureExt)
}

// isClearSigned says whether a file is a document by its name and its beginning.
func isClearSigned(path string) bool {
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || !isDocument(path) {
		return false
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // what became a FIFO meanwhile must not block
	if err != nil {
		return true // whoever reads it says why it cannot be read
	}
	defer func() { _ = f.Close() }() // opened for reading only
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return false
	}
	const begin = "-----BEGIN PGP SIGNED MESSAGE-----"
	head := make([]byte, len(begin))
	n, _ := f.Read(head)
	return string(head[:n]) == begin
}
