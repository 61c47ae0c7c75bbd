package contain

import (
	"encoding/hex"
	"path/filepath"
	"strings"
)

// Wrap says what the form Bubblewrap needs.
type Wrap struct {
	// Program is the absolute path of bwrap.
	Program string `json:"program"`
	// Home and Temp are folders of the host that belong to the user of the process:
	// they become HomeDir and TempDir.
	Home string `json:"home"`
	Temp string `json:"temp"`
	// Folder of the host is shown as RunbookDir, and cannot be changed there; "" where
	// Script is the name of the one file in it, which IO.Script holds.
	Folder string `json:"folder,omitempty"`
	Script string `json:"script,omitempty"`
	SHA256 string `json:"sha256,omitempty"` // of that file, hexadecimal

	// Outside names the namespaces of the caller, in which the stage must not be. Begin
	// sets it.
	Outside []string `json:"outside,omitempty"`
}

func (w *Wrap) check() error {
	for what, path := range map[string]string{"bwrap": w.Program, "home": w.Home, "temp": w.Temp} {
		if !cleanPath(path) || path == "/" {
			return specError("%s %q: want an absolute path below the root folder", what, path)
		}
	}
	if w.Folder != "" {
		if !cleanPath(w.Folder) || w.Script != "" || w.SHA256 != "" {
			return specError("folder %q: want an absolute path, and no script beside it", w.Folder)
		}
		return nil
	}
	sum, err := hex.DecodeString(w.SHA256)
	if err != nil || len(sum) != 32 {
		return specError("script: %q is no SHA-256", w.SHA256)
	}
	if w.Script == "" || w.Script == "." || w.Script == ".." || filepath.Base(w.Script) != w.Script || strings.ContainsRune(w.Script, 0) {
		return specError("script %q: want a name", w.Script)
	}
	return nil
}

// replaced are the folders of the host that a process in bwrap does not see.
var replaced = []string{"/proc", "/run/writ", "/tmp"}

// Hidden says that a path of the host leads somewhere else, or nowhere, in the form
// Bubblewrap.
func Hidden(path string) bool {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		resolved = path // as far as it can be told
	}
	for _, dir := range replaced {
		for _, p := range []string{filepath.Clean(path), resolved} {
			if p == dir || strings.HasPrefix(p, dir+"/") {
				return true
			}
		}
	}
	return false
}
