package policy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runwrit/writ/internal/guard"
	"github.com/runwrit/writ/internal/strictyaml"
)

// File is one file of a policy.
type File struct {
	Name string // inside the policy folder
	Data []byte
}

// LoadOptions say how strictly Load and Check look at the folder.
type LoadOptions struct {
	// Guarded refuses a folder and files that anyone but root and the current
	// user may write, and a place where others could put another folder, as a
	// gate must.
	Guarded bool
}

// TestsFile is the name of the file in a policy folder that says, as data, what
// the policy must decide.
const TestsFile = "tests.yaml"

// IsTest says whether a file of this name in a policy folder is a test: then it
// takes no part in decisions.
func IsTest(name string) bool {
	return name == TestsFile || strings.HasSuffix(name, "_test.rego")
}

// ReadFolder reads grants.yaml, the .rego files and the tests of a policy folder.
// It is flat; files that begin with a dot and README.md are left out, everything
// else is refused, so that nothing in the folder is quietly without effect. It
// fails as Load does.
func ReadFolder(dir string, o LoadOptions) (Source, error) {
	// Opening a FIFO would wait for somebody to write to it.
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return Source{}, &FolderError{dir, errors.New("not a folder")}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Source{}, &FolderError{dir, err}
	}
	defer func() { _ = root.Close() }() // opened for reading only
	if o.Guarded {
		if err := guard.Folder(dir + "/.."); err != nil {
			return Source{}, &FolderError{dir, err}
		}
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err := first(checkGuard(root, ".", o), err); err != nil {
		return Source{}, &FolderError{dir, err}
	}
	var src Source
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || name == "README.md" {
			continue
		}
		at := filepath.Join(dir, name)
		limit := MaxRegoSize
		switch {
		case name == GrantsFile:
			if limit = MaxGrantsSize; o.Guarded {
				limit = MaxGateGrantsSize
			}
		case name == TestsFile:
			limit = MaxTestsSize
		case path.Ext(name) != ".rego":
			return Source{}, &SyntaxError{[]*FileError{{File: name, Msg: "does not belong in a policy folder: want " + GrantsFile + ", *.rego, " + TestsFile + ", README.md"}}}
		case len(src.Rego)+len(src.Tests) >= MaxRegoFiles:
			return Source{}, &SyntaxError{[]*FileError{{File: name, Msg: fmt.Sprintf("more than %d .rego files", MaxRegoFiles)}}}
		}
		if err := checkGuard(root, name, o); err != nil {
			return Source{}, &FolderError{at, err}
		}
		data, err := readPolicyFile(root, name, limit)
		if err != nil {
			return Source{}, &FolderError{at, err}
		}
		switch {
		case name == GrantsFile:
			if o.Guarded && tooMuch(data) {
				return Source{}, &FolderError{at, ErrTooLarge}
			}
			src.Grants = data
		case IsTest(name):
			src.Tests = append(src.Tests, File{Name: name, Data: data})
		default:
			src.Rego = append(src.Rego, File{Name: name, Data: data})
		}
	}
	if src.Grants == nil {
		return Source{}, &SyntaxError{[]*FileError{{File: GrantsFile, Msg: "is missing in the policy folder: without rules nothing could ever be allowed"}}}
	}
	for _, list := range [][]File{src.Rego, src.Tests} {
		slices.SortFunc(list, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	}
	return src, nil
}

// ErrTooLarge says that grants.yaml is too large to be read at each run.
var ErrTooLarge = errors.New("too large to be read at each run: build a bundle of the folder, and activate that")

// tooMuch says whether to read data as YAML would keep a gate busy.
func tooMuch(data []byte) bool {
	t := strictyaml.Tree{MaxSize: MaxGateGrantsSize, MaxMarks: maxGateGrantsMarks}
	return t.TooMuch(data)
}

func checkGuard(root *os.Root, name string, o LoadOptions) error {
	if !o.Guarded {
		return nil
	}
	info, err := root.Lstat(name)
	if err == nil {
		err = guard.Entry(info)
	}
	return err
}

// first returns the first error that is one.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// readPolicyFile reads at most one byte more than limit: the parsers say what
// is too long.
func readPolicyFile(root *os.Root, name string, limit int) ([]byte, error) {
	info, err := root.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file; links and folders are refused")
	}
	if err != nil {
		return nil, err
	}
	f, opening := root.Open(name)
	defer func() { _ = f.Close() }() // opened for reading only
	opened, asking := f.Stat()
	data, reading := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	return data, first(opening, asking, sameFile(info, opened), reading)
}

func sameFile(seen, opened fs.FileInfo) error {
	if os.SameFile(seen, opened) {
		return nil
	}
	return errors.New("was replaced while it was read")
}
