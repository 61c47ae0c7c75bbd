package format_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// TestTextThatHostsReadDifferentlyNamesTheHostsThatAcceptIt: bytes without a
// byte-order mark, signed as text of one code page.
func TestTextThatHostsReadDifferentlyNamesTheHostsThatAcceptIt(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{Algorithm: "p256"})
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "test", Room: verifier.RoomX509CA, Name: "ca.pem", Data: k.CAPEM})
	if err != nil {
		t.Fatal(err)
	}
	const early, late = "'grün'\r\n", "# a comment of some length comes first\r\n'grün'\r\n"
	for name, c := range map[string]struct {
		file, source    string
		signedAs, tryIt int
		verdict         verifier.Verdict
		detail          string
	}{
		"UTF-8 in the first 32 bytes":          {"job.ps1", early, 65001, 0, verifier.Ambiguous, "PowerShell 7 accepts it; Windows PowerShell 5.1 does too, by its first 32 bytes"},
		"UTF-8 behind them":                    {"job.ps1", late, 65001, 0, verifier.Ambiguous, "Windows PowerShell 5.1 only where the ANSI code page is 65001"},
		"1252 behind them":                     {"job.ps1", late, 1252, 0, verifier.Ambiguous, "windows-1252: Windows PowerShell 5.1 accepts it only where the ANSI code page is 1252; PowerShell 7 reads another text"},
		"1252 against the rule of Windows":     {"job.ps1", early, 1252, 0, verifier.Ambiguous, "Windows takes it for UTF-8 by its first 32 bytes"},
		"1252 that is not UTF-8":               {"job.ps1", "'gr\xFCn'\r\n", 1252, 0, verifier.Ambiguous, "only where the ANSI code page is 1252"},
		"1251, not tried":                      {"job.ps1", late, 1251, 0, verifier.Tampered, "fits no reading that was tried, of [utf-8 windows-1252]"},
		"1251, tried":                          {"job.ps1", late, 1251, 1251, verifier.Ambiguous, "only where the ANSI code page is 1251"},
		"1251, another one tried":              {"job.ps1", late, 1251, 1250, verifier.Tampered, "[utf-8 windows-1252 windows-1250]"},
		"1252 for the Windows Script Host":     {"job.vbs", late, 1252, 0, verifier.Ambiguous, "a Windows Script Host accepts it only where the ANSI code page is 1252"},
		"UTF-8 for the Windows Script Host":    {"job.js", late, 65001, 0, verifier.Ambiguous, "a Windows Script Host accepts it only where the ANSI code page is 65001"},
		"1251 in a signature of another style": {"job.mof", early, 1251, 1251, verifier.Ambiguous, "in code page 1251"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, err := format.ForceSignReading(c.file, []byte(c.source), c.signedAs, k.Key, k.Chain())
			if err != nil {
				t.Fatal(err)
			}
			v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{&format.Authenticode{CodePage: c.tryIt}}, Now: testenv.VectorTime})
			if err != nil {
				t.Fatal(err)
			}
			r := inspect(t, v, c.file, file)
			said := slices.ContainsFunc(r.Findings, func(f verifier.Finding) bool { return strings.Contains(f.Detail, c.detail) && f.Fix != "" })
			if r.Verdict != c.verdict || !said {
				t.Errorf("%s, want %s: %+v", r.Verdict, c.verdict, r.Findings)
			}
		})
	}
}

func TestAMarkIsAddedOnlyWhereItIsNeededAndAskedFor(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{Algorithm: "p256"})
	v := newVerifier(t, testenv.VectorTime(), k.CAPEM)
	unmarked, err := format.ForceSignReading("job.ps1", []byte("'grün'\r\n"), 65001, k.Key, k.Chain())
	if err != nil {
		t.Fatal(err)
	}
	const mark = "\xEF\xBB\xBF"
	for name, c := range map[string]struct{ file, source, head string }{
		"UTF-8":              {"job.ps1", "'grün'\r\n", mark + "'grün'\r\n"},
		"UTF-8, signed":      {"job.ps1", string(unmarked), mark + "'grün'\r\n"},
		"UTF-8 in a .wsf":    {"job.wsf", "<job>ü</job>", mark + "<job>ü\r\n<signature>"},
		"ASCII":              {"job.ps1", "1+1\r\n", "1+1\r\n\r\n#"},
		"UTF-8 with a mark":  {"job.ps1", mark + "'ü'\r\n", mark + "'ü'\r\n\r\n#"},
		"UTF-16":             {"job.ps1", string(utf16le("'ü'\r\n")), string(utf16le("'ü'\r\n"))},
		"ANSI":               {"job.ps1", "'gr\xFCn'\r\n", ""},
		"a NUL":              {"job.ps1", "'grün\x00'\r\n", ""},
		"UTF-8 in a .vbs":    {"job.vbs", "'grün'\r\n", ""},
		"UTF-16 big endian":  {"job.ps1", "\xFE\xFF\x00a\x00b\x00c\x00d", ""},
		"a marker in a text": {"job.ps1", "'ü'\r\n # SIG # Begin signature block\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rb, err := runbook.Parse(c.file, []byte(c.source))
			if err != nil {
				t.Fatal(err)
			}
			f := &format.Authenticode{Now: testenv.VectorTime, AddMark: true}
			signed, err := f.Sign(t.Context(), rb, signerKey(t, k))
			var ie *signer.InputError
			if c.head == "" {
				if !errors.As(err, &ie) || ie.Fix == "" || strings.Contains(ie.Fix, "--add-bom") {
					t.Errorf("not refused with a fix: %v", err)
				}
				return
			}
			if err != nil || !strings.HasPrefix(string(signed), c.head) {
				t.Fatalf("%v: %q", err, signed[:min(40, len(signed))])
			}
			checkValid(t, v, c.file, signed)
			again, err := runbook.Parse(c.file, signed)
			if err != nil {
				t.Fatal(err)
			}
			first, err1 := f.Strip(rb)
			second, err2 := f.Strip(again)
			if err1 != nil || err2 != nil || !bytes.Equal(first, second) {
				t.Errorf("the content of the signed file is another one: %v, %v", err1, err2)
			}
		})
	}
}

func TestEveryRefusalOfAHazardSaysWhatToDo(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{Algorithm: "p256"})
	for name, c := range map[string]struct{ file, source, fix string }{
		"UTF-8 without BOM":            {"job.ps1", "'grün'\r\n", "--add-bom"},
		"UTF-8 without BOM in a .vbs":  {"job.vbs", "'grün'\r\n", "UTF-16 little endian"},
		"UTF-16BE":                     {"job.ps1", "\xFE\xFF\x00a\x00b", "UTF-8 with a byte-order mark"},
		"UTF-16BE in a .vbs":           {"job.vbs", "\xFE\xFF\x00a\x00b", "UTF-16 little endian"},
		"bytes that are not UTF-8":     {"job.ps1", "'gr\xFCn'\r\n", "code page that it was written in"},
		"a NUL":                        {"job.ps1", "a\x00bc", "take the NUL out"},
		"three bytes":                  {"job.ps1", "1+1", "comment"},
		"a marker":                     {"job.ps1", "# sig # begin signature block\r\n", "change the line"},
		"a marker of the type":         {"job.mof", " /* SIG # Begin signature block */\r\n", "change the line"},
		"no place for a signature":     {"job.wsf", "<package/>\r\n", "<job>"},
		"code behind a block":          {"job.vbs", "'' SIG '' Begin signature block\r\n'' SIG '' AAAA\r\n'' SIG '' End signature block\r\nx", "by hand"},
		"a type without a signature":   {"job.sh", "echo 1\n", "clear-sign"},
		"a clear-signed script inside": {"job.ps1", "-----BEGIN PGP SIGNED MESSAGE-----\r\n", "sign the script that it holds"},
	} {
		_, err := trySign(t, k, c.file, []byte(c.source))
		var ie *signer.InputError
		if !errors.As(err, &ie) || !strings.Contains(ie.Fix, c.fix) {
			t.Errorf("%s: %v, %+v", name, err, ie)
		}
	}
}
