package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"

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
		found := []string{root}
		if info, err := os.Lstat(root); err == nil && info.IsDir() {
			if found, err = a.signableIn(root); err != nil {
				return nil, noAnswer(err)
			}
		} else if isSourceOfDocument(root) {
			found[0] += runbook.SignatureExt
		}
		files = append(files, slices.DeleteFunc(found, func(path string) bool { return !known.add(path) })...)
	}
	return files, nil
}

// signableIn lists what in a folder may be signed.
func (a *app) signableIn(root string) (files []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.IsDir(), runbook.KindOf(d.Name()) == runbook.Unknown, runbook.IsSidecarName(path) && !isClearSigned(path), isSourceOfDocument(path):
		case !d.Type().IsRegular():
			a.note("%q is left out: not a regular file", path)
		default:
			files = append(files, path)
		}
		return nil
	})
	return files, err
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
	f, err := os.Open(path)
	if err != nil {
		return true // whoever reads it says why it cannot be read
	}
	defer func() { _ = f.Close() }() // opened for reading only
	const begin = "-----BEGIN PGP SIGNED MESSAGE-----"
	head := make([]byte, len(begin))
	n, _ := f.Read(head)
	return string(head[:n]) == begin
}
