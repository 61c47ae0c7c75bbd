package format_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/vectors"
	"github.com/runwrit/writ/verifier"
)

// findingOf returns the one finding with this code.
func findingOf(t *testing.T, r *verifier.Report, code string) verifier.Finding {
	t.Helper()
	var found []verifier.Finding
	for _, f := range r.Findings {
		if f.Code == code {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d findings %s in %+v", len(found), code, r.Findings)
	}
	return found[0]
}

func TestAStaleSignatureSaysWhetherOnlyBlanksOrTheMarkChanged(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{})
	v := newVerifier(t, testenv.VectorTime(), k.CAPEM)
	const only, more = "only blanks, line ends or the byte-order mark changed: it fits ", "it is more than blanks"
	block := func(signed string) string { return signed[strings.Index(signed, "\r\n# SIG # "):] }
	for name, c := range map[string]struct{ signed, edited, want string }{
		"a blank line added":          {"1\r\n", "1\r\n\r\n", only + "with one line end (CRLF)"},
		"the last line end removed":   {"1\n2\n", "1\n2", only + "with one line end (LF)"},
		"blanks added":                {"1", "1 \t\r\n", only + "with nothing behind"},
		"the byte-order mark removed": {"\uFEFFgr\u00FCn\r\n", "gr\u00FCn\r\n", only + "with a byte-order mark"},
		"a blank line put before it":  {"1\r\n", "\r\n1\r\n", more},
		"one letter":                  {"echo 1\r\n", "echo 2\r\n", more},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := c.edited + block(string(forceSign(t, k, []byte(c.signed))))
			for system, data := range map[string]string{"as it is": file, "with LF": strings.ReplaceAll(file, "\r\n", "\n")} {
				r := inspect(t, v, "a.ps1", []byte(data))
				if r.Verdict != verifier.Tampered || r.Repair != "" {
					t.Errorf("%s: %s, repair %q", system, r.Verdict, r.Repair)
				}
				if f := findingOf(t, r, "stale-signature"); system == "as it is" && !strings.Contains(f.Detail, c.want) ||
					strings.Contains(f.Detail, more) != (c.want == more) {
					t.Errorf("%s: %s", system, f.Detail)
				}
			}
		})
	}
	t.Run("a signature that is not real is not called stale", func(t *testing.T) {
		t.Parallel()
		signed := string(forceSign(t, k, []byte("1\r\n")))
		other := newKey(t, newkeys.X509Options{})
		forged := string(forceSign(t, &newkeys.X509Key{Key: other.Key, Leaf: k.Leaf}, []byte("1\r\n")))
		for _, data := range []string{signed, "2" + forged} {
			if r := inspect(t, v, "a.ps1", []byte(data)); hasFinding(r, "stale-signature") {
				t.Error(r.Verdict, r.Findings)
			}
		}
	})
}

func TestHiddenCharactersAreSaidAndChangeNoVerdict(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{})
	v := newVerifier(t, testenv.VectorTime(), k.CAPEM)
	source := "\uFEFF1\r\n# \u202E2\r\n$x\u200By = '\u2028'\r\n# 4\rStop-Computer\r\n"
	want := map[string]int{"bidi-control": 2, "zero-width": 3, "line-separator": 3, "lone-cr": 4}
	signed := string(forceSign(t, k, []byte(source)))
	for verdict, data := range map[verifier.Verdict]string{
		verifier.Valid: signed, verifier.Unsigned: source, verifier.Malformed: signed + "5\r\n", verifier.Damaged: strings.ReplaceAll(signed, "\r\n", "\n"),
	} {
		r := inspect(t, v, "a.ps1", []byte(data))
		if r.Verdict != verdict {
			t.Errorf("%s, want %s", r.Verdict, verdict)
		}
		for code, line := range want {
			if f := findingOf(t, r, code); f.Line != line {
				t.Errorf("%s: %s in line %d, want %d", verdict, code, f.Line, line)
			}
		}
	}
	clean := inspect(t, v, "a.ps1", forceSign(t, k, []byte("1\r\n")))
	if len(clean.Findings) > 0 {
		t.Error(clean.Findings)
	}
}

// TestOnlyWhatVerifiesIsARepair: converted line ends are undone where digest and
// signature value then verify, and nothing is cut off for it.
func TestOnlyWhatVerifiesIsARepair(t *testing.T) {
	t.Parallel()
	f := newScriptForger(t)
	style := vectors.StyleOf(".ps1")
	signed := func(change func(*vectors.Message)) string {
		m := f.message(style, []byte(forgedContent))
		m.Sign(t)
		change(m)
		return string(style.Render([]byte(forgedContent), m.Build(t)))
	}
	good := signed(func(*vectors.Message) {})
	for name, c := range map[string]struct {
		file string
		want bool
	}{
		"converted": {good, true},
		"converted, and the value is of another key": {signed(func(m *vectors.Message) { m.Value = slices.Clone(m.Value); m.Value[len(m.Value)-1] ^= 1 }), false},
		"converted, and edited":                      {"#" + good, false},
		"converted, and something is behind":         {good + "evil\r\n", false},
	} {
		damaged := []byte(strings.ReplaceAll(c.file, "\r\n", "\n"))
		restored, ok := format.NewAuthenticode().Restore(mustParse(t, "job.ps1", damaged))
		if ok != c.want || ok && string(restored.Data) != c.file {
			t.Errorf("%s: restored: %v, %q", name, ok, restored.How)
		}
		if r := inspect(t, f.verifier(t), "job.ps1", damaged); (r.Repair != "") != c.want {
			t.Errorf("%s: the report offers %q", name, r.Repair)
		}
	}
}
