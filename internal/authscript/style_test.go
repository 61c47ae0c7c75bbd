package authscript_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/internal/testenv"
)

// contentsOf are texts that parse back to themselves once a block is in them.
func contentsOf(ext string) []string {
	all := contents()
	if ext != ".ps1" {
		all = append(all, "# SIG # Begin signature block\r\n# AAAA\r\n# SIG # End signature block\r\n", " #SIG# begin signature block\n")
	}
	if ext != ".wsf" {
		return all
	}
	for i, c := range all {
		if strings.HasPrefix(c, "\xFF\xFE") {
			all[i] = c + utf16le("</job>\r\n</package>")[2:]
			continue
		}
		all[i] = c + "</job>\r\n"
	}
	return append(all, "</job>", "\xEF\xBB\xBF</job>", "<job></job><job></job>\n", utf16le("</job>\r\n\u3C00\u2F3C"), "\xFE\xFF\x00<\x00/\x00j\x00o\x00b\x00>")
}

func TestStyleOfGoesByTheExtensionInAnyCase(t *testing.T) {
	t.Parallel()
	for name, noun := range map[string]string{
		"a.ps1": "PowerShell script", "A.PSM1": "PowerShell script", "a.b.Psd1": "PowerShell script",
		"a.ps1xml": "PowerShell XML file", "a.psc1": "PowerShell XML file", "a.CdXml": "PowerShell XML file", "a.mof": "MOF file",
		"a.vbs": "VBScript", "OSPP.VBE": "VBScript", "a.js": "JScript", "a.jse": "JScript", "a.wsf": "Windows script file",
		"ps1": "", "a.ps1.asc": "", "a.psc2": "", "a.xaml": "", "a.ps1 ": "", "a": "", "a.wsc": "",
	} {
		s, ok := authscript.StyleOf(name)
		if ok != (noun != "") || ok && s.Noun != noun {
			t.Errorf("%q: %v, %v", name, s, ok)
		}
	}
}

func TestEveryStyleParsesToWhatRendersTheSameBytes(t *testing.T) {
	t.Parallel()
	for ext, style := range styles() {
		for _, content := range contentsOf(ext) {
			file := signedAs(style, content)
			s, err := authscript.Parse(style, []byte(file))
			if err != nil {
				t.Errorf("%s: %q: %v", ext, content, err)
				continue
			}
			if string(s.Unsigned()) != content || !bytes.Equal(s.Block, der) || string(s.Render()) != file {
				t.Errorf("%s: %q: parsed to %q and %q", ext, content, s.Content, s.After)
			}
			if _, err := authscript.Parse(style, []byte(content)); !errors.Is(err, authscript.ErrNoBlock) {
				t.Errorf("%s: %q without a block: %v", ext, content, err)
			}
		}
	}
}

func TestTheMarkersOfEachStyleAreKnown(t *testing.T) {
	t.Parallel()
	for ext, want := range map[string]string{
		".ps1":   "1\r\n# SIG # Begin signature block\r\n# bm90",
		".cdxml": "1\r\n<!-- SIG # Begin signature block -->\r\n<!-- bm90",
		".mof":   "1\r\n/* SIG # Begin signature block */\r\n/* bm90",
		".vbs":   "1\r\n'' SIG '' Begin signature block\r\n'' SIG '' bm90",
		".js":    "1\r\n// SIG // Begin signature block\r\n// SIG // bm90",
		".wsf":   "1\r\n<signature>\r\n** SIG ** bm90",
	} {
		if got := signedAs(styles()[ext], "1</job>\n"); ext == ".wsf" && (!strings.HasPrefix(got, want) || !strings.HasSuffix(got, "\r\n</signature>\r\n</job>\n")) ||
			ext != ".wsf" && !strings.HasPrefix(signedAs(styles()[ext], "1"), want) {
			t.Errorf("%s: %q", ext, got)
		}
	}
}

func TestLinesThatLookLikeTheMarkersOfAStyleAreRefused(t *testing.T) {
	t.Parallel()
	for ext, lines := range map[string][]string{
		".cdxml": {"<!--SIG # Begin signature block-->", " <!-- SIG # Begin signature block -->", "<!-- sig # END signature block -->", "<!-- SIG # Begin signature block --> x", "<!-- SIG # Begin signature block"},
		".mof":   {"/*SIG # Begin signature block*/", "\t/* SIG # Begin signature block */", "/* SIG # End signature block", "/* SIG # Begin signature block */ x"},
		".vbs":   {"''SIG''Begin signature block", "'' SIG '' begin signature block", " '' SIG '' End signature block", "'' SIG '' Begin signature block x"},
		".js":    {"//SIG//Begin signature block", "// SIG // Begin  signature block", "\u200B// SIG // Begin signature block", "// SIG // End signature blocks"},
		".wsf":   {"<Signature>", " <signature>", "</signature >", "<signature><x>", "</signature></job>"},
	} {
		for _, line := range lines {
			_, err := authscript.Parse(styles()[ext], []byte(signedAs(styles()[ext], "\xEF\xBB\xBF1\r\n"+line+"\r\n2</job>")))
			var le *authscript.LayoutError
			if !errors.As(err, &le) || le.Code != authscript.CodeLookAlike || le.Line != 2 {
				t.Errorf("%s: %q: %v", ext, line, err)
			}
		}
	}
}

// PowerShell's own rule for look-alikes is PowerShell's.
func TestCommentsNearTheMarkerAreTextWherePowerShellDoesNotReadThem(t *testing.T) {
	t.Parallel()
	for ext, line := range map[string]string{".vbs": "'' SIG '' Begin of a signature", ".mof": "/* SIG # Begins signature */", ".js": "// signature block begins"} {
		if _, err := authscript.Parse(styles()[ext], []byte(signedAs(styles()[ext], line+"\r\n"))); err != nil {
			t.Errorf("%s: %v", ext, err)
		}
	}
}

func TestABlockHasItsPlaceBeforeTheLastEndOfAJob(t *testing.T) {
	t.Parallel()
	wsf := styles()[".wsf"]
	good := signedAs(wsf, "<job>\r\n</job>\r\n")
	block := good[strings.Index(good, "\r\n<signature>") : strings.Index(good, "</signature>")+len("</signature>\r\n")]
	for name, file := range map[string]string{
		"behind the job":                   "<job>\r\n</job>\r\n" + block,
		"before a job":                     block + "<job>\r\n</job>\r\n",
		"before the first of two":          good + "<job></job>\r\n",
		"a blank before the end":           strings.Replace(good, "\r\n</job>", "\r\n </job>", 1),
		"other letters":                    strings.Replace(good, "</job>", "</JOB>", 1),
		"no end":                           strings.Replace(good, "</job>\r\n", "", 1),
		"a line without the prefix inside": strings.Replace(good, "** SIG ** Z", "Z", 1),
		"two blocks":                       good[:len(good)-len("</job>\r\n")] + block + "</job>\r\n",
	} {
		var le *authscript.LayoutError
		if s, err := authscript.Parse(wsf, []byte(file)); s != nil || !errors.As(err, &le) || le.Line == 0 {
			t.Errorf("%s: parsed, %v", name, err)
		}
	}
	var le *authscript.LayoutError
	if s, err := authscript.New(wsf, []byte("<job>\r\n")); s != nil || !errors.As(err, &le) || le.Code != authscript.CodePlace || le.Line != 2 {
		t.Errorf("without a job: %v", err)
	}
}

// TestTheDigestOfTheScriptHostLeavesOutTheMarkAndAddsThePosition: what stands
// before and behind the block cannot change places.
func TestTheDigestOfTheScriptHostLeavesOutTheMarkAndAddsThePosition(t *testing.T) {
	t.Parallel()
	wsf := styles()[".wsf"]
	sum := func(content, after string) [32]byte {
		h := sha256.New()
		s := &authscript.Script{Style: wsf, Encoding: authscript.Detect([]byte(content + after)), Content: []byte(content), After: []byte(after)}
		if err := s.WriteSigned(h, s.Encoding); err != nil {
			t.Fatal(err)
		}
		return [32]byte(h.Sum(nil))
	}
	text := utf16le("ü😀</job>")[2:]
	want := sha256.Sum256(binary.LittleEndian.AppendUint32([]byte(text), 3))
	big := []byte("\xFE\xFF")
	for i := 0; i < len(text); i += 2 {
		big = append(big, text[i+1], text[i])
	}
	for name, got := range map[string][32]byte{
		"UTF-8":    sum("\xEF\xBB\xBFü😀", "</job>"),
		"UTF-16LE": sum("\xFF\xFE"+text[:6], text[6:]),
		"UTF-16BE": sum(string(big[:8]), string(big[8:])),
	} {
		if got != want {
			t.Errorf("%s: another digest", name)
		}
	}
	if sum("ab", "</job>") == sum("a", "b</job>") {
		t.Error("the position is not in the digest")
	}
}

func TestRepairsOfOtherStylesContainWhatWasSigned(t *testing.T) {
	t.Parallel()
	lf := func(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }
	crlf := func(s string) string { return strings.ReplaceAll(lf(s), "\n", "\r\n") }
	for ext, style := range styles() {
		for name, c := range map[string]struct{ original, damaged string }{
			"CRLF to LF":             {signedAs(style, "1\r\n</job>\r\n"), lf(signedAs(style, "1\r\n</job>\r\n"))},
			"LF, and the block's":    {signedAs(style, "1\n</job>\n"), lf(signedAs(style, "1\n</job>\n"))},
			"LF to CRLF":             {signedAs(style, "1\n</job>\n"), crlf(signedAs(style, "1\n</job>\n"))},
			"no newline, CRLF to LF": {signedAs(style, "1\r\n</job>"), lf(signedAs(style, "1\r\n</job>"))},
		} {
			found := false
			for r := range authscript.Repairs(style, []byte(c.damaged)) {
				found = found || string(r.Data) == c.original && r.LineEnds && !r.Cut
			}
			if !found {
				t.Errorf("%s, %s: the original is not among the repairs", ext, name)
			}
		}
	}
}

func TestACodePageDecodesAsWindowsDoes(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 5, 437, 932, 1200, 1259, 65001, -1} {
		if e, ok := authscript.CodePage(n); ok {
			t.Errorf("%d is %s", n, e)
		}
	}
	e, ok := authscript.CodePage(1251)
	if !ok || e.String() != "windows-1251" || e.Plain() {
		t.Fatalf("%s, %v", e, ok)
	}
	var out bytes.Buffer
	s := &authscript.Script{Style: powerShell(), Content: []byte("\xCF\xF0")}
	if err := s.WriteSigned(&out, e); err != nil || out.String() != utf16le("Пр")[2:] {
		t.Errorf("%q, %v", out.Bytes(), err)
	}
	s.Content = []byte("ok \x98") // the one byte that 1251 leaves open
	var te *authscript.TextError
	if err := s.WriteSigned(&out, e); !errors.As(err, &te) || te.Code != authscript.CodeLossyDecode {
		t.Error(err)
	}
}

func TestHostileTextOfEveryStyleTakesLinearTime(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	for ext, style := range styles() {
		whole := signedAs(style, "1\r\n</job>")
		for _, unit := range []string{"<", "/", "'", "\r\n/", " <", "</job>", "\n</signature>", whole} {
			file := []byte(strings.Repeat(unit, size/len(unit)) + "\r\n" + whole)
			for _, data := range [][]byte{file, []byte(utf16le(string(file)))} {
				took := testenv.CPUTime(t, func() {
					_, _ = authscript.Parse(style, data)
					_, _ = authscript.New(style, data)
					_ = authscript.CheckText(style, data)
					for r := range authscript.Repairs(style, data) {
						_, _ = authscript.Parse(style, r.Data)
					}
				})
				if took > 20*time.Second {
					t.Errorf("%s of %q: %s", ext, unit[:min(20, len(unit))], took)
				}
			}
		}
	}
}

// Statements are of a type of their own, which no extension stands for: no signature
// of theirs is one of a script.
func TestStatementsHaveATypeOfTheirOwn(t *testing.T) {
	t.Parallel()
	own := authscript.StatementStyle()
	for ext, style := range styles() {
		if style.GUID == own.GUID {
			t.Errorf("%s has the type of statements", ext)
		}
	}
	if _, ok := authscript.StyleOf("x.statement"); ok || len(own.GUID) != 16 {
		t.Error("an extension stands for statements")
	}
	file := signedAs(own, "{\n}\n")
	s, err := authscript.Parse(own, []byte(file))
	if err != nil || string(s.Unsigned()) != "{\n}\n" || string(s.Render()) != file {
		t.Errorf("%v", err)
	}
}
