//go:build unix

package guard_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/guard"
)

// nest makes the folders a/b/c in a new one and returns the path of a.
func nest(t *testing.T) string {
	t.Helper()
	top := t.TempDir()
	chmod(t, top, 0o755) // whatever the umask
	for _, dir := range []string{"a", "a/b", "a/b/c"} {
		if err := os.Mkdir(filepath.Join(top, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(top, "a")
}

func chmod(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestAFolderThatOthersCouldReplaceIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, folder string
		mode         fs.FileMode
		refused      bool
	}{
		{"all private", "b/c", 0o700, false},
		{"others may read all of it", "b", 0o755, false},
		{"the folder is writable by all", "b/c", 0o777, true},
		{"the one above is writable by all", "b", 0o777, true},
		{"one far above is writable by all", ".", 0o777, true},
		{"one above is writable by all and sticky", "b", 0o777 | fs.ModeSticky, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := nest(t)
			chmod(t, filepath.Join(a, c.folder), c.mode)
			err := guard.Folder(filepath.Join(a, "b/c"))
			if (err != nil) != c.refused {
				t.Fatalf("got %v", err)
			}
			if err != nil && !strings.Contains(err.Error(), `"`+filepath.Join(a, c.folder)+`"`) {
				t.Errorf("%v does not name the folder %s", err, c.folder)
			}
		})
	}
}

// TestAFolderOfASharedGroupIsRefused: but not one of the group that has the
// number of its owner.
func TestAFolderOfASharedGroupIsRefused(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("skipped: only root can give folders to other groups")
	}
	for _, c := range []struct {
		gid     int
		mode    fs.FileMode
		refused bool
	}{
		{0, 0o775, false},
		{0, 0o777, true},
		{12345, 0o755, false},
		{12345, 0o775, true},
		{12345, 0o775 | fs.ModeSticky, false},
	} {
		for _, folder := range []string{"b", "b/c"} {
			a := nest(t)
			if err := os.Chown(filepath.Join(a, folder), 0, c.gid); err != nil {
				t.Fatal(err)
			}
			chmod(t, filepath.Join(a, folder), c.mode)
			if err := guard.Folder(filepath.Join(a, "b/c")); (err != nil) != c.refused {
				t.Errorf("%s of group %d with mode %v: got %v", folder, c.gid, c.mode, err)
			}
		}
	}
}

func TestAFolderIsJudgedWhereItsLinkLeads(t *testing.T) {
	t.Parallel()
	a, elsewhere := nest(t), nest(t)
	link := filepath.Join(elsewhere, "link")
	if err := os.Symlink(filepath.Join(a, "b/c"), link); err != nil {
		t.Fatal(err)
	}
	if err := guard.Folder(link); err != nil {
		t.Error(err)
	}
	chmod(t, filepath.Join(a, "b"), 0o777)
	for _, dir := range []string{link, link + "/..", link + "/../c"} {
		if guard.Folder(dir) == nil {
			t.Errorf("%s: the folder above is writable by all", dir)
		}
	}
}

func TestAFolderOfAnotherUserIsRefused(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("skipped: only root can give folders away")
	}
	a := nest(t)
	if err := os.Chown(filepath.Join(a, "b"), 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if err := guard.Folder(filepath.Join(a, "b/c")); err == nil || !strings.Contains(err.Error(), "another user") {
		t.Errorf("got %v", err)
	}
}

func TestAMissingFolderIsRefused(t *testing.T) {
	t.Parallel()
	if err := guard.Folder(filepath.Join(nest(t), "no")); err == nil {
		t.Error("got no error")
	}
}

func TestAnEntryThatOthersOwnOrMayWriteIsRefused(t *testing.T) {
	t.Parallel()
	for mode, refused := range map[fs.FileMode]bool{
		0o600: false, 0o644: false, 0o664: true, 0o646: true, 0o777 | fs.ModeSticky: true,
	} {
		path := filepath.Join(nest(t), "file")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		chmod(t, path, mode)
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := guard.Entry(info); (err != nil) != refused {
			t.Errorf("mode %v: got %v", mode, err)
		}
	}
	if os.Getuid() == 0 {
		path := filepath.Join(nest(t), "file")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if guard.Entry(info) == nil {
			t.Error("a file of another user is accepted")
		}
	}
}
