package abilities_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/abilities"
	"github.com/runwrit/writ/internal/confine"
)

func look(ctx context.Context, t *testing.T, group string) map[string]abilities.Ability {
	t.Helper()
	found := map[string]abilities.Ability{}
	for _, a := range abilities.Look(ctx, group) {
		if a.Detail == "" {
			t.Errorf("%s: nothing is said about it", a.Name)
		}
		found[a.Name] = a
		t.Logf("%+v", a)
	}
	return found
}

func TestWhatTheHostGivesIsFoundByTryingIt(t *testing.T) {
	t.Parallel()
	found := look(t.Context(), t, "")
	// The same by other programs, where they are here.
	if unshare, err := exec.LookPath("unshare"); err == nil {
		args := []string{"-pmif", "true"}
		if os.Geteuid() != 0 {
			args = []string{"-Upmif", "true"}
		}
		if got, want := found[abilities.Namespaces].Has, exec.Command(unshare, args...).Run() == nil; got != want {
			t.Errorf("namespaces: got %v, unshare says %v", got, want)
		}
	}
	_, err := confine.LandlockABI()
	if got, want := found[abilities.Landlock].Has, err == nil; got != want {
		t.Errorf("landlock: got %v, want %v", got, want)
	}
	if a := found[abilities.Bubblewrap]; a.Has != strings.Contains(a.Detail, "bwrap, bubblewrap ") {
		t.Errorf("got %+v", a)
	}
	if status, err := os.ReadFile("/proc/self/status"); err != nil || strings.Contains(string(status), "NoNewPrivs:\t1") {
		t.Errorf("trying has confined this process (%v)", err)
	}
}

func TestAGroupThatIsNotThereIsSaid(t *testing.T) {
	t.Parallel()
	if a := look(t.Context(), t, "/no/such/group")[abilities.ControlGroups]; a.Has || !strings.Contains(a.Detail, "version 1") {
		t.Errorf("got %+v", a)
	}
}

func TestATryThatCannotEndIsANo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	found := look(ctx, t, "")
	for _, name := range []string{abilities.Namespaces, abilities.Bubblewrap} {
		if found[name].Has {
			t.Errorf("got %+v", found[name])
		}
	}
}
