package authscript

import (
	"path"
	"strings"
)

// Style is how a signature stands in the files of one type: the comments that
// hold it, what its digest covers, and what the signature calls the type. Windows
// knows the type by the extension of the file name and by nothing else.
type Style struct {
	// Noun says what such a file is, for messages.
	Noun string
	// GUID and Version name, inside the signature, the subject interface package
	// (SIP) of Windows that made it. The GUID stands as on the wire.
	GUID    string
	Version int
	// WSH says that the Windows Script Host runs such files, and that its rule
	// for the digest holds: the byte-order mark is left out, and the position of
	// the block in UTF-16 units is added, in four bytes. PowerShell hashes the
	// mark and has no position.
	WSH bool
	// NoMark says that the host does not run such files when they begin with the
	// byte-order mark of UTF-8, though Windows signs them.
	NoMark bool

	begin, end     string // the markers, each a line of its own
	prefix, suffix string // of a line of base64
	width          int    // characters of base64 in each line but the last
	// nearby says that PowerShell's own parser takes comments that are only near
	// to the marker for one (see looksAlike).
	nearby bool
	// before is what the block stands right before, where it last occurs; if
	// empty, the block is the end of the file.
	before string
}

// The subject interface packages of Windows for scripts.
const (
	sipPowerShell = "\x1f\xcc\x3b\x60\x59\x4b\x08\x4e\xb7\x24\xd2\xc6\x29\x7e\xf3\x51"
	sipVBScript   = "\x4e\xf0\x29\x16\x99\x27\xb5\x4d\x8f\xe5\xac\xe1\x0f\x17\xeb\xab"
	sipJScript    = "\x10\xe0\xc9\x06\xce\x38\xd4\x11\xa2\xa3\x00\x10\x4b\xd3\x50\x90"
	sipScriptFile = "\x70\x05\x61\x1a\xce\x38\xd4\x11\xa2\xa3\x00\x10\x4b\xd3\x50\x90"
	// sipStatement is writ's own: Windows has no such type, and a signature of it is
	// one of no script.
	sipStatement = "\xc7\x3a\xac\x06\x15\x2d\x5e\x4d\xb7\xcb\x9d\x36\x9c\x6c\x2d\x62"
)

const (
	versionPowerShell = 0x10000
	versionWSH        = 1
	versionStatement  = 1
)

// Widths of base64 lines.
const (
	widthPowerShell = 64
	widthWSH        = 44
)

const (
	beginWords = "Begin signature block"
	endWords   = "End signature block"
)

var (
	stylePowerShell = powerShellStyle("PowerShell script", "# ", "", true)
	styleXML        = powerShellStyle("PowerShell XML file", "<!-- ", " -->", false)
	styleMOF        = powerShellStyle("MOF file", "/* ", " */", false)
	styleVBScript   = scriptHostStyle("VBScript", sipVBScript, "'' SIG '' ")
	styleJScript    = scriptHostStyle("JScript", sipJScript, "// SIG // ")
	styleWSF        = &Style{
		Noun: "Windows script file", GUID: sipScriptFile, Version: versionWSH, WSH: true,
		begin: "<signature>", end: "</signature>", prefix: "** SIG ** ", width: widthWSH, before: "</job>",
	}
)

var styleByExt = map[string]*Style{
	".ps1":    stylePowerShell,
	".psm1":   stylePowerShell,
	".psd1":   stylePowerShell,
	".ps1xml": styleXML,
	".psc1":   styleXML,
	".cdxml":  styleXML,
	".mof":    styleMOF,
	".vbs":    styleVBScript,
	".vbe":    styleVBScript,
	".js":     styleJScript,
	".jse":    styleJScript,
	".wsf":    styleWSF,
}

// StyleOf returns the style of the files that have the extension of name, in any
// case of letters; false if Windows signs no such files.
func StyleOf(name string) (*Style, bool) {
	s, ok := styleByExt[strings.ToLower(path.Ext(name))]
	return s, ok
}

// StatementStyle is that of writ's statements, which are no scripts: the block
// looks as in PowerShell. No extension stands for it.
func StatementStyle() *Style {
	s := powerShellStyle("statement", "# ", "", true)
	s.GUID, s.Version = sipStatement, versionStatement
	return s
}

func powerShellStyle(noun, prefix, suffix string, nearby bool) *Style {
	return &Style{
		Noun: noun, GUID: sipPowerShell, Version: versionPowerShell,
		begin: prefix + "SIG # " + beginWords + suffix, end: prefix + "SIG # " + endWords + suffix,
		prefix: prefix, suffix: suffix, width: widthPowerShell, nearby: nearby,
	}
}

func scriptHostStyle(noun, guid, prefix string) *Style {
	return &Style{
		Noun: noun, GUID: guid, Version: versionWSH, WSH: true, NoMark: true,
		begin: prefix + beginWords, end: prefix + endWords, prefix: prefix, width: widthWSH,
	}
}

// anchor is the character that every marker begins with, and every line that
// could be taken for one.
func (s *Style) anchor() byte { return s.begin[0] }

// cores are the markers as looksAlike compares them: in lower case, without
// blanks, and without what closes the comment.
func (s *Style) cores() (begin, end string) {
	core := func(marker string) string {
		return strings.ToLower(strings.ReplaceAll(strings.TrimSuffix(marker, s.suffix), " ", ""))
	}
	return core(s.begin), core(s.end)
}

// readings says how hosts read bytes above 0x7F without a byte-order mark.
func (s *Style) readings() string {
	if s.WSH {
		return "the Windows Script Host reads it in the machine's ANSI code page, other readers as UTF-8"
	}
	return "Windows PowerShell reads it in the machine's ANSI code page or as UTF-8, PowerShell 7 as UTF-8"
}
