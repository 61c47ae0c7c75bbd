package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// thisOne returns where groups can really be made.
func thisOne(t *testing.T) *Parent {
	t.Helper()
	p, err := Find("")
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	return p
}

// realVersion2 returns a version 2 where groups can be made, be it without controllers.
func realVersion2(t *testing.T) *Parent {
	t.Helper()
	found, err := thisHost().hierarchies("")
	if err != nil || found[""] == "" || writable(found[""]) != nil {
		t.Skipf("skipped: no version 2 where this user can make groups (%v)", err)
	}
	return &Parent{version: 2, folders: []string{found[""]}, host: thisHost()}
}

func newGroup(t *testing.T, p *Parent, limits Limits) *Group {
	t.Helper()
	g, err := p.New(limits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(g.Kill(context.Background()), g.Remove()); err != nil {
			t.Error(err)
		}
		for _, folder := range g.folders {
			if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s is left (%v)", folder, err)
			}
		}
	})
	return g
}

// startIn starts bash in a group: it waits until it is in it. The reader gives what the
// script prints.
func startIn(t *testing.T, g *Group, script string) (*exec.Cmd, *os.File) {
	t.Helper()
	cmd := exec.Command("/bin/bash", "-c", "read; "+script)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), g.Add(cmd.Process.Pid)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintln(in); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() })
	return cmd, out
}

func TestAttackNobodyEscapesAKill(t *testing.T) {
	t.Parallel()
	for name, parent := range map[string]func(*testing.T) *Parent{"as this host has it": thisOne, "version 2": realVersion2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGroup(t, parent(t), Limits{})
			// Daemons that ignore every signal, and one that keeps starting others.
			cmd, out := startIn(t, g, `trap "" TERM INT HUP
				for i in 1 2 3; do setsid bash -c 'trap "" TERM HUP; while :; do sleep 60; done' & done
				setsid bash -c 'while :; do sleep 60 & disown; sleep 0.001; done' &
				nohup sleep 60 >/dev/null 2>&1 & (sleep 60 &) ; echo ready; exec sleep 60`)
			line := make([]byte, 6)
			if _, err := out.Read(line); err != nil || string(line) != "ready\n" {
				t.Fatalf("got %q (%v)", line, err)
			}
			if n, err := g.Count(); err != nil || n < 5 {
				t.Errorf("got %d processes (%v)", n, err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			if err := g.Kill(ctx); err != nil {
				t.Error(err)
			}
			_ = cmd.Wait() // killed
			if n, err := g.Count(); err != nil || n != 0 {
				t.Errorf("%d processes are left (%v)", n, err)
			}
		})
	}
}

func TestAttackAForkBombEndsAtTheLimit(t *testing.T) {
	t.Parallel()
	g := newGroup(t, thisOne(t), Limits{Processes: 12})
	cmd, _ := startIn(t, g, `for i in $(seq 40); do sleep 60 & done 2>/dev/null; wait`)
	seen := 0
	for range 15_000 { // half a minute: they start as soon as the machine lets them
		n, err := g.Count()
		if err != nil {
			t.Fatal(err)
		}
		if seen = max(seen, n); seen >= 12 {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	if seen != 12 {
		t.Errorf("the greatest number of processes was %d, want 12", seen)
	}
	if err := g.Kill(context.Background()); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // killed
}

func TestAttackMemoryBeyondTheLimitKillsTheJob(t *testing.T) {
	t.Parallel()
	g := newGroup(t, thisOne(t), Limits{Memory: 24 << 20})
	cmd, _ := startIn(t, g, `x=a; for i in $(seq 28); do x=$x$x; done`)
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.String() != "signal: killed" {
		t.Errorf("got %v", err)
	}
}

func TestAProcessThatIsGoneOrNoneCannotBeAdded(t *testing.T) {
	t.Parallel()
	g := newGroup(t, thisOne(t), Limits{})
	for _, pid := range []int{0, -1, 4194399} {
		if err := g.Add(pid); err == nil {
			t.Errorf("%d was added", pid)
		}
	}
	if n, err := g.Count(); n != 0 || err != nil {
		t.Errorf("%d processes (%v)", n, err)
	}
}

func TestAGroupInsideTheGroupIsKilledAndRemoved(t *testing.T) {
	t.Parallel()
	for name, parent := range map[string]func(*testing.T) *Parent{"as this host has it": thisOne, "version 2": realVersion2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGroup(t, parent(t), Limits{})
			inner := &Group{version: g.version, host: g.host, folders: []string{filepath.Join(g.folders[0], "inner")}}
			if err := os.Mkdir(inner.folders[0], 0o755); err != nil {
				t.Fatal(err)
			}
			cmd, _ := startIn(t, inner, "exec sleep 60")
			if n, err := g.Count(); n != 1 || err != nil {
				t.Errorf("%d processes (%v)", n, err)
			}
			if err := g.Kill(context.Background()); err != nil {
				t.Error(err)
			}
			_ = cmd.Wait() // killed
		})
	}
}

func TestOneWithoutRightsIsToldWhereHeHasNone(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("skipped: root may make groups everywhere")
	}
	_, err := Find("/")
	var unavailable *UnavailableError
	if !errors.As(err, &unavailable) || !strings.Contains(err.Error(), "version") {
		t.Errorf("got %v", err)
	}
}
