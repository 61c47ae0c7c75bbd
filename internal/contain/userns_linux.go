package contain

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// separate puts the stage in namespaces of its own. A user namespace is among them
// unless the process is to be root: what the stage may do there it may do to what
// belongs to these namespaces only, and the kernel counts the processes of the job's
// user for this job alone.
//
// A caller that is not root is nobody but itself in there; it could not have the other
// namespaces without. For root everybody is who he was.
func separate(a *syscall.SysProcAttr, user *User) {
	a.Cloneflags = unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC
	uid, gid := os.Geteuid(), os.Getegid()
	if uid != 0 {
		a.Cloneflags |= unix.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		a.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP}
		return
	}
	if user == nil || user.UID == 0 || !userNamespaces() {
		return
	}
	uids, gids := sameMap("/proc/self/uid_map"), sameMap("/proc/self/gid_map")
	if uids == nil || gids == nil {
		return
	}
	a.Cloneflags |= unix.CLONE_NEWUSER
	a.UidMappings, a.GidMappings, a.GidMappingsEnableSetgroups = uids, gids, true
}

// userNamespaces says that the host has not switched them off.
func userNamespaces() bool {
	most, err := os.ReadFile("/proc/sys/user/max_user_namespaces")
	return err == nil && strings.TrimSpace(string(most)) != "0"
}

// sameMap maps each number that this process knows of to itself; nil if that cannot be
// told.
func sameMap(path string) []syscall.SysProcIDMap {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var list []syscall.SysProcIDMap
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return nil
		}
		first, err := strconv.Atoi(fields[0])
		size, err2 := strconv.Atoi(fields[2])
		if err != nil || err2 != nil {
			return nil
		}
		list = append(list, syscall.SysProcIDMap{ContainerID: first, HostID: first, Size: size})
	}
	return list
}

// noNamespaces says what the kernel means by refusing to start a process in namespaces
// of its own; "" where it means something else.
func noNamespaces(err error) string {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EUSERS):
		return "this account may make none, or no more of them (sysctl user.max_user_namespaces)"
	case errors.Is(err, unix.EPERM):
		return "this account may make none: user namespaces are switched off, or root lacks CAP_SYS_ADMIN, or CAP_SETFCAP for runbooks of other users"
	}
	return ""
}
