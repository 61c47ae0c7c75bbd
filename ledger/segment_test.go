package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/ledger"
)

// rotated makes a ledger of n records of callers in segments of about three, and
// returns its path.
func rotated(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "l")
	l, err := ledger.Open(path, ledger.Options{Now: newClock().Now, Rotation: ledger.Rotation{Size: 1000}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		add(t, l, ledger.TypeStart, body{"n": i})
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// book verifies the ledger at path, with all its segments.
func book(t *testing.T, path string, o ledger.VerifyOptions, archives ...string) (ledger.Summary, *ledger.ChainError) {
	t.Helper()
	r, err := ledger.OpenReader(t.Context(), path, archives...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	s, err := ledger.Verify(r, o)
	var ce *ledger.ChainError
	if err != nil && !errors.As(err, &ce) {
		t.Fatal(err)
	}
	return s, ce
}

func whole(t *testing.T, path string, o ledger.VerifyOptions, archives ...string) ledger.Summary {
	t.Helper()
	s, ce := book(t, path, o, archives...)
	if ce != nil {
		t.Fatalf("the ledger should be intact: %s %v", ce.File, ce)
	}
	return s
}

// closedFiles are the names of the closed segments of the ledger at path.
func closedFiles(t *testing.T, path string) []string {
	t.Helper()
	files, err := filepath.Glob(path + ".[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestALedgerGoesOnInANewFileBeforeItIsTooLarge(t *testing.T) {
	t.Parallel()
	path := rotated(t, 10)
	files := closedFiles(t, path)
	if len(files) < 3 || files[0] != path+".00000000000000000001" {
		t.Fatalf("segments %v", files)
	}
	s := whole(t, path, ledger.VerifyOptions{})
	if s.Segments != len(files)+1 || s.Records != 10+uint64(len(files)) || s.Head.Seq != s.Records {
		t.Errorf("%+v of %d files", s, len(files))
	}
	var all []byte
	for _, file := range append(files, path) {
		content := read(t, file)
		if len(content) > 1000 {
			t.Errorf("%s has %d bytes", file, len(content))
		}
		all = append(all, content...)
	}
	if got := verify(t, all); got.Head != s.Head {
		t.Errorf("as one stream the head is %v", got.Head)
	}
	r, err := ledger.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if stream, err := io.ReadAll(r); err != nil || !bytes.Equal(stream, all) {
		t.Errorf("Read gives other bytes, %v", err)
	}
}

func TestALedgerGoesOnInANewFileWhenItIsOldEnough(t *testing.T) {
	t.Parallel()
	path, clock := filepath.Join(t.TempDir(), "l"), newClock()
	for i := range 3 {
		l, err := ledger.Open(path, ledger.Options{Now: clock.Now, Rotation: ledger.Rotation{Age: time.Hour}})
		if err != nil {
			t.Fatal(err)
		}
		add(t, l, ledger.TypeStart, body{})
		add(t, l, ledger.TypeStart, body{})
		if n := len(closedFiles(t, path)); n != i {
			t.Errorf("%d closed segments after %d hours", n, i)
		}
		clock.move(time.Hour)
		_ = l.Close()
	}
	if s := whole(t, path, ledger.VerifyOptions{}); s.Records != 8 {
		t.Errorf("%+v", s)
	}
}

func TestARecordThatIsLargerThanASegmentGetsOneOfItsOwn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "l")
	l, err := ledger.Open(path, ledger.Options{Now: newClock().Now, Rotation: ledger.Rotation{Size: 500}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for range 3 {
		add(t, l, ledger.TypeStart, body{"x": strings.Repeat("x", 5000)})
	}
	if s := whole(t, path, ledger.VerifyOptions{}); s.Segments != 3 || s.Records != 5 {
		t.Errorf("%+v", s)
	}
}

func TestAttackOnSegmentsIsFound(t *testing.T) {
	t.Parallel()
	foreign := rotated(t, 12)
	for name, c := range map[string]struct {
		attack  func(t *testing.T, path string, files []string)
		problem ledger.Problem
		in      func(path string, files []string) string
	}{
		"a segment in the middle is removed": {
			func(t *testing.T, _ string, files []string) { remove(t, files[1]) },
			ledger.ProblemSequence, func(_ string, files []string) string { return files[2] },
		},
		"the first segment is removed": {
			func(t *testing.T, _ string, files []string) { remove(t, files[0]) },
			ledger.ProblemSequence, func(_ string, files []string) string { return files[1] },
		},
		"two segments change places": {
			func(t *testing.T, _ string, files []string) {
				rename(t, files[1], files[1]+".x")
				rename(t, files[2], files[1])
				rename(t, files[1]+".x", files[2])
			},
			ledger.ProblemSequence, func(_ string, files []string) string { return files[1] },
		},
		"a segment of another ledger takes the place of one": {
			func(t *testing.T, _ string, files []string) {
				l := read(t, closedFiles(t, foreign)[1])
				write(t, files[1], bytes.ReplaceAll(l, []byte(`"n":`), []byte(`"m":`)))
			},
			ledger.ProblemEdited, func(_ string, files []string) string { return files[1] },
		},
		"a segment has another name": {
			func(t *testing.T, path string, files []string) {
				rename(t, files[1], path+".00000000000000000005")
			},
			ledger.ProblemSegment, func(path string, _ []string) string { return path + ".00000000000000000005" },
		},
		"a closed segment loses its last record": {
			func(t *testing.T, _ string, files []string) {
				content := read(t, files[1])
				write(t, files[1], content[:bytes.LastIndexByte(content[:len(content)-1], '\n')+1])
			},
			ledger.ProblemSequence, func(_ string, files []string) string { return files[2] },
		},
		"a closed segment loses its last byte": {
			func(t *testing.T, _ string, files []string) {
				content := read(t, files[1])
				write(t, files[1], content[:len(content)-1])
			},
			ledger.ProblemIncomplete, func(_ string, files []string) string { return files[1] },
		},
		"the file at the path is taken back to a closed segment": {
			func(t *testing.T, path string, files []string) { write(t, path, read(t, files[0])) },
			ledger.ProblemSequence, func(path string, _ []string) string { return path },
		},
		"the file at the path is emptied": {
			func(t *testing.T, path string, files []string) {
				write(t, path, nil)
				for _, f := range files {
					remove(t, f)
				}
			},
			ledger.ProblemEmpty, func(path string, _ []string) string { return path },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := rotated(t, 12)
			files := closedFiles(t, path)
			c.attack(t, path, files)
			_, ce := book(t, path, ledger.VerifyOptions{})
			if ce == nil {
				t.Fatal("it was found intact")
			}
			if ce.Problem != c.problem || ce.File != c.in(path, files) {
				t.Errorf("got %s in %s: %v, want %s in %s", ce.Problem, ce.File, ce, c.problem, c.in(path, files))
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Whoever removes the newest file must not get a new chain for it.
func TestAttackTheNewestFileIsRemovedAndNoNewChainIsBegun(t *testing.T) {
	t.Parallel()
	for name, attack := range map[string]func(t *testing.T, path string){
		"removed": func(t *testing.T, path string) { remove(t, path) },
		"emptied": func(t *testing.T, path string) { write(t, path, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := rotated(t, 8)
			attack(t, path)
			l, err := ledger.Open(path, ledger.Options{Now: newClock().Now})
			if err == nil {
				_, err = l.Append(t.Context(), ledger.Event{Type: ledger.TypeStart, Body: body{}})
				_ = l.Close()
			}
			var missing *ledger.MissingError
			if !errors.As(err, &missing) {
				t.Fatalf("got %v, want *MissingError", err)
			}
			if content, _ := os.ReadFile(path); len(content) != 0 {
				t.Errorf("something was written: %q", content)
			}
		})
	}
}

func TestOldSegmentsMayBeKeptElsewhere(t *testing.T) {
	t.Parallel()
	path := rotated(t, 12)
	before := whole(t, path, ledger.VerifyOptions{})
	files, archive := closedFiles(t, path), t.TempDir()
	known := verify(t, append(read(t, files[0]), read(t, files[1])...)).Head
	for _, f := range files[:2] {
		rename(t, f, filepath.Join(archive, filepath.Base(f)))
	}
	if _, ce := book(t, path, ledger.VerifyOptions{}); ce == nil || ce.Problem != ledger.ProblemSequence {
		t.Errorf("without them: got %v", ce)
	}
	if s := whole(t, path, ledger.VerifyOptions{}, archive); s != before {
		t.Errorf("together: %s", cmp.Diff(before, s))
	}
	s := whole(t, path, ledger.VerifyOptions{After: known})
	if s.Head != before.Head || s.Records != before.Records-known.Seq {
		t.Errorf("from the head that they end with: %+v", s)
	}
	other := known
	other.Hash[0] ^= 1
	if _, ce := book(t, path, ledger.VerifyOptions{After: other}); ce == nil || ce.Problem != ledger.ProblemChain {
		t.Errorf("from another head: got %v", ce)
	}
}

// From skips what stands before a record; the record before it is held to its hash.
func TestALedgerIsReadFromAnyRecordOn(t *testing.T) {
	t.Parallel()
	path := rotated(t, 12)
	var heads []ledger.Head
	scanAll := func(o ledger.VerifyOptions, from uint64) []uint64 {
		t.Helper()
		r, err := ledger.OpenReader(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		if err := r.From(from); err != nil {
			t.Fatal(err)
		}
		var seen []uint64
		if _, err = ledger.Scan(r, o, func(rec ledger.Record) error {
			seen = append(seen, rec.Seq)
			if o.After == (ledger.Head{}) {
				heads = append(heads, ledger.Head{Seq: rec.Seq, Hash: rec.Hash})
			}
			return nil
		}); err != nil {
			t.Fatalf("from %d: %v", from, err)
		}
		return seen
	}
	all := scanAll(ledger.VerifyOptions{}, 1)
	for i, head := range heads {
		if diff := cmp.Diff(all[i+1:], scanAll(ledger.VerifyOptions{After: head}, head.Seq), equateEmpty()); diff != "" {
			t.Errorf("after %d: %s", head.Seq, diff)
		}
	}
	last := heads[len(heads)-1]
	last.Seq++
	r, err := ledger.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if err := r.From(last.Seq); err != nil {
		t.Fatal(err)
	}
	_, err = ledger.Verify(r, ledger.VerifyOptions{After: last})
	var ce *ledger.ChainError
	if !errors.As(err, &ce) || ce.Problem != ledger.ProblemHead {
		t.Errorf("behind the end: got %v", err)
	}
}

func equateEmpty() cmp.Option {
	return cmp.Transformer("list", func(l []uint64) string { return fmt.Sprint(l) })
}

func TestARecordIsFoundInALargeFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "l")
	write(t, path, chained(t, 3000))
	for _, seq := range []uint64{1, 2, 3, 700, 1500, 2999, 3000} {
		r, err := ledger.OpenReader(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.From(seq); err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil || !bytes.HasPrefix(content, fmt.Appendf(nil, `{"seq":%d,`, seq)) {
			t.Errorf("from %d: %.40q, %v", seq, content, err)
		}
		_ = r.Close()
	}
}

// chained makes the content of a ledger of n records without waiting for a disk.
func chained(t testing.TB, n int) []byte {
	t.Helper()
	var out []byte
	prev := strings.Repeat("0", 64)
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for i := range n {
		part := fmt.Sprintf(`{"seq":%d,"prev":"%s","time":"%s","type":"decision","body":{"version":1,"n":%d,"x":"%s"}`,
			i+1, prev, at.Add(time.Duration(i)*time.Second).Format("2006-01-02T15:04:05.000000000Z"), i, strings.Repeat("x", i%1000))
		prev = ledger.Hash(sha256Sum(part + "}")).String()
		out = append(out, part+`,"hash":"`+prev+"\"}\n"...)
	}
	return out
}

func TestGoroutinesAndLedgersShareAFileAcrossRotations(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "l")
	const ledgers, goroutines, each = 3, 3, 12
	var wg sync.WaitGroup
	clock := newClock()
	for range ledgers {
		l, err := ledger.Open(path, ledger.Options{
			Now:      func() time.Time { return clock.Now().Add(0) },
			Rotation: ledger.Rotation{Size: 1500}, Checkpoints: ledger.Checkpoints{Signer: signer(t), Every: 5},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		for range goroutines {
			wg.Go(func() {
				for range each {
					// An end is recorded also where another goroutine has read the clock later.
					if _, err := l.Append(t.Context(), ledger.Event{Type: ledger.TypeEnd, Body: body{"x": "y"}}); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	s := whole(t, path, ledger.VerifyOptions{Checkpoints: notesOf(t, path)})
	if want := uint64(ledgers*goroutines*each + s.Segments - 1); s.Records != want || s.Repairs != 0 || s.Segments < 10 {
		t.Errorf("%+v, want %d records", s, want)
	}
}

// A rotation that was killed is finished by the next one, whatever it had done.
func TestARotationThatWasKilledLosesNothing(t *testing.T) {
	t.Parallel()
	whatIs := func(path string) []byte {
		content := read(t, path)
		return content[:bytes.IndexByte(content, '\n')]
	}
	for name, killed := range map[string]func(t *testing.T, path string){
		"before anything":                        func(*testing.T, string) {},
		"after the next file was made":           func(t *testing.T, path string) { write(t, path+".next", nil) },
		"in the first record of the next file":   func(t *testing.T, path string) { write(t, path+".next", whatIs(path)) },
		"after the file has got its second name": func(t *testing.T, path string) { link(t, path, path+".00000000000000000001") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "l")
			clock := newClock()
			add(t, open(t, path, clock.Now), ledger.TypeStart, body{})
			killed(t, path)
			if s := whole(t, path, ledger.VerifyOptions{}); s.Records != 1 {
				t.Errorf("before the next start: %+v", s)
			}
			// Without rotation, it goes on in the old file.
			add(t, open(t, path, clock.Now), ledger.TypeStart, body{})
			if s := whole(t, path, ledger.VerifyOptions{}); s.Records != 2 {
				t.Errorf("without rotation: %+v", s)
			}
			l, err := ledger.Open(path, ledger.Options{Now: clock.Now, Rotation: ledger.Rotation{Size: 600}})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			add(t, l, ledger.TypeStart, body{})
			if s := whole(t, path, ledger.VerifyOptions{}); s.Records != 4 || s.Segments != 2 {
				t.Errorf("after the rotation: %+v", s)
			}
			if _, err := os.Stat(path + ".next"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the file of the next segment is left: %v", err)
			}
		})
	}
}

func link(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Link(from, to); err != nil {
		t.Fatal(err)
	}
}

// Somebody else's file in the place of a closed segment is not overwritten, and
// nothing that announces something is recorded; the end of a run is.
func TestARotationThatFailsStopsDecisionsButNotTheEndOfARun(t *testing.T) {
	t.Parallel()
	path, clock := filepath.Join(t.TempDir(), "l"), newClock()
	l, err := ledger.Open(path, ledger.Options{Now: clock.Now, Rotation: ledger.Rotation{Size: 600}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	add(t, l, ledger.TypeStart, body{})
	write(t, path+".00000000000000000001", []byte("something else"))
	_, err = l.Append(t.Context(), ledger.Event{Type: ledger.TypeStart, Body: body{"x": strings.Repeat("x", 500)}})
	var failed *ledger.RotationError
	if !errors.As(err, &failed) {
		t.Errorf("got %v, want *RotationError", err)
	}
	add(t, l, ledger.TypeEnd, body{"x": strings.Repeat("x", 500)})
	remove(t, path+".00000000000000000001")
	add(t, l, ledger.TypeStart, body{})
	if s := whole(t, path, ledger.VerifyOptions{}); s.Records != 4 || s.Segments != 2 {
		t.Errorf("%+v", s)
	}
}

func TestAWriterFollowsARotationWhoseOldFileWasMovedAway(t *testing.T) {
	t.Parallel()
	path, clock := filepath.Join(t.TempDir(), "l"), newClock()
	old := open(t, path, clock.Now)
	add(t, old, ledger.TypeStart, body{})
	l, err := ledger.Open(path, ledger.Options{Now: clock.Now, Rotation: ledger.Rotation{Size: 500}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	add(t, l, ledger.TypeStart, body{})
	archive := t.TempDir()
	for _, file := range closedFiles(t, path) {
		rename(t, file, filepath.Join(archive, filepath.Base(file)))
	}
	add(t, old, ledger.TypeStart, body{})
	if s := whole(t, path, ledger.VerifyOptions{}, archive); s.Records != 4 || s.Segments != 2 {
		t.Errorf("%+v", s)
	}
}

// A writer that has the old file open must not write to it any more.
func TestAWriterFollowsTheRotationsOfOthers(t *testing.T) {
	t.Parallel()
	path, clock := filepath.Join(t.TempDir(), "l"), newClock()
	old := open(t, path, clock.Now)
	add(t, old, ledger.TypeStart, body{})
	l, err := ledger.Open(path, ledger.Options{Now: clock.Now, Rotation: ledger.Rotation{Size: 500}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for range 4 {
		add(t, l, ledger.TypeStart, body{})
	}
	if seq := add(t, old, ledger.TypeStart, body{}); seq != whole(t, path, ledger.VerifyOptions{}).Head.Seq {
		t.Errorf("it got the number %d", seq)
	}
	if last, err := old.LastTime(t.Context()); err != nil || last.IsZero() {
		t.Errorf("%v, %v", last, err)
	}
}

// FuzzSegments reads two files of any content: what is found intact is intact as
// one stream, too, with the same head, and is read from any record on.
func FuzzSegments(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, "l")
	l, err := ledger.Open(path, ledger.Options{Now: newClock().Now, Rotation: ledger.Rotation{Size: 900}})
	if err != nil {
		f.Fatal(err)
	}
	for range 4 {
		if _, err := l.Append(f.Context(), ledger.Event{Type: ledger.TypeStart, Body: body{}}); err != nil {
			f.Fatal(err)
		}
	}
	_ = l.Close()
	var files [2][]byte
	for i, name := range []string{path + ".00000000000000000001", path} {
		if files[i], err = os.ReadFile(name); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(files[0], files[1], uint64(2))
	f.Add(files[1], files[0], uint64(1))
	f.Add(files[0], []byte{}, uint64(0))
	f.Add(files[0][:len(files[0])-1], files[1], uint64(9))
	f.Fuzz(func(t *testing.T, first, second []byte, from uint64) {
		path := filepath.Join(t.TempDir(), "l")
		write(t, path+".00000000000000000001", first)
		write(t, path, second)
		s, ce := book(t, path, ledger.VerifyOptions{})
		if ce == nil {
			if got := verify(t, append(bytes.Clone(first), second...)); got.Head != s.Head || got.Records != s.Records {
				t.Fatalf("%+v as segments, %+v as one stream", s, got)
			}
		}
		r, err := ledger.OpenReader(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		if err := r.From(from); err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if ce == nil && from >= 1 && from <= s.Head.Seq && !bytes.HasPrefix(rest, fmt.Appendf(nil, `{"seq":%d,`, from)) {
			t.Fatalf("from %d: %.60q", from, rest)
		}
	})
}
