//go:build linux

package ledger_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/ledger"
)

// The test binary runs itself as a process that appends to the ledger named by
// the first variable, for as long as the second says.
const (
	envPath   = "WRIT_TEST_LEDGER"
	envWrites = "WRIT_TEST_WRITES"
	// envSegments has it begin a new segment every few records, and sign every second.
	envSegments = "WRIT_TEST_SEGMENTS"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(envPath); path != "" {
		if err := appendAll(path, os.Getenv(envWrites)); err != nil {
			_, _ = fmt.Fprintln(os.Stdout, "error:", err)
		}
		return
	}
	m.Run()
}

// appendAll appends and prints the number of each record that is on disk.
func appendAll(path, writes string) error {
	var o ledger.Options
	if os.Getenv(envSegments) != "" {
		s, _, err := makeKey("web-01", "its own")
		if err != nil {
			return err
		}
		o = ledger.Options{Rotation: ledger.Rotation{Size: 1500}, Checkpoints: ledger.Checkpoints{Signer: s, Every: 2}}
	}
	l, err := ledger.Open(path, o)
	if err != nil {
		return err
	}
	n, filler := 1<<30, strings.Repeat("x", 100_000)
	if writes == "many" {
		filler = "x"
	} else if writes != "endless" {
		if _, err := fmt.Sscan(writes, &n); err != nil {
			return err
		}
		filler = "x"
	}
	for i := range n {
		seq, err := l.Append(context.Background(), ledger.Event{Type: ledger.TypeEnd, Body: body{"i": i, "pid": os.Getpid(), "x": filler}})
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(os.Stdout, seq); err != nil {
			return err
		}
	}
	return nil
}

func appenderCommand(t *testing.T, path, writes string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), envPath+"="+path, envWrites+"="+writes)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestProcessesShareALedger(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "l")
	const processes, each = 4, 20
	var cmds []*exec.Cmd
	for range processes {
		cmd := appenderCommand(t, path, fmt.Sprint(each))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	for _, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	if s := verify(t, read(t, path)); s.Records != processes*each || s.Repairs != 0 {
		t.Errorf("%+v, want %d records", s, processes*each)
	}
}

// A process that is killed leaves a ledger that holds every record that it was
// told is written, and that the next process can go on with.
func TestAfterAKillEveryConfirmedRecordIsThere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "l")
	confirmed := uint64(0)
	for range 5 {
		cmd := appenderCommand(t, path, "endless")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewScanner(out)
		for n := 0; in.Scan(); n++ {
			if _, err := fmt.Sscan(in.Text(), &confirmed); err != nil {
				t.Errorf("the appender says %q", in.Text())
			}
			if n == 5 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it was killed
	}
	add(t, open(t, path, nil), ledger.TypeEnd, body{})
	s := verify(t, read(t, path))
	if s.Head.Seq <= confirmed || s.Records < 25 {
		t.Errorf("%d was confirmed, the head is %d", confirmed, s.Head.Seq)
	}
}

// holdLock holds the lock of the file as another process would.
func holdLock(t *testing.T, path string) (unlock func()) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return func() { _ = f.Close() }
}

// mountTmpfs mounts a file system of the given size, for the test only.
func mountTmpfs(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		t.Skipf("skipped: a file system of its own cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAFullDiskLosesNothingAndLeavesNoPartOfARecord(t *testing.T) {
	t.Parallel()
	dir := mountTmpfs(t, "size=64k")
	path := filepath.Join(dir, "l")
	l := open(t, path, newClock().Now)
	var before []byte
	var failed error
	for i := 0; failed == nil && i < 100; i++ {
		before = read(t, path)
		_, failed = l.Append(t.Context(), ledger.Event{Type: ledger.TypeStart, Body: body{"x": strings.Repeat("x", 3000)}})
	}
	if !errors.Is(failed, unix.ENOSPC) {
		t.Fatalf("got %v, want ENOSPC", failed)
	}
	if !bytes.Equal(before, read(t, path)) {
		t.Error("the failed append changed the file")
	}
	verify(t, before)
	// With room again, it goes on.
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV, "size=256k"); err != nil {
		t.Fatal(err)
	}
	add(t, l, ledger.TypeStart, body{"x": strings.Repeat("x", 3000)})
	if s := verify(t, read(t, path)); s.Repairs != 0 {
		t.Errorf("%+v", s)
	}
}

// The limit of a process works where no file system can be mounted.
func TestALimitOnFileSizeLeavesNoPartOfARecord(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "l")
	sh := exec.CommandContext(t.Context(), "/bin/bash", "-c", `ulimit -f 100; exec "$0"`, appenderCommand(t, path, "endless").Path)
	sh.Env = append(os.Environ(), envPath+"="+path, envWrites+"=endless")
	out, err := sh.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("error: ")) {
		t.Fatalf("the append should fail: %v\n%s", err, out)
	}
	if content := read(t, path); len(content) != 0 {
		verify(t, content)
	}
	add(t, open(t, path, nil), ledger.TypeEnd, body{})
	if s := verify(t, read(t, path)); s.Repairs != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAFileThatCannotBeWrittenIsAnErrorOfOpenOrAppend(t *testing.T) {
	t.Parallel()
	dir := mountTmpfs(t, "size=64k")
	path := filepath.Join(dir, "l")
	l := open(t, path, newClock().Now)
	add(t, l, ledger.TypeStart, body{})
	before := read(t, path)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	refuse(t, path)
	refuse(t, filepath.Join(dir, "other"))
	if !bytes.Equal(before, read(t, path)) {
		t.Error("the file was changed")
	}
}

func TestAFifoInPlaceOfALedgerDoesNotHang(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	refuse(t, path)
}

// A record that is being written is not taken for a damaged one: whoever reads
// waits for the writer.
func TestAReaderWaitsForTheWriter(t *testing.T) {
	t.Parallel()
	path, _ := written(t, 2)
	unlock := holdLock(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ledger.OpenReader(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	unlock()
	in, err := ledger.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	later := newClock()
	later.move(time.Hour)
	add(t, open(t, path, later.Now), ledger.TypeStart, body{})
	if s, err := ledger.Verify(in, ledger.VerifyOptions{}); err != nil || s.Records != 2 {
		t.Errorf("%d records, %v: what is appended later is not part of it", s.Records, err)
	}
}

func TestAppendGivesUpWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "l")
	l := open(t, path, newClock().Now)
	unlock := holdLock(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := l.Append(ctx, ledger.Event{Type: ledger.TypeStart, Body: body{}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	unlock()
	if seq := add(t, l, ledger.TypeStart, body{}); seq != 1 {
		t.Errorf("the next record got the number %d", seq)
	}
}
