package identity_test

import (
	"os/user"
	"testing"

	"github.com/runwrit/writ/worker/identity"
)

func TestSudosVariablesSayNothing(t *testing.T) {
	for _, name := range []string{"SUDO_UID", "SUDO_GID", "SUDO_USER", "USER", "LOGNAME", "USERNAME"} {
		t.Setenv(name, "12345")
	}
	self, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	got, err := identity.ProcessCaller()
	if err != nil {
		t.Fatal(err)
	}
	if got.Kind != "os-user" || got.ID != "os:"+self.Username || got.Assurance != identity.AssuranceRealUID || got.Groups == nil || got.Roles == nil {
		t.Errorf("got %+v", got)
	}
}
