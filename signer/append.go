package signer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/runwrit/writ/runbook"
)

// Appender is a Format that can put several signatures into one file, of which
// the first counts and the others stand inside it.
type Appender interface {
	Stripper
	// Append returns rb with one more signature of the content that its first one
	// covers, and with the others as they are. It fails as Sign does.
	Append(ctx context.Context, rb *runbook.Runbook, key *Key) ([]byte, error)
	// Signatures returns how many signatures rb carries. It fails with
	// *InputError if it cannot tell.
	Signatures(rb *runbook.Runbook) (int, error)
}

// Unsigner is a Format whose signature can be taken off a file.
type Unsigner interface {
	Format
	// Unsign returns the content without the signature; all of rb if there is
	// none. It fails with *InputError for whatever it does not understand.
	Unsign(rb *runbook.Runbook) ([]byte, error)
}

// AppendOptions say how to add a signature to a signed file.
type AppendOptions struct {
	Format Appender
	Key    *Key
	// Before judges the file as it is. It should trust whom the user trusts: a
	// signature is added to no file that is not valid.
	Before VerifyFunc
	// After judges the result. It should trust Key.Anchor beside those.
	After VerifyFunc
	// Force adds a signature where this key has made one already.
	Force bool
}

// AppendFile adds a signature to the signed runbook at path. The content and the
// signatures that are there stay as they are, byte for byte. It is as careful
// with the file as SignFile, and fails with the same errors; with *InputError where
// Before does not find the file valid.
func AppendFile(ctx context.Context, path string, o AppendOptions) (_ Outcome, err error) {
	defer inFolder(path, &err)
	if o.Format == nil || o.Key == nil || o.Before == nil || o.After == nil {
		return Outcome{}, errors.New("append: a format, a key and two verifiers are needed")
	}
	src, err := readSource(path, o.Format)
	if err != nil {
		return Outcome{}, err
	}
	if src.unfit != nil {
		return Outcome{}, src.unfit
	}
	if err := src.mayBeReplaced(src, o.Force); err != nil {
		return Outcome{}, err
	}
	if _, err := o.Before(ctx, src.rb); ctx.Err() != nil {
		return Outcome{}, fmt.Errorf("append to %q: %w", path, context.Cause(ctx))
	} else if err != nil {
		return Outcome{}, &InputError{Name: src.rb.Name(), Msg: "a signature is added to valid files only: " + err.Error()}
	}
	options := Options{Format: o.Format, Key: o.Key, Verify: o.After}
	if !o.Force && alreadySigned(ctx, src, src.file, options) {
		return Outcome{Path: path, Unchanged: true}, nil
	}
	before, err := o.Format.Signatures(src.rb)
	if err != nil {
		return Outcome{}, err
	}
	signed, err := o.Format.Append(ctx, src.rb, o.Key)
	if err != nil {
		return Outcome{}, signingFailed(path, err)
	}
	if err := selfCheck(ctx, src, src.file, signed, options); err != nil {
		return Outcome{}, err
	}
	rb, err := runbook.Parse(src.rb.Name(), signed)
	if err != nil {
		return Outcome{}, err
	}
	if after, err := o.Format.Signatures(rb); err != nil || after != before+1 {
		return Outcome{}, &SelfCheckError{path, fmt.Errorf("it carries %d signatures, want %d", after, before+1)}
	}
	return Outcome{Path: path}, replace(ctx, src, src.file, signed)
}

// UnsignFile takes the signature off the runbook at path, with all others that
// stand inside it. What is left is exactly what it covered. Unsigned files are
// left alone. Check judges the result: it fails unless that carries no signature.
func UnsignFile(ctx context.Context, path string, format Unsigner, check func(context.Context, *runbook.Runbook) error) (_ Outcome, err error) {
	defer inFolder(path, &err)
	if format == nil || check == nil {
		return Outcome{}, errors.New("unsign: a format and a check are needed")
	}
	f, err := readFile(path)
	if err != nil {
		return Outcome{}, err
	}
	content, err := format.Unsign(f.rb)
	if err != nil {
		return Outcome{}, err
	}
	whole := f.rb.Bytes()
	if !cutFrom(whole, content) {
		return Outcome{}, fmt.Errorf("unsign %q: what would be left is not the file with one piece cut out; nothing was written", path)
	}
	if len(content) == len(whole) {
		return Outcome{Path: path, Unchanged: true}, nil
	}
	src := &source{file: f}
	if err := f.mayBeReplaced(src, false); err != nil {
		return Outcome{}, err
	}
	rb, err := runbook.Parse(f.rb.Name(), content)
	if err != nil {
		return Outcome{}, err
	}
	if err := check(ctx, rb); err != nil {
		return Outcome{}, fmt.Errorf("unsign %q: nothing was written: %w", path, err)
	}
	return Outcome{Path: path}, replace(ctx, src, f, slices.Clone(content))
}

// cutFrom tells whether rest is whole without one piece of it.
func cutFrom(whole, rest []byte) bool {
	if len(rest) > len(whole) {
		return false
	}
	before := 0
	for before < len(rest) && rest[before] == whole[before] {
		before++
	}
	return bytes.HasSuffix(whole, rest[before:])
}

// mayTakeAll guards the signatures of others: signing anew takes the whole block
// off, and with it those that stand inside the first one.
func mayTakeAll(src *source, o Options) error {
	appender, ok := o.Format.(Appender)
	if !ok {
		return nil
	}
	n, err := appender.Signatures(src.rb)
	switch {
	case err != nil:
		return err
	case o.Replace && n == 0:
		return &InputError{Name: src.rb.Name(), Msg: "there is no signature to replace", Fix: "sign it without --replace"}
	case !o.Replace && n > 1:
		return &InputError{
			Name: src.rb.Name(), Msg: fmt.Sprintf("it carries %d signatures, and signing it anew would take all of them off", n),
			Fix: "add one with --append, or say --replace if they are to go",
		}
	}
	return nil
}
