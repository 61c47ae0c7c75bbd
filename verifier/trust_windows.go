package verifier

import "io/fs"

// Guarded accepts everything: access control lists are not looked at yet; the gate does not run on
// Windows yet either.
func Guarded(fs.FileInfo) error { return nil }
