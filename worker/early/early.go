// Package early makes the stage of a run cheaper. A program imports it for its effect:
//
//	import _ "github.com/runwrit/writ/worker/early"
//
// Each run executes the program once more, as its stage (worker.Enter), and before main
// begins Go initialises every package of the program, few of which a stage uses. Go does
// so in the order of their import paths, dependencies first, and this package
// has few: where the process is a stage, it does the stage's work and ends the process
// before most of the others. In every other process it does nothing.
//
// It promises time and nothing else. Enter stays the first call of main: it says that the
// program is a stage, and does the work where this package is not there.
package early

import (
	"os"

	"github.com/runwrit/writ/internal/contain"
)

func init() {
	if !contain.IsStage() {
		return
	}
	// Not by this goroutine: while packages are initialised it is bound to one thread, and
	// whatever it waits for would cost a change of thread.
	code := make(chan int)
	go func() { code <- contain.RunStage() }()
	os.Exit(<-code) //nolint:forbidigo // what main would do with the code
}
