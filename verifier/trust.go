package verifier

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runwrit/writ/internal/guard"
	"github.com/runwrit/writ/runbook"
)

// Limits of a trust store.
const (
	MaxTrustFiles     = 10_000
	MaxTrustFileSize  = 64 << 20
	MaxTrustStoreSize = 256 << 20
)

// Room is a folder of a trust store: what kind of anchors its files hold.
type Room string

// The rooms that this version reads.
const (
	RoomX509CA  Room = "x509-ca" // roots, and intermediates that complete chains: PEM or DER
	RoomOpenPGP Room = "openpgp" // certificates: armored, binary, or a GnuPG keybox
)

// laterRooms belong to the layout of a trust store, and this version cannot
// honour them. Ignoring a deny list or a CRL would be a silent yes.
var laterRooms = []Room{"x509-pins", "sigstore", "tsa", "crl", "deny"}

// TrustFile is one file of anchors, unparsed: each format reads its own.
type TrustFile struct {
	Store string // name of the store it belongs to
	Room  Room
	Name  string // for messages
	Data  []byte
}

// TrustError says that a trust store cannot be used. It is never a fact about a
// runbook: it is for the operator to mend.
type TrustError struct {
	Path string
	Err  error
}

func (e *TrustError) Error() string { return fmt.Sprintf("trust store %q: %v", e.Path, e.Err) }

// Unwrap returns the cause.
func (e *TrustError) Unwrap() error { return e.Err }

// TrustStore is an immutable set of trust anchors. The system's own roots are
// never part of it.
type TrustStore struct {
	files  []TrustFile
	digest runbook.Digest
}

// TrustOptions say how strictly OpenTrust looks at the folder.
type TrustOptions struct {
	// Guarded refuses files and folders that anyone but root and the current
	// user may write, and a place where others could put another one, as a gate
	// must.
	Guarded bool
}

// NewTrust makes a trust store of the given files, which it copies. It fails
// with *TrustError for an unknown room, an empty file or a limit passed.
func NewTrust(files ...TrustFile) (*TrustStore, error) {
	t := &TrustStore{}
	total := 0
	for _, f := range files {
		total += len(f.Data)
		switch {
		case f.Room != RoomX509CA && f.Room != RoomOpenPGP:
			return nil, &TrustError{f.Name, fmt.Errorf("unknown room %q", f.Room)}
		case len(f.Data) == 0:
			return nil, &TrustError{f.Name, errors.New("the file is empty")}
		case len(t.files) == MaxTrustFiles:
			return nil, &TrustError{f.Name, fmt.Errorf("more than %d files", MaxTrustFiles)}
		case len(f.Data) > MaxTrustFileSize, total > MaxTrustStoreSize:
			return nil, &TrustError{f.Name, errors.New("larger than a trust store may be")}
		}
		f.Data = slices.Clone(f.Data)
		t.files = append(t.files, f)
	}
	slices.SortFunc(t.files, func(a, b TrustFile) int {
		return cmp.Or(cmp.Compare(a.Store, b.Store), cmp.Compare(a.Room, b.Room), cmp.Compare(a.Name, b.Name), slices.Compare(a.Data, b.Data))
	})
	t.digest = digestFiles(t.files)
	return t, nil
}

// digestFiles hashes store, room, name and content of each file, each with its
// length before it, so that no two stores share a digest.
func digestFiles(files []TrustFile) runbook.Digest {
	h := sha256.New()
	var n [8]byte
	for _, f := range files {
		for _, part := range [][]byte{[]byte(f.Store), []byte(f.Room), []byte(f.Name), f.Data} {
			binary.BigEndian.PutUint64(n[:], uint64(len(part)))
			h.Write(n[:])
			h.Write(part)
		}
	}
	return runbook.Digest(h.Sum(nil))
}

// Files returns the files of one room. Their data must not be changed.
func (t *TrustStore) Files(room Room) []TrustFile {
	var files []TrustFile
	for _, f := range t.files {
		if f.Room == room {
			files = append(files, f)
		}
	}
	return files
}

// Digest identifies the content of the store; it goes into every decision.
func (t *TrustStore) Digest() runbook.Digest { return t.digest }

// OpenTrust reads the trust store at dir: dir/<store>/<room>/<file>. Symbolic
// links, files outside this layout and unknown rooms are refused with
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
	var files []TrustFile
	var total int64
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := root.Lstat(filepath.FromSlash(path))
		if err != nil {
			return err
		}
		if o.Guarded {
			if err := guard.Entry(info); err != nil {
				return &TrustError{filepath.Join(dir, path), err}
			}
		}
		if path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "README.md") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		parts := strings.Split(path, "/")
		if info.IsDir() {
			return checkTrustFolder(parts)
		}
		if !info.Mode().IsRegular() {
			return &TrustError{filepath.Join(dir, path), errors.New("not a regular file; links are refused")}
		}
		if len(parts) != 3 {
			return &TrustError{filepath.Join(dir, path), errors.New("not where a trust file belongs: <store>/<room>/<file>")}
		}
		if total += info.Size(); total > MaxTrustStoreSize || info.Size() > MaxTrustFileSize {
			return &TrustError{filepath.Join(dir, path), errors.New("larger than a trust store may be")}
		}
		data, err := readTrustFile(root.Open(filepath.FromSlash(path)))
		if err != nil {
			return err
		}
		files = append(files, TrustFile{Store: parts[0], Room: Room(parts[1]), Name: path, Data: data})
		return nil
	})
	if err != nil {
		var te *TrustError
		if errors.As(err, &te) {
			return nil, te
		}
		return nil, &TrustError{dir, err}
	}
	if len(files) == 0 {
		return nil, &TrustError{dir, errors.New("holds no anchors: want <store>/x509-ca/*.pem or <store>/openpgp/*.asc")}
	}
	return NewTrust(files...)
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

func checkTrustFolder(parts []string) error {
	if len(parts) < 2 {
		return nil
	}
	room := Room(parts[1])
	name := strings.Join(parts, "/")
	switch {
	case slices.Contains(laterRooms, room):
		return &TrustError{name, fmt.Errorf("this version of writ does not honour %q yet, and does not ignore it", room)}
	case room != RoomX509CA && room != RoomOpenPGP:
		return &TrustError{name, fmt.Errorf("unknown room %q: want %s or %s", room, RoomX509CA, RoomOpenPGP)}
	case len(parts) > 2:
		return &TrustError{name, errors.New("a folder inside a room")}
	}
	return nil
}

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
