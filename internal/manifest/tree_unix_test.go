//go:build unix

package manifest_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/internal/manifest"
)

const keepsModes = true

func TestAFIFOOrASocketIsRefusedAndDoesNotHang(t *testing.T) {
	t.Parallel()
	for name, place := range map[string]func(path string) error{
		"FIFO": func(path string) error { return unix.Mkfifo(path, 0o600) },
		// Only where the tests run as root and may.
		"device": func(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))) },
		"socket": func(path string) error {
			l, err := net.Listen("unix", path)
			if err == nil {
				t.Cleanup(func() { _ = l.Close() })
			}
			return err
		},
	} {
		dir, err := os.MkdirTemp("", "wm") //nolint:usetesting // a socket needs a short path
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		write(t, dir, "a", "a")
		write(t, dir, "b", "b")
		l := collect(t, dir)
		path := filepath.Join(dir, "a")
		err = errors.Join(os.Remove(path), place(path))
		if name == "device" && errors.Is(err, unix.EPERM) {
			t.Log("skipped: a device cannot be made here")
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if d := drift(t, l, dir); len(d) != 1 || d[0].State != manifest.Changed {
			t.Errorf("%s: drift %v", name, d)
		}
		var syntax *manifest.SyntaxError
		if _, err := manifest.Collect(t.Context(), open(t, dir)); !errors.As(err, &syntax) {
			t.Errorf("%s: got %v, want *SyntaxError", name, err)
		}
	}
}
