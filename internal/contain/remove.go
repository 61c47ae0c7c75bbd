package contain

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// RemoveAll removes a folder and all that is in it, also where folders were locked.
func RemoveAll(folder string) error {
	// The second time, folders that the job has locked are opened, and what a process
	// that outlives it has put there in between is removed.
	if err := os.RemoveAll(folder); err == nil {
		return nil
	}
	if err := errors.Join(os.Chmod(folder, 0o700), unlockFolders(folder)); err != nil { //nolint:gosec // a folder needs its x bit
		return fmt.Errorf("remove the private folder: %w", err)
	}
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("remove the private folder: %w", err)
	}
	return nil
}

// unlockFolders makes every folder below dir writable for its owner. It works through
// an os.Root, so that a link in it leads nowhere else.
func unlockFolders(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // opened for reading only
	return fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return root.Chmod(path, 0o700)
	})
}
