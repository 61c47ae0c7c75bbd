package signer

import (
	"io/fs"
	"os"
)

// hasUnixModes says that permission bits mean something here.
const hasUnixModes = false

// copyOwner: a new file belongs to who makes it, with the folder's access list.
func copyOwner(*os.File, file) error { return nil }

// links: the file information does not tell here.
func links(fs.FileInfo) uint64 { return 1 }

// syncFolder: folders cannot be synced here.
func syncFolder(string) error { return nil }
