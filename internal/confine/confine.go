// Package confine takes rights away from the thread that calls it, and from every
// process that this thread starts afterwards: new privileges, capabilities, system
// calls, files.
//
// What it promises holds for one thread. The caller locks a goroutine to its thread
// (runtime.LockOSThread), takes the rights away, starts the interpreter from that
// goroutine, and never unlocks it, so that the thread ends with the goroutine. The
// other threads of the process keep what they had: they watch over the job and clean
// up after it. Limits, OOMScore and NotDumpable are the exceptions, since the kernel
// knows these for whole processes only.
//
// A process that runs as root keeps what root may do to files; the network is not
// touched at all; and the filter of system calls names what is refused, it is no list
// of what is allowed. Linux on amd64 and arm64 only: elsewhere every function fails.
package confine

import "errors"

// ErrNotHere says that the system, or its kernel, cannot do what was asked.
var ErrNotHere = errors.New("not possible on this system")

// Files says what of the file system stays usable.
type Files struct {
	// List are folders whose names may be read, and those of all folders below them.
	List []string
	// Read are files and folders whose content may be read and executed.
	Read []string
	// Write are files and folders whose content may also be changed, made, removed
	// and, for devices, controlled.
	Write []string
}

// Limits are those of each process, not of all processes of a job together. Zero
// leaves a limit as it is, and none is ever raised.
type Limits struct {
	// Processes counts the threads of the user, whoever started them.
	Processes uint64
	// FileSize is in bytes: a process that writes beyond it gets SIGXFSZ.
	FileSize uint64
	// OpenFiles is one more than the greatest descriptor.
	OpenFiles uint64
	// CPU is in seconds: SIGXCPU, and SIGKILL a second later.
	CPU uint64
	// Data is in bytes of private writable memory.
	Data uint64
}

// Capability is one of the parts that the kernel has cut root's power into.
type Capability int

// What a job that runs as root by name may keep: to work with files of all users, to
// become another user, to signal them, and to listen on low ports. It is no longer
// able to load modules, mount, trace, administer the network or set the clock.
const (
	capChown          Capability = 0
	capDACOverride    Capability = 1
	capFOwner         Capability = 3
	capFSetID         Capability = 4
	capKill           Capability = 5
	capSetGID         Capability = 6
	capSetUID         Capability = 7
	capSetPCap        Capability = 8
	capNetBindService Capability = 10
)

// OfRoot returns the capabilities that a job keeps which runs as root by name.
func OfRoot() []Capability {
	return []Capability{capChown, capDACOverride, capFOwner, capFSetID, capKill, capSetGID, capSetUID, capNetBindService}
}
