package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/worker/identity"
)

// findCaller is who asks: whom the token names, or else the user of this process.
// A token that proves nothing is no answer about the machine: the run is denied,
// and that is recorded.
func (o *gateOptions) findCaller(ctx context.Context, guarded bool, now time.Time) (policy.Caller, *identity.TokenError, error) {
	if !o.tokenGiven {
		caller, err := identity.ProcessCaller()
		if err != nil {
			return policy.Caller{}, nil, noAnswer(err)
		}
		return caller, nil, nil
	}
	if o.worker == nil || len(o.worker.Issuers) == 0 {
		return policy.Caller{}, nil, usagef("--token needs --config with a file that lists issuers: they say whose tokens count")
	}
	issuers, err := o.issuers(guarded)
	if err != nil {
		return policy.Caller{}, nil, err
	}
	raw, err := readToken(o.token)
	if err != nil {
		return policy.Caller{}, nil, noAnswer(fmt.Errorf("read the token, for which --token names the file: %w", nameless(err)))
	}
	defer clear(raw) // the runbook runs as the same user
	caller, err := issuers.Verify(ctx, raw, now)
	var bad *identity.TokenError
	switch {
	case errors.As(err, &bad):
		return policy.Caller{}, bad, nil
	case err != nil:
		return policy.Caller{}, nil, noAnswer(err)
	}
	return caller, nil, nil
}

// nameless leaves out of an error which file it was: somebody may have given the
// token itself in place of its file, and the error goes to logs.
func nameless(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// readToken reads the file of a token; one line end behind it does not belong to
// it. A descriptor that was handed over is closed, so that nobody can look there
// while the runbook runs.
func readToken(path string) ([]byte, error) {
	file, err := openToken(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // opened for reading only
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode(); mode.IsDir() {
		return nil, errors.New("it is a folder")
	}
	data, err := io.ReadAll(io.LimitReader(file, identity.MaxTokenSize+3))
	if err != nil {
		return nil, err
	}
	data = bytes.TrimSuffix(data, []byte("\n"))
	return bytes.TrimSuffix(data, []byte("\r")), nil
}

// openToken opens a file, or takes over the descriptor that /dev/fd/N names.
func openToken(path string) (*os.File, error) {
	for _, folder := range []string{"/dev/fd/", "/proc/self/fd/"} {
		name, ok := strings.CutPrefix(path, folder)
		number, err := strconv.Atoi(name)
		if !ok || err != nil || number < 3 || runtime.GOOS == "windows" {
			continue
		}
		// What is open here and was not handed over is the runtime's: no file, no
		// pipe. That must not be closed.
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if t := info.Mode().Type(); !info.Mode().IsRegular() && t&(os.ModeNamedPipe|os.ModeSocket) == 0 {
			return nil, errors.New("the descriptor is no file and no pipe")
		}
		return os.NewFile(uintptr(number), path), nil
	}
	return os.Open(path)
}
