package runbook_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/runwrit/writ/runbook"
)

func TestParseKeepsItsOwnCopy(t *testing.T) {
	t.Parallel()
	data := []byte("echo hello\n")
	rb, err := runbook.Parse("hello.sh", data)
	if err != nil {
		t.Fatal(err)
	}
	data[0] = 'X'
	rb.Bytes()[1] = 'X'
	if got := string(rb.Bytes()); got != "echo hello\n" {
		t.Errorf("the runbook changed with its caller's slices: %q", got)
	}
	sum := sha256.Sum256([]byte("echo hello\n"))
	if rb.Digest().String() != hex.EncodeToString(sum[:]) {
		t.Errorf("digest %s is not that of the bytes", rb.Digest())
	}
}

func TestParseRefusesWhatIsNotAPlainFileName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"", ".", "..", "a/b.sh", `a\b.sh`, "a\x00.sh", "a\n.sh", "a\x1b[2J.sh", "a\x7f.sh", "a\u0085.sh",
		"\xff.sh", strings.Repeat("a", runbook.MaxName+1),
	} {
		if _, err := runbook.Parse(name, nil); !errors.Is(err, runbook.ErrName) {
			t.Errorf("name %q: got %v, want ErrName", name, err)
		}
	}
	for _, name := range []string{"a", ".sh", "Grüße.ps1", "a b.sh", strings.Repeat("a", runbook.MaxName)} {
		if _, err := runbook.Parse(name, nil); err != nil {
			t.Errorf("name %q: %v", name, err)
		}
	}
}

func TestParseHoldsTheSizeLimit(t *testing.T) {
	t.Parallel()
	if _, err := runbook.Parse("a.sh", make([]byte, runbook.MaxSize)); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	var tooLarge *runbook.SizeError
	if _, err := runbook.Parse("a.sh", make([]byte, runbook.MaxSize+1)); !errors.As(err, &tooLarge) {
		t.Errorf("over the limit: got %v, want *SizeError", err)
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]runbook.Kind{
		"a.ps1": runbook.PowerShell, "A.PS1": runbook.PowerShell, "a.psm1": runbook.PowerShellModule,
		"a.psd1": runbook.PowerShellData, "a.sh": runbook.Bash, "a.py.asc": runbook.Python, "a.SH.ASC": runbook.Bash,
		"a.ps1xml": runbook.PowerShellXML, "a.psc1": runbook.PowerShellConsole, "a.CDXML": runbook.PowerShellCDXML, "a.mof": runbook.MOF,
		"a.vbs": runbook.VBScript, "a.vbe": runbook.VBScript, "a.js": runbook.JavaScript, "a.jse": runbook.JavaScript, "OSPP.WSF": runbook.WindowsScript,
		"a.psc2": runbook.Unknown, "a.xaml": runbook.Unknown,
		"a": runbook.Unknown, "a.txt": runbook.Unknown, ".asc": runbook.Unknown, "sh": runbook.Unknown, "a.sh.txt": runbook.Unknown,
	} {
		if got := runbook.KindOf(name); got != want {
			t.Errorf("KindOf(%q) = %s, want %s", name, got, want)
		}
	}
}

func TestDigestRoundTrip(t *testing.T) {
	t.Parallel()
	d := runbook.DigestOf([]byte("x"))
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var back runbook.Digest
	if err := json.Unmarshal(text, &back); err != nil || back != d {
		t.Errorf("round trip of %s gave %s, %v", d, back, err)
	}
	for _, bad := range []string{"x", strings.Repeat("0", 63), strings.Repeat("0", 66), strings.Repeat("A", 64)} {
		if _, err := runbook.ParseDigest(bad); err == nil {
			t.Errorf("ParseDigest(%q) gave no error", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a.sh", []byte("echo\n"))
	f.Add("..", []byte{})
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		rb, err := runbook.Parse(name, data)
		if err != nil {
			return
		}
		if rb.Name() != name || !bytes.Equal(rb.Bytes(), data) || rb.Digest() != runbook.DigestOf(data) {
			t.Errorf("Parse(%q) does not hold what it was given", name)
		}
		if strings.ContainsAny(runbook.PayloadName(name), "/\\\x00\n\x1b") {
			t.Errorf("PayloadName(%q) is not a plain name", name)
		}
	})
}
