package runbook_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/runbook"
)

const clearSigned = "-----BEGIN PGP SIGNED MESSAGE-----\n\necho\n"

// folder makes a folder of these files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSidecarsAreReadWithTheRunbook(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", runbook.MaxSidecar+1)
	const tooLarge = "it is larger than a signature may be"
	for name, c := range map[string]struct {
		file string
		with map[string]string
		want []runbook.Sidecar
	}{
		"none":                         {"a.sh", nil, nil},
		"a .sig":                       {"a.sh", map[string]string{"a.sh.sig": "s"}, []runbook.Sidecar{{Name: "a.sh.sig", Data: []byte("s")}}},
		"a .asc":                       {"a.sh", map[string]string{"a.sh.asc": "s"}, []runbook.Sidecar{{Name: "a.sh.asc", Data: []byte("s")}}},
		"both, the .sig first":         {"a.sh", map[string]string{"a.sh.asc": "2", "a.sh.sig": "1"}, []runbook.Sidecar{{Name: "a.sh.sig", Data: []byte("1")}, {Name: "a.sh.asc", Data: []byte("2")}}},
		"an empty one":                 {"a.sh", map[string]string{"a.sh.sig": ""}, []runbook.Sidecar{{Name: "a.sh.sig", Data: []byte{}}}},
		"of another file":              {"a.sh", map[string]string{"b.sh.sig": "s", "a.sig": "s", "a.sh.sign": "s"}, nil},
		"a document is none":           {"a.sh", map[string]string{"a.sh.asc": clearSigned}, nil},
		"a large document is none":     {"a.sh", map[string]string{"a.sh.asc": clearSigned + large}, nil},
		"a document named .sig is one": {"a.sh", map[string]string{"a.sh.sig": clearSigned}, []runbook.Sidecar{{Name: "a.sh.sig", Data: []byte(clearSigned)}}},
		"one that is too large":        {"a.sh", map[string]string{"a.sh.sig": large}, []runbook.Sidecar{{Name: "a.sh.sig", Refused: tooLarge}}},
		"a sidecar has none":           {"a.sh.asc", map[string]string{"a.sh.asc.sig": "s", "a.sh.asc.asc": "s"}, nil},
		"nor has one in capitals":      {"a.sh.SIG", map[string]string{"a.sh.SIG.sig": "s"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, c.with)
			path := filepath.Join(dir, c.file)
			if err := os.WriteFile(path, []byte("echo\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, follow := range []bool{false, true} {
				rb, err := runbook.ReadFileWithSidecars(path, follow)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, rb.Sidecars()); diff != "" {
					t.Errorf("sidecars (-want +got):\n%s", diff)
				}
			}
			if rb, err := runbook.ReadFile(path, false); err != nil || rb.Sidecars() != nil {
				t.Errorf("ReadFile takes sidecars: %v, %v", rb.Sidecars(), err)
			}
		})
	}
}

func TestASidecarThatIsNoFileIsRefusedAndNotLeftOut(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"a.sh": "echo\n", "real.sig": "s"})
	if err := os.Mkdir(filepath.Join(dir, "a.sh.asc"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real.sig", filepath.Join(dir, "a.sh.sig")); err != nil {
		t.Fatal(err)
	}
	const refused = "it is not a regular file"
	asc := runbook.Sidecar{Name: "a.sh.asc", Refused: refused}
	for follow, sig := range map[bool]runbook.Sidecar{
		false: {Name: "a.sh.sig", Refused: refused},
		true:  {Name: "a.sh.sig", Data: []byte("s")}, // as the runbook itself
	} {
		rb, err := runbook.ReadFileWithSidecars(filepath.Join(dir, "a.sh"), follow)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]runbook.Sidecar{sig, asc}, rb.Sidecars()); diff != "" {
			t.Errorf("follow %v (-want +got):\n%s", follow, diff)
		}
	}
}

// The memory of this process is a file whose first bytes nobody can read, root
// included.
func TestASidecarThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	const unreadable = "/proc/self/mem"
	if _, err := os.Stat(unreadable); err != nil {
		t.Skipf("skipped: %v", err)
	}
	dir := folder(t, map[string]string{"a.sh": "echo\n"})
	if err := os.Symlink(unreadable, filepath.Join(dir, "a.sh.sig")); err != nil {
		t.Fatal(err)
	}
	if rb, err := runbook.ReadFileWithSidecars(filepath.Join(dir, "a.sh"), true); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v, %v", rb, err)
	}
}

func TestParseKeepsItsOwnCopyOfSidecars(t *testing.T) {
	t.Parallel()
	data := []byte("signature")
	rb, err := runbook.ParseWithSidecars("a.sh", nil, runbook.Sidecar{Name: "a.sh.sig", Data: data},
		runbook.Sidecar{Name: "a.sh.asc", Data: make([]byte, runbook.MaxSidecar+1)})
	if err != nil {
		t.Fatal(err)
	}
	data[0] = 'X'
	got := rb.Sidecars()
	got[0].Name = "other"
	if s := rb.Sidecars(); s[0].Name != "a.sh.sig" || !bytes.Equal(s[0].Data, []byte("signature")) || s[1].Data != nil || s[1].Refused == "" {
		t.Errorf("%+v", s)
	}
	if _, err := runbook.ParseWithSidecars("a/b.sh", nil); !errors.Is(err, runbook.ErrName) {
		t.Errorf("a bad name: %v", err)
	}
}
