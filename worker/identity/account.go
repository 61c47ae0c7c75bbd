package identity

import (
	"fmt"
	"os"
	"os/user"
	"strconv"

	"github.com/runwrit/writ/policy"
)

// Words for how an identity was established, in policy.Caller.Assurance.
const (
	AssuranceRealUID  = "real-uid" // the real user of this process
	AssurancePeerCred = "peercred" // the kernel's word for the peer of a socket
)

// Kinds of callers, in policy.Caller.Kind.
const (
	KindOSUser    = "os-user"
	KindEntraUser = "entra-user"
	KindEntraApp  = "entra-app" // an application, or a managed identity
	KindGitHub    = "github"
	KindSPIFFE    = "spiffe"
	KindOIDC      = "oidc"
)

// ProcessCaller is the real user of this process, from the operating system and
// never from the environment. Under sudo that is root: sudo's own word for who
// called it is a variable of the environment, which everybody can set who may
// start writ.
func ProcessCaller() (policy.Caller, error) {
	uid := os.Getuid()
	if uid < 0 { // Windows has no such number; os/user asks the system there
		u, err := user.Current()
		if err != nil {
			return policy.Caller{}, fmt.Errorf("find out who you are: %w", err)
		}
		return osCaller(u.Username, nil, false, AssuranceRealUID), nil
	}
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return policy.Caller{}, fmt.Errorf("find out who you are: user number %d has no name on this machine", uid)
	}
	ids, err := os.Getgroups()
	groups, complete := groupNames(append(ids, os.Getgid()))
	return osCaller(u.Username, groups, complete && err == nil, AssuranceRealUID), nil
}

// groupNames are the names of groups, each once. complete is false if one has no
// name.
func groupNames(ids []int) (names []string, complete bool) {
	complete = true
	seen := map[int]bool{}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		g, err := user.LookupGroupId(strconv.Itoa(id))
		if err != nil {
			complete = false
			continue
		}
		names = append(names, g.Name)
	}
	return names, complete
}

// osCaller is an account in the words of a policy.
func osCaller(name string, groups []string, complete bool, assurance string) policy.Caller {
	c := policy.Caller{
		Kind: KindOSUser, ID: "os:" + name, Groups: []string{}, Roles: []string{},
		GroupsComplete: complete, Assurance: assurance,
	}
	for _, g := range groups {
		c.Groups = append(c.Groups, "os-group:"+g)
	}
	return c
}
