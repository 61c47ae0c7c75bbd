package manifest_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/manifest"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
)

const header = runbook.ManifestHeader + "\n"

// line is a line of a manifest for that path.
func line(path string) string {
	return string(runbook.AppendManifestLine(nil, runbook.DigestOf([]byte(path)), false, path))
}

func TestAListIsWrittenAndReadBack(t *testing.T) {
	t.Parallel()
	l, err := manifest.New([]manifest.Entry{
		{Path: "lib/b.sh", Digest: runbook.DigestOf([]byte("b"))},
		{Path: "run me.sh", Executable: true, Digest: runbook.DigestOf([]byte("r"))},
		{Path: "lib/\u00fc-\u65e5\u672c.ps1", Digest: runbook.DigestOf([]byte("u"))},
		{Path: "lib-a", Digest: runbook.DigestOf([]byte("-"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	text := l.Render()
	again, err := manifest.Parse(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if diff := cmp.Diff(l.Entries(), again.Entries()); diff != "" {
		t.Error(diff)
	}
	if !bytes.Equal(again.Render(), text) {
		t.Errorf("read and written again it is\n%s", again.Render())
	}
	want := header +
		fmt.Sprintf("%s 0644 lib-a\n", runbook.DigestOf([]byte("-"))) +
		fmt.Sprintf("%s 0644 lib/b.sh\n", runbook.DigestOf([]byte("b"))) +
		fmt.Sprintf("%s 0644 lib/\u00fc-\u65e5\u672c.ps1\n", runbook.DigestOf([]byte("u"))) +
		fmt.Sprintf("%s 0755 run me.sh\n", runbook.DigestOf([]byte("r")))
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
	if e, ok := again.Lookup("run me.sh"); !ok || !e.Executable {
		t.Errorf("lookup gives %v, %v", e, ok)
	}
	if _, ok := again.Lookup("lib"); ok {
		t.Error("a folder is found as a file")
	}
}

// Each attack on the text, by what it tries.
func TestEveryOtherTextIsRefused(t *testing.T) {
	t.Parallel()
	good := line("a.sh")
	digest := runbook.DigestOf([]byte("a")).String()
	for name, text := range map[string]string{
		"nothing":                      "",
		"no file":                      header,
		"another version":              "writ-manifest/v2\n" + good,
		"no header":                    good,
		"header with a blank":          runbook.ManifestHeader + " \n" + good,
		"CR LF":                        strings.ReplaceAll(header+good, "\n", "\r\n"),
		"byte-order mark":              "\ufeff" + header + good,
		"empty line":                   header + "\n" + good,
		"empty line at the end":        header + good + "\n",
		"junk at the end":              header + good + "#",
		"no end of the last line":      strings.TrimSuffix(header+good, "\n"),
		"a comment":                    header + "# list\n" + good,
		"a second header":              header + good + header,
		"upper-case digest":            header + strings.ToUpper(digest) + " 0644 a.sh\n",
		"short digest":                 header + digest[1:] + " 0644 a.sh\n",
		"zero digest":                  header + strings.Repeat("0", 64) + " 0644 a.sh\n",
		"no mode":                      header + digest + " a.sh\n",
		"mode of a link":               header + digest + " 120000 a.sh\n",
		"set-uid mode":                 header + digest + " 4755 a.sh\n",
		"two blanks":                   header + digest + "  0644 a.sh\n",
		"two blanks before the path":   header + digest + " 0644  a.sh\n",
		"TAB":                          header + digest + "\t0644\ta.sh\n",
		"binary mark of sha256sum":     header + digest + " 0644 *a.sh\n",
		"trailing blank":               header + digest + " 0644 a.sh \n",
		"no path":                      header + digest + " 0644 \n",
		"duplicate":                    header + good + good,
		"duplicate, another digest":    header + digest + " 0644 a.sh\n" + good,
		"unsorted":                     header + line("b.sh") + line("a.sh"),
		"path traversal":               header + line("../a.sh"),
		"path traversal inside":        header + line("lib/../../a.sh"),
		"dot":                          header + line("./a.sh"),
		"absolute":                     header + line("/etc/passwd"),
		"drive":                        header + line("C:/a.ps1"),
		"backslash":                    header + line(`lib\a.ps1`),
		"UNC":                          header + line(`\\host\share\a.ps1`),
		"alternate data stream":        header + line("a.ps1:hidden"),
		"empty name":                   header + line("lib//a.sh"),
		"a folder":                     header + line("lib/"),
		"case-folding twins":           header + line("A.sh") + line("a.sh"),
		"case-folding twins, sharp":    header + line("k.sh") + line("\u212a.sh"),
		"case-folding twins of folder": header + line("Lib/a.sh") + line("lib/b.sh"),
		"a file and a folder":          header + line("lib") + line("lib/a.sh"),
		"a file and a folder, folded":  header + line("LIB") + line("lib/a.sh"),
		"not in normal form":           header + line("u\u0308.sh"),
		"escape sequence":              header + line("a\x1b[2K.sh"),
		"NUL":                          header + line("a\x00.sh"),
		"DEL":                          header + line("a\x7f.sh"),
		"C1 control":                   header + line("a\u0085.sh"),
		"bidirectional control":        header + line("a\u202ehs.txt"),
		"zero-width":                   header + line("a\u200b.sh"),
		"variation selector":           header + line("a\ufe0f.sh"),
		"no-break space":               header + line("a\u00a0.sh"),
		"line separator":               header + line("a\u2028.sh"),
		"not UTF-8":                    header + line("a\xff.sh"),
		"blank at the start of a name": header + line("lib/ a.sh"),
		"blank at the end of a folder": header + line("lib /a.sh"),
		"dot at the end":               header + line("lib./a.sh"),
		"device":                       header + line("lib/nul"),
		"device with extension":        header + line("COM1.txt"),
		"device with a raised digit":   header + line("lpt\u00b2"),
		"git's folder":                 header + line(".git/hooks/pre-commit"),
		"git's folder, folded":         header + line("sub/.GIT/config"),
		"the manifest itself":          header + line(manifest.Name),
		"the manifest itself, folded":  header + line("Writ.Manifest.ASC"),
		"a newline in a name":          header + digest + " 0644 a\nb.sh\n",
		"too deep":                     header + line(strings.Repeat("a/", manifest.MaxDepth)+"b"),
		"too long":                     header + line(strings.Repeat("abcdefg/", 150)+"b"),
		"too long a name":              header + line(strings.Repeat("a", manifest.MaxName+1)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var syntax *manifest.SyntaxError
			if l, err := manifest.Parse([]byte(text)); !errors.As(err, &syntax) {
				t.Errorf("it was read: %v, %v", l, err)
			}
		})
	}
}

func TestAListIsMadeOnlyOfWhatCanBeReadBack(t *testing.T) {
	t.Parallel()
	d := runbook.DigestOf([]byte("a"))
	for name, entries := range map[string][]manifest.Entry{
		"none":              nil,
		"a bad path":        {{Path: "../a", Digest: d}},
		"one path twice":    {{Path: "a", Digest: d}, {Path: "a", Digest: d}},
		"twins":             {{Path: "a", Digest: d}, {Path: "A", Digest: d}},
		"without a digest":  {{Path: "a"}},
		"too many":          make([]manifest.Entry, manifest.MaxFiles+1),
		"file and a folder": {{Path: "a", Digest: d}, {Path: "a/b", Digest: d}},
	} {
		var syntax *manifest.SyntaxError
		if _, err := manifest.New(entries); !errors.As(err, &syntax) {
			t.Errorf("%s: got %v, want *SyntaxError", name, err)
		}
	}
}

func TestHugeCountsAreRefusedInLittleTime(t *testing.T) {
	t.Parallel()
	digest := runbook.DigestOf([]byte("a")).String()
	var deep strings.Builder
	deep.WriteString(header)
	for i := range manifest.MaxFiles {
		fmt.Fprintf(&deep, "%s 0644 %05d%s\n", digest, i, strings.Repeat("/\u00e4\u00f6\u00fcabcdefghijklmnopqrstuv", 30))
	}
	for name, text := range map[string]string{
		"lines":   header + strings.Repeat("\n", 15<<20),
		"blanks":  header + strings.Repeat(" ", 15<<20),
		"digests": header + strings.Repeat(digest+" 0644 a\n", 15<<20/75),
		"depth":   deep.String(),
		"size":    header + strings.Repeat("a", manifest.MaxText),
	} {
		var err error
		if took := testenv.CPUTime(t, func() { _, err = manifest.Parse([]byte(text)) }); took > 10*time.Second {
			t.Errorf("%s: %d bytes took %s", name, len(text), took)
		}
		if err == nil && name != "depth" {
			t.Errorf("%s: it was read", name)
		}
	}
}

func TestOnlyTheFirstLineMakesAManifest(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		header: true, runbook.ManifestHeader: true, runbook.ManifestHeader + "\r\n": true, header + "#!/bin/sh\n": true,
		"": false, "#!/bin/sh\n" + header: false, runbook.ManifestHeader + "0\n": false, " " + header: false,
	} {
		if got := manifest.IsManifest([]byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// FuzzMalleability: a text that is accepted is the one text of its list.
func FuzzMalleability(f *testing.F) {
	f.Add([]byte(header + line("a.sh")))
	f.Add([]byte(header + line("a.sh") + line("lib/b.sh") + line("lib/\u00fc.py")))
	f.Add([]byte(header + line("A") + line("a")))
	f.Add([]byte(header))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := manifest.Parse(text)
		if err != nil {
			var syntax *manifest.SyntaxError
			if !errors.As(err, &syntax) || l != nil {
				t.Fatalf("%v with %v", err, l)
			}
			return
		}
		if !bytes.Equal(l.Render(), text) {
			t.Fatalf("%q is written as %q", text, l.Render())
		}
		again, err := manifest.New(l.Entries())
		if err != nil || !bytes.Equal(again.Render(), text) {
			t.Fatalf("made anew it is %v, %v", again, err)
		}
		for _, e := range l.Entries() {
			if strings.Contains(e.Path, "..") && strings.Contains("/"+e.Path+"/", "/../") || strings.HasPrefix(e.Path, "/") {
				t.Fatalf("the path %q leads out", e.Path)
			}
		}
	})
}
