package contain

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// systemFolders are shown to every process, read-only. Where one of them is a link, as
// /bin is on systems that have merged it into /usr, the link is made anew.
var systemFolders = []string{"/bin", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/sbin", "/usr"}

// masked are folders below these that are shown empty: what the gate itself relies on.
var masked = []string{"/etc/writ"}

// devices are shown from the host.
var devices = []string{"full", "null", "random", "urandom", "zero"}

const (
	// defaultTemp bounds each of the folders that a process may write, in bytes.
	defaultTemp = 256 << 20
	// maxInodes bounds how many files there can be in each.
	maxInodes = 65_536
	// smallTemp bounds what only the stage writes to, beside the files of the job.
	smallTemp = 16 << 20
)

const (
	readOnly = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
	writable = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
)

// newRoot makes a root folder of nothing but what the specification names, and moves
// this process into it. The steps are of the kernel's newer interface of mounts
// (Linux 5.12): every part is fetched, and made read-only, before anything is put in
// its place, so that no part can hide another one's source.
func newRoot(spec *Spec, content *os.File) (err error) {
	step := "make the mounts private"
	defer func() {
		if err != nil {
			err = &UnavailableError{step, err.Error()}
		}
	}()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	step = "fetch the folders of the host"
	parts, links, err := fetch(spec)
	if err != nil {
		return err
	}
	step = "make a new root folder"
	root, err := newTemp("0755", 0, 0, smallTemp+sizeOf(spec.Files))
	if err != nil {
		return err
	}
	// Whatever this folder holds has been fetched already.
	if err := unix.MoveMount(root, "", unix.AT_FDCWD, TempDir, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("move_mount: %w", err)
	}
	tree, err := os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", root))
	if err != nil {
		return err
	}
	defer func() { _ = tree.Close() }() // opened for reading only
	step = "put the files of the job into it"
	if err := writeFiles(tree, spec.Files, false, content); err != nil {
		return err
	}
	// Before those of the host: one that is shown may lie in a temporary folder.
	step = "make folders of its own"
	if err := ownFolders(spec, root, tree); err != nil {
		return err
	}
	step = "put files into the home of the job"
	if err := writeFiles(tree, spec.Files, true, content); err != nil {
		return err
	}
	if err := ownFiles(spec, tree); err != nil {
		return err
	}
	// From here on the tree holds folders of the host, and nothing of ours is made in it
	// but the places of these.
	step = "put the folders of the host into it"
	if err := assemble(root, tree, parts, links); err != nil {
		return err
	}
	step = "enter the new root folder"
	return enter(root)
}

func sizeOf(files []File) (total uint64) {
	const page = 64 << 10 // of the largest kernels
	for _, f := range files {
		total += (uint64(f.Size)/page + 1) * page
	}
	return total
}

// writeFiles writes the files of the job that lie in its home, or those that do not, and
// holds what was written against their digests.
func writeFiles(tree *os.Root, files []File, home bool, content *os.File) error {
	dir := strings.TrimPrefix(RunbookDir, "/")
	if home {
		dir = strings.TrimPrefix(HomeDir, "/")
	}
	if err := tree.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var offset int64
	for _, f := range files {
		if f.Home != home {
			offset += f.Size
			continue
		}
		path := filepath.Join(dir, f.Path)
		if err := tree.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := writeFile(tree, path, f, io.NewSectionReader(content, offset, f.Size)); err != nil {
			return err
		}
		offset += f.Size
	}
	return nil
}

func writeFile(tree *os.Root, path string, f File, data io.Reader) error {
	w, err := tree.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }() // what was written is read back before
	if n, err := io.Copy(w, data); err != nil || n != f.Size {
		return fmt.Errorf("file %q: %d of %d bytes: %w", f.Path, n, f.Size, err)
	}
	digest := sha256.New()
	if _, err := io.Copy(digest, io.NewSectionReader(w, 0, f.Size+1)); err != nil {
		return fmt.Errorf("file %q: %w", f.Path, err)
	}
	if hex.EncodeToString(digest.Sum(nil)) != f.SHA256 {
		return fmt.Errorf("file %q: its content is not what was verified", f.Path)
	}
	mode := fs.FileMode(0o444)
	switch {
	case f.Home:
		mode = 0o400
	case f.Executable:
		mode = 0o555
	}
	return w.Chmod(mode)
}

// assemble puts the parts of the host into the new root folder.
func assemble(root int, tree *os.Root, parts []part, links map[string]string) error {
	for path, target := range links {
		if err := tree.Symlink(target, path[1:]); err != nil {
			return err
		}
	}
	for _, p := range parts {
		if err := attach(root, tree, p); err != nil {
			return err
		}
	}
	for _, path := range masked {
		at, err := inRoot(root, path, 0) // which follows links, in the new root only
		if err != nil {
			continue // it is not shown
		}
		empty, err := newTemp("0555", 0, 0, smallTemp)
		if err != nil {
			return err
		}
		if err := (part{path, empty, true}).moveTo(at); err != nil {
			return err
		}
	}
	for name, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := tree.Symlink(target, "dev/"+name); err != nil {
			return err
		}
	}
	return nil
}

// ownFolders makes what is the process's own: its home, its folder for temporary files,
// its shared memory, and a view of the processes that it can see.
func ownFolders(spec *Spec, root int, tree *os.Root) error {
	uid, gid := uint32(os.Geteuid()), uint32(os.Getegid())
	if spec.User != nil {
		uid, gid = spec.User.UID, spec.User.GID
	}
	size := spec.Limits.Temp
	if size == 0 {
		size = defaultTemp
	}
	for _, own := range []struct{ path, mode string }{{HomeDir, "0700"}, {TempDir, "1777"}, {"/dev/shm", "1777"}} {
		mount, err := newTemp(own.mode, uid, gid, size)
		if err != nil {
			return err
		}
		if err := attach(root, tree, part{own.path, mount, true}); err != nil {
			return err
		}
	}
	// Read-only: else root without any capability could still set kernel parameters.
	proc, err := newMount("proc", nil, readOnly|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return err
	}
	return attach(root, tree, part{"/proc", proc, true})
}

// ownFiles gives the files in the home of a process to its user.
func ownFiles(spec *Spec, tree *os.Root) error {
	if spec.User == nil {
		return nil
	}
	for _, f := range spec.Files {
		if !f.Home {
			continue
		}
		if err := tree.Chown(filepath.Join(HomeDir[1:], f.Path), int(spec.User.UID), int(spec.User.GID)); err != nil {
			return err
		}
	}
	return nil
}

// enter makes the new folder the root of this process, lets go of the old one, and
// makes what lies directly in it read-only.
func enter(root int) error {
	if err := unix.Fchdir(root); err != nil {
		return fmt.Errorf("fchdir: %w", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("umount2: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	attr := unix.MountAttr{Attr_set: readOnly}
	if err := unix.MountSetattr(root, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		return fmt.Errorf("mount_setattr: %w", err)
	}
	return unix.Close(root)
}
