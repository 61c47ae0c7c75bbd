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
