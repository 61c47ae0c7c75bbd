// Package examples holds the runbooks that "writ init" puts into a new folder.
//
// They are unsigned: the first run signs them with keys that it just made.
package examples

import (
	"embed"
	"io/fs"
)

//go:embed runbooks
var files embed.FS

// Runbooks returns the example runbooks, one file each, no folders.
func Runbooks() (fs.FS, error) { return fs.Sub(files, "runbooks") }
