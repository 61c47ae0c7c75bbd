package signer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runwrit/writ/runbook"
)

// Appender is a Format that can put several signatures into one file.
type Appender interface {
	Format
	// Append returns the signed form rb with one more signature of the content that
	// is signed, and with the others as they are. It fails as Sign does.
	Append(ctx context.Context, rb *runbook.Runbook, key *Key) ([]byte, error)
	// Signatures returns how many signatures the signed form rb carries. It fails with
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

// AppendFile adds a signature to the signed form of a runbook at path: the file
// itself, or NAME.asc. The content and the
// signatures that are there stay as they are, byte for byte. It is as careful
// with the file as SignFile, and fails with the same errors; with *InputError where
// Before does not find the file valid, or the key has signed it and said something
// else of the runbook.
func AppendFile(ctx context.Context, path string, o AppendOptions) (_ Outcome, err error) {
	defer inFolder(path, &err)
	if o.Format == nil || o.Key == nil || o.Before == nil || o.After == nil {
		return Outcome{}, errors.New("append: a format, a key and two verifiers are needed")
	}
	src, err := readSigned(path, o.Format)
	if err != nil {
		return Outcome{}, err
	}
	if src.unfit != nil {
		return Outcome{}, src.unfit
	}
	if err := src.mayBeReplaced(src, o.Force, signedForm(o.Format)); err != nil {
		return Outcome{}, err
	}
	found, err := o.Before(ctx, src.rb)
	switch {
	case ctx.Err() != nil:
		return Outcome{}, fmt.Errorf("append to %q: %w", path, context.Cause(ctx))
	case err != nil:
		return Outcome{}, &InputError{Name: src.rb.Name(), Msg: "a signature is added to valid files only: " + err.Error()}
	case found == nil:
		return Outcome{}, fmt.Errorf("append to %q: the verifier gave no answer", path)
	case src.stripper == nil:
		src.content = found.Payload
	}
	options := Options{Format: o.Format, Key: o.Key, Verify: o.After}
	if !o.Force {
		if signed, err := o.signedBefore(ctx, src, options); err != nil || signed {
			return Outcome{Path: path, Unchanged: signed}, err
		}
	}
	if err := src.hasNoBundle(fixBundle); err != nil {
		return Outcome{}, err
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

// readSigned reads the file that holds the signed form.
func readSigned(path string, format Format) (*source, error) {
	if _, inPlace := format.(Stripper); inPlace {
		return readSource(path, format)
	}
	name := filepath.Base(path)
	if form := format.OutputName(runbook.PayloadName(name)); !strings.EqualFold(form, name) {
		return nil, &InputError{Name: name, Msg: "the signature would go into another file", Fix: "name the signed form: " + form}
	}
	f, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return &source{file: f}, nil
}

// signedBefore says whether the key has made one of the signatures, and said the
// same in it. If it said something else the caller must say what is wanted.
func (o *AppendOptions) signedBefore(ctx context.Context, src *source, options Options) (bool, error) {
	if alreadySigned(ctx, src, src.file, options) {
		return true, nil
	}
	v, err := o.After(ctx, src.rb)
	if err == nil && v != nil && o.Key.made(src.beside, v.Otherwise) {
		return false, &InputError{
			Name: src.rb.Name(), Msg: "this key has signed it already, and said something else of the runbook",
			Fix: "sign anew with --replace, which takes all signatures off, or add a second signature by this key with --force",
		}
	}
	return false, nil // whatever is amiss with what is there shows after signing
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
	if err := src.hasNoBundle(fixBundle); err != nil {
		return Outcome{}, err
	}
	if err := f.mayBeReplaced(src, false, isClearSigned); err != nil {
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

// mayTakeAll guards the signatures of others: signing anew takes all off. A file
// NAME.asc whose signatures cannot be counted has none that anybody could verify.
func mayTakeAll(src *source, target file, o Options) error {
	appender, ok := o.Format.(Appender)
	if !ok {
		return nil
	}
	n := 0
	if target.rb != nil {
		var err error
		if n, err = appender.Signatures(target.rb); err != nil && src.stripper != nil {
			return err
		}
	}
	switch {
	case o.Replace && n == 0:
		return &InputError{Name: src.rb.Name(), Msg: "there is no signature to replace", Fix: "sign it without --replace"}
	case !o.Replace && n > 1:
		return &InputError{
			Name: filepath.Base(target.path), Msg: fmt.Sprintf("it carries %d signatures, and signing it anew would take all of them off", n),
			Fix: "add one with --append, or say --replace if they are to go",
		}
	}
	return nil
}
