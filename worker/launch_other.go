//go:build !linux

package worker

import (
	"context"
	"runtime"
)

// contained is never made here.
type contained struct {
	profile string
	by      []string
	tokens  *tokens
}

// place is never made either.
type place struct{ home string }

func (s *place) writeSecret(string, []byte, runUser) error { return &SystemError{runtime.GOOS} }

func (w *Worker) contain(context.Context, *plan, Job) (*contained, error) {
	return nil, &SystemError{runtime.GOOS}
}

func (c *contained) launch(context.Context, *plan, Job, *Result) error {
	return &SystemError{runtime.GOOS}
}

func (c *contained) close() error { return nil }
