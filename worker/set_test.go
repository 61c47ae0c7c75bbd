//go:build linux

package worker_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
	"github.com/runwrit/writ/worker"
)

// CheckSet takes every set whose document says that it is signed.
func (plainFormat) CheckSet(_ context.Context, rb *runbook.Runbook, _ time.Time) verifier.Outcome {
	if !bytes.HasPrefix(rb.Set().Manifest(), []byte("signed")) {
		return verifier.Outcome{Claimed: true, Verdict: verifier.Unsigned}
	}
	return verifier.Outcome{
		Claimed: true, Verdict: verifier.Valid, Payload: rb.Bytes(),
		Signatures: []verifier.Signature{{
			Format: "manifest", Signer: verifier.Identity{IDs: []string{signer}}, SignedAtSource: verifier.TimeNone,
			Checks: []verifier.Check{verifier.Passed(verifier.CheckSignature, "good")},
		}},
	}
}

// verifySet returns the verified runbook at entry of a project; a path that ends
// in "*" may be executed.
func (g *gate) verifySet(document, entry string, files map[string]string) *verifier.Verified {
	g.t.Helper()
	var members []runbook.Member
	for path, text := range files {
		path, executable := strings.CutSuffix(path, "*")
		m, err := runbook.ReadMember(path, executable, strings.NewReader(text), 0)
		if err != nil {
			g.t.Fatal(err)
		}
		members = append(members, m)
	}
	rb, err := runbook.NewSet("/srv/"+entry, []byte(document), entry, members)
	if err != nil {
		g.t.Fatal(err)
	}
	v, err := newVerifier(g.t).Verify(g.t.Context(), rb)
	if err != nil {
		g.t.Fatal(err)
	}
	return v
}

func (g *gate) runSet(v *verifier.Verified) outcome {
	g.t.Helper()
	var stdout, stderr buffer
	res, err := g.worker.Run(g.t.Context(), worker.Job{Decision: g.record(v), Runbook: v, Stdout: &stdout, Stderr: &stderr})
	g.nothingLeft()
	return outcome{res, err, stdout.String(), stderr.String()}
}

func TestASetRunsFromAPrivateFolderOfItsOwn(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	v := g.verifySet("signed", "bin/run.sh", map[string]string{
		"bin/run.sh": `set -eu
here="$(dirname "$0")"
. "$here/../lib/deep/l.sh"
"$here/tool.sh"
cd "$here/.." && pwd && find . -printf '%m %p\n' | LC_ALL=C sort -k 2
echo "$HOME"`,
		"bin/tool.sh*":    "#!/bin/sh\necho tool\n",
		"lib/deep/l.sh":   "echo library\n",
		"lib/deep/a b.sh": "",
		"-n":              "a name like an option\n",
	})
	out := g.must(g.runSet(v))
	got := lines(out.stdout)
	if len(got) < 4 || !strings.HasPrefix(got[2], g.temp+"/writ-run-") || !strings.HasPrefix(got[len(got)-1], g.temp+"/writ-run-") {
		t.Fatalf("output %q", got)
	}
	want := []string{
		"library", "tool", got[2], "500 .", "400 ./-n", "500 ./bin", "400 ./bin/run.sh", "500 ./bin/tool.sh",
		"500 ./lib", "500 ./lib/deep", "400 ./lib/deep/a b.sh", "400 ./lib/deep/l.sh", filepath.Join(filepath.Dir(got[2]), "home"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if out.Manifest != v.Set().Digest() || out.Manifest.IsZero() {
		t.Errorf("the result has the list %q", out.Manifest)
	}
	_, bodies := g.records()
	for i, body := range bodies[:2] { // decision and start
		facts, _ := body["runbook"].(map[string]any)
		if facts["manifest_sha256"] != v.Set().Digest().String() {
			t.Errorf("record %d has the list %v", i, facts["manifest_sha256"])
		}
	}
}

func TestPythonImportsFromItsSetOnly(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "python3")
	g := newGate(t)
	planted := t.TempDir()
	if err := os.WriteFile(filepath.Join(planted, "helper.py"), []byte("TEXT = 'EVIL'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.options.LookupEnv = func(name string) (string, bool) { return planted, name == "PYTHONPATH" }
	v := g.verifySet("signed", "run.py", map[string]string{
		"run.py":          "import sys, helper, pkg.part\nprint(helper.TEXT, pkg.part.TEXT, sys.dont_write_bytecode, sys.flags.ignore_environment, sys.flags.no_user_site)\n",
		"helper.py":       "TEXT = 'verified'\n",
		"pkg/__init__.py": "", "pkg/part.py": "TEXT = 'part'\n",
	})
	if out := g.must(g.runSet(v)); out.stdout != "verified part True 1 1\n" {
		t.Errorf("output %q", out.stdout)
	}
}

// The permit is for one set, signed by one hand, and for one place in it.
func TestAPermitForOneSetNeverRunsAnother(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	touched := filepath.Join(g.dir, "touched")
	script := "touch " + touched + "\n. \"$(dirname \"$0\")/l.sh\"\n"
	files := map[string]string{"a/run.sh": script, "b/run.sh": script, "a/l.sh": "true\n", "b/l.sh": "false\n"}
	with := func(path, text string) map[string]string {
		changed := map[string]string{}
		for p, s := range files {
			changed[p] = s
		}
		delete(changed, strings.TrimSuffix(path, "*"))
		changed[path] = text
		return changed
	}
	v := g.verifySet("signed", "a/run.sh", files)
	for name, other := range map[string]*verifier.Verified{
		"another library":                    g.verifySet("signed", "a/run.sh", with("a/l.sh", "evil\n")),
		"another mode":                       g.verifySet("signed", "a/run.sh", with("a/l.sh*", "true\n")),
		"one more file":                      g.verifySet("signed", "a/run.sh", with("a/new.sh", "evil\n")),
		"the same bytes at another place":    g.verifySet("signed", "b/run.sh", files),
		"the same set, signed by somebody":   g.verifySet("signed by another", "a/run.sh", files),
		"the same bytes alone, without set":  g.verifyFile("run.sh", "signed\n"+script),
		"no file of the same name in common": g.verifySet("signed", "run.sh", map[string]string{"run.sh": script}),
	} {
		res, err := g.worker.Run(t.Context(), worker.Job{Decision: g.record(v), Runbook: other})
		if err == nil || res.Started || worker.ExitCode(res, err) != worker.ExitGateFailure {
			t.Errorf("%s: %+v, %v", name, res, err)
		}
		res, err = g.worker.Run(t.Context(), worker.Job{Decision: g.record(other), Runbook: v})
		if err == nil || res.Started || worker.ExitCode(res, err) != worker.ExitGateFailure {
			t.Errorf("%s, the other way round: %+v, %v", name, res, err)
		}
		if _, err := os.Stat(touched); err == nil {
			t.Fatalf("%s: the runbook was run", name)
		}
	}
	g.must(g.runSet(v))
	in, d := g.decide(v)
	d.Manifest = runbook.DigestOf([]byte("another"))
	if _, err := g.worker.Record(t.Context(), worker.Evidence{Report: v.Report(), Input: in, Decision: d}); err == nil {
		t.Error("a decision about another list was recorded as one about this")
	}
}

func TestPowerShellGetsItsPlaceInTheSet(t *testing.T) {
	t.Parallel()
	g := newGate(t, standIn(t, `
printf '%s\n' "${@:1:3}" "${4##*/writ-run-}"
cat "$(dirname "$4")/lib.psm1"
`))
	v := g.verifySet("signed", "web/Restart-Web.ps1", map[string]string{
		"web/Restart-Web.ps1": "Import-Module $PSScriptRoot/lib.psm1\r\n", "web/lib.psm1": "function f { }\n",
	})
	got := lines(g.must(g.runSet(v)).stdout)
	if len(got) != 5 || !strings.HasSuffix(got[3], "/project/web/Restart-Web.ps1") {
		t.Fatalf("output %q", got)
	}
	if diff := cmp.Diff([]string{"-NoProfile", "-NonInteractive", "-File", got[3], "function f { }"}, got); diff != "" {
		t.Error(diff)
	}
}
