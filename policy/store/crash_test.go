package store_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/runwrit/writ/policy/store"
)

// TestACrashAtAnyStepLeavesTheOldPolicyOrTheNew kills a process that activates, at
// each step in turn; what is left decides, and the next activation works.
func TestACrashAtAnyStepLeavesTheOldPolicyOrTheNew(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("skipped: a process cannot kill itself here")
	}
	c := contents(2)
	c.Source.Grants = many(600)
	var steps []string
	base := newPlace(t)
	base.activate(1)
	begin := func() *place { // where epoch 1 is active
		p := *base
		p.dir = filepath.Join(t.TempDir(), "store")
		if err := os.CopyFS(p.dir, os.DirFS(base.dir)); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"state/state.json", "settings", "keys/alice.pem", "keys/bob.pem"} {
			if err := os.Chmod(filepath.Join(p.dir, name), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return &p
	}
	second, third := base.signed(c), base.signed(contents(3))
	next := filepath.Join(t.TempDir(), "next.tar.gz")
	if err := os.WriteFile(next, second, 0o600); err != nil {
		t.Fatal(err)
	}
	s := begin().open()
	s.OnStep(func(name string) { steps = append(steps, name) })
	if _, err := s.Activate(t.Context(), second, nil); err != nil {
		t.Fatal(err)
	}
	if len(steps) < 10 {
		t.Fatalf("the steps are %q", steps)
	}
	old, fresh := 0, 0
	for i, step := range steps {
		p := begin()
		cmd := exec.Command(os.Args[0], "-test.run=^TestHelperCrash$")
		cmd.Env = append(os.Environ(), "WRIT_CRASH_STEP="+strconv.Itoa(i), "WRIT_CRASH_STORE="+p.dir, "WRIT_CRASH_BUNDLE="+next)
		if out, err := cmd.CombinedOutput(); err == nil || cmd.ProcessState.ExitCode() != -1 {
			t.Fatalf("step %d (%s): the process was not killed: %v: %s", i, step, err, out)
		}
		switch p.active() {
		case 1:
			old++
		case 2:
			fresh++
		default:
			t.Errorf("step %d (%s): %d is active", i, step, p.active())
		}
		if state := p.state(); state.HighWater.Epoch != state.Active.Epoch {
			t.Errorf("step %d (%s): the highest epoch is %d, %d is active", i, step, state.HighWater.Epoch, state.Active.Epoch)
		}
		if _, err := p.open().Activate(t.Context(), third, nil); err != nil {
			t.Errorf("step %d (%s): the next activation: %v", i, step, err)
		}
		left, err := os.ReadDir(filepath.Join(p.dir, "state/generations"))
		if err != nil || len(left) != 2 {
			t.Errorf("step %d (%s): %v, %v are left behind", i, step, left, err)
		}
	}
	if old == 0 || fresh == 0 {
		t.Errorf("%d times the old policy, %d times the new one: one of them was never left", old, fresh)
	}
}

// TestHelperCrash is the process that is killed.
func TestHelperCrash(t *testing.T) {
	step, err := strconv.Atoi(os.Getenv("WRIT_CRASH_STEP"))
	if err != nil {
		return // not started as the helper
	}
	data, err := os.ReadFile(os.Getenv("WRIT_CRASH_BUNDLE"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(os.Getenv("WRIT_CRASH_STORE"), store.Options{Guarded: true, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	s.OnStep(func(string) {
		if step--; step < 0 {
			_ = self.Kill()
			select {}
		}
	})
	if _, err := s.Activate(t.Context(), data, nil); err != nil {
		t.Fatal(err)
	}
}

// TestAttackCrashWhileTheIndexIsMadeAnew: after another writ was installed, the
// same bundle is activated again. It decides all the while.
func TestAttackCrashWhileTheIndexIsMadeAnew(t *testing.T) {
	t.Parallel()
	c := contents(2)
	c.Source.Grants = many(600)
	p := newPlace(t)
	data := p.signed(c)
	if _, err := p.open().Activate(t.Context(), data, nil); err != nil {
		t.Fatal(err)
	}
	p.otherRows()
	s := p.open()
	steps := 0
	s.OnStep(func(name string) {
		steps++
		if p.active() != 2 {
			t.Errorf("before %s no policy can be loaded", name)
		}
	})
	if a, err := s.Activate(t.Context(), data, nil); err != nil || a.Already {
		t.Fatalf("%+v, %v", a, err)
	}
	if left, err := os.ReadDir(filepath.Join(p.dir, "state/generations")); err != nil || len(left) != 1 || steps < 9 {
		t.Errorf("%v, %v are left behind, after %d steps", left, err, steps)
	}
}
