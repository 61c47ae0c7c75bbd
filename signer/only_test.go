package signer_test

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

// Between the decision to sign a file anew and the signature somebody puts another
// file in its place.
func TestAttackAFileIsExchangedBeforeItIsSignedAnew(t *testing.T) {
	t.Parallel()
	eachFormat(t, func(t *testing.T, s studio) {
		dir := newFiles(t)
		path := dir.write(s.in, s.text)
		if _, err := signer.SignFile(t.Context(), path, s.Options); err != nil {
			t.Fatal(err)
		}
		signed := dir.read(s.out)
		options := s.Options
		options.Replace, options.Only = true, runbook.DigestOf([]byte("the file that was judged"))
		var changed *signer.ChangedError
		if _, err := signer.SignFile(t.Context(), path, options); !errors.As(err, &changed) {
			t.Errorf("signed: %v", err)
		}
		if string(dir.read(s.out)) != string(signed) {
			t.Error("the file was written")
		}
		options.Only = runbook.DigestOf(signed)
		if _, err := signer.SignFile(t.Context(), path, options); err != nil {
			t.Errorf("the file that was judged: %v", err)
		}
	})
}

// The signed form may be another file, which is as it was while the source is not.
func TestAttackTheSourceIsExchangedBeforeItIsSignedAnew(t *testing.T) {
	t.Parallel()
	eachFormat(t, func(t *testing.T, s studio) {
		dir := newFiles(t)
		path := dir.write(s.in, s.text)
		options := s.Options
		options.Source = runbook.DigestOf([]byte("the runbook that was judged"))
		var changed *signer.ChangedError
		if _, err := signer.SignFile(t.Context(), path, options); !errors.As(err, &changed) {
			t.Errorf("signed: %v", err)
		}
		if names := dir.names(); !slices.Equal(names, []string{s.in}) {
			t.Errorf("in the folder: %v", names)
		}
		options.Source = runbook.DigestOf(s.text)
		if _, err := signer.SignFile(t.Context(), path, options); err != nil {
			t.Errorf("the runbook that was judged: %v", err)
		}
	})
}

func TestATextIsNotPutInThePlaceOfAnotherDocument(t *testing.T) {
	t.Parallel()
	s := clearsign(t)
	dir := newFiles(t)
	options := s.Options
	options.Only = runbook.DigestOf([]byte("the document that was judged"))
	var changed *signer.ChangedError
	path := dir.path("list.txt.asc")
	if _, err := signer.SignDocument(t.Context(), path, must(runbook.Parse("list.txt", []byte("a\n"))), options); !errors.As(err, &changed) {
		t.Errorf("there is no document, and one is made: %v", err)
	}
}

func TestWhatIsNotReplacedIsKnownBefore(t *testing.T) {
	t.Parallel()
	dir := newFiles(t)
	path := dir.write("a.sh", []byte("echo\n"))
	if err := signer.Replaceable(path); err != nil {
		t.Error(err)
	}
	if err := os.Link(path, dir.path("b.sh")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, dir.path("c.sh")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.sh", "c.sh", "none"} {
		if err := signer.Replaceable(dir.path(name)); err == nil {
			t.Errorf("%s could be replaced", name)
		}
	}
}
