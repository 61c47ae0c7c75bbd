package worker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/internal/guard"
)

// stage is what a run needs and leaves behind: the script as the interpreter
// reads it, and a private folder.
type stage struct {
	folder string
	// home is the folder inside that is the runbook's own.
	home string
	// memory holds the script, unless the interpreter insists on a name.
	memory *os.File
	// script is the path that the interpreter is given.
	script string
}

// memoryScript is the path under which the interpreter finds the sealed file: its
// first descriptor after the three standard ones.
const memoryScript = "/dev/fd/3"

// stage prepares the run of p. What it made is removed by remove.
func (w *Worker) stage(p *plan) (_ *stage, err error) {
	if !filepath.IsAbs(w.tempDir) {
		return nil, &StartError{"make a private folder", fmt.Errorf("%q is not an absolute path", w.tempDir)}
	}
	if err := guard.Folder(w.tempDir); err != nil {
		return nil, &StartError{"make a private folder", err}
	}
	s := &stage{script: memoryScript, folder: p.folder}
	if err := os.Mkdir(s.folder, 0o700); err != nil {
		return nil, &StartError{"make a private folder", err}
	}
	s.home = filepath.Join(s.folder, "home")
	if err := os.Mkdir(s.home, 0o700); err != nil {
		return nil, errors.Join(&StartError{"make a private folder", err}, s.remove())
	}
	switch {
	case p.set != nil:
		s.script, err = privateSet(filepath.Join(s.folder, "project"), p.set)
	case interpreters[p.kind].byName:
		s.script, err = privateCopy(filepath.Join(s.folder, "script"), p.name, p.payload)
	default:
		s.memory, err = sealedFile(p.payload)
	}
	if err != nil {
		return nil, errors.Join(&StartError{"put the payload where the interpreter reads it", err}, s.remove())
	}
	return s, nil
}

// sealedFile returns a memory file that holds data, open for reading only, and
// sealed: nobody, root included, can write, shrink or grow it any more, through
// whatever descriptor or path.
func sealedFile(data []byte) (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("writ-payload", flags|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) { // kernels before 6.3 do not know that it is no program
		fd, err = unix.MemfdCreate("writ-payload", flags)
	}
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	writable := os.NewFile(uintptr(fd), "writ-payload")
	defer func() { _ = writable.Close() }() // its content is checked through the other descriptor
	if _, err := writable.Write(data); err != nil {
		return nil, fmt.Errorf("write the memory file: %w", err)
	}
	if err := writable.Chmod(0o400); err != nil {
		return nil, err
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return nil, fmt.Errorf("seal the memory file: %w", err)
	}
	sealed, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return nil, fmt.Errorf("open the memory file for reading: %w", err)
	}
	if err := checkSealed(sealed, data); err != nil {
		_ = sealed.Close() // opened for reading only
		return nil, err
	}
	return sealed, nil
}

const seals = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL

func checkSealed(f *os.File, data []byte) error {
	set, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	if err != nil || set&seals != seals {
		return fmt.Errorf("the memory file has the seals %#x, want %#x: %w", set, seals, err)
	}
	return checkContent(f, data)
}

// checkContent reads f from its beginning, not moving its offset, and compares.
func checkContent(f *os.File, data []byte) error {
	held, err := io.ReadAll(io.NewSectionReader(f, 0, int64(len(data))+1))
	if err != nil {
		return err
	}
	if !bytes.Equal(held, data) {
		return errors.New("it does not hold what was written")
	}
	return nil
}

// privateCopy writes data to a file of the given name in a fresh folder that
// only the current user can look into, both read-only, and reads it back.
func privateCopy(folder, name string, data []byte) (path string, err error) {
	if err := os.Mkdir(folder, 0o700); err != nil {
		return "", err
	}
	path = filepath.Join(folder, name)
	if err := writeNew(path, data); err != nil {
		return "", err
	}
	if err := os.Chmod(folder, 0o500); err != nil { //nolint:gosec // a folder needs its x bit
		return "", err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // opened for reading only
	return path, checkContent(f, data)
}

func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o400)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// remove removes everything that stage made, and what the runbook left in the
// private folder. It may be called once.
func (s *stage) remove() error {
	if s.memory != nil {
		_ = s.memory.Close() // opened for reading only
	}
	// The second time, folders that the runbook has locked are opened, and what a
	// process that outlives the run has put there in between is removed.
	if err := os.RemoveAll(s.folder); err == nil {
		return nil
	}
	if err := errors.Join(os.Chmod(s.folder, 0o700), unlockFolders(s.folder)); err != nil { //nolint:gosec // a folder needs its x bit
		return fmt.Errorf("remove the private folder: %w", err)
	}
	if err := os.RemoveAll(s.folder); err != nil {
		return fmt.Errorf("remove the private folder: %w", err)
	}
	return nil
}

// unlockFolders makes every folder below dir writable for its owner. It works
// through an os.Root, so that a link in it leads nowhere else.
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
