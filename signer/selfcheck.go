package signer

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/runwrit/writ/runbook"
)

// SelfCheckError says that what was just signed does not verify, and was thrown
// away: the key is not fit to sign (expired, of another purpose), or there is an
// error in this program.
type SelfCheckError struct {
	Path string
	Err  error
}

func (e *SelfCheckError) Error() string {
	return fmt.Sprintf("sign %q: the signature just made does not verify, nothing was written: %v", e.Path, e.Err)
}

// Unwrap returns what the verifier said.
func (e *SelfCheckError) Unwrap() error { return e.Err }

// alreadySigned: whatever is amiss with the signature that is there, the answer
// is to sign.
func alreadySigned(ctx context.Context, src *source, target file, o Options) bool {
	if target.rb == nil {
		return false
	}
	signed, err := src.signed(target.rb)
	if err != nil {
		return false
	}
	v, err := o.Verify(ctx, signed)
	return err == nil && src.covers(signed, v) && o.Key.made(src.beside, v.Signers) && !o.Key.made(src.beside, v.Otherwise)
}

func selfCheck(ctx context.Context, src *source, target file, signed []byte, o Options) error {
	rb, err := runbook.Parse(filepath.Base(target.path), signed)
	var tooLarge *runbook.SizeError
	if errors.As(err, &tooLarge) {
		return &InputError{Name: src.rb.Name(), Msg: fmt.Sprintf("its signed form would have %d bytes, the limit is %d", len(signed), runbook.MaxSize)}
	}
	if err != nil {
		return err
	}
	if rb, err = src.signed(rb); err != nil {
		return err
	}
	v, err := o.Verify(ctx, rb)
	switch {
	case ctx.Err() != nil: // whatever the verifier says then is not about the signature
		return fmt.Errorf("sign %q: %w", src.path, context.Cause(ctx))
	case err != nil:
		return &SelfCheckError{src.path, err}
	case v == nil:
		return &SelfCheckError{src.path, errors.New("the verifier gave no answer")}
	case !o.Key.made(src.beside, v.Signers):
		return &SelfCheckError{src.path, errors.New("it is not by the key that signed")}
	case o.Key.made(src.beside, v.Otherwise):
		return &SelfCheckError{src.path, errors.New("it says something else of the runbook than it should")}
	case src.beside != "" && !slices.Contains(v.Formats, src.beside):
		return &SelfCheckError{src.path, errors.New("it is not valid, although another signature of the file is")}
	case !src.covers(rb, v):
		return &SelfCheckError{src.path, errors.New("its payload is not the runbook")}
	}
	return nil
}
