package streams

import "bytes"

// Counts is how many lines each stream of a job got.
type Counts struct {
	Output  int64 `json:"output"`
	Error   int64 `json:"error"`
	Warning int64 `json:"warning"`
	Verbose int64 `json:"verbose"`
	Debug   int64 `json:"debug"`
}

func (c *Counts) add(stream string) {
	switch stream {
	case Error:
		c.Error++
	case Warning:
		c.Warning++
	case Verbose:
		c.Verbose++
	case Debug:
		c.Debug++
	default:
		c.Output++
	}
}

// Plus returns the sum.
func (c Counts) Plus(d Counts) Counts {
	return Counts{c.Output + d.Output, c.Error + d.Error, c.Warning + d.Warning, c.Verbose + d.Verbose, c.Debug + d.Debug}
}

// Counter counts the lines of a stream as Lines sorts them, and is faster where lines
// are short.
type Counter struct {
	counts Counts
	fixed  string // the stream of every line; "" if its beginning says it
	head   [longestBeginning]byte
	held   int  // bytes of head
	begun  bool // a line has not ended
}

// NewCounter returns a Counter of standard output, or with a stream named, of that.
func NewCounter(stream string) *Counter { return &Counter{fixed: stream} }

// Write takes the next piece.
func (c *Counter) Write(b []byte) {
	if c.begun {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			c.hold(b)
			return
		}
		c.hold(b[:end])
		c.Close()
		b = b[end+1:]
	}
	for len(b) > 0 {
		end := lineEnd(b)
		if end < 0 {
			c.hold(b)
			return
		}
		if mayBegin(b[0]) || c.fixed != "" {
			c.count(b[:end])
		} else {
			c.counts.Output++
		}
		b = b[end+1:]
	}
}

// lineEnd is bytes.IndexByte for a line end, which is near.
func lineEnd(b []byte) int {
	const near = 16
	for i, c := range b[:min(len(b), near)] {
		if c == '\n' {
			return i
		}
	}
	if len(b) <= near {
		return -1
	}
	if end := bytes.IndexByte(b[near:], '\n'); end >= 0 {
		return near + end
	}
	return -1
}

// Close counts the last line, if it has no end.
func (c *Counter) Close() {
	if c.begun {
		c.count(c.head[:c.held])
		c.held, c.begun = 0, false
	}
}

// Counts are the lines that have ended.
func (c *Counter) Counts() Counts { return c.counts }

func (c *Counter) hold(b []byte) {
	c.held += copy(c.head[c.held:], b)
	c.begun = true
}

func (c *Counter) count(line []byte) {
	stream := c.fixed
	if stream == "" {
		stream = Of(line)
	}
	c.counts.add(stream)
}
