// Package cgroup puts a job into a control group of its own, which limits its memory
// and the number of its processes, counts them, and kills them all at once, however
// they have tried to get away from their parents.
//
// Groups are made below the group of this process, or below one that the
// configuration names. Version 2 is used where it has both controllers, version 1
// where it has not. What belongs to somebody else is left alone: under systemd the
// service must say Delegate=yes, and a version 2 group that holds processes is never
// given groups with limits, because the kernel allows that for none of them.
//
// A group keeps nothing from a process that runs as root and can write the files of
// the control groups. Linux only: elsewhere every function fails.
package cgroup

// Limits are those of all processes of a job together. Zero is no limit.
type Limits struct {
	// Memory is in bytes, swap included where the kernel counts it.
	Memory uint64
	// Processes counts threads, as the kernel does.
	Processes uint64
}

// UnavailableError says why no group can be made; nothing was changed.
type UnavailableError struct{ Reason string }

func (e *UnavailableError) Error() string { return "control groups: " + e.Reason }
