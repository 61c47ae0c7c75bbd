package worker

import (
	"errors"
	"path/filepath"

	"github.com/runwrit/writ/internal/contain"
)

// Stage is the program that starts the runbooks of a Worker: it contains them, and
// ends what they leave behind. Enter and StageProgram make one.
type Stage struct{ program string }

// ErrNoStage is what New says where Options.Stage is the zero Stage.
var ErrNoStage = errors.New("no stage: call worker.Enter first in main, and give New what it returns")

// Enter makes the calling program its own stage. It is the first call in main: a Worker
// starts each runbook through its own program, executed again under another name, and
// in such a process Enter does the work of the stage, calls exit, which is os.Exit, and
// does not return.
func Enter(exit func(code int)) Stage {
	if contain.IsStage() {
		exit(contain.RunStage())
		panic("worker.Enter: exit has returned")
	}
	return Stage{contain.Self}
}

// StageProgram is the stage for a program whose main cannot call Enter: the path of one
// that does, such as writ itself. Whoever can write that file decides what is run. It
// must be absolute; New fails with ErrNoStage otherwise.
func StageProgram(path string) Stage {
	if !filepath.IsAbs(path) {
		return Stage{}
	}
	return Stage{path}
}
