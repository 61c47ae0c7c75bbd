// Package approvals reads the folder in which the statements about runbooks lie,
// has those that are about one runbook verified, and says in the words of a policy
// what they are.
//
// It decides nothing: a statement that is broken, expired or by a stranger is a
// fact like any other. What it cannot read does not count, and keeps no other
// statement from counting.
package approvals

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/runwrit/writ/internal/guard"
	"github.com/runwrit/writ/runbook"
)

// Limits of a folder.
const (
	MaxFiles = 2_000
	// MaxSize is the largest statement with its signatures, in bytes.
	MaxSize = 512 << 10
	// MaxTotal is how much of a folder is read, in bytes: the smallest files of it.
	MaxTotal = 64 << 20
)

// File is one file of a folder.
type File struct {
	Name string
	Data []byte
}

// Folder holds the statements of a folder as they were read. The nil Folder is
// empty.
type Folder struct {
	files []File
	notes []string
}

// Options say how strictly Read looks at a folder.
type Options struct {
	// Guarded refuses a folder that others than root and the current user may
	// write or replace, and leaves out files that they may write.
	Guarded bool
}

// FolderError says that a folder of statements cannot be read.
type FolderError struct {
	Path string
	Err  error
}

func (e *FolderError) Error() string { return fmt.Sprintf("statements in %q: %v", e.Path, e.Err) }

// Unwrap returns the cause.
func (e *FolderError) Unwrap() error { return e.Err }

// Read reads the statements in dir, which is flat. It fails with *FolderError if
// the folder cannot be read, is not guarded, or holds too many files. A file that
// cannot be used is left out, with a note.
func Read(dir string, o Options) (*Folder, error) {
	f, err := read(dir, o)
	if err != nil {
		return nil, &FolderError{dir, err}
	}
	return f, nil
}

// FromFiles are statements that were read from elsewhere, such as a bundle.
func FromFiles(files []File) *Folder {
	f := &Folder{}
	for _, file := range files {
		f.add(file)
	}
	return f
}

// Join puts folders together.
func Join(folders ...*Folder) *Folder {
	all := &Folder{}
	for _, f := range folders {
		if f != nil {
			all.files = append(all.files, f.files...)
			all.notes = append(all.notes, f.notes...)
		}
	}
	return all
}

// Notes says which files were left out.
func (f *Folder) Notes() []string {
	if f == nil {
		return nil
	}
	return slices.Clone(f.notes)
}

func (f *Folder) note(name, format string, args ...any) {
	f.notes = append(f.notes, fmt.Sprintf("%q is left out of the statements: %s", name, fmt.Sprintf(format, args...)))
}

func (f *Folder) add(file File) {
	switch {
	case runbook.KindOf(file.Name) != runbook.Statement:
		f.note(file.Name, "its name does not end in %s or %s", runbook.StatementExt, runbook.StatementExt+runbook.SignatureExt)
	case !shown(file.Name): // no report could name it, and no decision take it
		f.note(file.Name, "its name holds a character that cannot be printed, or that hides others")
	case len(file.Data) > MaxSize:
		f.note(file.Name, "it has more than %d bytes", MaxSize)
	default:
		f.files = append(f.files, file)
	}
}

// shown says that a name can be shown as what it is.
func shown(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError })
}

func read(dir string, o Options) (*Folder, error) {
	// Opening a FIFO would wait for somebody to write to it.
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, errors.New("not a folder")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // opened for reading only
	if o.Guarded {
		if err := guard.Folder(filepath.Clean(dir) + "/.."); err != nil {
			return nil, err
		}
		info, err := root.Lstat(".")
		if err != nil {
			return nil, err
		}
		if err := guard.Entry(info); err != nil {
			return nil, err
		}
	}
	names, err := list(root)
	if err != nil {
		return nil, err
	}
	f := &Folder{}
	tooMuch := overTotal(root, names)
	for _, name := range names {
		if tooMuch[name] {
			f.note(name, "the smaller ones have %d bytes already: move away what has expired", MaxTotal)
			continue
		}
		data, err := readFile(root, name, o)
		if err != nil {
			f.note(name, "%v", err)
			continue
		}
		f.add(File{Name: name, Data: data})
	}
	return f, nil
}

// list returns the names in a folder, sorted, but for those that begin with a dot
// and for README.md.
func list(root *os.Root) ([]string, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }() // opened for reading only
	names, err := dir.Readdirnames(MaxFiles + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(names) > MaxFiles {
		return nil, fmt.Errorf("more than %d files: move away what has expired", MaxFiles)
	}
	slices.Sort(names)
	return slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, ".") || name == "README.md" }), nil
}

// overTotal are the files that are left, where all are more than MaxTotal: those that
// are much larger than statements are keep none of these from counting.
func overTotal(root *os.Root, names []string) map[string]bool {
	sizes := make(map[string]int64, len(names))
	for _, name := range names {
		if info, err := root.Lstat(name); err == nil && info.Mode().IsRegular() {
			sizes[name] = min(info.Size(), MaxSize+1) // what is read of it
		}
	}
	var total int64
	left := map[string]bool{}
	for _, name := range slices.SortedStableFunc(slices.Values(names), func(a, b string) int { return cmp.Compare(sizes[a], sizes[b]) }) {
		total += sizes[name]
		left[name] = total > MaxTotal
	}
	return left
}

// readFile reads at most one byte more than MaxSize.
func readFile(root *os.Root, name string, o Options) ([]byte, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file; links and folders are not followed")
	}
	if o.Guarded {
		if err := guard.Entry(info); err != nil {
			return nil, err
		}
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // opened for reading only
	opened, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(info, opened) {
		return nil, errors.New("it was replaced while it was read")
	}
	return io.ReadAll(io.LimitReader(file, MaxSize+1))
}
