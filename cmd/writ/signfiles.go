package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

// filesToSign lists files as they are given, and of folders the runbooks that
// can be signed in the format chosen; each once, however often it is reached.
func (a *app) filesToSign(o *signOptions, key *signer.Key) ([]string, error) {
	var files []string
	known := fileSet{}
	leftOut := 0
	for _, root := range o.paths {
		if root == "" || root == "-" {
			return nil, usagef("sign needs files or folders, not %q", root)
		}
		info, err := os.Lstat(root)
		if err != nil || !info.IsDir() {
			if known.add(root) {
				files = append(files, root)
			}
			continue
		}
		err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == ".git":
				return fs.SkipDir
			case d.IsDir(), runbook.KindOf(path) == runbook.Unknown, runbook.KindOf(path) == runbook.Statement, isDocument(path) != (o.append && key.Kind() == signer.KindOpenPGP):
				return nil
			case !d.Type().IsRegular():
				a.note("%q is left out: not a regular file", path)
			case !o.carries(path, key):
				leftOut++
			case known.add(path):
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			return nil, noAnswer(err)
		}
	}
	if leftOut > 0 {
		a.note("%d runbooks are left out: authenticode signs script files of Windows only; sign them with an OpenPGP key", leftOut)
	}
	return files, nil
}

// isDocument says that a name is one of clear-signed text.
func isDocument(path string) bool {
	return strings.EqualFold(filepath.Ext(path), runbook.SignatureExt)
}

// fileSet keeps apart files, whatever the paths by which they were reached.
type fileSet map[string][]string

// add reports whether the file is new. Two names of one file (hard links) count as
// two, since only one of them would be signed; signing refuses both.
func (s fileSet) add(path string) bool {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		dir = filepath.Dir(path) // signing says what is wrong with it
	}
	place := filepath.Join(dir, filepath.Base(path))
	key := strings.ToLower(place)
	for _, other := range s[key] {
		if other == place || sameFile(other, place) {
			return false
		}
	}
	s[key] = append(s[key], place)
	return true
}

// sameFile says whether two names that differ in case only are of one file.
func sameFile(a, b string) bool {
	infoA, errA := os.Lstat(a)
	infoB, errB := os.Lstat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}
