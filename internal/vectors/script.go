package vectors

import (
	"crypto"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Style is how the signature of one type of script is written.
type Style struct {
	Prefix, Suffix string // of each line of the block
	Begin, End     string
	Width          int // of a line of base64
	GUID           string
	SIPVersion     int64
	// WSH is the rule of the Windows Script Host: the byte-order mark is not
	// digested, the block's position is.
	WSH bool
}

const (
	beginWords = "SIG # Begin signature block"
	endWords   = "SIG # End signature block"

	powerShellGUID = "\x1f\xcc\x3b\x60\x59\x4b\x08\x4e\xb7\x24\xd2\xc6\x29\x7e\xf3\x51"
	// VBScriptGUID is that of VBScript, which no PowerShell file has.
	VBScriptGUID = "\x4e\xf0\x29\x16\x99\x27\xb5\x4d\x8f\xe5\xac\xe1\x0f\x17\xeb\xab"
	wsfGUID      = "\x70\x05\x61\x1a\xce\x38\xd4\x11\xa2\xa3\x00\x10\x4b\xd3\x50\x90"
	jScriptGUID  = "\x10\xe0\xc9\x06\xce\x38\xd4\x11\xa2\xa3\x00\x10\x4b\xd3\x50\x90"
	// MSIGUID is that of installer packages, which no script has.
	MSIGUID = "\xf1\x10\x0c\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46"
)

// StyleOf returns the style of an extension, in lower case with its dot. The
// block of a .wsf stands inside the text, before the last </job>.
func StyleOf(ext string) Style {
	style := func(prefix, suffix string) Style {
		return Style{prefix, suffix, prefix + beginWords + suffix, prefix + endWords + suffix, 64, powerShellGUID, 0x10000, false}
	}
	host := func(prefix, guid string) Style {
		return Style{prefix, "", prefix + "Begin signature block", prefix + "End signature block", 44, guid, 1, true}
	}
	switch ext {
	case ".ps1xml", ".psc1", ".cdxml":
		return style("<!-- ", " -->")
	case ".mof":
		return style("/* ", " */")
	case ".vbs", ".vbe":
		return host("'' SIG '' ", VBScriptGUID)
	case ".js", ".jse":
		return host("// SIG // ", jScriptGUID)
	case ".wsf":
		return Style{"** SIG ** ", "", "<signature>", "</signature>", 44, wsfGUID, 1, true}
	default:
		return style("# ", "")
	}
}

// UTF16 writes text as UTF-16LE without a mark.
func UTF16(text string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// Digest is the digest of a script's content, which is UTF-8, with or without a
// mark, or UTF-16LE with one.
func (s Style) Digest(h crypto.Hash, content []byte) []byte {
	return s.DigestAround(h, content, nil)
}

// DigestAround is the digest of what stands before and behind the block.
func (s Style) DigestAround(h crypto.Hash, before, behind []byte) []byte {
	if !isUTF16(before) {
		before, behind = UTF16(string(before)), UTF16(string(behind))
	}
	if !s.WSH {
		return Sum(h, before, behind)
	}
	if isUTF16(before) {
		before = before[2:]
	}
	return Sum(h, before, behind, binary.LittleEndian.AppendUint32(nil, uint32(len(before)/2)))
}

func isUTF16(text []byte) bool { return strings.HasPrefix(string(text), "\xFF\xFE") }

// SIPInfo is the SpcSipInfo of a type of script.
func SIPInfo(version int64, guid string) []byte {
	return Seq(Int(version), Octets([]byte(guid)), Int(0), Int(0), Int(0), Int(0), Int(0))
}

// IndirectData is the content of a script's signature: what it is, and the
// digest.
func (s Style) IndirectData(h crypto.Hash, sum []byte) []byte {
	return Seq(Seq(OID(OIDSipInfo), SIPInfo(s.SIPVersion, s.GUID)), DigestInfo(h, sum))
}

// Lines are the lines of the block for a signature, without their line ends, the
// markers first and last.
func (s Style) Lines(der []byte) []string {
	lines := []string{s.Begin}
	b64 := base64.StdEncoding.EncodeToString(der)
	for len(b64) > s.Width {
		lines = append(lines, s.Prefix+b64[:s.Width]+s.Suffix)
		b64 = b64[s.Width:]
	}
	return append(lines, s.Prefix+b64+s.Suffix, s.End)
}

// Render puts the signature behind the content, as Windows does, in the
// content's encoding.
func (s Style) Render(content, der []byte) []byte { return s.RenderAround(content, nil, der) }

// RenderAround puts the signature between the two parts of a text.
func (s Style) RenderAround(before, behind, der []byte) []byte {
	block := []byte("\r\n" + strings.Join(s.Lines(der), "\r\n") + "\r\n")
	if isUTF16(before) {
		block = UTF16(string(block))
	}
	return slices.Concat(before, block, behind)
}

// UTF16BE turns a text in UTF-8 into UTF-16BE with a mark.
func UTF16BE(text []byte) []byte {
	b := []byte{0xFE, 0xFF}
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		for _, u := range utf16.Encode([]rune{r}) {
			b = binary.BigEndian.AppendUint16(b, u)
		}
		text = text[n:]
	}
	return b
}
