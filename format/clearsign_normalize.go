package format

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

// maxChanges is how many changed lines are listed one by one.
const maxChanges = 1000

// Normalize takes blanks and CRs off the line ends, and ends the last line: what
// clear-signed text cannot carry and nobody sees. Whatever else Sign refuses (a
// CR inside a line, NUL, control characters, text that is not UTF-8, long lines,
// an empty file) is refused with *signer.InputError. A byte-order mark can be
// signed, and stays.
func (c *Clearsign) Normalize(rb *runbook.Runbook) (*signer.Normalized, error) {
	n := &signer.Normalized{}
	watch := newWatcher(rb.Kind())
	rb.View(func(data []byte) {
		n.Text = make([]byte, 0, len(data)+1)
		for number := 1; len(data) > 0; number++ {
			line, rest, ended := bytes.Cut(data, []byte("\n"))
			data = rest
			kept := bytes.TrimRight(line, " \t\r")
			n.Text = append(append(n.Text, kept...), '\n')
			danger := watch.line(line, kept)
			if len(kept) == len(line) && ended {
				continue
			}
			addChange(n, signer.LineChange{
				First: number, Last: number, Text: bytes.Clone(kept), Cut: bytes.Clone(line[len(kept):]), NoEnd: !ended, Danger: danger,
			})
		}
	})
	if err := checkSource(rb.Name(), n.Text); err != nil {
		return nil, err
	}
	return n, nil
}

// addChange lists a change: a run of lines that lose only a CR is one.
func addChange(n *signer.Normalized, c signer.LineChange) {
	n.Lines++
	if c.Danger != "" {
		n.Dangers++
	}
	onlyCR := func(c signer.LineChange) bool { return c.Danger == "" && !c.NoEnd && string(c.Cut) == "\r" }
	if i := len(n.Changes) - 1; i >= 0 && onlyCR(c) && onlyCR(n.Changes[i]) && n.Changes[i].Last == c.First-1 {
		n.Changes[i].Last = c.First
		return
	}
	plain := len(n.Changes) - min(n.Dangers, maxChanges)
	if c.Danger != "" && n.Dangers <= maxChanges || c.Danger == "" && plain < maxChanges {
		n.Changes = append(n.Changes, c)
	}
}

// watcher reads a script line by line and says where the blanks at a line's end
// may have a meaning. It knows no language in full, and never changes anything.
type watcher struct {
	kind    runbook.Kind
	heredoc []hereDoc // those that begin after this line, or have begun
	quote   string    // what ends the string of several lines that is open
}

// hereDoc is the word that ends a here-document, as a shell takes it before and
// after normalisation: to a shell a CR is a letter of it.
type hereDoc struct {
	raw, kept string
	tabs      bool // <<-: tabs before it do not count
}

func newWatcher(kind runbook.Kind) *watcher { return &watcher{kind: kind} }

// line takes the next line, as it is and as it will be, and says why the change
// may change the script.
func (w *watcher) line(line, kept []byte) string {
	cut := line[len(kept):]
	blanks := bytes.ContainsAny(cut, " \t")
	switch w.kind {
	case runbook.PowerShell, runbook.PowerShellModule, runbook.PowerShellData:
		if w.hereString(kept) && len(cut) > 0 {
			return dangerString // line ends of the file are those of the string
		}
		if blanks && endsOdd(kept, '`') {
			return dangerContinued
		}
		return ""
	case runbook.Python:
		switch inside := w.tripleQuotes(kept); { // Python reads CRLF as LF
		case blanks && inside:
			return dangerString
		case blanks && endsOdd(kept, '\\'):
			return dangerContinued
		}
		return ""
	default: // taken for a shell
	}
	if len(w.heredoc) > 0 {
		return w.hereDocument(line, kept)
	}
	w.openHereDocuments(line, kept)
	if len(cut) > 0 && endsOdd(kept, '\\') {
		return dangerContinued
	}
	return ""
}

const (
	dangerContinued = "the line ends in an escape sign then, and goes on in the next line"
	dangerEnds      = "the line ends the here-document then, and did not before: what follows it would run"
	dangerHere      = "inside a here-document: the blanks and CRs are part of its text"
	dangerString    = "inside a string of several lines: the blanks and CRs are part of it"
)

// endsOdd says whether a line ends in an odd number of c: pairs escape each other.
func endsOdd(line []byte, c byte) bool {
	return (len(line)-len(bytes.TrimRight(line, string(c))))%2 == 1
}

// hereWord finds "<<EOF", "<<-'EOF'" and the like, but not "<<<".
var hereWord = regexp.MustCompile(`(?:^|[^<(])<<(-?)[ \t]*(?:'([^']+)'|"([^"]+)"|\\?([A-Za-z_][A-Za-z0-9_.-]*))`)

// maxHereDocs is how many here-documents may begin in one line.
const maxHereDocs = 16

func (w *watcher) openHereDocuments(line, kept []byte) {
	if bytes.HasPrefix(bytes.TrimLeft(kept, " \t"), []byte("#")) || bytes.Contains(kept, []byte("((")) {
		return // a comment; arithmetic, where "<<" shifts
	}
	for _, m := range hereWord.FindAllSubmatchIndex(kept, maxHereDocs) {
		d := hereDoc{tabs: m[3] > m[2]}
		for i := 4; i < len(m); i += 2 {
			if m[i] < 0 {
				continue
			}
			d.kept = string(kept[m[i]:m[i+1]])
			d.raw = d.kept
			if m[1] == len(kept) && i == len(m)-2 && bytes.HasPrefix(line[len(kept):], []byte("\r")) {
				d.raw += "\r" // an unquoted word at the end of a line that ends in CR LF
			}
		}
		w.heredoc = append(w.heredoc, d)
	}
}

func (w *watcher) hereDocument(line, kept []byte) string {
	d := w.heredoc[0]
	if d.tabs {
		line, kept = bytes.TrimLeft(line, "\t"), bytes.TrimLeft(kept, "\t")
	}
	switch {
	case string(kept) == d.kept:
		w.heredoc = w.heredoc[1:]
		if string(line) != d.raw {
			return dangerEnds
		}
	case len(line) > len(kept):
		return dangerHere
	}
	return ""
}

// hereString says whether the line stands inside a here-string of PowerShell.
func (w *watcher) hereString(kept []byte) bool {
	if w.quote != "" {
		if bytes.HasPrefix(kept, []byte(w.quote)) {
			w.quote = ""
			return false
		}
		return true
	}
	switch {
	case bytes.HasSuffix(kept, []byte(`@'`)):
		w.quote = `'@`
	case bytes.HasSuffix(kept, []byte(`@"`)):
		w.quote = `"@`
	}
	return false
}

// tripleQuotes says whether the end of the line stands inside a string of Python
// with three quotes.
func (w *watcher) tripleQuotes(kept []byte) bool {
	rest := string(kept)
	for {
		if w.quote == "" {
			single, double := strings.Index(rest, "'''"), strings.Index(rest, `"""`)
			switch {
			case single < 0 && double < 0:
				return false
			case double < 0 || single >= 0 && single < double:
				w.quote, rest = "'''", rest[single+3:]
			default:
				w.quote, rest = `"""`, rest[double+3:]
			}
			continue
		}
		_, after, ended := strings.Cut(rest, w.quote)
		if !ended {
			return true
		}
		w.quote, rest = "", after
	}
}
