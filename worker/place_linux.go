package worker

import (
	"bytes"
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

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/internal/contain"
	"github.com/runwrit/writ/internal/guard"
)

// place is where a run finds what it needs, and what it leaves behind. In the profile
// strict all of it is in memory that goes with the run; else there is a private folder.
type place struct {
	// folder is the private one; "" for none.
	folder string
	// home and temp are the folders that are the runbook's own, as it sees them, and
	// homeDir and tempDir the same ones as the gate does, if it does.
	home, temp, homeDir, tempDir string
	// content are the files that only the stage can put in their place.
	content *contain.Content
	// memory holds the script, unless the interpreter insists on a name.
	memory *os.File
	// document holds the parameters; nil for none.
	document *os.File
	// wrapped holds the script where bwrap puts it in its place.
	wrapped *os.File
	// script is the path that the interpreter is given.
	script string
}

// extra are the descriptors that the runbook gets after the three standard ones, and
// the path of the document among them; "" for none.
func (s *place) extra() (files []*os.File, document string) {
	if s.memory != nil {
		files = append(files, s.memory)
	}
	if s.document != nil {
		document = fmt.Sprintf("/dev/fd/%d", contain.FirstExtra+len(files))
		files = append(files, s.document)
	}
	return files, document
}

// memoryScript is the path under which the interpreter finds the sealed file: its
// first descriptor after the three standard ones.
const memoryScript = "/dev/fd/3"

// place prepares the run of p in a form. What it made is removed by remove.
func (w *Worker) place(p *plan, form contain.Form) (*place, error) {
	prepare := func(p *plan) (*place, error) { return w.privatePlace(p, form) }
	if form == contain.Namespaces {
		prepare = strictPlace
	}
	s, err := prepare(p)
	if err != nil || p.document == nil {
		return s, err
	}
	if s.document, err = contain.Sealed("writ-parameters", p.document); err != nil {
		return nil, errors.Join(&StartError{"put the parameters where the runbook reads them", err}, s.remove())
	}
	return s, nil
}

// privatePlace makes the private folder.
func (w *Worker) privatePlace(p *plan, form contain.Form) (*place, error) {
	if !filepath.IsAbs(w.tempDir) {
		return nil, &StartError{"make a private folder below TMPDIR", fmt.Errorf("%q is not an absolute path", w.tempDir)}
	}
	if err := guard.Folder(w.tempDir); err != nil {
		return nil, &StartError{"make a private folder below TMPDIR", err}
	}
	s := &place{script: memoryScript, folder: p.folder}
	if err := os.Mkdir(s.folder, 0o700); err != nil {
		return nil, &StartError{"make a private folder below TMPDIR", err}
	}
	if err := errors.Join(s.ownFolders(p.user), enterable(w.tempDir, p.user)); err != nil {
		return nil, errors.Join(&StartError{"make a private folder below TMPDIR", err}, s.remove())
	}
	var err error
	switch {
	case p.set != nil:
		if form != contain.Bubblewrap {
			err = notClimbable(p.kind, w.tempDir)
		}
		if err == nil {
			s.script, err = privateSet(filepath.Join(s.folder, "project"), p.set)
		}
	case form == contain.Bubblewrap:
		s.wrapped, err = contain.Sealed("writ-payload", p.payload)
	case languages[p.kind].byName:
		s.script, err = privateCopy(filepath.Join(s.folder, "script"), p.name, p.payload)
	default:
		s.memory, err = contain.Sealed("writ-payload", p.payload)
	}
	if err == nil && p.user.stranger() && s.memory == nil && s.wrapped == nil {
		err = s.showScript()
	}
	if form == contain.Bubblewrap {
		s.inside(p)
	}
	if err != nil {
		return nil, errors.Join(&StartError{"put the payload where the interpreter reads it", err}, s.remove())
	}
	return s, nil
}

// strictPlace gathers the files that the stage will put into the new root folder.
func strictPlace(p *plan) (*place, error) {
	content, err := contain.NewContent()
	if err != nil {
		return nil, &StartError{"put the payload where the interpreter reads it", err}
	}
	s := &place{home: contain.HomeDir, temp: contain.TempDir, content: content, script: path.Join(contain.RunbookDir, p.name)}
	if p.set == nil {
		err = content.Add(p.name, false, p.payload)
	} else {
		s.script = path.Join(contain.RunbookDir, p.set.Entry())
		for _, m := range p.set.Members() {
			if m.Problem() != "" {
				err = &fs.PathError{Op: "write", Path: m.Path(), Err: errors.New(m.Problem())}
			} else {
				m.View(func(data []byte) { err = content.Add(m.Path(), m.Executable(), data) })
			}
			if err != nil {
				break
			}
		}
	}
	if err != nil {
		return nil, errors.Join(&StartError{"put the payload where the interpreter reads it", err}, s.remove())
	}
	return s, nil
}

// stranger says that the account cannot use what belongs to the gate's.
func (u runUser) stranger() bool { return u.other && u.uid != 0 }

// ownFolders makes the folders that belong to the runbook, and to the account that it
// runs as.
func (s *place) ownFolders(u runUser) error {
	s.home, s.temp = filepath.Join(s.folder, "home"), filepath.Join(s.folder, "tmp")
	s.homeDir, s.tempDir = s.home, s.temp
	for _, dir := range []string{s.home, s.temp} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		if !u.stranger() {
			continue
		}
		if err := os.Chown(dir, int(u.uid), int(u.gid)); err != nil {
			return err
		}
	}
	if !u.stranger() {
		return nil
	}
	return os.Chmod(s.folder, 0o711) //nolint:gosec // others must get through to what is theirs
}

// enterable says that an account can get through a folder, and those above it, to what
// is its own. Only permission bits are looked at: what else forbids it shows in the run.
func enterable(dir string, u runUser) error {
	if !u.stranger() {
		return nil
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	for {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		owner, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("folder %q: whose it is cannot be told", dir)
		}
		need := fs.FileMode(0o001)
		switch {
		case owner.Uid == u.uid:
			need = 0o100
		case slices.Contains(u.groups, owner.Gid) || owner.Gid == u.gid:
			need = 0o010
		}
		if info.Mode().Perm()&need == 0 {
			return fmt.Errorf("the account %s, as which the runbook runs, cannot enter the folder %q: let it, or set TMPDIR to a folder that it can enter", u, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

// showScript lets another account read what is root's, and stays root's: it may read
// the script, and not change it.
func (s *place) showScript() error {
	top := strings.SplitN(strings.TrimPrefix(s.script, s.folder+"/"), "/", 2)[0]
	root, err := os.OpenRoot(filepath.Join(s.folder, top))
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // opened for reading only
	return fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		bits := info.Mode().Perm() & 0o500
		return root.Chmod(path, bits|bits>>3|bits>>6)
	})
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

// writeSecret puts a file into the home of the runbook that only its account can read.
func (s *place) writeSecret(path string, secret []byte, u runUser) error {
	if s.content != nil {
		return s.content.AddToHome(filepath.Base(path), secret)
	}
	f, err := os.OpenFile(filepath.Join(s.homeDir, filepath.Base(path)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return err
	}
	_, err = f.Write(secret)
	if u.stranger() {
		err = errors.Join(err, f.Chown(int(u.uid), int(u.gid)))
	}
	return errors.Join(err, f.Close())
}

// remove removes everything that place made, and what the runbook left in the
// private folder. It may be called once.
func (s *place) remove() error {
	for _, f := range []*os.File{s.memory, s.wrapped, s.document} {
		_ = f.Close() // opened for reading only, or nil
	}
	if s.content != nil {
		_ = s.content.Close() // it was written to by this process only
	}
	if s.folder == "" {
		return nil
	}
	return contain.RemoveAll(s.folder)
}
