package approvals_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/approvals"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/verifier"
)

// TestAttackNameThatNoDecisionTakes: whoever may deliver a statement can name it as
// he likes, and such a name would have made every question about the runbook
// invalid.
func TestAttackNameThatNoDecisionTakes(t *testing.T) {
	t.Parallel()
	key, v := bob(t)
	good := approved(t, key, "good", nil)
	files := []approvals.File{good}
	odd := []string{"a\nb", "a\x1bb", "a\xffb", "a\u202eb", "a\u2028b", "a\u200bb", "a\u00a0b", "a\ufffdb"}
	for _, name := range odd {
		files = append(files, approvals.File{Name: name + ".statement.asc", Data: good.Data})
	}
	found, notes := facts(t, approvals.FromFiles(files), v)
	if len(found) != 1 || found[0].File != good.Name {
		t.Errorf("%+v", found)
	}
	for _, name := range odd {
		if !strings.Contains(notes, fmt.Sprintf("%q is left out", name+".statement.asc")) {
			t.Errorf("%q is not named: %s", name, notes)
		}
	}
	if strings.ContainsAny(notes, "\x1b\u202e") {
		t.Errorf("the notes show what hides: %q", notes)
	}
}

// TestAttackSignatureForAnotherKind: one that GnuPG made, with a claim of the kind and
// none of the name.
func TestAttackSignatureForAnotherKind(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{"": "valid", "statement": "valid", "bash": verifier.CodeContradicts, "manifest": verifier.CodeContradicts} {
		s := approvals.Signed{File: approvals.File{Name: "x.statement.asc"}, Report: &verifier.Report{Signatures: []verifier.Signature{
			{Verdict: verifier.Valid, Claims: &verifier.Claims{Kind: kind}, Signer: verifier.Identity{IDs: []string{"openpgp:A"}}},
		}}}
		if got := s.Signatures()[0].Verdict; got != want || s.SignedBy("openpgp:A") != (want == "valid") {
			t.Errorf("kind %q: %s", kind, got)
		}
	}
}

// TestAttackFloodOfLargeFiles: they neither fill the memory nor keep what is of the
// size of a statement from counting.
func TestAttackFloodOfLargeFiles(t *testing.T) {
	t.Parallel()
	key, v := bob(t)
	dir := filepath.Join(t.TempDir(), "approvals")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	good := approved(t, key, "zzz", nil)
	write(t, filepath.Join(dir, good.Name), good.Data)
	const fit = approvals.MaxTotal/approvals.MaxSize - 1 // beside the good one
	for i := range fit + 3 {
		path := filepath.Join(dir, fmt.Sprintf("a%03d.statement.asc", i))
		write(t, path, nil)
		if err := os.Truncate(path, approvals.MaxSize); err != nil { // takes no room on the disk
			t.Fatal(err)
		}
	}
	f, err := approvals.Read(dir, approvals.Options{Guarded: true})
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(strings.Join(f.Notes(), "\n"), "the smaller ones have 67108864 bytes already"); n != 3 {
		t.Errorf("%d are left out: %.300s", n, f.Notes())
	}
	found, _, err := f.For(t.Context(), v, nil, report(), []policy.Argument{{Value: "blue"}})
	if err != nil || len(found) != 1 || found[0].Verdict != "valid" {
		t.Errorf("%+v, %v", found, err)
	}
}
