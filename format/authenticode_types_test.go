package format_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/verifier"
)

// scriptTypes are the extensions that carry a signature.
var scriptTypes = []string{".ps1", ".psm1", ".psd1", ".ps1xml", ".psc1", ".cdxml", ".mof", ".vbs", ".vbe", ".js", ".jse", ".wsf"}

// inType makes source a text that a signature of the type can stand in.
func inType(ext string, source []byte) []byte {
	switch {
	case ext != ".wsf":
		return source
	case bytes.HasPrefix(source, []byte("\xFF\xFE")):
		return append(bytes.Clone(source), utf16le("</job>\r\n")[2:]...)
	default:
		return append(bytes.Clone(source), "</job>\r\n"...)
	}
}

func TestEveryTypeIsSignedVerifiedAndSignedAgain(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{Algorithm: "p256"})
	v := newVerifier(t, testenv.VectorTime(), k.CAPEM)
	for _, ext := range scriptTypes {
		t.Run(ext, func(t *testing.T) {
			t.Parallel()
			for name, source := range signableScripts() {
				source = inType(ext, source)
				for _, file := range []string{"job" + ext, "JOB" + strings.ToUpper(ext)} {
					signed := sign(t, k, file, source)
					checkValid(t, v, file, signed)
					checkValid(t, v, file, sign(t, k, file, signed))
				}
				if r := inspect(t, v, "job"+ext, source); r.Verdict != verifier.Unsigned {
					t.Errorf("%s without a signature: %s", name, r.Verdict)
				}
			}
		})
	}
	if format.CarriesAuthenticode("job.sh") || format.CarriesAuthenticode("job.ps1.asc") || !format.CarriesAuthenticode("job.Ps1Xml") {
		t.Error("the extension does not decide")
	}
}

func TestNoFlippedBitOfAnyTypeStaysValid(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{Algorithm: "p256"})
	v := newVerifier(t, testenv.VectorTime(), k.CAPEM)
	for _, ext := range []string{".cdxml", ".mof", ".vbs", ".js", ".wsf"} { // one of each style
		t.Run(ext, func(t *testing.T) {
			t.Parallel()
			sweepAs(t, v, "job"+ext, sign(t, k, "job"+ext, inType(ext, []byte("1+1\r\n"))), 8)
			sweepAs(t, v, "job"+ext, sign(t, k, "job"+ext, inType(ext, []byte("\xEF\xBB\xBF'ü'"))), 40)
		})
	}
}

// TestASignatureForAnotherTypeIsMalformed renders a good signature of one type in
// the style of another. Types that Windows signs in the same way and the same
// style are one to it.
func TestASignatureForAnotherTypeIsMalformed(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{Algorithm: "p256"})
	v := newVerifier(t, testenv.VectorTime(), k.CAPEM)
	for _, to := range []string{".ps1", ".vbs", ".js"} {
		for _, from := range []string{".ps1", ".vbs", ".js"} {
			file, err := format.ForceSignAs("job"+from, "job"+to, []byte("1+1\r\n"), k.Key, k.Chain())
			if err != nil {
				t.Fatal(err)
			}
			want := verifier.Malformed
			if from == to {
				want = verifier.Valid
			}
			if r := inspect(t, v, "job"+to, file); r.Verdict != want || from != to && !hasFinding(r, "cms-structure") {
				t.Errorf("a signature of a %s in a %s: %s %+v", from, to, r.Verdict, r.Findings)
			}
		}
	}
	vbs := sign(t, k, "job.vbs", []byte("1+1\r\n"))
	if r := inspect(t, v, "job.vbe", vbs); r.Verdict != verifier.Valid {
		t.Errorf("a .vbs named .vbe: %s", r.Verdict)
	}
	for _, other := range []string{".js", ".ps1", ".wsf", ".mof"} {
		if r := inspect(t, v, "job"+other, vbs); r.Verdict == verifier.Valid {
			t.Errorf("a .vbs named %s is valid", other)
		}
	}
}

// TestWhatFollowsTheBlockOfAWindowsScriptFileIsSigned: there is text behind the
// block of a .wsf.
func TestWhatFollowsTheBlockOfAWindowsScriptFileIsSigned(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{Algorithm: "p256"})
	v := newVerifier(t, testenv.VectorTime(), k.CAPEM)
	good := string(sign(t, k, "job.wsf", []byte("<job>\r\n</job>\r\n<!-- x -->\r\n")))
	begin, end := strings.Index(good, "\r\n<signature>"), strings.Index(good, "</job>")
	block := good[begin:end]
	for name, c := range map[string]struct {
		file string
		want verifier.Verdict
	}{
		"changed":        {strings.Replace(good, "<!-- x", "<!-- y", 1), verifier.Tampered},
		"added to":       {good + "<x/>", verifier.Tampered},
		"cut off":        {strings.TrimSuffix(good, "\r\n"), verifier.Tampered},
		"one job more":   {good + "<job></job>", verifier.Malformed},
		"block moved":    {"<job>" + block + "</job>\r\n\r\n<!-- x -->\r\n", verifier.Tampered},
		"as git has it":  {strings.ReplaceAll(good, "\r\n", "\n"), verifier.Damaged},
		"as it was made": {good, verifier.Valid},
	} {
		if r := inspect(t, v, "job.wsf", []byte(c.file)); r.Verdict != c.want {
			t.Errorf("%s: %s, want %s, %+v", name, r.Verdict, c.want, r.Findings)
		}
	}
}

// TestUTF16BEIsForTheScriptHostOnly: signtool signs such files of the Windows
// Script Host, and none of PowerShell.
func TestUTF16BEIsForTheScriptHostOnly(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{Algorithm: "p256"})
	v := newVerifier(t, testenv.VectorTime(), k.CAPEM)
	source := utf16le("WScript.Echo 'ü'\r\n")
	for i := 0; i < len(source); i += 2 {
		source[i], source[i+1] = source[i+1], source[i]
	}
	for name, want := range map[string]verifier.Verdict{"job.vbs": verifier.Valid, "job.js": verifier.Valid, "job.ps1": verifier.Unsupported, "job.mof": verifier.Unsupported} {
		file, err := format.ForceSignAs(name, name, source, k.Key, k.Chain())
		if err != nil {
			t.Fatal(err)
		}
		if r := inspect(t, v, name, file); r.Verdict != want {
			t.Errorf("%s: %s, want %s: %+v", name, r.Verdict, want, r.Findings)
		}
		if _, err := trySign(t, k, name, source); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

// osslsigncode knows no VBScript and no .wsf, and its digest of a .js is that of
// PowerShell, which Windows does not accept.
func TestOsslsigncodeAgreesOnTheOtherTypesOfPowerShell(t *testing.T) {
	t.Parallel()
	tool := testenv.Tool(t, "osslsigncode")
	k := newKey(t, newkeys.X509Options{})
	v := newVerifier(t, testenv.VectorTime(), k.CAPEM)
	dir := t.TempDir()
	ca, key, certs := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "certs.pem")
	writeFile(t, ca, k.CAPEM)
	writeFile(t, key, k.KeyPEM)
	writeFile(t, certs, k.ChainPEM())
	scripts := signableScripts()
	for _, ext := range []string{".ps1xml", ".psc1", ".cdxml", ".mof"} {
		for _, name := range []string{"ascii", "ascii with LF", "utf-8 with BOM", "utf-16le"} {
			ours := filepath.Join(dir, "ours"+ext)
			writeFile(t, ours, sign(t, k, "ours"+ext, scripts[name]))
			out, err := exec.Command(tool, "verify", "-CAfile", ca, "-in", ours).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "Signature verification: ok") {
				t.Errorf("%s, %s: %v\n%s", ext, name, err, out)
			}
			in, theirs := filepath.Join(dir, "in"+ext), filepath.Join(dir, "theirs"+ext)
			writeFile(t, in, scripts[name])
			_ = os.Remove(theirs)
			if out, err := exec.Command(tool, "sign", "-h", "sha256", "-certs", certs, "-key", key, "-in", in, "-out", theirs).CombinedOutput(); err != nil {
				t.Fatalf("%s, %s: %v\n%s", ext, name, err, out)
			}
			checkValid(t, v, "theirs"+ext, readFile(t, theirs))
		}
	}
}
