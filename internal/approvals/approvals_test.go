package approvals_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/approvals"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/statement"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// bob is a key, and a verifier of statements that trusts it.
func bob(t testing.TB) (*signer.Key, *verifier.Verifier) {
	t.Helper()
	entity, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "Bob", Created: testenv.VectorTime().AddDate(0, -1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	key, err := signer.NewOpenPGPKey("bob", entity)
	if err != nil {
		t.Fatal(err)
	}
	anchor, err := key.Anchor()
	if err != nil {
		t.Fatal(err)
	}
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "s", Room: verifier.RoomOpenPGP, Name: "bob.asc", Data: anchor})
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{format.NewStatement()}, Now: testenv.VectorTime})
	if err != nil {
		t.Fatal(err)
	}
	return key, v
}

// report is that of the runbook that is asked about.
func report() *verifier.Report {
	return &verifier.Report{Name: "deploy.sh.asc", File: runbook.DigestOf([]byte("deploy"))}
}

func approved(t testing.TB, key *signer.Key, name string, edit func(*statement.Approval)) approvals.File {
	t.Helper()
	salt, now := statement.NewNonce(), testenv.VectorTime()
	d := &statement.Approval{
		Subject: statement.Subject{
			Type: statement.TypeApproval, Runbook: "deploy.sh", SHA256: report().File, WorkerGroup: "prod",
			NotBefore: statement.At(now), Expires: statement.At(now.Add(time.Hour)),
		},
		Parameters: statement.Parameters{Salt: salt, Digest: statement.ParametersDigest(salt, map[string]string{"1": "blue"})},
	}
	if edit != nil {
		edit(d)
	}
	text, err := statement.Render(d)
	if err != nil {
		t.Fatal(err)
	}
	signed, file, err := (&format.Statement{Now: testenv.VectorTime}).Sign(t.Context(), name+".statement", text, key)
	if err != nil {
		t.Fatal(err)
	}
	return approvals.File{Name: file, Data: signed}
}

var blue = []policy.Argument{{Value: "blue"}}

func facts(t testing.TB, f *approvals.Folder, v *verifier.Verifier) ([]policy.Approval, string) {
	t.Helper()
	found, notes, err := f.For(t.Context(), v, nil, report(), blue)
	if err != nil {
		t.Fatal(err)
	}
	return found, strings.Join(append(f.Notes(), notes...), "\n")
}

func TestAStatementBecomesFacts(t *testing.T) {
	t.Parallel()
	key, v := bob(t)
	list := runbook.DigestOf([]byte("list"))
	f := approvals.FromFiles([]approvals.File{
		approved(t, key, "a", func(d *statement.Approval) {
			d.Manifest, d.Requester, d.Reason = list, "os:alice", "change"
		}),
		approved(t, key, "b", func(d *statement.Approval) { d.Runbook = "other.sh" }),
		approved(t, key, "c", func(d *statement.Approval) { d.Salt = statement.NewNonce() }),
	})
	found, notes := facts(t, f, v)
	if len(found) != 2 || notes != "" {
		t.Fatalf("%d facts, notes %q", len(found), notes)
	}
	a, now := found[0], testenv.VectorTime()
	if a.Type != policy.TypeApproval || a.Verdict != "valid" || a.File != "a.statement.asc" || a.Runbook != "deploy.sh" || a.RunbookSHA256 != report().File ||
		a.ManifestSHA256 != list || !a.ParametersMatch || a.WorkerGroup != "prod" || a.Requester != "os:alice" || a.Reason != "change" ||
		a.NotBeforeNS != now.UnixNano() || a.ExpiresNS != now.Add(time.Hour).UnixNano() {
		t.Errorf("%+v", a)
	}
	if s := a.Signatures; len(s) != 1 || s[0].Verdict != "valid" || len(s[0].IDs) != 1 || s[0].IDs[0] != key.ID() {
		t.Errorf("%+v", s)
	}
	if found[1].ParametersMatch {
		t.Error("another salt, and the parameters match")
	}
}

// What is broken is a fact of which nothing is believed, and stops nothing.
func TestABrokenStatementIsNamedAndStopsNoOther(t *testing.T) {
	t.Parallel()
	key, v := bob(t)
	stranger, _ := bob(t)
	good := approved(t, key, "good", nil)
	changed := approved(t, key, "changed", nil)
	changed.Data = []byte(strings.Replace(string(changed.Data), `"prod"`, `"test"`, 1))
	renamed := approved(t, key, "renamed", nil)
	renamed.Name = "other.statement.asc"
	f := approvals.FromFiles([]approvals.File{changed, approved(t, stranger, "stranger", nil), renamed, good})
	found, notes := facts(t, f, v)
	if len(found) != 4 || found[0].File != "other.statement.asc" && found[0].File != "good.statement.asc" {
		t.Fatalf("%+v", found)
	}
	for _, a := range found {
		switch a.File {
		case "good.statement.asc":
			if a.Verdict != "valid" || a.Signatures[0].Verdict != "valid" {
				t.Errorf("%+v", a)
			}
		case "other.statement.asc":
			if a.Signatures[0].Verdict != verifier.CodeContradicts {
				t.Errorf("renamed, and counts: %+v", a)
			}
		default:
			if a.Verdict == "valid" || len(a.Signatures) > 0 || a.WorkerGroup != "" || a.Type != "" {
				t.Errorf("something of it is believed: %+v", a)
			}
		}
	}
	if !strings.Contains(notes, `"changed.statement.asc" does not count: it is tampered`) || !strings.Contains(notes, `"stranger.statement.asc" does not count: it is untrusted`) {
		t.Errorf("notes: %s", notes)
	}
}

func TestOfVeryManyStatementsTheBestAreLookedAt(t *testing.T) {
	t.Parallel()
	key, v := bob(t)
	var files []approvals.File
	old := approved(t, key, "old", func(d *statement.Approval) { d.SHA256 = runbook.DigestOf([]byte("old")) })
	for range policy.MaxApprovals {
		files = append(files, old)
	}
	found, notes := facts(t, approvals.FromFiles(append(files, approved(t, key, "new", nil))), v)
	if len(found) != policy.MaxApprovals || found[0].File != "new.statement.asc" || !strings.Contains(notes, "1 statements about") {
		t.Errorf("%d, %q: %s", len(found), found[0].File, notes)
	}
}

// A folder full of statements costs no more than some of them.
func TestNotEveryStatementIsVerified(t *testing.T) {
	t.Parallel()
	key, v := bob(t)
	old := approved(t, key, "old", func(d *statement.Approval) { d.SHA256 = runbook.DigestOf([]byte("old")) })
	old.Data = old.Data[:len(old.Data)/2] // broken, and so found out about at once
	var files []approvals.File
	for range 300 {
		files = append(files, old)
	}
	found, notes := facts(t, approvals.FromFiles(append(files, approved(t, key, "new", nil))), v)
	if found[0].File != "new.statement.asc" || found[0].Verdict != "valid" || !strings.Contains(notes, "45 statements about") {
		t.Errorf("%+v: %s", found[0], notes)
	}
}

func TestNoFolderHasNoStatements(t *testing.T) {
	t.Parallel()
	var none *approvals.Folder
	if found, notes := facts(t, none, nil); len(found) != 0 || notes != "" {
		t.Errorf("%v, %q", found, notes)
	}
	if len(approvals.Join(nil, none).Notes()) != 0 {
		t.Error("nothing has notes")
	}
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestWhatIsNoStatementIsLeftOut: and does not keep others from counting.
func TestWhatIsNoStatementIsLeftOut(t *testing.T) {
	t.Parallel()
	key, v := bob(t)
	dir := filepath.Join(t.TempDir(), "approvals")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	good := approved(t, key, "good", nil)
	write(t, filepath.Join(dir, good.Name), good.Data)
	write(t, filepath.Join(dir, "notes.txt"), []byte("x"))
	write(t, filepath.Join(dir, "huge.statement"), make([]byte, approvals.MaxSize+1))
	write(t, filepath.Join(dir, "README.md"), []byte("x"))
	write(t, filepath.Join(dir, ".hidden"), []byte("x"))
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "dir.statement"), 0o700), os.Symlink(good.Name, filepath.Join(dir, "link.statement.asc"))); err != nil {
		t.Fatal(err)
	}
	f, err := approvals.Read(dir, approvals.Options{Guarded: true})
	if err != nil {
		t.Fatal(err)
	}
	found, notes := facts(t, approvals.Join(f, nil), v)
	if len(found) != 1 || found[0].Verdict != "valid" {
		t.Errorf("%+v", found)
	}
	for _, want := range []string{"notes.txt", "huge.statement", "dir.statement", "link.statement.asc"} {
		if !strings.Contains(notes, `"`+want+`" is left out`) {
			t.Errorf("%s is not named: %s", want, notes)
		}
	}
	if n := strings.Count(notes, "\n") + 1; n != 4 {
		t.Errorf("%d notes: %s", n, notes)
	}
}

func TestAFolderThatCannotBeReliedOnIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), nil)
	open, full := filepath.Join(dir, "open"), filepath.Join(dir, "full")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o777), os.Mkdir(full, 0o700)); err != nil {
		t.Fatal(err)
	}
	for i := range approvals.MaxFiles + 1 {
		write(t, filepath.Join(full, fmt.Sprint(i)), nil)
	}
	for name, path := range map[string]string{"a file": filepath.Join(dir, "file"), "nothing": filepath.Join(dir, "none"), "others may write it": open, "too many files": full} {
		_, err := approvals.Read(path, approvals.Options{Guarded: true})
		var bad *approvals.FolderError
		if !errors.As(err, &bad) || bad.Path != path || bad.Unwrap() == nil || bad.Error() == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := approvals.Read(open, approvals.Options{}); err != nil {
		t.Errorf("only to explain: %v", err)
	}
	if err := os.Chmod(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := approvals.Read(open, approvals.Options{Guarded: true}); err == nil || !strings.Contains(err.Error(), "others may rename") {
		t.Errorf("others may put another in its place: %v", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "x.statement"), nil)
	if err := os.Chmod(filepath.Join(dir, "x.statement"), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := approvals.Read(dir, approvals.Options{Guarded: true})
	if err != nil || !strings.Contains(strings.Join(f.Notes(), "\n"), `"x.statement" is left out of the statements: others may write it`) {
		t.Errorf("%v, %v", f.Notes(), err)
	}
}

func TestATicketIsReadForOneRun(t *testing.T) {
	t.Parallel()
	key, v := bob(t)
	salt, now := statement.NewNonce(), testenv.VectorTime()
	text, err := statement.Render(&statement.Ticket{
		Subject: statement.Subject{
			Type: statement.TypeTicket, Runbook: "deploy.sh", SHA256: report().File, Manifest: runbook.DigestOf([]byte("list")),
			NotBefore: statement.At(now), Expires: statement.At(now.Add(time.Hour)),
		},
		Parameters: statement.Parameters{Salt: salt, Digest: statement.ParametersDigest(salt, map[string]string{"1": "blue"})},
		WorkerID:   "w1", Nonce: salt, Job: statement.Job{ID: "4711", Scheduled: statement.At(now)},
		Caller: statement.Caller{Kind: "user", ID: "os:alice", Groups: []string{"os-group:wheel"}, Roles: []string{"r"}, GroupsComplete: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	signed, file, err := (&format.Statement{Now: testenv.VectorTime}).Sign(t.Context(), "t.statement", text, key)
	if err != nil {
		t.Fatal(err)
	}
	open := func(name string, data []byte) *approvals.Signed {
		s, err := approvals.Open(t.Context(), v, approvals.File{Name: name, Data: data})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	r := open(file, signed).Ticket([]string{"openpgp:0", key.ID()}, blue)
	f := r.Facts
	if f.Verdict != "valid" || f.Issuer != key.ID() || f.RunbookSHA256 != report().File || f.ManifestSHA256.IsZero() || !f.ParametersMatch || f.WorkerID != "w1" || f.Nonce != salt || f.Used {
		t.Errorf("%+v", f)
	}
	if c := r.Caller; c.ID != "os:alice" || c.Groups[0] != "os-group:wheel" || c.Roles[0] != "r" || !c.GroupsComplete {
		t.Errorf("%+v", c)
	}
	if len(r.Job) != 2 || r.Job["id"] != "4711" || r.Job["scheduled"] != "2026-11-22T12:00:00Z" {
		t.Errorf("%v", r.Job)
	}
	if r := open(file, signed).Ticket([]string{"openpgp:0"}, nil); r.Facts.Issuer != "" || r.Facts.ParametersMatch {
		t.Errorf("%+v", r.Facts)
	}
	if r := open("other.statement.asc", signed).Ticket([]string{key.ID()}, blue); r.Facts.Issuer != "" {
		t.Errorf("renamed: %+v", r.Facts)
	}
	approval := approved(t, key, "a", nil)
	if r := open(approval.Name, approval.Data).Ticket([]string{key.ID()}, blue); r.Facts.Verdict != "wrong-purpose" || r.Facts.Issuer != "" {
		t.Errorf("an approval: %+v", r.Facts)
	}
	if r := open("x.sh", []byte("echo\n")).Ticket([]string{key.ID()}, blue); r.Facts.Verdict == "valid" || r.Facts.Nonce != "" {
		t.Errorf("a script: %+v", r.Facts)
	}
	// A ticket among the approvals counts for nothing.
	found, notes := facts(t, approvals.FromFiles([]approvals.File{{Name: file, Data: signed}}), v)
	if len(found) != 0 || !strings.Contains(notes, "writ.ticket/v1, and does not belong here") {
		t.Errorf("%+v, %s", found, notes)
	}
}

func TestBreakGlassStatementsBecomeFactsWithTheirUses(t *testing.T) {
	t.Parallel()
	key, v := bob(t)
	now := testenv.VectorTime()
	text, err := statement.Render(&statement.BreakGlass{
		Subject: statement.Subject{Type: statement.TypeBreakGlass, WorkerGroup: "prod", Reason: "the site is down", NotBefore: statement.At(now), Expires: statement.At(now.Add(time.Hour))},
		Path:    "/srv/**", Requester: "os:alice", Nonce: "00112233445566778899aabbccddeeff",
	})
	if err != nil {
		t.Fatal(err)
	}
	signed, file, err := (&format.Statement{Now: testenv.VectorTime}).Sign(t.Context(), "g.statement", text, key)
	if err != nil {
		t.Fatal(err)
	}
	f := approvals.FromFiles([]approvals.File{{Name: file, Data: signed}})
	found, _ := facts(t, f, v)
	if len(found) != 1 || found[0].Type != policy.TypeBreakGlass || found[0].Path != "/srv/**" || found[0].Uses != -1 || found[0].Requester != "os:alice" || found[0].Runbook != "" {
		t.Errorf("%+v", found)
	}
	found, _, err = f.For(t.Context(), v, func(nonce string) (int, error) { return len(nonce), nil }, report(), blue)
	if err != nil || found[0].Uses != 32 || found[0].Nonce == "" {
		t.Errorf("%v, %+v", err, found)
	}
	if _, _, err = f.For(t.Context(), v, func(string) (int, error) { return 0, errors.New("no") }, report(), blue); err == nil {
		t.Error("uses that cannot be counted are none")
	}
}
