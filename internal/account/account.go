package account

import (
	"errors"
	"fmt"
	"math"
	"os/user"
	"slices"
	"strconv"
	"strings"
)

// Account is what the machine knows of an account.
type Account struct {
	Name     Name
	UID, GID uint32
	// Groups are the numbers of all of its groups, GID too, each once and in order.
	Groups []uint32
}

// Root says that the account may do everything, by whatever name.
func (a *Account) Root() bool { return a.UID == 0 }

// maxGroups is how many groups the kernel lets a process have.
const maxGroups = 65_536

// Codes of Error.
const (
	CodeUnknown  = "unknown"   // the machine knows no such account
	CodeOther    = "other"     // it answers with another account
	CodeOdd      = "odd"       // what it says of the account cannot be used
	CodeNoAnswer = "no-answer" // it could not be asked
)

// Error says why an account cannot be used. Code is one of the codes above.
type Error struct {
	Account, Code, Reason string
}

func (e *Error) Error() string { return fmt.Sprintf("account %s: %s", e.Account, e.Reason) }

// Database is where accounts are looked up.
type Database struct {
	User     func(name string) (*user.User, error)
	GroupIDs func(*user.User) ([]string, error)
}

// System is the machine's own database. A program that was built without cgo
// reads the files /etc/passwd and /etc/group only, and finds no domain account.
func System() Database {
	return Database{User: user.Lookup, GroupIDs: (*user.User).GroupIds}
}

// Lookup asks for an account by its whole name. It fails with *Error.
func (d Database) Lookup(n Name) (*Account, error) {
	refuse := func(code, format string, args ...any) (*Account, error) {
		return nil, &Error{n.String(), code, fmt.Sprintf(format, args...)}
	}
	if n.user == "" {
		return refuse(CodeUnknown, "no account is named")
	}
	found, err := d.User(n.String())
	var unknown user.UnknownUserError
	switch {
	case errors.As(err, &unknown):
		return refuse(CodeUnknown, "this machine knows no such account")
	case err != nil:
		return refuse(CodeNoAnswer, "this machine cannot say: %v", err)
	case !n.answeredBy(found.Username):
		return refuse(CodeOther, "this machine answers with the account %q: name that one, if it is meant", found.Username)
	}
	a := &Account{Name: n}
	if a.UID, err = number(found.Uid); err != nil {
		return refuse(CodeOdd, "user number: %v", err)
	}
	if a.GID, err = number(found.Gid); err != nil {
		return refuse(CodeOdd, "group number: %v", err)
	}
	// By the name that was asked for: a domain may answer with a shorter one, which
	// can be that of a local account with other groups.
	found.Username = n.String()
	ids, err := d.GroupIDs(found)
	if err != nil {
		return refuse(CodeNoAnswer, "this machine cannot say its groups: %v", err)
	}
	a.Groups = []uint32{a.GID}
	for _, id := range ids {
		gid, err := number(id)
		if err != nil {
			return refuse(CodeOdd, "number of a group: %v", err)
		}
		a.Groups = append(a.Groups, gid)
	}
	slices.Sort(a.Groups)
	if a.Groups = slices.Compact(a.Groups); len(a.Groups) > maxGroups {
		return refuse(CodeOdd, "it has %d groups, the limit is %d", len(a.Groups), maxGroups)
	}
	return a, nil
}

// answeredBy reports whether username, with which the machine answered, can be
// the account of this name. Without a domain it must be the very same. Of a
// domain account the machine may write the domain in another way, or leave it
// out, and domains do not tell capitals from small letters.
func (n Name) answeredBy(username string) bool {
	if n.domain == "" {
		return username == n.text
	}
	answer, err := Parse(username)
	return err == nil && strings.EqualFold(answer.user, n.user)
}

// number reads the number of a user or group. The highest one means "no change"
// to the kernel.
func number(s string) (uint32, error) {
	v, err := strconv.ParseUint(s, 10, 32)
	if err != nil || v == math.MaxUint32 {
		return 0, fmt.Errorf("%q is none", s)
	}
	return uint32(v), nil
}
