package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"

	"github.com/runwrit/writ/policy"
)

// account is the user of the operating system that started this process.
type account struct {
	name           string
	groups         []string
	groupsComplete bool
}

// currentUser names the real user of this process, from the operating system
// and never from the environment.
func currentUser() (account, error) {
	uid := os.Getuid()
	if uid < 0 { // Windows has no such number; os/user asks the system there
		u, err := user.Current()
		if err != nil {
			return account{}, fmt.Errorf("find out who you are: %w", err)
		}
		return account{name: u.Username}, nil
	}
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return account{}, fmt.Errorf("find out who you are: user number %d has no name on this machine", uid)
	}
	a := account{name: u.Username, groupsComplete: true}
	ids, err := os.Getgroups()
	if err != nil {
		a.groupsComplete = false
	}
	seen := map[int]bool{}
	for _, id := range append(ids, os.Getgid()) {
		if seen[id] {
			continue
		}
		seen[id] = true
		g, err := user.LookupGroupId(strconv.Itoa(id))
		if err != nil {
			a.groupsComplete = false
			continue
		}
		a.groups = append(a.groups, g.Name)
	}
	return a, nil
}

// caller is the account in the words of a policy.
func (a account) caller() policy.Caller {
	c := policy.Caller{
		Kind: "os-user", ID: "os:" + a.name, Groups: []string{}, Roles: []string{},
		GroupsComplete: a.groupsComplete, Assurance: "real-uid",
	}
	for _, g := range a.groups {
		c.Groups = append(c.Groups, "os-group:"+g)
	}
	return c
}
