//go:build !linux

package worker

import (
	"context"
	"runtime"
)

// stage is never made here.
<<<<<<< HEAD
type stage struct{ home string }
=======
type stage struct{ folder string }
>>>>>>> 3afcf9f (Close runs whose gate was killed as lost)

func (w *Worker) stage(*plan) (*stage, error) { return nil, &SystemError{runtime.GOOS} }

func (s *stage) launch(context.Context, *plan, Job, *Result) error {
	return &SystemError{runtime.GOOS}
}

func (s *stage) remove() error { return nil }
