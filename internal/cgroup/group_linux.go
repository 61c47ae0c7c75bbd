package cgroup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// prefix begins the name of every group that New makes; the number of the process
	// that made it follows.
	prefix = "writ-"
	// maxSwept is how many groups of gates that are gone one New removes at most.
	maxSwept = 64
	// maxGroups is how many groups a job can have made inside its own.
	maxGroups = 1_000
	// pause is how long a kill waits before it looks again.
	pause = 2 * time.Millisecond
	// maxTries is how often a group that is said to be busy is removed again.
	maxTries = 50
)

// Group is the control group of one job. It is removed by Remove.
type Group struct {
	version int
	folders []string
	host    host
}

// New makes a group with limits.
func (p *Parent) New(limits Limits) (_ *Group, err error) {
	p.sweep()
	g := &Group{version: p.version, host: p.host}
	name := prefix + strconv.Itoa(os.Getpid()) + "-" + strings.ToLower(rand.Text())
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("control group: %w", err), g.Remove())
		}
	}()
	for _, folder := range p.folders {
		folder = filepath.Join(folder, name)
		if err := p.host.mkdir(folder); err != nil {
			return nil, err
		}
		g.folders = append(g.folders, folder)
	}
	if err := g.limit(limits); err != nil {
		return nil, err
	}
	return g, nil
}

// limit writes the limits where the controllers are.
func (g *Group) limit(limits Limits) error {
	memory, processes := strconv.FormatUint(limits.Memory, 10), strconv.FormatUint(limits.Processes, 10)
	for _, l := range []struct {
		version     int
		file, value string
		set         bool
		// optional files are not there on kernels that do not count swap.
		optional bool
	}{
		{1, "pids.max", processes, limits.Processes != 0, false},
		{1, "memory.limit_in_bytes", memory, limits.Memory != 0, false},
		{1, "memory.memsw.limit_in_bytes", memory, limits.Memory != 0, true},
		{2, "pids.max", processes, limits.Processes != 0, false},
		{2, "memory.max", memory, limits.Memory != 0, false},
		{2, "memory.swap.max", "0", limits.Memory != 0, true},
		{2, "memory.oom.group", "1", limits.Memory != 0, true},
	} {
		if l.version != g.version || !l.set {
			continue
		}
		written := false
		for _, folder := range g.folders {
			err := g.host.write(folder, l.file, l.value)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			written = written || err == nil
		}
		if !written && !l.optional {
			return fmt.Errorf("%s is in none of its folders: the controller is not there", l.file)
		}
	}
	return nil
}

// Add puts a process into the group; what it starts from then on is in it, too.
func (g *Group) Add(pid int) error {
	if pid <= 0 {
		return fmt.Errorf("control group: %d is the number of no process", pid)
	}
	for _, folder := range g.folders {
		if err := g.host.write(folder, "cgroup.procs", strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("control group: add process %d: %w", pid, err)
		}
	}
	return nil
}

// Processes returns the numbers of those that are in the group.
func (g *Group) Processes() ([]int, error) {
	pids, err := g.processes()
	if err != nil {
		return nil, fmt.Errorf("control group: %w", err)
	}
	return pids, nil
}

// Count returns how many processes are in the group.
func (g *Group) Count() (int, error) {
	pids, err := g.Processes()
	return len(pids), err
}

// Kill kills every process in the group and returns when none is left, or when ctx ends.
// It kills nothing if this very process is one of them.
func (g *Group) Kill(ctx context.Context) error {
	for {
		pids, err := g.processes()
		switch {
		case err != nil:
			return fmt.Errorf("control group: %w", err)
		case len(pids) == 0:
			return nil
		case slices.Contains(pids, os.Getpid()):
			return errors.New("control group: it holds the process that would kill it")
		}
		if err := g.killOnce(); err != nil {
			return fmt.Errorf("control group: kill: %w", err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("control group: %d processes are left: %w", len(pids), ctx.Err())
		case <-timer.C:
		}
	}
}

// killOnce lets the kernel kill all at once where it can. Else they are frozen, so that
// none can start another one, and killed one by one.
func (g *Group) killOnce() error {
	if g.version == 2 {
		if err := g.host.write(g.folders[0], "cgroup.kill", "1"); !errors.Is(err, fs.ErrNotExist) {
			return err // kernels before 5.14 do not have it
		}
	}
	for _, folder := range g.folders {
		if freezes, err := g.freeze(folder, true); err != nil {
			return err
		} else if freezes {
			defer func() { _, _ = g.freeze(folder, false) }() // the next round says so
		}
	}
	pids, err := g.processes()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		// 0 stands for a process that this one cannot see; it would be our own group.
		if pid <= 0 {
			continue
		}
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("process %d: %w", pid, err)
		}
	}
	return nil
}

// freeze stops or continues what is in a folder; it tells whether this is the folder
// for that.
func (g *Group) freeze(folder string, stop bool) (bool, error) {
	word, number := "THAWED", "0"
	if stop {
		word, number = "FROZEN", "1"
	}
	for _, f := range []struct{ file, value string }{{"freezer.state", word}, {"cgroup.freeze", number}} {
		if err := g.host.write(folder, f.file, f.value); !errors.Is(err, fs.ErrNotExist) {
			return true, err
		}
	}
	return false, nil
}

// Remove removes the group, which must be empty.
func (g *Group) Remove() error {
	var errs []error
	for _, folder := range g.folders {
		groups, err := groupsIn(folder)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, group := range slices.Backward(groups) {
			if err := g.removeOne(group); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", group, err))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("control group: remove: %w", err)
	}
	return nil
}

// removeOne waits a little for processes that are no longer listed and not yet gone.
func (g *Group) removeOne(folder string) error {
	for tries := 0; ; tries++ {
		err := g.host.rmdir(folder)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case !errors.Is(err, unix.EBUSY) || tries == maxTries:
			return err
		}
		time.Sleep(pause)
	}
}

// processes returns those of the group and of the groups inside it.
func (g *Group) processes() ([]int, error) {
	var all []int
	for _, folder := range g.folders {
		groups, err := groupsIn(folder)
		if err != nil {
			return nil, err
		}
		for _, group := range groups {
			pids, err := processes(group)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			all = append(all, pids...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// groupsIn returns a folder and the groups inside it, each before those inside itself.
func groupsIn(folder string) ([]string, error) {
	var groups []string
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // gone meanwhile
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		case len(groups) == maxGroups:
			return fmt.Errorf("%s has more than %d groups", folder, maxGroups)
		}
		groups = append(groups, path)
		return nil
	})
	return groups, err
}

// processes reads the numbers in a group.
func processes(folder string) ([]int, error) {
	data, err := os.ReadFile(filepath.Join(folder, "cgroup.procs"))
	if errors.Is(err, unix.ENODEV) {
		return nil, fs.ErrNotExist // removed after it was opened
	} else if err != nil {
		return nil, err
	}
	var pids []int
	for field := range strings.FieldsSeq(string(data)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("%s: cgroup.procs: %w", folder, err)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// sweep removes the empty groups of gates that are gone. One that is not empty stays,
// and so does one whose gate's number belongs to another process by now.
func (p *Parent) sweep() {
	for _, folder := range p.folders {
		entries, err := os.ReadDir(folder)
		if err != nil {
			continue
		}
		swept := 0
		for _, e := range entries {
			pid, ok := maker(e.Name())
			if !ok || !e.IsDir() || swept == maxSwept || !gone(pid) {
				continue
			}
			swept++
			_ = p.host.rmdir(filepath.Join(folder, e.Name())) // it may not be empty yet
		}
	}
}

// maker returns the process that made the group of that name.
func maker(name string) (int, bool) {
	rest, ok := strings.CutPrefix(name, prefix)
	number, _, dash := strings.Cut(rest, "-")
	pid, err := strconv.Atoi(number)
	return pid, ok && dash && err == nil && pid > 0
}

func gone(pid int) bool {
	return errors.Is(unix.Kill(pid, 0), unix.ESRCH)
}
