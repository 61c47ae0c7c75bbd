//go:build unix

package doctor_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/doctor"
	"github.com/runwrit/writ/internal/testenv"
)

func TestLinesOfSudoersAreReadAsSudoReadsThem(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want string
	}{
		"a plain line":               {"a ALL=(ALL) NOPASSWD: ALL", "a"},
		"without blanks":             {"a ALL=NOPASSWD:ALL", "a"},
		"with many":                  {"a\tALL = ( ALL )  NOPASSWD  :  ALL", "a"},
		"another tag before it":      {"a ALL=(ALL) NOEXEC: NOPASSWD: /bin/x, PASSWD: /bin/y", "a"},
		"of a later host":            {"a h1=/bin/x : h2=NOPASSWD: /bin/y", "a"},
		"with a password":            {"a ALL=(ALL) ALL", ""},
		"asked for":                  {"a ALL=(ALL) PASSWD: ALL", ""},
		"a command of that name":     {"a ALL=/bin/NOPASSWD", ""},
		"in a comment":               {"# a ALL=NOPASSWD: ALL", ""},
		"behind one":                 {"a ALL=ALL # NOPASSWD: ALL", ""},
		"of another":                 {"b ALL=NOPASSWD: ALL", "b"},
		"of several":                 {"a , b,c ALL=NOPASSWD: ALL", "a b"},
		"in quotes":                  {`"a" ALL=NOPASSWD: ALL`, "a"},
		"with a backslash":           {`\a ALL=NOPASSWD: ALL`, "a"},
		"all but one":                {"ALL, !a ALL=NOPASSWD: ALL", "b"},
		"all but none":               {"ALL,!a,!!a ALL=NOPASSWD: ALL", "a b"},
		"a later word counts":        {"!a, ALL ALL=NOPASSWD: ALL", "a b"},
		"a group":                    {"%wheel ALL=NOPASSWD: ALL", "a b"},
		"another group":              {"%adm ALL=NOPASSWD: ALL", ""},
		"a number":                   {"#1000 ALL=NOPASSWD: ALL", "a b"},
		"another number":             {"#1001 ALL=NOPASSWD: ALL", ""},
		"an alias":                   {"User_Alias X = a\nX ALL=NOPASSWD: ALL", "a"},
		"an alias that is made late": {"X ALL=NOPASSWD: ALL\nUser_Alias Y=b:X=Y,!a", "b"},
		"an alias with all but one":  {"User_Alias X = ALL, !b\nX ALL=NOPASSWD: ALL", "a"},
		"aliases in a ring":          {"User_Alias X = Y : Y = X\nX ALL=NOPASSWD: ALL", ""},
		"lines that go on":           {"a \\\nALL=\\\nNOPASSWD:\\\nALL", "a"},
		"a comment that would go on": {"# x \\\na ALL=NOPASSWD: ALL", "a"},
		"one behind a line":          {"c ALL=ALL # x \\\na ALL=NOPASSWD: ALL", "a"},
		"line ends of Windows":       {"a ALL=NOPASSWD: ALL\r\n", "a"},
		"an alias of commands":       {"Cmnd_Alias NOPASSWD = /bin/x : Y = /bin/y\na ALL=NOPASSWD", ""},
		"a setting":                  {"Defaults !authenticate", "a b"},
		"a setting of an account":    {"Defaults:b !lecture,!authenticate", "b"},
		"a setting of accounts":      {"Defaults:a, b !authenticate", "a b"},
		"the setting the other way":  {"Defaults authenticate, !lecture", ""},
	} {
		got, err := doctor.Unasked([]byte(c.text), "a", "b")
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q %v, want %q", name, got, err, c.want)
		}
	}
	for text, want := range map[string]string{
		`Defaults secure_path="/a:/b"`: "/a:/b", "Defaults env_reset, secure_path = /a": "/a", "Defaults>x secure_path=/x\nDefaults secure_path=/a": "/x", "Defaults>y secure_path=/y": "", "Defaults:x secure_path=/x": "",
	} {
		if got := doctor.SecurePath([]byte(text), "x"); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestNoLineThatGPGTakesForAKeyringIsMissed asks gpg itself which lines it takes.
func TestNoLineThatGPGTakesForAKeyringIsMissed(t *testing.T) {
	t.Parallel()
	gpg := testenv.Tool(t, "gpg")
	taken := 0
	for option, lines := range map[string][]string{
		"primary-keyring": {"%s /x"},
		"keyring":         {"%s /x", "  %s /x", "\t%s\t/x", "%s \"/x\"", "%s   /x  ", "%s=/x", "--%s /x", "%s:/x", "#%s /x", " # %s /x", "x\n%s /x\n", "verbose\r\n%s /x\r\n", "%s\f/x", "%s\v/x", "[x]\n%s /x", "%s\u00a0/x"},
	} {
		for _, line := range lines {
			home := t.TempDir()
			text := strings.ReplaceAll(line, "%s", option)
			if err := os.WriteFile(filepath.Join(home, "gpg.conf"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(gpg, "--homedir", home, "--batch", "--no-autostart", "--list-keys").CombinedOutput()
			if err == nil && !strings.Contains(string(out), "/x") {
				continue
			}
			if !strings.Contains(string(out), "keyblock resource") && !strings.Contains(string(out), "'/x") {
				continue // gpg refuses the file
			}
			taken++
			if ring, _ := doctor.RingLines([]byte(text)); ring == 0 {
				t.Errorf("gpg takes %q: %s", text, out)
			}
		}
	}
	if taken < 8 {
		t.Errorf("gpg took %d lines only", taken)
	}
}

func TestTheLinesOfAGPGConfThatMatterAreFound(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]int{
		"keyring /x\nprimary-keyring /y\n#keyring /z\nno-default-keyring\n": {3, 0},
		"keyserver-options auto-key-retrieve\nskip-verify":                  {0, 2},
		"keyserver-options no-auto-key-retrieve\nverbose\ncharset utf-8":    {0, 0},
		"keyserver hkps://keys.example\nkeyid-format long":                  {0, 0},
	} {
		if ring, weak := doctor.RingLines([]byte(text)); [2]int{ring, weak} != want {
			t.Errorf("%q: %d and %d, want %v", text, ring, weak, want)
		}
	}
}

func FuzzSudoers(f *testing.F) {
	f.Add("nxautomation ALL=(ALL) NOPASSWD: ALL\n")
	f.Add("User_Alias X = a, !b : Y = X\nX ALL \\\n = NOPASSWD: ALL # c\nDefaults>x secure_path=\"/a\"\n@include /x\n#includedir y")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := doctor.Unasked([]byte(text), "a", "b"); err != nil {
			return
		}
		// A line of its own is found whatever stands before it, unless that goes on.
		if !strings.HasSuffix(text, "\\") && !strings.HasSuffix(text, "\\\n") && !strings.HasSuffix(text, "\\\r") && !strings.HasSuffix(text, "\\\r\n") {
			got, err := doctor.Unasked([]byte(text+"\nzz ALL=NOPASSWD: ALL\n"), "zz")
			if err == nil && len(got) != 1 {
				t.Errorf("%q hides a line behind it", text)
			}
		}
	})
}

func FuzzGPGConf(f *testing.F) {
	f.Add("keyring /x\n")
	f.Add("# x\n --keyring=/x\n[a]\nskip-verify")
	f.Fuzz(func(t *testing.T, text string) {
		doctor.RingLines([]byte(text))
		if ring, _ := doctor.RingLines([]byte(text + "\nkeyring /x\n")); ring == 0 {
			t.Errorf("%q hides a line behind it", text)
		}
	})
}

func FuzzQuote(f *testing.F) {
	f.Add("a'b")
	f.Add("$(x)\\")
	f.Fuzz(func(t *testing.T, s string) {
		word, ok := doctor.Quote(s)
		if !ok {
			return
		}
		// The shell's own rule, without a process for each: outside of quotes there is
		// nothing but \'.
		inside := false
		var back []byte
		for i := 0; i < len(word); i++ {
			switch c := word[i]; {
			case c == '\'':
				inside = !inside
			case inside:
				back = append(back, c)
			case c == '\\' && i+1 < len(word) && word[i+1] == '\'':
				back = append(back, '\'')
				i++
			default:
				t.Fatalf("%q: %q is outside of quotes", word, c)
			}
		}
		if inside || string(back) != s {
			t.Errorf("%q became %q", s, word)
		}
	})
}
