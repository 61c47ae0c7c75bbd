// Package procstat reads what Linux says of a process in /proc/PID/stat: whose child
// it is, whether it has ended, and when it started, which tells it from another one
// that gets its number later.
//
// What it says was true when it was read. Elsewhere than on Linux there is nothing to
// read.
package procstat

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// Process is one as it was when it was looked at.
type Process struct {
	PID, Parent, Session int
	// State is the letter of proc(5).
	State byte
	// Started is in clock ticks since the start of the system.
	Started uint64
}

// Ended says that it has, and that nobody has asked yet how.
func (p Process) Ended() bool { return p.State == 'Z' || p.State == 'X' }

// Read looks at a process; os.ErrNotExist is the cause of an error if there is none.
func Read(pid int) (Process, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Process{}, err
	}
	p, ok := parse(pid, stat)
	if !ok {
		return p, fmt.Errorf("/proc/%d/stat has another form", pid)
	}
	return p, nil
}

// The fields behind the name of the program, from 0.
const (
	stateField   = 0
	parentField  = 1
	sessionField = 3
	startedField = 19
)

// parse reads the text. The name of the program stands in parentheses and may hold
// anything, parentheses too.
func parse(pid int, stat []byte) (Process, bool) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= startedField || len(fields[stateField]) != 1 {
		return Process{}, false
	}
	parent, err := strconv.Atoi(string(fields[parentField]))
	session, err2 := strconv.Atoi(string(fields[sessionField]))
	started, err3 := strconv.ParseUint(string(fields[startedField]), 10, 64)
	if err != nil || err2 != nil || err3 != nil {
		return Process{}, false
	}
	return Process{pid, parent, session, fields[stateField][0], started}, true
}
