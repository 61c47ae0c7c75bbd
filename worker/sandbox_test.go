//go:build linux

package worker_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/worker"
)

// confine makes the runs of a gate take place in a profile, and skips the test where
// this host cannot give it.
func (g *gate) confine(profile string) {
	g.t.Helper()
	g.sandbox = profile
	o := g.run("probe.sh", "true\n")
	var bad *worker.ObligationError
	if errors.As(o.err, &bad) && bad.Name == "sandbox" {
		g.t.Skipf("skipped: this host does not give the profile %s: %v", profile, o.err)
	}
}

// asRoot skips a test that only root can run.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("skipped: only root can run a runbook as somebody else")
	}
}

// forNobody gives a gate of root a folder for its runs that nobody can enter: as which
// they take place where no policy names somebody.
func forNobody(t *testing.T) func(*worker.Options) {
	t.Helper()
	dir, err := os.MkdirTemp("", "writ-test-") //nolint:usetesting // the folder of t.TempDir is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil { // only if nothing was left
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return func(o *worker.Options) { o.TempDir = dir }
}

func TestARunbookInStrictHasItsRealNameAndNothingElse(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.confine(policy.SandboxStrict)
	secret := filepath.Join(g.dir, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := g.must(g.run("Check disks.sh", `echo "$0"; cat "$0" | head -1; pwd; echo "$HOME $TMPDIR"
touch "$HOME/a" "$TMPDIR/a" && echo written
(echo x >> "$0") 2>/dev/null && echo "wrote to itself"
for path in `+g.dir+` /root /home /var /sys /etc/writ/trust; do [ -e $path ] && echo "sees $path"; done
grep -h NoNewPrivs /proc/self/status
`))
	want := []string{
		"/run/writ/runbook/Check disks.sh", `echo "$0"; cat "$0" | head -1; pwd; echo "$HOME $TMPDIR"`, "/run/writ/home",
		"/run/writ/home /tmp", "written", "NoNewPrivs:\t1",
	}
	if diff := cmp.Diff(want, lines(o.stdout)); diff != "" {
		t.Error(diff, o.stderr)
	}
	_, bodies := g.records()
	start := bodies[len(bodies)-2]
	if start["sandbox"] != policy.SandboxStrict || start["user"] != own(t) || anyStrings(start["contained"])[0] != "namespaces" {
		t.Errorf("start %v", start)
	}
}

func TestASetInStrictHasItsRealNames(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.confine(policy.SandboxStrict)
	v := g.verifySet("signed", "bin/run.sh", map[string]string{
		"bin/run.sh":    "set -eu\nhere=\"$(dirname \"$0\")\"\n. \"$here/../lib/l.sh\"\n\"$here/tool.sh\"\nfind /run/writ/runbook -printf '%m %P\\n' | LC_ALL=C sort -k 2\n",
		"bin/tool.sh*":  "#!/bin/sh\necho tool\n",
		"lib/l.sh":      "echo library\n",
		"lib/deep/a b":  "",
		"-n":            "a name like an option\n",
		"lib/deep/c.py": "pass\n",
	})
	want := []string{
		"library", "tool", "755 ", "444 -n", "755 bin", "444 bin/run.sh", "555 bin/tool.sh", "755 lib", "755 lib/deep", "444 lib/deep/a b",
		"444 lib/deep/c.py", "444 lib/l.sh",
	}
	if diff := cmp.Diff(want, lines(g.must(g.runSet(v)).stdout)); diff != "" {
		t.Error(diff)
	}
}

func TestTheFirstProfileThatTheHostGivesIsUsed(t *testing.T) {
	t.Parallel()
	g := newGate(t, func(o *worker.Options) { o.Sandbox.Read = []string{"/nonesuch"} }) // what strict cannot show
	for sandbox, want := range map[string]string{
		"[strict, standard, none]": policy.SandboxStandard, "[strict, none]": policy.SandboxNone, "standard": policy.SandboxStandard, "strict": "",
	} {
		g.sandbox = sandbox
		o := g.run("r.sh", "echo ran\n")
		types, bodies := g.records()
		if want == "" {
			var bad *worker.ObligationError
			if !errors.As(o.err, &bad) || bad.Name != "sandbox" || o.Started || !strings.Contains(o.err.Error(), `strict: fetch the folders of the host: openat2 /nonesuch`) {
				t.Errorf("%s: %v", sandbox, o.err)
			}
			if types[len(types)-1] != "decision" {
				t.Errorf("%s: a start was recorded", sandbox)
			}
			continue
		}
		if g.must(o); o.stdout != "ran\n" || bodies[len(bodies)-2]["sandbox"] != want {
			t.Errorf("%s: %+v, %v", sandbox, o, bodies[len(bodies)-2])
		}
	}
}

func TestRootsGateRunsAsNobodyUnlessThePolicyNamesSomebody(t *testing.T) {
	t.Parallel()
	asRoot(t)
	for _, profile := range []string{policy.SandboxNone, policy.SandboxStandard, policy.SandboxStrict} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, forNobody(t))
			g.user = nobodyNamed
			g.confine(profile)
			o := g.must(g.run("r.sh", "id -un; id -Gn; touch $HOME/h $TMPDIR/t && echo written; cat /etc/shadow 2>/dev/null; ls $HOME; touch -a \"$0\" 2>/dev/null || echo kept\n"))
			if want := "nobody\nnogroup\nwritten\nh\nkept\n"; o.stdout != want {
				t.Errorf("got %q, %s", o.stdout, o.stderr)
			}
			v := g.verifySet("signed", "run.sh", map[string]string{"run.sh": ". \"$(dirname \"$0\")/l.sh\"\n(echo x > \"$0\") 2>/dev/null || echo kept\n", "l.sh": "echo library\n"})
			if out := g.must(g.runSet(v)); out.stdout != "library\nkept\n" {
				t.Errorf("got %q", out.stdout)
			}
		})
	}
}

// Several processes that each stay below a limit must not pass it together.
func TestAttackUseUpMemoryInPieces(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "python3")
	g := newGate(t, forNobody(t), func(o *worker.Options) { o.Sandbox.Limits.Memory = 96 << 20 })
	g.user = nobodyNamed
	g.confine(policy.SandboxStrict)
	_, bodies := g.records()
	if by := anyStrings(bodies[len(bodies)-2]["contained"]); !slices.ContainsFunc(by, func(s string) bool { return strings.HasPrefix(s, "cgroup ") }) {
		t.Skipf("skipped: this host gives no control group: %v", by)
	}
	o := g.run("r.sh", `piece() { python3 -I -c 'import time; a = bytearray(60 << 20); print("got it", flush=True); time.sleep(60)'; }
piece & piece & piece & wait -n; echo "ended: $?"
`)
	if o.err != nil || !strings.Contains(o.stdout, "ended: 137\n") { // the kernel has killed one
		t.Errorf("got %q, %v: %+v", o.stdout, o.err, o.Result)
	}
}

func TestAControlGroupThatIsNamedMustBeHad(t *testing.T) {
	t.Parallel()
	g := newGate(t, func(o *worker.Options) { o.Sandbox.Cgroup = "/nonesuch/writ" })
	for _, g.sandbox = range []string{policy.SandboxStrict, policy.SandboxNone} {
		o := g.run("r.sh", "echo ran\n")
		var bad *worker.ObligationError
		if !errors.As(o.err, &bad) || bad.Name != "sandbox" || o.Started || o.stdout != "" {
			t.Errorf("%s: %v", g.sandbox, o.err)
		}
	}
}

// A job that writes to its home leaves nothing for the next one.
func TestNoJobSeesWhatAnotherLeft(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{policy.SandboxNone, policy.SandboxStandard, policy.SandboxStrict} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			g := newGate(t)
			g.confine(profile)
			for range 2 {
				if o := g.must(g.run("r.sh", "ls -A $HOME $TMPDIR | grep -v : | grep .; touch $HOME/.azure $TMPDIR/x\n")); o.stdout != "" {
					t.Errorf("left: %q", o.stdout)
				}
			}
		})
	}
}

func TestASandboxThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]worker.Sandbox{
		"a relative path":          {Read: []string{"srv"}},
		"a path that is not clean": {Write: []string{"/srv/../etc"}},
		"what strict has its own":  {Write: []string{"/run"}},
		"the root folder":          {Read: []string{"/"}},
		"less than no memory":      {Limits: worker.Limits{Memory: -1}},
		"less than no time":        {Limits: worker.Limits{CPU: -1}},
	} {
		var bad *worker.SandboxError
		g := newGate(t)
		o := g.options
		o.Sandbox = s
		if _, err := worker.New(o); !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
