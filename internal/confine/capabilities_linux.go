package confine

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// maxCapabilities is how many the kernel's sets can hold.
const maxCapabilities = 64

// DropCapabilities empties the thread's inheritable and ambient sets, and takes all
// but keep from its bounding set: no program that it starts can have another one. The
// effective set stays, so that the thread can still become another user when it
// starts one.
//
// A thread that may not change its bounding set needs NoNewPrivs first: then nothing
// can be gained from that set, and there is nothing to drop.
func DropCapabilities(keep []Capability) error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("ambient capabilities: %w", err)
	}
	sets, err := capabilities()
	if err != nil {
		return err
	}
	if err := dropBounding(keep, sets.effective); err != nil {
		return err
	}
	if sets.inheritable == 0 {
		return nil
	}
	sets.inheritable = 0
	return sets.apply()
}

func dropBounding(keep []Capability, effective uint64) error {
	mayDrop := effective&(1<<capSetPCap) != 0
	for c := range Capability(maxCapabilities) {
		held, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0)
		if errors.Is(err, unix.EINVAL) && c > 0 {
			return nil // the kernel knows no more of them
		} else if err != nil {
			return fmt.Errorf("bounding set: capability %d: %w", c, err)
		}
		if held == 0 || slices.Contains(keep, c) {
			continue
		}
		if !mayDrop {
			return nothingToGain()
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil {
			return fmt.Errorf("bounding set: capability %d: %w", c, err)
		}
	}
	return nil
}

// nothingToGain holds for a thread that may not change its bounding set.
func nothingToGain() error {
	set, err := hasNoNewPrivs()
	if err != nil {
		return err
	}
	if !set {
		return errors.New("bounding set: this thread may not change it, and no_new_privs is not set")
	}
	return nil
}

type capabilitySets struct{ effective, permitted, inheritable uint64 }

func capabilities() (capabilitySets, error) {
	header, data := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
	if err := unix.Capget(&header, &data[0]); err != nil {
		return capabilitySets{}, fmt.Errorf("capabilities: %w", err)
	}
	join := func(low, high uint32) uint64 { return uint64(high)<<32 | uint64(low) }
	return capabilitySets{
		effective:   join(data[0].Effective, data[1].Effective),
		permitted:   join(data[0].Permitted, data[1].Permitted),
		inheritable: join(data[0].Inheritable, data[1].Inheritable),
	}, nil
}

func (s capabilitySets) apply() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{
		{Effective: uint32(s.effective), Permitted: uint32(s.permitted), Inheritable: uint32(s.inheritable)},
		{Effective: uint32(s.effective >> 32), Permitted: uint32(s.permitted >> 32), Inheritable: uint32(s.inheritable >> 32)},
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	return nil
}
