// Package contain starts a process in a containment and ends it together with
// everything that it started.
//
// The process is not started by the caller but by a stage: the caller's own program,
// executed again under another name, which is told what to do through a socket that
// only the two of them hold. The stage makes the containment around itself, says so,
// and waits; only when it is told to go does it start the process, from one thread that
// has given its rights up. The stage itself keeps its rights, and is the parent of
// whatever the process leaves behind.
//
// There are two forms. In the form Namespaces the stage is the first process of a PID
// namespace, with mounts and a root folder of its own: when it ends, the kernel has
// ended all that was in there. In the form Subreaper nothing but the parentage holds
// the processes together: the stage stops and kills all its descendants until none is
// left. Either way the death of the caller ends the job.
//
// What it does not promise: the network is left alone. In the form Subreaper a process
// that the caller may not signal, such as one that sudo has started, cannot be ended;
// and a process that is neither confined nor of another user than the stage can kill
// the stage, and what has left the stage's session then lives on. Linux only: elsewhere
// Begin fails with ErrSystem.
package contain

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Form is how the processes of a job are held together.
type Form string

// The forms. The zero value is none and is refused.
const (
	Namespaces Form = "namespaces"
	Subreaper  Form = "subreaper"
	Bubblewrap Form = "bubblewrap"
)

// Where a process in the form Namespaces finds what is its own.
const (
	// RunbookDir holds the files of Spec.Files; nobody can write there.
	RunbookDir = "/run/writ/runbook"
	// HomeDir and TempDir are empty at first, and gone with the process.
	HomeDir = "/run/writ/home"
	TempDir = "/tmp"
)

// FirstExtra is the number of the first descriptor of IO.Extra in the process.
const FirstExtra = 3

// Bounds of what a stage takes.
const (
	MaxSpec    = 16 << 20 // bytes of the specification
	MaxFiles   = 10_001
	MaxContent = 128 << 20 // bytes of all files
	MaxExtra   = 16
	maxStrings = 100_000 // arguments, variables, paths: of each
)

// Spec says what is to be started, and how it is contained.
type Spec struct {
	Form Form `json:"form"`

	// Program is the absolute path of what is executed, Arguments what it is given,
	// its own name first.
	Program     string   `json:"program"`
	Arguments   []string `json:"arguments"`
	Environment []string `json:"environment"`
	// Dir is the working directory, absolute.
	Dir string `json:"dir"`
	// User is who it runs as; nil for the user of the stage.
	User *User `json:"user,omitempty"`

	// NoNewPrivs keeps it from gaining rights by what it executes (sudo), and takes
	// the capabilities and the system calls away that no job needs.
	NoNewPrivs bool   `json:"no_new_privs"`
	Limits     Limits `json:"limits"`

	// Files are put below RunbookDir, Read and Write are the folders and files of the
	// host that are shown beside the system's own, at the same place. They belong to
	// the form Namespaces.
	Files []File   `json:"files,omitempty"`
	Read  []string `json:"read,omitempty"`
	Write []string `json:"write,omitempty"`

	// Wrap belongs to the form Bubblewrap.
	Wrap *Wrap `json:"wrap,omitempty"`

	// Scratch is a folder that the stage removes if the caller dies; "" for none. In the
	// forms Namespaces and Bubblewrap the stage does not see it.
	Scratch string `json:"scratch,omitempty"`
	// Extra is the number of the descriptors that are passed on after the first three.
	// Begin sets it.
	Extra int `json:"extra"`
}

// User is an account by its numbers.
type User struct {
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups"` // the supplementary ones
}

// Limits bound what the processes of a job may take; 0 for no bound.
type Limits struct {
	Processes uint64 `json:"processes"`  // of the user, threads included
	FileSize  uint64 `json:"file_size"`  // bytes of one file
	OpenFiles uint64 `json:"open_files"` // of one process
	CPU       uint64 `json:"cpu"`        // seconds of one process
	Data      uint64 `json:"data"`       // bytes of one process
	Temp      uint64 `json:"temp"`       // bytes of each of home, temporary folder and shared memory
}

// File is one file of a job. The contents of all lie one after the other in a sealed
// memory file.
type File struct {
	Path       string `json:"path"` // below RunbookDir, with slashes
	Home       bool   `json:"home"` // below HomeDir instead, and only the process's own user may read it
	Executable bool   `json:"executable"`
	Size       int64  `json:"size"`
	SHA256     string `json:"sha256"` // hexadecimal
}

// Status is how a process ended.
type Status struct {
	// Code is its exit code, -1 if a signal ended it.
	Code int
	// Signal is the number of the signal that ended it, 0 for none.
	Signal int
	// Left counts the processes that could not be ended.
	Left int
	// Lost says that the stage was ended, too, and that Code and Signal are not what
	// it reported. Processes in the form Subreaper may have lived on.
	Lost bool
}

// ErrSystem says that nothing can be contained on this operating system.
var ErrSystem = errors.New("processes can be contained on linux only")

// UnavailableError says that this host cannot give the containment that was asked for.
// Nothing was started.
type UnavailableError struct {
	// Step is what was being done.
	Step   string
	Reason string
}

func (e *UnavailableError) Error() string { return e.Step + ": " + e.Reason }

// SpecError says that a specification makes no sense.
type SpecError struct{ Reason string }

func (e *SpecError) Error() string { return "specification of the containment: " + e.Reason }

func specError(format string, args ...any) error { return &SpecError{fmt.Sprintf(format, args...)} }

// check refuses what a stage could not do, or would do otherwise than it was meant.
func (s *Spec) check() error {
	switch {
	case s.Form != Namespaces && s.Form != Subreaper && s.Form != Bubblewrap:
		return specError("there is no form %q", s.Form)
	case !cleanPath(s.Program):
		return specError("program %q: want an absolute path", s.Program)
	case len(s.Arguments) == 0:
		return specError("the program is given no name")
	case !cleanPath(s.Dir):
		return specError("working directory %q: want an absolute path", s.Dir)
	case s.Extra < 0 || s.Extra > MaxExtra:
		return specError("%d extra descriptors, want at most %d", s.Extra, MaxExtra)
	case s.Scratch != "" && (!cleanPath(s.Scratch) || s.Scratch == "/"):
		return specError("scratch folder %q: want an absolute path", s.Scratch)
	case (s.Form == Bubblewrap) != (s.Wrap != nil):
		return specError("the form %s needs to know what to wrap, and no other one does", Bubblewrap)
	case s.Form != Namespaces && len(s.Files)+len(s.Read)+len(s.Write) > 0:
		return specError("files can be shown in the form %s only", Namespaces)
	}
	for what, list := range map[string][]string{"arguments": s.Arguments, "environment": s.Environment, "read": s.Read, "write": s.Write} {
		if len(list) > maxStrings {
			return specError("%s: more than %d", what, maxStrings)
		}
		for _, text := range list {
			if strings.ContainsRune(text, 0) {
				return specError("%s: %q holds a NUL character", what, text)
			}
		}
	}
	for _, path := range append(append([]string{}, s.Read...), s.Write...) {
		if !cleanPath(path) || path == "/" {
			return specError("path %q: want an absolute path below the root folder", path)
		}
	}
	if s.Wrap != nil {
		if err := s.Wrap.check(); err != nil {
			return err
		}
	}
	return checkFiles(s.Files)
}

func checkFiles(files []File) error {
	if len(files) > MaxFiles {
		return specError("more than %d files", MaxFiles)
	}
	seen := make(map[string]bool, len(files))
	var total int64
	for _, f := range files {
		clean := filepath.IsLocal(f.Path) && filepath.Clean(f.Path) == f.Path && f.Path != "." && !strings.ContainsRune(f.Path, 0)
		if !clean || seen[f.Path] || f.Home && f.Executable {
			return specError("file %q: not a clean path below the folder, or there twice", f.Path)
		}
		seen[f.Path] = true
		if f.Size < 0 || f.Size > MaxContent-total {
			return specError("file %q: its size is %d, and all may have %d together", f.Path, f.Size, MaxContent)
		}
		total += f.Size
	}
	return nil
}

// cleanPath says that a path is absolute and names one place in one way.
func cleanPath(path string) bool {
	return filepath.IsAbs(path) && filepath.Clean(path) == path && !strings.ContainsRune(path, 0)
}
