package format_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/verifier"
)

// TestCorpusOfAuthenticodeGetsItsDigestVerdicts judges real files by others. Their
// roots are not here, so the verdict is never valid; layout, digest and signature
// are what the index says.
func TestCorpusOfAuthenticodeGetsItsDigestVerdicts(t *testing.T) {
	t.Parallel()
	dir := testenv.Shared(t, "corpus/authenticode")
	stranger := newKey(t, newkeys.X509Options{})
	v := newVerifier(t, testenv.VectorTime(), stranger.CAPEM)
	counts, types := map[string]int{}, map[string]int{}
	for _, row := range readIndex(t, dir) {
		path := row["path"]
		report := inspect(t, v, filepath.Base(path), readFile(t, filepath.Join(dir, filepath.FromSlash(path))))
		class, _, _ := strings.Cut(row["class"], ":")
		types[strings.ToLower(filepath.Ext(path))+" "+class]++
		counts[class+" "+string(report.Verdict)]++
		if problem := judgeCorpusRow(report, class, row); problem != "" {
			t.Errorf("%s (%s, %s): %s: verdict %s, %.900s", path, row["class"], row["matches"], problem, report.Verdict, fmt.Sprint(report.Signatures[0].Checks, report.Findings))
		}
	}
	for key, n := range counts {
		t.Logf("%-20s %d", key, n)
	}
	for key, n := range types {
		t.Logf("%-20s %d", key, n)
	}
	// All files that signtool signed for the Windows Script Host, and OSPP.VBS.
	if n := types[".vbs A"] + types[".vbe A"] + types[".js A"] + types[".jse A"] + types[".wsf A"]; n != 29 {
		t.Errorf("%d good files of the Windows Script Host, want 29", n)
	}
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
