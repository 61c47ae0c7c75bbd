package worker

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/runwrit/writ/policy"
)

// Sandbox is what a runbook gets in the profile strict beside the system's own programs
// and settings. Its zero value is the strictest.
type Sandbox struct {
	// Read and Write are files and folders, absolute and there, that it can read, and
	// change.
	Read, Write []string
	Limits      Limits
	// Cgroup is the name of the control group below which each run gets its own, as it
	// stands in /proc/self/cgroup. If "", it is the gate's own group, if the host lets the
	// gate make groups there; if it is named, it must be had.
	Cgroup string
}

// Limits bound what one run may take. Where one is 0, that of DefaultLimits holds.
type Limits struct {
	Memory    int64         // bytes of all processes together in a control group, and of private memory of each, which is 256 MiB at least
	FileSize  int64         // bytes of one file
	Temp      int64         // bytes of each of home, temporary folder and shared memory
	Processes int           // all processes together, threads included; without user namespaces those of their user
	OpenFiles int           // of one process
	CPU       time.Duration // of one process; 0 is no limit but that of the run
}

// DefaultLimits are those of a run for which none are configured.
func DefaultLimits() Limits {
	return Limits{Memory: 4 << 30, FileSize: 1 << 30, Temp: 256 << 20, Processes: 1024, OpenFiles: 4096}
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	for _, limit := range []struct{ own, other *int64 }{{&l.Memory, &d.Memory}, {&l.FileSize, &d.FileSize}, {&l.Temp, &d.Temp}} {
		if *limit.own == 0 {
			*limit.own = *limit.other
		}
	}
	for _, limit := range []struct{ own, other *int }{{&l.Processes, &d.Processes}, {&l.OpenFiles, &d.OpenFiles}} {
		if *limit.own == 0 {
			*limit.own = *limit.other
		}
	}
	return l
}

// ownOfStrict are folders that a runbook in strict has its own of.
var ownOfStrict = []string{"/dev", "/proc", "/run", "/tmp"}

// SandboxError says that Options.Sandbox makes no sense.
type SandboxError struct{ Reason string }

func (e *SandboxError) Error() string { return "sandbox: " + e.Reason }

func (s Sandbox) check() error {
	for _, path := range slices.Concat(s.Read, s.Write) {
		if !filepath.IsAbs(path) || filepath.Clean(path) != path || path == "/" {
			return &SandboxError{fmt.Sprintf("path %q: want a clean absolute path below the root folder", path)}
		}
		if slices.Contains(ownOfStrict, path) {
			return &SandboxError{fmt.Sprintf("path %q: strict has its own: want what the runbooks need of it", path)}
		}
	}
	l := s.Limits
	if l.Memory < 0 || l.FileSize < 0 || l.Temp < 0 || l.Processes < 0 || l.OpenFiles < 0 || l.CPU < 0 {
		return &SandboxError{"a limit is negative"}
	}
	return nil
}

// defaultSandbox is the profile of a run whose policy names none.
const defaultSandbox = policy.SandboxStandard

// profiles are those that may confine the run, in the order of preference.
func profiles(o policy.Obligations) ([]string, error) {
	if len(o.Sandbox) == 0 {
		return []string{defaultSandbox}, nil
	}
	for _, p := range o.Sandbox {
		switch p {
		case policy.SandboxStrict, policy.SandboxStandard, policy.SandboxNone:
		default:
			return nil, &ObligationError{"sandbox", p, "this worker knows no such profile"}
		}
	}
	return o.Sandbox, nil
}
