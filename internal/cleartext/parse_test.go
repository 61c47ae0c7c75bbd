package cleartext_test

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/testenv"
)

// block is a signature block of three bytes that are no signature.
const block = "-----BEGIN PGP SIGNATURE-----\n\nAAAA\n=Je8i\n-----END PGP SIGNATURE-----\n"

const head = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"

func TestParseGivesTheCanonicalText(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	for name, c := range map[string]struct{ doc, text string }{
		"plain lines":                {head + "echo a\necho b\n" + block, "echo a\necho b\n"},
		"dashes escaped":             {head + "- -x\n- ---\n- From here\n" + block, "-x\n---\nFrom here\n"},
		"an escaped empty line":      {head + "- \n" + block, "\n"},
		"one empty line":             {head + "\n" + block, "\n"},
		"empty lines at the end":     {head + "a\n\n\n" + block, "a\n\n\n"},
		"CRLF throughout":            {strings.ReplaceAll(head+"a\n- -b\n"+block, "\n", "\r\n"), "a\n-b\n"},
		"a long line":                {head + long + "\n" + block, long + "\n"},
		"no Hash header":             {"-----BEGIN PGP SIGNED MESSAGE-----\n\na\n" + block, "a\n"},
		"no newline at the very end": {strings.TrimSuffix(head+"a\n"+block, "\n"), "a\n"},
		"trailing blanks":            {head + "a \t\nb\n" + block, "a\nb\n"},
		"empty lines behind the end": {head + "a\n" + block + "\n\n", "a\n"},
		"a nested message, escaped":  {head + "- -----BEGIN PGP SIGNED MESSAGE-----\n" + block, "-----BEGIN PGP SIGNED MESSAGE-----\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := cleartext.Parse([]byte(c.doc))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.text, string(doc.Text())); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			var hashed bytes.Buffer
			if err := doc.WriteHashed(&hashed); err != nil {
				t.Fatal(err)
			}
			want := strings.ReplaceAll(strings.TrimSuffix(c.text, "\n"), "\n", "\r\n")
			if diff := cmp.Diff(want, hashed.String()); diff != "" {
				t.Errorf("hashed form (-want +got):\n%s", diff)
			}
			if doc.Canonical() && !bytes.Equal(doc.Render(), []byte(c.doc)) {
				t.Errorf("rendered as %q", doc.Render())
			}
			if doc.Canonical() == strings.HasPrefix(name, "trailing") {
				t.Errorf("canonical is %v", doc.Canonical())
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	text := "echo a\n"
	flood := strings.Repeat("Hash: SHA512\n", cleartext.MaxHeaders+1)
	for name, c := range map[string]struct {
		doc  string
		code cleartext.Code
		line int
	}{
		"an empty file":                        {"", cleartext.TextBefore, 0},
		"a blank line before the marker":       {"\n" + head + text + block, cleartext.TextBefore, 1},
		"text behind the marker":               {"-----BEGIN PGP SIGNED MESSAGE----- x\n\n" + text + block, cleartext.MarkerWithText, 1},
		"a blank behind the marker":            {"-----BEGIN PGP SIGNED MESSAGE----- \n\n" + text + block, cleartext.MarkerWithText, 1},
		"the marker alone":                     {"-----BEGIN PGP SIGNED MESSAGE-----", cleartext.NoEnd, 1},
		"CR for all line ends":                 {strings.ReplaceAll(head+text+block, "\n", "\r"), cleartext.LoneCR, 1},
		"an unknown header":                    {"-----BEGIN PGP SIGNED MESSAGE-----\nX-Evil: 1\n\n" + text + block, cleartext.UnknownHeader, 2},
		"a Version header":                     {"-----BEGIN PGP SIGNED MESSAGE-----\nVersion: 1\n\n" + text + block, cleartext.UnknownHeader, 2},
		"NotDashEscaped":                       {"-----BEGIN PGP SIGNED MESSAGE-----\nNotDashEscaped: You need GnuPG\n\n" + text + block, cleartext.NotDashEscapedMode, 2},
		"a command among the headers":          {"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\ncurl evil\n\n" + text + block, cleartext.NoBlankLine, 3},
		"a folded header":                      {"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\tcurl: x\n\n" + text + block, cleartext.UnknownHeader, 3},
		"no blank line":                        {"-----BEGIN PGP SIGNED MESSAGE-----\n#!/bin/sh\n" + text + block, cleartext.NoBlankLine, 2},
		"a blank line of blanks":               {"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n \t\n" + text + block, cleartext.NoBlankLine, 3},
		"an unknown hash":                      {"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA9\n\n" + text + block, cleartext.BadHashHeader, 2},
		"a hash in small letters":              {"-----BEGIN PGP SIGNED MESSAGE-----\nHash: sha512\n\n" + text + block, cleartext.BadHashHeader, 2},
		"no space after Hash":                  {"-----BEGIN PGP SIGNED MESSAGE-----\nHash:SHA512\n\n" + text + block, cleartext.BadHashHeader, 2},
		"an empty Hash":                        {"-----BEGIN PGP SIGNED MESSAGE-----\nHash: \n\n" + text + block, cleartext.BadHashHeader, 2},
		"text behind Hash":                     {"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512 x\n\n" + text + block, cleartext.BadHashHeader, 2},
		"a CR inside Hash":                     {"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\rx\n\n" + text + block, cleartext.LoneCR, 2},
		"a terminal escape inside Hash":        {"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\x1b[2J\n\n" + text + block, cleartext.ControlCharacter, 2},
		"a header flood":                       {"-----BEGIN PGP SIGNED MESSAGE-----\n" + flood + "\n" + text + block, cleartext.TooManyHeaders, 18},
		"a header too long":                    {"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512" + strings.Repeat(", SHA512", 99) + "\n\n" + text + block, cleartext.LineTooLong, 2},
		"CRLF in the frame only":               {strings.Replace(head, "\n", "\r\n", 1) + text + block, cleartext.MixedLineEnds, 2},
		"CRLF in the signature only":           {head + text + strings.ReplaceAll(block, "\n", "\r\n"), cleartext.MixedLineEnds, 5},
		"no line of text":                      {head + block, cleartext.NoBlankLine, 4},
		"a dash that is not escaped":           {head + "-x\n" + block, cleartext.NotDashEscaped, 4},
		"a second message inside":              {head + text + head + text + block, cleartext.SecondMessage, 5},
		"a NUL inside":                         {head + "a\x00b\n" + block, cleartext.NUL, 4},
		"a NUL at a line end":                  {head + "a\x00\n" + block, cleartext.NUL, 4},
		"a CR inside":                          {head + "a\rb\n" + block, cleartext.LoneCR, 4},
		"a form feed":                          {head + "a\f\n" + block, cleartext.ControlCharacter, 4},
		"a terminal escape":                    {head + "a\x1b[2J\n" + block, cleartext.ControlCharacter, 4},
		"a DEL":                                {head + "a\x7f\n" + block, cleartext.ControlCharacter, 4},
		"a line beyond the limit":              {head + strings.Repeat("x", cleartext.MaxTextLine+1) + "\n" + block, cleartext.LineTooLong, 4},
		"no signature block":                   {head + text, cleartext.NoSignatureBlock, 4},
		"text behind the signature's marker":   {head + text + strings.Replace(block, "-----\n", "----- x\n", 1), cleartext.MarkerWithText, 5},
		"the signature cut off":                {head + text + "-----BEGIN PGP SIGNATURE-----\n\nAAAA\n", cleartext.NoEnd, 7},
		"an unknown armor header":              {head + text + strings.Replace(block, "\n\n", "\nEvil: 1\n\n", 1), cleartext.BadArmorHeader, 6},
		"no blank line in the armor":           {head + text + strings.Replace(block, "\n\n", "\n", 1), cleartext.BadArmorHeader, 6},
		"a command inside the armor":           {head + text + strings.Replace(block, "AAAA\n", "AAAA\nrm -rf x\n", 1), cleartext.BadArmor, 8},
		"a blank line inside the base64":       {head + text + strings.Replace(block, "AAAA\n", "AAAA\n\nAAAA\n", 1), cleartext.BadArmor, 8},
		"lines of base64 of different lengths": {head + text + strings.Replace(block, "AAAA\n", "AAAA\nAA\nAA\n", 1), cleartext.BadArmor, 9},
		"a line of base64 too long":            {head + text + strings.Replace(block, "AAAA\n", strings.Repeat("A", 80)+"\n", 1), cleartext.BadArmor, 7},
		"padding inside the base64":            {head + text + strings.Replace(block, "AAAA\n", "AA==\nAAAA\n", 1), cleartext.BadArmor, 9},
		"loose bits in the padding":            {head + text + "-----BEGIN PGP SIGNATURE-----\n\nAAB=\n-----END PGP SIGNATURE-----\n", cleartext.BadArmor, 8},
		"a wrong checksum":                     {head + text + strings.Replace(block, "Je8i", "Je8j", 1), cleartext.BadCRC, 8},
		"a checksum that is not one":           {head + text + strings.Replace(block, "=Je8i", "=Je8iA", 1), cleartext.BadCRC, 8},
		"junk behind the checksum":             {head + text + strings.Replace(block, "=Je8i\n", "=Je8i\nevil\n", 1), cleartext.BadArmor, 9},
		"a signature armored as a message":     {head + text + strings.ReplaceAll(block, "SIGNATURE", "MESSAGE"), cleartext.NotDashEscaped, 5},
		"text behind the end, same line":       {head + text + strings.TrimSuffix(block, "\n") + " evil\n", cleartext.MarkerWithText, 9},
		"text behind the end":                  {head + text + block + "evil\n", cleartext.TextAfter, 10},
		"blanks behind the end":                {head + text + block + " \n", cleartext.TextAfter, 10},
		"a second signature block":             {head + text + block + block, cleartext.SecondSignature, 10},
		"a second document":                    {head + text + block + head + text + block, cleartext.SecondMessage, 10},
		"a flood of empty lines":               {head + text + block + strings.Repeat("\n", cleartext.MaxBlankLines+1), cleartext.TextAfter, 26},
		"more than the size limit":             {head + strings.Repeat("x\n", cleartext.MaxSize/2) + block, cleartext.TooLarge, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := cleartext.Parse([]byte(c.doc))
			var syntax *cleartext.SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("error %v, document %v", err, doc)
			}
			if syntax.Code != c.code || syntax.Line != c.line {
				t.Errorf("%v, want %s at line %d", err, c.code, c.line)
			}
			if doc != nil {
				t.Error("there is a document beside the error")
			}
		})
	}
}

func TestParseNotesWhatAReaderMayNotSee(t *testing.T) {
	t.Parallel()
	doc, err := cleartext.Parse([]byte(head + "\ufeffa\n# \u202e evil\n# \u2066 x\n# a\u2028b\n# \u009b\n# \xff\n" +
		strings.Repeat("x", cleartext.MaxSignedLine+1) + "\nplain \u00e9\nb \nc\r\n" + block))
	if err != nil {
		t.Fatal(err)
	}
	want := []cleartext.Finding{
		{Code: cleartext.BOM, Line: 4, Count: 1},
		{Code: cleartext.Bidi, Line: 5, Count: 2},
		{Code: cleartext.LineSeparator, Line: 7, Count: 1},
		{Code: cleartext.C1Control, Line: 8, Count: 1},
		{Code: cleartext.NotUTF8, Line: 9, Count: 1},
		{Code: cleartext.LongLine, Line: 10, Count: 1},
		{Code: cleartext.TrailingBlanks, Line: 12, Count: 1},
		{Code: cleartext.TrailingCR, Line: 13, Count: 1},
	}
	if diff := cmp.Diff(want, doc.Findings()); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestCheckTextRefusesWhatASignatureWouldNotCover(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		code cleartext.Code
		line int
	}{
		"nothing":                       {"", cleartext.EmptyText, 0},
		"no final newline":              {"a\nb", cleartext.NoFinalNewline, 2},
		"CRLF":                          {"a\r\nb\r\n", cleartext.TrailingCR, 1},
		"a CR inside":                   {"a\nb\rc\n", cleartext.LoneCR, 2},
		"a here-document's terminator":  {"cat <<EOF\nEOF \nrm x\nEOF\n", cleartext.TrailingBlanks, 2},
		"a backslash and a blank":       {"echo \\ \nrm x\n", cleartext.TrailingBlanks, 1},
		"a trailing TAB":                {"a\t\n", cleartext.TrailingBlanks, 1},
		"a NUL":                         {"a\x00\n", cleartext.NUL, 1},
		"a form feed":                   {"a\f\n", cleartext.ControlCharacter, 1},
		"a line that GnuPG would cut":   {strings.Repeat("x", cleartext.MaxSignedLine+1) + "\n", cleartext.LineTooLong, 1},
		"Latin-1":                       {"# caf\xe9\n", cleartext.NotUTF8, 1},
		"UTF-16":                        {"a\x00\n\x00", cleartext.NUL, 1},
		"more than a document can hold": {strings.Repeat("x\n", cleartext.MaxSize/2), cleartext.TooLarge, 0},
		"more than it can hold escaped": {strings.Repeat("-\n", cleartext.MaxSize/4), cleartext.TooLarge, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := cleartext.CheckText([]byte(c.text))
			var syntax *cleartext.SyntaxError
			if !errors.As(err, &syntax) || syntax.Code != c.code || syntax.Line != c.line {
				t.Errorf("%v, want %s at line %d", err, c.code, c.line)
			}
			if doc, err := cleartext.New([]byte(c.text), "SHA512", nil); err == nil || doc != nil {
				t.Error("a document can be made of it")
			}
		})
	}
	fine := "#!/bin/sh\n\techo -e 'caf\u00e9'\n-x\n\n" + strings.Repeat("x", cleartext.MaxSignedLine) + "\n"
	if err := cleartext.CheckText([]byte(fine)); err != nil {
		t.Error(err)
	}
}

func TestNewDocumentsParseToTheSameText(t *testing.T) {
	t.Parallel()
	text := "#!/bin/sh\n-x\n- y\n-----BEGIN PGP SIGNED MESSAGE-----\nFrom me\n\n\n"
	doc, err := cleartext.New([]byte(text), "SHA512", bytes.Repeat([]byte{0xff}, 200))
	if err != nil {
		t.Fatal(err)
	}
	rendered := doc.Render()
	if !bytes.Contains(rendered, []byte("\n=")) {
		t.Error("there is no checksum, without which GnuPG 2.2 refuses some signatures")
	}
	again, err := cleartext.Parse(rendered)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text, string(again.Text())); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestLocateFindsMarkersThatOtherProgramsWouldFollow(t *testing.T) {
	t.Parallel()
	const marker = cleartext.BeginMessage
	utf16 := "\xff\xfe"
	for _, c := range marker {
		utf16 += string(c) + "\x00"
	}
	for name, c := range map[string]struct {
		data  string
		place cleartext.Place
		line  int
	}{
		"at the start":             {marker + "\n", cleartext.AtStart, 1},
		"at the start, with text":  {marker + " x\n", cleartext.AtStart, 1},
		"inside a here-document":   {": <<'X'\n" + marker + "\nX\n", cleartext.Elsewhere, 2},
		"behind a blank":           {" " + marker + "\n", cleartext.Elsewhere, 1},
		"behind a byte order mark": {"\xef\xbb\xbf" + marker + "\n", cleartext.Elsewhere, 1},
		"behind a no-break space":  {"a\n\u00a0" + marker + "\t\r\n", cleartext.Elsewhere, 2},
		"behind a carriage return": {"a\r" + marker + "\rb", cleartext.Elsewhere, 1},
		"in UTF-16":                {utf16, cleartext.Elsewhere, 1},
		"the second of two":        {"x" + marker + "\n" + marker, cleartext.Elsewhere, 2},
		"inside a string":          {"echo '" + marker + "'\n", cleartext.Nowhere, 0},
		"with code behind it":      {"a\n" + marker + " # x\n", cleartext.Nowhere, 0},
		"nowhere":                  {"echo a\n", cleartext.Nowhere, 0},
	} {
		place, line := cleartext.Locate([]byte(c.data))
		if place != c.place || line != c.line {
			t.Errorf("%s: place %d line %d, want %d, %d", name, place, line, c.place, c.line)
		}
	}
}

func TestDearmorReadsSeveralBlocksAndTellsBrokenOnes(t *testing.T) {
	t.Parallel()
	one := "-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: x\n\nAAAA\n=Je8i\n-----END PGP PUBLIC KEY BLOCK-----\n"
	blocks, err := cleartext.Dearmor([]byte("a note\n" + one + "\n\n" + strings.ReplaceAll(one, "\n", " \r\n")))
	if err != nil || len(blocks) != 2 || !bytes.Equal(blocks[1].Data, []byte{0, 0, 0}) || blocks[1].Line != 10 {
		t.Errorf("blocks %+v, error %v", blocks, err)
	}
	for name, bad := range map[string]string{
		"cut off":           strings.TrimSuffix(one, "-----END PGP PUBLIC KEY BLOCK-----\n"),
		"another end":       strings.Replace(one, "END PGP PUBLIC", "END PGP PRIVATE", 1),
		"a block inside":    strings.Replace(one, "AAAA\n", "AAAA\n"+one, 1),
		"no blank line":     strings.Replace(one, "\n\n", "\n", 1),
		"a wrong checksum":  strings.Replace(one, "Je8i", "Je8j", 1),
		"not base64":        strings.Replace(one, "AAAA", "A!AA", 1),
		"behind a checksum": strings.Replace(one, "=Je8i\n", "=Je8i\nAAAA\n", 1),
	} {
		var syntax *cleartext.SyntaxError
		blocks, err := cleartext.Dearmor([]byte(bad + strings.Replace(one, "Comment", "Behind", 1)))
		if err != nil || len(blocks) < 2 || !errors.As(blocks[0].Err, &syntax) {
			t.Errorf("%s: %+v, error %v", name, blocks, err)
			continue
		}
		last := blocks[len(blocks)-1]
		if last.Err != nil || len(last.Data) != 3 || name == "a wrong checksum" && len(blocks[0].Data) != 3 {
			t.Errorf("%s: %+v", name, blocks)
		}
	}
	var syntax *cleartext.SyntaxError
	if blocks, err := cleartext.Dearmor([]byte(strings.Repeat(one, cleartext.MaxBlocks+1))); !errors.As(err, &syntax) || blocks != nil {
		t.Errorf("too many blocks: error %v", err)
	}
}

func TestArmorIsWhatOthersWrite(t *testing.T) {
	t.Parallel()
	for size := range 200 {
		packets := bytes.Repeat([]byte{0xc6, 1, 2}, size)[:size]
		got := cleartext.Armor("PGP PUBLIC KEY BLOCK", packets)
		if want := testenv.Armored(t, "PGP PUBLIC KEY BLOCK", packets); size > 0 && !bytes.Equal(got, want) {
			t.Fatalf("%d bytes:\n%s\nwant:\n%s", size, got, want)
		}
		if blocks, err := cleartext.Dearmor(got); err != nil || len(blocks) != 1 || blocks[0].Err != nil || !bytes.Equal(blocks[0].Data, packets) {
			t.Fatalf("%d bytes, read again: %+v, %v", size, blocks, err)
		}
	}
}

func TestParseNeedsFarLessThanFourTimesTheFile(t *testing.T) {
	doc := []byte(head + strings.Repeat("echo 0123456789012345678901234567\n", 10<<20/34) + block)
	result := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			d, err := cleartext.Parse(doc)
			if err != nil {
				b.Fatal(err)
			}
			if err := d.WriteHashed(sha512.New()); err != nil {
				b.Fatal(err)
			}
		}
	})
	if got := result.AllocedBytesPerOp(); got > int64(len(doc))*3/2 {
		t.Errorf("%d bytes allocated for a file of %d", got, len(doc))
	}
}

func TestParseFindsEveryForbiddenByteAtEveryPlace(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		for at := range 20 {
			line := []byte(strings.Repeat("x", 20))
			line[at] = byte(c)
			_, err := cleartext.Parse([]byte(head + string(line) + "y\n" + block))
			forbidden := c < 0x20 && c != '\t' && c != '\n' || c == 0x7f
			if (err != nil) != forbidden && (c != '-' || at > 0) {
				t.Errorf("byte %#x at %d: %v", c, at, err)
			}
		}
	}
}
