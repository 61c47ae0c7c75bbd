package contain

import (
	"bytes"
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// processInfo is what /proc says about a process.
type processInfo struct {
	pid, parent, session int
	state                byte
	started              string // in ticks since the start of the system
}

// sweep stops all descendants of a process, so that none of them can start another one
// unseen, and then kills them. It returns how many it has found at last. group is a
// process group that is killed with them, 0 for none.
func sweep(ancestor, group int) (found int) {
	stopped := map[int]string{}
	for range 100 { // a process that is stopped starts none: this comes to an end
		fresh := false
		for _, d := range descendants(ancestor) {
			if stopped[d.pid] != d.started {
				stopped[d.pid], fresh = d.started, true
				signalProcess(d, unix.SIGSTOP)
			}
		}
		if !fresh {
			break
		}
	}
	if group > 0 {
		_ = unix.Kill(-group, unix.SIGKILL) // it may be gone
	}
	for _, d := range descendants(ancestor) {
		signalProcess(d, unix.SIGKILL)
		if d.state != 'Z' {
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
			if p.session == session && p.state != 'Z' {
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
func signalProcess(p processInfo, s unix.Signal) {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if errors.Is(err, unix.ENOSYS) {
		_ = unix.Kill(p.pid, s) // an old kernel; it may have ended
		return
	}
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written
	if now, ok := readProcess(p.pid); ok && now.started == p.started {
		_ = unix.PidfdSendSignal(fd, s, nil, 0) // it may have ended, or belong to somebody else
	}
}

// descendants are the children of a process, theirs, and so on. One whose first thread
// has ended looks like one that has ended itself, so these are among them.
func descendants(ancestor int) []processInfo {
	children := map[int][]processInfo{}
	for _, p := range processes() {
		children[p.parent] = append(children[p.parent], p)
	}
	var found []processInfo
	next := []int{ancestor}
	for len(next) > 0 {
		list := children[next[0]]
		delete(children, next[0])
		next = next[1:]
		for _, p := range list {
			next = append(next, p.pid)
		}
		found = append(found, list...)
	}
	return found
}

// processes lists those that can be seen.
func processes() []processInfo {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer func() { _ = dir.Close() }() // opened for reading only
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	var list []processInfo
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if p, ok := readProcess(pid); ok {
				list = append(list, p)
			}
		}
	}
	return list
}

func readProcess(pid int) (processInfo, bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return processInfo{}, false
	}
	return parseStat(pid, stat)
}

// parseStat reads a line of /proc/PID/stat. The name of the program stands in
// parentheses and may hold anything, parentheses too.
func parseStat(pid int, stat []byte) (processInfo, bool) {
	const started = 19 // the 22nd field, of those after the name
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= started || len(fields[0]) != 1 {
		return processInfo{}, false
	}
	parent, err := strconv.Atoi(string(fields[1]))
	session, err2 := strconv.Atoi(string(fields[3]))
	return processInfo{pid, parent, session, fields[0][0], string(fields[started])}, err == nil && err2 == nil
}
