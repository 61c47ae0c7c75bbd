package signer_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

const (
	sloppy = "#!/bin/bash \necho a\r\n\techo b\t"
	tidy   = "#!/bin/bash\necho a\n\techo b\n"
)

// normalizing are the options that sign what the user agrees to.
func normalizing(s studio, answer error, asked *int) signer.Options {
	o := s.Options
	o.Confirm = func(_ context.Context, _ string, n *signer.Normalized) error {
		*asked++
		if string(n.Text) != tidy || n.Lines != 3 {
			return errors.New("another text is asked about")
		}
		return answer
	}
	return o
}

func TestNormalisingChangesTheSourceAndSignsIt(t *testing.T) {
	t.Parallel()
	s, dir := clearsign(t), newFiles(t)
	path := dir.write("a.sh", []byte(sloppy))
	chmod(t, path, 0o750)
	asked := 0
	o := normalizing(s, nil, &asked)
	done, err := signer.SignFile(t.Context(), path, o)
	if err != nil || !done.Normalized || done.Unchanged || asked != 1 {
		t.Fatalf("%+v, %v, asked %d times", done, err, asked)
	}
	if got := dir.read("a.sh"); string(got) != tidy {
		t.Errorf("source %q", got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	check, err := signer.CheckFile(t.Context(), path, s.Format, s.Verify)
	if err != nil || check.State != signer.StateSigned {
		t.Errorf("%+v, %v", check, err)
	}
	again, err := signer.SignFile(t.Context(), path, o)
	if err != nil || again.Normalized || !again.Unchanged || asked != 1 {
		t.Errorf("the second time: %+v, %v, asked %d times", again, err, asked)
	}
	// The document is there, and only the source went back.
	dir.write("a.sh", []byte(sloppy))
	document := dir.read("a.sh.asc")
	again, err = signer.SignFile(t.Context(), path, o)
	if err != nil || !again.Normalized || !again.Unchanged || !bytes.Equal(dir.read("a.sh.asc"), document) || string(dir.read("a.sh")) != tidy {
		t.Errorf("%+v, %v, source %q", again, err, dir.read("a.sh"))
	}
}

func TestNothingIsNormalisedWithoutLeave(t *testing.T) {
	t.Parallel()
	s := clearsign(t)
	no := errors.New("no")
	broken := normalizing(s, nil, new(int))
	broken.Verify = func(context.Context, *runbook.Runbook) (*signer.Verification, error) {
		return nil, errors.New("does not verify")
	}
	inPlace := normalizing(authenticode(t), nil, new(int))
	var input *signer.InputError
	var self *signer.SelfCheckError
	for name, c := range map[string]struct {
		text string
		o    signer.Options
		want func(error) bool
	}{
		"the user says no":            {sloppy, normalizing(s, no, new(int)), func(err error) bool { return errors.Is(err, no) }},
		"nobody is asked":             {sloppy, s.Options, func(err error) bool { return errors.As(err, &input) && input.Line == 1 }},
		"a NUL":                       {"a \nb\x00\n", normalizing(s, nil, new(int)), func(err error) bool { return errors.As(err, &input) && input.Line == 2 }},
		"what is signed is not valid": {sloppy, broken, func(err error) bool { return errors.As(err, &self) }},
		"a format that needs it not":  {sloppy, inPlace, func(err error) bool { return err != nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := newFiles(t)
			path := dir.write("a.sh", []byte(c.text))
			if c.o.Format.Name() == "authenticode" {
				path = dir.write("a.ps1", []byte(c.text))
			}
			before := dir.names()
			if _, err := signer.SignFile(t.Context(), path, c.o); !c.want(err) {
				t.Errorf("%v", err)
			}
			if after := dir.names(); len(after) != len(before) || string(dir.read("a.sh")) != c.text {
				t.Errorf("files %v, text %q", after, dir.read("a.sh"))
			}
		})
	}
}

func TestASourceThatCannotBeReplacedIsNotNormalised(t *testing.T) {
	t.Parallel()
	s := clearsign(t)
	t.Run("a second name", func(t *testing.T) {
		t.Parallel()
		dir, asked := newFiles(t), 0
		path := dir.write("a.sh", []byte(sloppy))
		if err := os.Link(path, dir.path("other.sh")); err != nil {
			t.Fatal(err)
		}
		var input *signer.InputError
		if _, err := signer.SignFile(t.Context(), path, normalizing(s, nil, &asked)); !errors.As(err, &input) || asked != 0 {
			t.Errorf("%v, asked %d times", err, asked)
		}
		if len(dir.names()) != 2 || string(dir.read("a.sh")) != sloppy {
			t.Errorf("files %v", dir.names())
		}
	})
	t.Run("it changes while the user thinks", func(t *testing.T) {
		t.Parallel()
		dir := newFiles(t)
		path := dir.write("a.sh", []byte(sloppy))
		o := s.Options
		o.Confirm = func(context.Context, string, *signer.Normalized) error {
			dir.write("a.sh", []byte("rm -rf x \n"))
			return nil
		}
		var changed *signer.ChangedError
		if _, err := signer.SignFile(t.Context(), path, o); !errors.As(err, &changed) {
			t.Error(err)
		}
		if len(dir.names()) != 1 || string(dir.read("a.sh")) != "rm -rf x \n" {
			t.Errorf("files %v, text %q", dir.names(), dir.read("a.sh"))
		}
	})
}
