package worker

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/runbook"
)

// privateSet writes the files of a set below a fresh folder that only the current
// user can look into: folders and files are read-only, and what is in each file is
// read back. It returns the path of the entry.
func privateSet(folder string, set *runbook.Set) (script string, err error) {
	if err := os.Mkdir(folder, 0o700); err != nil {
		return "", err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return "", err
	}
	defer func() { _ = root.Close() }() // opened for reading only
	members := set.Members()
	for _, m := range members {
		if m.Problem() != "" {
			return "", &fs.PathError{Op: "write", Path: m.Path(), Err: errors.New(m.Problem())}
		}
		if err := writeMember(root, m); err != nil {
			return "", err
		}
	}
	if err := lockFolders(root); err != nil {
		return "", err
	}
	for _, m := range members {
		if err := checkMember(root, m); err != nil {
			return "", err
		}
	}
	return filepath.Join(folder, filepath.FromSlash(set.Entry())), nil
}

func writeMember(root *os.Root, m runbook.Member) (err error) {
	if dir := path.Dir(m.Path()); dir != "." {
		if err := root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	mode := fs.FileMode(0o400)
	if m.Executable() {
		mode = 0o500
	}
	f, err := root.OpenFile(m.Path(), os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, mode)
	if err != nil {
		return err
	}
	m.View(func(data []byte) { _, err = f.Write(data) })
	// The mask of the process may have taken bits away.
	return errors.Join(err, f.Chmod(mode), f.Close())
}

// lockFolders makes every folder read-only, the innermost first.
func lockFolders(root *os.Root) error {
	var folders []string
	err := fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			folders = append(folders, path)
		}
		return err
	})
	for i := len(folders) - 1; i >= 0 && err == nil; i-- {
		err = root.Chmod(folders[i], 0o500)
	}
	return err
}

func checkMember(root *os.Root, m runbook.Member) error {
	f, err := root.OpenFile(m.Path(), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // opened for reading only
	m.View(func(data []byte) { err = checkContent(f, data) })
	return err
}
