package contain_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/internal/contain"
)

// A job leaves folders that lie in each other, deeper than there are descriptors: whoever
// has one open for each, or walks to each from the top, ends neither this run nor the
// next one.
func TestAttackLeaveFoldersThatLieDeep(t *testing.T) {
	t.Parallel()
	if folder := os.Getenv("WRIT_REMOVE"); folder != "" { // with few descriptors
		if err := contain.RemoveAll(folder); err != nil {
			t.Error(err)
		}
		return
	}
	folder := filepath.Join(t.TempDir(), "private")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	deepen(t, folder, 2000)
	cmd := exec.CommandContext(t.Context(), "/bin/bash", "-c", `ulimit -n 64 && exec "$0" -test.run=^TestAttackLeaveFoldersThatLieDeep$`, "")
	if cmd.Args[3], cmd.Err = os.Executable(); cmd.Err != nil {
		t.Fatal(cmd.Err)
	}
	cmd.Env = append(os.Environ(), "WRIT_REMOVE="+folder)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	gone(t, folder)
}

// deepen makes folders in each other, with a file in each, of which every tenth is locked.
func deepen(t *testing.T, folder string, levels int) {
	t.Helper()
	at, err := unix.Open(folder, unix.O_PATH, 0)
	for level := range levels {
		if err != nil {
			t.Fatal(err)
		}
		var in int
		made := errors.Join(unix.Mkdirat(at, "d", 0o700), unix.Symlinkat("..", at, "link"))
		in, err = unix.Openat(at, "d", unix.O_PATH, 0)
		if err = errors.Join(made, err); err == nil && level%10 == 9 {
			err = unix.Fchmodat(at, ".", 0, 0)
		}
		_ = unix.Close(at)
		at = in
	}
	_ = unix.Close(at)
}

func gone(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", path, err)
	}
}

// A job puts links where folders were, and where its private folder was: what they lead
// to stays.
func TestAttackLeaveLinksToWhatOthersOwn(t *testing.T) {
	t.Parallel()
	other := filepath.Join(t.TempDir(), "other")
	kept := filepath.Join(other, "kept")
	folder := filepath.Join(t.TempDir(), "private")
	for _, dir := range []string{other, folder, filepath.Join(folder, "a"), filepath.Join(folder, "a", "b")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	err := errors.Join(os.WriteFile(kept, nil, 0o444), os.Symlink(other, filepath.Join(folder, "l")), os.Symlink(kept, filepath.Join(folder, "a", "b", "l")),
		os.Symlink(other, link), unix.Mkfifo(filepath.Join(folder, "fifo"), 0o600), os.Link(kept, filepath.Join(folder, "hard")))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{folder, link, filepath.Join(folder, "nonesuch"), folder} {
		if err := contain.RemoveAll(path); err != nil && path != filepath.Join(folder, "nonesuch") {
			t.Error(err)
		}
		gone(t, path)
	}
	if info, err := os.Stat(kept); err != nil || info.Mode().Perm() != 0o444 {
		t.Errorf("%v, %v", info, err)
	}
	if info, err := os.Stat(other); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", info, err)
	}
}

// The stage of a gate that was killed, and the gate that closes its run.
func TestSeveralRemoveOneFolderAtOnce(t *testing.T) {
	t.Parallel()
	for range 3 {
		dir := filepath.Join(t.TempDir(), "d")
		for i := range 40 {
			if err := os.MkdirAll(filepath.Join(dir, strconv.Itoa(i), "home", "x"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if err := contain.RemoveAll(dir); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if _, err := os.Lstat(dir); !os.IsNotExist(err) {
			t.Error(err)
		}
	}
}
