package format_test

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/vectors"
	"github.com/runwrit/writ/verifier"
)

// signableTypes are the extensions whose block is the end of the file.
var signableTypes = []string{".ps1", ".psm1", ".psd1", ".ps1xml", ".psc1", ".cdxml", ".mof", ".vbs", ".vbe", ".js", ".jse"}

// TestAdversarialTypes makes the attacks on the layout for every type, and those
// that move a signature from one type to another.
func TestAdversarialTypes(t *testing.T) {
	t.Parallel()
	f := newScriptForger(t)
	v := f.verifier(t)
	content := []byte("one\r\ntwo\r\n")
	const bom = "\xEF\xBB\xBF"
	for _, ext := range signableTypes {
		style := vectors.StyleOf(ext)
		good := string(f.signed(t, ext, content))
		at := strings.Index(good, "\r\n"+style.Begin)
		forge := func(sum []byte) []byte {
			m := f.message(style, content)
			m.Content = style.IndirectData(crypto.SHA256, sum)
			return style.Render(content, m.Build(t))
		}
		other := vectors.StyleOf(".vbs")
		if style.WSH {
			other = vectors.StyleOf(".ps1")
		}
		moved := f.message(other, content)
		moved.Content = other.IndirectData(crypto.SHA256, style.Digest(crypto.SHA256, content))
		const malformed, layout = verifier.Malformed, verifier.CheckLayout
		attacks := []attack{
			{"00 nothing is changed", []byte(good), "", verifier.Valid, "", ""},
			{"00 with a byte-order mark", f.signed(t, ext, []byte(bom+"ü\r\n")), "", verifier.Valid, "", ""},
			{"00 in UTF-16", f.signed(t, ext, append([]byte("\xFF\xFE"), vectors.UTF16("ü\r\n")...)), "", verifier.Valid, "", ""},
			{"01 code after the end line", []byte(good + "evil\r\n"), "", malformed, layout, "trailing"},
			{"05 code between base64 lines", []byte(strings.Replace(good, "\r\n"+style.Prefix+"M", "\r\nevil\r\n"+style.Prefix+"M", 1)), "", malformed, layout, "junk-in-block"},
			{"06 code behind a line of the block", []byte(strings.Replace(good, "\r\n"+style.End, " evil\r\n"+style.End, 1)), "", malformed, layout, "junk-in-block"},
			{"07 another character for the CR", []byte(good[:at] + "Z\n" + good[at+2:]), "", malformed, layout, "block-not-preceded-by-crlf"},
			{"10 two blocks", []byte(good + good[at:]), "", malformed, layout, "two-blocks"},
			{"14 all line ends are LF", []byte(strings.ReplaceAll(good, "\r\n", "\n")), "", verifier.Damaged, verifier.CheckLineEnds, "line-ends"},
			{"18 a blank behind the marker", []byte(strings.Replace(good, style.Begin, style.Begin+" ", 1)), "", malformed, layout, ""},
			{"29 one character changed", []byte(strings.Replace(good, "two", "owt", 1)), "", verifier.Tampered, verifier.CheckContentDigest, ""},
			{"51 moved from another family", style.Render(content, moved.Build(t)), "", malformed, verifier.CheckStructure, ""},
			{"54 the digest of bytes, not of text", forge(vectors.Sum(crypto.SHA256, content)), "", verifier.Tampered, verifier.CheckContentDigest, ""},
		}
		if style.WSH {
			position := func(n int) []byte {
				return vectors.Sum(crypto.SHA256, vectors.UTF16(string(content)), binary.LittleEndian.AppendUint32(nil, uint32(n)))
			}
			attacks = append(attacks,
				attack{"54 without the position", forge(vectors.Sum(crypto.SHA256, vectors.UTF16(string(content)))), "", verifier.Tampered, verifier.CheckContentDigest, ""},
				attack{"54 with the position of the file", forge(position(len(content) + 2)), "", verifier.Tampered, verifier.CheckContentDigest, ""},
				attack{"54 with the position in bytes", forge(position(2 * len(content))), "", verifier.Tampered, verifier.CheckContentDigest, ""})
		} else {
			marked := []byte(bom + "one\r\n")
			m := f.message(style, marked)
			m.Content = style.IndirectData(crypto.SHA256, vectors.Sum(crypto.SHA256, vectors.UTF16("one\r\n")))
			attacks = append(attacks, attack{"54 without the byte-order mark", style.Render(marked, m.Build(t)), "", verifier.Damaged, "", ""})
		}
		for _, a := range attacks {
			t.Run(a.name+" in "+ext, func(t *testing.T) {
				t.Parallel()
				a.as = "JOB" + strings.ToUpper(ext)
				a.judge(t, v)
			})
		}
	}
}

// TestAdversarialScriptFiles: in a .wsf there is text behind the block.
func TestAdversarialScriptFiles(t *testing.T) {
	t.Parallel()
	f := newScriptForger(t)
	v := f.verifier(t)
	style := vectors.StyleOf(".wsf")
	before, behind := []byte("<package>\r\n<job>\r\n<script>one</script>\r\n"), []byte("</job>\r\n</package>\r\n")
	sign := func(before, behind []byte) []byte {
		m := f.message(style, before)
		m.Content = style.IndirectData(crypto.SHA256, style.DigestAround(crypto.SHA256, before, behind))
		return m.Build(t)
	}
	der := sign(before, behind)
	good := style.RenderAround(before, behind, der)
	render := func(before, behind string) []byte { return style.RenderAround([]byte(before), []byte(behind), der) }
	two := []byte("<script>two</script>\r\n</job>\r\n")
	const malformed, layout, tampered, digest = verifier.Malformed, verifier.CheckLayout, verifier.Tampered, verifier.CheckContentDigest
	for _, a := range []attack{
		{"00 nothing is changed", good, "", verifier.Valid, "", ""},
		{"00 in UTF-16", style.RenderAround(append([]byte("\xFF\xFE"), vectors.UTF16(string(before))...), vectors.UTF16(string(behind)),
			sign(append([]byte("\xFF\xFE"), vectors.UTF16(string(before))...), vectors.UTF16(string(behind)))), "", verifier.Valid, "", ""},
		{"01 a job behind the last", append(slices.Clone(good), "<job><script>evil</script></job>"...), "", malformed, layout, ""},
		{"01 text behind the last job", append(slices.Clone(good), "<evil/>"...), "", tampered, digest, ""},
		{"01 the text behind is changed", bytes.Replace(good, []byte("</package>"), []byte("</evilage>"), 1), "", tampered, digest, ""},
		{"01 the text behind is gone", render(string(before), "</job>"), "", tampered, digest, ""},
		{"10 two blocks", style.RenderAround(style.RenderAround(before, nil, der), behind, der), "", malformed, layout, "two-blocks"},
		{"11 text between block and end", style.RenderAround(before, two, sign(before, two)), "", malformed, layout, ""},
		{"54 the text around it moves", style.RenderAround([]byte("<job>"), []byte("</job>"), sign([]byte("<job></job>"), nil)), "", tampered, digest, ""},
	} {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			a.as = "job.wsf"
			a.judge(t, v)
		})
	}
}
