package format_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// newKey makes a key that is good from half a year before the vectors' time, and
// for long enough that tools without a clock of their own accept it.
func newKey(t testing.TB, o newkeys.X509Options) *newkeys.X509Key {
	t.Helper()
	if o.NotBefore.IsZero() {
		o.NotBefore = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
		o.NotAfter = time.Date(2049, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if o.Subject == "" {
		o.Subject = "Test Signer"
	}
	k, err := newkeys.X509(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// madeKeys are those of keyOf, by algorithm.
var madeKeys sync.Map

// keyOf returns the key of an algorithm that all tests share: RSA keys are dear to make.
func keyOf(t testing.TB, algorithm string) *newkeys.X509Key {
	t.Helper()
	once, _ := madeKeys.LoadOrStore(algorithm, sync.OnceValue(func() *newkeys.X509Key {
		return newKey(t, newkeys.X509Options{Algorithm: algorithm})
	}))
	return once.(func() *newkeys.X509Key)()
}

func signerKey(t testing.TB, k *newkeys.X509Key) *signer.Key {
	t.Helper()
	key, err := signer.NewX509Key("test key", k.Key, k.Chain())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// authenticodeAt is the format with the clock at the vectors' time.
func authenticodeAt() *format.Authenticode {
	return &format.Authenticode{Now: testenv.VectorTime}
}

func sign(t testing.TB, k *newkeys.X509Key, name string, data []byte) []byte {
	t.Helper()
	signed, err := trySign(t, k, name, data)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func trySign(t testing.TB, k *newkeys.X509Key, name string, data []byte) ([]byte, error) {
	t.Helper()
	rb, err := runbook.Parse(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return authenticodeAt().Sign(t.Context(), rb, signerKey(t, k))
}

func utf16le(s string) []byte {
	b := []byte{0xFF, 0xFE}
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// signableScripts are sources in every encoding and with every line end that can
// be signed.
func signableScripts() map[string][]byte {
	const text = "param([string]$Name)\r\nWrite-Output \"hello $Name\"\r\n"
	return map[string][]byte{
		"ascii":                  []byte(text),
		"ascii with LF":          []byte("Write-Output 1\nWrite-Output 2\n"),
		"no newline at the end":  []byte("Write-Output 1"),
		"CR at the end":          []byte("Write-Output 1\r"),
		"blank lines at the end": []byte("Write-Output 1\r\n\r\n\r\n"),
		"mixed line ends":        []byte("a = 1\nb = 2\r\nc = 3\rd"),
		"utf-8 with BOM":         []byte("\xEF\xBB\xBFWrite-Output \"grüße – 😀 €\"\r\n"),
		"utf-16le":               utf16le("Write-Output \"grüße – 😀 €\"\r\n"),
		"utf-16le with 0A bytes": utf16le("Write-Output \"\u0A0A\u010A\u0D0A\u2323\"\r\n"),
		"marker in a string":     []byte("if ($l -match '^# SIG # Begin signature block$') { 'x' }\r\n"),
		"smallest":               []byte("1+1\n"),
		"comment of many hashes": []byte(strings.Repeat("#", 4000) + "\r\n1\r\n"),
	}
}

func TestWhatWeSignIsValidAndTheContentIsKept(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"rsa2048", "p256", "p384"} {
		k := keyOf(t, algorithm)
		v := newVerifier(t, testenv.VectorTime(), k.CAPEM)
		for name, source := range signableScripts() {
			t.Run(name+" with "+algorithm, func(t *testing.T) {
				t.Parallel()
				signed := sign(t, k, "job.ps1", source)
				if !bytes.HasPrefix(signed, source) {
					t.Error("the source is not kept byte for byte")
				}
				checkValid(t, v, "job.ps1", signed)
			})
		}
	}
}

func TestSigningAgainReplacesTheBlock(t *testing.T) {
	t.Parallel()
	first, second := newKey(t, newkeys.X509Options{}), newKey(t, newkeys.X509Options{})
	v := newVerifier(t, testenv.VectorTime(), second.CAPEM)
	for name, source := range signableScripts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			again := sign(t, second, "job.psm1", sign(t, first, "job.psm1", source))
			checkValid(t, v, "job.psm1", again)
			if !bytes.HasPrefix(again, source) || bytes.Count(again, []byte("SIG # Begin")) > 1+bytes.Count(source, []byte("SIG # Begin")) {
				t.Error("the first block is still there, or the source is not")
			}
		})
	}
}

func TestAnOpaqueKeySignsLikeOneInMemory(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"rsa2048", "p256"} {
		k := keyOf(t, algorithm)
		key, err := signer.NewX509Key("kms", opaque{k.Key}, k.Chain())
		if err != nil {
			t.Fatal(err)
		}
		rb, err := runbook.Parse("job.ps1", []byte("Write-Output 1\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		signed, err := authenticodeAt().Sign(t.Context(), rb, key)
		if err != nil {
			t.Fatal(err)
		}
		checkValid(t, newVerifier(t, testenv.VectorTime(), k.CAPEM), "job.ps1", signed)
	}
}

func TestScriptsThatWouldNotVerifyEverywhereAreRefused(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{})
	signed := string(sign(t, k, "job.ps1", []byte("Write-Output 1\r\nWrite-Output 2\r\n")))
	block := signed[strings.Index(signed, "# SIG"):]
	for name, c := range map[string]struct {
		source string
		line   int
	}{
		"UTF-16BE":                         {"\xFE\xFF\x00a\x00b", 1},
		"invalid UTF-8 with BOM":           {"\xEF\xBB\xBFok\r\n\xFF\xFE\r\n", 2},
		"ANSI without BOM":                 {"ok\r\n'gr\xFC\xDFe'\r\n", 2},
		"UTF-8 without BOM":                {"ok\r\nok\r\n'grüße'\r\n", 3},
		"odd UTF-16":                       {string(utf16le("abcdef\r\nx")) + "y", 2},
		"half a surrogate pair":            {"\xFF\xFEa\x00b\x00\x00\xD8c\x00d\x00", 1},
		"NUL":                              {"abc\r\nd\x00ef", 2},
		"NUL in UTF-16":                    {string(utf16le("abc\r\nd\x00ef")), 2},
		"three bytes":                      {"1+1", 0},
		"empty":                            {"", 0},
		"a here-string with a whole block": {"$t = @'\r\n" + block + "'@\r\nWrite-Output $t\r\n", 0},
		"a here-string with a begin line":  {"$t = @'\r\n# SIG # Begin signature block\r\n'@\r\n", 2},
		"a here-string with a look-alike":  {"$t = @'\r\n  #SIG# begin signature block\r\n'@\r\n", 2},
		"code behind the block":            {signed + "evil\r\n", 0},
		"two blocks":                       {signed + block, 0},
		"a block with LF":                  {strings.ReplaceAll(signed, "\r\n", "\n"), 0},
		"a block with junk":                {strings.Replace(signed, "# MII", "# !II", 1), 4 + 0},
		"a block that is no signature":     {"Write-Output 1\r\n# SIG # Begin signature block\r\n# AAAA\r\n# SIG # End signature block\r\n", 0},
		"a clear-signed document":          {"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nx\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := trySign(t, k, "job.ps1", []byte(c.source))
			var ie *signer.InputError
			if !errors.As(err, &ie) || out != nil {
				t.Fatalf("%d bytes, %v: not an InputError", len(out), err)
			}
			if c.line != 0 && ie.Line != c.line && name != "a block with junk" {
				t.Errorf("line %d, want %d: %v", ie.Line, c.line, ie)
			}
		})
	}
}

// TestNoAdviceOfASignerLosesTheScript: what follows the markers in a here-string
// is the script, and it was never signed.
func TestNoAdviceOfASignerLosesTheScript(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{})
	signed := string(sign(t, k, "job.ps1", []byte("Write-Output 1\r\n")))
	const markers = "$t = @'\r\n# SIG # Begin signature block\r\n# AAAA\r\n# SIG # End signature block\r\n"
	lf := func(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }
	for name, c := range map[string]struct{ source, advice string }{
		"markers in a here-string":                      {markers + "'@\r\n", "look at the lines"},
		"markers in a here-string with LF":              {lf(markers + "'@\r\n"), "look at the lines"},
		"a signed script in a here-string, LF":          {lf("$t = @'\r\n" + signed + "'@\r\n"), "look at the lines"},
		"markers with LF that end the script":           {lf(markers), "look at the lines"},
		"a signed script whose line ends git converted": {lf(signed), "convert all line ends from LF to CRLF"},
	} {
		_, err := trySign(t, k, "job.ps1", []byte(c.source))
		var ie *signer.InputError
		if !errors.As(err, &ie) || !strings.Contains(ie.Fix, c.advice) || strings.Contains(ie.Fix, "what follows") {
			t.Errorf("%s: %v, %+v", name, err, ie)
		}
	}
}

func TestKeysThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]newkeys.X509Options{
		"rsa1024":              {Algorithm: "rsa1024"},
		"p521":                 {Algorithm: "p521"},
		"not for code":         {EKUs: serverAuthOnly()},
		"no usage":             {EKUs: noEKU()},
		"no digital signature": {Edit: withoutDigitalSignature},
		"expired":              {NotBefore: testenv.VectorTime().AddDate(-2, 0, 0), NotAfter: testenv.VectorTime().AddDate(-1, 0, 0)},
		"not yet":              {NotBefore: testenv.VectorTime().AddDate(1, 0, 0), NotAfter: testenv.VectorTime().AddDate(2, 0, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := trySign(t, newKey(t, o), "job.ps1", []byte("Write-Output 1\r\n"))
			var ke *signer.KeyError
			if !errors.As(err, &ke) || out != nil {
				t.Fatalf("%v: not a KeyError", err)
			}
		})
	}
	t.Run("an OpenPGP key", func(t *testing.T) {
		t.Parallel()
		rb, err := runbook.Parse("job.ps1", []byte("Write-Output 1\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		var ke *signer.KeyError
		if _, err := authenticodeAt().Sign(t.Context(), rb, nil); !errors.As(err, &ke) {
			t.Errorf("%v: not a KeyError", err)
		}
	})
}

func TestOsslsigncodeVerifiesWhatWeSign(t *testing.T) {
	t.Parallel()
	tool := testenv.Tool(t, "osslsigncode")
	for _, algorithm := range []string{"rsa2048", "rsa3072", "rsa4096", "p256", "p384"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			k := keyOf(t, algorithm)
			dir := t.TempDir()
			ca := filepath.Join(dir, "ca.pem")
			writeFile(t, ca, k.CAPEM)
			scripts := signableScripts()
			for _, name := range []string{"ascii", "ascii with LF", "no newline at the end", "utf-8 with BOM", "utf-16le", "marker in a string"} {
				for _, ext := range []string{".ps1", ".psm1", ".psd1"} {
					file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+ext)
					writeFile(t, file, sign(t, k, filepath.Base(file), scripts[name]))
					out, err := exec.Command(tool, "verify", "-CAfile", ca, "-in", file).CombinedOutput()
					if err != nil || !strings.Contains(string(out), "Signature verification: ok") {
						t.Errorf("%s: %v\n%s", name, err, out)
					}
				}
			}
		})
	}
}

func TestWhatOsslsigncodeSignsIsValid(t *testing.T) {
	t.Parallel()
	tool := testenv.Tool(t, "osslsigncode")
	for _, algorithm := range []string{"rsa2048", "rsa3072", "rsa4096", "p256", "p384"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			// The tool claims the time of its own clock.
			k := keyOf(t, algorithm)
			dir := t.TempDir()
			key, certs := filepath.Join(dir, "key.pem"), filepath.Join(dir, "certs.pem")
			writeFile(t, key, k.KeyPEM)
			writeFile(t, certs, k.ChainPEM())
			v := newVerifier(t, testenv.VectorTime(), k.CAPEM)
			scripts := signableScripts()
			for _, name := range []string{"ascii", "ascii with LF", "no newline at the end", "utf-8 with BOM", "utf-16le", "marker in a string"} {
				for _, hash := range []string{"sha256", "sha384", "sha512"} {
					in, out := filepath.Join(dir, "in.ps1"), filepath.Join(dir, "out.ps1")
					writeFile(t, in, scripts[name])
					_ = os.Remove(out)
					text, err := exec.Command(tool, "sign", "-h", hash, "-certs", certs, "-key", key, "-in", in, "-out", out).CombinedOutput()
					if err != nil {
						t.Fatalf("%s: %v\n%s", name, err, text)
					}
					checkValid(t, v, "out.ps1", readFile(t, out))
				}
			}
		})
	}
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAClearSignedDocumentIsNotClaimed(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{})
	v := newVerifier(t, testenv.VectorTime(), k.CAPEM)
	signed := string(sign(t, k, "job.ps1", []byte("Write-Output 1\r\n")))
	const head, tail = "-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA512\r\n\r\n", "-----BEGIN PGP SIGNATURE-----\r\n\r\nAAAA\r\n-----END PGP SIGNATURE-----\r\n"
	for _, name := range []string{"job.ps1", "job.ps1.asc"} {
		if r := inspect(t, v, name, []byte(head+signed+tail)); r.Format != "" || r.Verdict != verifier.Unsigned {
			t.Errorf("%s: claimed, %s", name, r.Verdict)
		}
	}
	if r := inspect(t, v, "job.ps1", []byte(head+"x\r\n"+tail+signed)); r.Format != "authenticode" || r.Verdict == verifier.Valid {
		t.Errorf("with a block at the end of the file: %q, %s", r.Format, r.Verdict)
	}
	if r := inspect(t, v, "job.ps1.asc", []byte(signed)); r.Format != "" {
		t.Error("a .asc is claimed")
	}
}
