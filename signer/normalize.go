package signer

import (
	"context"
	"errors"
	"fmt"

	"github.com/runwrit/writ/runbook"
)

// Normalizer is a Format that cannot carry every text, and knows how one must be
// changed so that it can.
type Normalizer interface {
	Format
	// Normalize returns rb as it can be signed. It fails with *InputError where
	// more would have to change than line ends and the blanks before them.
	Normalize(rb *runbook.Runbook) (*Normalized, error)
}

// Normalized is a text that can be signed, and how it differs from the one that
// was given.
type Normalized struct {
	Text []byte
	// Changes are the lines that differ, in their order; none if nothing does. At
	// most 1000 are listed, and at most 1000 with a danger beside them.
	Changes []LineChange
	// Lines is the number of all lines that differ, Dangers of those among them with
	// a danger.
	Lines, Dangers int
}

// LineChange is a line that loses what stands at its end, or a run of lines that
// lose nothing but a CR.
type LineChange struct {
	First, Last int    // from 1
	Text        []byte // what stays of the first line
	Cut         []byte // the blanks and CRs at its end
	// NoEnd says that it is the last line of the file, and gains a line end.
	NoEnd bool
	// Danger says why the script may do something else afterwards; "" where nothing
	// is known. It is a reader's hint: it knows no language in full.
	Danger string
}

// ConfirmFunc is asked whether a text may be changed as said, and fails if not.
type ConfirmFunc func(ctx context.Context, path string, n *Normalized) error

// normalize puts what can be signed in the place of the text that was read, with
// the leave of o.Confirm.
func (s *source) normalize(ctx context.Context, o Options) error {
	normalizer, ok := o.Format.(Normalizer)
	if !ok || s.stripper != nil {
		return errors.New("sign: the format " + o.Format.Name() + " normalises nothing")
	}
	n, err := normalizer.Normalize(s.rb)
	if err != nil || n.Lines == 0 {
		return err
	}
	if err := s.mayBeReplaced(s, o.Force, isClearSigned); err != nil {
		return err
	}
	rb, err := runbook.Parse(s.rb.Name(), n.Text)
	if err != nil {
		return err
	}
	if err := o.Confirm(ctx, s.path, n); err != nil {
		return err
	}
	s.signs, s.content = rb, rb.Bytes()
	return nil
}

// toSign is the text that is signed: the file's own, or the normalised one.
func (s *source) toSign() *runbook.Runbook {
	if s.signs != nil {
		return s.signs
	}
	return s.rb
}

// rewrite puts the normalised text into the source, before the signed form is
// put in place: no signature comes out for a source that could not be written.
func (s *source) rewrite(ctx context.Context) error {
	if s.signs == nil {
		return nil
	}
	if err := replace(ctx, s, s.file, s.content); err != nil {
		return err
	}
	now, err := readFile(s.path)
	if err != nil {
		return err
	}
	if now.rb.Digest() != s.signs.Digest() {
		return &ChangedError{s.path}
	}
	s.file = now
	return nil
}

// put writes the signed form, after the source if that is to change.
func (s *source) put(ctx context.Context, target file, signed []byte) error {
	if err := s.rewrite(ctx); err != nil {
		return err
	}
	if err := replace(ctx, s, target, signed); err != nil {
		if s.signs != nil {
			return fmt.Errorf("%q is normalised and not signed: %w", s.path, err)
		}
		return err
	}
	return nil
}
