package cleartext

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// parseArmor reads from behind the line that begins the signature to the line
// that ends it.
func (d *Document) parseArmor(s *scanner) *SyntaxError {
	if err := d.parseArmorHeaders(s); err != nil {
		return err
	}
	var encoded []byte
	short := false // the last line of base64 was not a full one
	for {
		line, end, ok := s.next()
		if ok && string(line) == EndSignature {
			if end != endOfFile && end != s.mode {
				return s.fail(MixedLineEnds, "this line ends in another way than the first line of the file")
			}
			d.unended = end == endOfFile
			return d.decodeSignature(s, encoded)
		}
		if err := d.checkArmorLine(s, line, end, ok); err != nil {
			return err
		}
		if line[0] == '=' {
			return d.parseChecksum(s, line, encoded)
		}
		switch {
		case d.armor.row == 0:
			d.armor.row = len(line)
		case short || len(line) > d.armor.row:
			return s.fail(BadArmor, "the lines of base64 are not of one length")
		}
		short = len(line) < d.armor.row
		if encoded = append(encoded, line...); len(encoded) > MaxSignature*4/3+4 {
			return s.fail(BadArmor, "the signature block is larger than one may be")
		}
	}
}

func (d *Document) parseArmorHeaders(s *scanner) *SyntaxError {
	for {
		line, err := s.frame()
		switch {
		case err != nil:
			return err
		case len(line) == 0:
			return nil
		case len(line) > MaxHeaderLine:
			return s.fail(LineTooLong, "a header line longer than a header may be")
		case len(d.armor.headers) == MaxHeaders:
			return s.fail(TooManyHeaders, "more header lines than a signature block may have")
		case !armorHeader.Match(line):
			return s.fail(BadArmorHeader, "a line before the base64 that is neither a known header nor empty")
		}
		d.armor.headers = append(d.armor.headers, string(line))
	}
}

// checkArmorLine refuses a line that is neither base64 nor a checksum.
func (d *Document) checkArmorLine(s *scanner, line []byte, end lineEnd, ok bool) *SyntaxError {
	switch {
	case !ok || end == endOfFile:
		return s.fail(NoEnd, "the document ends before the line "+EndSignature)
	case bytes.HasPrefix(line, []byte(EndSignature)):
		return s.fail(MarkerWithText, "something stands behind the marker that ends the signature")
	case end != s.mode:
		return s.fail(MixedLineEnds, "this line ends in another way than the first line of the file")
	case len(line) == 0 || len(line) > MaxArmorLine:
		return s.fail(BadArmor, "an empty or overlong line inside the base64")
	}
	for _, c := range line {
		if !isBase64(c) && c != '=' {
			return s.fail(BadArmor, "a character inside the signature block that is not base64")
		}
	}
	return nil
}

func isBase64(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/'
}

// parseChecksum reads the CRC24; only the end of the block may follow it.
func (d *Document) parseChecksum(s *scanner, line, encoded []byte) *SyntaxError {
	sum, err := base64.StdEncoding.Strict().DecodeString(string(line[1:]))
	if err != nil || len(sum) != 3 || len(line) != 5 {
		return s.fail(BadCRC, "a checksum line that is not one")
	}
	at := s.line
	if fail := d.decodeSignature(s, encoded); fail != nil {
		return fail
	}
	if crc24(d.signature) != uint32(sum[0])<<16|uint32(sum[1])<<8|uint32(sum[2]) {
		return &SyntaxError{Code: BadCRC, Line: at, Detail: "the checksum of the signature block is wrong"}
	}
	d.armor.crc = true
	content, end, ok := s.next()
	switch {
	case !ok:
		return s.fail(NoEnd, "the document ends before the line "+EndSignature)
	case string(content) == EndSignature && (end == s.mode || end == endOfFile):
		d.unended = end == endOfFile
		return nil
	case bytes.HasPrefix(content, []byte(EndSignature)):
		return s.fail(MarkerWithText, "something stands behind the marker that ends the signature")
	default:
		return s.fail(BadArmor, "something stands between the checksum and the line "+EndSignature)
	}
}

func (d *Document) decodeSignature(s *scanner, encoded []byte) *SyntaxError {
	raw, err := base64.StdEncoding.Strict().DecodeString(string(encoded))
	if err != nil {
		return s.fail(BadArmor, "the base64 of the signature block is wrong")
	}
	if len(raw) > MaxSignature {
		return s.fail(BadArmor, "the signature block is larger than one may be")
	}
	d.signature = raw
	return nil
}

// crc24 is the checksum of RFC 9580 section 6.1.
func crc24(data []byte) uint32 {
	crc := uint32(0xb704ce)
	for _, b := range data {
		crc ^= uint32(b) << 16
		for range 8 {
			crc <<= 1
			if crc&0x1000000 != 0 {
				crc ^= 0x1864cfb
			}
		}
	}
	return crc & 0xffffff
}

// MaxBlocks is the largest number of armored blocks that Dearmor reads.
const MaxBlocks = 10_000

// Block is one armored block of a file.
type Block struct {
	Label string // such as "PGP PUBLIC KEY BLOCK"
	Line  int    // of its first line, from 1
	// Data is what was decoded: of a block with an error, what precedes the error.
	Data []byte
	// Err is a *SyntaxError if the block is not well made; nil else.
	Err error
}

// Dearmor decodes all armored blocks of a file, such as one of certificates.
// Text around the blocks is left out, unlike in a clear-signed document. A block
// that is not well made does not spoil the next one; Dearmor itself fails, with
// *SyntaxError, only if there are too many.
func Dearmor(data []byte) ([]Block, error) {
	var blocks []Block
	s := &scanner{data: data}
	for {
		line, _, ok := s.next()
		if !ok {
			return blocks, nil
		}
		label, begin := Label(line)
		if !begin {
			continue
		}
		if len(blocks) == MaxBlocks {
			return nil, s.fail(TooLarge, "more armored blocks than a file may have")
		}
		block := Block{Label: label, Line: s.line}
		if err := block.read(s); err != nil {
			block.Err = err
		}
		blocks = append(blocks, block)
	}
}

// Label returns the label of the armored block that a line begins.
func Label(line []byte) (label string, ok bool) {
	line = bytes.TrimRight(line, " \t\r")
	rest, begin := bytes.CutPrefix(line, []byte("-----BEGIN PGP "))
	rest, end := bytes.CutSuffix(rest, []byte("-----"))
	if !begin || !end || len(rest) > 64 {
		return "", false
	}
	return "PGP " + string(rest), true
}

func (b *Block) read(s *scanner) *SyntaxError {
	encoded, sum, fail := b.lines(s)
	data, err := base64.StdEncoding.DecodeString(string(encoded))
	b.Data = data
	switch {
	case fail != nil:
		return fail
	case err != nil:
		return s.fail(BadArmor, "the base64 of an armored block is wrong")
	case sum == nil:
		return nil
	}
	crc, err := base64.StdEncoding.DecodeString(string(sum))
	if err != nil || len(crc) != 3 || crc24(data) != uint32(crc[0])<<16|uint32(crc[1])<<8|uint32(crc[2]) {
		return s.fail(BadCRC, "the checksum of an armored block is wrong")
	}
	return nil
}

// lines returns the base64 and the checksum of a block, of a broken one those
// before the line that is wrong. If that begins another block, it is left for it.
func (b *Block) lines(s *scanner) (encoded, sum []byte, fail *SyntaxError) {
	inHeaders := true
	for {
		before := *s
		line, _, ok := s.next()
		line = bytes.TrimRight(line, " \t\r")
		switch {
		case !ok:
			return encoded, sum, s.fail(NoEnd, "the file ends inside an armored block")
		case string(line) == "-----END "+b.Label+"-----":
			return encoded, sum, nil
		case bytes.HasPrefix(line, []byte("-----")):
			fail = s.fail(BadArmor, "an armored block that another one begins in, or that ends with the wrong label")
			if _, begin := Label(line); begin {
				*s = before
			}
			return encoded, sum, fail
		case inHeaders:
			inHeaders = len(line) > 0
			if inHeaders && bytes.IndexByte(line, ':') < 0 {
				return encoded, sum, s.fail(BadArmor, "an armored block without the empty line before its base64")
			}
		case len(line) == 5 && line[0] == '=' && sum == nil:
			sum = line[1:]
		case sum != nil && len(line) > 0:
			return encoded, sum, s.fail(BadArmor, "something stands behind the checksum of an armored block")
		default:
			encoded = append(encoded, line...)
		}
	}
}

// appendArmor writes the signature block in the form that was read, or in the
// form that every GnuPG reads.
func (d *Document) appendArmor(dst []byte, newline string) []byte {
	dst = append(dst, BeginSignature+newline...)
	for _, h := range d.armor.headers {
		dst = append(dst, h+newline...)
	}
	dst = append(dst, newline...)
	dst = appendBase64(dst, d.signature, max(d.armor.row, 1), newline)
	if d.armor.crc {
		dst = appendChecksum(dst, d.signature, newline)
	}
	dst = append(dst, EndSignature...)
	if d.unended {
		return dst
	}
	return append(dst, newline+strings.Repeat(newline, d.blankLines)...)
}

func appendBase64(dst, data []byte, row int, newline string) []byte {
	for encoded := base64.StdEncoding.EncodeToString(data); len(encoded) > 0; {
		n := min(row, len(encoded))
		dst = append(dst, encoded[:n]+newline...)
		encoded = encoded[n:]
	}
	return dst
}

func appendChecksum(dst, data []byte, newline string) []byte {
	crc := crc24(data)
	dst = append(dst, '=')
	dst = base64.StdEncoding.AppendEncode(dst, []byte{byte(crc >> 16), byte(crc >> 8), byte(crc)})
	return append(dst, newline...)
}

// Armor writes packets as an armored block with a label such as "PGP PUBLIC KEY
// BLOCK", and with the checksum, without which GnuPG 2.2 refuses base64 that needs
// no padding.
func Armor(label string, packets []byte) []byte {
	out := appendBase64([]byte("-----BEGIN "+label+"-----\n\n"), packets, defaultArmorRow, "\n")
	out = appendChecksum(out, packets, "\n")
	return append(out, "-----END "+label+"-----\n"...)
}
