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
func Repairs(data []byte) iter.Seq[Repair] {
	return func(yield func(Repair) bool) {
		e := Detect(data)
		if e == UTF16BE {
			return
		}
		t := newText(data, e)
		block := t.lastBlock()
		if block < 0 {
			return
		}
		content, whole := data[:block], t.convert(data[block:], toCRLF)
		if bytes.HasSuffix(whole, t.wide(endMarker)) {
			whole = append(whole, t.wide("\r\n")...)
		}
		cut := t.cutBehindEnd(whole)
		if t.yieldLineEnds(content, whole, false, yield) && !bytes.Equal(cut, whole) {
			t.yieldLineEnds(content, cut, true, yield)
		}
	}
}

func (t text) yieldLineEnds(content, tail []byte, isCut bool, yield func(Repair) bool) bool {
	markOnly := false // yielded already
	for _, v := range []struct {
		content func() []byte
		how     string
	}{
		{func() []byte { return t.convert(content, toCRLF) }, "convert all line ends from LF to CRLF, the last one too"},
		{func() []byte { return t.convertLastLineEnd(content) },
			"convert the line ends of the signature block, and the one before it, from LF to CRLF, and no others"},
		{func() []byte { return t.convertLastLineEnd(t.convert(content, toLF)) },
			"convert the line ends before the signature block from CRLF to LF, and keep CRLF in the block and before it"},
	} {
		r := Repair{Data: append(v.content(), tail...), How: v.how, Cut: isCut}
		if bytes.Equal(t.data, r.Data) {
			if t.enc == UTF8BOM && !markOnly {
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
		if t.enc != UTF8BOM {
			continue
		}
		r.Data, r.How, r.Mark = r.Data[t.body:], r.How+", and remove the byte-order mark (EF BB BF)", true
		if !yield(r) {
			return false
		}
	}
	return true
}

// cutBehindEnd returns the block up to its end marker, with a line end; all of
// it if it has no end marker.
func (t text) cutBehindEnd(block []byte) []byte {
	end := t.wide("\r\n" + endMarker)
	i := bytes.Index(block, end)
	if i < 0 {
		return block
	}
	return append(bytes.Clone(block[:i+len(end)]), t.wide("\r\n")...)
}

// wide returns ASCII text in the encoding of t.
func (t text) wide(ascii string) []byte {
	if t.enc == UTF16LE {
		return utf16Of([]byte(ascii))
	}
	return []byte(ascii)
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
	u := t.unit()
	is := func(i int, c byte) bool {
		return i >= 0 && i+u <= len(part) && part[i] == c && (u == 1 || part[i+1] == 0)
	}
	out := make([]byte, 0, len(part)+len(part)/16)
	for i := 0; i < len(part); i += u {
		unit := part[i:min(i+u, len(part))]
		switch {
		case to == toCRLF && is(i, '\n') && !is(i-u, '\r'):
			out = append(out, '\r')
			out = append(out, unit[1:]...) // the zero byte of a UTF-16 unit
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
