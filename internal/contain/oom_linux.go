package contain

import (
	"os"

	"github.com/runwrit/writ/internal/confine"
)

// oomScore is how readily the kernel kills the stage when memory is short. A process has
// that of its parent when it is started: the highest for the job, and what it was for
// the stage, which has to say how the job ended.
type oomScore struct {
	file *os.File // it could not be opened later: a stage that hides owns nothing in /proc
	was  []byte
}

func (o *oomScore) raise() (err error) {
	const path = "/proc/self/oom_score_adj"
	if o.was, err = os.ReadFile(path); err != nil {
		return err
	}
	if o.file, err = os.OpenFile(path, os.O_WRONLY, 0); err != nil {
		return err
	}
	return confine.OOMScore(1000)
}

// restore does what it can: a stage that is killed first is a job that is killed.
func (o *oomScore) restore() {
	if o.file != nil {
		_, _ = o.file.Write(o.was)
		_ = o.file.Close() // it keeps nothing
	}
}
