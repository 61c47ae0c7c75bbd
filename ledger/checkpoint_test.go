package ledger_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/runwrit/writ/ledger"
)

// key makes a key out of a seed, the same each time.
func key(t testing.TB, name, seed string) (note.Signer, note.Verifier) {
	t.Helper()
	s, v, err := makeKey(name, seed)
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

func makeKey(name, seed string) (note.Signer, note.Verifier, error) {
	sum := sha256.Sum256([]byte(seed))
	secret, public, err := note.GenerateKey(bytes.NewReader(append(sum[:], sum[:]...)), name)
	if err != nil {
		return nil, nil, err
	}
	s, err := note.NewSigner(secret)
	if err != nil {
		return nil, nil, err
	}
	v, err := note.NewVerifier(public)
	return s, v, err
}

func signer(t testing.TB) note.Signer {
	t.Helper()
	s, _ := key(t, "web-01", "its own")
	return s
}

func verifierOf(t testing.TB) note.Verifier {
	t.Helper()
	_, v := key(t, "web-01", "its own")
	return v
}

func notesIn(t testing.TB, content []byte, keys ...note.Verifier) []*ledger.CheckpointReader {
	t.Helper()
	c, err := ledger.NewCheckpointReader("notes", bytes.NewReader(content), keys...)
	if err != nil {
		t.Fatal(err)
	}
	return []*ledger.CheckpointReader{c}
}

// notesOf reads the checkpoints beside the ledger at path.
func notesOf(t *testing.T, path string) []*ledger.CheckpointReader {
	t.Helper()
	return notesIn(t, read(t, path+".checkpoints"), verifierOf(t))
}

// signed makes a ledger of n records with a checkpoint after every second, and
// returns its path, its content and its checkpoints.
func signed(t *testing.T, n int) (path string, content, notes []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "l")
	l := openSigned(t, path, newClock(), ledger.Checkpoints{Every: 2})
	for i := range n {
		add(t, l, ledger.TypeStart, body{"n": i})
	}
	return path, read(t, path), read(t, path+".checkpoints")
}

func openSigned(t *testing.T, path string, c *clock, o ledger.Checkpoints) *ledger.Ledger {
	t.Helper()
	o.Signer = signer(t)
	l, err := ledger.Open(path, ledger.Options{Now: c.Now, Checkpoints: o})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestCheckpointsAreNotesThatTheGoToolsRead(t *testing.T) {
	t.Parallel()
	_, content, notes := signed(t, 3)
	head := verify(t, content[:bytes.LastIndexByte(content[:len(content)-1], '\n')+1]).Head
	n, err := note.Open(notes[:len(notes)-1], note.VerifierList(verifierOf(t)))
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("web-01\n2\n%s\n2026-11-22T12:00:03.000000000Z\n", head.Hash); n.Text != want {
		t.Errorf("got %q\nwant %q", n.Text, want)
	}
}

func TestCheckpointsAreSignedWhenTheyAreDue(t *testing.T) {
	t.Parallel()
	path, clock := filepath.Join(t.TempDir(), "l"), newClock()
	l := openSigned(t, path, clock, ledger.Checkpoints{Every: 3, Interval: time.Hour})
	count := func() int { return bytes.Count(read(t, path+".checkpoints"), []byte("\u2014 ")) }
	add(t, l, ledger.TypeStart, body{})
	for i, want := range []int{1, 1, 1, 2} { // the first one at once: there was none
		add(t, l, ledger.TypeStart, body{})
		if got := count(); got != want {
			t.Errorf("%d checkpoints before record %d, want %d", got, i+2, want)
		}
	}
	clock.move(time.Hour)
	add(t, l, ledger.TypeStart, body{})
	if got := count(); got != 3 {
		t.Errorf("%d checkpoints after an hour", got)
	}
	c, block, err := l.Checkpoint(t.Context())
	if err != nil || c.Head != whole(t, path, ledger.VerifyOptions{}).Head || count() != 4 {
		t.Errorf("on request: %+v, %v, %d of them", c, err, count())
	}
	if !bytes.HasSuffix(read(t, path+".checkpoints"), block) || bytes.Count(block, []byte("\n")) != 7 {
		t.Errorf("it stands in the file as %q", block)
	}
	if again, same, err := l.Checkpoint(t.Context()); !bytes.Equal(same, block) || err != nil || again != c || count() != 4 {
		t.Errorf("with nothing new: %+v, %v, %d of them", again, err, count())
	}
	s := whole(t, path, ledger.VerifyOptions{Checkpoints: notesOf(t, path)})
	if s.Checkpoints != 4 || s.Signed != s.Head.Seq {
		t.Errorf("%+v", s)
	}
}

func TestARotationSignsTheLastRecordOfTheOldFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "l")
	l, err := ledger.Open(path, ledger.Options{
		Now: newClock().Now, Rotation: ledger.Rotation{Size: 900}, Checkpoints: ledger.Checkpoints{Signer: signer(t)},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for range 6 {
		add(t, l, ledger.TypeStart, body{})
	}
	files := closedFiles(t, path)
	s := whole(t, path, ledger.VerifyOptions{Checkpoints: notesOf(t, path)})
	if len(files) < 2 || s.Checkpoints != uint64(len(files)) {
		t.Errorf("%d segments, %+v", len(files), s)
	}
}

func TestAttackTheEndIsCutOffAfterACheckpoint(t *testing.T) {
	t.Parallel()
	path, content, notes := signed(t, 5)
	cut := content
	for range 2 {
		cut = cut[:bytes.LastIndexByte(cut[:len(cut)-1], '\n')+1]
	}
	if ce := problem(t, cut, ledger.VerifyOptions{}); ce != nil {
		t.Errorf("without checkpoints: %v", ce)
	}
	ce := problem(t, cut, ledger.VerifyOptions{Checkpoints: notesIn(t, notes, verifierOf(t))})
	if ce == nil || ce.Problem != ledger.ProblemTruncated || ce.Seq != 4 {
		t.Errorf("got %v, want %s", ce, ledger.ProblemTruncated)
	}
	// The gate itself notices, too, and records nothing.
	write(t, path, cut)
	l := openSigned(t, path, newClock(), ledger.Checkpoints{Every: 2})
	_, err := l.Append(t.Context(), ledger.Event{Type: ledger.TypeStart, Behind: false, Body: body{}})
	var tail *ledger.TailError
	if !errors.As(err, &tail) && !strings.Contains(fmt.Sprint(err), "clock") {
		t.Errorf("append: got %v, want *TailError", err)
	}
	later := newClock()
	later.move(time.Hour)
	_, err = openSigned(t, path, later, ledger.Checkpoints{Every: 2}).Append(t.Context(), ledger.Event{Type: ledger.TypeStart, Body: body{}})
	if !errors.As(err, &tail) {
		t.Errorf("append: got %v, want *TailError", err)
	}
}

func TestAttackOnCheckpointsIsFound(t *testing.T) {
	t.Parallel()
	_, content, notes := signed(t, 7)
	one := notes[:bytes.Index(notes, []byte("\n\nweb-01"))+2]
	second := bytes.TrimPrefix(notes, one)
	two := second[:bytes.Index(second, []byte("\n\nweb-01"))+2]
	_, stranger := key(t, "web-01", "a stranger's")
	_, namesake := key(t, "web-02", "its own")
	for name, c := range map[string]struct {
		content, notes []byte
		key            note.Verifier
		problem        ledger.Problem
	}{
		"nothing happened":                      {content, notes, nil, ""},
		"the ledger was written anew":           {rechain(t, bytes.ReplaceAll(content, []byte(`"n"`), []byte(`"m"`))), notes, nil, ledger.ProblemRewritten},
		"a stranger's key":                      {content, notes, stranger, ledger.ProblemKey},
		"a key of another name":                 {content, notes, namesake, ledger.ProblemKey},
		"the hash is another":                   {content, bytes.Replace(notes, one[9:20], []byte("00000000000"), 1), nil, ledger.ProblemForged},
		"the number is another":                 {content, bytes.Replace(notes, []byte("web-01\n2\n"), []byte("web-01\n3\n"), 1), nil, ledger.ProblemForged},
		"the origin is another":                 {content, bytes.Replace(notes, []byte("web-01\n2\n"), []byte("web-02\n2\n"), 1), nil, ledger.ProblemForged},
		"an older one is put behind":            {content, append(bytes.Clone(notes), one...), nil, ledger.ProblemRollback},
		"two change places":                     {content, append(append([]byte{}, two...), one...), nil, ledger.ProblemRollback},
		"the last one has lost its end":         {content, notes[:len(notes)-1], nil, ledger.ProblemIncomplete},
		"the last one has lost its signature":   {content, notes[:bytes.LastIndex(notes, []byte("\u2014"))], nil, ledger.ProblemIncomplete},
		"there is none any more":                {content, nil, nil, ledger.ProblemUnsigned},
		"something else":                        {content, []byte("x\n\ny\n\n"), nil, ledger.ProblemNote},
		"a line that is too long":               {content, bytes.Repeat([]byte("x"), 1<<20), nil, ledger.ProblemNote},
		"an extra line":                         {content, bytes.Replace(notes, []byte("Z\n\n"), []byte("Z\nmore\n\n"), 1), nil, ledger.ProblemNote},
		"a number with a zero in front":         {content, bytes.Replace(notes, []byte("\n2\n"), []byte("\n02\n"), 1), nil, ledger.ProblemNote},
		"a second signature":                    {content, bytes.Replace(notes, []byte("\n\nweb"), []byte("\n\u2014 x AAAAAAA=\n\nweb"), 1), nil, ledger.ProblemNote},
		"checkpoints without the ledger's end":  {content[:bytes.IndexByte(content, '\n')+1], notes, nil, ledger.ProblemTruncated},
		"a checkpoint of another ledger's text": {rechain(t, content[:bytes.IndexByte(content, '\n')+1]), notes, nil, ledger.ProblemTruncated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.key == nil {
				c.key = verifierOf(t)
			}
			ce := problem(t, c.content, ledger.VerifyOptions{Checkpoints: notesIn(t, c.notes, c.key)})
			switch {
			case c.problem == "" && ce != nil:
				t.Errorf("got %v", ce)
			case c.problem != "" && (ce == nil || ce.Problem != c.problem || ce.File != "notes"):
				t.Errorf("got %v, want %s", ce, c.problem)
			}
		})
	}
}

// Every byte of a checkpoint is covered by its signature, or has one form.
func TestNoFlippedBitOfACheckpointHolds(t *testing.T) {
	t.Parallel()
	_, content, notes := signed(t, 3)
	for i := range notes {
		for _, bit := range []byte{1, 0x20, 0x80} {
			changed := bytes.Clone(notes)
			changed[i] ^= bit
			if ce := problem(t, content, ledger.VerifyOptions{Checkpoints: notesIn(t, changed, verifierOf(t))}); ce == nil {
				t.Errorf("bit %#x of byte %d (%q): it holds", bit, i, notes[i])
			}
		}
	}
}

func TestCheckpointsWithoutAKeySayNothing(t *testing.T) {
	t.Parallel()
	if _, err := ledger.NewCheckpointReader("notes", strings.NewReader("")); err == nil {
		t.Error("they were accepted")
	}
	l := open(t, filepath.Join(t.TempDir(), "l"), newClock().Now)
	if _, _, err := l.Checkpoint(t.Context()); !errors.Is(err, ledger.ErrNoSigner) {
		t.Errorf("got %v, want ErrNoSigner", err)
	}
}

// A crash in the middle of a checkpoint, wherever, is mended before the next
// append.
func TestATornCheckpointIsCutOff(t *testing.T) {
	t.Parallel()
	path, content, notes := signed(t, 5)
	clock := newClock()
	clock.move(time.Hour)
	second := bytes.Index(notes, []byte("\n\nweb-01")) + 2
	for cut := 0; cut < len(notes); cut += 5 {
		write(t, path, content)
		write(t, path+".checkpoints", notes[:cut])
		l := openSigned(t, path, clock, ledger.Checkpoints{Every: 2})
		add(t, l, ledger.TypeStart, body{})
		_ = l.Close()
		if s := whole(t, path, ledger.VerifyOptions{Checkpoints: notesOf(t, path)}); s.Signed != 5 {
			t.Errorf("cut at %d of %d: %+v", cut, second, s)
		}
	}
}

func FuzzCheckpoints(f *testing.F) {
	s, v := key(f, "web-01", "its own")
	content := chained(f, 3)
	sum, err := ledger.Verify(bytes.NewReader(content), ledger.VerifyOptions{})
	if err != nil {
		f.Fatal(err)
	}
	text := fmt.Sprintf("web-01\n%d\n%s\n2026-11-22T13:00:00.000000000Z\n", sum.Head.Seq, sum.Head.Hash)
	good, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		f.Fatal(err)
	}
	good = append(good, '\n')
	f.Add(good)
	f.Add(append(bytes.Clone(good), good...))
	f.Add(good[:len(good)-1])
	f.Add([]byte("\n\n\u2014 \n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ledger.Verify(bytes.NewReader(content), ledger.VerifyOptions{Checkpoints: notesIn(t, data, v)})
		var ce *ledger.ChainError
		switch {
		case err != nil && !errors.As(err, &ce):
			t.Fatalf("an error of another type: %v", err)
		case err == nil && !bytes.Equal(data, bytes.Repeat(good, int(got.Checkpoints))):
			t.Fatalf("%q holds", data)
		}
	})
}

// Longer than before, so that its length says nothing.
func TestAttackTheLedgerIsRewrittenAndGoesOnBehindACheckpoint(t *testing.T) {
	t.Parallel()
	for name, rotation := range map[string]ledger.Rotation{"in one file": {}, "in several": {Size: 1500}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, _, _ := signed(t, 5)
			other, clock := filepath.Join(t.TempDir(), "l"), newClock()
			l, err := ledger.Open(other, ledger.Options{Now: clock.Now, Rotation: rotation})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 20 {
				add(t, l, ledger.TypeStart, body{"other": i})
			}
			files, err := filepath.Glob(other + "*")
			if err != nil || len(files) == 1 != (rotation == ledger.Rotation{}) {
				t.Fatalf("%v, %v", files, err)
			}
			for _, file := range files {
				if err := os.WriteFile(path+strings.TrimPrefix(file, other), read(t, file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var damaged *ledger.TailError
			mine := openSigned(t, path, clock, ledger.Checkpoints{Every: 100})
			if _, err := mine.Append(t.Context(), ledger.Event{Type: ledger.TypeStart, Body: body{}}); !errors.As(err, &damaged) {
				t.Errorf("got %v, want *TailError", err)
			}
		})
	}
}

func TestCheckpointsWhoseTimesGoBackAreFound(t *testing.T) {
	t.Parallel()
	_, content, _ := signed(t, 3)
	head := verify(t, content).Head
	at := func(clock string) string {
		n, err := note.Sign(&note.Note{Text: fmt.Sprintf("web-01\n%d\n%s\n2026-11-22T%s.000000000Z\n", head.Seq, head.Hash, clock)}, signer(t))
		if err != nil {
			t.Fatal(err)
		}
		return string(n) + "\n"
	}
	for notes, want := range map[string]ledger.Problem{
		at("23:00:00") + at("23:00:01"): "",
		at("23:00:01") + at("23:00:00"): ledger.ProblemRollback,
		at("11:00:00"):                  ledger.ProblemRollback, // before the record that it is of
	} {
		_, err := ledger.Verify(bytes.NewReader(content), ledger.VerifyOptions{Checkpoints: notesIn(t, []byte(notes), verifierOf(t))})
		var found *ledger.ChainError
		if errors.As(err, &found) != (want != "") || found != nil && found.Problem != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestWhatIsMoreThanACheckpointCutShortIsNotCutOff(t *testing.T) {
	t.Parallel()
	path, _, notes := signed(t, 3)
	if err := os.WriteFile(path+".checkpoints", append(notes, bytes.Repeat([]byte("x"), 1500)...), 0o600); err != nil {
		t.Fatal(err)
	}
	var damaged *ledger.TailError
	l := openSigned(t, path, newClock(), ledger.Checkpoints{Every: 2})
	if _, err := l.Append(t.Context(), ledger.Event{Type: ledger.TypeEnd, Body: body{}}); err != nil {
		t.Fatal(err) // what has happened is recorded
	}
	clock := newClock()
	clock.now = clock.now.Add(time.Hour)
	l = openSigned(t, path, clock, ledger.Checkpoints{Every: 2})
	if _, err := l.Append(t.Context(), ledger.Event{Type: ledger.TypeStart, Body: body{}}); !errors.As(err, &damaged) {
		t.Errorf("got %v, want *TailError", err)
	}
}

// Somebody has cut a file in two, where no rotation was.
func TestAttackASegmentThatNoRotationMade(t *testing.T) {
	t.Parallel()
	path, content, _ := signed(t, 4)
	lines := bytes.SplitAfter(content, []byte("\n"))
	for name, part := range map[string][][]byte{".00000000000000000001": lines[:2], "": lines[2:]} {
		if err := os.WriteFile(path+name, bytes.Join(part, nil), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := ledger.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var found *ledger.ChainError
	if _, err := ledger.Verify(r, ledger.VerifyOptions{}); !errors.As(err, &found) || found.Problem != ledger.ProblemSegment {
		t.Errorf("got %v, want %q", err, ledger.ProblemSegment)
	}
}
