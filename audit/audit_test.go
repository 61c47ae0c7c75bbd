package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// seal is a signature format for these tests: "SEAL <verdict>\n" and the
// payload. It lets a test choose verdicts; the real formats are tested with the
// program as a whole.
type seal struct{}

func (seal) Name() string { return "seal" }

func (seal) Load(*verifier.TrustStore) (verifier.Checker, error) { return seal{}, nil }

func (seal) Check(_ context.Context, rb *runbook.Runbook, _ time.Time) verifier.Outcome {
	head, payload, _ := bytes.Cut(rb.Bytes(), []byte("\n"))
	word, sealed := strings.CutPrefix(string(head), "SEAL ")
	if !sealed {
		return verifier.Outcome{}
	}
	check := verifier.Failed(verifier.CheckContentDigest, "other content")
	if word == "valid" {
		check = verifier.Passed(verifier.CheckContentDigest, "same content")
	}
	return verifier.Outcome{
		Claimed: true, Verdict: verifier.Valid, Payload: payload,
		Signatures: []verifier.Signature{{Format: "seal", Checks: []verifier.Check{check}}},
	}
}

func newVerifier(t *testing.T) *verifier.Verifier {
	t.Helper()
	trust, err := verifier.NewTrust(verifier.TrustFile{Room: verifier.RoomX509CA, Name: "a", Data: []byte("a")})
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{seal{}}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func library(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func run(t *testing.T, o audit.Options, roots ...string) *audit.Result {
	t.Helper()
	o.Verifier = newVerifier(t)
	r, err := audit.Run(t.Context(), roots, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// lines is a result in short, with paths below dir.
func lines(r *audit.Result, dir string) []string {
	below := func(path string) string {
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return path
		}
		return filepath.ToSlash(rel)
	}
	var out []string
	for _, e := range r.Entries {
		line := e.Report.Verdict.String() + " " + below(e.Path)
		for _, f := range e.Report.Findings {
			line += " " + f.Code
		}
		out = append(out, line)
	}
	for _, s := range r.Sources {
		out = append(out, "source "+below(s.Path)+" of "+below(s.SignedAs))
	}
	for _, s := range r.Skipped {
		out = append(out, "skipped "+below(s.Path)+": "+s.Reason)
	}
	for _, p := range r.Problems {
		out = append(out, "problem "+below(p.Path))
	}
	return out
}

func TestRunClassifiesALibraryWorstFirst(t *testing.T) {
	t.Parallel()
	dir := library(t, map[string]string{
		"good.ps1":              "SEAL valid\nGet-Date\n",
		"sub/bad.sh":            "SEAL broken\n",
		"plain.py":              "print(1)\n",
		"covered.sh":            "echo 1\n",
		"covered.sh.asc":        "SEAL valid\necho 1\n",
		"edited.sh":             "echo 2\n",
		"edited.sh.asc":         "SEAL valid\necho 1\n",
		"doubtful.sh":           "echo 1\n",
		"doubtful.sh.asc":       "SEAL broken\necho 1\n",
		"README.md":             "no runbook\n",
		"key.asc":               "-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
		"note.asc":              "anything else\n",
		"signed-text":           "-----BEGIN PGP SIGNED MESSAGE-----\n",
		"signed-after-blank":    "\xef\xbb\xbf\r\n-----BEGIN PGP SIGNED MESSAGE-----\n",
		".git/hooks/pre-commit": "SEAL broken\n",
		"big.sh":                strings.Repeat("x", runbook.MaxSize+1),
	})
	if err := os.Symlink("good.ps1", filepath.Join(dir, "link.ps1")); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"tampered doubtful.sh.asc",
		"tampered sub/bad.sh",
		"unsupported big.sh too-large",
		"unsupported note.asc file-type",
		"unsupported signed-after-blank file-type",
		"unsupported signed-text file-type",
		"unsigned doubtful.sh signed-copy-not-valid",
		"unsigned edited.sh signed-copy-differs",
		"unsigned plain.py",
		"valid covered.sh.asc",
		"valid edited.sh.asc",
		"valid good.ps1",
		"source covered.sh of covered.sh.asc",
		"skipped .git: git's own folder",
		"skipped key.asc: an OpenPGP key, no runbook",
		"skipped link.ps1: a symbolic link, not followed",
	}
	for _, workers := range []int{1, 8} {
		r := run(t, audit.Options{Workers: workers}, dir)
		if diff := cmp.Diff(want, lines(r, dir)); diff != "" {
			t.Errorf("with %d workers, -want +got:\n%s", workers, diff)
		}
		if r.AllValid() {
			t.Error("a library with bad files is all valid")
		}
	}
}

func TestAnEmptyWalkIsNotAllValid(t *testing.T) {
	t.Parallel()
	if r := run(t, audit.Options{}, library(t, map[string]string{"README.md": "x"})); r.AllValid() || len(r.Entries) != 0 {
		t.Errorf("%v", lines(r, ""))
	}
	if (&audit.Result{}).AllValid() {
		t.Error("the zero Result is all valid")
	}
}

func TestWhatCannotBeReadIsAProblemAndNotAVerdict(t *testing.T) {
	t.Parallel()
	dir := library(t, map[string]string{"good.ps1": "SEAL valid\n"})
	r := run(t, audit.Options{}, dir, filepath.Join(dir, "missing"))
	if diff := cmp.Diff([]string{"valid good.ps1", "problem missing"}, lines(r, dir)); diff != "" {
		t.Error(diff)
	}
	if r.AllValid() {
		t.Error("all valid, though something was not read")
	}
}

func TestARootIsAuditedOnceAndWhateverItsType(t *testing.T) {
	t.Parallel()
	dir := library(t, map[string]string{"good.ps1": "SEAL valid\n", "odd.txt": "x"})
	r := run(t, audit.Options{}, dir, dir+"/.", filepath.Join(dir, "good.ps1"), filepath.Join(dir, "odd.txt"))
	if diff := cmp.Diff([]string{"unsupported odd.txt file-type", "valid good.ps1"}, lines(r, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestALinkToAFolderIsWalkedOnlyIfItIsNamed(t *testing.T) {
	t.Parallel()
	dir := library(t, map[string]string{"real/good.ps1": "SEAL valid\n", "other/x.md": ""})
	link := filepath.Join(dir, "other", "link")
	if err := os.Symlink("../real", link); err != nil {
		t.Fatal(err)
	}
	if r := run(t, audit.Options{}, filepath.Join(dir, "other")); len(r.Entries) != 0 || len(r.Skipped) != 1 {
		t.Errorf("not named: %v", lines(r, dir))
	}
	if r := run(t, audit.Options{}, link); len(r.Entries) != 1 {
		t.Errorf("named: %v", lines(r, dir))
	}
}

func TestANameThatNoRunbookMayHaveIsUnsupported(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a\x1b[2J\n.sh"), []byte("SEAL valid\n"), 0o600); err != nil {
		t.Skipf("skipped: this file system does not take the name: %v", err)
	}
	r := run(t, audit.Options{}, dir)
	if len(r.Entries) != 1 || r.Entries[0].Report.Verdict != verifier.Unsupported || r.AllValid() {
		t.Errorf("%v", lines(r, dir))
	}
}

func TestProgressCountsEveryFile(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for n := range 50 {
		files[fmt.Sprintf("%d.sh", n)] = "SEAL valid\n"
	}
	var last, calls int
	run(t, audit.Options{Workers: 4, Progress: func(done, found int) {
		calls++
		if done != last+1 {
			t.Errorf("done went from %d to %d (found %d)", last, done, found)
		}
		last = done
	}}, library(t, files))
	if calls != 50 {
		t.Errorf("%d calls", calls)
	}
}

func TestAnAuditEndsWithItsContext(t *testing.T) {
	t.Parallel()
	dir := library(t, map[string]string{"a.sh": "", "b.sh": ""})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := audit.Run(ctx, []string{dir}, audit.Options{Verifier: newVerifier(t)}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestAnAuditNeedsAVerifier(t *testing.T) {
	t.Parallel()
	if _, err := audit.Run(t.Context(), []string{t.TempDir()}, audit.Options{}); err == nil {
		t.Error("no error")
	}
}

// A detached signature is judged with its runbook and is no runbook of its own;
// without one beside it, it is reported.
func TestADetachedSignatureIsNoEntryOfItsOwn(t *testing.T) {
	t.Parallel()
	dir := library(t, map[string]string{
		"a.sh": "echo\n", "a.sh.asc": "-----BEGIN PGP SIGNATURE-----\n",
		"sub/b.sh": "echo\n", "sub/b.sh.sig": "signature",
		"orphan.sh.asc": "-----BEGIN PGP SIGNATURE-----\n", "sub/a.sh.asc": "of a file in another folder",
		"c.sh": "echo\n", "c.sh.asc": "SEAL bad\nsomething worse than a signature",
	})
	var got []string
	for _, e := range run(t, audit.Options{}, dir).Entries {
		rel, err := filepath.Rel(dir, e.Path)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, filepath.ToSlash(rel))
	}
	want := []string{"c.sh.asc", "a.sh", "c.sh", "orphan.sh.asc", "sub/a.sh.asc", "sub/b.sh"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}
