//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/ledger"
)

// soakRunbooks are what the gates of the test below run. The argument is how long they
// sleep, by which the test knows their processes.
var soakRunbooks = map[string]string{
	"quick.sh":  "echo hello > \"$HOME/x\"; exit 4\n",
	"slow.sh":   "sleep \"$1\" & sleep 0.2; kill $!; exit 4\n",
	"leaves.sh": "setsid sleep \"$1\" & nohup sleep \"$1\" >/dev/null 2>&1 & (setsid bash -c 'trap \"\" TERM; sleep \"$0\"; sleep \"$0\"' \"$1\" &); sleep 0.1; exit 4\n",
	"deaf.sh":   "trap '' TERM; sleep \"$1\" & for i in 1 2 3 4 5 6 7 8; do sleep 0.1; done; exit 4\n",
	"files.sh":  "mkdir -p \"$TMPDIR/a/b\"; echo x > \"$TMPDIR/a/b/c\"; chmod 0 \"$TMPDIR/a/b\" \"$TMPDIR/a\"; exit 4\n",
	"flood.sh":  "head -c 3000000 /dev/zero; exit 4\n",
}

// soak is a machine on which many gates run at a time.
type soak struct {
	*testing.T
	dir, temp string
	profiles  []string
	seed      uint64

	mu    sync.Mutex
	gates map[string]bool // by the number of the process, which is in the name of its control groups
}

func (s *soak) isGate(pid string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gates[pid]
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	dir, err := os.MkdirTemp("", "writ-soak-") //nolint:usetesting // the folder of t.TempDir is closed to nobody, as whom the runbooks run
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	s := &soak{T: t, dir: dir, temp: filepath.Join(dir, "temp"), profiles: []string{"strict", "standard", "none"}, seed: uint64(os.Getpid()), gates: map[string]bool{}}
	s.check(os.Chmod(dir, 0o755))
	s.check(os.Mkdir(s.temp, 0o711))
	s.must("init", s.path("demo"))
	grants, err := os.ReadFile(s.path("demo/policy/grants.yaml"))
	s.check(err)
	rules, _, _ := strings.Cut(string(grants), "\nrules:")
	rules += "\nrules:\n"
	for _, profile := range s.profiles {
		rules += fmt.Sprintf(`  - name: %s
    match: {paths: ["**/%s/*"]}
    workers: {groups: [demo-workers]}
    signed_by: {groups: [signers], at_least: 1}
    requested_by: {groups: [operators]}
    parameters: {"1": {pattern: "[0-9.]+"}}
    run: {timeout: 2m, sandbox: %s}
`, profile, profile, profile)
		for name, text := range soakRunbooks {
			s.write("demo/"+profile+"/"+name, text)
		}
		s.must("sign", "--key", s.path("demo/keys/openpgp.key.asc"), s.path("demo/"+profile))
	}
	s.write("demo/policy/grants.yaml", rules)
	s.check(os.Remove(s.path("demo/policy/tests.yaml")))
	s.write("worker.yaml", fmt.Sprintf("version: 1\nid: soak\ngroup: demo-workers\ntrust: %s\npolicy: %s\nledger: %s\n",
		s.path("demo/trust"), s.path("demo/policy"), s.path("ledger.jsonl")))
	return s
}

func (s *soak) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

func (s *soak) check(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *soak) write(name, text string) {
	s.Helper()
	s.check(os.MkdirAll(filepath.Dir(s.path(name)), 0o755))
	s.check(os.WriteFile(s.path(name), []byte(text), 0o644))
}

// writ is a command that was not started yet: this test's own program as "writ".
func (s *soak) writ(ctx context.Context, args ...string) (*exec.Cmd, *strings.Builder) {
	self, err := os.Executable()
	s.check(err)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Args[0] = "writ"
	cmd.Env = append(os.Environ(), "TMPDIR="+s.temp)
	var said strings.Builder
	cmd.Stderr = &said
	return cmd, &said
}

func (s *soak) must(args ...string) {
	s.Helper()
	cmd, said := s.writ(s.Context(), args...)
	if err := cmd.Run(); err != nil {
		s.Fatalf("writ %s: %v\n%s", args[0], err, said)
	}
}

// mark is the number that the processes of run i carry.
func (s *soak) mark(i int) string { return fmt.Sprintf("%d.%07d", 7200+i, os.Getpid()) }

// one runs runbook i. Most are left alone; the gate, or a process of the runbook, of some
// is ended at a random moment. It says whether the gate was killed.
func (s *soak) one(i int) (killed bool) {
	random := rand.New(rand.NewPCG(s.seed, uint64(i)))
	action := random.IntN(10)
	names := []string{"quick.sh", "slow.sh", "leaves.sh", "deaf.sh", "files.sh", "flood.sh"}
	if action < 4 {
		names = []string{"deaf.sh", "leaves.sh"} // which are there for a while
	}
	runbook := s.path(fmt.Sprintf("demo/%s/%s.asc", s.profiles[i%len(s.profiles)], names[random.IntN(len(names))]))
	ctx, cancel := context.WithTimeout(s.Context(), 2*time.Minute)
	defer cancel()
	cmd, said := s.writ(ctx, "run", "--config", s.path("worker.yaml"), runbook, "--", s.mark(i))
	if err := cmd.Start(); err != nil {
		s.Error(err)
		return false
	}
	s.mu.Lock()
	s.gates[strconv.Itoa(cmd.Process.Pid)] = true
	s.mu.Unlock()
	moment := time.Duration(random.IntN(1000)) * time.Millisecond
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		s.judge(i, runbook, err, said, action < 4)
		return false
	case <-time.After(moment):
	}
	switch {
	case action < 2:
		_ = cmd.Process.Kill() // it may just have ended
	case action == 2:
		_ = cmd.Process.Signal(syscall.SIGTERM) // the same
	case action == 3:
		if pids := testenv.Processes(s.mark(i)); len(pids) > 0 {
			_ = syscall.Kill(pids[random.IntN(len(pids))], syscall.SIGKILL) // the same; it may be the gate
		}
	}
	err := <-ended
	s.judge(i, runbook, err, said, action < 4)
	return action < 2
}

// judge fails the test if a run that nobody disturbed did not end as its runbook says.
func (s *soak) judge(i int, runbook string, err error, said *strings.Builder, disturbed bool) {
	var exit *exec.ExitError
	if !disturbed && (!errors.As(err, &exit) || exit.ExitCode() != 4) {
		s.Errorf("run %d of %s: %v\n%s", i, runbook, err, said)
	}
}

// left is what runs could leave on the machine.
type left struct{ mounts, descriptors, folders, groups, processes int }

func (s *soak) left() left {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	s.check(err)
	descriptors, err := os.ReadDir("/proc/self/fd")
	s.check(err)
	folders, err := os.ReadDir(s.temp)
	s.check(err)
	groups := 0
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		parts := strings.Split(filepath.Base(path), "-")
		if err == nil && d.IsDir() && len(parts) == 3 && parts[0] == "writ" && s.isGate(parts[1]) {
			groups++
		}
		return nil // others make and remove groups meanwhile
	})
	stages := 0
	for _, pid := range testenv.Processes("writ-stage") {
		if env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); err == nil && strings.Contains(string(env), s.temp) {
			stages++
		}
	}
	return left{strings.Count(string(mounts), "\n"), len(descriptors), len(folders), groups, stages + len(testenv.Processes(fmt.Sprintf(".%07d", os.Getpid())))}
}

// TestRunsThatAreKilledLeaveNothing has gates run runbooks, 8 at a time, and kills gates
// and processes of runbooks at random. WRIT_SOAK says how many runs (make soak: 500).
func TestRunsThatAreKilledLeaveNothing(t *testing.T) { //nolint:paralleltest // it counts what the machine has
	runs := 24
	if n, err := strconv.Atoi(os.Getenv("WRIT_SOAK")); err == nil {
		runs = n
	}
	s := newSoak(t)
	before := s.left()
	var gates sync.WaitGroup
	killed := 0
	numbers := make(chan int)
	for range 8 {
		gates.Go(func() {
			for i := range numbers {
				if s.one(i) {
					s.mu.Lock()
					killed++
					s.mu.Unlock()
				}
			}
		})
	}
	begun := time.Now()
	for i := range runs {
		numbers <- i
	}
	close(numbers)
	gates.Wait()
	took := time.Since(begun)
	// What the last gates left is closed by the next one, which nobody disturbs.
	last, said := s.writ(s.Context(), "run", "--config", s.path("worker.yaml"), s.path("demo/none/quick.sh.asc"))
	s.judge(runs, "quick.sh", last.Run(), said, false)
	after := s.left()
	for range 200 {
		if after == before {
			break
		}
		time.Sleep(50 * time.Millisecond) // a stage whose gate was killed cleans up by itself
		after = s.left()
	}
	if after != before {
		t.Errorf("before %+v, after %+v", before, after)
		list, _ := os.ReadDir(s.temp)
		t.Log(list)
	}
	starts, lost := s.records()
	t.Logf("%d runs in %s, seed %d: %d gates killed, %d starts recorded, %d of them closed as lost", runs, took.Round(time.Millisecond), s.seed, killed, starts, lost)
}

// records verifies the ledger and counts the starts, each of which must have one end.
func (s *soak) records() (starts, lost int) {
	s.Helper()
	s.must("ledger", "verify", s.path("ledger.jsonl"))
	ends := map[uint64]int{}
	var begun []uint64
	book, err := ledger.Open(s.path("ledger.jsonl"), ledger.Options{})
	s.check(err)
	defer func() { _ = book.Close() }() // was only read
	s.check(book.ScanFrom(s.Context(), 1, func(r ledger.Record) error {
		var body struct {
			Start uint64 `json:"start"`
			Lost  bool   `json:"lost"`
		}
		if r.Type == ledger.TypeStart {
			begun = append(begun, r.Seq)
		}
		if r.Type != ledger.TypeEnd {
			return nil
		}
		if err := json.Unmarshal(r.Body, &body); err != nil {
			return err
		}
		ends[body.Start]++
		if body.Lost {
			lost++
		}
		return nil
	}))
	for _, seq := range begun {
		if ends[seq] != 1 {
			s.Errorf("start %d has %d ends", seq, ends[seq])
		}
	}
	return len(begun), lost
}
