package worker

import (
	"bytes"
	"os"
	"strconv"
)

// unmapped says that this process's user namespace has no such user or group number: a
// container often has a few only, and nothing can become, or belong to, another.
func unmapped(uid, gid uint32) bool {
	return outside("/proc/self/uid_map", uid) || outside("/proc/self/gid_map", gid)
}

// outside says that a map of numbers does not have this one. One that cannot be read
// says nothing.
func outside(path string, id uint32) bool {
	data, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	for line := range bytes.Lines(data) {
		fields := bytes.Fields(line)
		if len(fields) != 3 {
			return false
		}
		first, err := strconv.ParseUint(string(fields[0]), 10, 32)
		count, err2 := strconv.ParseUint(string(fields[2]), 10, 32)
		if err != nil || err2 != nil || uint64(id) >= first && uint64(id)-first < count {
			return false
		}
	}
	return true
}
