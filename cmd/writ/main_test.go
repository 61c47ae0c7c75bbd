package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/worker"
)

// The scripts call the real main: this test binary stands in for "writ".
func TestMain(m *testing.M) {
	worker.Enter(os.Exit)
	if filepath.Base(os.Args[0]) == "gpg" { // a link that a test made
		main()
	}
	testscript.Main(m, map[string]func(){"writ": main})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	// Where the tests run under nohup the scripts do not: they send the signal.
	if signal.Ignored(syscall.SIGHUP) {
		heard := make(chan os.Signal, 1)
		signal.Notify(heard, syscall.SIGHUP)
		t.Cleanup(func() { signal.Stop(heard) })
	}
	p := params(t)
	p.Dir = "testdata/script"
	testscript.Run(t, p)
}

func params(t *testing.T) testscript.Params {
	t.Helper()
	demoScript := filepath.Join(testenv.Root(t), "examples", "demo.sh")
	packaging := filepath.Join(testenv.Root(t), "packaging")
	return testscript.Params{
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":   exits,
			"change":  change,
			"demo":    demo,
			"nothing": nothing,
		},
		Condition: func(name string) (bool, error) {
			if name != "sigstore" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return len(sigstoreSigners()) > 0, nil
		},
		Setup: func(env *testscript.Env) error {
			env.Values[demosOfScript{}] = new(int)
			env.Setenv("DEMO", demoScript)
			env.Setenv("PACKAGING", packaging)
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
			// Runbooks of root's gate run as nobody, who cannot enter the folder of a test.
			temp, err := os.MkdirTemp("", "writ-scripts-") //nolint:usetesting // the folder of t.TempDir is closed to others
			if err != nil {
				return err
			}
			env.Setenv("TMPDIR", temp)
			env.Defer(func() {
				if err := os.Remove(temp); err != nil { // only if nothing was left
					t.Error(err)
				}
			})
			return os.Chmod(temp, 0o711)
		},
		RequireExplicitExec: true,
	}
}

// exits CODE PROGRAM ARGS... runs a program that must end with this code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// change FILE OLD NEW replaces the first OLD, which must be there.
func change(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: change FILE OLD NEW")
	}
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	before := string(data)
	if !strings.Contains(before, args[1]) {
		ts.Fatalf("%s does not contain %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, []byte(strings.Replace(before, args[1], args[2], 1)), 0o600))
}

// nothing DIR NAMES... fails if the folder holds anything but these names: a
// failure must leave nothing behind.
func nothing(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: nothing DIR NAMES...")
	}
	known := map[string]bool{}
	for _, name := range args[1:] {
		known[name] = true
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, e := range entries {
		if !known[e.Name()] {
			ts.Fatalf("%s was left behind", filepath.Join(args[0], e.Name()))
		}
		delete(known, e.Name())
	}
	for name := range known {
		ts.Fatalf("%s is gone", filepath.Join(args[0], name))
	}
}
