package signer

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/runwrit/writ/runbook"
)

// Verification is what a verifier found out about a valid file.
type Verification struct {
	// Payload is what would be run.
	Payload []byte
	// Signers are the IDs of those whose signatures are valid, in the form of
	// Key.ID.
	Signers []string
	// Otherwise are those of them, each of whose signatures says something else of
	// the runbook than what is to be signed, such as another version.
	Otherwise []string
	// Formats are those of valid signatures, by Format.Name. A Beside counts as
	// signed only where it is among them: what is inside of the file may be valid
	// whatever lies beside it.
	Formats []string
}

// VerifyFunc has the caller's verifier look at a file. It fails for everything
// but a valid file, with an error that wraps ErrUnsigned where there is no
// signature at all.
type VerifyFunc func(ctx context.Context, rb *runbook.Runbook) (*Verification, error)

// ErrUnsigned says that a file carries no signature.
var ErrUnsigned = errors.New("unsigned")

// Stripper is what a Format must be if its signature goes into the file that is
// signed.
type Stripper interface {
	Format
	// Strip returns the content that a signature of rb covers: rb without the
	// signature that it carries. It fails with *InputError if it cannot tell.
	Strip(rb *runbook.Runbook) ([]byte, error)
}

// Options say how to sign a file.
type Options struct {
	Format Format
	Key    *Key
	// Verify judges what was signed, before it replaces anything. It should trust
	// Key.Anchor and nothing else. It is needed.
	Verify VerifyFunc
	// Force signs again what this key has signed already, and replaces a file
	// NAME.asc or NAME.sigstore.json that is something else.
	Force bool
	// Replace signs anew what carries a signature already, whoever made it, and
	// takes all signatures off. Without it a signed form with several is not
	// replaced.
	Replace bool
	// Confirm has a text that the format cannot carry normalised, in the source too,
	// if it agrees; the format must be a Normalizer. Without it such a text is
	// refused.
	Confirm ConfirmFunc
	// Profile refuses what the service it names would change.
	Profile Profile
	// Only, unless it is zero, is the digest of the one file that the signed form may
	// replace: the one on which somebody has decided that it may be.
	Only runbook.Digest
	// Source, unless it is zero, is the digest of the one runbook that may be signed:
	// the one on which somebody has decided.
	Source runbook.Digest
}

// Outcome says what SignFile did.
type Outcome struct {
	// Path is the file that holds the signed form.
	Path string
	// Unchanged says that the same content was validly signed by the same key
	// already, and that nothing was written.
	Unchanged bool
	// Normalized says that the source was changed, too.
	Normalized bool
	// Content is the digest of what the signature covers, which is the runbook
	// without any signature.
	Content runbook.Digest
}

// ExistsError says that the file that would hold the signed form exists and is
// something else.
type ExistsError struct{ Path string }

func (e *ExistsError) Error() string {
	return fmt.Sprintf("%q exists and is no signature of this format, and is not replaced: move it away, or sign with --force", e.Path)
}

// SignFile signs the runbook at path and puts the signed form in place: into
// the file itself, or into a file beside it, as the format has it.
//
// The runbook is read once; a symbolic link is refused. What was signed is
// verified, and its payload held against the runbook, before anything is
// written. Replacement is atomic and keeps mode, owner and access control list.
// Any failure leaves the file as it was and nothing beside it. Besides the
// errors named here it fails with *InputError, *KeyError, *SelfCheckError,
// *ExistsError, *ChangedError, or the error of the file system.
func SignFile(ctx context.Context, path string, o Options) (_ Outcome, err error) {
	defer inFolder(path, &err)
	if err := o.complete(); err != nil {
		return Outcome{}, err
	}
	src, err := readSource(path, o.Format)
	if err != nil {
		return Outcome{}, err
	}
	w, err := src.prepare(ctx, o)
	if err != nil {
		return Outcome{}, err
	}
	if err := w.besideFits(nil); err != nil {
		return Outcome{}, err
	}
	if err := w.sign(ctx); err != nil {
		return Outcome{}, err
	}
	return w.outcome, w.put(ctx)
}

func (o *Options) complete() error {
	if o.Format == nil || o.Key == nil || o.Verify == nil {
		return errors.New("sign: a format, a key and a verifier are needed")
	}
	return nil
}

// work is a signature of a file on its way.
type work struct {
	Options
	src     *source
	target  file
	outcome Outcome
	signed  []byte // the signed form; nil where nothing is to be done
}

// prepare does all that can be done without the key.
func (s *source) prepare(ctx context.Context, o Options) (*work, error) {
	if err := o.Profile.check(s.rb); err != nil {
		return nil, err
	}
	if !o.Source.IsZero() && s.rb.Digest() != o.Source {
		return nil, &ChangedError{s.path}
	}
	if s.unfit != nil {
		return nil, s.unfit
	}
	target, err := s.target(o.Format)
	if err != nil {
		return nil, err
	}
	if err := target.mayBeReplaced(s, o.Force, signedForm(o.Format)); err != nil {
		return nil, err
	}
	if err := o.mayReplace(target); err != nil {
		return nil, err
	}
	if o.Confirm != nil {
		if err := s.normalize(ctx, o); err != nil {
			return nil, err
		}
		if s.signs != nil {
			if err := s.hasNoBundle(fixBundle); err != nil {
				return nil, err
			}
		}
	}
	w := &work{Options: o, src: s, target: target}
	w.outcome = Outcome{Path: target.path, Normalized: s.signs != nil, Content: runbook.DigestOf(s.content)}
	if !o.Force && !o.Replace && alreadySigned(ctx, s, target, o) {
		w.outcome.Unchanged = true
		return w, nil
	}
	return w, mayTakeAll(s, target, o)
}

// sign makes the signed form, and has it verified.
func (w *work) sign(ctx context.Context) error {
	if w.outcome.Unchanged {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("sign %q: %w", w.src.path, err)
	}
	signed, err := w.Format.Sign(ctx, w.src.toSign(), w.Key)
	if err != nil {
		return signingFailed(w.src.path, err)
	}
	w.signed = signed
	return selfCheck(ctx, w.src, w.target, signed, w.Options)
}

// put writes what is to be written.
func (w *work) put(ctx context.Context) error {
	if w.outcome.Unchanged {
		return w.src.rewrite(ctx)
	}
	return w.src.put(ctx, w.target, w.signed)
}

// mayReplace holds the file against what the decision to replace it was made on.
func (o *Options) mayReplace(target file) error {
	if !o.Only.IsZero() && (target.rb == nil || target.rb.Digest() != o.Only) {
		return &ChangedError{target.path}
	}
	return nil
}

// inFolder completes the name in an *InputError about a file beside path: several
// files may have one name.
func inFolder(path string, err *error) {
	var input *InputError
	if errors.As(*err, &input) {
		input.Name = filepath.Join(filepath.Dir(path), input.Name)
	}
}

// signingFailed names the file, unless the error is about the key, or names it.
func signingFailed(path string, err error) error {
	var input *InputError
	var key *KeyError
	if errors.As(err, &input) || errors.As(err, &key) {
		return err
	}
	return fmt.Errorf("sign %q: %w", path, err)
}
