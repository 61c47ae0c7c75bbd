//go:build linux

package worker_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/worker"
)

func TestWithoutAStageThereIsNoWorker(t *testing.T) {
	t.Parallel()
	o := newGate(t).options
	for name, stage := range map[string]worker.Stage{"none": {}, "a relative path": worker.StageProgram("writ"), "no path": worker.StageProgram("")} {
		o.Stage = stage
		if w, err := worker.New(o); w != nil || !errors.Is(err, worker.ErrNoStage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnotherProgramCanBeTheStage(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	g := newGate(t, func(o *worker.Options) { o.Stage = worker.StageProgram(self) })
	if o := g.must(g.run("r.sh", "echo ran\n")); o.stdout != "ran\n" {
		t.Errorf("%+v", o)
	}
	// One that does not call Enter starts nothing.
	for _, path := range []string{"/bin/true", "/nonesuch"} {
		g := newGate(t, func(o *worker.Options) { o.Stage = worker.StageProgram(path) })
		o := g.run("r.sh", "echo ran\n")
		var bad *worker.ObligationError
		if !errors.As(o.err, &bad) || o.Started || o.stdout != "" || worker.ExitCode(o.Result, o.err) != worker.ExitGateFailure {
			t.Errorf("%s: %v", path, o.err)
		}
	}
}

// The working directory of a job must be there, also where the host's folders are not.
func TestAWorkingDirectoryInStrictIsOneThatItShows(t *testing.T) {
	t.Parallel()
	shown, hidden := t.TempDir(), t.TempDir()
	for _, dir := range []string{shown, hidden} {
		if err := os.WriteFile(filepath.Join(dir, "file"), []byte("content\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	newGate(t).confine(policy.SandboxStrict) // or skip
	g := newGate(t, func(o *worker.Options) { o.Sandbox.Write = []string{shown} })
	g.sandbox = policy.SandboxStrict
	in := func(dir string) outcome {
		return g.run("r.sh", "pwd; cat file; echo more >> file; touch new\n", func(j *worker.Job) { j.Dir = dir })
	}
	if o := g.must(in(shown)); o.stdout != shown+"\ncontent\n" {
		t.Errorf("%+v", o)
	}
	if data, err := os.ReadFile(filepath.Join(shown, "file")); err != nil || string(data) != "content\nmore\n" {
		t.Errorf("the file has %q, %v", data, err)
	}
	if o := in(hidden); o.err == nil || o.Started || o.stdout != "" {
		t.Errorf("it ran in a folder that it cannot see: %+v", o)
	}
}

// What a rule shows read-only cannot be changed, by whatever user.
func TestAttackWriteWhatIsShownForReading(t *testing.T) {
	t.Parallel()
	shown := t.TempDir()
	file := filepath.Join(shown, "file")
	if err := os.WriteFile(file, []byte("content\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	newGate(t).confine(policy.SandboxStrict) // or skip
	g := newGate(t, func(o *worker.Options) { o.Sandbox.Read = []string{shown} })
	g.sandbox = policy.SandboxStrict
	o := g.must(g.run("r.sh", "cat "+file+"\nfor do in 'echo x >>' 'rm -f' 'chmod 777' 'touch -a' 'truncate -s 0'; do (eval \"$do "+file+"\") 2>/dev/null && echo \"could $do\"; done; true\n"))
	if o.stdout != "content\n" {
		t.Errorf("%+v", o)
	}
}
