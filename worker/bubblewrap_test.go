//go:build linux

package worker_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/worker"
)

// wrappedGate is a gate whose runs in the profile standard take place in bwrap: those
// of nobody, if it is root's.
func wrappedGate(t *testing.T, change ...func(*worker.Options)) *gate {
	t.Helper()
	bwrap := testenv.Tool(t, "bwrap")
	if out, err := exec.Command(bwrap, "--unshare-user", "--unshare-pid", "--dev-bind", "/", "/", "--proc", "/proc", "true").CombinedOutput(); err != nil {
		t.Skipf("skipped: bwrap makes no namespaces here: %v: %s", err, out)
	}
	if os.Geteuid() != 0 {
		g := newGate(t, change...)
		g.sandbox = policy.SandboxStandard
		return g
	}
	// The program of the stage has to be one that nobody can execute.
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "stage")
	testenv.WriteProgram(t, program, self)
	g := newGate(t, append(change, forNobody(t), func(o *worker.Options) { o.Stage = worker.StageProgram(program) })...)
	g.sandbox, g.user = policy.SandboxStandard, nobodyNamed
	return g
}

// contained is how the last run was contained, as its start says.
func (g *gate) contained() (profile string, by []string) {
	g.t.Helper()
	_, bodies := g.records()
	start := bodies[len(bodies)-2]
	return fmt.Sprint(start["sandbox"]), anyStrings(start["contained"])
}

func TestInStandardBubblewrapGivesARunbookItsNameAndItsOwnProcesses(t *testing.T) {
	t.Parallel()
	g := wrappedGate(t)
	other := filepath.Join(t.TempDir(), "other") // which is in the host's /tmp
	if err := os.WriteFile(other, []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(filepath.Dir(other)), 0o755); err != nil {
		t.Fatal(err)
	}
	o := g.must(g.run("Check disks.sh", `echo "$0"; head -1 "$0" | wc -l; pwd; echo "$HOME $TMPDIR"
touch "$HOME/a" "$TMPDIR/a" && echo written
(echo x >> "$0") 2>/dev/null || echo kept
cat `+other+` 2>/dev/null || echo "no files of others"
head -1 /etc/passwd | cut -d: -f1; echo "parent $PPID"; grep -h NoNewPrivs /proc/self/status
setsid sleep 300 >/dev/null 2>&1 &
`))
	want := []string{
		"/run/writ/runbook/Check disks.sh", "1", "/run/writ/home", "/run/writ/home /tmp", "written", "kept", "no files of others", "root", "parent 1", "NoNewPrivs:\t1",
	}
	if diff := cmp.Diff(want, lines(o.stdout)); diff != "" {
		t.Error(diff, o.stderr)
	}
	if profile, by := g.contained(); profile != policy.SandboxStandard || len(by) == 0 || by[0] != "bwrap" || !slices.Contains(by, "seccomp") {
		t.Errorf("contained in %s by %q", profile, by)
	}
}

func TestInStandardBubblewrapShowsAWholeSet(t *testing.T) {
	t.Parallel()
	g := wrappedGate(t)
	v := g.verifySet("signed", "bin/run.sh", map[string]string{
		"bin/run.sh":   "here=\"$(dirname \"$0\")\"\n. \"$here/../lib/l.sh\"\n\"$here/tool.sh\"\n(: > \"$here/new\") 2>/dev/null || echo closed\necho \"$0\"\n",
		"bin/tool.sh*": "#!/bin/sh\necho tool\n",
		"lib/l.sh":     "echo library\n",
	})
	if diff := cmp.Diff([]string{"library", "tool", "closed", "/run/writ/runbook/bin/run.sh"}, lines(g.must(g.runSet(v)).stdout)); diff != "" {
		t.Error(diff)
	}
	if _, by := g.contained(); by[0] != "bwrap" {
		t.Errorf("contained by %q", by)
	}
}

func TestInBubblewrapStatusSignalAndTimeLimitAreThoseOfTheRunbook(t *testing.T) {
	t.Parallel()
	g := wrappedGate(t)
	for script, want := range map[string][2]int{"exit 7\n": {7, 0}, "exit 137\n": {137, 0}, "kill -9 $$\n": {-1, 9}, "kill -TERM $$\n": {-1, 15}} {
		if o := g.run("r.sh", script); o.Status != want[0] || o.Signal != want[1] || o.err != nil {
			t.Errorf("%q: status %d, signal %d, %v", script, o.Status, o.Signal, o.err)
		}
	}
	g = wrappedGate(t, func(o *worker.Options) { o.Grace = time.Minute })
	o := g.run("r.sh", "trap 'echo told; exit 3' TERM; echo begun; sleep 300 & wait\n", g.upOnce("begun\n"))
	if !o.TimedOut || o.Status != 3 || o.stdout != "begun\ntold\n" {
		t.Errorf("%+v", o)
	}
	if _, by := g.contained(); by[0] != "bwrap" {
		t.Errorf("contained by %q", by)
	}
}

func TestInBubblewrapTheRunbookIsInTheControlGroupOfItsRun(t *testing.T) {
	t.Parallel()
	g := wrappedGate(t)
	o := g.must(g.run("r.sh", "cat /proc/self/cgroup\n"))
	_, by := g.contained()
	if !slices.ContainsFunc(by, func(word string) bool { return strings.HasPrefix(word, "cgroup") }) {
		t.Skipf("skipped: this host gives no control group: %q", by)
	}
	if !strings.Contains(o.stdout, "/writ-") {
		t.Errorf("contained by %q, and in none of its groups: %s", by, o.stdout)
	}
}

func TestWhereBubblewrapWouldHideWhatIsNeededTheRunIsWithout(t *testing.T) {
	t.Parallel()
	g := wrappedGate(t)
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	o := g.must(g.run("r.sh", "pwd\n", func(j *worker.Job) { j.Dir = dir }))
	if _, by := g.contained(); o.stdout != dir+"\n" || by[0] != "subreaper" {
		t.Errorf("ran in %q, contained by %q", o.stdout, by)
	}
}

func TestWithoutBubblewrapIsWithout(t *testing.T) {
	t.Parallel()
	g := newGate(t, func(o *worker.Options) { o.WithoutBubblewrap = true })
	g.sandbox = policy.SandboxStandard
	o := g.must(g.run("r.sh", "echo \"$0\"\n"))
	if _, by := g.contained(); o.stdout != "/dev/fd/3\n" || by[0] != "subreaper" {
		t.Errorf("ran as %q, contained by %q", o.stdout, by)
	}
}

func TestARunThatBubblewrapCannotContainIsWithoutItAndSaysSo(t *testing.T) {
	t.Parallel()
	g := wrappedGate(t)
	// bwrap cannot execute a program that its user may not, or that is not there.
	g.options.Stage = worker.StageProgram(g.closedStage())
	var err error
	if g.worker, err = worker.New(g.options); err != nil {
		t.Fatal(err)
	}
	o := g.run("r.sh", "echo ran\n")
	profile, by := g.contained()
	if o.err != nil || o.stdout != "ran\n" || profile != policy.SandboxStandard || by[0] != "subreaper" || len(o.Warnings) != 1 ||
		!strings.HasPrefix(o.Warnings[0], "bwrap could not be used, and the run was without namespaces: start the stage: ") {
		t.Errorf("contained in %s by %q; %+v", profile, by, o)
	}
}

// closedStage is a program that is a stage for this process, and cannot be executed by
// nobody or in bwrap, which has another /proc.
func (g *gate) closedStage() string {
	g.t.Helper()
	if os.Geteuid() != 0 {
		return fmt.Sprintf("/proc/%d/exe", os.Getpid())
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		g.t.Fatal(err)
	}
	dir := g.t.TempDir()
	program := filepath.Join(dir, "stage")
	testenv.WriteProgram(g.t, program, self)
	if err := os.Chmod(program, 0o700); err != nil {
		g.t.Fatal(err)
	}
	return program
}
