//go:build linux

package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/worker"
)

// inRegister gives a worker a register beside its temporary folder.
func inRegister(o *worker.Options) { o.RunsDir = o.TempDir + ".runs" }

// killedGate runs a runbook in a process of its own, calls meanwhile, kills the
// process, and returns a worker on what it has left.
func killedGate(t *testing.T, meanwhile func(g *gate)) *gate {
	t.Helper()
	dir := t.TempDir()
	cmd := helper(t, "registered", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*", "001", "ledger.jsonl"))
	if err != nil || len(found) != 1 {
		t.Fatalf("ledgers %v, %v", found, err)
	}
	g := gateOver(t, filepath.Dir(found[0]))
	meanwhile(g)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	gone(t, pid)
	return g
}

// gateOver is a gate on the ledger and the folders of another one.
func gateOver(t *testing.T, dir string) *gate {
	t.Helper()
	g := newGate(t, inRegister)
	g.dir, g.temp, g.ledger = dir, filepath.Join(dir, "temp"), filepath.Join(dir, "ledger.jsonl")
	book, err := ledger.Open(g.ledger, ledger.Options{Now: atTime})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = book.Close() })
	g.options.Ledger, g.options.TempDir = book, g.temp
	inRegister(&g.options)
	if g.worker, err = worker.New(g.options); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *gate) recover() worker.Recovered {
	g.t.Helper()
	found, err := g.worker.Recover(g.t.Context())
	if err != nil {
		g.t.Fatal(err)
	}
	return found
}

func nothing() worker.Recovered {
	return worker.Recovered{Lost: []uint64{}, Folders: []string{}, Left: []string{}}
}

func TestARunWhoseGateWasKilledIsClosedAsLostAndItsFolderRemoved(t *testing.T) {
	t.Parallel()
	g := killedGate(t, func(g *gate) {
		want := nothing()
		want.Running = 1
		if diff := cmp.Diff(want, g.recover()); diff != "" {
			t.Errorf("while it runs: %s", diff)
		}
	})
	found := g.recover()
	// The stage of the run removes its folder too, unless it is killed as well.
	if len(found.Lost) != 1 || found.Lost[0] != 2 || len(found.Folders) > 1 || len(found.Left) != 0 || found.Running != 0 {
		t.Errorf("%+v", found)
	}
	g.nothingLeft()
	types, bodies := g.records()
	if diff := cmp.Diff([]ledger.Type{ledger.TypeDecision, ledger.TypeStart, ledger.TypeEnd}, types); diff != "" {
		t.Fatal(diff)
	}
	end := bodies[2]
	if end["lost"] != true || end["state"] != "Failed" || end["start"] != 2.0 || end["decision"] != 1.0 || end["status"] != -1.0 || end["error"] == "" {
		t.Errorf("the end is %v", end)
	}
	if diff := cmp.Diff(nothing(), g.recover()); diff != "" {
		t.Errorf("the second time: %s", diff)
	}
	if all, err := g.worker.RecoverAll(t.Context()); err != nil || len(all.Lost) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestTheFolderOfALostRunIsRemoved(t *testing.T) {
	t.Parallel()
	g := newGate(t, inRegister)
	folder := filepath.Join(g.temp, "writ-run-X")
	for _, dir := range []string{"home/a", "tmp"} {
		if err := os.MkdirAll(filepath.Join(folder, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(folder, "home"), 0o500); err != nil {
		t.Fatal(err)
	}
	put(t, g, entry{Version: 1, Decision: 1, Gate: process{1 << 30, 1, "00000000-0000-0000-0000-000000000000"}, Folder: folder})
	if found := g.recover(); len(found.Folders) != 1 || found.Folders[0] != folder || len(found.Left) != 0 {
		t.Errorf("%+v", found)
	}
	g.nothingLeft()
}

// After a power failure the register may be gone; the ledger is not.
func TestALostRunThatIsNotInTheRegisterIsFoundInTheLedger(t *testing.T) {
	t.Parallel()
	g := killedGate(t, func(g *gate) {
		if all, err := g.worker.RecoverAll(t.Context()); err != nil || len(all.Lost) != 0 || all.Running != 1 {
			t.Errorf("while it runs: %+v, %v", all, err)
		}
	})
	if err := os.RemoveAll(g.options.RunsDir); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(nothing(), g.recover()); diff != "" {
		t.Errorf("the register alone: %s", diff)
	}
	all, err := g.worker.RecoverAll(t.Context())
	if err != nil || len(all.Lost) != 1 || all.Lost[0] != 2 {
		t.Errorf("%+v, %v", all, err)
	}
}

// endingLedger gets the end of a run when all of it has been read.
type endingLedger struct {
	*ledger.Ledger
	end func()
}

func (l endingLedger) ScanFrom(ctx context.Context, seq uint64, visit func(ledger.Record) error) error {
	err := l.Ledger.ScanFrom(ctx, seq, visit)
	if seq == 1 {
		l.end()
	}
	return err
}

func TestARunThatEndsWhileTheLedgerIsReadIsNotLost(t *testing.T) {
	t.Parallel()
	g := newGate(t, inRegister, func(o *worker.Options) {
		book := o.Ledger.(*ledger.Ledger)
		o.Ledger = endingLedger{book, func() {
			if _, err := book.Append(t.Context(), ledger.Event{Type: ledger.TypeEnd, Body: map[string]any{"decision": 1, "start": 2}}); err != nil {
				t.Error(err)
			}
		}}
	})
	put(t, g, entry{Version: 1, Decision: 1, Gate: process{1 << 30, 1, "00000000-0000-0000-0000-000000000000"}})
	if err := os.Remove(filepath.Join(g.options.RunsDir, "1")); err != nil {
		t.Fatal(err)
	}
	all, err := g.worker.RecoverAll(t.Context())
	if err != nil || len(all.Lost) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestARunThatEndsIsNotInTheRegisterAnyMore(t *testing.T) {
	t.Parallel()
	g := newGate(t, inRegister)
	g.must(g.run("r.sh", "true\n"))
	entries, err := os.ReadDir(g.options.RunsDir)
	if err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
	if diff := cmp.Diff(nothing(), g.recover()); diff != "" {
		t.Error(diff)
	}
	_, bodies := g.records()
	id, _ := bodies[1]["gate"].(map[string]any)
	if id["pid"] != float64(os.Getpid()) || id["boot_id"] == "" || id["started"] == 0.0 {
		t.Errorf("the start says of its gate %v", id)
	}
}

func TestARunOfThisProcessIsNeverLost(t *testing.T) {
	t.Parallel()
	g := newGate(t, inRegister)
	o := g.must(g.run("r.sh", "echo one\n", func(j *worker.Job) {
		j.Stdout = writerFunc(func(b []byte) (int, error) {
			want := nothing()
			want.Running = 1
			if diff := cmp.Diff(want, g.recover()); diff != "" {
				t.Error(diff)
			}
			return len(b), nil
		})
	}))
	if types, _ := g.records(); len(types) != 3 || o.End != 3 {
		t.Errorf("%v", types)
	}
}

// entry is the file of a run in the register, as somebody might have left it.
type entry struct {
	Version  int    `json:"version"`
	Decision uint64 `json:"decision"`
	Gate     process
	Folder   string `json:"folder"`
}

type process struct {
	PID     int    `json:"pid"`
	Started uint64 `json:"started"`
	BootID  string `json:"boot_id"`
}

func (e entry) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"version": e.Version, "decision": e.Decision, "gate": e.Gate, "folder": e.Folder})
}

// itself is what the start record of a run of this process says of it.
func itself(t *testing.T) process {
	t.Helper()
	g := newGate(t)
	g.must(g.run("r.sh", "true\n"))
	_, bodies := g.records()
	raw, err := json.Marshal(bodies[1]["gate"])
	if err != nil {
		t.Fatal(err)
	}
	var p process
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// put writes the register's file of decision 1, with a start but no end in the
// ledger.
func put(t *testing.T, g *gate, e entry) {
	t.Helper()
	for _, event := range []ledger.Event{
		{Type: ledger.TypeDecision, Body: map[string]any{"version": 1}},
		{Type: ledger.TypeStart, Body: map[string]any{"version": 1, "decision": 1, "gate": e.Gate}},
	} {
		if _, err := g.options.Ledger.Append(t.Context(), event); err != nil {
			t.Fatal(err)
		}
	}
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(g.options.RunsDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(g.options.RunsDir, "1"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAGateCountsAsGoneByNumberStartAndMachine(t *testing.T) {
	t.Parallel()
	self := itself(t)
	for name, c := range map[string]struct {
		gate process
		lost bool
	}{
		"the process itself, though it holds no lock":   {self, false},
		"another process that got the same number":      {process{self.PID, self.Started - 1, self.BootID}, true},
		"the same number before the machine was booted": {process{self.PID, self.Started, "00000000-0000-0000-0000-000000000000"}, true},
		"no such process": {process{1 << 30, self.Started, self.BootID}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, inRegister)
			put(t, g, entry{Version: 1, Decision: 1, Gate: c.gate})
			if found := g.recover(); (len(found.Lost) == 1) != c.lost || found.Running == 1 == c.lost || len(found.Left) > 0 {
				t.Errorf("%+v", found)
			}
			if all, err := g.worker.RecoverAll(t.Context()); err != nil || len(all.Lost) != 0 {
				t.Errorf("from the ledger: %+v, %v", all, err)
			}
		})
	}
}

// Whoever could write the register could have folders removed; writ looks at
// the form of their names all the same.
func TestAttackTheRegisterNamesAnotherFolder(t *testing.T) {
	t.Parallel()
	gone := process{1 << 30, 1, "00000000-0000-0000-0000-000000000000"}
	for name, folder := range map[string]func(g *gate) string{
		"another folder":               func(g *gate) string { return filepath.Join(g.dir, "precious") },
		"a way out":                    func(g *gate) string { return g.temp + "/writ-run-x/../../precious" },
		"a relative path":              func(*gate) string { return "writ-run-x" },
		"a link to another folder":     func(g *gate) string { return filepath.Join(g.temp, "writ-run-link") },
		"a file with the name of one":  func(g *gate) string { return filepath.Join(g.temp, "writ-run-file") },
		"a folder with a part of that": func(g *gate) string { return filepath.Join(g.dir, "precious", "writ-run") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, inRegister)
			precious := filepath.Join(g.dir, "precious")
			if err := os.MkdirAll(filepath.Join(precious, "writ-run"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(precious, filepath.Join(g.temp, "writ-run-link")); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(g.temp, "writ-run-file"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			put(t, g, entry{Version: 1, Decision: 1, Gate: gone, Folder: folder(g)})
			if found := g.recover(); len(found.Left) != 1 || len(found.Folders) != 0 {
				t.Errorf("%+v", found)
			}
			for _, kept := range []string{filepath.Join(precious, "writ-run"), filepath.Join(g.temp, "writ-run-file")} {
				if _, err := os.Stat(kept); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestWhatIsNotTheFileOfARunIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"not JSON":         "x",
		"another version":  `{"version":2,"decision":1,"gate":{"pid":1,"started":1,"boot_id":"x"},"folder":""}`,
		"another decision": `{"version":1,"decision":2,"gate":{"pid":1,"started":1,"boot_id":"x"},"folder":""}`,
		"no gate":          `{"version":1,"decision":1,"folder":""}`,
		"huge":             strings.Repeat(" ", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, inRegister)
			if err := os.Mkdir(g.options.RunsDir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(g.options.RunsDir, "1")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if found := g.recover(); len(found.Left) != 1 || len(found.Lost) != 0 {
				t.Errorf("%+v", found)
			}
			if _, err := os.Stat(path); err != nil {
				t.Error(err)
			}
		})
	}
}

// The lock is what says that nobody is about to write it.
func TestAnEmptyFileInTheRegisterIsOfALostRun(t *testing.T) {
	t.Parallel()
	g := newGate(t, inRegister)
	put(t, g, entry{Version: 1, Decision: 1})
	if err := os.Truncate(filepath.Join(g.options.RunsDir, "1"), 0); err != nil {
		t.Fatal(err)
	}
	if found := g.recover(); len(found.Lost) != 1 || len(found.Left) != 0 {
		t.Errorf("%+v", found)
	}
}

func TestARegisterThatOthersMayWriteIsRefused(t *testing.T) {
	t.Parallel()
	g := newGate(t, inRegister)
	if err := os.Mkdir(g.options.RunsDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(g.options.RunsDir, 0o777); err != nil {
		t.Fatal(err)
	}
	var refused *worker.RecoverError
	if _, err := g.worker.Recover(t.Context()); !errors.As(err, &refused) {
		t.Errorf("got %v, want *RecoverError", err)
	}
	var failed *worker.StartError
	if o := g.run("r.sh", "true\n"); !errors.As(o.err, &failed) || o.Started {
		t.Errorf("a run: got %v, want *StartError", o.err)
	}
}

func TestAWorkerWithoutARegisterSaysSo(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	if _, err := g.worker.Recover(t.Context()); !errors.Is(err, worker.ErrNoHistory) {
		t.Errorf("got %v, want ErrNoHistory", err)
	}
}

// The start of a run looks for lost ones each time.
func BenchmarkRecover(b *testing.B) {
	g := newGate(b, inRegister)
	if err := os.Mkdir(g.options.RunsDir, 0o700); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := g.worker.Recover(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// openStart is a start without an end of a gate that is gone, which only the ledger
// knows of.
func openStart(t *testing.T, g *gate) {
	t.Helper()
	put(t, g, entry{Version: 1, Decision: 1, Gate: process{1 << 30, 1, "00000000-0000-0000-0000-000000000000"}})
	if err := os.RemoveAll(g.options.RunsDir); err != nil {
		t.Fatal(err)
	}
}

// watched is a ledger that says when it was read.
type watched struct {
	*ledger.Ledger
	read func()
}

func (w watched) ScanFrom(ctx context.Context, seq uint64, visit func(ledger.Record) error) error {
	err := w.Ledger.ScanFrom(ctx, seq, visit)
	w.read()
	return err
}

// watch is the gate's worker on a ledger that calls read.
func (g *gate) watch(read func()) *worker.Worker {
	g.t.Helper()
	book, err := ledger.Open(g.ledger, ledger.Options{Now: atTime})
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = book.Close() })
	o := g.options
	o.Ledger = watched{book, read}
	w, err := worker.New(o)
	if err != nil {
		g.t.Fatal(err)
	}
	return w
}

func (g *gate) ends() (n int) {
	types, _ := g.records()
	for _, typ := range types {
		if typ == ledger.TypeEnd {
			n++
		}
	}
	return n
}

func TestTwoThatLookForLostRunsCloseEachOnce(t *testing.T) {
	t.Parallel()
	g := newGate(t, inRegister)
	openStart(t, g)
	var both, ended sync.WaitGroup
	both.Add(2)
	for range 2 {
		w := g.watch(sync.OnceFunc(func() { both.Done(); both.Wait() }))
		ended.Go(func() {
			if _, err := w.RecoverAll(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	ended.Wait()
	if n := g.ends(); n != 1 {
		t.Errorf("%d ends", n)
	}
	if left, err := os.ReadDir(g.options.RunsDir); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// A job that shares the user of its gate can write the register, but not what the start
// record says.
func TestAttackTheRegisterSaysThatALiveGateIsGone(t *testing.T) {
	t.Parallel()
	g := newGate(t, inRegister)
	put(t, g, entry{Version: 1, Decision: 1, Gate: itself(t)})
	for _, content := range []string{"", `{"version":1,"decision":1,"gate":{"pid":1073741824,"started":1,"boot_id":"x"},"folder":""}`} {
		if err := os.WriteFile(filepath.Join(g.options.RunsDir, "1"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if found := g.recover(); len(found.Left) != 1 || len(found.Lost) != 0 || g.ends() != 0 {
			t.Errorf("%q: %+v", content, found)
		}
	}
}

// Somebody who was stopped while he held it, or a job that shares the user of its gate.
func TestAttackTheRegisterIsHeldForEver(t *testing.T) {
	t.Parallel()
	g := newGate(t, inRegister)
	if err := os.Mkdir(g.options.RunsDir, 0o700); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(g.options.RunsDir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var failed *worker.RecoverError
	if _, err := g.worker.Recover(ctx); !errors.As(err, &failed) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want *RecoverError", err)
	}
}
