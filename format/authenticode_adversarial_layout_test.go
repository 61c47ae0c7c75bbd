package format_test

import (
	"bytes"
	"crypto"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/vectors"
	"github.com/runwrit/writ/verifier"
)

// The attacks of the adversarial list are numbered as in the table of
// authenticode_adversarial_test.go. Their files are made by internal/vectors,
// which shares no code with what is tested.

// attack is one file with what is to be said about it.
type attack struct {
	name    string // number, and what was done
	file    []byte
	as      string // the file's name, "job.ps1" if empty
	verdict verifier.Verdict
	check   verifier.CheckID // that must have failed; any if empty
	code    string           // of a finding that must be there; any if empty
}

func (a attack) judge(t *testing.T, v *verifier.Verifier) *verifier.Report {
	t.Helper()
	if a.as == "" {
		a.as = "job.ps1"
	}
	r := inspect(t, v, a.as, a.file)
	switch {
	case r.Verdict != a.verdict:
		t.Errorf("%s, want %s", r.Verdict, a.verdict)
	case a.check != "" && statusOf(r, a.check) != verifier.StatusFailed:
		t.Errorf("check %s has not failed", a.check)
	case a.code != "" && !hasFinding(r, a.code):
		t.Errorf("no finding %s", a.code)
	case a.verdict == verifier.Valid:
		checkValid(t, v, a.as, a.file)
	}
	if t.Failed() {
		t.Logf("%+v\n%+v", r.Signatures, r.Findings)
	}
	return r
}

// scriptForger signs scripts with a trusted key.
type scriptForger struct {
	now        time.Time
	root, leaf *vectors.Identity
}

func newScriptForger(t testing.TB) *scriptForger {
	t.Helper()
	now := testenv.VectorTime()
	root := vectors.Issue(t, now, "Forger's root", nil)
	return &scriptForger{now, root, vectors.Issue(t, now, "Forger", root, vectors.CodeSigning)}
}

func (f *scriptForger) verifier(t testing.TB) *verifier.Verifier {
	t.Helper()
	return newVerifier(t, f.now, f.root.PEM())
}

// message is a good signature of content, to be made bad.
func (f *scriptForger) message(style vectors.Style, content []byte) *vectors.Message {
	return vectors.NewMessage(f.leaf, crypto.SHA256, style.IndirectData(crypto.SHA256, style.Digest(crypto.SHA256, content)))
}

func (f *scriptForger) signed(t testing.TB, ext string, content []byte) []byte {
	t.Helper()
	style := vectors.StyleOf(ext)
	return style.Render(content, f.message(style, content).Build(t))
}

func TestAdversarialLayout(t *testing.T) {
	t.Parallel()
	f := newScriptForger(t)
	v := f.verifier(t)
	style, content := vectors.StyleOf(".ps1"), "Write-Output 1\r\nWrite-Output 2\r\n"
	der := f.message(style, []byte(content)).Build(t)
	good, lines := string(style.Render([]byte(content), der)), style.Lines(der)
	block := "\r\n" + strings.Join(lines, "\r\n") + "\r\n"
	// with is the file with the lines of the block changed; line i is 0 for the
	// begin marker, -1 for the end marker.
	with := func(i int, edit func(line string) string) []byte {
		changed := append([]string{}, lines...)
		if i < 0 {
			i += len(changed)
		}
		changed[i] = edit(changed[i])
		return []byte(content + "\r\n" + strings.Join(changed, "\r\n") + "\r\n")
	}
	width := func(n int) []byte {
		s := style
		s.Width = n
		return s.Render([]byte(content), der)
	}
	begin, end := style.Begin, style.End
	lf := func(s string) []byte { return []byte(strings.ReplaceAll(s, "\r\n", "\n")) }
	const malformed, layout = verifier.Malformed, verifier.CheckLayout
	for _, a := range []attack{
		{"00 nothing is changed", []byte(good), "", verifier.Valid, "", ""},
		{"01 code after the end line", []byte(good + "evil\r\n"), "", malformed, layout, "trailing"},
		{"02 blank lines after the end line", []byte(good + "\r\n\r\n\r\n"), "", malformed, layout, "trailing"},
		{"03 spaces after the end marker", with(-1, func(l string) string { return l + "   " }), "", malformed, layout, ""},
		{"04 code inside the block, before the end", with(-1, func(l string) string { return "evil\r\n" + l }), "", malformed, layout, ""},
		{"05 code between base64 lines", with(4, func(l string) string { return l + "\r\nevil" }), "", malformed, layout, "junk-in-block"},
		{"06 text after base64 on a line", with(4, func(l string) string { return l + "; evil" }), "", malformed, layout, "junk-in-block"},
		{"07 another character for the CR before the block", []byte(content + "Z\n" + block[2:]), "", malformed, layout, "block-not-preceded-by-crlf"},
		{"08 a begin marker as first line", []byte(begin + "\r\n" + good), "", malformed, layout, "two-blocks"},
		{"09 a begin marker with a suffix, then code, then a block", []byte(content + begin + "X\r\nevil" + block), "", malformed, layout, "look-alike-marker"},
		{"10 two blocks", []byte(good + block), "", malformed, layout, "two-blocks"},
		{"11 code between two blocks", []byte(good + "evil\r\n" + block[2:]), "", malformed, layout, "two-blocks"},
		{"12 the block is the whole file", []byte(block[2:]), "", malformed, layout, ""},
		{"14 all line ends are LF", lf(good), "", verifier.Damaged, verifier.CheckLineEnds, "line-ends"},
		{"15 the block has LF, the content is right", append([]byte(content), lf(block)...), "", verifier.Damaged, verifier.CheckLineEnds, "line-ends"},
		{"16 all line ends are CR", []byte(strings.ReplaceAll(good, "\r\n", "\r")), "", malformed, layout, ""},
		{"17 markers in lower case", []byte(strings.NewReplacer(begin, strings.ToLower(begin), end, strings.ToLower(end)).Replace(good)), "", malformed, layout, "look-alike-marker"},
		{"18 a space behind the begin marker", with(0, func(l string) string { return l + " " }), "", malformed, layout, ""},
		{"19 the block is indented", []byte(content + strings.ReplaceAll(block, "# ", "    # ")), "", malformed, layout, ""},
		{"20 no line end at the end", []byte(strings.TrimSuffix(good, "\r\n")), "", verifier.Damaged, verifier.CheckLineEnds, ""},
		{"21 no end marker", []byte(strings.Replace(good, end+"\r\n", "", 1)), "", malformed, layout, "layout"},
		{"22 4 KiB behind the DER", style.Render([]byte(content), append(bytes.Clone(der), make([]byte, 4096)...)), "", malformed, verifier.CheckStructure, "trailing-der"},
		{"22 one byte behind the DER", style.Render([]byte(content), append(bytes.Clone(der), 0)), "", malformed, verifier.CheckStructure, "trailing-der"},
		{"23 lines of 76", width(76), "", malformed, layout, "layout"},
		{"24 one line for all", width(1 << 20), "", malformed, layout, "layout"},
		{"25 lines of 62", width(62), "", malformed, layout, "layout"},
		{"26 spaces in the base64", with(4, func(l string) string { return l[:20] + " " + l[20:] }), "", malformed, layout, "junk-in-block"},
		{"27 empty comment lines in the block", with(4, func(l string) string { return l + "\r\n# " }), "", malformed, layout, "junk-in-block"},
		{"28 a NUL in the content", []byte(strings.Replace(good, "Output 1", "Output\x001", 1)), "", verifier.Tampered, verifier.CheckContentDigest, "nul"},
		{"29 one character changed", []byte(strings.Replace(good, "Output 1", "Output 3", 1)), "", verifier.Tampered, verifier.CheckContentDigest, ""},
		{"31 a blank line put before it", []byte("\r\n" + good), "", verifier.Tampered, verifier.CheckContentDigest, ""},
		{"31 blank lines before the block", []byte(content + "\r\n" + block), "", verifier.Tampered, verifier.CheckContentDigest, ""},
		{"33 a block in a here-string, and one at the end", f.signed(t, ".ps1", []byte("$t = @'"+good+"'@\r\n")), "", malformed, layout, "two-blocks"},
		{"46 a no-break space in the marker", with(0, func(l string) string { return strings.Replace(l, "# SIG", "#\u00A0SIG", 1) }), "", malformed, layout, "look-alike-marker"},
		{"91 a comment that PowerShell takes for the marker", f.signed(t, ".ps1", []byte("#sig # begn signature blok\r\nevil\r\n")), "", malformed, layout, "look-alike-marker"},
		{"91 one with a zero-width space", f.signed(t, ".ps1", []byte("\xEF\xBB\xBF# SIG # Be\u200Bgin signature block\r\nevil\r\n")), "", malformed, layout, "look-alike-marker"},
		{"91 one that is far enough", f.signed(t, ".ps1", []byte("# the signature block follows, begin at the end\r\n")), "", verifier.Valid, "", ""},
	} {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			a.judge(t, v)
		})
	}
}

// Changes of the bytes that leave the text as it is, or nearly.
func TestAdversarialEncodings(t *testing.T) {
	t.Parallel()
	f := newScriptForger(t)
	v := f.verifier(t)
	const bom = "\xEF\xBB\xBF"
	signed := func(content string) []byte { return f.signed(t, ".ps1", []byte(content)) }
	ascii, umlaut := signed("Write-Output 1\r\n"), signed(bom+"Write-Output 'ü'\r\n")
	wide := func(text string) []byte { return append([]byte("\xFF\xFE"), vectors.UTF16(text)...) }
	quotes := "Write-Output \u201Chello\u201D\r\n"
	style := vectors.StyleOf(".ps1")
	for _, a := range []attack{
		{"30 a byte-order mark was added", append([]byte(bom), ascii...), "", verifier.Damaged, verifier.CheckLineEnds, "added-byte-order-mark"},
		{"32 the marker in a string", signed("if ($l -match '^# SIG # Begin signature block$') { 'x' }\r\n"), "", verifier.Valid, "", ""},
		{"34 invalid UTF-8 that becomes the same text", bytes.Replace(signed(bom+"$x = '\xFF'\r\n"), []byte{0xFF}, []byte{0xFE}, 1), "", verifier.Tampered, verifier.CheckEncoding, "lossy-decode"},
		{"34 half a surrogate pair", f.signed(t, ".ps1", append(wide("$x = '"), 0x00, 0xD8, '\'', 0)), "", verifier.Ambiguous, verifier.CheckEncoding, "lossy-decode"},
		{"35 UTF-8 made UTF-16 of the same text", wide(strings.TrimPrefix(string(umlaut), bom)), "", verifier.Valid, "", ""},
		{"36 UTF-16 with bytes like line ends", f.signed(t, ".ps1", wide("'\u0A0A\u010A\u0D0A'\r\n")), "", verifier.Valid, "", ""},
		{"37 UTF-16 big endian", vectors.UTF16BE(bytes.TrimPrefix(umlaut, []byte(bom))), "", verifier.Unsupported, verifier.CheckSupported, "utf-16be"},
		{"38 a .mof with its block rewritten", style.Render([]byte(forgedContent), f.message(vectors.StyleOf(".mof"), []byte(forgedContent)).Build(t)), "", verifier.Valid, "", ""},
		{"39 a .psd1 with another name", f.signed(t, ".psd1", []byte(forgedContent)), "job.ps1", verifier.Valid, "", ""},
		{"40 an empty script", style.Render(nil, f.message(style, nil).Build(t)), "", verifier.Valid, "", ""},
		{"41 no line end before the block", signed("Write-Output 1"), "", verifier.Valid, "", ""},
		{"42 UTF-8 without a mark", signed("Write-Output 'ü'\r\n"), "", verifier.Ambiguous, verifier.CheckEncoding, "ambiguous-encoding"},
		{"43 one byte too many in UTF-16", append(f.signed(t, ".ps1", wide("Write-Output 1\r\n")), 0), "", verifier.Malformed, verifier.CheckLayout, "trailing"},
		{"44 line separators of other kinds", signed(bom + "$x = 'a\u2028b\u2029c\u0085d\ve\ff'\r\n"), "", verifier.Valid, "", "line-separator"},
		{"89 smart quotes without a mark", signed(quotes), "", verifier.Ambiguous, verifier.CheckEncoding, "ambiguous-encoding"},
		{"90 a lone CR", signed("Write-Output 1 # \revil\r\n"), "", verifier.Valid, "", "lone-cr"},
		{"90 a bidirectional override", signed(bom + "Write-Output 1 # \u202E\u2066evil\u2069\r\n"), "", verifier.Valid, "", "bidi-control"},
		{"90 a zero-width space", signed(bom + "Write-Out\u200Bput 1\r\n"), "", verifier.Valid, "", "zero-width"},
		{"89 smart quotes with a mark", signed(bom + quotes), "", verifier.Valid, "", ""},
	} {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			a.judge(t, v)
		})
	}
}
