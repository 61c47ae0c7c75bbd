package signer

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// State says whether a runbook is signed as it stands. The zero value means
// that nobody looked.
type State string

// The states.
const (
	StateUnsigned State = "unsigned" // there is no signature
	StateStale    State = "stale"    // there is one, and it does not verify or is of another text
	StateSigned   State = "signed"   // valid, and of this text
)

// CheckResult is what CheckFile found.
type CheckResult struct {
	State State
	// Path is the file that holds the signed form, or would.
	Path string
	// Detail says what is amiss; "" for StateSigned.
	Detail string
}

// CheckFile says whether the runbook at path is signed, and changes nothing. An
// error means that it could not look.
func CheckFile(ctx context.Context, path string, format Format, verify VerifyFunc) (_ CheckResult, err error) {
	defer inFolder(path, &err)
	if format == nil || verify == nil {
		return CheckResult{}, errors.New("check: a format and a verifier are needed")
	}
	src, err := readSource(path, format)
	if err != nil {
		return CheckResult{}, err
	}
	target, err := src.target(format)
	if err != nil {
		return CheckResult{}, err
	}
	result := CheckResult{State: StateUnsigned, Path: target.path}
	if target.rb == nil {
		result.Detail = "there is no " + format.OutputName(src.rb.Name())
		return result, nil
	}
	signed, err := src.signed(target.rb)
	if err != nil {
		return CheckResult{}, err
	}
	v, err := verify(ctx, signed)
	if ctx.Err() != nil {
		return CheckResult{}, fmt.Errorf("check %q: %w", path, context.Cause(ctx))
	}
	switch {
	case errors.Is(err, ErrUnsigned):
		result.Detail = err.Error()
	case err != nil:
		result.State, result.Detail = StateStale, err.Error()
	case src.beside != "" && v != nil && !slices.Contains(v.Formats, src.beside):
		result.State, result.Detail = StateStale, "the signature in "+target.rb.Name()+" is not valid, although another one of the file is"
	case !src.covers(signed, v):
		result.State, result.Detail = StateStale, "the signature is of another text"
	default:
		result.State = StateSigned
	}
	return result, nil
}
