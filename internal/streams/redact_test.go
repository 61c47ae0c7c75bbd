package streams_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/streams"
)

// redacted is what comes of a text that comes in pieces of a size.
func redacted(text string, size int, secrets ...string) string {
	r := streams.NewRedactor(secrets)
	var out strings.Builder
	for piece := range pieces(text, size) {
		out.Write(r.Next([]byte(piece)))
	}
	out.Write(r.Rest())
	return out.String()
}

func TestSecretsAreTakenOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		secrets    []string
		text, want string
	}{
		"none":                      {nil, "hunter2", "hunter2"},
		"an empty one":              {[]string{""}, "hunter2", "hunter2"},
		"one":                       {[]string{"hunter2"}, "a hunter2 b hunter2", "a *** b ***"},
		"side by side":              {[]string{"ab"}, "ababab", "*********"},
		"one that is not whole":     {[]string{"hunter2"}, "a hunter b hunter", "a hunter b hunter"},
		"the longest of several":    {[]string{"ab", "abcd"}, "abc abcd", "***c ***"},
		"one that lies in another":  {[]string{"bc", "abcd"}, "abcx abcd", "a***x ***"},
		"one that overlaps another": {[]string{"abc", "cde"}, "abcde", "***de"},
		"a false beginning":         {[]string{"aab"}, "aaab", "a***"},
		"one character":             {[]string{"7"}, "1 7 77", "1 *** ******"},
		"with a line end":           {[]string{"one\ntwo"}, "one\r\ntwo, one\ntwo, one two", "***, ***, one two"},
	} {
		for size := 1; size <= len(c.text)+1; size++ {
			if got := redacted(c.text, size, c.secrets...); got != c.want {
				t.Errorf("%s, in pieces of %d: %q, want %q", name, size, got, c.want)
			}
		}
	}
}

func TestAttackSecretInAnotherForm(t *testing.T) {
	t.Parallel()
	const secret = "p<ä>ss \"w\"&\\\nsecond line of it"
	encoded, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"as it is": secret, "JSON": string(encoded), "quoted": fmt.Sprintf("%q", secret), "quoted in ASCII": fmt.Sprintf("%+q", secret),
		"in a query": url.QueryEscape(secret), "in a path": url.PathEscape(secret),
		"base64": base64.StdEncoding.EncodeToString([]byte(secret)), "base64 for addresses": base64.URLEncoding.EncodeToString([]byte(secret)),
		"a line of it": "second line of it", "with other line ends": strings.ReplaceAll(secret, "\n", "\r\n"),
	} {
		got := redacted("before "+text+" after", 5, secret)
		if strings.ContainsAny(got, "wäc") || !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// What cannot be the beginning of a secret is passed on at once: a runbook that says
// something and waits is heard.
func TestOnlyThatIsKeptBackWhichMayBecomeASecret(t *testing.T) {
	t.Parallel()
	r := streams.NewRedactor([]string{"hunter2"})
	for _, step := range []struct{ piece, want string }{
		{"wait", "wait"}, {" h", " "}, {"un", ""}, {"t!", "hunt!"}, {"hunter", ""}, {"2", "***"},
	} {
		if got := string(r.Next([]byte(step.piece))); got != step.want {
			t.Errorf("after %q: %q, want %q", step.piece, got, step.want)
		}
	}
	r.Next([]byte("hun"))
	clone := r.Clone()
	if got := string(clone.Next([]byte("ter2"))); got != streams.Mask {
		t.Errorf("the clone gives %q", got)
	}
	if got := string(r.Rest()); got != "hun" {
		t.Errorf("at the end: %q", got)
	}
}

// reference is the rule without pieces: at each place the longest that stands there.
func reference(text string, secrets []string) string {
	var out strings.Builder
	for text != "" {
		longest := ""
		for _, s := range secrets {
			if len(s) > len(longest) && strings.HasPrefix(text, s) {
				longest = s
			}
		}
		if longest == "" {
			out.WriteByte(text[0])
			text = text[1:]
			continue
		}
		out.WriteString(streams.Mask)
		text = text[len(longest):]
	}
	return out.String()
}

func FuzzRedactor(f *testing.F) {
	f.Add("a hunter2 b hunter", "hunter2", "unt", 3)
	f.Add("aaaaabaaaab", "aaab", "aab", 1)
	f.Add("line one\r\nline two", "line one\nline two", "", 4)
	f.Add("abababac", "ababac", "abab", 2)
	f.Fuzz(func(t *testing.T, text, one, two string, size int) {
		size = max(1, size)
		secrets := []string{one, two}
		whole := redacted(text, len(text)+1, secrets...)
		if split := redacted(text, size, secrets...); split != whole {
			t.Fatalf("in pieces of %d: %q, want %q", size, split, whole)
		}
		if want := reference(text, streams.Forms(secrets)); whole != want {
			t.Fatalf("%q, want %q", whole, want)
		}
	})
}

func BenchmarkRedactor(b *testing.B) {
	text := []byte(strings.Repeat("2026-11-22 12:00:00 something happened to a thing, and that is what is said of it\n", 800))
	r := streams.NewRedactor([]string{"hunter2 and more", "s3cr3t"})
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		r.Next(text)
	}
}
