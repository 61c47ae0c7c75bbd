package runbook_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runwrit/writ/runbook"
)

func TestReadFileReadsARegularFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.sh")
	want := bytes.Repeat([]byte("echo\n"), 5000)
	if err := os.WriteFile(path, want, 0o600); err != nil {
		t.Fatal(err)
	}
	rb, err := runbook.ReadFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	if rb.Name() != "a.sh" || !bytes.Equal(rb.Bytes(), want) || rb.Size() != len(want) || rb.Digest() != runbook.DigestOf(want) {
		t.Errorf("read %q with %d bytes", rb.Name(), rb.Size())
	}
}

func TestReadFileFollowsALinkOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target, link := filepath.Join(dir, "a.sh"), filepath.Join(dir, "b.sh")
	if err := os.WriteFile(target, []byte("echo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if _, err := runbook.ReadFile(link, false); !errors.Is(err, runbook.ErrNotRegular) {
		t.Errorf("link: got %v, want ErrNotRegular", err)
	}
	if _, err := runbook.ReadFile(link, true); err != nil {
		t.Errorf("link, followed: %v", err)
	}
}

func TestReadFileKnowsWhereTheFileLay(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	target, folder, link := filepath.Join(dir, "real", "a.sh"), filepath.Join(dir, "linked"), filepath.Join(dir, "b.sh")
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "real"), 0o700), os.WriteFile(target, []byte("echo\n"), 0o600),
		os.Symlink("real", folder), os.Symlink(target, link),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for path, name := range map[string]string{
		target: "a.sh", filepath.Join(folder, "a.sh"): "a.sh", dir + "/real/../linked//./a.sh": "a.sh", link: "b.sh",
	} {
		rb, err := runbook.ReadFile(path, path == link)
		if err != nil {
			t.Fatal(err)
		}
		if rb.Path() != filepath.ToSlash(target) || rb.Name() != name {
			t.Errorf("%s: %q named %q", path, rb.Path(), rb.Name())
		}
	}
	if rb, err := runbook.Read("a.sh", strings.NewReader("echo\n")); err != nil || rb.Path() != "" {
		t.Errorf("standard input: %v", err)
	}
}

func TestReadFileRefusesFoldersDevicesAndMissingFiles(t *testing.T) {
	t.Parallel()
	for _, follow := range []bool{false, true} {
		if _, err := runbook.ReadFile(t.TempDir(), follow); !errors.Is(err, runbook.ErrNotRegular) {
			t.Errorf("folder: got %v, want ErrNotRegular", err)
		}
		if _, err := runbook.ReadFile(os.DevNull, follow); !errors.Is(err, runbook.ErrNotRegular) {
			t.Errorf("device: got %v, want ErrNotRegular", err)
		}
		if _, err := runbook.ReadFile(filepath.Join(t.TempDir(), "no.sh"), follow); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("missing: got %v, want ErrNotExist", err)
		}
	}
}

func TestReadStopsAtTheLimit(t *testing.T) {
	t.Parallel()
	var tooLarge *runbook.SizeError
	endless := endlessReader{}
	if _, err := runbook.Read("a.sh", endless); !errors.As(err, &tooLarge) {
		t.Errorf("endless input: got %v, want *SizeError", err)
	}
	path := filepath.Join(t.TempDir(), "sparse.sh")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(1<<40), f.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := runbook.ReadFile(path, false); !errors.As(err, &tooLarge) {
		t.Errorf("1 TiB sparse file: got %v, want *SizeError", err)
	}
	if rb, err := runbook.Read("a.sh", io.LimitReader(endless, runbook.MaxSize)); err != nil || rb.Size() != runbook.MaxSize {
		t.Errorf("at the limit: %v", err)
	}
}

func TestReadReportsTheReadersError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	r := io.MultiReader(strings.NewReader("echo"), errorReader{broken})
	if _, err := runbook.Read("a.sh", r); !errors.Is(err, broken) {
		t.Errorf("got %v, want the reader's error", err)
	}
}

type endlessReader struct{}

func (endlessReader) Read(p []byte) (int, error) { return len(p), nil }

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }
