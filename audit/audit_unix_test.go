//go:build unix

package audit_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/audit"
)

func TestAFIFOIsSkippedAndDoesNotHang(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe.sh")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"skipped pipe.sh: not a regular file"}, lines(run(t, audit.Options{}, dir), dir)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"problem pipe.sh"}, lines(run(t, audit.Options{}, pipe), dir)); diff != "" {
		t.Error(diff)
	}
}
