package format_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// corpusRow is one file of the corpus, what the index says of it, and our report.
type corpusRow struct {
	index  map[string]string
	class  string // A, B, B2, C or E
	name   string
	report *verifier.Report
}

// judgeCorpus judges real files by others. Their roots are not here, so the
// verdict is never valid; layout, digest and signature are what the index says.
func judgeCorpus(t *testing.T) (*verifier.Verifier, string, []corpusRow) {
	t.Helper()
	dir := testenv.Shared(t, "corpus/authenticode")
	v := newVerifier(t, testenv.VectorTime(), newKey(t, newkeys.X509Options{}).CAPEM)
	var rows []corpusRow
	for _, row := range readIndex(t, dir) {
		r := corpusRow{index: row, name: filepath.Base(row["path"])}
		r.class, _, _ = strings.Cut(row["class"], ":")
		r.report = inspect(t, v, r.name, readFile(t, filepath.Join(dir, filepath.FromSlash(row["path"]))))
		rows = append(rows, r)
	}
	return v, dir, rows
}

func TestCorpusOfAuthenticode(t *testing.T) {
	t.Parallel()
	v, dir, rows := judgeCorpus(t)
	t.Run("gets its digest verdicts", func(t *testing.T) {
		t.Parallel()
		countCorpus(t, rows)
	})
	t.Run("has a repair that verifies for each damaged file", func(t *testing.T) {
		t.Parallel()
		repairCorpus(t, v, dir, rows)
	})
	t.Run("is what the comparison with other tools says", func(t *testing.T) {
		t.Parallel()
		compareCorpus(t, rows)
	})
}

func countCorpus(t *testing.T, rows []corpusRow) {
	t.Helper()
	got, scriptHost := map[string]int{}, 0
	for _, r := range rows {
		if problem := judgeCorpusRow(r.report, r.class, r.index); problem != "" {
			t.Errorf("%s (%s, %s): %s: verdict %s, %.900s", r.index["path"], r.index["class"], r.index["matches"], problem,
				r.report.Verdict, fmt.Sprint(r.report.Signatures[0].Checks, r.report.Findings))
		}
		got[r.class]++
		if r.class != "A" {
			got[r.class+" "+r.report.Verdict.String()]++
		}
		if style, ok := authscript.StyleOf(r.name); ok && style.WSH && r.class == "A" {
			scriptHost++
		}
		if r.report.Intact() {
			got[r.class+" intact"]++
		}
		if r.report.Repair != "" {
			got[r.class+" repairable"]++
		}
	}
	want := map[string]int{
		"A": 187, "A intact": 187,
		"B": 101, "B damaged": 100, "B repairable": 100, "B malformed": 1,
		"B2": 10, "B2 damaged": 10, "B2 repairable": 10,
		"C": 26, "C tampered": 26,
		"E": 12, "E malformed": 12,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// All files that signtool signed for the Windows Script Host, and OSPP.VBS.
	if scriptHost != 29 {
		t.Errorf("%d good files of the Windows Script Host, want 29", scriptHost)
	}
}

// repairCorpus undoes what git did to 110 real files, to the byte.
func repairCorpus(t *testing.T, v *verifier.Verifier, dir string, rows []corpusRow) {
	t.Helper()
	restored := 0
	for _, r := range rows {
		rb, err := runbook.Parse(r.name, readFile(t, filepath.Join(dir, filepath.FromSlash(r.index["path"]))))
		if err != nil {
			t.Fatal(err)
		}
		repair, ok := format.NewAuthenticode().Restore(rb)
		if ok != (r.report.Repair != "") || ok && repair.How != r.report.Repair {
			t.Errorf("%s: the report says %q, the repair is %v %q", r.index["path"], r.report.Repair, ok, repair.How)
		}
		if !ok {
			continue
		}
		restored++
		after := inspect(t, v, r.name, repair.Data)
		if !after.Intact() || statusOf(after, verifier.CheckContentDigest) != verifier.StatusPassed || statusOf(after, verifier.CheckSignature) != verifier.StatusPassed {
			t.Errorf("%s: restored it is %s", r.index["path"], after.Verdict)
		}
		if again, ok := format.NewAuthenticode().Restore(mustParse(t, r.name, repair.Data)); ok {
			t.Errorf("%s: restored it has another repair: %s", r.index["path"], again.How)
		}
	}
	if restored != 110 {
		t.Errorf("%d files restored, want 110", restored)
	}
}

func mustParse(t *testing.T, name string, data []byte) *runbook.Runbook {
	t.Helper()
	rb, err := runbook.Parse(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return rb
}

// compareCorpus wants the figures of the page to be those of the index, which
// others measured, and ours.
func compareCorpus(t *testing.T, rows []corpusRow) {
	t.Helper()
	page := string(readFile(t, filepath.Join(testenv.Root(t), "docs", "formats", "authenticode.md")))
	count := map[string]int{}
	jsign := map[string]int{}
	for _, r := range rows {
		relic, _, _ := strings.Cut(r.index["relic"], ":")
		count[r.class]++
		count[r.class+" osslsigncode "+r.index["osslsigncode29"]]++
		count[r.class+" relic "+relic]++
		if r.class == "A" {
			jsign[jsignByItsRules(r)]++
		}
	}
	n := func(key string) int {
		if count[key] == 0 {
			t.Errorf("no file is %q", key)
		}
		return count[key]
	}
	vectors := map[string]int{}
	for _, row := range readIndex(t, testenv.Shared(t, "vectors/authenticode")) {
		for _, tool := range []string{"osslsigncode 2.9", "osslsigncode 2.14", "relic v8"} {
			answer, _, _ := strings.Cut(row[tool], ":")
			vectors[row["gate"]+" "+tool+" "+answer]++
		}
		vectors[row["gate"]]++
	}
	for _, want := range []string{
		fmt.Sprintf("| as they were signed | %d | %d right | %d right, %d wrong, %d unsupported | %d right, %d wrong, %d errors, %d unsupported |", n("A"), n("A"),
			n("A osslsigncode match"), n("A osslsigncode mismatch"), n("A osslsigncode unsupported"),
			n("A relic match"), n("A relic mismatch"), n("A relic error"), n("A relic unsupported")),
		fmt.Sprintf("| line ends converted by git | %d | %d `damaged`, each with a repair that verifies; 1 `malformed`, with code behind the block | %d mismatch | %d no signature |",
			n("B"), n("B")-1, n("B osslsigncode mismatch"), n("B relic nosig")),
		fmt.Sprintf("| only those of the block converted | %d | %d `damaged`, each with a repair that verifies | %d right | %d no signature |",
			n("B2"), n("B2"), n("B2 osslsigncode match"), n("B2 relic nosig")),
		fmt.Sprintf("| edited after signing | %d | %d `tampered` | %d mismatch, %d unsupported | %d mismatch, %d no signature, %d unsupported |", n("C"), n("C"),
			n("C osslsigncode mismatch"), n("C osslsigncode unsupported"), n("C relic mismatch"), n("C relic nosig"), n("C relic unsupported")),
		fmt.Sprintf("| a block in the source text of a test | %d | %d `malformed` | %d mismatch | %d no signature |", n("E"), n("E"), n("E osslsigncode mismatch"), n("E relic nosig")),
		fmt.Sprintf("| made to deceive | %d | none accepted | %d accepted (2.14: %d) | %d accepted, %d panic |", vectors["reject"],
			vectors["reject osslsigncode 2.9 ACCEPT"], vectors["reject osslsigncode 2.14 ACCEPT"], vectors["reject relic v8 ACCEPT"], vectors["reject relic v8 PANIC"]),
		fmt.Sprintf("%d right, %d wrong and %d unsupported of the %d", jsign["right"], jsign["wrong"], jsign["unsupported"], n("A")),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("docs/formats/authenticode.md lacks %q", want)
		}
	}
}

// jsignByItsRules: it knows no .psc1, .cdxml and .mof, and reads a PowerShell
// script without a byte-order mark as UTF-8.
func jsignByItsRules(r corpusRow) string {
	switch strings.ToLower(filepath.Ext(r.name)) {
	case ".psc1", ".cdxml", ".mof":
		return "unsupported"
	}
	if strings.HasPrefix(r.index["matches"], "cp1252/") {
		return "wrong"
	}
	return "right"
}

// corpusWithAddedCode are files of class B in which there is also something
// behind the block that nobody signed: restoring line ends is not enough.
var corpusWithAddedCode = map[string]bool{
	"cdf3d927-Activate.ps1": true, // a line of code
}

// judgeCorpusRow says what is wrong with the report, or nothing.
func judgeCorpusRow(r *verifier.Report, class string, row map[string]string) string {
	is := func(id verifier.CheckID, s verifier.Status) bool { return statusOf(r, id) == s }
	ansi := row["ascii"] == "False" && row["bom"] == "none"
	switch class {
	case "A", "B", "B2":
		if corpusWithAddedCode[filepath.Base(row["path"])] {
			if r.Verdict != verifier.Malformed || !is(verifier.CheckContentDigest, verifier.StatusPassed) {
				return "code behind the block is not malformed, or the digest before it not passed"
			}
			return ""
		}
		switch {
		case !is(verifier.CheckLayout, verifier.StatusPassed):
			return "layout"
		case !is(verifier.CheckContentDigest, verifier.StatusPassed):
			return "content digest"
		case !is(verifier.CheckSignature, verifier.StatusPassed):
			return "signature"
		case !is(verifier.CheckTrust, verifier.StatusFailed):
			return "trust in a stranger"
		case class != "A" && r.Verdict != verifier.Damaged:
			return "not damaged"
		case class == "A" && !is(verifier.CheckLineEnds, verifier.StatusPassed):
			return "line ends"
		case class == "A" && ansi != (r.Verdict == verifier.Ambiguous):
			return "ambiguous"
		}
	case "C":
		if r.Verdict != verifier.Tampered {
			return "not tampered"
		}
	case "E":
		if r.Verdict != verifier.Malformed {
			return "not malformed"
		}
	default:
		return "unknown class"
	}
	return ""
}
