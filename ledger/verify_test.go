package ledger_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/runwrit/writ/ledger"
)

func sha256Sum(s string) [32]byte { return sha256.Sum256([]byte(s)) }

// problem verifies content and returns what is wrong with it; nil if nothing is.
func problem(t *testing.T, content []byte, o ledger.VerifyOptions) *ledger.ChainError {
	t.Helper()
	_, err := ledger.Verify(bytes.NewReader(content), o)
	if err == nil {
		return nil
	}
	var ce *ledger.ChainError
	if !errors.As(err, &ce) {
		t.Fatalf("got %v, want *ChainError", err)
	}
	return ce
}

func TestVerifyFindsEveryByteThatIsChanged(t *testing.T) {
	t.Parallel()
	_, content := written(t, 4)
	found := 0
	for i := range content {
		for _, flip := range []byte{0x01, 0x20, 0x80} {
			edited := bytes.Clone(content)
			edited[i] ^= flip
			ce := problem(t, edited, ledger.VerifyOptions{})
			if ce == nil {
				t.Fatalf("byte %d changed by %02x was not found", i, flip)
			}
			if want := 1 + bytes.Count(content[:i], []byte("\n")); ce.Line != want {
				t.Errorf("byte %d is in line %d, the error says line %d: %v", i, want, ce.Line, ce)
			}
			found++
		}
	}
	if found < 2500 {
		t.Errorf("only %d edits were tried", found)
	}
}

func TestVerifyFindsEveryByteThatIsInsertedOrRemoved(t *testing.T) {
	t.Parallel()
	_, content := written(t, 3)
	for i := range content {
		for _, edited := range [][]byte{
			slices.Delete(bytes.Clone(content), i, i+1),
			slices.Insert(bytes.Clone(content), i, '\n'),
			slices.Insert(bytes.Clone(content), i, ' '),
			slices.Insert(bytes.Clone(content), i, content[i]),
		} {
			if bytes.Equal(edited, content) {
				t.Fatal("nothing was edited")
			}
			if problem(t, edited, ledger.VerifyOptions{}) == nil {
				t.Fatalf("an edit at byte %d was not found:\n%s", i, edited)
			}
		}
	}
}

func TestVerifySaysWhichLineAndWhatIsWrong(t *testing.T) {
	t.Parallel()
	_, content := written(t, 5)
	l := bytes.SplitAfter(content, []byte("\n"))[:5]
	join := func(lines ...[]byte) []byte { return bytes.Join(lines, nil) }
	edit := func(line []byte, old, replacement string) []byte {
		edited := bytes.Replace(line, []byte(old), []byte(replacement), 1)
		if bytes.Equal(edited, line) {
			t.Fatalf("%q is not in %s", old, line)
		}
		return edited
	}
	// rehash gives an edited line the hash that fits.
	rehash := func(line []byte) []byte {
		part, _, _ := strings.Cut(string(line), `,"hash":"`)
		h := ledger.Hash(sha256Sum(part + "}"))
		return []byte(part + `,"hash":"` + h.String() + "\"}\n")
	}
	for name, c := range map[string]struct {
		content []byte
		problem ledger.Problem
		line    int
		seq     uint64
	}{
		"an empty file":                    {nil, ledger.ProblemEmpty, 1, 1},
		"an edited body":                   {join(l[0], l[1], edit(l[2], `"n":2`, `"n":9`), l[3]), ledger.ProblemEdited, 3, 3},
		"an edited body with a fresh hash": {join(l[0], l[1], rehash(edit(l[2], `"n":2`, `"n":9`)), l[3]), ledger.ProblemChain, 4, 4},
		"a line that was removed":          {join(l[0], l[1], l[3], l[4]), ledger.ProblemSequence, 3, 4},
		"the first line removed":           {join(l[1], l[2]), ledger.ProblemSequence, 1, 2},
		"a line that is there twice":       {join(l[0], l[1], l[1], l[2]), ledger.ProblemSequence, 3, 2},
		"two lines in the other order":     {join(l[0], l[2], l[1], l[3]), ledger.ProblemSequence, 2, 3},
		"renumbered after a removal":       {join(l[0], l[1], rehash(edit(l[3], `"seq":4`, `"seq":3`))), ledger.ProblemChain, 3, 3},
		"a line cut in the middle":         {join(l[0], l[1][:40], []byte("\n"), l[2]), ledger.ProblemMalformed, 2, 2},
		"a last line without its end":      {join(l[0], bytes.TrimSuffix(l[1], []byte("\n"))), ledger.ProblemIncomplete, 2, 2},
		"an empty line":                    {join(l[0], []byte("\n"), l[1]), ledger.ProblemMalformed, 2, 2},
		"an empty line at the end":         {join(l[0], []byte("\n")), ledger.ProblemMalformed, 2, 2},
		"a line that is too long":          {join(l[0], bytes.Repeat([]byte("x"), ledger.MaxRecord), []byte("\n")), ledger.ProblemMalformed, 2, 2},
		"CRLF":                             {bytes.ReplaceAll(content, []byte("\n"), []byte("\r\n")), ledger.ProblemMalformed, 1, 1},
		"a byte order mark":                {join([]byte("\ufeff"), content), ledger.ProblemMalformed, 1, 1},
		"an unknown field":                 {join(rehash(edit(l[0], `,"body":`, `,"note":1,"body":`))), ledger.ProblemMalformed, 1, 1},
		"a field in another place":         {join(rehash(edit(l[0], `"seq":1,"prev"`, `"prev":1,"seq"`))), ledger.ProblemMalformed, 1, 1},
		"a second body":                    {join(rehash(edit(l[0], `"body":{`, `"body":{},"body":{`))), ledger.ProblemMalformed, 1, 1},
		"a key twice inside the body":      {join(rehash(edit(l[0], `"n":0`, `"n":0,"n":0`))), ledger.ProblemMalformed, 1, 1},
		"white space":                      {join(rehash(edit(l[0], `"n":0`, `"n": 0`))), ledger.ProblemMalformed, 1, 1},
		"a sequence number with a zero":    {join(rehash(edit(l[0], `"seq":1`, `"seq":01`))), ledger.ProblemMalformed, 1, 1},
		"the sequence number zero":         {join(rehash(edit(l[0], `"seq":1`, `"seq":0`))), ledger.ProblemMalformed, 1, 1},
		"a sequence number beyond 64 bits": {join(rehash(edit(l[0], `"seq":1`, `"seq":18446744073709551617`))), ledger.ProblemMalformed, 1, 1},
		"a time of another form":           {join(rehash(edit(l[0], `.000000000Z`, `Z`))), ledger.ProblemMalformed, 1, 1},
		"a time of another zone":           {join(rehash(edit(l[0], `.000000000Z`, `.000000000+00:00`))), ledger.ProblemMalformed, 1, 1},
		"a day that does not exist":        {join(rehash(edit(l[0], `2026-11-22`, `2026-11-31`))), ledger.ProblemMalformed, 1, 1},
		"an unknown type":                  {join(rehash(edit(l[0], `"decision"`, `"decisions"`))), ledger.ProblemMalformed, 1, 1},
		"a hash in capitals":               {join([]byte(strings.ToUpper(string(l[0])))), ledger.ProblemMalformed, 1, 1},
		"a time before the one before":     {join(l[0], rehash(edit(l[1], `12:00:02`, `11:00:02`))), ledger.ProblemTime, 2, 2},
		"a body nested deeply":             {join(rehash(edit(l[0], `"n":0`, `"n":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)))), ledger.ProblemMalformed, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ce := problem(t, c.content, ledger.VerifyOptions{})
			if ce == nil {
				t.Fatal("it was found intact")
			}
			if ce.Problem != c.problem || ce.Line != c.line || ce.Seq != c.seq {
				t.Errorf("got %v, want %s in line %d, record %d", ce, c.problem, c.line, c.seq)
			}
			for _, r := range ce.Error() {
				if r < 0x20 || r == 0x7f {
					t.Errorf("the message holds the control character %q", r)
				}
			}
		})
	}
}

// A chain without a key cannot show what was cut off its end, or that it was
// computed anew; a head that was noted elsewhere shows both.
func TestANotedHeadShowsWhatTheFileAloneCannot(t *testing.T) {
	t.Parallel()
	_, content := written(t, 5)
	head := verify(t, content).Head
	short := content[:bytes.LastIndexByte(content[:len(content)-1], '\n')+1]
	anew := bytes.ReplaceAll(content, []byte(`"who"`), []byte(`"how"`))
	anew = rechain(t, anew)
	for name, c := range map[string]struct {
		content []byte
		want    ledger.Problem
	}{
		"nothing happened":        {content, ""},
		"the last record is gone": {short, ledger.ProblemHead},
		"a new chain":             {anew, ledger.ProblemHead},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if ce := problem(t, c.content, ledger.VerifyOptions{}); ce != nil {
				t.Errorf("without a head: %v", ce)
			}
			ce := problem(t, c.content, ledger.VerifyOptions{Head: head})
			switch {
			case c.want == "" && ce != nil:
				t.Errorf("with the head: %v", ce)
			case c.want != "" && (ce == nil || ce.Problem != c.want):
				t.Errorf("with the head: got %v, want %s", ce, c.want)
			}
		})
	}
	t.Run("a ledger that has grown since still holds the head", func(t *testing.T) {
		t.Parallel()
		early := verify(t, short).Head
		if ce := problem(t, content, ledger.VerifyOptions{Head: early}); ce != nil {
			t.Error(ce)
		}
	})
}

// rechain computes all hashes anew.
func rechain(t *testing.T, content []byte) []byte {
	t.Helper()
	var out []byte
	prev := strings.Repeat("0", 64)
	for line := range strings.Lines(string(content)) {
		part, _, _ := strings.Cut(line, `,"hash":"`)
		i := strings.Index(part, `"prev":"`) + len(`"prev":"`)
		part = part[:i] + prev + part[i+64:]
		prev = ledger.Hash(sha256Sum(part + "}")).String()
		out = append(out, part+`,"hash":"`+prev+"\"}\n"...)
	}
	return out
}

func TestParseHead(t *testing.T) {
	t.Parallel()
	h := ledger.Head{Seq: 12, Hash: ledger.Hash(sha256Sum("x"))}
	got, err := ledger.ParseHead(h.String())
	if err != nil || got != h {
		t.Errorf("got %v, %v", got, err)
	}
	digits := h.Hash.String()
	for _, bad := range []string{"", "12", ":" + digits, "0:" + digits, "012:" + digits, "+1:" + digits, "-1:" + digits,
		"12:" + digits[1:], "12:" + strings.ToUpper(digits), "12:" + digits + "0", "12:" + digits + ":", "99999999999999999999:" + digits} {
		if _, err := ledger.ParseHead(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestAReaderThatFailsIsNotAFactAboutTheLedger(t *testing.T) {
	t.Parallel()
	_, content := written(t, 2)
	broken := errors.New("broken")
	s, err := ledger.Verify(io.MultiReader(bytes.NewReader(content), iotest.ErrReader(broken)), ledger.VerifyOptions{})
	var ce *ledger.ChainError
	if !errors.Is(err, broken) || errors.As(err, &ce) {
		t.Errorf("got %v", err)
	}
	if s.Records != 2 {
		t.Errorf("the intact beginning has %d records, want 2", s.Records)
	}
	if _, err := ledger.Verify(iotest.OneByteReader(bytes.NewReader(content)), ledger.VerifyOptions{}); err != nil {
		t.Errorf("byte by byte: %v", err)
	}
}

func TestScanStopsWhenTheVisitorDoes(t *testing.T) {
	t.Parallel()
	_, content := written(t, 3)
	enough := errors.New("enough")
	calls := 0
	_, err := ledger.Scan(bytes.NewReader(content), ledger.VerifyOptions{}, func(ledger.Record) error {
		calls++
		return enough
	})
	if !errors.Is(err, enough) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestMemoryDoesNotGrowWithTheLedger(t *testing.T) {
	t.Parallel()
	_, content := written(t, 1)
	lines := &endless{line: content}
	s, err := ledger.Verify(io.LimitReader(lines, 1<<30), ledger.VerifyOptions{})
	var ce *ledger.ChainError
	if !errors.As(err, &ce) || s.Records != 1 || lines.read > 2*ledger.MaxRecord {
		t.Errorf("%v after %d bytes", err, lines.read)
	}
	long := &endless{line: []byte("x")}
	_, err = ledger.Verify(long, ledger.VerifyOptions{})
	if !errors.As(err, &ce) || long.read > 2*ledger.MaxRecord {
		t.Errorf("%v after %d bytes of one line", err, long.read)
	}
}

// endless repeats a line for ever.
type endless struct {
	line []byte
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.line[(e.read+i)%len(e.line)]
	}
	e.read += len(p)
	return len(p), nil
}

func FuzzVerify(f *testing.F) {
	path := f.TempDir() + "/l"
	l, err := ledger.Open(path, ledger.Options{Now: newClock().Now})
	if err != nil {
		f.Fatal(err)
	}
	for i := range 3 {
		if _, err := l.Append(f.Context(), ledger.Event{Type: ledger.TypeStart, Body: body{"i": i, "s": "\u2028\""}}); err != nil {
			f.Fatal(err)
		}
	}
	_ = l.Close()
	content, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Add(content[:len(content)-1])
	f.Add(bytes.Replace(content, []byte(`"i":1`), []byte(`"i":[[{}]]`), 1))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		// Whatever the bytes are, an intact ledger is one whose records, written
		// again, give the same bytes.
		var again []byte
		s, err := ledger.Scan(bytes.NewReader(data), ledger.VerifyOptions{}, func(r ledger.Record) error {
			again = append(again, r.Line()...)
			return nil
		})
		var ce *ledger.ChainError
		switch {
		case err != nil && !errors.As(err, &ce):
			t.Fatalf("an error of another type: %v", err)
		case err == nil && !bytes.Equal(again, data):
			t.Fatalf("read as\n%s\nis\n%s", again, data)
		case err == nil && s.Records == 0:
			t.Fatal("nothing was found intact")
		}
	})
}
