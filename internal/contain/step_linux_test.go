//go:build linux && amd64

package contain_test

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/contain"
)

// killThreads kills every thread that its parent may have, by numbers that are near its
// parent's, again and again, and ends:
//
//	for 100 times: for tid in getppid()+1 .. getppid()+40: tgkill(getppid(), tid, SIGKILL)
const killThreads = "b86e0000000f054189c4b8270000000f054189c641bd64000000418d5c2401418d6c24284139de7411b8ea0000004489e789deba090000000f05ffc339eb7ee441ffcd75d531ffb83c0000000f05"

// program writes the least ELF file that the kernel executes.
func program(t *testing.T, code string) string {
	t.Helper()
	text, err := hex.DecodeString(code)
	if err != nil {
		t.Fatal(err)
	}
	const base, headers = 0x400000, 64 + 56
	size := uint64(headers + len(text))
	elf := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9)...)
	for _, v := range []any{
		uint16(2), uint16(62), uint32(1), uint64(base + headers), uint64(64), uint64(0), uint32(0), uint16(64), uint16(56), uint16(1), uint16(0), uint16(0), uint16(0),
		uint32(1), uint32(5), uint64(0), uint64(base), uint64(base), size, size, uint64(0x1000),
	} {
		if elf, err = binary.Append(elf, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(open(t), "program")
	// A process that is forked meanwhile would have the file open for writing, and it
	// could not be executed until then.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, append(elf, text...), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// The thread that starts a job is confined like it, and lives a moment longer than it
// takes to start: a job that is quick must not signal it, and so end the whole stage.
func TestAttackKillTheStageBeforeItsThreadHasEnded(t *testing.T) {
	t.Parallel()
	if landlockABI() < 6 {
		t.Skip("skipped: this kernel does not keep signals inside")
	}
	spec := bash(contain.Subreaper, "")
	spec.Program, spec.Arguments = program(t, killThreads), []string{"program"}
	for range 20 {
		p := start(t, spec, contain.IO{})
		if err := p.Go(); err != nil {
			t.Fatal(err)
		}
		if status := p.Wait(); status != (contain.Status{}) {
			t.Fatalf("%+v", status)
		}
	}
}

// killParent kills its parent, and ends.
const killParent = "b86e0000000f0589c7be09000000b83e0000000f05b83c00000031ff0f05"

// A job that was not confined can kill its stage before that one has said that the job
// runs: then it must not count as one that was never started.
func TestAttackKillTheStageBeforeItSaysSo(t *testing.T) {
	t.Parallel()
	spec := bash(contain.Subreaper, "")
	spec.Program, spec.Arguments, spec.NoNewPrivs = program(t, killParent), []string{"program"}, false
	for range 20 {
		p := start(t, spec, contain.IO{})
		if err := p.Go(); err != nil {
			t.Fatal(err)
		}
		if status := p.Wait(); !status.Lost {
			t.Fatalf("%+v", status)
		}
	}
}

// stopParent stops its parent, and ends.
const stopParent = "b86e0000000f0589c7be13000000b83e0000000f05b83c00000031ff0f05"

// Or it can stop its stage at that moment: then the caller must not wait for ever, without
// any limit of time.
func TestAttackStopTheStageBeforeItSaysSo(t *testing.T) {
	t.Parallel()
	spec := bash(contain.Subreaper, "")
	spec.Program, spec.Arguments, spec.NoNewPrivs = program(t, stopParent), []string{"program"}, false
	for range 10 {
		p := start(t, spec, contain.IO{})
		went := make(chan error, 1)
		go func() { went <- p.Go() }()
		select {
		case err := <-went:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("it still waits")
		}
		p.Kill()
		p.Wait()
	}
}
