package confine

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Apply sets the limits for this whole process and all that it starts, and forbids
// core dumps, which would put a job's memory on disk.
func (l Limits) Apply() error {
	cpuHard := l.CPU
	if l.CPU != 0 {
		cpuHard++ // between the two the process is told
	}
	for _, r := range []struct {
		name       string
		resource   int
		soft, hard uint64
		set        bool
	}{
		{"core dumps", unix.RLIMIT_CORE, 0, 0, true},
		{"processes", unix.RLIMIT_NPROC, l.Processes, l.Processes, l.Processes != 0},
		{"file size", unix.RLIMIT_FSIZE, l.FileSize, l.FileSize, l.FileSize != 0},
		{"open files", unix.RLIMIT_NOFILE, l.OpenFiles, l.OpenFiles, l.OpenFiles != 0},
		{"cpu", unix.RLIMIT_CPU, l.CPU, cpuHard, l.CPU != 0},
		{"data", unix.RLIMIT_DATA, l.Data, l.Data, l.Data != 0},
	} {
		if !r.set {
			continue
		}
		if err := lower(r.resource, r.soft, r.hard); err != nil {
			return fmt.Errorf("limit of %s: %w", r.name, err)
		}
	}
	return nil
}

// lower sets a limit, and never above the one that holds.
func lower(resource int, soft, hard uint64) error {
	var now unix.Rlimit
	if err := unix.Prlimit(0, resource, nil, &now); err != nil {
		return err
	}
	hard = min(hard, now.Max)
	return unix.Prlimit(0, resource, &unix.Rlimit{Cur: min(soft, hard, now.Cur), Max: hard}, nil)
}

// OOMScore tells the kernel how readily to kill this process, and what it starts from
// then on, when memory is short: from 0 to 1000, first of all.
func OOMScore(score int) error {
	if score < 0 || score > 1000 {
		return fmt.Errorf("oom score %d: want 0 to 1000", score)
	}
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(score)), 0); err != nil {
		return fmt.Errorf("oom score: %w", err)
	}
	return nil
}

// NotDumpable keeps processes of the same user from tracing this one and from reading
// its memory, environment and descriptors in /proc. It lasts until the process
// executes another program. Files in its own /proc folder belong to root from then on.
func NotDumpable() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("dumpable: %w", err)
	}
	return nil
}
