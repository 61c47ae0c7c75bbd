package authscript

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// Encoding is how the bytes of a script become text. The zero value is no
// encoding that a script can be signed in.
type Encoding int

// The encodings, as Windows chooses between them (see Detect). CodePage gives
// the others.
const (
	Undecodable Encoding = iota
	ASCII                // no byte-order mark, no byte above 0x7F
	UTF8BOM              // EF BB BF
	UTF16LE              // FF FE
	UTF16BE              // FE FF: PowerShell scripts in it Windows neither signs nor verifies
	UTF8                 // no mark; Windows takes it for UTF-8 by its first 32 bytes

	// ANSI has no mark either; Windows takes it for the machine's ANSI code page,
	// here the one of most of the West.
	ANSI Encoding = 1252
)

var encodingWords = [...]string{"undecodable", "ascii", "utf-8 with BOM", "utf-16le", "utf-16be", "utf-8"}

// String returns the name of the encoding for messages.
func (e Encoding) String() string {
	switch {
	case e >= 0 && int(e) < len(encodingWords):
		return encodingWords[e]
	case isCodePage(e):
		return fmt.Sprintf("windows-%d", int(e))
	}
	return encodingWords[Undecodable]
}

// Plain reports whether every host reads the same text from the bytes: pure
// ASCII, or a byte-order mark that says what follows.
func (e Encoding) Plain() bool { return e == ASCII || e == UTF8BOM || e.wide() }

// wide reports whether a unit of the encoding has two bytes.
func (e Encoding) wide() bool { return e == UTF16LE || e == UTF16BE }

// unit is the size of a unit in bytes.
func (e Encoding) unit() int {
	if e.wide() {
		return 2
	}
	return 1
}

// low is where the low byte stands in a unit.
func (e Encoding) low() int {
	if e == UTF16BE {
		return 1
	}
	return 0
}

// unitAt is the UTF-16 unit at i.
func (e Encoding) unitAt(data []byte, i int) rune {
	if e == UTF16BE {
		return rune(binary.BigEndian.Uint16(data[i:]))
	}
	return rune(binary.LittleEndian.Uint16(data[i:]))
}

// markSize is the size of the byte-order mark in bytes.
func (e Encoding) markSize() int {
	switch {
	case e == UTF8BOM:
		return len(markUTF8)
	case e.wide():
		return len(markUTF16LE)
	}
	return 0
}

// probeSize is how many bytes Windows looks at to tell UTF-8 from ANSI.
const probeSize = 32

var (
	markUTF8    = []byte{0xEF, 0xBB, 0xBF}
	markUTF16LE = []byte{0xFF, 0xFE}
	markUTF16BE = []byte{0xFE, 0xFF}
)

// AddMark returns text, which is UTF-8 without a byte-order mark, with one.
func AddMark(text []byte) []byte { return append(bytes.Clone(markUTF8), text...) }

// Detect chooses the encoding of data by its byte-order mark. Without one it is
// ASCII, or by the rule of Windows: UTF-8 if the first 32 bytes hold a complete
// UTF-8 sequence of several bytes and nothing invalid, the ANSI code page else.
func Detect(data []byte) Encoding {
	switch {
	case bytes.HasPrefix(data, markUTF16LE):
		return UTF16LE
	case bytes.HasPrefix(data, markUTF16BE):
		return UTF16BE
	case bytes.HasPrefix(data, markUTF8):
		return UTF8BOM
	case indexNonASCII(data) < 0:
		return ASCII
	case probesAsUTF8(data[:min(probeSize, len(data))]):
		return UTF8
	default:
		return ANSI
	}
}

// probesAsUTF8: a sequence that the probe's end cuts off is neither complete nor
// invalid.
func probesAsUTF8(probe []byte) bool {
	multi := false
	for len(probe) > 0 {
		if !utf8.FullRune(probe) {
			break
		}
		r, size := utf8.DecodeRune(probe)
		if r == utf8.RuneError && size == 1 {
			return false
		}
		multi = multi || size > 1
		probe = probe[size:]
	}
	return multi
}

// highBits are the bits that no ASCII byte has.
const highBits = 0x8080808080808080

// indexNonASCII returns the offset of the first byte above 0x7F, or -1.
func indexNonASCII(data []byte) int {
	i := 0
	for ; i+32 <= len(data); i += 32 {
		four := data[i : i+32]
		if (binary.LittleEndian.Uint64(four)|binary.LittleEndian.Uint64(four[8:])|
			binary.LittleEndian.Uint64(four[16:])|binary.LittleEndian.Uint64(four[24:]))&highBits != 0 {
			break
		}
	}
	for ; i < len(data); i++ {
		if data[i] >= utf8.RuneSelf {
			return i
		}
	}
	return -1
}

// CheckText looks for what keeps data from being one text, the same on every
// host and without loss: *TextError, or nil. The bytes are those of a whole file
// of this style, or of its content alone.
func CheckText(style *Style, data []byte) *TextError {
	e := Detect(data)
	if e == UTF16BE && !style.WSH {
		return &TextError{Code: CodeUTF16BE, Line: 1, Msg: "UTF-16 big endian: Windows neither signs nor verifies it"}
	}
	if at, msg := lossAt(data, e); at >= 0 {
		return &TextError{Code: CodeLossyDecode, Line: lineAt(data, e, at), Msg: msg}
	}
	if at := indexNUL(data, e); at >= 0 {
		return &TextError{Code: CodeNUL, Line: lineAt(data, e, at), Msg: "a NUL character: hosts differ in what they make of it"}
	}
	if !e.Plain() {
		return &TextError{Code: CodeAmbiguous, Line: lineAt(data, e, indexNonASCII(data)),
			Msg: "no byte-order mark and not ASCII: " + style.readings()}
	}
	return nil
}

// lossAt finds the first byte that a decoder has to replace. Bytes without a
// mark that are not UTF-8 are a loss to every host that reads UTF-8.
func lossAt(data []byte, e Encoding) (int, string) {
	if e.wide() {
		return lossAtUTF16(data, e)
	}
	if e == ASCII || utf8.Valid(data) {
		return -1, ""
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i, "bytes that are not UTF-8: a host that reads UTF-8 replaces them, so different bytes become the same text"
		}
		i += size
	}
	return -1, ""
}

func lossAtUTF16(data []byte, e Encoding) (int, string) {
	for i := 0; i+1 < len(data); i += 2 {
		u := e.unitAt(data, i)
		if !utf16.IsSurrogate(u) {
			continue
		}
		if i+3 < len(data) && utf16.DecodeRune(u, e.unitAt(data, i+2)) != utf8.RuneError {
			i += 2
			continue
		}
		return i, "half of a UTF-16 surrogate pair: hosts replace it"
	}
	if len(data)%2 != 0 {
		return len(data) - 1, "an odd number of bytes in UTF-16"
	}
	return -1, ""
}

func indexNUL(data []byte, e Encoding) int {
	if !e.wide() {
		return bytes.IndexByte(data, 0)
	}
	for i := 0; i+1 < len(data); i += 2 {
		if data[i] == 0 && data[i+1] == 0 {
			return i
		}
	}
	return -1
}

// chunk is how much UTF-16 is held at a time: a script is never expanded whole.
const chunk = 32 << 10

// writeUTF16 writes content, decoded as e, to w as UTF-16LE, and returns how many
// units these are. It fails with *TextError where content does not decode.
func writeUTF16(w io.Writer, content []byte, e Encoding) (units int, err error) {
	if e.wide() {
		return len(content) / 2, writeWide(w, content, e)
	}
	written := 0
	out, buf := newChunks(w, 2*len(content)+8)
	defer func() {
		if failed := out.close(); err == nil {
			err = failed
		}
	}()
	for len(content) > 0 {
		if len(buf) > cap(buf)-8 {
			written += len(buf)
			if buf, err = out.write(buf); err != nil {
				return 0, err
			}
		}
		n := min(len(content), (cap(buf)-len(buf))/2)
		wide := widen(buf[len(buf):cap(buf)], content[:n])
		buf = buf[:len(buf)+2*wide]
		if content = content[wide:]; wide == n {
			continue
		}
		r, size := decodeRune(content, e)
		if size == 0 {
			return 0, &TextError{Code: CodeLossyDecode, Msg: "bytes that do not decode as " + e.String()}
		}
		for _, u := range utf16.AppendRune(nil, r) {
			buf = binary.LittleEndian.AppendUint16(buf, u)
		}
		content = content[size:]
	}
	written += len(buf)
	_, err = out.write(buf)
	return written / 2, err
}

// writeWide writes content, which is UTF-16, to w as UTF-16LE.
func writeWide(w io.Writer, content []byte, e Encoding) error {
	if len(content)%2 != 0 {
		return &TextError{Code: CodeLossyDecode, Msg: "an odd number of bytes in UTF-16"}
	}
	if e == UTF16LE {
		_, err := w.Write(content)
		return err
	}
	buf := make([]byte, 0, min(chunk, len(content)))
	for len(content) > 0 {
		n := min(len(content), cap(buf))
		for i := 0; i < n; i += 2 {
			buf = append(buf, content[i+1], content[i])
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
		content, buf = content[n:], buf[:0]
	}
	return nil
}

// widen writes the ASCII bytes that src begins with to dst as UTF-16LE, and
// returns how many these are. dst has room for twice the length of src.
func widen(dst, src []byte) int {
	size := len(src)
	for len(src) >= 8 && len(dst) >= 16 {
		v := binary.LittleEndian.Uint64(src)
		if v&highBits != 0 {
			break
		}
		binary.LittleEndian.PutUint64(dst, spread(uint32(v)))
		binary.LittleEndian.PutUint64(dst[8:], spread(uint32(v>>32)))
		src, dst = src[8:], dst[16:]
	}
	for len(src) > 0 && src[0] < utf8.RuneSelf {
		dst[0], dst[1] = src[0], 0
		src, dst = src[1:], dst[2:]
	}
	return size - len(src)
}

// spread puts a zero byte behind each of the four bytes.
func spread(four uint32) uint64 {
	v := uint64(four)
	v = (v | v<<16) & 0x0000FFFF0000FFFF
	return (v | v<<8) & 0x00FF00FF00FF00FF
}

// encodeASCII returns ASCII text as it stands in a file of encoding e.
func encodeASCII(ascii []byte, e Encoding) []byte {
	if !e.wide() {
		return ascii
	}
	wide := make([]byte, 2*len(ascii))
	for i, c := range ascii {
		wide[2*i+e.low()] = c
	}
	return wide
}

// decodeRune decodes the first character of b; size 0 says that it does not
// decode.
func decodeRune(b []byte, e Encoding) (r rune, size int) {
	if isCodePage(e) {
		return fromCodePage(b[0], e)
	}
	r, size = utf8.DecodeRune(b)
	if r == utf8.RuneError && size == 1 || e == ASCII && size > 1 {
		return 0, 0
	}
	return r, size
}
