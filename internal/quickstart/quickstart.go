// Package quickstart makes the start of a program cheaper that is short or uses little
// memory. A program imports it for its effect:
//
//	import _ "github.com/runwrit/writ/internal/quickstart"
//
// Go initialises every package of a program before main begins. What those allocate for good
// is soon so much that the collector would run once, in vain. This package has no imports
// of weight, and so is among the first.
package quickstart

import (
	"os"
	"runtime/debug"
)

// gcPercent trades memory that a short process does not keep for the time that
// collecting it takes; the environment variable GOGC overrules it.
const gcPercent = 400

func init() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
