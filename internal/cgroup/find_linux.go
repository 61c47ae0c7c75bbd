package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Parent is where groups for jobs are made.
type Parent struct {
	version int
	// folders are one for version 2; for version 1 one for each controller, that of
	// the processes first.
	folders []string
	host    host
}

// host is what the kernel shows of its groups, and how folders in it come and go. A
// test can put something else in its place.
type host struct {
	mounts, membership string
	mkdir, rmdir       func(folder string) error
	write              func(folder, file, value string) error
	delegated          func(folder string) bool
	// look says that nothing may be changed.
	look bool
}

func thisHost() host {
	return host{
		mounts:     "/proc/self/mountinfo",
		membership: "/proc/self/cgroup",
		mkdir:      func(folder string) error { return os.Mkdir(folder, 0o755) }, //nolint:gosec // as all groups are
		rmdir:      unix.Rmdir,
		write:      write,
		delegated:  delegated,
	}
}

// write never makes a file: what is not there is not known to the kernel.
func write(folder, file, value string) error {
	f, err := os.OpenFile(filepath.Join(folder, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// delegated tells whether systemd has left a group to the service.
func delegated(folder string) bool {
	for _, name := range []string{"user.delegate", "trusted.delegate"} {
		value := make([]byte, 8)
		if n, err := unix.Getxattr(folder, name, value); err == nil && string(value[:n]) == "1" {
			return true
		}
	}
	return false
}

// gateGroup is where this process goes if its group is to have groups with limits.
const gateGroup = "writ-gate"

// Find returns where groups can be made: below the group of that name, as in
// /proc/self/cgroup ("/writ.slice"), which must exist; below the own one if the name
// is empty. In version 2 a group that systemd has delegated to the service is made
// fit for it: its processes move to a group "writ-gate" in it. An
// *UnavailableError says why there is none.
func Find(group string) (*Parent, error) { return thisHost().find(group) }

// Look says what Find would find, and changes nothing.
func Look(group string) (*Parent, error) {
	h := thisHost()
	h.look = true
	return h.find(group)
}

func (h host) find(group string) (*Parent, error) {
	if group != "" && (!path.IsAbs(group) || path.Clean(group) != group) {
		return nil, &UnavailableError{fmt.Sprintf("%q is not the clean absolute name of a group", group)}
	}
	hierarchies, err := h.hierarchies(group)
	if err != nil {
		return nil, &UnavailableError{err.Error()}
	}
	unified, why := hierarchies[""], "no version 2 is mounted"
	if unified != "" {
		p, err := h.version2(unified, group == "")
		if err == nil {
			return p, nil
		}
		why = err.Error()
	}
	p, err := h.version1(hierarchies)
	if err != nil {
		return nil, &UnavailableError{why + "; " + err.Error()}
	}
	return p, nil
}

// Version returns that of the control groups: 1 or 2.
func (p *Parent) Version() int { return p.version }

// Folder returns where the groups are made, of version 1 that of the processes.
func (p *Parent) Folder() string { return p.folders[0] }

// version1 wants a controller for processes and one for memory; it takes the freezer
// if there is one, to kill what multiplies.
func (h host) version1(hierarchies map[string]string) (*Parent, error) {
	p := &Parent{version: 1, host: h}
	for _, controller := range []string{"pids", "memory", "freezer"} {
		folder := hierarchies[controller]
		if folder == "" && controller == "freezer" {
			continue
		} else if folder == "" {
			return nil, fmt.Errorf("version 1: the controller %q is not mounted, or this group is not below the mount", controller)
		}
		if err := writable(folder); err != nil {
			return nil, fmt.Errorf("version 1: %w", err)
		}
		if !slices.Contains(p.folders, folder) {
			p.folders = append(p.folders, folder)
		}
	}
	return p, nil
}

func writable(folder string) error {
	if err := unix.Access(folder, unix.W_OK); err != nil {
		return fmt.Errorf("%s: no groups can be made there: %w", folder, err)
	}
	return nil
}

var wanted = []string{"memory", "pids"}

// version2 makes a folder fit to have groups with limits.
func (h host) version2(folder string, own bool) (*Parent, error) {
	// The service's own processes may be in a group inside the delegated one, put
	// there by systemd (DelegateSubgroup=) or by an earlier gate.
	if above := filepath.Dir(folder); own && !h.delegated(folder) && h.delegated(above) {
		folder = above
	}
	if err := hasAll(folder, "cgroup.controllers"); err != nil {
		return nil, fmt.Errorf("version 2: %w", err)
	}
	if err := writable(folder); err != nil {
		return nil, fmt.Errorf("version 2: %w", err)
	}
	p := &Parent{version: 2, folders: []string{folder}, host: h}
	if hasAll(folder, "cgroup.subtree_control") == nil {
		return p, nil
	}
	if err := h.empty(folder, own); err != nil {
		return nil, fmt.Errorf("version 2: %w", err)
	}
	if h.look {
		return p, nil
	}
	if err := h.write(folder, "cgroup.subtree_control", "+memory +pids"); err != nil {
		return nil, fmt.Errorf("version 2: %w", err)
	}
	return p, nil
}

func hasAll(folder, file string) error {
	data, err := os.ReadFile(filepath.Join(folder, file))
	if err != nil {
		return err
	}
	given := strings.Fields(string(data))
	for _, controller := range wanted {
		if !slices.Contains(given, controller) {
			return fmt.Errorf("%s: the controller %q is not given to this group", folder, controller)
		}
	}
	return nil
}

// empty sees to it that a group holds no processes itself: with them its groups can
// have no limits. The root of all is the exception; it has no type.
func (h host) empty(folder string, own bool) error {
	if _, err := os.Stat(filepath.Join(folder, "cgroup.type")); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	// A process that forks meanwhile is seen in the next round.
	for range 10 {
		pids, err := processes(folder)
		if err != nil || len(pids) == 0 {
			return err
		}
		if !own || !h.delegated(folder) {
			return fmt.Errorf("%s holds processes and is not delegated: let the service say Delegate=yes, or name a delegated group that holds none", folder)
		}
		if h.look {
			return nil
		}
		gate := filepath.Join(folder, gateGroup)
		if err := h.mkdir(gate); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		for _, pid := range pids {
			if err := h.write(gate, "cgroup.procs", strconv.Itoa(pid)); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
	}
	return fmt.Errorf("%s: its processes multiply while they are moved", folder)
}

// hierarchies returns the folder of a group, or of the own one, for each controller of
// version 1, and for version 2 under the name "". What is not there is left out.
func (h host) hierarchies(group string) (map[string]string, error) {
	membership, err := os.ReadFile(h.membership)
	if err != nil {
		return nil, err
	}
	mounts, err := os.ReadFile(h.mounts)
	if err != nil {
		return nil, err
	}
	own := parseMembership(string(membership))
	found := map[string]string{}
	for _, m := range parseMounts(string(mounts)) {
		for _, controller := range m.controllers {
			name := group
			if name == "" {
				var known bool
				if name, known = own[controller]; !known {
					continue
				}
			}
			below, ok := strings.CutPrefix(name+"/", strings.TrimSuffix(m.root, "/")+"/")
			if !ok || strings.Contains(name, "..") {
				continue
			}
			folder := filepath.Join(m.point, below)
			if info, err := os.Stat(folder); err == nil && info.IsDir() {
				found[controller] = folder
			}
		}
	}
	return found, nil
}
