package authscript

import (
	"bytes"
	"iter"
)

// Repair is what a file may have been before something converted it, or added
// to it.
type Repair struct {
	Data []byte
	// How tells how to get there, as an instruction.
	How string
	// Cut says that this takes more than to restore line ends: something behind
	// the end marker is left out.
	Cut bool
	// LineEnds says that line ends differ.
	LineEnds bool
	// Mark says that the byte-order mark is taken away.
	Mark bool
}

// Repairs yields what data may have been before its line ends were converted or
// a byte-order mark was put before it, the likeliest first, and then the same
// without what follows the block. Only the digest can tell which one it was, and
// none of them is what would be run.
func Repairs(style *Style, data []byte) iter.Seq[Repair] {
	return func(yield func(Repair) bool) {
		e := Detect(data)
		if e == UTF16BE && !style.WSH {
			return
		}
		t := newText(style, data, e)
		at := t.lastBlock()
		if at < 0 {
			return
		}
		p := t.split(at)
		if style.before != "" || len(p.after) == 0 {
			t.yieldLineEnds(p, false, yield)
			return
		}
		// What follows the block is no part of a well-made file. It may be what is
		// left of the line end, and is kept first.
		whole, cut := p, p
		whole.block, whole.after = append(bytes.Clone(p.block), t.convert(p.after, toCRLF)...), nil
		cut.after = nil
		if t.yieldLineEnds(whole, false, yield) {
			t.yieldLineEnds(cut, true, yield)
		}
	}
}

// parts are a file with a block: what stands before it, the block itself with
// its line ends as they should be, and what follows.
type parts struct{ content, block, after []byte }

// split takes the file apart whose begin line is at at. A block without an end
// line is the rest of the file.
func (t text) split(at int) parts {
	rest := t.data[at:]
	end := t.encode(t.style.end)
	for from := 0; ; {
		i := bytes.Index(rest[from:], end)
		if i < 0 {
			return parts{t.data[:at], t.convert(rest, toCRLF), nil}
		}
		stop := from + i + len(end)
		if (from+i)%t.unit() != 0 || from+i < t.unit() || rest[from+i-t.unit()+t.enc.low()] != '\n' {
			from += i + 1
			continue
		}
		block := append(t.convert(rest[:stop], toCRLF), t.encode("\r\n")...)
		tail := text{data: rest, enc: t.enc}
		switch {
		case tail.has(stop, "\r\n"):
			stop += 2 * t.unit()
		case tail.has(stop, "\n"), tail.has(stop, "\r"):
			stop += t.unit()
		}
		return parts{t.data[:at], block, rest[stop:]}
	}
}

func (t text) yieldLineEnds(p parts, isCut bool, yield func(Repair) bool) bool {
	markOnly := false // yielded already
	for _, v := range []struct {
		content, after func() []byte
		how            string
	}{
		{
			func() []byte { return t.convert(p.content, toCRLF) }, func() []byte { return t.convert(p.after, toCRLF) },
			"convert all line ends from LF to CRLF, the last one too",
		},
		{
			func() []byte { return t.convertLastLineEnd(p.content) }, func() []byte { return p.after },
			"convert the line ends of the signature block, and the one before it, from LF to CRLF, and no others",
		},
		{
			func() []byte { return t.convertLastLineEnd(t.convert(p.content, toLF)) }, func() []byte { return t.convert(p.after, toLF) },
			"convert the line ends before the signature block from CRLF to LF, and keep CRLF in the block and before it",
		},
	} {
		data := append(v.content(), p.block...)
		r := Repair{Data: append(data, v.after()...), How: v.how, Cut: isCut}
		if bytes.Equal(t.data, r.Data) {
			if t.enc == UTF8BOM && !t.style.WSH && !markOnly {
				markOnly = true
				if !yield(Repair{Data: r.Data[t.body:], How: "remove the byte-order mark (EF BB BF)", Mark: true}) {
					return false
				}
			}
			continue
		}
		r.LineEnds = !isCut || !bytes.HasPrefix(t.data, r.Data)
		if isCut && r.LineEnds {
			r.How += ", and remove what follows the end marker"
		} else if isCut {
			r.How = "remove what follows the end marker"
		}
		if !yield(r) {
			return false
		}
		if t.enc != UTF8BOM || t.style.WSH { // the digest of the WSH leaves the mark out
			continue
		}
		r.Data, r.How, r.Mark = r.Data[t.body:], r.How+", and remove the byte-order mark (EF BB BF)", true
		if !yield(r) {
			return false
		}
	}
	return true
}

type lineEnd int

const (
	toCRLF lineEnd = iota
	toLF
)

// lastBlock is the offset of the last begin line, or -1.
func (t text) lastBlock() int {
	at := -1
	for _, m := range t.marks() {
		if m.kind == markBegin {
			at = m.start
		}
	}
	return at
}

// convert returns a copy of part with its line ends converted. A CR that no LF
// follows is left alone.
func (t text) convert(part []byte, to lineEnd) []byte {
	u, low := t.unit(), t.enc.low()
	is := func(i int, c byte) bool {
		return i >= 0 && i+u <= len(part) && part[i+low] == c && (u == 1 || part[i+1-low] == 0)
	}
	out := make([]byte, 0, len(part)+len(part)/16)
	for i := 0; i < len(part); i += u {
		unit := part[i:min(i+u, len(part))]
		switch {
		case to == toCRLF && is(i, '\n') && !is(i-u, '\r'):
			out = append(out, unit...)
			out[len(out)-u+low] = '\r'
		case to == toLF && is(i, '\r') && is(i+u, '\n'):
			continue
		}
		out = append(out, unit...)
	}
	return out
}

// convertLastLineEnd makes a CRLF of the line end that content ends with.
func (t text) convertLastLineEnd(content []byte) []byte {
	n := len(content) - t.unit()
	if n < 0 {
		return bytes.Clone(content)
	}
	c := text{data: content, enc: t.enc}
	if c.has(n-t.unit(), "\r\n") {
		return bytes.Clone(content)
	}
	return append(bytes.Clone(content[:n]), t.convert(content[n:], toCRLF)...)
}
