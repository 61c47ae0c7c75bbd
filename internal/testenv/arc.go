package testenv

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// arcTokens is where the agent of Azure Arc puts its keys; MSAL looks nowhere else.
const arcTokens = "/var/opt/azcmagent/tokens"

// ArcKey puts a key where the agent of Azure Arc would, for the time of the test. What
// was there already stays; tests of other packages may do the same meanwhile.
func ArcKey(t testing.TB, name string, content []byte) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("skipped: only root can write where the agent of Azure Arc keeps its keys")
	}
	if _, err := os.Stat("/opt/azcmagent"); err == nil {
		t.Skip("skipped: the agent of Azure Arc is installed here")
	}
	path := filepath.Join(arcTokens, name)
	t.Cleanup(func() {
		_ = os.Remove(path)
		// Folders stay while they hold something.
		for dir := arcTokens; strings.HasPrefix(dir, "/var/opt/azcmagent"); dir = filepath.Dir(dir) {
			_ = os.Remove(dir)
		}
	})
	var err error
	for range 100 { // another test may take the folder away in between
		if err = os.MkdirAll(arcTokens, 0o755); err == nil {
			err = os.WriteFile(path, content, 0o600)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}
