package signer_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

// joining adds the signature of s to documents that first finds valid; it is
// judged by first and by s, as cmd/writ does.
func joining(first, s studio) signer.AppendOptions {
	after := func(ctx context.Context, rb *runbook.Runbook) (*signer.Verification, error) {
		v, err := first.Verify(ctx, rb)
		if err != nil {
			return nil, err
		}
		own, err := s.Verify(ctx, rb)
		if err != nil { // it is not by this key
			own = &signer.Verification{}
		}
		return &signer.Verification{Payload: v.Payload, Signers: own.Signers, Otherwise: own.Otherwise}, nil
	}
	return signer.AppendOptions{Format: s.Format.(signer.Appender), Key: s.Key, Before: first.Verify, After: after}
}

func TestASignatureIsAddedToADocument(t *testing.T) {
	t.Parallel()
	first, second, dir := clearsign(t), clearsign(t), newFiles(t)
	source := dir.write(first.in, first.text)
	if _, err := signer.SignFile(t.Context(), source, first.Options); err != nil {
		t.Fatal(err)
	}
	path := dir.path(first.out)
	chmod(t, path, 0o640)
	o := joining(first, second)
	if out, err := signer.AppendFile(t.Context(), path, o); err != nil || out.Unchanged || out.Path != path {
		t.Fatalf("%+v, %v", out, err)
	}
	both := dir.read(first.out)
	info := must(os.Stat(path))
	n, err := o.Format.Signatures(must(runbook.Parse(first.out, both)))
	if err != nil || n != 2 || info.Mode().Perm() != 0o640 || !bytes.Equal(dir.read(first.in), first.text) {
		t.Errorf("%d signatures, mode %o, %v", n, info.Mode().Perm(), err)
	}
	for _, s := range []studio{first, second} {
		if v, err := s.Verify(t.Context(), must(runbook.Parse(first.out, both))); err != nil || !bytes.Equal(v.Payload, first.text) {
			t.Errorf("%v", err)
		}
	}
	t.Run("the same key again changes nothing", func(t *testing.T) {
		if out, err := signer.AppendFile(t.Context(), path, o); err != nil || !out.Unchanged || !bytes.Equal(dir.read(first.out), both) {
			t.Errorf("%+v, %v", out, err)
		}
	})
	t.Run("the same key with another version is refused", func(t *testing.T) {
		other := o
		other.After = func(ctx context.Context, rb *runbook.Runbook) (*signer.Verification, error) {
			v, err := o.After(ctx, rb)
			if err == nil {
				v.Otherwise = v.Signers
			}
			return v, err
		}
		var input *signer.InputError
		if _, err := signer.AppendFile(t.Context(), path, other); !errors.As(err, &input) || !bytes.Equal(dir.read(first.out), both) {
			t.Errorf("%v", err)
		}
	})
	t.Run("signing anew does not take the other off", func(t *testing.T) {
		dir.write(first.in, []byte("echo changed\n"))
		defer dir.write(first.in, first.text)
		var input *signer.InputError
		force := first.Options
		force.Force = true
		if _, err := signer.SignFile(t.Context(), source, force); !errors.As(err, &input) || !bytes.Equal(dir.read(first.out), both) {
			t.Errorf("%v", err)
		}
	})
	t.Run("but it does if that is said", func(t *testing.T) {
		anew := first.Options
		anew.Replace = true
		if _, err := signer.SignFile(t.Context(), source, anew); err != nil {
			t.Fatal(err)
		}
		if n, err := o.Format.Signatures(must(runbook.Parse(first.out, dir.read(first.out)))); n != 1 || err != nil {
			t.Errorf("%d signatures, %v", n, err)
		}
	})
	if names := dir.names(); len(names) != 2 {
		t.Errorf("left behind: %v", names)
	}
}

func TestWhatIsNoValidDocumentGetsNoSecondSignature(t *testing.T) {
	t.Parallel()
	first, second, dir := clearsign(t), clearsign(t), newFiles(t)
	source := dir.write(first.in, first.text)
	if _, err := signer.SignFile(t.Context(), source, first.Options); err != nil {
		t.Fatal(err)
	}
	good := dir.read(first.out)
	o := joining(first, second)
	refused := func(name, path string, o signer.AppendOptions) {
		t.Helper()
		before := must(os.ReadFile(path))
		var input *signer.InputError
		if _, err := signer.AppendFile(t.Context(), path, o); !errors.As(err, &input) || !bytes.Equal(must(os.ReadFile(path)), before) {
			t.Errorf("%s: %v", name, err)
		}
	}
	refused("the runbook and not the document", source, o)
	refused("a document of a stranger", dir.path(first.out), joining(second, second))
	for name, text := range map[string][]byte{
		"a changed text":      bytes.Replace(good, []byte("hello"), []byte("jello"), 1),
		"trailing blanks":     bytes.Replace(good, []byte("hello\n"), []byte("hello \n"), 1),
		"text behind":         append(bytes.Clone(good), "rm x\n"...),
		"no document":         []byte("echo hello\n"),
		"nothing":             {},
		"a missing signature": good[:bytes.Index(good, []byte("-----BEGIN PGP SIGNATURE"))],
	} {
		refused(name, dir.write("b.sh.asc", text), o)
	}
	lax := func(_ context.Context, rb *runbook.Runbook) (*signer.Verification, error) {
		return &signer.Verification{Payload: []byte("x\n"), Signers: []string{second.Key.ID()}}, nil
	}
	t.Run("whatever a verifier says", func(t *testing.T) {
		path := dir.write("b.sh.asc", []byte("echo hello\n"))
		o := signer.AppendOptions{Format: o.Format, Key: o.Key, Before: lax, After: lax, Force: true}
		refused("no document, and a verifier that takes all", path, o)
	})
}

// carelessDocument adds nothing, or something of another document.
type carelessDocument struct {
	*format.Clearsign
	answer []byte
}

func (c carelessDocument) Append(context.Context, *runbook.Runbook, *signer.Key) ([]byte, error) {
	return c.answer, nil
}

func TestADocumentThatIsNotTheSameWithOneMoreSignatureIsCaught(t *testing.T) {
	t.Parallel()
	s, dir := clearsign(t), newFiles(t)
	if _, err := signer.SignFile(t.Context(), dir.write(s.in, s.text), s.Options); err != nil {
		t.Fatal(err)
	}
	if _, err := signer.SignFile(t.Context(), dir.write("b.sh", []byte("echo evil\n")), s.Options); err != nil {
		t.Fatal(err)
	}
	before, other := dir.read(s.out), dir.read("b.sh.asc")
	o := joining(s, s)
	o.Force = true
	if _, err := signer.AppendFile(t.Context(), dir.path("b.sh.asc"), o); err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string][]byte{
		"the file as it was": before, "another document": other, "another one with two signatures": dir.read("b.sh.asc"), "no signature": s.text,
	} {
		o := joining(s, s)
		o.Force = true
		o.Format = carelessDocument{s.Format.(*format.Clearsign), answer}
		var self *signer.SelfCheckError
		if _, err := signer.AppendFile(t.Context(), dir.path(s.out), o); !errors.As(err, &self) || !bytes.Equal(dir.read(s.out), before) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
