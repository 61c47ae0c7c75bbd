//go:build unix

package runbook_test

import (
	"errors"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/runbook"
)

func TestReadFileDoesNotHangOnAFIFO(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipe.sh")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, follow := range []bool{false, true} {
		if _, err := runbook.ReadFile(path, follow); !errors.Is(err, runbook.ErrNotRegular) {
			t.Errorf("FIFO: got %v, want ErrNotRegular", err)
		}
	}
}

func TestASidecarThatIsAFIFODoesNotHang(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"a.sh": "echo\n"})
	if err := unix.Mkfifo(filepath.Join(dir, "a.sh.sig"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, follow := range []bool{false, true} {
		rb, err := runbook.ReadFileWithSidecars(filepath.Join(dir, "a.sh"), follow)
		if err != nil || len(rb.Sidecars()) != 1 || rb.Sidecars()[0].Refused == "" {
			t.Errorf("follow %v: %v, %v", follow, rb, err)
		}
	}
}
