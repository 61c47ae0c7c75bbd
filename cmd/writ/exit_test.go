package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

func TestExitCode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		err         error
		want, ofRun int
	}{
		{"no error is yes", nil, 0, 0},
		{"an error that nobody knows is no answer", errors.New("x"), 3, 125},
		{"a usage error", usagef("x"), 2, 125},
		{"a refusal", no("x"), 1, 125},
		{"a wrapped refusal", fmt.Errorf("y: %w", no("x")), 1, 125},
		{"an error of the machine", noAnswer(fs.ErrPermission), 3, 125},
		{"a trust store that cannot be used", &verifier.TrustError{Path: "x", Err: fs.ErrNotExist}, 3, 125},
		{"a key that is none", &signer.KeyError{Source: "x", Msg: "y"}, 2, 125},
		{"a key whose keeper does not answer", fmt.Errorf("sign: %w", &signer.UnavailableError{Key: &signer.KeyError{Source: "x", Msg: "y"}}), 3, 125},
		{"a runbook that cannot be signed", &signer.InputError{Name: "x", Msg: "y"}, 1, 125},
		{"a runbook that is too large", &runbook.SizeError{Name: "x"}, 1, 125},
		{"a name that no runbook may have", runbook.ErrName, 1, 125},
		{"a runbook that ended with 3", childError(3), 3, 3},
		{"a denial", &exitError{code: 126, err: errors.New("x")}, 126, 126},
		{"a runbook that is missing", &exitError{code: 127, err: errors.New("x")}, 127, 127},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, child := c.err.(childError); !child { //nolint:errorlint // the table holds it unwrapped
				if got := exitCode(c.err); got != c.want {
					t.Errorf("exit code %d, want %d", got, c.want)
				}
			}
			if got := runExitCode(c.err); got != c.ofRun {
				t.Errorf("exit code of run %d, want %d", got, c.ofRun)
			}
		})
	}
}

func TestPrintErrorWritesOneErrorLineThenHints(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	printError(&b, no("a\nerror: b\x1b[0m").hint("c\nd"))
	if want := "error: a\\nerror: b\\x1b[0m\nhint: c\\nd\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
	b.Reset()
	printError(&b, childError(4))
	if b.Len() > 0 {
		t.Errorf("the runbook's own exit code is commented: %q", b.String())
	}
}
