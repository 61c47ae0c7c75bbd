package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// checkPayload refuses a target that is the input, or that is not a place for a
// plain file: renaming over a device or a link would put it out of the way.
func checkPayload(target string, paths []string) error {
	if len(paths) != 1 {
		return usagef("--payload needs exactly one file to verify, not %d", len(paths))
	}
	if err := checkTarget("--payload", target); err != nil {
		return err
	}
	if paths[0] == "-" {
		return nil
	}
	input, err := os.Stat(paths[0])
	if err != nil {
		return noAnswer(err)
	}
	if input.IsDir() {
		return usagef("--payload needs exactly one file to verify: %q is a folder", paths[0])
	}
	if there, err := os.Lstat(target); err == nil && os.SameFile(there, input) {
		return usagef("--payload %q is the input itself", target)
	}
	return nil
}

// verifyPayload verifies one file and writes its payload, from the same bytes.
func (a *app) verifyPayload(ctx context.Context, v *verifier.Verifier, r render.Judged, o *verifyOptions) error {
	report, payload, err := a.verifyOne(ctx, v, o.paths[0], o.name)
	if err != nil {
		return err
	}
	files := []render.File{{Path: o.paths[0], Report: report}}
	if err := r.Verify(a.stdout, files, nil); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	if err := a.answer(files, nil); err != nil {
		return err
	}
	if err := writeAtomic(o.payload, payload); err != nil {
		return noAnswer(fmt.Errorf("write the payload: %w", err))
	}
	return nil
}

// verifyOne returns the report, and the payload if the verdict is valid.
func (a *app) verifyOne(ctx context.Context, v *verifier.Verifier, path, name string) (*verifier.Report, []byte, error) {
	rb, err := a.read(ctx, path, name)
	if err != nil {
		report, err := refusedInput(path, err)
		return report, nil, err
	}
	verified, err := v.Verify(ctx, rb)
	var unverified *verifier.UnverifiedError
	switch {
	case errors.As(err, &unverified):
		return unverified.Report, nil, nil
	case err != nil:
		return nil, nil, noAnswer(err)
	}
	return verified.Report(), verified.Payload(), nil
}

func (a *app) read(ctx context.Context, path, name string) (*runbook.Runbook, error) {
	if path == "-" {
		return a.readStdin(ctx, name)
	}
	return runbook.ReadFileWithSidecars(path, true)
}
