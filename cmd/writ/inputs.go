package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// checkInputs refuses what cannot be asked of a list of paths.
func checkInputs(paths []string, name string) error {
	stdin := 0
	for _, p := range paths {
		switch p {
		case "":
			return usagef("an empty path")
		case "-":
			stdin++
		}
	}
	if name != "" {
		if _, err := runbook.Parse(name, nil); err != nil {
			return usagef("--name: %w", err)
		}
	}
	switch {
	case stdin > 1:
		return usagef("standard input can be read once only")
	case stdin == 0 && name != "":
		return usagef("--name is for standard input: give %q as a path", "-")
	}
	return nil
}

// found is what came of one path, or of several.
type found struct {
	files    []render.File
	skipped  []audit.Skip
	problems []audit.Problem
}

// inspectAll inspects every path: files at once, folders by the rules of an
// audit, without the originals that the document beside them covers.
func (a *app) inspectAll(ctx context.Context, v *verifier.Verifier, paths []string, name string) (found, error) {
	parts := make([]found, len(paths))
	failures := make([]error, len(paths))
	limit := make(chan struct{}, workers())
	var wg sync.WaitGroup
	for i, path := range paths {
		limit <- struct{}{}
		wg.Go(func() {
			defer func() { <-limit }()
			parts[i], failures[i] = a.inspectPath(ctx, v, path, name)
		})
	}
	wg.Wait()
	if err := errors.Join(failures...); err != nil {
		return found{}, noAnswer(err)
	}
	var all found
	for _, p := range parts {
		all.files = append(all.files, p.files...)
		all.skipped = append(all.skipped, p.skipped...)
		all.problems = append(all.problems, p.problems...)
	}
	return all, nil
}

func (a *app) inspectPath(ctx context.Context, v *verifier.Verifier, path, name string) (found, error) {
	if info, err := os.Stat(path); path != "-" && err == nil && info.IsDir() {
		result, err := audit.Run(ctx, []string{path}, audit.Options{Verifier: v, Workers: workers()})
		if err != nil {
			return found{}, err
		}
		f := found{skipped: result.Skipped, problems: result.Problems}
		for _, e := range result.Entries {
			f.files = append(f.files, render.File{Path: e.Path, Report: e.Report})
		}
		slices.SortFunc(f.files, func(a, b render.File) int { return strings.Compare(a.Path, b.Path) })
		return f, nil
	}
	report, err := a.inspectOne(ctx, v, path, name)
	if ctx.Err() != nil {
		return found{}, ctx.Err()
	}
	if err != nil {
		return found{problems: []audit.Problem{{Path: path, Err: err}}}, nil //nolint:nilerr // a problem of one file among several
	}
	return found{files: []render.File{{Path: path, Report: report}}}, nil
}

// inspectOne inspects one file, or standard input.
func (a *app) inspectOne(ctx context.Context, v audit.Inspector, path, name string) (*verifier.Report, error) {
	if path != "-" {
		return audit.Inspect(ctx, v, path, true)
	}
	rb, err := a.readStdin(ctx, name)
	if err != nil {
		return refusedInput(name, err)
	}
	return v.Inspect(ctx, rb)
}

// stdinName is the runbook's name where --name does not give one: of no type,
// so that only clear-signed text can be valid.
const stdinName = "stdin"

// readStdin gives up waiting when ctx ends.
func (a *app) readStdin(ctx context.Context, name string) (*runbook.Runbook, error) {
	if name == "" {
		name = stdinName
	}
	type answer struct {
		rb  *runbook.Runbook
		err error
	}
	done := make(chan answer, 1)
	go func() {
		rb, err := runbook.Read(name, a.stdin)
		done <- answer{rb, err}
	}()
	select {
	case read := <-done:
		return read.rb, read.err
	case <-ctx.Done():
		return nil, fmt.Errorf("read standard input: %w", ctx.Err())
	}
}

// refusedInput turns an input that is too large into a fact about it; every
// other error stays one.
func refusedInput(name string, err error) (*verifier.Report, error) {
	var tooLarge *runbook.SizeError
	if errors.As(err, &tooLarge) {
		return audit.Unsupported(name, "too-large", err.Error()), nil
	}
	return nil, err
}
