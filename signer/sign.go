package signer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

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

// source is the runbook as it was read, and what it was read from.
type source struct {
	file
	stripper Stripper         // nil where the signed form is another file
	beside   string           // the format whose signed form is the source with a file beside it; "" for others
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
	return newSource(f, format)
}

func newSource(f file, format Format) (*source, error) {
	name := f.rb.Name()
	s := &source{file: f}
	if _, ok := format.(Beside); ok {
		s.beside = format.Name()
	}
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
	if s.beside != "" && !slices.Contains(v.Formats, s.beside) {
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
	if s.beside == "" || file == nil {
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
