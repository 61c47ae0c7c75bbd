//go:build !linux

package worker

import (
	"context"
	"runtime"
)

// stage is never made here.
type stage struct{ home, folder string }

func (w *Worker) stage(*plan) (*stage, error) { return nil, &SystemError{runtime.GOOS} }

func (s *stage) launch(context.Context, *plan, Job, *Result) error {
	return &SystemError{runtime.GOOS}
}

func (s *stage) remove() error { return nil }
