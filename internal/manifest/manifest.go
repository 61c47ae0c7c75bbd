// Package manifest reads and writes the list of a project's files that
// `writ manifest sign` puts a signature to, and compares a folder with it.
//
// The text of a manifest is
//
//	writ-manifest/v1
//	<sha-256, 64 lower-case hexadecimal digits> <0644 or 0755> <path>
//	...
//
// with one LF behind each line, one line for each file, sorted by the bytes of
// the path, no path twice. CheckPath says what a path may be. There is one text
// for one list of files: what Parse accepts, Render gives back byte for byte.
//
// The package knows nothing of signatures: a List is what somebody may have
// signed. It changes no file, and it reads none through a link.
package manifest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/runwrit/writ/runbook"
)

// Name is the file, at the top of a project's folder, that holds the signed
// manifest of everything else in it.
const Name = runbook.ManifestName + runbook.SignatureExt

// Limits of a manifest; those of the files themselves are runbook's.
const (
	MaxText   = 16 << 20 // bytes of the text
	MaxPath   = 1024     // bytes of a path
	MaxName   = runbook.MaxName
	MaxDepth  = 32 // names in a path
	MaxFiles  = runbook.MaxMembers
	MaxFolder = 10_000 // folders that are looked into
)

// Entry is one file of a List.
type Entry struct {
	Path       string
	Executable bool
	Digest     runbook.Digest
}

// List is the files of a project. Only Parse and New make one; it is immutable.
type List struct{ entries []Entry }

// SyntaxError says why a text, or a list of files, is no manifest.
type SyntaxError struct {
	Line   int // from 1; 0 where no line is to blame
	Path   string
	Detail string // in plain words; may quote the input
}

func (e *SyntaxError) Error() string {
	switch {
	case e.Path != "":
		return fmt.Sprintf("%q: %s", e.Path, e.Detail)
	case e.Line > 0:
		return fmt.Sprintf("line %d: %s", e.Line, e.Detail)
	}
	return e.Detail
}

// New returns the list of these files, in whatever order they come. It fails with
// *SyntaxError for a path that CheckPath refuses, for paths that are one file on
// some systems, and for none or too many.
func New(entries []Entry) (*List, error) {
	l := &List{entries: slices.Clone(entries)}
	slices.SortFunc(l.entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	if len(l.entries) == 0 {
		return nil, &SyntaxError{Detail: "there are no files to list"}
	}
	if len(l.entries) > MaxFiles {
		return nil, &SyntaxError{Detail: fmt.Sprintf("%d files, the limit is %d", len(l.entries), MaxFiles)}
	}
	known := newTwins()
	for _, e := range l.entries {
		if bad := CheckPath(e.Path); bad != "" {
			return nil, &SyntaxError{Path: e.Path, Detail: bad}
		}
		if bad := known.add(e.Path); bad != "" {
			return nil, &SyntaxError{Path: e.Path, Detail: bad}
		}
		if e.Digest.IsZero() {
			return nil, &SyntaxError{Path: e.Path, Detail: "it has no digest"}
		}
	}
	if n := len(l.Render()); n > MaxText {
		return nil, &SyntaxError{Detail: fmt.Sprintf("the list would have %d bytes, the limit is %d", n, MaxText)}
	}
	return l, nil
}

// IsManifest reports whether a text begins as a manifest does, well made or not.
func IsManifest(text []byte) bool {
	return bytes.HasPrefix(text, []byte(runbook.ManifestHeader)) &&
		(len(text) == len(runbook.ManifestHeader) || strings.IndexByte("\r\n", text[len(runbook.ManifestHeader)]) >= 0)
}

// Parse reads the text of a manifest. It fails with *SyntaxError, which names the
// line, for every text but the one that Render writes.
func Parse(text []byte) (*List, error) {
	if len(text) > MaxText {
		return nil, &SyntaxError{Detail: fmt.Sprintf("the text has %d bytes, the limit is %d", len(text), MaxText)}
	}
	body, ok := bytes.CutPrefix(text, []byte(runbook.ManifestHeader+"\n"))
	if !ok {
		return nil, &SyntaxError{Line: 1, Detail: "the first line is not " + runbook.ManifestHeader}
	}
	if n := bytes.Count(body, []byte("\n")); n > MaxFiles {
		return nil, &SyntaxError{Detail: fmt.Sprintf("%d files, the limit is %d", n, MaxFiles)}
	}
	l := &List{}
	known := newTwins()
	for number := 2; len(body) > 0; number++ {
		line, rest, ended := bytes.Cut(body, []byte("\n"))
		if !ended {
			return nil, &SyntaxError{Line: number, Detail: "the line has no end"}
		}
		body = rest
		e, bad := parseLine(string(line))
		if bad == "" && len(l.entries) > 0 && l.entries[len(l.entries)-1].Path >= e.Path {
			bad = "the path does not come after that of the line before: want them sorted, each once"
		}
		if bad == "" {
			bad = known.add(e.Path)
		}
		if bad != "" {
			return nil, &SyntaxError{Line: number, Detail: bad}
		}
		l.entries = append(l.entries, e)
	}
	if len(l.entries) == 0 {
		return nil, &SyntaxError{Line: 1, Detail: "it lists no files"}
	}
	return l, nil
}

// parseLine reads one line without its end; bad says what is wrong with it.
func parseLine(line string) (e Entry, bad string) {
	hex, rest, ok := strings.Cut(line, " ")
	if !ok || len(hex) != 2*len(runbook.Digest{}) {
		return e, "want a SHA-256 digest, a mode and a path, with one blank between them"
	}
	digest, err := runbook.ParseDigest(hex)
	if err != nil || digest.IsZero() {
		return e, "the digest is not 64 lower-case hexadecimal digits of a file"
	}
	mode, path, ok := strings.Cut(rest, " ")
	switch {
	case !ok:
		return e, "the line has no path"
	case mode != "0644" && mode != "0755":
		return e, "the mode is neither 0644 nor 0755"
	}
	e = Entry{Path: path, Executable: mode == "0755", Digest: digest}
	return e, CheckPath(path)
}

// Render returns the text.
func (l *List) Render() []byte {
	out := []byte(runbook.ManifestHeader + "\n")
	for _, e := range l.entries {
		out = runbook.AppendManifestLine(out, e.Digest, e.Executable, e.Path)
	}
	return out
}

// Entries returns the files, sorted by path.
func (l *List) Entries() []Entry { return slices.Clone(l.entries) }

// Len is the number of files.
func (l *List) Len() int { return len(l.entries) }

// Lookup returns the file of that path.
func (l *List) Lookup(path string) (Entry, bool) {
	i, found := slices.BinarySearchFunc(l.entries, path, func(e Entry, p string) int { return strings.Compare(e.Path, p) })
	if !found {
		return Entry{}, false
	}
	return l.entries[i], true
}
