package signer_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

// appending is all that a second signature by the same key takes.
func appending(s studio) signer.AppendOptions {
	return signer.AppendOptions{Format: s.Format.(signer.Appender), Key: s.Key, Before: s.Verify, After: s.Verify, Force: true}
}

func TestAppendedSignaturesKeepTextAndModeAndAreNotRepeated(t *testing.T) {
	t.Parallel()
	s, dir := authenticode(t), newFiles(t)
	path := dir.write(s.in, s.text)
	if _, err := signer.SignFile(t.Context(), path, s.Options); err != nil {
		t.Fatal(err)
	}
	chmod(t, path, 0o640)
	o := appending(s)
	if out, err := signer.AppendFile(t.Context(), path, o); err != nil || out.Unchanged {
		t.Fatalf("%+v, %v", out, err)
	}
	both := dir.read(s.in)
	info := must(os.Stat(path))
	n, err := o.Format.Signatures(must(runbook.Parse(s.in, both)))
	if err != nil || n != 2 || !bytes.HasPrefix(both, s.text) || info.Mode().Perm() != 0o640 {
		t.Errorf("%d signatures, mode %o, %v", n, info.Mode().Perm(), err)
	}
	o.Force = false
	if out, err := signer.AppendFile(t.Context(), path, o); err != nil || !out.Unchanged || !bytes.Equal(dir.read(s.in), both) {
		t.Errorf("again: %+v, %v", out, err)
	}
	if names := dir.names(); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

// careless adds nothing, or something of another file.
type careless struct {
	*format.Authenticode
	answer []byte
}

func (c careless) Append(context.Context, *runbook.Runbook, *signer.Key) ([]byte, error) {
	return c.answer, nil
}

func TestAFormatThatAppendsSomethingElseIsCaught(t *testing.T) {
	t.Parallel()
	s, dir := authenticode(t), newFiles(t)
	path := dir.write(s.in, s.text)
	other := dir.write("b.ps1", []byte("Write-Host 'evil'\r\n"))
	for _, p := range []string{path, other} {
		if _, err := signer.SignFile(t.Context(), p, s.Options); err != nil {
			t.Fatal(err)
		}
	}
	before, single := dir.read(s.in), dir.read("b.ps1")
	if _, err := signer.AppendFile(t.Context(), other, appending(s)); err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string][]byte{
		"the file as it was": before, "another file": single, "another one with two signatures": dir.read("b.ps1"), "no signature": s.text,
	} {
		o := appending(s)
		o.Format = careless{s.Format.(*format.Authenticode), answer}
		var self *signer.SelfCheckError
		if _, err := signer.AppendFile(t.Context(), path, o); !errors.As(err, &self) || !bytes.Equal(dir.read(s.in), before) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASignatureIsAddedToValidFilesOnly(t *testing.T) {
	t.Parallel()
	s, stranger, dir := authenticode(t), authenticode(t), newFiles(t)
	path := dir.write(s.in, s.text)
	o := appending(s)
	refuse := func(what string) {
		t.Helper()
		before := dir.read(s.in)
		var input *signer.InputError
		if _, err := signer.AppendFile(t.Context(), path, o); !errors.As(err, &input) || !bytes.Equal(dir.read(s.in), before) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refuse("unsigned")
	if _, err := signer.SignFile(t.Context(), path, stranger.Options); err != nil {
		t.Fatal(err)
	}
	refuse("signed by a stranger")
	if _, err := signer.SignFile(t.Context(), path, s.Options); err != nil {
		t.Fatal(err)
	}
	dir.write(s.in, bytes.Replace(dir.read(s.in), []byte("hello"), []byte("jello"), 1))
	refuse("changed")
}

func TestSigningAnewTakesTheSignaturesOfOthersOnlyWithReplace(t *testing.T) {
	t.Parallel()
	s, other, dir := authenticode(t), authenticode(t), newFiles(t)
	path := dir.write(s.in, s.text)
	replace := other.Options
	replace.Replace = true
	var input *signer.InputError
	if _, err := signer.SignFile(t.Context(), path, replace); !errors.As(err, &input) {
		t.Errorf("replace in an unsigned file: %v", err)
	}
	if _, err := signer.SignFile(t.Context(), path, s.Options); err != nil {
		t.Fatal(err)
	}
	if _, err := signer.AppendFile(t.Context(), path, appending(s)); err != nil {
		t.Fatal(err)
	}
	before := dir.read(s.in)
	for _, force := range []bool{false, true} {
		o := other.Options
		o.Force = force
		if _, err := signer.SignFile(t.Context(), path, o); !errors.As(err, &input) || !bytes.Equal(dir.read(s.in), before) {
			t.Errorf("force %v: %v", force, err)
		}
	}
	if out, err := signer.SignFile(t.Context(), path, replace); err != nil || out.Unchanged {
		t.Errorf("replace: %+v, %v", out, err)
	}
	first := dir.read(s.in)
	if out, err := signer.SignFile(t.Context(), path, replace); err != nil || out.Unchanged || bytes.Equal(dir.read(s.in), first) {
		t.Errorf("replace its own: %+v, %v", out, err)
	}
}

// A Windows script file holds its block in the middle.
func TestTheBlockInTheMiddleOfAFileComesOffToo(t *testing.T) {
	t.Parallel()
	s, dir := authenticode(t), newFiles(t)
	text := []byte("<job>\r\n<script language=\"JScript\">1</script>\r\n</job>\r\n")
	path := dir.write("a.wsf", text)
	if _, err := signer.SignFile(t.Context(), path, s.Options); err != nil {
		t.Fatal(err)
	}
	if _, err := signer.AppendFile(t.Context(), path, appending(s)); err != nil {
		t.Fatal(err)
	}
	fine := func(context.Context, *runbook.Runbook) error { return nil }
	if out, err := signer.UnsignFile(t.Context(), path, s.Format.(signer.Unsigner), fine); err != nil || out.Unchanged || !bytes.Equal(dir.read("a.wsf"), text) {
		t.Errorf("%+v, %v: %q", out, err, dir.read("a.wsf"))
	}
}

func TestUnsignedFilesAreWhatTheyWereBeforeSigning(t *testing.T) {
	t.Parallel()
	s, dir := authenticode(t), newFiles(t)
	f := s.Format.(signer.Unsigner)
	path := dir.write(s.in, s.text)
	chmod(t, path, 0o640)
	fine := func(context.Context, *runbook.Runbook) error { return nil }
	if _, err := signer.SignFile(t.Context(), path, s.Options); err != nil {
		t.Fatal(err)
	}
	signed := dir.read(s.in)
	refused := errors.New("still signed")
	if _, err := signer.UnsignFile(t.Context(), path, f, func(context.Context, *runbook.Runbook) error { return refused }); !errors.Is(err, refused) || !bytes.Equal(dir.read(s.in), signed) {
		t.Errorf("a check that fails: %v", err)
	}
	if _, err := signer.UnsignFile(t.Context(), path, greedy{f}, fine); err == nil || !bytes.Equal(dir.read(s.in), signed) {
		t.Errorf("a format that changes the text: %v", err)
	}
	if out, err := signer.UnsignFile(t.Context(), path, f, fine); err != nil || out.Unchanged || !bytes.Equal(dir.read(s.in), s.text) {
		t.Errorf("%+v, %v", out, err)
	}
	if mode := must(os.Stat(path)).Mode().Perm(); mode != 0o640 {
		t.Errorf("mode %o", mode)
	}
	if out, err := signer.UnsignFile(t.Context(), path, f, fine); err != nil || !out.Unchanged {
		t.Errorf("again: %+v, %v", out, err)
	}
	dir.write(s.in, signed)
	link := dir.path("link.ps1")
	if err := os.Symlink(path, link); err == nil {
		if _, err := signer.UnsignFile(t.Context(), link, f, fine); err == nil {
			t.Error("through a link")
		}
		remove(t, link)
	}
	if err := os.Link(path, link); err == nil {
		if _, err := signer.UnsignFile(t.Context(), path, f, fine); err == nil {
			t.Error("one name of two")
		}
		remove(t, link)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := signer.UnsignFile(ctx, path, f, fine); err == nil || !bytes.Equal(dir.read(s.in), signed) {
		t.Errorf("an ended context: %v", err)
	}
	if names := dir.names(); !slices.Equal(names, []string{s.in}) {
		t.Errorf("left behind: %v", names)
	}
}

// greedy takes a byte of the text too, at its beginning.
type greedy struct{ signer.Unsigner }

func (g greedy) Unsign(rb *runbook.Runbook) ([]byte, error) {
	content, err := g.Unsigner.Unsign(rb)
	return content[1:], err
}
