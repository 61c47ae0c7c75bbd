package index_test

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/index"
	"github.com/runwrit/writ/runbook"
)

// decide opens what lies at path and decides; it returns why it could not.
func decide(t testing.TB, path string, ref index.Ref, in policy.Input) (policy.Decision, error) {
	t.Helper()
	x, err := index.Open(path, ref, index.Options{})
	if err != nil {
		return policy.Decision{}, err
	}
	defer func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}()
	e, err := policy.New(policy.Source{Rows: x})
	if err != nil {
		return policy.Decision{}, err
	}
	return e.Decide(t.Context(), in), nil
}

// allowedInput is a question that a random policy allows.
func allowedInput(t testing.TB, grants string) policy.Input {
	t.Helper()
	e := engine(t, policy.Source{Grants: []byte(grants)})
	d := draw(9)
	for range 1_000 {
		if in := randomInput(&d); e.Decide(t.Context(), in).Allow {
			return in
		}
	}
	t.Fatal("nothing is allowed")
	return policy.Input{}
}

// A byte of the index that is not what was written is an error where it is read,
// never another answer.
func TestNoChangedByteIsBelieved(t *testing.T) {
	t.Parallel()
	d := draw(3)
	grants := randomGrants(&d)
	path, ref := build(t, grants)
	whole := readFile(t, path)
	x := open(t, path, ref)
	var queries []policy.Query
	_ = policy.EachRow([]byte(grants), func(table policy.Table, key string, values []string) error {
		queries = append(queries, policy.Query{Table: table, Key: key, Limit: len(values)})
		return nil
	})
	want, err := x.Values(queries)
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(t.TempDir(), "index")
	refused := 0
	for at := 0; at < len(whole); at += 61 {
		bad := bytes.Clone(whole)
		bad[at] ^= 1 << (at % 8)
		writeFile(t, changed, bad)
		y, err := index.Open(changed, ref, index.Options{})
		if err != nil {
			refused++
			continue
		}
		got, err := y.Values(queries)
		if err != nil {
			refused++
		} else if said(t, got) != said(t, want) {
			t.Fatalf("byte %d of %d was changed, and other rows are believed", at, len(whole))
		}
		if err := y.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if refused < len(whole)/61*9/10 {
		t.Errorf("only %d changes of %d were noticed by reading everything", refused, len(whole)/61)
	}
}

func TestACutIndexDenies(t *testing.T) {
	t.Parallel()
	d := draw(3)
	grants := randomGrants(&d)
	path, ref := build(t, grants)
	whole, in := readFile(t, path), allowedInput(t, grants)
	cut := filepath.Join(t.TempDir(), "index")
	for _, size := range []int{0, 1, 8, 100, 4096, 4128, 4096 + 32 + 104, len(whole) / 2, len(whole) - 104, len(whole) - 1, len(whole) - 4096 - 32} {
		writeFile(t, cut, whole[:size])
		if got, err := decide(t, cut, ref, in); err == nil {
			t.Errorf("%d bytes of %d decide: %v", size, len(whole), got.Allow)
		}
	}
	writeFile(t, cut, append(bytes.Clone(whole), 0))
	if _, err := decide(t, cut, ref, in); err == nil {
		t.Error("with one byte more it decides")
	}
}

// An attacker puts the index of a policy of his own, or an older one, in the place
// of the one that was activated.
func TestASwappedIndexDenies(t *testing.T) {
	t.Parallel()
	d := draw(3)
	_, ref := build(t, randomGrants(&d))
	theirs := randomGrants(&d)
	path, own := build(t, theirs)
	in := allowedInput(t, theirs)
	if got, err := decide(t, path, own, in); err != nil || !got.Allow {
		t.Fatalf("by its own Ref: %v", err)
	}
	for name, want := range map[string]index.Ref{
		"another index":             ref,
		"the rows of another file":  {Grants: ref.Grants, Sum: own.Sum},
		"the right file, other sum": {Grants: own.Grants, Sum: ref.Sum},
		"no Ref":                    {},
		"no sum":                    {Grants: own.Grants},
	} {
		if got, err := decide(t, path, want, in); err == nil {
			t.Errorf("%s decides: %v", name, got.Allow)
		}
	}
}

// While it is open the file is overwritten: what was not read yet is not believed.
func TestAnIndexThatChangesWhileItIsOpenDenies(t *testing.T) {
	t.Parallel()
	d := draw(3)
	grants := randomGrants(&d)
	path, ref := build(t, grants)
	in := allowedInput(t, grants)
	x := open(t, path, ref)
	e := engine(t, policy.Source{Rows: x})
	if !e.Decide(t.Context(), in).Allow {
		t.Fatal("denied before")
	}
	y := open(t, path, ref)
	late := engine(t, policy.Source{Rows: y})
	if err := os.Truncate(path, 4096); err != nil {
		t.Fatal(err)
	}
	if got := late.Decide(t.Context(), in); got.Allow || got.Deny[0].Code != policy.CodePolicyError {
		t.Errorf("decided by a file that was cut: %+v", got)
	}
}

func TestAClosedIndexDenies(t *testing.T) {
	t.Parallel()
	d := draw(3)
	grants := randomGrants(&d)
	path, ref := build(t, grants)
	x, err := index.Open(path, ref, index.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e := engine(t, policy.Source{Rows: x})
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if got := e.Decide(t.Context(), allowedInput(t, grants)); got.Allow || got.Deny[0].Code != policy.CodePolicyError {
		t.Errorf("decided by a closed index: %+v", got)
	}
}

func TestOnlyARegularGuardedFileIsOpened(t *testing.T) {
	t.Parallel()
	d := draw(3)
	path, ref := build(t, randomGrants(&d))
	guarded := index.Options{Guarded: true}
	if x, err := index.Open(path, ref, guarded); err != nil {
		t.Errorf("a guarded file: %v", err)
	} else if err := x.Close(); err != nil {
		t.Error(err)
	}
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]string{"a link": link, "a folder": filepath.Dir(path), "nothing": path + ".none"} {
		if _, err := index.Open(at, ref, index.Options{}); err == nil {
			t.Errorf("%s was opened", name)
		}
	}
	if err := os.Chmod(path, 0o622); err != nil {
		t.Fatal(err)
	}
	if _, err := index.Open(path, ref, guarded); err == nil || !strings.Contains(err.Error(), "others may write") {
		t.Errorf("a file that others may write: %v", err)
	}
	if err := os.Chmod(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := index.Open(path, ref, guarded); err == nil {
		t.Error("a file in a folder that others may write was opened")
	}
}

// sealed puts digests behind pages, as Build does: what only somebody can do who
// may write the Ref as well.
func sealed(t testing.TB, pages []byte, version string) (string, index.Ref) {
	t.Helper()
	var hashes []byte
	for at := 0; at < len(pages); at += 4096 {
		hash := sha256.Sum256(pages[at : at+4096])
		hashes = append(hashes, hash[:]...)
	}
	rows, all, ref := runbook.DigestOf([]byte(version)), sha256.Sum256(hashes), index.Ref{Grants: runbook.DigestOf([]byte("grants"))}
	footer := bytes.Join([][]byte{{'w', 'r', 'i', 't', 'i', 'd', 'x', 1}, rows[:], ref.Grants[:], all[:]}, nil)
	ref.Sum = runbook.DigestOf(footer)
	path := filepath.Join(t.TempDir(), "index")
	writeFile(t, path, bytes.Join([][]byte{pages, hashes, footer}, nil))
	return path, ref
}

// database runs SQL in a new database and returns its pages.
func database(t testing.TB, statements ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=page_size(4096)")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return readFile(t, path)
}

func TestASealedFileThatIsNoIndexOfThisVersionIsRefused(t *testing.T) {
	t.Parallel()
	const table = "CREATE TABLE grants (key BLOB, n INTEGER, value BLOB, PRIMARY KEY (key, n)) WITHOUT ROWID"
	const row = "INSERT INTO grants VALUES (x'676c6f62616c006772616e7473', "
	tests := []struct {
		name, version string
		pages         []byte
	}{
		{"rows of another version", "writ.rows/0", database(t, table)},
		{"pages that are no database", policy.RowsVersion(), bytes.Repeat([]byte("no database here"), 4096)},
		{"pages of zeros", policy.RowsVersion(), make([]byte, 8192)},
		{"no rows", policy.RowsVersion(), database(t, table)},
		{"another table", policy.RowsVersion(), database(t, "CREATE TABLE other (x)")},
		{"a view instead of the table", policy.RowsVersion(), database(t, "CREATE VIEW grants AS SELECT x'00' AS key, 0 AS n, '{}' AS value")},
		{"a row that is not the first", policy.RowsVersion(), database(t, table, row+"1, '{\"Rules\":0,\"Filed\":null}')")},
		{"a number that is none", policy.RowsVersion(), database(t, table, row+"-1, '{\"Rules\":0,\"Filed\":null}')")},
		{"a value that is none", policy.RowsVersion(), database(t, table, row+"0, NULL)")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path, ref := sealed(t, tt.pages, tt.version)
			d := draw(1)
			if got, err := decide(t, path, ref, randomInput(&d)); err == nil {
				t.Errorf("it decides: %+v", got)
			}
		})
	}
}

// FuzzIndex changes the file in any way: it is refused, or it answers what was
// written.
func FuzzIndex(f *testing.F) {
	d := draw(3)
	grants := randomGrants(&d)
	path, ref := build(f, grants)
	whole := readFile(f, path)
	queries := []policy.Query{{Table: "global", Key: "grants", Limit: 2}, {Table: "rule", Key: "3", Limit: 2}, {Table: "person", Key: "os:p1", Limit: 2}}
	x := open(f, path, ref)
	want, err := x.Values(queries)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(0, []byte("SQLite format 4"))
	f.Add(len(whole)-50, []byte{1, 2, 3})
	f.Add(len(whole)-3000, []byte{0})
	f.Add(4096*2, make([]byte, 4096))
	f.Add(len(whole), []byte{0})
	f.Fuzz(func(t *testing.T, at int, with []byte) {
		if at < 0 || at > len(whole) || len(with) > 1<<16 {
			return
		}
		bad := append(bytes.Clone(whole[:at]), with...)
		if len(bad) < len(whole) {
			bad = append(bad, whole[len(bad):]...)
		}
		path := filepath.Join(t.TempDir(), "index")
		writeFile(t, path, bad)
		y, err := index.Open(path, ref, index.Options{})
		if err != nil {
			return
		}
		defer func() { _ = y.Close() }()
		if got, err := y.Values(queries); err == nil && said(t, got) != said(t, want) {
			t.Errorf("other rows: %q", got)
		}
	})
}
