package signer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxPassphrase is the longest passphrase in bytes.
const maxPassphrase = 4096

// PassphraseFunc gives the passphrase of a key; source says of which. The
// caller overwrites what it returns.
type PassphraseFunc func(ctx context.Context, source string) ([]byte, error)

// ask calls f. What is returned is not nil if there is no error.
func (f PassphraseFunc) ask(ctx context.Context, source string) ([]byte, error) {
	if f == nil {
		return nil, &KeyError{source, "the key is encrypted: give its passphrase with --passphrase-file FILE or --passphrase-env NAME"}
	}
	passphrase, err := f(ctx, source)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("open key %q: %w", source, context.Cause(ctx))
	}
	if err != nil {
		return nil, &KeyError{source, "the passphrase cannot be had: " + err.Error()}
	}
	if passphrase == nil {
		passphrase = []byte{}
	}
	return passphrase, nil
}

// interruptible calls read, which may wait for somebody, and returns early with
// the cause if ctx ends. What read returns later is lost.
func interruptible(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type answer struct {
		line []byte
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		line, err := read()
		done <- answer{line, err}
	}()
	select {
	case a := <-done:
		return a.line, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// PassphraseFromFile takes the first line of a file, without its line end. The
// file may be a pipe, such as a shell's <(command).
func PassphraseFromFile(path string) PassphraseFunc {
	return func(ctx context.Context, _ string) ([]byte, error) {
		return interruptible(ctx, func() ([]byte, error) { return firstLine(path) })
	}
}

func firstLine(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading only
	line, err := bufio.NewReaderSize(io.LimitReader(f, maxPassphrase+2), maxPassphrase+2).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	if len(line) > maxPassphrase {
		return nil, fmt.Errorf("the first line of %q is longer than %d bytes", path, maxPassphrase)
	}
	return line, nil
}

// PassphraseFromEnv takes the value of an environment variable, which must be
// set.
func PassphraseFromEnv(name string) PassphraseFunc {
	return func(context.Context, string) ([]byte, error) {
		value, ok := os.LookupEnv(name)
		if !ok {
			return nil, fmt.Errorf("the environment variable %q is not set", name)
		}
		if len(value) > maxPassphrase {
			return nil, fmt.Errorf("the environment variable %q is longer than %d bytes", name, maxPassphrase)
		}
		return []byte(value), nil
	}
}
