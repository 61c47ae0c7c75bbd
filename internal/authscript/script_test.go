package authscript_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/internal/testenv"
)

const (
	begin = "# SIG # Begin signature block\r\n"
	end   = "# SIG # End signature block\r\n"
)

// der stands for a signature; the container does not look into it.
var der = bytes.Repeat([]byte("not a signature, "), 11)

// styles are all styles, each by an extension of it.
func styles() map[string]*authscript.Style {
	all := map[string]*authscript.Style{}
	for _, ext := range []string{".ps1", ".cdxml", ".mof", ".vbs", ".js", ".wsf"} {
		all[ext], _ = authscript.StyleOf("x" + ext)
	}
	return all
}

func powerShell() *authscript.Style { return styles()[".ps1"] }

// signed puts a block behind content, as in a PowerShell script.
func signed(content string) string { return signedAs(powerShell(), content) }

func signedAs(style *authscript.Style, content string) string {
	s, err := authscript.New(style, []byte(content))
	if err != nil {
		panic(err)
	}
	s.Block = der
	return string(s.Render())
}

func utf16le(s string) string {
	b := []byte{0xFF, 0xFE}
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

// contents are texts that parse back to themselves once a block is behind them.
func contents() []string {
	return []string{
		"1\r\n", "1\n", "1", "1\r", "", "\r\n", "a\r\n\r\n\r\n",
		"\xEF\xBB\xBF", "\xEF\xBB\xBFgrün\r\n", "gr\xFCn\r\n", "grün\n", "\x81\x8D\x8F\x90\x9D",
		utf16le(""), utf16le("grün 😀\r\n"), utf16le("\u0A0A\u010A\u2323\u0D23"),
		"$l -match '^# SIG # Begin signature block$'\r\n",
		"x # SIG # Begin signature block\r\n",
		"# signature of the function begins here, and this line is far too long to be a marker\r\n",
		strings.Repeat("#", 100) + "\r\n# \r\n#\r\n",
	}
}

func TestParseThenRenderGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	for _, content := range contents() {
		file := signed(content)
		s, err := authscript.Parse(powerShell(), []byte(file))
		if err != nil {
			t.Errorf("%q: %v", content, err)
			continue
		}
		if string(s.Content) != content || !bytes.Equal(s.Block, der) || string(s.Render()) != file {
			t.Errorf("%q: parsed to %q", content, s.Content)
		}
	}
}

func TestEachWayToBreakTheContainerIsRefusedByItsCode(t *testing.T) {
	t.Parallel()
	good := signed("1\r\n")
	lines := strings.SplitAfter(good, "\r\n")
	body := strings.Join(lines[3:len(lines)-2], "")
	withBody := func(b string) string { return "1\r\n\r\n" + begin + b + end }
	replace := func(old, by string) string { return strings.Replace(good, old, by, 1) }
	one := func(b64 string) string { return withBody("# " + b64 + "\r\n") }
	for name, c := range map[string]struct {
		file, code string
		line       int
	}{
		"code behind the block":            {good + "evil\r\n", authscript.CodeTrailing, 9},
		"a blank line behind the block":    {good + "\r\n", authscript.CodeTrailing, 9},
		"a NUL behind the block":           {good + "\x00", authscript.CodeTrailing, 9},
		"half a unit behind UTF-16":        {signed(utf16le("1\r\n")) + "x", authscript.CodeTrailing, 9},
		"no newline at the end":            {strings.TrimSuffix(good, "\r\n"), authscript.CodeLayout, 8},
		"LF at the end":                    {strings.TrimSuffix(good, "\r\n") + "\n", authscript.CodeLayout, 8},
		"LF before the block":              {replace("\r\n\r\n# SIG", "\r\n\n# SIG"), authscript.CodeNotPreceded, 3},
		"another character for the CR":     {replace("\r\n\r\n# SIG", "\r\nZ\n# SIG"), authscript.CodeNotPreceded, 3},
		"a file that is a block":           {good[strings.Index(good, "# SIG"):], authscript.CodeNotPreceded, 1},
		"two blocks":                       {good + good[3:], authscript.CodeTwoBlocks, 10},
		"code between two blocks":          {good + "evil" + good[1:], authscript.CodeTwoBlocks, 11},
		"a begin line first":               {begin + good, authscript.CodeTwoBlocks, 4},
		"an end line first":                {end + good, authscript.CodeTwoBlocks, 9},
		"no end line":                      {strings.Replace(good, end, "", 1), authscript.CodeLayout, 3},
		"no begin line":                    {strings.Replace(good, begin, "", 1), authscript.CodeLayout, 7},
		"end before begin":                 {"1\r\n" + end + begin + body, authscript.CodeLayout, 2},
		"code between base64 lines":        {withBody(lines[3] + "evil\r\n" + lines[4]), authscript.CodeJunk, 5},
		"code after base64":                {replace("bm90IGE", "bm90;IG"), authscript.CodeJunk, 4},
		"an empty comment in the block":    {withBody(lines[3] + "# \r\n" + lines[4]), authscript.CodeJunk, 5},
		"an empty line in the block":       {withBody(lines[3] + "\r\n" + lines[4]), authscript.CodeJunk, 5},
		"a tab for the blank":              {replace("# bm90", "#\tbm90"), authscript.CodeJunk, 4},
		"LF inside the block":              {withBody(strings.Replace(lines[3], "\r\n", "\n", 1) + lines[4]), authscript.CodeJunk, 4},
		"non-ASCII inside the block":       {withBody("# grün\r\n"), authscript.CodeJunk, 4},
		"padding in the middle":            {withBody("# " + strings.Repeat("=", 64) + "\r\n# AAAA\r\n"), authscript.CodeJunk, 4},
		"one long line":                    {one(strings.ReplaceAll(strings.ReplaceAll(body, "# ", ""), "\r\n", "")), authscript.CodeLayout, 4},
		"lines of 62":                      {withBody("# " + strings.Repeat("A", 62) + "\r\n# AAAA\r\n"), authscript.CodeLayout, 4},
		"trailing bits in base64":          {one("AB=="), authscript.CodeLayout, 4},
		"padding missing":                  {one("AA"), authscript.CodeLayout, 4},
		"padding too much":                 {one("AAAA="), authscript.CodeLayout, 4},
		"an empty block":                   {withBody(""), authscript.CodeEmptyBlock, 4},
		"a block beyond the limit":         {withBody(strings.Repeat("# "+strings.Repeat("A", 64)+"\r\n", 10_000)), authscript.CodeLayout, 4},
		"look-alike in lower case":         {strings.ToLower(good), authscript.CodeLookAlike, 3},
		"look-alike with a trailing blank": {replace("block\r\n", "block \r\n"), authscript.CodeLookAlike, 3},
		"look-alike with an indent":        {replace("\r\n# SIG", "\r\n # SIG"), authscript.CodeLookAlike, 3},
		"look-alike with NBSP":             {"\xEF\xBB\xBF" + replace("Begin signature", "Begin\u00A0signature"), authscript.CodeLookAlike, 3},
		"look-alike behind NBSP":           {"\xEF\xBB\xBF\u00A0# SIG # Begin signature block\r\n" + good, authscript.CodeLookAlike, 1},
		"look-alike behind a zero width":   {"\xEF\xBB\xBF\u200B# SIG # Begin signature block\r\n" + good, authscript.CodeLookAlike, 1},
		"look-alike behind U+2028":         {"\xEF\xBB\xBF\u2028# SIG # Begin signature block\r\n" + good, authscript.CodeLookAlike, 1},
		"look-alike with a suffix":         {"# SIG # Begin signature block X\r\n" + good, authscript.CodeLookAlike, 1},
		"look-alike with a long suffix":    {"# SIG # Begin signature block " + strings.Repeat("x", 500) + "\r\n" + good, authscript.CodeLookAlike, 1},
		"look-alike with nine edits":       {"# IG # gin ature bock\r\n" + good, authscript.CodeLookAlike, 1},
		"look-alike of the end":            {"#SIG#End signature block\r\n" + good, authscript.CodeLookAlike, 1},
		"look-alike in UTF-16":             {utf16le(" # SIG # Begin signature block\r\n") + good, authscript.CodeLookAlike, 1},
		"look-alike after a lone CR":       {"x\r # SIG # Begin signature block\r\n" + good, authscript.CodeLookAlike, 2},
		"many look-alikes":                 {strings.Repeat("# sig # begin signature block\r\n", 10_000) + good, authscript.CodeLookAlike, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := authscript.Parse(powerShell(), []byte(c.file))
			var le *authscript.LayoutError
			if s != nil || !errors.As(err, &le) {
				t.Fatalf("parsed, %v", err)
			}
			if le.Code != c.code || le.Line != c.line {
				t.Errorf("%s at line %d, want %s at line %d: %v", le.Code, le.Line, c.code, c.line, err)
			}
		})
	}
}

func TestAScriptWithoutMarkersHasNoBlock(t *testing.T) {
	t.Parallel()
	for _, content := range append(contents(), "\xFE\xFF\x00a", "# ten edits away: sigxbeginsig\r\n", "\xFF\xFE\n") {
		if s, err := authscript.Parse(powerShell(), []byte(content)); s != nil || !errors.Is(err, authscript.ErrNoBlock) {
			t.Errorf("%q: %v", content, err)
		}
	}
}

func TestDetectChoosesAsWindowsDoes(t *testing.T) {
	t.Parallel()
	pad := func(n int) string { return strings.Repeat("a", n) }
	for file, want := range map[string]authscript.Encoding{
		"":                     authscript.ASCII,
		"abc\x00":              authscript.ASCII,
		"\xFF\xFEa\x00":        authscript.UTF16LE,
		"\xFE\xFF\x00a":        authscript.UTF16BE,
		"\xEF\xBB\xBFabc":      authscript.UTF8BOM,
		"ü":                    authscript.UTF8,
		pad(30) + "ü":          authscript.UTF8,
		pad(31) + "ü":          authscript.ANSI, // cut off by the 32nd byte
		pad(32) + "ü":          authscript.ANSI,
		"ü" + pad(29) + "\xFF": authscript.ANSI, // invalid within the probe: ANSI
		"ü" + pad(30) + "\xFF": authscript.UTF8, // invalid behind it
		"\xFC":                 authscript.ANSI,
	} {
		if got := authscript.Detect([]byte(file)); got != want {
			t.Errorf("%q: %s, want %s", file, got, want)
		}
	}
}

func TestCheckTextNamesWhatHostsReadDifferently(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"abc":                              "",
		"\xEF\xBB\xBFgrün \uFFFD":          "",
		utf16le("grün 😀"):                  "",
		"a\nb\ngr\xC3\xBCn":                "3 " + authscript.CodeAmbiguous,
		"a\ngr\xFCn":                       "2 " + authscript.CodeLossyDecode,
		"\xEF\xBB\xBFa\r\n\xFF":            "2 " + authscript.CodeLossyDecode,
		"\xEF\xBB\xBF\xED\xA0\x80":         "1 " + authscript.CodeLossyDecode,
		"\xFF\xFEa\x00\n\x00\x00\xDC":      "2 " + authscript.CodeLossyDecode,
		"\xFF\xFEa\x00\r\x00\x00\xD8a\x00": "2 " + authscript.CodeLossyDecode,
		"\xFF\xFEa":                        "1 " + authscript.CodeLossyDecode,
		"a\rb\x00":                         "2 " + authscript.CodeNUL,
		"\xFF\xFE\x00\x00":                 "1 " + authscript.CodeNUL,
		"\xFE\xFF\x00a":                    "1 " + authscript.CodeUTF16BE,
	} {
		got := ""
		if te := authscript.CheckText(powerShell(), []byte(file)); te != nil {
			got = fmt.Sprintf("%d %s", te.Line, te.Code)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", file, got, want)
		}
	}
}

func TestTheDigestIsOverUTF16WithTheMark(t *testing.T) {
	t.Parallel()
	const text = "\uFEFFgrün – 😀 €\r\n"
	long := text + strings.Repeat("0123456789abcdef", 10_000) + "ü😀" + strings.Repeat("x", 40_000)
	onTwoCores := text + strings.Repeat("0123456789abcdef\u20ac", 200_000)
	for _, s := range []string{text, long, onTwoCores, onTwoCores + onTwoCores} {
		want := sha256.Sum256([]byte(utf16le(strings.TrimPrefix(s, "\uFEFF"))))
		for _, content := range []string{s, utf16le(strings.TrimPrefix(s, "\uFEFF"))} {
			h := sha256.New()
			script := &authscript.Script{Style: powerShell(), Encoding: authscript.Detect([]byte(content)), Content: []byte(content)}
			if err := script.WriteSigned(h, script.Encoding); err != nil || !bytes.Equal(h.Sum(nil), want[:]) {
				t.Errorf("%s: another digest, %v", script.Encoding, err)
			}
		}
	}
}

// TestALargeTextFailsAsASmallOne, though it is written on another core.
func TestALargeTextFailsAsASmallOne(t *testing.T) {
	t.Parallel()
	for _, size := range []int{100, 4 << 20} {
		good := bytes.Repeat([]byte("a"), size)
		broken := append(append(bytes.Clone(good), 0xff), good...)
		script := &authscript.Script{Style: powerShell(), Encoding: authscript.UTF8, Content: broken}
		var lossy *authscript.TextError
		if err := script.WriteSigned(io.Discard, script.Encoding); !errors.As(err, &lossy) || lossy.Code != authscript.CodeLossyDecode {
			t.Errorf("%d bytes, then one that is no UTF-8: %v", size, err)
		}
		script.Content = good
		full := errors.New("full")
		w := &limitedWriter{room: size, err: full}
		if err := script.WriteSigned(w, script.Encoding); !errors.Is(err, full) {
			t.Errorf("%d bytes to a writer that has no room: %v", size, err)
		}
	}
}

type limitedWriter struct {
	room int
	err  error
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	if w.room -= len(p); w.room < 0 {
		return 0, w.err
	}
	return len(p), nil
}

func TestWindows1252LosesNoByte(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for b := range 256 {
		var out bytes.Buffer
		s := &authscript.Script{Style: powerShell(), Content: []byte{byte(b)}}
		if err := s.WriteSigned(&out, authscript.ANSI); err != nil || out.Len() != 2 || seen[out.String()] {
			t.Errorf("byte %#x: % x, %v", b, out.Bytes(), err)
		}
		seen[out.String()] = true
	}
}

func TestRepairsContainWhatWasSigned(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ original, damaged string }{
		"git made LF of CRLF":         {signed("1\r\n2\r\n"), strings.ReplaceAll(signed("1\r\n2\r\n"), "\r\n", "\n")},
		"LF, with BOM":                {signed("\xEF\xBB\xBF1\r\n"), strings.ReplaceAll(signed("\xEF\xBB\xBF1\r\n"), "\r\n", "\n")},
		"LF, and a BOM added":         {signed("1\r\n"), "\xEF\xBB\xBF" + strings.ReplaceAll(signed("1\r\n"), "\r\n", "\n")},
		"only the block's line ends":  {signed("1\n2\n"), strings.ReplaceAll(signed("1\n2\n"), "\r\n", "\n")},
		"git made CRLF of LF":         {signed("1\n2\n"), strings.ReplaceAll(strings.ReplaceAll(signed("1\n2\n"), "\r\n", "\n"), "\n", "\r\n")},
		"content without a newline":   {signed("1\r\n2"), strings.ReplaceAll(signed("1\r\n2"), "\r\n", "\n")},
		"the last newline is missing": {signed("1\r\n"), strings.TrimSuffix(signed("1\r\n"), "\r\n")},
		"UTF-16 with LF":              {signed(utf16le("ü\r\n\u0A0A\r\n")), strings.ReplaceAll(signed(utf16le("ü\r\n\u0A0A\r\n")), "\r\x00\n\x00", "\n\x00")},
		"something behind the block":  {signed("1\r\n"), signed("1\r\n") + "evil\r\n"},
		"a brace on the end line":     {signed("1\r\n"), strings.ReplaceAll(strings.TrimSuffix(signed("1\r\n"), "\r\n")+"}", "\r\n", "\n")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := 0
			for r := range authscript.Repairs(powerShell(), []byte(c.damaged)) {
				if n++; r.How == "" || n > 20 {
					t.Fatal("a repair without words, or too many")
				}
				if string(r.Data) == c.original {
					if r.Cut != (name == "something behind the block" || name == "a brace on the end line") || r.LineEnds == (name == "something behind the block") {
						t.Errorf("%+v", r)
					}
					return
				}
			}
			t.Error("the original is not among the repairs")
		})
	}
}

func TestWellMadeFilesNeedNoRepairThatIsThemselves(t *testing.T) {
	t.Parallel()
	for _, content := range contents() {
		file := []byte(signed(content))
		for r := range authscript.Repairs(powerShell(), file) {
			if bytes.Equal(r.Data, file) {
				t.Errorf("%q: %s", content, r.How)
			}
		}
	}
}

// Files that make a careless scanner quadratic.
func TestHostileTextTakesLinearTime(t *testing.T) {
	t.Parallel()
	const size = 4 << 20
	for name, unit := range map[string]string{
		"hashes": "#", "hash and blank": "# ", "blanks": " ", "CR and hash": "#\r", "markers": begin, "NBSP": "\u00A0", "LF": "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := []byte(strings.Repeat(unit, size/len(unit)) + "#")
			for _, data := range [][]byte{file, append([]byte("\xFF\xFE"), bytes.Repeat([]byte("#\x00"), size/2)...)} {
				took := testenv.CPUTime(t, func() {
					_, _ = authscript.Parse(powerShell(), data)
					_ = authscript.CheckText(powerShell(), data)
					for r := range authscript.Repairs(powerShell(), data) {
						_, _ = authscript.Parse(powerShell(), r.Data)
					}
				})
				if took > 20*time.Second {
					t.Errorf("%s", took)
				}
			}
		})
	}
}

func TestParsingTenMebibytesAllocatesLittle(t *testing.T) {
	file := []byte(signed(strings.Repeat("Write-Output 'line' # comment\r\n", 10<<20/31)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s, err := authscript.Parse(powerShell(), file)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.WriteSigned(sha256.New(), s.Encoding); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 3<<19 { // most of it two buffers of 512 KiB
		t.Errorf("%d bytes for a file of %d", used, len(file))
	}
}

func FuzzMalleability(f *testing.F) {
	for ext, style := range styles() {
		for _, content := range contentsOf(ext) {
			f.Add(ext, []byte(signedAs(style, content)))
			f.Add(ext, []byte(strings.ReplaceAll(signedAs(style, content), "\r\n", "\n")))
		}
	}
	addVectors(f)
	f.Fuzz(func(t *testing.T, ext string, data []byte) {
		style, ok := authscript.StyleOf(ext)
		if !ok {
			return // not a type of script with a block
		}
		s, err := authscript.Parse(style, data)
		if err != nil {
			return
		}
		if !bytes.Equal(s.Render(), data) {
			t.Errorf("%q parses to a script that renders as %q", data, s.Render())
		}
		_ = s.WriteSigned(sha256.New(), s.Encoding)
		again, err := authscript.New(style, s.Unsigned())
		if err != nil || authscript.CheckText(style, data) == nil && (!bytes.Equal(again.Content, s.Content) || !bytes.Equal(again.After, s.After)) {
			t.Errorf("%q: its text has the block in another place, %v", data, err)
		}
	})
}

func FuzzRepairs(f *testing.F) {
	for ext, style := range styles() {
		for _, content := range contentsOf(ext) {
			f.Add(ext, []byte(strings.ReplaceAll(signedAs(style, content), "\r\n", "\n")))
			f.Add(ext, []byte(signedAs(style, content)+"x"))
		}
	}
	f.Fuzz(func(t *testing.T, ext string, data []byte) {
		style, ok := authscript.StyleOf(ext)
		if !ok {
			return // not a type of script with a block
		}
		_ = authscript.CheckText(style, data)
		for r := range authscript.Repairs(style, data) {
			if bytes.Equal(r.Data, data) || r.How == "" || len(r.Data) > 2*len(data)+8 {
				t.Errorf("%q: %+v", data, r)
			}
		}
	})
}

func addVectors(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(filepath.Dir(testenv.Root(f)), "shared", "vectors", "authenticode", "layout", "*"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(".ps1", data)
	}
}
