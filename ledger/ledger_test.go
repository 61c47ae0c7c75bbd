package ledger_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/ledger"
)

// clock is a clock that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

// Now moves on by a second at each look.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Second)
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func open(t *testing.T, path string, now func() time.Time) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(path, ledger.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func add(t *testing.T, l *ledger.Ledger, kind ledger.Type, body any) uint64 {
	t.Helper()
	seq, err := l.Append(t.Context(), ledger.Event{Type: kind, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

type body map[string]any

// written makes a ledger of n records and returns its path and content.
func written(t *testing.T, n int) (path string, content []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "ledger.jsonl")
	l := open(t, path, newClock().Now)
	kinds := []ledger.Type{ledger.TypeDecision, ledger.TypeStart, ledger.TypeEnd}
	for i := range n {
		if seq := add(t, l, kinds[i%3], body{"n": i, "who": "k\u00f6nig"}); seq != uint64(i+1) {
			t.Fatalf("record %d got the number %d", i+1, seq)
		}
	}
	return path, read(t, path)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func verify(t *testing.T, content []byte) ledger.Summary {
	t.Helper()
	s, err := ledger.Verify(bytes.NewReader(content), ledger.VerifyOptions{})
	if err != nil {
		t.Fatalf("the ledger should be intact: %v\n%s", err, content)
	}
	return s
}

func TestWhatIsAppendedIsReadBack(t *testing.T) {
	t.Parallel()
	path, content := written(t, 7)
	s := verify(t, content)
	start := time.Date(2026, 11, 22, 12, 0, 1, 0, time.UTC)
	if s.Records != 7 || s.Head.Seq != 7 || s.Repairs != 0 || !s.First.Equal(start) || !s.Last.Equal(start.Add(6*time.Second)) {
		t.Errorf("summary %+v", s)
	}
	in, err := ledger.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	var prev ledger.Hash
	var seen int
	_, err = ledger.Scan(in, ledger.VerifyOptions{Head: s.Head}, func(r ledger.Record) error {
		var got body
		if err := json.Unmarshal(r.Body, &got); err != nil {
			return err
		}
		if diff := cmp.Diff(body{"n": float64(seen), "who": "k\u00f6nig"}, got); diff != "" {
			t.Errorf("body of record %d: %s", r.Seq, diff)
		}
		if r.Prev != prev {
			t.Errorf("record %d does not follow the one before it", r.Seq)
		}
		prev, seen = r.Hash, seen+1
		return nil
	})
	if err != nil || seen != 7 {
		t.Errorf("saw %d records, %v", seen, err)
	}
}

// The documented way to check one line with other tools: cut from `,"hash":` on,
// close the brace, hash.
func TestAHashCoversTheBytesThatTheFormatPageSays(t *testing.T) {
	t.Parallel()
	_, content := written(t, 1)
	line := strings.TrimSuffix(string(content), "\n")
	part, seal, found := strings.Cut(line, `,"hash":"`)
	if !found {
		t.Fatal("no hash")
	}
	want := fmt.Sprintf("%x", sha256Sum(part+"}"))
	if seal != want+`"}` {
		t.Errorf("the line ends in %s, want %s", seal, want)
	}
	if !json.Valid([]byte(line)) || !json.Valid([]byte(part+"}")) {
		t.Error("line or hashed part is not JSON")
	}
	wantHead := `{"seq":1,"prev":"` + strings.Repeat("0", 64) + `","time":"2026-11-22T12:00:01.000000000Z","type":"decision","body":{"n":0,"who":"k\u00f6nig"}`
	if part != wantHead {
		t.Errorf("got  %s\nwant %s", part, wantHead)
	}
}

func TestALineHoldsPrintableASCIIOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "l")
	l := open(t, path, newClock().Now)
	hostile := "\x1b[31m\u009b31m\u202eabc\u2066\x00\x7f\u00e4\U0001F600\xff<&>\n\r\u2028"
	add(t, l, ledger.TypeDecision, body{"v": hostile, hostile: json.RawMessage(`{"raw": "` + "\u202e" + `"}`)})
	content := read(t, path)
	verify(t, content)
	for i, c := range content[:len(content)-1] {
		if c < 0x20 || c > 0x7e {
			t.Errorf("byte %d is 0x%02x", i, c)
		}
	}
	_, err := ledger.Scan(bytes.NewReader(content), ledger.VerifyOptions{}, func(r ledger.Record) error {
		var got map[string]any
		if err := json.Unmarshal(r.Body, &got); err != nil {
			return err
		}
		if want := strings.ToValidUTF8(hostile, "\ufffd"); got["v"] != want {
			t.Errorf("got %q, want %q", got["v"], want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAnEventThatCannotBeReadBackIsRefused(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70)
	for name, e := range map[string]ledger.Event{
		"no type":                       {Body: body{}},
		"an unknown type":               {Type: "note", Body: body{}},
		"a type with a quote":           {Type: `end","body":{},"x":"`, Body: body{}},
		"a repair by the caller":        {Type: ledger.TypeRepair, Body: body{}},
		"a segment by the caller":       {Type: ledger.TypeSegment, Body: body{}},
		"no body":                       {Type: ledger.TypeEnd},
		"a body that is a list":         {Type: ledger.TypeEnd, Body: []int{1}},
		"a body that is a string":       {Type: ledger.TypeEnd, Body: "x"},
		"a key that is there twice":     {Type: ledger.TypeEnd, Body: json.RawMessage(`{"a":1,"a":2}`)},
		"an escaped key twice":          {Type: ledger.TypeEnd, Body: json.RawMessage(`{"b":[{"a":1,"\u0061":2}]}`)},
		"a body that is not JSON":       {Type: ledger.TypeEnd, Body: json.RawMessage(`{"a":1}}`)},
		"a body nested too deeply":      {Type: ledger.TypeEnd, Body: json.RawMessage(deep)},
		"a body that cannot be encoded": {Type: ledger.TypeEnd, Body: body{"f": func() {}}},
		"a body that is too large":      {Type: ledger.TypeEnd, Body: body{"x": strings.Repeat("x", ledger.MaxRecord)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "l")
			l := open(t, path, newClock().Now)
			_, err := l.Append(t.Context(), e)
			var ee *ledger.EventError
			if !errors.As(err, &ee) {
				t.Errorf("got %v, want *EventError", err)
			}
			if content := read(t, path); len(content) != 0 {
				t.Errorf("something was written: %q", content)
			}
			if seq := add(t, l, ledger.TypeStart, body{}); seq != 1 {
				t.Errorf("the next record got the number %d", seq)
			}
		})
	}
}

func TestTheLargestRecordsAreAppendedAndReadBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "l")
	l := open(t, path, newClock().Now)
	for i := range 3 {
		// 300 bytes are more than the fields around the body need.
		add(t, l, ledger.TypeDecision, body{"x": strings.Repeat("x", ledger.MaxRecord-300-i)})
	}
	if s := verify(t, read(t, path)); s.Records != 3 {
		t.Errorf("%d records", s.Records)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	t.Run("makes a file for its owner only", func(t *testing.T) {
		t.Parallel()
		path, _ := written(t, 1)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v", info.Mode())
		}
	})
	t.Run("refuses a symbolic link", func(t *testing.T) {
		t.Parallel()
		path, _ := written(t, 1)
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		refuse(t, link)
	})
	t.Run("refuses a dangling symbolic link and makes nothing", func(t *testing.T) {
		t.Parallel()
		target := filepath.Join(t.TempDir(), "target")
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		refuse(t, link)
		if _, err := os.Lstat(target); err == nil {
			t.Error("the target was made")
		}
	})
	t.Run("refuses a folder and a device", func(t *testing.T) {
		t.Parallel()
		refuse(t, t.TempDir())
		refuse(t, os.DevNull)
	})
	t.Run("refuses a file that others may write", func(t *testing.T) {
		t.Parallel()
		path, _ := written(t, 1)
		if err := os.Chmod(path, 0o620); err != nil {
			t.Fatal(err)
		}
		refuse(t, path)
	})
	t.Run("refuses a folder in which others could replace the file", func(t *testing.T) {
		t.Parallel()
		path, _ := written(t, 1)
		if err := os.Chmod(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		refuse(t, path)
	})
	t.Run("fails where there is no folder", func(t *testing.T) {
		t.Parallel()
		refuse(t, filepath.Join(t.TempDir(), "none", "l"))
	})
}

func refuse(t *testing.T, path string) {
	t.Helper()
	l, err := ledger.Open(path, ledger.Options{})
	if err == nil {
		_ = l.Close()
		t.Errorf("%s was opened", path)
	}
}

func TestAppendFailsWithoutAnOpenLedger(t *testing.T) {
	t.Parallel()
	var none *ledger.Ledger
	l := open(t, filepath.Join(t.TempDir(), "l"), nil)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]*ledger.Ledger{"nil": none, "zero": {}, "closed": l} {
		if _, err := l.Append(t.Context(), ledger.Event{Type: ledger.TypeStart, Body: body{}}); !errors.Is(err, ledger.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
		if err := l.Close(); !errors.Is(err, ledger.ErrClosed) {
			t.Errorf("close %s: %v", name, err)
		}
	}
}

func TestAClockThatWentBackStopsDecisionsButNotTheEndOfARun(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "l")
	c := newClock()
	l := open(t, path, c.Now)
	add(t, l, ledger.TypeStart, body{})
	c.move(-time.Hour)
	before := read(t, path)
	for _, kind := range []ledger.Type{ledger.TypeDecision, ledger.TypeStart} {
		_, err := l.Append(t.Context(), ledger.Event{Type: kind, Body: body{}})
		var ce *ledger.ClockError
		if !errors.As(err, &ce) {
			t.Errorf("%s: got %v, want *ClockError", kind, err)
		}
	}
	if !bytes.Equal(before, read(t, path)) {
		t.Error("something was written")
	}
	if _, err := l.Append(t.Context(), ledger.Event{Type: ledger.TypeDecision, Body: body{}, Behind: true}); err != nil {
		t.Errorf("a decision that says so itself: %v", err)
	}
	add(t, l, ledger.TypeEnd, body{})
	if s := verify(t, read(t, path)); !s.First.Equal(s.Last) {
		t.Errorf("the end has the time %v, want that of the record before it", s.Last)
	}
}

func TestTheTimeOfTheLastRecord(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "l")
	c := newClock()
	l := open(t, path, c.Now)
	if last, err := l.LastTime(t.Context()); err != nil || !last.IsZero() {
		t.Errorf("of an empty ledger: %v, %v", last, err)
	}
	for range 3 {
		add(t, l, ledger.TypeStart, body{})
	}
	if last, err := l.LastTime(t.Context()); err != nil || !last.Equal(verify(t, read(t, path)).Last) {
		t.Errorf("got %v, %v", last, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := l.LastTime(t.Context()); !errors.Is(err, ledger.ErrReplaced) {
		t.Errorf("of a file that is gone: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, l := range []*ledger.Ledger{nil, {}, l} {
		if _, err := l.LastTime(t.Context()); !errors.Is(err, ledger.ErrClosed) {
			t.Errorf("of no ledger: %v", err)
		}
	}
}

func TestAReplacedOrRemovedFileIsNoticed(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(t *testing.T, path string) error{
		"removed": func(_ *testing.T, path string) error { return os.Remove(path) },
		"renamed": func(_ *testing.T, path string) error { return os.Rename(path, path+".1") },
		"replaced": func(t *testing.T, path string) error {
			_, other := written(t, 1)
			if err := os.WriteFile(path+".new", other, 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "l")
			l := open(t, path, newClock().Now)
			add(t, l, ledger.TypeStart, body{})
			if err := act(t, path); err != nil {
				t.Fatal(err)
			}
			_, err := l.Append(t.Context(), ledger.Event{Type: ledger.TypeEnd, Body: body{}})
			if !errors.Is(err, ledger.ErrReplaced) {
				t.Errorf("got %v, want ErrReplaced", err)
			}
		})
	}
}

func TestATornLastLineIsCutOffAndTheCutRecorded(t *testing.T) {
	t.Parallel()
	_, whole := written(t, 3)
	lines := bytes.SplitAfter(whole, []byte("\n"))
	intact := bytes.Join(lines[:2], nil)
	torn := map[string][]byte{
		"a whole record without its line end": bytes.TrimSuffix(lines[2], []byte("\n")),
		"zeros, as after a power cut":         make([]byte, 5000),
		"as much as one write can leave":      bytes.Repeat([]byte("x"), ledger.MaxRecord),
	}
	for n := 1; n < len(lines[2]); n += 29 {
		torn[fmt.Sprintf("%d bytes", n)] = lines[2][:n]
	}
	for _, start := range [][]byte{nil, intact} {
		for name, rest := range torn {
			path := filepath.Join(t.TempDir(), "l")
			if err := os.WriteFile(path, append(bytes.Clone(start), rest...), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := ledger.Verify(bytes.NewReader(read(t, path)), ledger.VerifyOptions{})
			var ce *ledger.ChainError
			if !errors.As(err, &ce) || ce.Problem != ledger.ProblemIncomplete && len(rest) < ledger.MaxRecord {
				t.Errorf("%s: verify before the repair: %v", name, err)
			}
			c := newClock()
			c.move(time.Hour)
			add(t, open(t, path, c.Now), ledger.TypeDecision, body{"after": true})
			content := read(t, path)
			if !bytes.HasPrefix(content, start) {
				t.Errorf("%s: an intact record was changed", name)
			}
			s := verify(t, content)
			if s.Repairs != 1 || s.Records != uint64(bytes.Count(start, []byte("\n"))+2) {
				t.Errorf("%s: %+v", name, s)
			}
			want := fmt.Sprintf(`"type":"repair","body":{"dropped_bytes":%d,"dropped_sha256":"%x"}`, len(rest), sha256Sum(string(rest)))
			if !bytes.Contains(content, []byte(want)) {
				t.Errorf("%s: no %s in\n%s", name, want, content)
			}
		}
	}
}

func TestNothingIsAppendedToADamagedLastRecord(t *testing.T) {
	t.Parallel()
	_, whole := written(t, 3)
	for name, content := range map[string][]byte{
		"an edited body":                     bytes.Replace(whole, []byte(`"n":2`), []byte(`"n":7`), 1),
		"an empty last line":                 append(bytes.Clone(whole), '\n'),
		"junk as last line":                  append(bytes.Clone(whole), "junk\n"...),
		"a last line that is too long":       append(append(bytes.Clone(whole), bytes.Repeat([]byte("x"), 2*ledger.MaxRecord)...), '\n'),
		"a tail without any line end":        bytes.Repeat([]byte("x"), ledger.MaxRecord+1),
		"CRLF":                               bytes.ReplaceAll(whole, []byte("\n"), []byte("\r\n")),
		"edited, with a torn line behind it": append(bytes.Replace(whole, []byte(`"n":2`), []byte(`"n":7`), 1), "{"...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "l")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			c := newClock()
			c.move(time.Hour)
			_, err := open(t, path, c.Now).Append(t.Context(), ledger.Event{Type: ledger.TypeStart, Body: body{}})
			var te *ledger.TailError
			if !errors.As(err, &te) {
				t.Errorf("got %v, want *TailError", err)
			}
			if !bytes.Equal(content, read(t, path)) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestGoroutinesAndLedgersShareAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "l")
	c := newClock()
	a, b := open(t, path, c.Now), open(t, path, c.Now)
	const each = 25
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[uint64]bool{}
	for i := range 4 {
		l := a
		if i%2 == 1 {
			l = b
		}
		wg.Go(func() {
			for range each {
				seq, err := l.Append(t.Context(), ledger.Event{Type: ledger.TypeStart, Body: body{"i": i}})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if seen[seq] {
					t.Errorf("the number %d was given twice", seq)
				}
				seen[seq] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if s := verify(t, read(t, path)); s.Records != 4*each {
		t.Errorf("%d records, want %d", s.Records, 4*each)
	}
}
