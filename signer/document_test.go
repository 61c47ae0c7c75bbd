package signer_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

func TestATextThatLiesInNoFileIsSigned(t *testing.T) {
	t.Parallel()
	s := clearsign(t)
	dir := newFiles(t)
	path := dir.path("list.txt.asc")
	text := func(content string) *runbook.Runbook { return must(runbook.Parse("list.txt", []byte(content))) }
	outcome, err := signer.SignDocument(t.Context(), path, text("a\n"), s.Options)
	if err != nil || outcome != (signer.Outcome{Path: path}) {
		t.Fatalf("%+v, %v", outcome, err)
	}
	verified := func() string {
		v, err := s.Verify(t.Context(), must(runbook.ReadFile(path, false)))
		if err != nil {
			t.Fatal(err)
		}
		return string(v.Payload)
	}
	if got := verified(); got != "a\n" {
		t.Errorf("the payload is %q", got)
	}
	if mode := must(os.Stat(path)).Mode().Perm(); mode != 0o644 {
		t.Errorf("mode %v", mode)
	}
	before := dir.read("list.txt.asc")
	if again, err := signer.SignDocument(t.Context(), path, text("a\n"), s.Options); err != nil || !again.Unchanged || string(dir.read("list.txt.asc")) != string(before) {
		t.Errorf("the second time: %+v, %v", again, err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if again, err := signer.SignDocument(t.Context(), path, text("b\n"), s.Options); err != nil || again.Unchanged || verified() != "b\n" {
		t.Errorf("another text: %+v, %v", again, err)
	}
	if mode := must(os.Stat(path)).Mode().Perm(); mode != 0o640 {
		t.Errorf("what was replaced had another mode: %v", mode)
	}
	if names := dir.names(); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

func TestATextThatCannotBeSignedSafelyChangesNothing(t *testing.T) {
	t.Parallel()
	s := clearsign(t)
	rb := must(runbook.Parse("list.txt", []byte("a\n")))
	bad := must(runbook.Parse("list.txt", []byte("trailing \n")))
	no := errors.New("no")
	refuse := func(context.Context, *runbook.Runbook) (*signer.Verification, error) { return nil, no }
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		there  string // what is in the place of the document
		rb     *runbook.Runbook
		name   string
		change func(*signer.Options)
		ctx    context.Context //nolint:containedctx // of one case
	}{
		"what is there is something else": {"mine\n", rb, "list.txt.asc", nil, nil},
		"it does not verify":              {"", rb, "list.txt.asc", func(o *signer.Options) { o.Verify = refuse }, nil},
		"blanks that get lost":            {"", bad, "list.txt.asc", nil, nil},
		"another name":                    {"", rb, "other.asc", nil, nil},
		"its own name":                    {"", rb, "list.txt", nil, nil},
		"no key":                          {"", rb, "list.txt.asc", func(o *signer.Options) { o.Key = nil }, nil},
		"no verifier":                     {"", rb, "list.txt.asc", func(o *signer.Options) { o.Verify = nil }, nil},
		"no text":                         {"", nil, "list.txt.asc", nil, nil},
		"the context has ended":           {"", rb, "list.txt.asc", nil, ended},
	} {
		dir, o, ctx := newFiles(t), s.Options, t.Context()
		if c.there != "" {
			dir.write(c.name, []byte(c.there))
		}
		if c.change != nil {
			c.change(&o)
		}
		if c.ctx != nil {
			ctx = c.ctx
		}
		outcome, err := signer.SignDocument(ctx, dir.path(c.name), c.rb, o)
		if err == nil {
			t.Errorf("%s: %+v", name, outcome)
		}
		if names := dir.names(); len(names) != 0 && c.there == "" || c.there != "" && string(dir.read(c.name)) != c.there {
			t.Errorf("%s: the folder has %v", name, names)
		}
	}
	dir := newFiles(t)
	target := dir.write("elsewhere", []byte("mine\n"))
	if err := os.Symlink(target, dir.path("list.txt.asc")); err != nil {
		t.Fatal(err)
	}
	if _, err := signer.SignDocument(t.Context(), dir.path("list.txt.asc"), rb, s.Options); !errors.Is(err, runbook.ErrNotRegular) {
		t.Errorf("a link: %v", err)
	}
	if _, err := signer.SignDocument(t.Context(), dir.path("none/list.txt.asc"), rb, s.Options); err == nil {
		t.Error("a folder that is not there")
	}
}
