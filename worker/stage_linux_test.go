package worker

import (
	"os"
	"testing"
)

// Whoever owns the folder around the private one can rename it, and with it the
// copy that pwsh reads, whatever its mode.
func TestAFolderForPrivateFilesOfAnotherUserIsRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder to another user")
	}
	theirs := t.TempDir()
	if err := os.Chown(theirs, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if err := checkTempDir(theirs); err == nil {
		t.Error("a folder of another user was taken")
	}
}
