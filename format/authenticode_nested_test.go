package format_test

import (
	"bytes"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// blockOf is the signature of a signed script.
func blockOf(t testing.TB, signed []byte) []byte {
	t.Helper()
	style, _ := authscript.StyleOf("job.ps1")
	s, err := authscript.Parse(style, signed)
	if err != nil {
		t.Fatal(err)
	}
	return s.Block
}

// withBlock is the script with another signature.
func withBlock(t testing.TB, signed, block []byte) []byte {
	t.Helper()
	style, _ := authscript.StyleOf("job.ps1")
	s, err := authscript.Parse(style, signed)
	if err != nil {
		t.Fatal(err)
	}
	s.Block = block
	return s.Render()
}

// nest puts signatures into the unsigned attributes of another one.
func nest(t testing.TB, outer []byte, inner ...[]byte) []byte {
	t.Helper()
	for _, i := range inner {
		var err error
		if outer, err = cms.AddUnsigned(outer, cms.OIDNestedSignature, i); err != nil {
			t.Fatal(err)
		}
	}
	return outer
}

func verdicts(r *verifier.Report) []verifier.Verdict {
	var list []verifier.Verdict
	for _, s := range r.Signatures {
		list = append(list, s.Verdict)
	}
	return list
}

// TestANestedSignatureIsAnEntryOfItsOwn: attacks 56, 57 and 58. Whatever stands
// inside a signature, the verdict on the file is that of the outer one.
func TestANestedSignatureIsAnEntryOfItsOwn(t *testing.T) {
	t.Parallel()
	k, second, stranger := newKey(t, newkeys.X509Options{}), newKey(t, newkeys.X509Options{Subject: "Second"}), newKey(t, newkeys.X509Options{Subject: "Stranger"})
	v := newVerifier(t, testenv.VectorTime(), k.CAPEM, second.CAPEM)
	source := []byte("Write-Output 1\r\n")
	good, other := sign(t, k, "job.ps1", source), sign(t, k, "job.ps1", []byte("Write-Output 2\r\n"))
	block := blockOf(t, good)
	nested := blockOf(t, sign(t, second, "job.ps1", source))
	evil := blockOf(t, sign(t, stranger, "job.ps1", source))
	forged := bytes.Clone(nested)
	forged[len(forged)-1] ^= 1
	for name, c := range map[string]struct {
		block []byte
		want  []verifier.Verdict
	}{
		"56: the outer signer is untrusted, the nested one is not": {nest(t, evil, nested), []verifier.Verdict{verifier.Untrusted, verifier.Valid}},
		"57: the outer digest is wrong, the nested one right":      {nest(t, blockOf(t, other), nested), []verifier.Verdict{verifier.Tampered, verifier.Valid}},
		"58: the nested signer is untrusted":                       {nest(t, block, evil), []verifier.Verdict{verifier.Valid, verifier.Untrusted}},
		"both are good":                                            {nest(t, block, nested), []verifier.Verdict{verifier.Valid, verifier.Valid}},
		"the nested one is forged":                                 {nest(t, block, forged), []verifier.Verdict{verifier.Valid, verifier.BadSignature}},
		"it is of other content":                                   {nest(t, block, blockOf(t, other)), []verifier.Verdict{verifier.Valid, verifier.Tampered}},
		"it is no signature at all":                                {nest(t, block, []byte{0x30, 0}), []verifier.Verdict{verifier.Valid, verifier.Malformed}},
		"it is no sequence":                                        {nest(t, block, []byte{5, 0}), []verifier.Verdict{verifier.Valid, verifier.Malformed}},
		"one stands inside another":                                {nest(t, block, nest(t, evil, nested)), []verifier.Verdict{verifier.Valid, verifier.Untrusted, verifier.Valid}},
		"the same one stands inside":                               {nest(t, block, block), []verifier.Verdict{verifier.Valid, verifier.Valid}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := inspect(t, v, "job.ps1", withBlock(t, good, c.block))
			if !slices.Equal(verdicts(r), c.want) || r.Verdict != c.want[0] || !hasFinding(r, "nested-signature") {
				t.Errorf("%s of %v, want %v: %+v", r.Verdict, verdicts(r), c.want, r.Signatures)
			}
			for i, s := range r.Signatures {
				if s.Nested != (i > 0) {
					t.Errorf("signature %d: nested is %v", i, s.Nested)
				}
			}
		})
	}
}

// TestNestedSignaturesDoNotMendAFile: damage and trailing code are facts of the
// file, for each of its signatures.
func TestNestedSignaturesDoNotMendAFile(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{})
	v := newVerifier(t, testenv.VectorTime(), k.CAPEM)
	good := sign(t, k, "job.ps1", []byte("Write-Output 1\r\n"))
	both := string(withBlock(t, good, nest(t, blockOf(t, good), blockOf(t, good))))
	for name, c := range map[string]struct {
		file string
		want verifier.Verdict
	}{
		"git made LF":           {strings.ReplaceAll(both, "\r\n", "\n"), verifier.Damaged},
		"code behind the block": {both + "evil\r\n", verifier.Malformed},
		"changed":               {strings.Replace(both, "1", "2", 1), verifier.Tampered},
	} {
		if r := inspect(t, v, "job.ps1", []byte(c.file)); r.Verdict != c.want || len(r.Signatures) != 2 || r.Signatures[1].Verdict != c.want {
			t.Errorf("%s: %s, %v", name, r.Verdict, verdicts(r))
		}
	}
}

// TestTooManyNestedSignaturesAreMalformed: attack 84, as far as nesting goes.
func TestTooManyNestedSignaturesAreMalformed(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{})
	v := newVerifier(t, testenv.VectorTime(), k.CAPEM)
	good := sign(t, k, "job.ps1", []byte("Write-Output 1\r\n"))
	block := blockOf(t, good)
	chain := func(depth int) []byte {
		b := block
		for range depth {
			b = nest(t, block, b)
		}
		return b
	}
	for name, c := range map[string]struct {
		block []byte
		want  verifier.Verdict
		n     int
	}{
		"4 deep":             {chain(4), verifier.Valid, 5},
		"5 deep":             {chain(5), verifier.Malformed, 1},
		"8 side by side":     {nest(t, block, slices.Repeat([][]byte{block}, 8)...), verifier.Valid, 9},
		"9 side by side":     {nest(t, block, slices.Repeat([][]byte{block}, 9)...), verifier.Malformed, 1},
		"9 in two places":    {nest(t, block, chain(3), chain(3), block), verifier.Malformed, 1},
		"9 of them nonsense": {nest(t, block, slices.Repeat([][]byte{{5, 0}}, 9)...), verifier.Malformed, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if r := inspect(t, v, "job.ps1", withBlock(t, good, c.block)); r.Verdict != c.want || len(r.Signatures) != c.n {
				t.Errorf("%s of %d signatures, want %s of %d", r.Verdict, len(r.Signatures), c.want, c.n)
			}
		})
	}
}

// TestAFlippedBitInsideANestedSignatureChangesThatEntryAlone: the file may stay
// valid, and then its content and its primary signature are what they were.
func TestAFlippedBitInsideANestedSignatureChangesThatEntryAlone(t *testing.T) {
	t.Parallel()
	k, second := newKey(t, newkeys.X509Options{}), newKey(t, newkeys.X509Options{Subject: "Second"})
	v := newVerifier(t, testenv.VectorTime(), k.CAPEM, second.CAPEM)
	good := sign(t, k, "job.ps1", []byte("1+1\r\n"))
	inner := blockOf(t, sign(t, second, "job.ps1", []byte("1+1\r\n")))
	block := nest(t, blockOf(t, good), inner)
	at := bytes.Index(block, inner)
	want := inspect(t, v, "job.ps1", withBlock(t, good, block))
	if want.Verdict != verifier.Valid || len(want.Signatures) != 2 || at < 0 {
		t.Fatalf("%s, %v", want.Verdict, verdicts(want))
	}
	changed := 0
	for i := range block {
		mask := byte(1) << (i % 8)
		block[i] ^= mask
		r := inspect(t, v, "job.ps1", withBlock(t, good, block))
		block[i] ^= mask
		inside := i >= at && i < at+len(inner)
		switch {
		case r.Verdict == verifier.NotChecked:
			t.Errorf("byte %d: not checked", i)
		case r.Verdict != verifier.Valid:
		case !inside && !hasFinding(r, "unsigned-attribute"): // of another type now, and listed as such
			t.Errorf("byte %d, outside the nested signature, with bit %#02x flipped: valid", i, mask)
		case !slices.Equal(r.Signatures[0].Signer.IDs, want.Signatures[0].Signer.IDs):
			t.Errorf("byte %d: another signer", i)
		case inside && len(r.Signatures) == 2 && r.Signatures[1].Verdict == verifier.Valid:
			t.Errorf("byte %d of the nested signature with bit %#02x flipped: that is valid", i, mask)
		case inside:
			changed++
		}
	}
	if changed < len(inner)/2 {
		t.Errorf("only %d of %d flips left the file valid", changed, len(inner))
	}
}

// TestNestedSignaturesOfOsslsigncode: both tools see both signatures, whichever
// of them wrote the second.
func TestNestedSignaturesOfOsslsigncode(t *testing.T) {
	t.Parallel()
	tool := testenv.Tool(t, "osslsigncode")
	k, second := newKey(t, newkeys.X509Options{Algorithm: "rsa2048"}), newKey(t, newkeys.X509Options{Algorithm: "rsa2048", Subject: "Second"})
	v := newVerifier(t, testenv.VectorTime(), k.CAPEM, second.CAPEM)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	writeFile(t, path("ca.pem"), append(bytes.Clone(k.CAPEM), second.CAPEM...))
	writeFile(t, path("key.pem"), second.KeyPEM)
	writeFile(t, path("certs.pem"), second.ChainPEM())
	ours := sign(t, k, "job.ps1", []byte("Write-Output 1\r\n"))
	writeFile(t, path("ours.ps1"), ours)
	out, err := exec.Command(tool, "sign", "-nest", "-h", "sha256", "-certs", path("certs.pem"), "-key", path("key.pem"),
		"-in", path("ours.ps1"), "-out", path("theirs.ps1")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	theirs := readFile(t, path("theirs.ps1"))
	if r := inspect(t, v, "job.ps1", theirs); !slices.Equal(verdicts(r), []verifier.Verdict{verifier.Valid, verifier.Valid}) || r.Verdict != verifier.Valid {
		t.Errorf("osslsigncode nested: %s, %+v", r.Verdict, r.Signatures)
	}
	writeFile(t, path("both.ps1"), appendSignature(t, second, "job.ps1", appendSignature(t, k, "job.ps1", ours)))
	out, err = exec.Command(tool, "verify", "-CAfile", path("ca.pem"), "-in", path("both.ps1")).CombinedOutput()
	if err != nil || strings.Count(string(out), "Signature verification: ok") != 3 {
		t.Errorf("osslsigncode on what we nested: %v\n%s", err, out)
	}
}

func TestTheVectorOfANestedSignatureIsReported(t *testing.T) {
	t.Parallel()
	dir := testenv.Shared(t, "vectors/authenticode")
	r := inspect(t, vectorVerifier(t, dir), "26.ps1", readFile(t, filepath.Join(dir, "cms/26.ps1")))
	if !slices.Equal(verdicts(r), []verifier.Verdict{verifier.Valid, verifier.WrongPurpose}) || r.Verdict != verifier.Valid {
		t.Errorf("%s, %v", r.Verdict, verdicts(r))
	}
}

// appendSignature is what Append makes of a signed script.
func appendSignature(t testing.TB, k *newkeys.X509Key, name string, signed []byte) []byte {
	t.Helper()
	both, err := tryAppend(t, k, name, signed)
	if err != nil {
		t.Fatal(err)
	}
	return both
}

func tryAppend(t testing.TB, k *newkeys.X509Key, name string, signed []byte) ([]byte, error) {
	t.Helper()
	rb, err := runbook.Parse(name, signed)
	if err != nil {
		t.Fatal(err)
	}
	return authenticodeAt().Append(t.Context(), rb, signerKey(t, k))
}

// TestAppendKeepsWhatIsThere: the content, the first signature and the others
// are what they were.
func TestAppendKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	k, second := newKey(t, newkeys.X509Options{}), newKey(t, newkeys.X509Options{Subject: "Second"})
	v := newVerifier(t, testenv.VectorTime(), k.CAPEM, second.CAPEM)
	for name, source := range signableScripts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			signed := sign(t, k, "job.ps1", source)
			first := inspect(t, v, "job.ps1", signed).Signatures[0]
			for n := 2; n <= 9; n++ {
				signed = appendSignature(t, second, "job.ps1", signed)
				r := inspect(t, v, "job.ps1", signed)
				if r.Verdict != verifier.Valid || len(r.Signatures) != n || !bytes.HasPrefix(signed, source) {
					t.Fatalf("after %d: %s, %+v", n, r.Verdict, r.Signatures)
				}
				if diff := cmp.Diff(first, r.Signatures[0]); diff != "" {
					t.Errorf("the first signature changed: %s", diff)
				}
			}
			if _, err := tryAppend(t, second, "job.ps1", signed); err == nil {
				t.Error("a tenth signature was added")
			}
		})
	}
	for name, data := range map[string][]byte{
		"unsigned":      []byte("Write-Output 1\r\n"),
		"code behind":   append(sign(t, k, "job.ps1", []byte("Write-Output 1\r\n")), "evil\r\n"...),
		"of line feeds": bytes.ReplaceAll(sign(t, k, "job.ps1", []byte("Write-Output 1\r\n")), []byte("\r\n"), []byte("\n")),
	} {
		var input *signer.InputError
		if _, err := tryAppend(t, second, "job.ps1", data); !errors.As(err, &input) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUnsignGivesBackTheContent: exactly what was signed, for every file that is
// well made, and nothing at all for the others.
func TestUnsignGivesBackTheContent(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{})
	unsign := func(name string, data []byte) ([]byte, error) {
		rb, err := runbook.Parse(name, data)
		if err != nil {
			t.Fatal(err)
		}
		return authenticodeAt().Unsign(rb)
	}
	ansi := []byte("Write-Output 'gr\xfc\xdfe'\r\n")
	sources := signableScripts()
	for name, source := range sources {
		signed := sign(t, k, "job.ps1", source)
		for _, data := range [][]byte{source, signed, appendSignature(t, k, "job.ps1", signed)} {
			if got, err := unsign("job.ps1", data); err != nil || !bytes.Equal(got, source) {
				t.Errorf("%s: %v, %q", name, err, got)
			}
		}
	}
	good := sign(t, k, "job.ps1", []byte("Write-Output 1\r\n"))
	block := good[len("Write-Output 1\r\n"):]
	if got, err := unsign("job.ps1", slices.Concat(ansi, block)); err != nil || !bytes.Equal(got, ansi) {
		t.Errorf("text that could not be signed: %v, %q", err, got)
	}
	for name, data := range map[string][]byte{
		"code behind":        append(bytes.Clone(good), "evil\r\n"...),
		"two blocks":         slices.Concat(good, block),
		"of line feeds":      bytes.ReplaceAll(good, []byte("\r\n"), []byte("\n")),
		"a block of nothing": []byte("1+1\r\n\r\n# SIG # Begin signature block\r\n# AAAA\r\n# SIG # End signature block\r\n"),
		"an empty block":     []byte("1+1\r\n\r\n# SIG # Begin signature block\r\n# SIG # End signature block\r\n"),
	} {
		var input *signer.InputError
		if got, err := unsign("job.ps1", data); !errors.As(err, &input) || got != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := unsign("job.sh", good); err == nil {
		t.Error("a block was taken off a shell script")
	}
}
