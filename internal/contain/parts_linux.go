package contain

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// part is something that is put into the new root folder.
type part struct {
	path   string // where; absolute
	mount  int    // what: a mount that is attached to nothing yet
	folder bool
}

// fetch takes hold of everything of the host that will be seen.
func fetch(spec *Spec) (parts []part, links map[string]string, err error) {
	links = map[string]string{}
	for _, path := range systemFolders {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, nil, err
		case info.Mode()&fs.ModeSymlink != 0:
			if links[path], err = os.Readlink(path); err != nil {
				return nil, nil, err
			}
			continue
		}
		if parts, err = addPart(parts, path, readOnly); err != nil {
			return nil, nil, err
		}
	}
	for _, path := range append(slices.Clone(spec.Read), resolver()...) {
		if slices.Contains(systemFolders, path) { // it is shown anyway
			continue
		}
		if parts, err = addPart(parts, path, readOnly); err != nil {
			return nil, nil, err
		}
	}
	for _, path := range spec.Write {
		if parts, err = addPart(parts, path, writable); err != nil {
			return nil, nil, err
		}
	}
	for _, name := range devices {
		if parts, err = addPart(parts, "/dev/"+name, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC); err != nil {
			return nil, nil, err
		}
	}
	// What lies in another part comes after it.
	slices.SortStableFunc(parts, func(a, b part) int { return strings.Compare(a.path, b.path) })
	return parts, links, nil
}

// resolver is the file behind /etc/resolv.conf, if it lies outside of /etc.
func resolver() []string {
	path, err := filepath.EvalSymlinks("/etc/resolv.conf")
	if err != nil || slices.ContainsFunc(systemFolders, func(dir string) bool { return strings.HasPrefix(path, dir+"/") }) {
		return nil
	}
	return []string{path}
}

func addPart(parts []part, path string, attributes uint64) ([]part, error) {
	// No link is followed: who may write one of the folders above could lead it anywhere.
	at, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS})
	if errors.Is(err, unix.ELOOP) {
		return parts, fmt.Errorf("%q: there is a symbolic link in this path: name the place where it leads", path)
	} else if err != nil {
		return parts, &fs.PathError{Op: "openat2", Path: path, Err: err}
	}
	defer func() { _ = unix.Close(at) }() // opened for its path only
	mount, err := unix.OpenTree(at, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE)
	if err != nil {
		return parts, &fs.PathError{Op: "open_tree", Path: path, Err: err}
	}
	attr := unix.MountAttr{Attr_set: attributes, Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(mount, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr); err != nil {
		return parts, &fs.PathError{Op: "mount_setattr", Path: path, Err: err}
	}
	var info unix.Stat_t
	if err := unix.Fstat(mount, &info); err != nil {
		return parts, &fs.PathError{Op: "fstat", Path: path, Err: err}
	}
	return append(parts, part{path, mount, info.Mode&unix.S_IFMT == unix.S_IFDIR}), nil
}

// newTemp returns a fresh file system in memory.
func newTemp(mode string, uid, gid uint32, size uint64) (int, error) {
	options := map[string]string{
		"mode": mode, "size": strconv.FormatUint(size, 10), "nr_inodes": strconv.Itoa(maxInodes),
	}
	if uid != 0 {
		options["uid"], options["gid"] = strconv.FormatUint(uint64(uid), 10), strconv.FormatUint(uint64(gid), 10)
	}
	return newMount("tmpfs", options, writable)
}

func newMount(kind string, options map[string]string, attributes int) (int, error) {
	fsys, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("fsopen %s: %w", kind, err)
	}
	defer func() { _ = unix.Close(fsys) }() // only the mount is kept
	for key, value := range options {
		if err := unix.FsconfigSetString(fsys, key, value); err != nil {
			return -1, fmt.Errorf("fsconfig %s, %s=%s: %w", kind, key, value, err)
		}
	}
	if err := unix.FsconfigCreate(fsys); err != nil {
		return -1, fmt.Errorf("fsconfig %s: %w", kind, err)
	}
	mount, err := unix.Fsmount(fsys, unix.FSMOUNT_CLOEXEC, attributes)
	if err != nil {
		return -1, fmt.Errorf("fsmount %s: %w", kind, err)
	}
	return mount, nil
}

// attach puts a part in its place, which is made if it is not there. No link leads
// somewhere else: not even one that was put there meanwhile, in a folder that others may
// write.
func attach(root int, tree *os.Root, p part) error {
	at, err := inRoot(root, p.path, unix.RESOLVE_NO_SYMLINKS)
	if errors.Is(err, unix.ENOENT) {
		if err := makePlace(tree, p); err != nil {
			return err
		}
		at, err = inRoot(root, p.path, unix.RESOLVE_NO_SYMLINKS)
	}
	if err != nil {
		return &fs.PathError{Op: "openat2", Path: p.path, Err: err}
	}
	return p.moveTo(at)
}

// moveTo puts a part on a place that was opened, and closes both.
func (p part) moveTo(at int) error {
	defer func() { _ = unix.Close(at) }() // opened for its path only
	if err := unix.MoveMount(p.mount, "", at, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH); err != nil {
		return &fs.PathError{Op: "move_mount", Path: p.path, Err: err}
	}
	return unix.Close(p.mount)
}

func makePlace(tree *os.Root, p part) error {
	path := strings.TrimPrefix(p.path, "/")
	if p.folder {
		return tree.MkdirAll(path, 0o755)
	}
	if err := tree.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := tree.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	return f.Close()
}

// inRoot opens a path as it will be seen: links lead nowhere else.
func inRoot(root int, path string, resolve uint64) (int, error) {
	return unix.Openat2(root, path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | resolve})
}
