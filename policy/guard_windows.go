package policy

import "io/fs"

// guarded: access control lists are not looked at yet; the gate does not run on
// Windows yet either.
func guarded(fs.FileInfo) error { return nil }
