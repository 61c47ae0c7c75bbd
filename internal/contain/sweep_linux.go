package contain

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/internal/procstat"
)

// sweep stops all descendants of a process, so that none of them can start another one
// unseen, and then kills them. It returns how many it has found at last. group is a
// process group that is killed with them, 0 for none: as long as one of them is in it, or
// its number could be that of somebody else's group by now.
func sweep(ancestor, group int) (found int) {
	stopped := map[int]uint64{}
	for range 100 { // a process that is stopped starts none: this comes to an end
		fresh := false
		for _, d := range descendants(ancestor) {
			if stopped[d.PID] != d.Started {
				stopped[d.PID], fresh = d.Started, true
				signalProcess(d, unix.SIGSTOP)
			}
		}
		if !fresh {
			break
		}
	}
	all := descendants(ancestor)
	inGroup := func(d procstat.Process) bool {
		g, err := unix.Getpgid(d.PID)
		return err == nil && g == group
	}
	if group > 0 && slices.ContainsFunc(all, inGroup) {
		_ = unix.Kill(-group, unix.SIGKILL) // it may be gone
	}
	for _, d := range all {
		signalProcess(d, unix.SIGKILL)
		if d.State != 'Z' {
			found++
		}
	}
	return found
}

// killSession kills every process of a session, and returns how many there are left.
func killSession(session int) (left int) {
	for range 100 {
		left = 0
		for _, p := range processes() {
			if p.Session == session && p.State != 'Z' {
				left++
				signalProcess(p, unix.SIGKILL)
			}
		}
		if left == 0 {
			return 0
		}
	}
	return left
}

// signalProcess sends a signal to the process that was looked at, and to no other one
// that has its number by now.
func signalProcess(p procstat.Process, s unix.Signal) {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ENOSYS) {
		_ = unix.Kill(p.PID, s) // an old kernel; it may have ended
		return
	}
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written
	if now, err := procstat.Read(p.PID); err == nil && now.Started == p.Started {
		_ = unix.PidfdSendSignal(fd, s, nil, 0) // it may have ended, or belong to somebody else
	}
}

// descendants are the children of a process, theirs, and so on. One whose first thread
// has ended looks like one that has ended itself, so these are among them.
func descendants(ancestor int) []procstat.Process {
	children := map[int][]procstat.Process{}
	for _, p := range processes() {
		children[p.Parent] = append(children[p.Parent], p)
	}
	var found []procstat.Process
	next := []int{ancestor}
	for len(next) > 0 {
		list := children[next[0]]
		delete(children, next[0])
		next = next[1:]
		for _, p := range list {
			next = append(next, p.PID)
		}
		found = append(found, list...)
	}
	return found
}

// childrenOf asks the kernel for the children of a process of one thread, where it was
// built to say so. It may leave some out while others end.
func childrenOf(pid int) ([]int, error) {
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, text := range strings.Fields(string(list)) {
		child, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		pids = append(pids, child)
	}
	return pids, nil
}

// processes lists those that can be seen.
func processes() []procstat.Process {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer func() { _ = dir.Close() }() // opened for reading only
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	var list []procstat.Process
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if p, err := procstat.Read(pid); err == nil {
				list = append(list, p)
			}
		}
	}
	return list
}
