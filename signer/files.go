package signer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/runwrit/writ/runbook"
)

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

// Replaceable says, as an error, why no signed form would be put in the place of the
// file at path, whatever it is: it is no regular file, or has a second name.
func Replaceable(path string) error {
	f, err := readFile(path)
	if err != nil {
		return err
	}
	return f.mayBeReplaced(&source{file: f}, true, isClearSigned)
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
