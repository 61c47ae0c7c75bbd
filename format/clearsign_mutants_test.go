package format_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/runwrit/writ/internal/cleartext"
)

// mutants makes clear-signed documents of every shape, good and bad, with
// signatures that are real. What it makes is decided by a stream of bytes: one
// that a fuzzer changes, or one of random numbers with a fixed seed.
//
// It shares nothing with the writer of documents in internal/cleartext: it joins
// lines of its own.
type mutants struct {
	alice, bob, stranger *forger // the stranger is nobody's to trust
	choices              []byte
}

// newMutants makes the same keys each time, so that a mutant can be made again.
func newMutants() *mutants {
	created := clearsignTime.AddDate(0, -1, 0)
	return &mutants{alice: seededForger(1, created), bob: seededForger(2, created), stranger: seededForger(3, created)}
}

// ring are the certificates to trust.
func (m *mutants) ring() []byte { return slices.Concat(m.alice.certificate(), m.bob.certificate()) }

// number takes the next bytes of the stream; zeros where it has ended.
func (m *mutants) number(size int) int {
	var b [4]byte
	m.choices = m.choices[copy(b[4-size:], m.choices[:min(size, len(m.choices))]):]
	return int(binary.BigEndian.Uint32(b[:]))
}

// one takes any of several, all alike.
func one[T any](m *mutants, of ...T) T { return of[m.number(1)%len(of)] }

// mostly takes the first, and seldom one of the others: after dozens of such
// choices the document has to be a good one often enough.
func mostly[T any](m *mutants, usual T, others ...T) T {
	n := m.number(1)
	if n < 245 {
		return usual
	}
	return others[m.number(1)%len(others)]
}

// lines that a text may have, each of which is something to somebody.
var mutantLines = []string{
	"", "echo a", "#!/bin/sh", "-x", "- y", "--", "-", "From here", "\techo", " lead", "a\tb", "caf\u00e9", "\u202erev", "sep\u2028end", "\ufeffmark",
	"\xff\xfe", "nbsp\u00a0", "-----BEGIN PGP SIGNATURE-----", "-----BEGIN PGP SIGNED MESSAGE-----", "-----END PGP SIGNATURE-----", "Hash: SHA512",
	"=AAAA", "EOF", "echo \\", "NotDashEscaped: x", "\u0085", "-----", "- - z", ".", strings.Repeat("x", 200),
}

// document makes the next one of the stream.
func (m *mutants) document(stream []byte) []byte {
	m.choices = stream
	lines := m.lines()
	signatures := m.signatures(strings.Join(lines, "\n") + "\n")
	doc := slices.Concat(
		mostly(m, nil, []string{""}, []string{"\ufeff"}, []string{"echo evil"}),
		[]string{mostly(m, cleartext.BeginMessage, cleartext.BeginMessage+" ", " "+cleartext.BeginMessage, cleartext.BeginMessage+" x", "-----BEGIN PGP MESSAGE-----")},
		m.headers(),
		[]string{mostly(m, "", " ", "\t", "echo evil", "\x00")},
		m.written(lines),
		m.armor(signatures),
		mostly(m, nil, []string{"", ""}, []string{" "}, []string{"echo evil"}, []string{cleartext.BeginMessage}))
	end := one(m, "\n", "\n", "\n", "\r\n")
	out := []byte(strings.Join(doc, end) + mostly(m, end, "", "\n", "\r", "\x00"))
	return m.edited(out)
}

func (m *mutants) lines() []string {
	lines := make([]string, 1+m.number(1)%6)
	for i := range lines {
		lines[i] = one(m, mutantLines...)
	}
	if m.number(1) == 255 {
		lines[0] = strings.Repeat("y", 19_980+m.number(1)%40)
	}
	return lines
}

// headers of the message.
func (m *mutants) headers() []string {
	return one(m,
		[]string{"Hash: SHA512"}, []string{"Hash: SHA512"}, []string{"Hash: SHA512, SHA256"}, []string{"Hash: SHA256,SHA512"}, []string{"Hash: SHA256", "Hash: SHA512"}, nil,
		[]string{mostly(m, "Hash: SHA512", "Hash: SHA3-512, SHA512", "Hash: SHA512 ", "Hash:  SHA512", "Hash:SHA512", "hash: SHA512", "Hash: SHA512,", "Hash: SHA9",
			"Comment: x", "Hash: SHA1", "NotDashEscaped: You need GnuPG to verify this message", "Hash: SHA512\vecho evil", "Hash: MD5, SHA512", "echo evil")})
}

// written is the text as the file has it: escaped where it must be, and with what
// a signature does not cover.
func (m *mutants) written(lines []string) []string {
	out := slices.Clone(lines)
	for i, line := range lines {
		switch odd := m.number(1); {
		case strings.HasPrefix(line, "-") && odd != 255, odd < 16: // needless where there is no dash
			line = "- " + line
		}
		out[i] = line + mostly(m, "", "", "", " ", "\t", "\r", "\f", "\v", "\x00", "\u00a0", "\u2028", " \r", strings.Repeat(" ", 20_000)+"; echo evil")
	}
	return mostly(m, out, append(out, ""), out[1:], append(out, "echo evil"), append([]string{""}, out...))
}

// signatures over a text: mostly all good.
func (m *mutants) signatures(text string) []byte {
	var all []byte
	for range one(m, 1, 1, 1, 2, 3) {
		by := mostly(m, one(m, m.alice, m.bob), m.stranger)
		covered := mostly(m, text, text+"\n", "echo something else\n", strings.ReplaceAll(text, "\n", " \n"))
		s := forged{
			unhashed: mostly(m, [][]byte{by.keyID()}, nil),
			kind:     mostly[byte](m, 1, 0, 2, 0x10, 0x40),
			hash:     mostly[byte](m, one[byte](m, 10, 8), 2),
			hashed: [][]byte{
				at(2, mostly(m, clearsignTime.Add(-time.Minute), clearsignTime.Add(-time.Hour), by.created.Add(-time.Hour), clearsignTime.AddDate(80, 0, 0))),
				mostly(m, by.issuer(), by.keyID(), m.bob.issuer(), nil),
				mostly(m, nil, subpacket(60, 1, 2), lasting(3, 50*365*24*time.Hour), lasting(3, time.Second), subpacket(99|critical, 1),
					subpacket(20, slices.Concat([]byte{0x80, 0, 0, 0, 0, 3, 0, 1}, []byte("a@bc"))...)),
			},
		}
		all = append(all, by.text(covered, s)...)
	}
	return mostly(m, all, nil, append(all, "junk"...), append(all, literal...), append(forgedPacket(10, 'P', 'G', 'P'), all...), all[:len(all)-1])
}

// armor of the signatures.
func (m *mutants) armor(packets []byte) []string {
	out := []string{mostly(m, cleartext.BeginSignature, cleartext.BeginSignature+" ", "-----BEGIN PGP MESSAGE-----")}
	out = append(out, one(m, nil, nil, []string{"Comment: x"}, []string{"Version: writ", "Comment: y: z"}, []string{mostly(m, "Charset: UTF-8", "Evil: x", "Comment: \x1b[2J", "Comment:", "x")})...)
	out = append(out, mostly(m, "", " ", "echo evil"))
	encoded := base64.StdEncoding.EncodeToString(packets)
	for row := one(m, 64, 64, 76, 60, 4, 7+m.number(1)%70); len(encoded) > 0; {
		n := min(row, len(encoded))
		out = append(out, encoded[:n]+mostly(m, "", "", "", "", "", "", " ", "\t", "="))
		encoded = encoded[n:]
	}
	sum := crc24(packets)
	checksum := "=" + base64.StdEncoding.EncodeToString([]byte{byte(sum >> 16), byte(sum >> 8), byte(sum)})
	if line := one(m, checksum, checksum, checksum, "", mostly(m, checksum, "=AAAA", checksum+"x", "= "+checksum, "echo evil")); line != "" {
		out = append(out, line)
	}
	return append(out, mostly(m, cleartext.EndSignature, cleartext.EndSignature+"echo evil", cleartext.EndSignature+" ", "-----END PGP MESSAGE-----"))
}

// crc24 is the checksum of armor, one bit after the other.
func crc24(data []byte) uint32 {
	sum := uint32(0xb704ce)
	for _, c := range data {
		sum ^= uint32(c) << 16
		for range 8 {
			if sum <<= 1; sum&0x1000000 != 0 {
				sum ^= 0x1864cfb
			}
		}
	}
	return sum & 0xffffff
}

// edited is the file after a few small changes, mostly none.
func (m *mutants) edited(file []byte) []byte {
	for range mostly(m, 0, 0, 1, 1, 2, 3) {
		i := m.number(2) % (len(file) + 1)
		j := min(len(file), i+m.number(1)%8)
		inserted := one(m, nil, nil, []byte{' '}, []byte("\n"), []byte("\r"), []byte("- "), []byte("-"), []byte{byte(m.number(1))}, file[i:j], []byte("\n-----BEGIN PGP SIGNATURE-----\n"))
		if m.number(1)%2 == 0 {
			j = i
		}
		file = slices.Concat(file[:i], inserted, file[j:])
	}
	return bytes.Clone(file)
}
