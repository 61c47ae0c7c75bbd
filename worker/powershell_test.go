//go:build linux

package worker_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/worker"
)

// standIn puts a program in the place of pwsh, which is not installed where
// these tests run: it shows what pwsh would be given. It is not PowerShell.
func standIn(t testing.TB, script string) func(*worker.Options) {
	t.Helper()
	dir := t.TempDir()
	for _, above := range []string{filepath.Dir(dir), dir} { // another account has to get there
		if err := os.Chmod(above, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "stand-in-for-pwsh")
	testenv.WriteProgram(t, path, []byte("#!/bin/bash\n"+script))
	return func(o *worker.Options) {
		o.Interpreters = map[runbook.Kind]worker.Interpreter{runbook.PowerShell: {Program: path}}
	}
}

func TestPowerShellGetsAReadOnlyCopyWithTheRunbooksName(t *testing.T) {
	t.Parallel()
	const payload = "\ufeffparam($Name)\r\nWrite-Output $Name\r\n"
	g := newGate(t, standIn(t, `
printf 'arg:%s\n' "$@"
script=$4
echo "name:${script##*/}"
cmp "$script" `+"/dev/stdin"+` && echo same
env | sort
exit 9
`))
	g.args = []policy.Argument{{Value: "first value"}, {Name: "Name", Value: "a b; $(touch x)"}, {Name: "Switch", Value: "$true"}}
	in := filepath.Join(g.dir, "payload")
	if err := os.WriteFile(in, []byte(payload), 0o600); err != nil {
		t.Fatal(err)
	}
	stdin, err := os.Open(in)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdin.Close() }()
	o := g.run("Restart-Web.ps1", payload, func(j *worker.Job) { j.Stdin = stdin })
	if o.err != nil || o.Status != 9 {
		t.Fatalf("%v: %+v", o.err, o)
	}
	got := lines(o.stdout)
	// The stand-in is bash, which adds PWD, SHLVL and _; who runs it is account_test.go's.
	got = slices.DeleteFunc(got, func(line string) bool {
		return strings.HasPrefix(line, "_=") || strings.HasPrefix(line, "USER=") || strings.HasPrefix(line, "LOGNAME=")
	})
	if len(got) < 4 {
		t.Fatal(o.stdout)
	}
	script := strings.TrimPrefix(got[3], "arg:")
	folder := strings.TrimSuffix(script, "/script/Restart-Web.ps1")
	if filepath.Dir(folder) != g.temp {
		t.Errorf("the copy is at %s", script)
	}
	want := []string{
		"arg:-NoProfile", "arg:-NonInteractive", "arg:-File", "arg:" + script,
		"arg:-Name:a b; $(touch x)", "arg:-Switch:$true", "arg:first value",
		"name:Restart-Web.ps1", "same",
		"AZURE_CONFIG_DIR=" + folder + "/home/.azure", "HOME=" + folder + "/home", "LANG=C.UTF-8", "PATH=" + worker.Path,
		"POWERSHELL_TELEMETRY_OPTOUT=1", "POWERSHELL_UPDATECHECK=Off",
		"PWD=" + folder + "/home", "SHLVL=1", "TMPDIR=" + folder + "/tmp",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheCopyIsRemovedWhateverEndsPowerShell(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"it fails":                    "exit 1\n",
		"it is killed":                "kill -KILL $$\n",
		"it times out":                "sleep 60\n",
		"it unlocks and renames":      `chmod 700 "$(dirname "$4")"; mv "$4" "$4.old"; echo EVIL > "$4"` + "\n",
		"it locks the folder":         `chmod 000 "$(dirname "$4")" "$(dirname "$(dirname "$4")")"` + "\n",
		"it removes the folder":       `rm -rf "$(dirname "$(dirname "$4")")"` + "\n",
		"it puts a link in its place": `d="$(dirname "$(dirname "$4")")"; rm -rf "$d"; ln -s / "$d"` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, standIn(t, script))
			g.timeout = "1s"
			o := g.run("r.ps1", "1\n")
			if o.err != nil || !o.Started {
				t.Errorf("%v: %+v", o.err, o)
			}
		})
	}
}

func TestModulesAndDataAreNotRun(t *testing.T) {
	t.Parallel()
	g := newGate(t, standIn(t, "echo EVIL\n"))
	for _, name := range []string{"m.psm1", "d.psd1", "v.vbs", "w.wsf", "x.ps1xml", "m.mof"} {
		o := g.run(name, "1\n")
		if _, ok := asError[*worker.InterpreterError](o.err); !ok || o.Started || o.stdout != "" {
			t.Errorf("%s: %v, %+v", name, o.err, o)
		}
		if code := worker.ExitCode(o.Result, o.err); code != worker.ExitMissing {
			t.Errorf("%s: exit code %d", name, code)
		}
	}
}

func TestAnInterpreterThatIsMissingStartsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken")
	testenv.WriteProgram(t, broken, []byte("#!/nonesuch\n"))
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/bash\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"no such file": filepath.Join(dir, "none"), "a folder": dir, "not executable": plain, "its own interpreter is missing": broken,
	} {
		g := newGate(t, func(o *worker.Options) {
			o.Interpreters = map[runbook.Kind]worker.Interpreter{runbook.PowerShell: {Program: path}}
		})
		o := g.run("r.ps1", "1\n")
		if _, ok := asError[*worker.InterpreterError](o.err); !ok || o.Started || worker.ExitCode(o.Result, o.err) != worker.ExitMissing {
			t.Errorf("%s: %v, %+v", name, o.err, o)
		}
	}
}
