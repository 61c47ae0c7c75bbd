package worker

import (
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"github.com/runwrit/writ/policy"
)

// honoured refuses obligations that this worker cannot hold to: a runbook that the
// policy wants confined, or run by somebody else, is not run in any other way.
func honoured(o policy.Obligations) error {
	switch {
	case len(o.Sandbox) > 0 && !slices.Contains(o.Sandbox, policy.SandboxNone):
		return &ObligationError{"sandbox", strings.Join(o.Sandbox, ", "), "this worker has no sandbox"}
	case o.User == "":
		return nil
	}
	uid := os.Geteuid()
	own, err := user.LookupId(strconv.Itoa(uid))
	switch {
	case err != nil || os.Getuid() != uid:
		return &ObligationError{"user", o.User, fmt.Sprintf("user number %d, as which runbooks run, has no single name", uid)}
	case own.Username != o.User:
		return &ObligationError{"user", o.User, fmt.Sprintf("runbooks run as %s, the user of the gate", own.Username)}
	}
	return nil
}
