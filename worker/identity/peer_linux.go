package identity

import (
	"errors"
	"fmt"
	"net"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/policy"
)

// PeerCaller is the user who opened the other end of a local socket, by the
// kernel's word (SO_PEERCRED): the effective user of the process at the time it
// connected, whoever holds the socket since. Its groups are those that the user
// database gives that user, which a process may have given up; they are complete
// if all of them have names.
//
// It fails where the user has no name on this machine.
func PeerCaller(conn *net.UnixConn) (policy.Caller, error) {
	if conn == nil {
		return policy.Caller{}, errors.New("find out who is at the other end of the socket: there is no socket")
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return policy.Caller{}, fmt.Errorf("find out who is at the other end of the socket: %w", err)
	}
	var peer *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return policy.Caller{}, fmt.Errorf("find out who is at the other end of the socket: %w", err)
	}
	if failed != nil {
		return policy.Caller{}, fmt.Errorf("find out who is at the other end of the socket: %w", failed)
	}
	return accountCaller(peer.Uid, int(peer.Gid))
}

func accountCaller(uid uint32, gid int) (policy.Caller, error) {
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return policy.Caller{}, fmt.Errorf("find out who is at the other end of the socket: user number %d has no name on this machine", uid)
	}
	ids := []int{gid}
	listed, err := u.GroupIds()
	complete := err == nil
	for _, text := range listed {
		id, err := strconv.Atoi(text)
		if err != nil {
			complete = false
			continue
		}
		ids = append(ids, id)
	}
	names, all := groupNames(ids)
	return osCaller(u.Username, names, complete && all, AssurancePeerCred), nil
}
