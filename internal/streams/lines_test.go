package streams_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/streams"
)

// sorted are the lines of a text that comes in pieces of a size.
func sorted(stream, text string, limit, size int) (lines []string, counts streams.Counts) {
	l := streams.NewLines(stream, limit)
	c := streams.NewCounter(stream)
	take := func(line streams.Line) {
		entry := line.Stream + "|" + string(line.Text)
		if line.Cut {
			entry += "|cut"
		}
		lines = append(lines, entry)
	}
	for piece := range pieces(text, size) {
		l.Write([]byte(piece), take)
		c.Write([]byte(piece))
	}
	l.Close(take)
	c.Close()
	return lines, c.Counts()
}

func pieces(text string, size int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for len(text) > 0 {
			n := min(size, len(text))
			if !yield(text[:n]) {
				return
			}
			text = text[n:]
		}
	}
}

func TestLinesAreSortedAsHybridWorkersSortThem(t *testing.T) {
	t.Parallel()
	const text = "plain\r\nDEBUG: a\nDebug: b\ndebug:c\nDeBUG: no\nVERBOSE: d\nWARNING: e\nWarning\nERROR: f\n error: no\n\nWARNIN\nerror:\nlast"
	want := []string{
		"Output|plain", "Debug|DEBUG: a", "Debug|Debug: b", "Debug|debug:c", "Output|DeBUG: no", "Verbose|VERBOSE: d",
		"Warning|WARNING: e", "Output|Warning", "Error|ERROR: f", "Output| error: no", "Output|", "Output|WARNIN", "Error|error:", "Output|last",
	}
	for size := 1; size <= len(text); size++ {
		got, counts := sorted("", text, 100, size)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("in pieces of %d: %s", size, diff)
		}
		if c := (streams.Counts{Output: 7, Error: 2, Warning: 1, Verbose: 1, Debug: 3}); counts != c {
			t.Fatalf("in pieces of %d: %+v", size, counts)
		}
	}
}

func TestAllOfStandardErrorIsErrors(t *testing.T) {
	t.Parallel()
	got, counts := sorted(streams.Error, "DEBUG: a\nb\n", 100, 3)
	if diff := cmp.Diff([]string{"Error|DEBUG: a", "Error|b"}, got); diff != "" || counts != (streams.Counts{Error: 2}) {
		t.Error(diff, counts)
	}
}

func TestLongLinesAreCut(t *testing.T) {
	t.Parallel()
	const text = "12345678\n123456789\n12345678\r\n1234567\r\nVERBOSE:123\n123456789"
	want := []string{"Output|12345678", "Output|12345678|cut", "Output|12345678|cut", "Output|1234567", "Verbose|VERBOSE:|cut", "Output|12345678|cut"}
	for size := 1; size <= len(text); size++ {
		got, _ := sorted("", text, 8, size)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("in pieces of %d: %s", size, diff)
		}
	}
}

func FuzzLines(f *testing.F) {
	f.Add("DEBUG: a\r\nb\nVERBOSE:\n\nlast", 3, 9)
	f.Add("\n\r\n\r", 1, 8)
	f.Add(strings.Repeat("x", 100)+"\nWarning: y", 64, 8)
	f.Fuzz(func(t *testing.T, text string, size, limit int) {
		size, limit = max(1, size), max(8, min(limit, 1000))
		whole, counts := sorted("", text, limit, len(text)+1)
		split, splitCounts := sorted("", text, limit, size)
		if diff := cmp.Diff(whole, split); diff != "" || counts != splitCounts {
			t.Fatalf("in pieces of %d: %s", size, diff)
		}
		var listed streams.Counts
		for _, line := range whole {
			stream, _, _ := strings.Cut(line, "|")
			*map[string]*int64{
				streams.Output: &listed.Output, streams.Error: &listed.Error, streams.Warning: &listed.Warning,
				streams.Verbose: &listed.Verbose, streams.Debug: &listed.Debug,
			}[stream]++
		}
		if listed != counts {
			t.Fatalf("counted %+v, want %+v", counts, listed)
		}
		n := strings.Count(text, "\n")
		if text != "" && !strings.HasSuffix(text, "\n") {
			n++
		}
		if len(whole) != n {
			t.Fatalf("%d lines, want %d", len(whole), n)
		}
	})
}

func BenchmarkShortLines(b *testing.B) {
	text := []byte(strings.Repeat("y\n", 32<<10))
	c := streams.NewCounter("")
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		c.Write(text)
	}
}

func BenchmarkLinesOfALog(b *testing.B) {
	text := []byte(strings.Repeat("2026-11-22 12:00:00 something happened to a thing, and that is what is said of it\n", 800))
	c := streams.NewCounter("")
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		c.Write(text)
	}
}
