package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/verifier"
)

// streams are random choices for mutants, the same for the same seed.
func streams(seed uint64, count int, use func(stream []byte)) {
	random := rand.New(rand.NewPCG(seed, 0))
	for range count {
		stream := make([]byte, 120)
		for i := range stream {
			stream[i] = byte(random.Uint32())
		}
		use(stream)
	}
}

// goCrypto is the other implementation: what its Decode and its second verifier
// say of a document.
type goCrypto struct {
	ring   openpgp.EntityList
	config *packet.Config
}

func newGoCrypto(t testing.TB, ring []byte) *goCrypto {
	t.Helper()
	list, err := openpgp.ReadKeyRing(bytes.NewReader(ring))
	if err != nil {
		t.Fatal(err)
	}
	return &goCrypto{list, &packet.Config{Time: func() time.Time { return clearsignTime }}}
}

// agrees holds what is valid here against what go-crypto makes of the same file.
// It has to find one document, nothing before or behind it, and the same text:
// it gives that without its last LF.
func (g *goCrypto) agrees(t testing.TB, file, payload []byte) {
	t.Helper()
	block, rest := clearsign.Decode(file)
	if block == nil || len(rest) > 0 || !bytes.HasPrefix(file, []byte(cleartext.BeginMessage)) {
		t.Errorf("valid, but go-crypto finds no document, or more than one: %q behind it\n%q", rest, file)
		return
	}
	if string(block.Plaintext)+"\n" != string(payload) {
		t.Errorf("the payload is %q, go-crypto reads %q\n%q", payload, block.Plaintext, file)
	}
	if _, _, err := openpgp.VerifyDetachedSignature(g.ring, bytes.NewReader(block.Bytes), block.ArmoredSignature.Body, g.config); err != nil {
		t.Errorf("valid, but go-crypto says: %v\n%q", err, file)
	}
}

// TestClearsignMutantsReadAsGoCryptoReadsThem: of thousands of documents, each
// that is valid has the text that go-crypto finds in it.
func TestClearsignMutantsReadAsGoCryptoReadsThem(t *testing.T) {
	t.Parallel()
	m := newMutants()
	v, g := forgedVerifier(t, m.ring()), newGoCrypto(t, m.ring())
	verdicts := map[verifier.Verdict]int{}
	streams(4, 4_000, func(stream []byte) {
		file := m.document(stream)
		report, payload := clearsignVerdict(t, v, "a.sh.asc", file)
		verdicts[report.Verdict]++
		if report.Verdict == verifier.Valid {
			g.agrees(t, file, payload)
		}
	})
	t.Logf("%v", verdicts)
	for _, reached := range []verifier.Verdict{verifier.Malformed, verifier.Noncanonical, verifier.Tampered, verifier.Untrusted, verifier.Expired, verifier.Weak, verifier.WrongPurpose, verifier.Unsigned} {
		if verdicts[reached] == 0 {
			t.Errorf("no mutant is %s", reached)
		}
	}
	if verdicts[verifier.Valid] < 400 {
		t.Errorf("%d mutants are valid, too few to learn from", verdicts[verifier.Valid])
	}
}

// FuzzClearsignAgainstGoCrypto: the same with choices that a fuzzer makes.
func FuzzClearsignAgainstGoCrypto(f *testing.F) {
	streams(5, 40, func(stream []byte) { f.Add(stream) })
	m := newMutants()
	v, g := forgedVerifier(f, m.ring()), newGoCrypto(f, m.ring())
	f.Fuzz(func(t *testing.T, stream []byte) {
		file := m.document(stream)
		if report, payload := clearsignVerdict(t, v, "a.sh.asc", file); report.Verdict == verifier.Valid {
			g.agrees(t, file, payload)
		}
	})
}

// How the heads of the subpackets look that name the issuer of a mutant.
var (
	forgedIssuer = subpacket(33, append([]byte{4}, make([]byte, 20)...)...)[:7]
	forgedKeyID  = subpacket(16, make([]byte, 8)...)[:6]
)

// gnuPGRefuses tells why GnuPG 2.2 does not accept a document that is valid
// here; "" where it must. These are all the reasons there are, for keys and
// signatures of version 4.
func gnuPGRefuses(t testing.TB, file []byte, report *verifier.Report) string {
	t.Helper()
	doc, err := cleartext.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range report.Signatures {
		if s.Verdict != verifier.Valid {
			return "a signature of an unknown key beside the good one"
		}
	}
	if missing := bytes.Count(doc.Signature(), forgedIssuer) > bytes.Count(doc.Signature(), forgedKeyID); missing {
		return "a key that is named by its fingerprint alone"
	}
	longest := 0
	for line := range bytes.Lines(doc.Text()) {
		longest = max(longest, len(line)-1)
	}
	switch {
	case len(doc.Hashes()) == 0:
		return "no Hash header"
	case slices.ContainsFunc(doc.Hashes(), func(name string) bool { return name == "MD5" || strings.HasPrefix(name, "SHA3-") }):
		return "a hash function that it does not know in the header"
	case len(doc.Signature())%3 == 0 && !bytes.Contains(file[bytes.LastIndex(file, []byte(cleartext.BeginSignature)):], []byte("\n=")):
		return "neither padding nor checksum in the armor"
	case longest > 19_996:
		return "a line that it cuts"
	}
	return ""
}

// TestClearsignMutantsReadAsGnuPGReadsThem: each mutant that is valid here is
// given to gpg. It accepts it and writes the same text, or refuses it for a
// reason that we can tell. "make fuzz-gpg" sets the number of mutants.
func TestClearsignMutantsReadAsGnuPGReadsThem(t *testing.T) {
	t.Parallel()
	count := 120
	if many, err := strconv.Atoi(os.Getenv("WRIT_GPG_MUTANTS")); err == nil {
		count = many
	}
	m := newMutants()
	v, g := forgedVerifier(t, m.ring()), newGnuPG(t)
	g.mustRun(m.ring(), "--import")
	if keys := g.mustRun(nil, "--list-keys", "--with-colons"); bytes.Count(keys, []byte("\npub:")) != 2 {
		t.Fatalf("gpg has not got both keys:\n%s", keys)
	}
	tally := map[string]int{}
	streams(6, count, func(stream []byte) {
		file := m.document(stream)
		report, payload := clearsignVerdict(t, v, "a.sh.asc", file)
		out, said, err := g.run(file, "--decrypt")
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		tally[compareWithGnuPG(t, file, report, payload, out, said, err == nil)]++
	})
	for _, what := range slices.Sorted(maps.Keys(tally)) {
		t.Logf("%6d %s", tally[what], what)
	}
	if both := tally["valid in both, with one text"]; both < count/20 {
		t.Errorf("%d of %d mutants are valid in both, too few to learn from", both, count)
	}
}

func compareWithGnuPG(t *testing.T, file []byte, report *verifier.Report, payload, out []byte, said string, accepts bool) string {
	t.Helper()
	valid := report.Verdict == verifier.Valid
	switch {
	case !valid && accepts:
		if len(report.Signatures) == 0 && len(report.Findings) > 0 {
			return fmt.Sprintf("accepted by gpg, here %s: %s", report.Verdict, report.Findings[0].Code)
		}
		return fmt.Sprintf("accepted by gpg, here %s", report.Verdict)
	case !valid:
		return "refused by both"
	}
	switch reason := gnuPGRefuses(t, file, report); {
	case !accepts && reason == "":
		t.Errorf("valid, but gpg says:\n%s\n%q", said, file)
		return "valid here, refused by gpg"
	case !accepts:
		return "valid here, refused by gpg for " + reason
	case !strings.Contains(said, "] VALIDSIG "):
		t.Errorf("gpg accepts without a signature:\n%s\n%q", said, file)
	case string(bytes.ReplaceAll(out, []byte("\r\n"), []byte("\n"))) != string(payload):
		t.Errorf("the payload is %q, gpg writes %q\n%q", payload, out, file)
	}
	return "valid in both, with one text"
}
