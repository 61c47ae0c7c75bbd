package worker

import (
	"errors"
	"os"
	"os/user"
	"runtime"
	"testing"

	"github.com/runwrit/writ/internal/account"
)

// machine stands for one that is a member of a domain, and has a second name for
// root.
func machine() account.Database {
	return account.Database{
		User: func(name string) (*user.User, error) {
			u, ok := map[string]user.User{
				"toor":            {Username: "toor", Uid: "0", Gid: "0"},
				`CONTOSO\admin`:   {Username: "admin", Uid: "0", Gid: "70000"},
				`CONTOSO\alice`:   {Username: "alice", Uid: "70001", Gid: "70000"},
				"alice@corp.test": {Username: `CORP\alice`, Uid: "70001", Gid: "70000"},
				"alice":           {Username: "alice", Uid: "1000", Gid: "1000"},
				"nobody":          {Username: "nobody", Uid: "0", Gid: "0"},
			}[name]
			if !ok {
				return nil, user.UnknownUserError(name)
			}
			return &u, nil
		},
		GroupIDs: func(u *user.User) ([]string, error) { return []string{u.Gid}, nil },
	}
}

// TestAttackRootByAnotherName: the number counts, not the name; and a rule must
// name the very account.
func TestAttackRootByAnotherName(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("skipped: this is about the gate of root")
	}
	for _, configured := range []string{"toor", `CONTOSO\admin`, "" /* nobody is root on this machine */} {
		w := &Worker{user: configured, accounts: machine()}
		u, err := w.runAs("")
		var bad *AccountError
		if !errors.As(err, &bad) || u.name != "" || u.other {
			t.Errorf("%q: %+v, %v", configured, u, err)
		}
	}
	w := &Worker{user: "alice", accounts: machine()}
	for named, uid := range map[string]uint32{"toor": 0, `CONTOSO\admin`: 0, `CONTOSO\alice`: 70001, "alice@corp.test": 70001, "alice": 1000, "": 1000} {
		u, err := w.runAs(named)
		if err != nil || u.uid != uid || !u.other {
			t.Errorf("%q: %+v, %v", named, u, err)
		}
	}
	var unknown *ObligationError
	if _, err := w.runAs("root"); !errors.As(err, &unknown) {
		t.Errorf("an account that this machine does not know: %v", err)
	}
}
