package signer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
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
	if o.Format == nil || o.Key == nil || o.Verify == nil {
		return Outcome{}, errors.New("sign: a format, a key and a verifier are needed")
	}
	src, err := readSource(path, o.Format)
	if err != nil {
		return Outcome{}, err
	}
	if err := o.Profile.check(src.rb); err != nil {
		return Outcome{}, err
	}
	if src.unfit != nil {
		return Outcome{}, src.unfit
	}
	target, err := src.target(o.Format)
	if err != nil {
		return Outcome{}, err
	}
	if err := target.mayBeReplaced(src, o.Force, signedForm(o.Format)); err != nil {
		return Outcome{}, err
	}
	if err := o.mayReplace(target); err != nil {
		return Outcome{}, err
	}
	if o.Confirm != nil {
		if err := src.normalize(ctx, o); err != nil {
			return Outcome{}, err
		}
	}
	outcome := Outcome{Path: target.path, Normalized: src.signs != nil, Content: runbook.DigestOf(src.content)}
	if !o.Force && !o.Replace && alreadySigned(ctx, src, target, o) {
		outcome.Unchanged = true
		return outcome, src.rewrite(ctx)
	}
	if err := mayTakeAll(src, target, o); err != nil {
		return Outcome{}, err
	}
	if err := ctx.Err(); err != nil {
		return Outcome{}, fmt.Errorf("sign %q: %w", path, err)
	}
	signed, err := o.Format.Sign(ctx, src.toSign(), o.Key)
	if err != nil {
		return Outcome{}, signingFailed(path, err)
	}
	if err := selfCheck(ctx, src, target, signed, o); err != nil {
		return Outcome{}, err
	}
	return outcome, src.put(ctx, target, signed)
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

// source is the runbook as it was read, and what it was read from.
type source struct {
	file
	stripper Stripper         // nil where the signed form is another file
	beside   bool             // the signed form is the source with that file beside it
	content  []byte           // what a signature is to cover
	unfit    error            // why the content cannot be told
	signs    *runbook.Runbook // the content, where it is not that of the file; nil else
}

// file is a file's content together with what tells whether it is still the
// same one; rb is nil where there is none.
type file struct {
	path string
	info fs.FileInfo
	rb   *runbook.Runbook
}

// readFile reads a regular file. The information is taken first: a file that is
// put in its place in between will not match it later.
func readFile(path string) (file, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return file{}, err
	}
	rb, err := runbook.ReadFile(path, false)
	if err != nil {
		return file{}, err
	}
	return file{path: path, info: info, rb: rb}, nil
}

func readSource(path string, format Format) (*source, error) {
	name := filepath.Base(path)
	if format.OutputName(name) != name && runbook.PayloadName(name) != name {
		return nil, &InputError{Name: name, Msg: "this is the signed form already", Fix: "name the runbook itself: " + runbook.PayloadName(name)}
	}
	f, err := readFile(path)
	if err != nil {
		return nil, err
	}
	s := &source{file: f}
	_, s.beside = format.(Beside)
	if format.OutputName(name) != name {
		s.content = f.rb.Bytes()
		return s, nil
	}
	var ok bool
	if s.stripper, ok = format.(Stripper); !ok {
		return nil, fmt.Errorf("format %s signs in place and cannot tell content from signature", format.Name())
	}
	s.content, s.unfit = s.stripper.Strip(f.rb)
	return s, nil
}

// covers says whether the signed form of the source holds exactly the source:
// in place, the whole file would be run, and without its signature it is the
// content; in a file of its own, the payload alone would be run.
func (s *source) covers(signed *runbook.Runbook, v *Verification) bool {
	if v == nil || s.unfit != nil {
		return false
	}
	if s.stripper == nil {
		return bytes.Equal(v.Payload, s.content)
	}
	content, err := s.stripper.Strip(signed)
	return err == nil && bytes.Equal(content, s.content) && runbook.DigestOf(v.Payload) == signed.Digest()
}

// target is the file that will hold the signed form: the source itself, or one
// beside it that may exist.
func (s *source) target(format Format) (file, error) {
	path := filepath.Join(filepath.Dir(s.path), format.OutputName(s.rb.Name()))
	if s.stripper != nil {
		return s.file, nil
	}
	t, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return file{path: path}, nil
	}
	return t, err
}

// signed is what a verifier is to judge where file holds the signed form: the
// file, or the source with the file beside it.
func (s *source) signed(file *runbook.Runbook) (*runbook.Runbook, error) {
	if !s.beside || file == nil {
		return file, nil
	}
	return runbook.ParseWithSidecars(s.rb.Name(), s.content, runbook.Sidecar{Name: file.Name(), Data: file.Bytes()})
}

// clearSigned is how the only kind of signed document that holds its text in a
// file of its own begins.
var clearSigned = []byte("-----BEGIN PGP SIGNED MESSAGE-----")

// signedForm tells what a format may have written to a file of its own.
func signedForm(format Format) func([]byte) bool {
	if b, ok := format.(Beside); ok {
		return b.IsSignature
	}
	return isClearSigned
}

func isClearSigned(data []byte) bool { return bytes.HasPrefix(data, clearSigned) }

// mayBeReplaced refuses to overwrite what is not a signed form, such as a
// detached signature of the same name. It refuses a file with a second name too:
// only this name would lead to the signed form, the other to the old one.
func (f file) mayBeReplaced(src *source, force bool, isSigned func([]byte) bool) error {
	if f.rb == nil {
		return nil
	}
	signed := f.path == src.path
	f.rb.View(func(data []byte) { signed = signed || isSigned(data) })
	if !signed && !force {
		return &ExistsError{f.path}
	}
	if n := links(f.info); n > 1 {
		return &InputError{
			Name: filepath.Base(f.path), Msg: fmt.Sprintf("the file has %d names (hard links), and only this one would be signed", n),
			Fix: "make it a file of its own: copy it, and put the copy in its place",
		}
	}
	return nil
}

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
	return err == nil && src.covers(signed, v) && o.Key.made(v.Signers) && !o.Key.made(v.Otherwise)
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
	case !o.Key.made(v.Signers):
		return &SelfCheckError{src.path, errors.New("it is not by the key that signed")}
	case o.Key.made(v.Otherwise):
		return &SelfCheckError{src.path, errors.New("it says something else of the runbook than it should")}
	case !src.covers(rb, v):
		return &SelfCheckError{src.path, errors.New("its payload is not the runbook")}
	}
	return nil
}
