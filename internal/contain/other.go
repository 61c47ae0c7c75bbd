//go:build !linux

package contain

import "os"

// StageName is the name under which a program is executed to be a stage.
const StageName = "writ-stage"

// Self is the program that a stage runs when it is the caller's own.
const Self = "/proc/self/exe"

// IsStage is never true here.
func IsStage() bool { return false }

// RunStage does nothing here.
func RunStage() int { return 1 }

// RemoveAll removes a folder and all that is in it.
func RemoveAll(folder string) error { return os.RemoveAll(folder) }
