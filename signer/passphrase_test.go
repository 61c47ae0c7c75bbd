package signer_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runwrit/writ/signer"
)

func TestPassphraseFromFileTakesTheFirstLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ data, want string }{
		"no line end":      {"word", "word"},
		"unix line end":    {"word\n", "word"},
		"windows line end": {"word\r\n", "word"},
		"blanks belong":    {" word \nmore\n", " word "},
		"empty":            {"", ""},
		"longest":          {strings.Repeat("x", 4096) + "\n", strings.Repeat("x", 4096)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := signer.PassphraseFromFile(newFiles(t).write("p", []byte(c.data)))(t.Context(), "key")
			if err != nil || string(got) != c.want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestPassphraseFromFileRefuses(t *testing.T) {
	t.Parallel()
	dir := newFiles(t)
	for _, path := range []string{dir.path("missing"), dir.dir, dir.write("long", bytes.Repeat([]byte("x"), 4098)), dir.write("zero", make([]byte, 1<<20))} {
		if got, err := signer.PassphraseFromFile(path)(t.Context(), "key"); err == nil {
			t.Errorf("%s: got %d bytes", filepath.Base(path), len(got))
		}
	}
}

func TestPassphraseFromEnvNeedsTheVariable(t *testing.T) {
	t.Setenv("WRIT_TEST_PASSPHRASE", "word")
	if got, err := signer.PassphraseFromEnv("WRIT_TEST_PASSPHRASE")(t.Context(), "key"); err != nil || string(got) != "word" {
		t.Errorf("got %q, %v", got, err)
	}
	_, err := signer.PassphraseFromEnv("WRIT_TEST_NOT_SET")(t.Context(), "key")
	if err == nil || !strings.Contains(err.Error(), `"WRIT_TEST_NOT_SET" is not set`) {
		t.Error(err)
	}
}

func TestPassphraseFromTerminalNeedsATerminal(t *testing.T) {
	t.Parallel()
	path := newFiles(t).write("none", []byte("word\n"))
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var prompt bytes.Buffer
	_, err = signer.PassphraseFromTerminal(f, &prompt)(t.Context(), "key")
	if err == nil || !strings.Contains(err.Error(), "--passphrase-file FILE or --passphrase-env NAME") {
		t.Error(err)
	}
	if prompt.Len() > 0 {
		t.Errorf("asked %q", prompt.String())
	}
}
