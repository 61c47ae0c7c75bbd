// Package streams sorts what a runbook writes: it takes secrets out of it, cuts it
// into lines, and says to which stream of a job each line belongs.
//
// All of it works on pieces of any size, in constant memory, and gives the same
// whatever the pieces are. It does not judge what a line says, and it finds a secret
// only in the forms that NewRedactor lists: a runbook that wants to give one away can.
package streams

import "bytes"

// The streams of a job, by the names that hybrid runbook workers give them.
const (
	Output  = "Output"
	Error   = "Error"
	Warning = "Warning"
	Verbose = "Verbose"
	Debug   = "Debug"
)

// beginnings lists how lines of standard output begin that belong to another stream
// than Output. The workers know each in these three spellings.
var beginnings = []struct {
	stream    string
	spellings [3]string
}{
	{Debug, [3]string{"DEBUG:", "Debug:", "debug:"}},
	{Error, [3]string{"ERROR:", "Error:", "error:"}},
	{Verbose, [3]string{"VERBOSE:", "Verbose:", "verbose:"}},
	{Warning, [3]string{"WARNING:", "Warning:", "warning:"}},
}

// longestBeginning is how many bytes of a line say to which stream it belongs.
const longestBeginning = 8

// Of returns the stream of a line of standard output.
func Of(line []byte) string {
	if len(line) == 0 || !mayBegin(line[0]) {
		return Output
	}
	for _, b := range beginnings {
		for _, s := range b.spellings {
			if len(line) >= len(s) && string(line[:len(s)]) == s {
				return b.stream
			}
		}
	}
	return Output
}

// mayBegin is a quick answer for most lines.
func mayBegin(c byte) bool {
	switch c | 0x20 {
	case 'd', 'e', 'v', 'w':
		return true
	}
	return false
}

// Line is one line.
type Line struct {
	Stream string
	// Text is the line without its end, LF or CR LF. It is good until the function
	// that got it returns.
	Text []byte
	// Cut says that the line was longer than the limit, and Text is its beginning.
	Cut bool
}

// Lines cuts a stream into lines.
type Lines struct {
	limit int
	fixed string // the stream of every line; "" if its beginning says it
	part  []byte // of the line that has not ended
	begun bool   // there is such a line
	cut   bool   // and it is longer than part
}

// NewLines returns Lines of standard output, or with a stream named, of that. Of a
// line that is longer than limit bytes only the beginning is kept.
func NewLines(stream string, limit int) *Lines {
	return &Lines{limit: max(limit, longestBeginning), fixed: stream}
}

// Write takes the next piece, and calls f with each line that ends in it.
func (l *Lines) Write(b []byte, f func(Line)) {
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		switch {
		case end < 0:
			l.keep(b)
			return
		case l.begun:
			l.keep(b[:end])
			l.Close(f)
		default:
			f(l.line(b[:min(end, l.limit)], end > l.limit))
		}
		b = b[end+1:]
	}
}

// Close calls f with the last line, if it has no end.
func (l *Lines) Close(f func(Line)) {
	if !l.begun {
		return
	}
	f(l.line(l.part, l.cut))
	l.part, l.begun, l.cut = l.part[:0], false, false
}

func (l *Lines) keep(b []byte) {
	room := l.limit - len(l.part)
	l.part = append(l.part, b[:min(len(b), room)]...)
	l.begun, l.cut = true, l.cut || len(b) > room
}

func (l *Lines) line(text []byte, cut bool) Line {
	if !cut {
		text = bytes.TrimSuffix(text, []byte("\r"))
	}
	stream := l.fixed
	if stream == "" {
		stream = Of(text)
	}
	return Line{Stream: stream, Text: text, Cut: cut}
}
