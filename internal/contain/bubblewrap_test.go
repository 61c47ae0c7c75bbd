//go:build linux

package contain_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/runwrit/writ/internal/contain"
	"github.com/runwrit/writ/internal/testenv"
)

const (
	nobodyID   = 65534
	scriptName = "My Script.sh"
	scriptText = "echo the script\n"
)

// reachable is a copy of this program that every user can execute.
var reachable = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(reachableVariable); path != "" {
		return path, nil
	}
	data, err := os.ReadFile(contain.Self)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "writ-reachable-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "program")
	syscall.ForkLock.RLock() // see testenv.WriteProgram
	defer syscall.ForkLock.RUnlock()
	return path, errors.Join(os.Chmod(dir, 0o755), os.WriteFile(path, data, 0o755), os.Setenv(reachableVariable, path))
})

// reachableVariable tells a caller that a test kills where the copy is.
const reachableVariable = "WRIT_REACHABLE"

// withoutReachable runs the tests, and removes the copy if it was made here.
func withoutReachable(run func() int) {
	mine := os.Getenv(reachableVariable) == ""
	run()
	if path := os.Getenv(reachableVariable); mine && path != "" {
		_ = os.RemoveAll(filepath.Dir(path))
	}
}

// open is a new folder that every user can enter.
func open(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func executable(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// inBubblewrap completes what is needed there, and returns the program of the stage.
func inBubblewrap(t *testing.T, spec *contain.Spec, o *contain.IO) string {
	t.Helper()
	program := contain.Self
	dir := open(t)
	home, temp := filepath.Join(dir, "home"), filepath.Join(dir, "tmp")
	if err := errors.Join(os.Mkdir(home, 0o700), os.Mkdir(temp, 0o700)); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if spec.User == nil {
			spec.User = &contain.User{UID: nobodyID, GID: nobodyID}
		}
		if err := errors.Join(os.Chown(home, nobodyID, nobodyID), os.Chown(temp, nobodyID, nobodyID)); err != nil {
			t.Fatal(err)
		}
		var err error
		if program, err = reachable(); err != nil {
			t.Fatal(err)
		}
	}
	if spec.Wrap == nil {
		sum := sha256.Sum256([]byte(scriptText))
		spec.Wrap = &contain.Wrap{Script: scriptName, SHA256: hex.EncodeToString(sum[:])}
		var err error
		if o.Script, err = contain.Sealed("script", []byte(scriptText)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = o.Script.Close() })
	}
	if spec.Wrap.Program == "" {
		spec.Wrap.Program = testenv.Tool(t, "bwrap")
	}
	spec.Wrap.Home, spec.Wrap.Temp = home, temp
	return program
}

func TestInBubblewrapAProcessSeesTheHostButForWhatIsItsOwn(t *testing.T) {
	t.Parallel()
	mine := open(t)
	script := `echo "$0 pid $PPID"; . "$1"; cat /etc/hostname >/dev/null && echo host
		ls ` + mine + ` 2>/dev/null || echo "no temporary files of others"
		echo x > /tmp/x && echo x > ~/x && ls -A /tmp ~ | tr '\n' ' '; echo
		ls -d /proc/[0-9]* | wc -l; echo "$(stat -c %U "$1") $(id -u)"
		(: > "$1") 2>/dev/null || echo script kept; (: > /run/writ/runbook/other) 2>/dev/null || echo folder kept
		mv "$1" /tmp/ 2>/dev/null || echo not moved; rm -f "$1" 2>/dev/null || echo not removed
		(: > /new) 2>/dev/null || echo root kept; grep -E 'NoNewPrivs|Seccomp:|CapEff|CapBnd' /proc/self/status
		ls /proc/self/fd | tr '\n' ' '`
	spec := bash(contain.Bubblewrap, script)
	spec.Arguments = append(spec.Arguments, "name", contain.RunbookDir+"/"+scriptName)
	o := run(t, spec, contain.IO{})
	for _, want := range []string{
		"name pid 1\nthe script\nhost\nno temporary files of others\n", "/run/writ/home: x", "/tmp: x", "script kept\nfolder kept\nnot moved\nnot removed\nroot kept\n",
		"CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", "0 1 2 3 ",
	} {
		if !strings.Contains(o.output, want) {
			t.Errorf("no %q in:\n%s", want, o.output)
		}
	}
	if o.Status != (contain.Status{}) {
		t.Errorf("%+v", o.Status)
	}
}

func TestInBubblewrapAFolderIsShownAndCannotBeChanged(t *testing.T) {
	t.Parallel()
	project := open(t)
	if err := errors.Join(os.Chmod(project, 0o777), os.WriteFile(filepath.Join(project, "lib.sh"), []byte("echo lib"), 0o666)); err != nil {
		t.Fatal(err)
	}
	spec := bash(contain.Bubblewrap, `. /run/writ/runbook/lib.sh; (: > /run/writ/runbook/lib.sh) 2>/dev/null || echo kept; (: > /run/writ/runbook/new) 2>/dev/null || echo closed`)
	spec.Wrap = &contain.Wrap{Folder: project}
	if o := run(t, spec, contain.IO{}); o.output != "lib\nkept\nclosed\n" {
		t.Errorf("%+v", o)
	}
}

func TestInBubblewrapTheExtraDescriptorsAndTheInputArrive(t *testing.T) {
	t.Parallel()
	extra, err := contain.Sealed("extra", []byte("extra"))
	if err != nil {
		t.Fatal(err)
	}
	in, err := contain.Sealed("in", []byte("input"))
	if err != nil {
		t.Fatal(err)
	}
	o := run(t, bash(contain.Bubblewrap, "cat; cat <&3; echo err >&2"), contain.IO{Stdin: in, Extra: []*os.File{extra}})
	if o.output != "inputextraerr\n" {
		t.Errorf("%+v", o)
	}
}

func TestAttackInBubblewrapTheStageCannotBeHarmed(t *testing.T) {
	t.Parallel()
	o := run(t, bash(contain.Bubblewrap, `kill -9 1; kill -STOP 1; kill -TERM 1; kill -9 -1 2>/dev/null
		cat /proc/1/environ /proc/1/maps 2>/dev/null && echo read; ls /proc/1/fd 2>/dev/null && echo listed
		prlimit --pid 1 --cpu=1 2>/dev/null && echo limited; unshare -Ur true 2>/dev/null && echo unshared; exit 9`), contain.IO{})
	if o.output != "" && !strings.Contains(o.output, "kill") || o.Code != 9 {
		t.Errorf("%+v", o)
	}
	for _, word := range []string{"read", "listed", "limited", "unshared"} {
		if strings.Contains(o.output, word+"\n") {
			t.Errorf("%s: %s", word, o.output)
		}
	}
}

func TestWhenBubblewrapItselfIsKilledNothingLivesOn(t *testing.T) {
	t.Parallel()
	m := mark(t)
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, bash(contain.Bubblewrap, "setsid sleep "+m+" & sleep "+m), contain.IO{Stdout: out})
	if err := p.Go(); err != nil {
		t.Fatal(err)
	}
	wait(t, "its children", func() bool { return len(testenv.Processes("sleep\x00"+m)) == 2 })
	for _, pid := range childrenNamed(t, "bwrap", p) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	if s := p.Wait(); !s.Lost || s.Signal != 9 {
		t.Errorf("%+v", s)
	}
	wait(t, "the end of all", func() bool { return len(testenv.Processes(m)) == 0 })
}

// childrenNamed returns the process that was started for p.
func childrenNamed(t *testing.T, name string, p *contain.Process) []int {
	t.Helper()
	pid := p.PID()
	comm, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil || strings.TrimSpace(string(comm)) != name {
		t.Fatalf("process %d is %q (%v)", pid, comm, err)
	}
	return []int{pid}
}

// standIns are programs in the place of bwrap. They stand in for one that is broken, or
// that was put there by somebody.
var standIns = map[string]struct{ script, reason string }{
	"fails":                 {"echo 'bwrap: No permissions to create new namespace' >&2; exit 1", "it ended, or said what it should not: bwrap: No permissions to create new namespace"},
	"ends in silence":       {"exit 0", "it ended, or said what it should not"},
	"talks without end":     {"while :; do echo 0123456789; sleep 0.01; done >&2", "not ready after"},
	"hangs":                 {"sleep 300 & sleep 300", "not ready after"},
	"makes no namespaces":   {`for last; do :; done; exec -a "$last" "$WRIT_STAGE"`, "not the first one of a PID namespace"},
	"only a PID namespace":  {`exec ` + realBubblewrap + ` --dev-bind / / --proc /proc --unshare-user --unshare-pid --as-pid-1 --dir /tmp -- bash -c 'exec -a ` + "/run/writ/stage/writ-stage" + ` "$0"' "$WRIT_STAGE"`, "is that of the gate"},
	"another script":        {`args=(); while [ $# -gt 0 ]; do if [ "$1" = --ro-bind-data ]; then args+=(--ro-bind /etc/hostname "$3"); shift 3; elif [ "$1" = --perms ]; then shift 2; else args+=("$1"); shift; fi; done; exec ` + realBubblewrap + ` "${args[@]}"`, "another script than the one that was verified"},
	"a script that changes": {`args=(); for a; do case "$a" in --ro-bind-data) a=--bind-data;; esac; args+=("$a"); done; exec ` + realBubblewrap + ` "${args[@]}"`, "could be changed"},
	"a folder that changes": {`args=(); while [ $# -gt 0 ]; do if [ "$1" = --remount-ro ]; then shift 2; else args+=("$1"); shift; fi; done; exec ` + realBubblewrap + ` "${args[@]}"`, "/run/writ/runbook could be changed"},
}

const realBubblewrap = "/usr/bin/bwrap"

func TestAttackABubblewrapThatFailsHangsOrLiesStartsNothing(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(realBubblewrap); err != nil {
		testenv.Tool(t, "bwrap")
	}
	for name, c := range standIns {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := mark(t)
			spec := bash(contain.Bubblewrap, "echo ran; sleep "+m)
			dir := open(t)
			var o contain.IO
			spec.Wrap = nil
			program := inBubblewrap(t, &spec, &o)
			spec.Wrap.Program = filepath.Join(dir, "bwrap")
			stage := program
			if stage == contain.Self {
				stage = executable(t)
			}
			testenv.WriteProgram(t, spec.Wrap.Program, fmt.Appendf(nil, "#!/bin/bash\nWRIT_STAGE='%s'\n: %s\n%s\n", stage, m, c.script))
			out, err := os.Create(filepath.Join(t.TempDir(), "out"))
			if err != nil {
				t.Fatal(err)
			}
			o.Stdout, o.Stderr = out, out
			p, err := contain.Start(t.Context(), program, spec, o)
			var unavailable *contain.UnavailableError
			if p != nil || !errors.As(err, &unavailable) || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("got %v, want %q", err, c.reason)
			}
			if text, err := os.ReadFile(out.Name()); err != nil || len(text) > 0 {
				t.Errorf("in the output of the job: %q (%v)", text, err)
			}
			if pids := testenv.Processes(dir); len(pids) > 0 {
				t.Errorf("processes %v are left", pids)
			}
		})
	}
}

func TestThereIsNoBubblewrapForRoot(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("skipped: only root can start a job of root")
	}
	spec := bash(contain.Bubblewrap, "true")
	spec.User = &contain.User{}
	var o contain.IO
	program := inBubblewrap(t, &spec, &o)
	if _, err := contain.Start(t.Context(), program, spec, o); err == nil || !strings.Contains(err.Error(), "no wall for root") {
		t.Errorf("got %v", err)
	}
}

func TestAWrapThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	sum := strings.Repeat("ab", 32)
	good := contain.Wrap{Program: realBubblewrap, Home: "/h", Temp: "/t", Script: "a.sh", SHA256: sum}
	for name, change := range map[string]func(*contain.Wrap){
		"a program in the path":     func(w *contain.Wrap) { w.Program = "bwrap" },
		"no home":                   func(w *contain.Wrap) { w.Home = "" },
		"a home that leads up":      func(w *contain.Wrap) { w.Home = "/h/../x" },
		"the root as temp folder":   func(w *contain.Wrap) { w.Temp = "/" },
		"a script with a path":      func(w *contain.Wrap) { w.Script = "../a.sh" },
		"a script without a name":   func(w *contain.Wrap) { w.Script = "" },
		"a script that is a folder": func(w *contain.Wrap) { w.Script = ".." },
		"no digest":                 func(w *contain.Wrap) { w.SHA256 = "" },
		"a folder and a script":     func(w *contain.Wrap) { w.Folder = "/p" },
		"a relative folder":         func(w *contain.Wrap) { *w = contain.Wrap{Program: w.Program, Home: w.Home, Temp: w.Temp, Folder: "p"} },
	} {
		w := good
		change(&w)
		spec := bash(contain.Bubblewrap, "true")
		spec.Wrap = &w
		var unfit *contain.SpecError
		if _, err := contain.Start(t.Context(), contain.Self, spec, contain.IO{}); !errors.As(err, &unfit) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, spec := range []contain.Spec{bash(contain.Bubblewrap, "true"), bash(contain.Subreaper, "true")} {
		if spec.Form == contain.Subreaper {
			spec.Wrap = &good
		}
		var unfit *contain.SpecError
		if _, err := contain.Start(t.Context(), contain.Self, spec, contain.IO{}); !errors.As(err, &unfit) {
			t.Errorf("%s: got %v", spec.Form, err)
		}
	}
}
