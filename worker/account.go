package worker

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"

	"github.com/runwrit/writ/internal/account"
)

// DefaultUser is the account that runbooks run as where the gate is root, and
// neither the policy nor Options names one.
const DefaultUser = "nobody"

// runUser is the account that a run takes place as.
type runUser struct {
	name string // "" if the number has none
	// other says that it is not the gate's own: the process changes to these numbers.
	other    bool
	uid, gid uint32
	groups   []uint32
}

// String is the name of the account, or else its number.
func (u runUser) String() string {
	if u.name == "" {
		return strconv.FormatUint(uint64(u.uid), 10)
	}
	return u.name
}

// runAs decides as whom a run takes place: as the account that the policy names; or
// else that of Options; or else the gate's own, and for root's gate DefaultUser. Root, by whatever
// name, it is only if the policy names it. It fails with *ObligationError or
// *AccountError.
func (w *Worker) runAs(obliged string) (runUser, error) {
	refuse := func(name, reason string) (runUser, error) {
		if obliged != "" {
			return runUser{}, &ObligationError{"user", name, reason}
		}
		return runUser{}, &AccountError{name, reason}
	}
	uid := os.Geteuid()
	if uid < 0 {
		return runUser{}, nil // nothing runs on this system
	}
	if os.Getuid() != uid {
		return refuse(obliged, fmt.Sprintf("the gate was started by user number %d and has the rights of %d", os.Getuid(), uid))
	}
	name := obliged
	if name == "" {
		name = w.user
	}
	if name == "" && uid == 0 {
		name = DefaultUser
	}
	if name == "" {
		return ownUser(uid), nil
	}
	wanted, err := w.lookUpAccount(name)
	switch {
	case err != nil:
		return refuse(name, err.Error())
	case wanted.Root() && obliged == "":
		return refuse(name, "it is root, by whatever name: only a rule of the policy that names this account lets a runbook run as root")
	case uid == 0 && unmapped(wanted.UID, wanted.GID):
		return refuse(name, fmt.Sprintf("user number %d or group number %d does not exist in this container: its user namespace has others (/proc/self/uid_map, gid_map)", wanted.UID, wanted.GID))
	case uid != 0 && wanted.UID != uint32(uid):
		return refuse(name, fmt.Sprintf("the gate runs as user number %d and not as root: it can run runbooks as itself only", uid))
	}
	return runUser{name, uid == 0, wanted.UID, wanted.GID, wanted.Groups}, nil
}

// ownUser is the gate's own account, with the groups that it has.
func ownUser(uid int) runUser {
	own := runUser{uid: uint32(uid), gid: uint32(os.Getegid())}
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		own.name = u.Username
	}
	return own
}

// lookUpAccount asks the machine; an error is the reason alone.
func (w *Worker) lookUpAccount(name string) (*account.Account, error) {
	parsed, err := account.Parse(name)
	var form *account.NameError
	if errors.As(err, &form) {
		return nil, errors.New(form.Reason)
	}
	found, err := w.accounts.Lookup(parsed)
	var bad *account.Error
	if errors.As(err, &bad) {
		return nil, errors.New(bad.Reason)
	}
	return found, err
}
