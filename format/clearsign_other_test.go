package format_test

import (
	"bytes"
	"compress/flate"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/verifier"
)

// compressed is a compressed data packet, in ZIP.
func compressed(t testing.TB, inside []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteByte(1)
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err == nil {
		_, err = w.Write(inside)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return forgedPacket(8, b.Bytes()...)
}

// TestOtherShapesAreRecognisedAndNamed: what is OpenPGP and no clear-signed text,
// under any name. The numbers are those of the attacks in
// docs/formats/openpgp-attacks.md.
func TestOtherShapesAreRecognisedAndNamed(t *testing.T) {
	t.Parallel()
	alice := newForger(clearsignTime.Add(-time.Hour))
	v := besideVerifier(t, ringTrust(t, alice.certificate()), clearsignTime)
	by := [][]byte{at(2, alice.created), alice.issuer()}
	text := "echo signed\n"
	document := documentOf(t, text, alice.text(text, forged{kind: 1, hashed: by}))
	block := document[bytes.Index(document, []byte("-----BEGIN PGP SIGNATURE-----")):]
	plain := forgedPacket(11, append([]byte("t\x00\x00\x00\x00\x00"), text...)...)
	onePass := forgedPacket(4, slices.Concat([]byte{3, 0, 10, 22}, alice.fingerprint()[12:], []byte{1})...)
	signature := alice.over(0x00, []byte(text))
	opaque := slices.Concat(onePass, plain, signature)
	encrypted := slices.Concat(forgedPacket(1, make([]byte, 40)...), forgedPacket(18, make([]byte, 60)...))
	parts := slices.Concat([]byte{0xcb, 0xe1}, []byte("t\x00"), []byte{byte(4 + len(text))}, []byte("\x00\x00\x00\x00"), []byte(text))
	untilEnd := slices.Concat([]byte{0xac | 3}, []byte("t\x00\x00\x00\x00\x00"), []byte(text)) // the old form, of no length
	message := func(data []byte) []byte { return testenv.Armored(t, "PGP MESSAGE", data) }
	script := "#!/bin/sh\n: <<'X'\n" + string(message(plain)) + "X\nrm -rf x\n"
	for name, c := range map[string]struct {
		data    []byte
		verdict verifier.Verdict
		finding string // none where ""
	}{
		"1 a plain script":                                {[]byte("#!/bin/sh\necho a\n"), verifier.Unsigned, ""},
		"2 an empty file":                                 {nil, verifier.Unsigned, ""},
		"3 an armored certificate":                        {testenv.Armored(t, "PGP PUBLIC KEY BLOCK", alice.certificate()), verifier.Unsigned, "key-block"},
		"3 an armored secret key":                         {testenv.Armored(t, "PGP PRIVATE KEY BLOCK", alice.certificate()), verifier.Unsigned, "secret-key-block"},
		"3 a binary certificate":                          {alice.certificate(), verifier.Unsigned, "key-block"},
		"4 an armored detached signature":                 {testenv.Armored(t, "PGP SIGNATURE", signature), verifier.Unsigned, "detached-signature"},
		"4 a binary detached signature":                   {signature, verifier.Unsigned, "detached-signature"},
		"5 a literal":                                     {message(plain), verifier.Unsigned, "unsigned-message"},
		"5 a binary literal":                              {plain, verifier.Unsigned, "unsigned-message"},
		"5 a binary literal in parts":                     {parts, verifier.Unsigned, "unsigned-message"},
		"5 a binary literal to the end of the file":       {untilEnd, verifier.Unsigned, "unsigned-message"},
		"5 a compressed literal":                          {message(compressed(t, plain)), verifier.Unsigned, "unsigned-message"},
		"5 a binary compressed literal":                   {compressed(t, plain), verifier.Unsigned, "unsigned-message"},
		"5 a marker and a literal":                        {message(slices.Concat(forgedPacket(10, 'P', 'G', 'P'), plain)), verifier.Unsigned, "unsigned-message"},
		"6 an empty signature block":                      {bytes.Replace(document, block, []byte("-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n"), 1), verifier.Unsigned, "no-signature"},
		"7 no signature block":                            {bytes.Replace(document, block, nil, 1), verifier.Unsigned, "no-signature-block"},
		"8 an encrypted message":                          {message(encrypted), verifier.Unsupported, "encrypted-message"},
		"8 a binary encrypted message":                    {encrypted, verifier.Unsupported, "encrypted-message"},
		"9 a script before a document":                    {slices.Concat([]byte("echo evil\n"), document), verifier.Malformed, "text-before"},
		"10 a script behind a document":                   {slices.Concat(document, []byte("echo evil\n")), verifier.Malformed, "text-after"},
		"11 two documents":                                {slices.Concat(document, document), verifier.Malformed, "second-message"},
		"12 two signature blocks":                         {slices.Concat(document, block), verifier.Malformed, "second-signature-block"},
		"13 a document inside a document":                 {bytes.Replace(document, []byte(text), document, 1), verifier.Malformed, "second-message"},
		"14 a document, then a literal":                   {slices.Concat(document, message(plain)), verifier.Malformed, "text-after"},
		"14 a literal, then a document":                   {slices.Concat(message(plain), document), verifier.Malformed, "text-before"},
		"14 a binary literal, then a document":            {slices.Concat(plain, []byte("\n"), document), verifier.Malformed, "text-before"},
		"15 an opaque message":                            {message(opaque), verifier.Unsupported, "opaque-signed"},
		"15 a binary opaque message":                      {opaque, verifier.Unsupported, "opaque-signed"},
		"15 a compressed opaque message":                  {message(compressed(t, opaque)), verifier.Unsupported, "opaque-signed"},
		"15 a binary compressed opaque message":           {compressed(t, opaque), verifier.Unsupported, "opaque-signed"},
		"15 an opaque message of the old form":            {message(slices.Concat(signature, plain)), verifier.Unsupported, "opaque-signed"},
		"15 an opaque message, then a literal":            {message(slices.Concat(opaque, plain)), verifier.Malformed, "several-messages"},
		"15 a literal, then an opaque message":            {message(slices.Concat(plain, opaque)), verifier.Malformed, "several-messages"},
		"15 an encrypted message, then a literal":         {message(slices.Concat(encrypted, plain)), verifier.Malformed, "several-messages"},
		"15 two armored messages":                         {slices.Concat(message(opaque), message(plain)), verifier.Malformed, "several-messages"},
		"15 a session key without data":                   {message(encrypted[:46]), verifier.Malformed, "bad-packet"},
		"15 more packets than are looked at":              {message(bytes.Repeat(signature, 64)), verifier.Malformed, "several-messages"},
		"16 a blank before the marker":                    {slices.Concat([]byte(" "), document), verifier.Malformed, "text-before"},
		"16 blank lines before a literal":                 {slices.Concat([]byte("\n \n"), message(plain)), verifier.Unsigned, "unsigned-message"},
		"16 a no-break space before the marker":           {slices.Concat([]byte("\u00a0"), document), verifier.Malformed, "text-before"},
		"17 text on the marker's line":                    {bytes.Replace(document, []byte("MESSAGE-----\n"), []byte("MESSAGE----- # x\n"), 1), verifier.Malformed, "marker-with-text"},
		"17 text on the marker's line of a message":       {bytes.Replace(message(plain), []byte("MESSAGE-----\n"), []byte("MESSAGE----- # x\n"), 1), verifier.Malformed, "marker-with-text"},
		"19 a message in parts":                           {testenv.Armored(t, "PGP MESSAGE, PART 1/2", plain), verifier.Malformed, "unknown-armor"},
		"19 a message that is cut off":                    {message(plain)[:60], verifier.Malformed, "bad-armor"},
		"19 a message with a broken packet":               {message(plain[:len(plain)-2]), verifier.Malformed, "bad-packet"},
		"20 a shell script around a document":             {slices.Concat([]byte(": <<'X'\n"), document, []byte("X\nrm x\n")), verifier.Malformed, "text-before"},
		"20 a Python script around a document":            {slices.Concat([]byte("'''\n"), document, []byte("'''\nimport os\n")), verifier.Malformed, "text-before"},
		"20 a shell script around a literal":              {[]byte(script), verifier.Unsigned, "embedded-message"},
		"20 a literal, and a shell script behind it":      {slices.Concat(message(plain), []byte("rm -rf x\n")), verifier.Malformed, "text-after"},
		"20 a literal inside a document":                  {documentOf(t, script, alice.text(script, forged{kind: 1, hashed: by})), verifier.Valid, ""},
		"21 a byte order mark before a document":          {slices.Concat([]byte("\xef\xbb\xbf"), document), verifier.Malformed, "text-before"},
		"21 a byte order mark before a literal":           {slices.Concat([]byte("\xef\xbb\xbf"), message(plain)), verifier.Unsigned, "unsigned-message"},
		"21 a document in UTF-16":                         {utf16LE(string(document)), verifier.Malformed, "utf-16"},
		"21 a document of carriage returns":               {bytes.ReplaceAll(document, []byte("\n"), []byte("\r")), verifier.Malformed, "lone-cr"},
		"text in Latin-1 is no message":                   {[]byte("\xa9 somebody\necho a\n"), verifier.Unsigned, ""},
		"text in UTF-8 is no message":                     {[]byte("\u00e9tat=1\necho a\n"), verifier.Unsigned, ""},
		"a script with a certificate in it is no message": {[]byte("apt-key add - <<X\n" + string(testenv.Armored(t, "PGP PUBLIC KEY BLOCK", alice.certificate())) + "X\n"), verifier.Unsigned, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, file := range []string{"deploy.sh", "deploy.py", "deploy.sh.asc"} {
				report, payload := clearsignVerdict(t, v, file, c.data)
				finding := c.finding
				if file == "deploy.sh.asc" && finding == "" && c.verdict == verifier.Unsigned {
					finding = map[bool]string{true: "empty-file", false: "not-clearsigned"}[len(c.data) == 0]
				}
				verdict := c.verdict
				if file == "deploy.sh.asc" && finding == "embedded-message" {
					verdict = verifier.Malformed
				}
				if report.Verdict != verdict || finding != "" && !hasFinding(report, finding) || finding == "" && len(report.Findings) > 0 {
					t.Errorf("%s is %s, want %s and %q: %+v", file, report.Verdict, verdict, finding, report.Findings)
				}
				if report.Verdict == verifier.Valid && string(payload) != script {
					t.Errorf("payload %q", payload)
				}
			}
		})
	}
}

func utf16LE(text string) []byte {
	out := []byte{0xff, 0xfe}
	for _, c := range []byte(text) {
		out = append(out, c, 0)
	}
	return out
}

// TestOtherShapesOfGnuPGAreNamed: as GnuPG itself writes them.
func TestOtherShapesOfGnuPGAreNamed(t *testing.T) {
	t.Parallel()
	g, v := gnuPGThatSigns(t)
	text := []byte(strings.Repeat("echo a line that can be compressed\n", 50))
	for _, c := range []struct {
		args    string
		verdict verifier.Verdict
		finding string
	}{
		{"--armor --store", verifier.Unsigned, "unsigned-message"},
		{"--store", verifier.Unsigned, "unsigned-message"},
		{"--compress-algo none --store", verifier.Unsigned, "unsigned-message"},
		{"--armor --sign", verifier.Unsupported, "opaque-signed"},
		{"--sign", verifier.Unsupported, "opaque-signed"},
		{"--compress-algo none --sign", verifier.Unsupported, "opaque-signed"},
		{"--passphrase x --sign --symmetric", verifier.Unsupported, "encrypted-message"},
		{"--detach-sign", verifier.Unsigned, "detached-signature"},
	} {
		out := g.mustRun(text, strings.Fields(c.args)...)
		report, _ := clearsignVerdict(t, v, "deploy.sh", out)
		if report.Verdict != c.verdict || !hasFinding(report, c.finding) {
			t.Errorf("gpg %s: %s, want %s and %q: %+v", c.args, report.Verdict, c.verdict, c.finding, report.Findings)
		}
	}
}
