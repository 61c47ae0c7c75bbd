//go:build unix

package guard_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/runwrit/writ/internal/guard"
)

func TestOnlyAFileThatOthersCannotWriteOrReplaceIsRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(nest(t), "file")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(filepath.Dir(path), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path, want string
		mode, dir  os.FileMode
		guarded    bool
	}{
		"its own":                      {path, "conte", 0o600, 0o700, true},
		"one that others may write":    {path, "", 0o666, 0o700, true},
		"the same, unguarded":          {path, "conte", 0o666, 0o700, false},
		"one in a folder of everybody": {path, "", 0o600, 0o777, true},
		"a link":                       {link, "", 0o600, 0o700, false},
		"a folder":                     {filepath.Dir(path), "", 0o600, 0o700, false},
		"one that is not there at all": {path + "x", "", 0o600, 0o700, false},
	} {
		chmod(t, path, c.mode)
		chmod(t, filepath.Dir(path), c.dir)
		got, err := guard.ReadFile(c.path, 5, c.guarded)
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestASecretIsReadOnlyWhereNobodyElseMayReadIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(nest(t), "secret")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, read := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o620: false, 0o644: false} {
		chmod(t, path, mode)
		data, err := guard.ReadSecret(path, 100)
		if read != (err == nil && string(data) == "content") {
			t.Errorf("mode %o: %q, %v", mode, data, err)
		}
	}
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	chmod(t, path, 0o600)
	if _, err := guard.ReadSecret(link, 100); err == nil {
		t.Error("a link was followed")
	}
}
