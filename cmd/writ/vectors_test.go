package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/verifier"
	"github.com/runwrit/writ/worker"
)

// call runs one command line in process.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	a := newApp()
	a.stage = worker.Enter(os.Exit)
	a.stdin, a.stdout, a.stderr, a.progress = strings.NewReader(""), &out, &errs, false
	code = execute(t.Context(), a, args)
	return code, out.String(), errs.String()
}

// verdicts is the part of the JSON document that these tests read.
type verdicts struct {
	Files []struct {
		Path    string `json:"path"`
		Verdict string `json:"verdict"`
		Payload string `json:"payload_sha256"`
	} `json:"files"`
}

// plain fails for output that could deceive the reader of a terminal.
func plain(t *testing.T, what, text string) {
	t.Helper()
	for _, r := range strings.ReplaceAll(text, "\n", "") {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			t.Errorf("%s lets %U through", what, r)
			return
		}
	}
}

// Every hostile file gets 0 or 1 and never 3, the same code for each output
// format, clean output, and a payload only where it is valid.
func TestNoVectorConfusesTheProgram(t *testing.T) {
	t.Parallel()
	pgp, auth := testenv.Shared(t, "vectors/openpgp"), testenv.Shared(t, "vectors/authenticode")
	trust := []string{
		"--keyring", filepath.Join(pgp, "keys", "trusted-gpg.pgp"), "--keyring", filepath.Join(pgp, "keys", "trusted-go.pgp"),
		"--ca", filepath.Join(auth, "ca.pem"), "--at", testenv.VectorTime().Format("2006-01-02T15:04:05Z"),
	}
	for _, dir := range []string{filepath.Join(pgp, "cases"), filepath.Join(auth, "layout"), filepath.Join(auth, "cms")} {
		t.Run(filepath.Base(filepath.Dir(dir))+" "+filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			files := filesIn(t, dir)
			code, out, errs := call(t, append(append([]string{"verify", "-o", "json"}, trust...), files...)...)
			plain(t, "json", out+errs)
			var doc verdicts
			if err := json.Unmarshal([]byte(out), &doc); err != nil {
				t.Fatal(err)
			}
			if code != exitNo || len(doc.Files) != len(files) {
				t.Errorf("all together: exit code %d, %d of %d files", code, len(doc.Files), len(files))
			}
			for i, f := range doc.Files {
				name := filepath.Base(files[i])
				payload := filepath.Join(t.TempDir(), "payload")
				code, out, errs := call(t, append(append([]string{"verify", "--payload", payload}, trust...), files[i])...)
				plain(t, name, out+errs)
				_, err := os.Stat(payload)
				valid := f.Verdict == verifier.Valid.String()
				if valid != (code == exitYes) || !valid && code != exitNo || valid != (err == nil) || valid != (f.Payload != "") {
					t.Errorf("%s is %s: exit code %d, payload written: %v, digest %q", name, f.Verdict, code, err == nil, f.Payload)
				}
				again, out, errs := call(t, append(append([]string{"inspect"}, trust...), files[i])...)
				plain(t, "inspect "+name, out+errs)
				if again != code {
					t.Errorf("%s: verify says %d, inspect %d", name, code, again)
				}
				if blind, out, errs := call(t, "inspect", "-o", "json", files[i]); blind != exitNo {
					t.Errorf("%s: inspect without trust says %d", name, blind)
				} else {
					plain(t, "inspect without trust "+name, out+errs)
				}
			}
		})
	}
}

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && filepath.Ext(path) != ".want" {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	return files
}
