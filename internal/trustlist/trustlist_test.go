package trustlist_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/trustlist"
)

func TestParseReadsEntriesFieldsAndComments(t *testing.T) {
	t.Parallel()
	const file = "# head\r\n\n" +
		"sha256:ab12   # leaked, see #7\r\n" +
		"x509-serial:0f issuer=\"CN=A \\\"b\\\" # c,O=D\"\teku=1.2.3 # why\n" +
		"  revocation:require"
	got, err := trustlist.Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	want := []trustlist.Entry{
		{Line: 3, Kind: "sha256", Value: "ab12", Why: "leaked, see #7"},
		{Line: 4, Kind: "x509-serial", Value: "0f", Fields: map[string]string{"issuer": `CN=A "b" # c,O=D`, "eku": "1.2.3"}, Why: "why"},
		{Line: 5, Kind: "revocation", Value: "require"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseRefusesWhatItCannotReadAndNamesTheLine(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"no colon":             "word",
		"no kind":              ":x",
		"a second word":        "a:b c",
		"a comment, unmarked":  "a:b leaked key",
		"a comment unquoted":   "a:b issuer=CN=A B # why",
		"a field twice":        "a:b c=d c=e",
		"an empty field":       "a:b c= # why",
		"an open quote":        `a:b c="d`,
		"text behind a quote":  `a:b c="d"e`,
		"an empty quote":       `a:b c=""`,
		"a quote in a value":   `a:b c=d"e"`,
		"a byte-order mark":    "\uFEFFa:b",
		"bytes, not UTF-8":     "a:b\xFF",
		"UTF-16":               "a\x00:\x00b\x00",
		"a bidi override":      "a:b # \u202E",
		"a zero-width space":   "a:b\u200B",
		"a no-break space":     "a:b\u00A0c=d",
		"a lone CR":            "a:b\ra:c",
		"a line that is long":  "a:" + strings.Repeat("b", trustlist.MaxLine),
		"more fields than any": "a:b c=1 d=1 e=1 f=1 g=1 h=1 i=1 j=1 k=1",
	} {
		_, err := trustlist.Parse([]byte("# first\n" + file))
		var se *trustlist.SyntaxError
		if !errors.As(err, &se) || se.Line != 2 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := trustlist.Parse([]byte(strings.Repeat("a:b\n", trustlist.MaxEntries+1))); err == nil {
		t.Error("there is no limit to entries")
	}
}

func TestOnlyRefusesFieldsThatAKindDoesNotHave(t *testing.T) {
	t.Parallel()
	e := trustlist.Entry{Line: 4, Kind: "k", Fields: map[string]string{"a": "1", "b": "2"}}
	if err := e.Only("a", "b", "c"); err != nil {
		t.Error(err)
	}
	if err := e.Only("a"); err == nil || !strings.Contains(err.Error(), `line 4: k has no field "b"`) {
		t.Error(err)
	}
}

// FuzzTrustList: whatever is read stands in the file, line by line.
func FuzzTrustList(f *testing.F) {
	f.Add([]byte("sha256:ab # why\nx509-serial:0f issuer=\"CN=A\\\\, B\"\n"))
	f.Add([]byte("a:b c=\"d\" e=f # g"))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := trustlist.Parse(data)
		if err != nil && entries != nil {
			t.Fatal("entries beside an error")
		}
		lines := strings.Split(string(data), "\n")
		last := 0
		for _, e := range entries {
			if e.Line <= last || e.Line > len(lines) || e.Kind == "" || !strings.HasPrefix(strings.TrimSpace(lines[e.Line-1]), e.Kind+":"+e.Value) {
				t.Fatalf("%+v is not line %d", e, e.Line)
			}
			last = e.Line
		}
	})
}
