package verifier

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runwrit/writ/internal/guard"
)

// TrustOptions say how strictly OpenTrust looks at the folder.
type TrustOptions struct {
	// Guarded refuses files and folders that anyone but root and the current
	// user may write, and a place where others could put another one, as a gate
	// must.
	Guarded bool
	// Unfilled accepts a folder in which there is no anchor yet: for whoever fills
	// it, and never for judging.
	Unfilled bool
}

// OpenTrust reads the trust store at dir: dir/<store>/<room>/<file>, and
// dir/<store>/settings, and dir/epoch. Symbolic links, files outside this layout and unknown rooms are refused with
// *TrustError; files whose names begin with a dot or are README.md are left out.
func OpenTrust(dir string, o TrustOptions) (*TrustStore, error) {
	// Opening a FIFO would wait for somebody to write to it.
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, &TrustError{dir, errors.New("not a folder")}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, &TrustError{dir, err}
	}
	defer func() { _ = root.Close() }() // opened for reading only
	if o.Guarded {
		if err := guard.Folder(dir + "/.."); err != nil {
			return nil, &TrustError{dir, err}
		}
	}
	w := &trustWalk{dir: dir, root: root, guarded: o.Guarded}
	err = fs.WalkDir(root.FS(), ".", w.visit)
	if err != nil {
		var te *TrustError
		if errors.As(err, &te) {
			return nil, te
		}
		return nil, &TrustError{dir, err}
	}
	if err := w.checkPins(); err != nil {
		return nil, err
	}
	store, err := NewTrust(w.files...)
	if err == nil && !o.Unfilled && !store.anchored() {
		return nil, &TrustError{dir, errors.New("holds no anchors: want <store>/x509-ca/*.pem, <store>/openpgp/*.asc or <store>/sigstore/*.pem")}
	}
	return store, err
}

// trustWalk gathers the files of a trust store.
type trustWalk struct {
	dir     string // for messages
	root    *os.Root
	guarded bool
	files   []TrustFile
	total   int64    // bytes
	pins    []string // the rooms for pins that are there
}

func (w *trustWalk) visit(path string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	info, err := w.root.Lstat(filepath.FromSlash(path))
	if err != nil {
		return err
	}
	if w.guarded {
		if err := guard.Entry(info); err != nil {
			return w.fail(path, err)
		}
	}
	parts := strings.Split(path, "/")
	switch {
	case path == ".":
		return nil
	case leftOut(d.Name()) && d.IsDir():
		return fs.SkipDir
	case leftOut(d.Name()):
		return nil
	case info.IsDir():
		if err := checkTrustFolder(parts); err != nil {
			return w.fail(path, err)
		}
		if len(parts) == 2 && slices.Contains(pinRooms, Room(parts[1])) {
			w.pins = append(w.pins, path)
		}
		return nil
	case !info.Mode().IsRegular():
		return w.fail(path, errors.New("not a regular file; links are refused"))
	case len(parts) != 3 && !isSettings(parts) && path != string(RoomEpoch):
		return w.fail(path, errors.New("not where a trust file belongs: <store>/<room>/<file>"))
	}
	if w.total += info.Size(); w.total > MaxTrustStoreSize || info.Size() > MaxTrustFileSize {
		return w.fail(path, errors.New("larger than a trust store may be"))
	}
	data, err := readTrustFile(w.root.Open(filepath.FromSlash(path)))
	if err != nil {
		return err
	}
	file := TrustFile{Room: RoomEpoch, Name: path, Data: data}
	if path != string(RoomEpoch) {
		file.Store, file.Room = parts[0], Room(parts[1])
	}
	w.files = append(w.files, file)
	return nil
}

// checkPins refuses a room for pins in which no file is read: whoever made it
// meant to narrow, and without pins every signer would get through.
func (w *trustWalk) checkPins() error {
	for _, room := range w.pins {
		if !slices.ContainsFunc(w.files, func(f TrustFile) bool { return f.Store+"/"+string(f.Room) == room }) {
			return w.fail(room, errors.New("a room for pins without a file would let every signer through: put the pins into it, or remove it"))
		}
	}
	return nil
}

func (w *trustWalk) fail(path string, err error) error {
	return &TrustError{filepath.Join(w.dir, path), err}
}

// ReadTrustFile reads one file of anchors that the user names, as part of a
// store without a name. A symbolic link is followed, unless o.Guarded refuses it
// together with files that others may write. It fails with *TrustError.
func ReadTrustFile(path string, room Room, o TrustOptions) (TrustFile, error) {
	stat := os.Stat
	if o.Guarded {
		stat = os.Lstat
	}
	info, err := stat(path)
	switch {
	case err != nil:
		return TrustFile{}, &TrustError{path, err}
	case !info.Mode().IsRegular():
		return TrustFile{}, &TrustError{path, errors.New("not a regular file")}
	case info.Size() > MaxTrustFileSize:
		return TrustFile{}, &TrustError{path, errors.New("larger than a trust store may be")}
	}
	if o.Guarded {
		if err := guard.Entry(info); err != nil {
			return TrustFile{}, &TrustError{path, err}
		}
		folder, _ := filepath.Split(path) // not filepath.Dir, which takes ".." out without looking
		if err := guard.Folder(cmp.Or(folder, ".")); err != nil {
			return TrustFile{}, &TrustError{path, err}
		}
	}
	data, err := readTrustFile(os.Open(path))
	if err != nil {
		return TrustFile{}, &TrustError{path, err}
	}
	return TrustFile{Room: room, Name: filepath.Base(path), Data: data}, nil
}

// ReadTrustFolder reads the files of a folder of anchors that the user names, as
// ReadTrustFile reads each. Files whose names begin with a dot or are README.md
// are left out; folders inside are refused, and so is a folder without files. It
// fails with *TrustError.
func ReadTrustFolder(dir string, room Room, o TrustOptions) ([]TrustFile, error) {
	if o.Guarded {
		info, err := os.Lstat(dir)
		if err == nil {
			err = guard.Entry(info) // nobody else may add a file
		}
		if err != nil {
			return nil, &TrustError{dir, err}
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, &TrustError{dir, err}
	}
	var files []TrustFile
	total := 0
	for _, e := range entries {
		if leftOut(e.Name()) {
			continue
		}
		f, err := ReadTrustFile(filepath.Join(dir, e.Name()), room, o)
		if err != nil {
			return nil, err
		}
		if total += len(f.Data); total > MaxTrustStoreSize || len(files) == MaxTrustFiles {
			return nil, &TrustError{dir, errors.New("larger than a trust store may be")}
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		return nil, &TrustError{dir, errors.New("a folder without files")}
	}
	return files, nil
}

// leftOut tells the names that mean nothing in a trust store.
func leftOut(name string) bool { return strings.HasPrefix(name, ".") || name == "README.md" }

// errAbsent is for a room that other builds have.
func errAbsent(room Room) error {
	return fmt.Errorf("this build of writ is without Sigstore: it does not honour %q, and does not ignore it", room)
}

// checkTrustFolder says why a folder has no place in a store; nil for one that
// has.
func checkTrustFolder(parts []string) error {
	if len(parts) < 2 {
		return nil
	}
	room := Room(parts[1])
	switch {
	case slices.Contains(absentRooms, room):
		return errAbsent(room)
	case !slices.Contains(rooms, room):
		return fmt.Errorf("unknown room %q: want one of %q", room, rooms)
	case len(parts) > 2:
		return errors.New("a folder inside a room")
	}
	return nil
}

func isSettings(parts []string) bool { return len(parts) == 2 && parts[1] == string(RoomSettings) }

func readTrustFile(f *os.File, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading only
	data, err := io.ReadAll(io.LimitReader(f, MaxTrustFileSize+1))
	if err != nil {
		return nil, err
	}
	return data, nil
}
