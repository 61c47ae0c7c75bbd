package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Limits of what is looked at.
const (
	maxLinks   = 40
	maxEntries = 200_000 // of one folder, and of what is inside of it
	maxDepth   = 16      // folders inside one another
)

// Errors about a place.
var (
	errTooMany    = errors.New("more entries than are looked at")
	errNotRegular = errors.New("not a regular file")
	errTooLarge   = errors.New("larger than is read")
	errLinks      = errors.New("too many symbolic links")
)

// host is the folder below which a host lies. Paths are those of the host,
// absolute and with slashes.
type host struct {
	ctx    context.Context
	dir    string
	root   *os.Root
	owner  func(fs.FileInfo) (uid, gid uint32, ok bool)
	users  map[uint32]string // names by number
	groups map[uint32]string
	unread func(where string, err error)
}

func (h *host) close() { _ = h.root.Close() } // opened for reading only

// place is where a path leads.
type place struct {
	path string   // without links
	via  []string // the folders whose entries lead there, links included
	info fs.FileInfo
}

// local is a path of the host as os.Root wants it.
func local(p string) string {
	if p = strings.TrimPrefix(path.Clean("/"+p), "/"); p == "" {
		return "."
	}
	return filepath.FromSlash(p)
}

// real is a path of the host as this machine knows it.
func (h *host) real(p string) string { return filepath.Join(h.dir, local(p)) }

// resolve follows the links of a path inside of the host, absolute ones too. It
// fails with fs.ErrNotExist if nothing is there, and place.via is known then as
// far as it leads.
func (h *host) resolve(p string) (place, error) {
	at := place{path: "/"}
	rest := strings.Split(strings.Trim(path.Clean("/"+p), "/"), "/")
	links := 0
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at.path = path.Dir(at.path)
			continue
		}
		if !slices.Contains(at.via, at.path) {
			at.via = append(at.via, at.path)
		}
		next := path.Join(at.path, name)
		info, err := h.root.Lstat(local(next))
		if err != nil {
			return at, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at.path = next
			continue
		}
		if links++; links > maxLinks {
			return at, errLinks
		}
		target, err := h.root.Readlink(local(next))
		if err != nil {
			return at, err
		}
		if target = filepath.ToSlash(target); strings.HasPrefix(target, "/") {
			at.path = "/"
		}
		rest = append(strings.Split(strings.Trim(target, "/"), "/"), rest...)
	}
	info, err := h.root.Lstat(local(at.path))
	at.info = info
	return at, err
}

// find is resolve for what may be missing: false if it is, or if it cannot be
// looked at, which is noted.
func (h *host) find(p string) (place, bool) {
	at, err := h.resolve(p)
	if err != nil {
		h.note(p, err)
		return at, false
	}
	return at, true
}

// note keeps an error that is not one of a missing file.
func (h *host) note(where string, err error) {
	if missing(err) {
		return
	}
	var pe *fs.PathError
	if errors.As(err, &pe) { // its path is below the root
		err = pe.Err
	}
	h.unread(where, err)
}

func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// open opens a regular file.
func (h *host) open(p string) (*os.File, place, error) {
	at, err := h.resolve(p)
	if err != nil {
		return nil, at, err
	}
	if !at.info.Mode().IsRegular() {
		return nil, at, errNotRegular
	}
	f, err := h.root.OpenFile(local(at.path), os.O_RDONLY|syscall.O_NONBLOCK, 0) // what became a FIFO meanwhile must not block
	if err != nil {
		return nil, at, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		_ = f.Close() // opened for reading only
		return nil, at, err
	}
	at.info = info
	return f, at, nil
}

// read reads a regular file of at most limit bytes.
func (h *host) read(p string, limit int64) ([]byte, place, error) {
	f, at, err := h.open(p)
	if err != nil {
		return nil, at, err
	}
	defer func() { _ = f.Close() }() // opened for reading only
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = errTooLarge
	}
	return data, at, err
}

// list returns the names in a folder, sorted; none if it is missing. What cannot
// be read is noted.
func (h *host) list(p string) []string {
	at, ok := h.find(p)
	if !ok || !at.info.IsDir() {
		return nil
	}
	f, err := h.root.Open(local(at.path))
	if err != nil {
		h.note(p, err)
		return nil
	}
	defer func() { _ = f.Close() }() // opened for reading only
	names, err := f.Readdirnames(maxEntries + 1)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		h.note(p, err)
	case len(names) > maxEntries:
		h.unread(p, errTooMany)
		names = names[:maxEntries]
	}
	slices.Sort(names)
	return names
}

// userName and groupName say who a number is, for people.
func (h *host) userName(uid uint32) string {
	if name := h.users[uid]; name != "" {
		return name
	}
	return fmt.Sprintf("the account with number %d", uid)
}

func (h *host) groupName(gid uint32) string {
	if name := h.groups[gid]; name != "" {
		return "the group " + name
	}
	return fmt.Sprintf("the group with number %d", gid)
}
