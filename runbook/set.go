package runbook

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Limits of a set.
const (
	// MaxMembers is how many files a set may have.
	MaxMembers = 10_000
	// MaxSetSize is the size of all files of a set together, in bytes.
	MaxSetSize = 64 << 20
)

// ManifestName is the name of a manifest's text; the file that holds it, signed,
// has SignatureExt behind it.
const ManifestName = "writ.manifest"

// ManifestHeader is the first line of the text of a manifest. No runbook begins
// with it: a text that does is a list of files, whatever its name.
const ManifestHeader = "writ-manifest/v1"

// AppendManifestLine appends the line of one file to the text of a manifest:
// digest, mode and path. Lines are sorted by the bytes of the path.
func AppendManifestLine(dst []byte, digest Digest, executable bool, path string) []byte {
	mode := "0644"
	if executable {
		mode = "0755"
	}
	return fmt.Appendf(dst, "%x %s %s\n", digest[:], mode, path)
}

// Member is one file of a Set: its bytes, or why there are none. It is immutable.
type Member struct {
	path       string
	executable bool
	problem    string
	digest     Digest
	data       []byte
}

// ReadMember reads all of r as the file at path, to at most MaxSize bytes. It
// fails with *SizeError, or the error of r.
func ReadMember(path string, executable bool, r io.Reader, expected int64) (Member, error) {
	data, err := readAll(path, r, expected)
	if err != nil {
		return Member{}, err
	}
	return Member{path: path, executable: executable, digest: DigestOf(data), data: data}, nil
}

// AbsentMember stands for a file of which there are no bytes; problem says why.
func AbsentMember(path, problem string) Member { return Member{path: path, problem: problem} }

// Path is relative to the project's folder, with slashes.
func (m Member) Path() string { return m.path }

// Executable says that the file may be executed.
func (m Member) Executable() bool { return m.executable }

// WithMode returns the member with another mode: a file need not have the one in
// its folder that it is to run with.
func (m Member) WithMode(executable bool) Member {
	m.executable = executable
	return m
}

// Problem says why there are no bytes; "" if there are.
func (m Member) Problem() string { return m.problem }

// Digest is the SHA-256 of the bytes, zero if there are none.
func (m Member) Digest() Digest { return m.digest }

// Size is the number of bytes.
func (m Member) Size() int { return len(m.data) }

// Alone returns the member as a runbook that stands by itself. It fails with
// ErrName for one that has no plain name.
func (m Member) Alone() (*Runbook, error) {
	name := path.Base(m.path)
	if err := checkName(name); err != nil {
		return nil, err
	}
	return &Runbook{name: name, kind: KindOf(name), digest: func() Digest { return m.digest }, data: m.data}, nil
}

// View calls f with the bytes themselves. f must not change them.
func (m Member) View(f func(data []byte)) { f(m.data) }

// Set is the files of a project as they were read, each once, together with the
// document that is to list them. It says nothing about whether the document does.
type Set struct {
	manifest []byte
	entry    string
	members  []Member
}

// ErrSet says that files do not make up a set.
var ErrSet = errors.New("not a set of files")

// NewSet returns the runbook that is the member at entry, with its set: location is
// where it lay, as Path has it, and manifest the signed document that is to list
// the members. It fails with ErrSet for paths
// that are odd or come twice, and for an entry without bytes, with ErrName for an
// entry that has no plain name, with *SizeError for a set that is too large.
func NewSet(location string, manifest []byte, entry string, members []Member) (*Runbook, error) {
	if len(members) > MaxMembers {
		return nil, fmt.Errorf("%d files, the limit is %d: %w", len(members), MaxMembers, ErrSet)
	}
	s := &Set{manifest: slices.Clone(manifest), entry: entry, members: slices.Clone(members)}
	slices.SortFunc(s.members, func(a, b Member) int { return strings.Compare(a.path, b.path) })
	total := 0
	for i, m := range s.members {
		if !fs.ValidPath(m.path) || m.path == "." || strings.ContainsAny(m.path, "\\\x00") || i > 0 && s.members[i-1].path == m.path {
			return nil, fmt.Errorf("the path %q: %w", m.path, ErrSet)
		}
		if total += len(m.data); total > MaxSetSize {
			return nil, fmt.Errorf("more than %d bytes in all: %w", MaxSetSize, ErrSet)
		}
	}
	self, ok := s.Member(entry)
	if !ok || self.problem != "" {
		return nil, fmt.Errorf("there is no file %q in it: %w", entry, ErrSet)
	}
	name := path.Base(entry)
	if err := checkName(name); err != nil {
		return nil, err
	}
	return &Runbook{
		name: name, path: location, kind: KindOf(name), digest: func() Digest { return self.digest }, data: self.data,
		sidecars: s.sidecars(), set: s,
	}, nil
}

// sidecars are those of the entry, as ReadFileWithSidecars would find them.
func (s *Set) sidecars() []Sidecar {
	if IsSidecarName(s.entry) {
		return nil
	}
	var found []Sidecar
	for _, ext := range sidecarExts {
		m, ok := s.Member(s.entry + ext)
		if !ok || ext == SignatureExt && bytes.HasPrefix(m.data, []byte(clearSigned)) {
			continue
		}
		sidecar := Sidecar{Name: path.Base(m.path), Data: m.data, Refused: m.problem}
		if len(m.data) > MaxSidecar {
			sidecar.Data, sidecar.Refused = nil, tooLargeSidecar
		}
		found = append(found, sidecar)
	}
	return found
}

// Set returns the set that the runbook is a part of, nil for none.
func (r *Runbook) Set() *Set { return r.set }

// Alone returns the runbook without its set.
func (r *Runbook) Alone() *Runbook {
	alone := *r
	alone.set = nil
	return &alone
}

// Manifest returns a copy of the signed document.
func (s *Set) Manifest() []byte { return slices.Clone(s.manifest) }

// Entry is the path of the runbook in its set, "" for no set.
func (s *Set) Entry() string {
	if s == nil {
		return ""
	}
	return s.entry
}

// Members returns the files, sorted by path.
func (s *Set) Members() []Member { return slices.Clone(s.members) }

// Member returns the file at path.
func (s *Set) Member(path string) (Member, bool) {
	i, found := slices.BinarySearchFunc(s.members, path, func(m Member, p string) int { return strings.Compare(m.path, p) })
	if !found {
		return Member{}, false
	}
	return s.members[i], true
}

// Digest identifies the set: it is the SHA-256 of the text of a manifest that
// lists exactly these files, taken of their bytes anew. It is zero for no set, and
// for one that lacks a file.
func (s *Set) Digest() Digest {
	if s == nil || len(s.members) == 0 {
		return Digest{}
	}
	h := sha256.New()
	h.Write([]byte(ManifestHeader + "\n"))
	var line []byte
	for _, m := range s.members {
		if m.problem != "" {
			return Digest{}
		}
		line = AppendManifestLine(line[:0], DigestOf(m.data), m.executable, m.path)
		h.Write(line)
	}
	return Digest(h.Sum(nil))
}
