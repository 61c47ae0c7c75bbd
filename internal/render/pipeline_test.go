package render_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/verifier"
)

// pipeline is a repository whose folder "sub" is the working directory.
func pipeline() render.Pipeline {
	root, err := filepath.Abs(filepath.FromSlash("/repo"))
	if err != nil {
		panic(err)
	}
	return render.Pipeline{Dir: filepath.Join(root, "sub"), Root: root, Version: "v1.2.3"}
}

func judged(t testing.TB, name string, files []render.File, problems ...audit.Problem) string {
	t.Helper()
	r, err := render.NewJudged(name, pipeline())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Verify(&b, files, problems); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func file(path string, v verifier.Verdict, findings ...verifier.Finding) render.File {
	return render.File{Path: path, Report: &verifier.Report{Name: filepath.Base(path), Verdict: v, Findings: findings}}
}

// library has one file of each kind that there is to say something about.
func library() []render.File {
	tampered := file("a.ps1", verifier.Tampered)
	tampered.Report.Signatures = []verifier.Signature{{Checks: []verifier.Check{
		verifier.Passed(verifier.CheckLayout, "fine"), verifier.Failed(verifier.CheckTrust, "a stranger"), verifier.Failed(verifier.CheckContentDigest, "100%% other, text: here"),
	}}}
	tampered.Report.Findings = []verifier.Finding{{Code: "the-same", Detail: "100% other, text: here"}}
	damaged := file("../lib/c.ps1", verifier.Damaged)
	damaged.Report.Repair = "convert LF to CR LF"
	return []render.File{
		file("good.ps1", verifier.Valid),
		file("odd.ps1", verifier.Valid, verifier.Finding{Code: "zero-width", Line: 7, Detail: "a character without width", Fix: "take it out"}),
		file("b.ps1", verifier.Ambiguous, verifier.Finding{Code: "lone-cr", Line: 3, Detail: "a carriage return"}, verifier.Finding{Code: "zero-width", Line: 9, Detail: "a character"}),
		damaged,
		tampered,
	}
}

func TestGitHubShowsEachFileThatIsNotValidAtItsPlaceTheWorstFirst(t *testing.T) {
	t.Parallel()
	want := []testenv.PipelineCommand{
		{Name: "error", Properties: map[string]string{"file": "sub/gone.ps1", "line": "1", "title": "runbook is not-checked"}, Data: "it cannot be read: open gone.ps1: no such file"},
		{Name: "error", Properties: map[string]string{"file": "sub/a.ps1", "line": "1", "title": "runbook is tampered"},
			Data: "the signature is real, and the content is not what was signed\ncontent-digest: 100% other, text: here\nwhat to do: do not use it; fetch the original again, or have the owner review the content and sign it anew"},
		{Name: "error", Properties: map[string]string{"file": "sub/b.ps1", "line": "3", "title": "runbook is ambiguous"},
			Data: "the bytes are read as different text on different hosts\nline 3: lone-cr: a carriage return\nline 9: zero-width: a character\n" +
				"what to do: save the source as UTF-8 with a byte-order mark (for the Windows Script Host as UTF-16 little endian), or in plain ASCII, and sign it again"},
		{Name: "error", Properties: map[string]string{"file": "lib/c.ps1", "line": "1", "title": "runbook is damaged"},
			Data: "line ends were converted, or a byte-order mark was added, after signing; the signature is real\nwhat to do: writ repair, which will convert LF to CR LF"},
		{Name: "warning", Properties: map[string]string{"file": "sub/odd.ps1", "line": "7", "title": "signed runbook with a finding"},
			Data: "zero-width: a character without width\nwhat to do: take it out"},
	}
	out := judged(t, "github", library(), audit.Problem{Path: "gone.ps1", Err: errors.New("open gone.ps1: no such file")})
	if diff := cmp.Diff(want, testenv.GitHubCommands(out)); diff != "" {
		t.Errorf("-want +got:\n%s\n%s", diff, out)
	}
	if !strings.HasSuffix(out, "\nvalid 2 of 6\n") {
		t.Errorf("the log ends with %q", out)
	}
}

func TestAzureShowsEachFileThatIsNotValidAtItsPlace(t *testing.T) {
	t.Parallel()
	out := judged(t, "azure-pipelines", library())
	var got []string
	for _, c := range testenv.AzureCommands(out) {
		p := c.Properties
		first, _, _ := strings.Cut(c.Data, "\n")
		got = append(got, fmt.Sprintf("%s %s %s:%s %s: %s", c.Name, p["type"], p["sourcepath"], p["linenumber"], p["code"], first))
	}
	want := []string{
		"task.logissue error sub/a.ps1:1 tampered: runbook is tampered: the signature is real, and the content is not what was signed",
		"task.logissue error sub/b.ps1:3 ambiguous: runbook is ambiguous: the bytes are read as different text on different hosts",
		"task.logissue error lib/c.ps1:1 damaged: runbook is damaged: line ends were converted, or a byte-order mark was added, after signing; the signature is real",
		"task.logissue warning sub/odd.ps1:7 finding: signed runbook with a finding: zero-width: a character without width",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s\n%s", diff, out)
	}
	if !strings.Contains(out, "100%AZP25 other") {
		t.Errorf("a percent sign is not written as the agent reads it:\n%s", out)
	}
}

// sarifDoc is what a test reads of a document.
type sarifDoc struct {
	Runs []struct {
		Tool struct {
			Driver struct {
				Version string
				Rules   []struct {
					ID   string
					Help struct{ Text string }
				}
			}
		}
		Invocations []struct {
			ExecutionSuccessful        bool
			ToolExecutionNotifications []struct{ Message struct{ Text string } }
		}
		Results []struct {
			RuleID, Level string
			RuleIndex     int
			Message       struct{ Text string }
			Locations     []struct {
				PhysicalLocation struct {
					ArtifactLocation struct{ URI, URIBaseID string }
					Region           struct{ StartLine int }
				}
			}
			PartialFingerprints map[string]string
		}
	}
}

// readSARIF has go-sarif hold a document against the schema of SARIF 2.1.0. It
// drops what it does not know and fills in what is not there: everything of ours
// must come back.
func readSARIF(t testing.TB, out string) sarifDoc {
	t.Helper()
	known, err := sarif.FromString(out)
	if err != nil {
		t.Fatalf("go-sarif: %v\n%s", err, out)
	}
	for _, run := range known.Runs { // the defaults of the standard, which go-sarif writes as nothing
		run.Language, run.NewlineSequences, run.Tool.Driver.Language = "en-US", []string{"\r\n", "\n"}, "en-US"
	}
	if err := known.Validate(); err != nil {
		t.Fatalf("go-sarif: %v\n%.4000s", err, out)
	}
	back, err := json.Marshal(known)
	if err != nil {
		t.Fatal(err)
	}
	var ours, theirs any
	if err := errors.Join(json.Unmarshal([]byte(out), &ours), json.Unmarshal(back, &theirs)); err != nil {
		t.Fatal(err)
	}
	if where := lost(ours, theirs, ""); where != "" {
		t.Fatalf("go-sarif does not know %s", where)
	}
	var doc sarifDoc
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Runs) != 1 {
		t.Fatalf("%d runs", len(doc.Runs))
	}
	return doc
}

// lost is the first place of a document that is not in another one.
func lost(ours, theirs any, at string) string {
	switch ours := ours.(type) {
	case map[string]any:
		object, _ := theirs.(map[string]any)
		for key, value := range ours {
			if where := lost(value, object[key], at+"."+key); where != "" {
				return where
			}
		}
		return ""
	case []any:
		list, _ := theirs.([]any)
		if len(list) != len(ours) {
			return at
		}
		for i := range ours {
			if where := lost(ours[i], list[i], at); where != "" {
				return where
			}
		}
		return ""
	}
	if ours != theirs {
		return at
	}
	return ""
}

func TestSARIFHasAResultForEachFileThatIsNotValid(t *testing.T) {
	t.Parallel()
	out := judged(t, "sarif", library())
	doc := readSARIF(t, out)
	run := doc.Runs[0]
	if run.Tool.Driver.Version != "v1.2.3" || !run.Invocations[0].ExecutionSuccessful {
		t.Errorf("%+v", run)
	}
	var got []string
	seen := map[string]bool{}
	for _, r := range run.Results {
		at := r.Locations[0].PhysicalLocation
		got = append(got, fmt.Sprintf("%s %s %s%s:%d", r.Level, r.RuleID, at.ArtifactLocation.URIBaseID, at.ArtifactLocation.URI, at.Region.StartLine))
		if run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID {
			t.Errorf("rule %d is not %s", r.RuleIndex, r.RuleID)
		}
		mark := r.PartialFingerprints["primaryLocationLineHash"]
		if mark == "" || seen[mark] {
			t.Errorf("%s has the fingerprint %q", r.RuleID, mark)
		}
		seen[mark] = true
	}
	want := []string{
		"error tampered %SRCROOT%sub/a.ps1:1", "error ambiguous %SRCROOT%sub/b.ps1:3", "error damaged %SRCROOT%lib/c.ps1:1", "warning finding %SRCROOT%sub/odd.ps1:7",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, v := range verifier.Verdicts() {
		there := slices.ContainsFunc(run.Tool.Driver.Rules, func(r struct {
			ID   string
			Help struct{ Text string }
		}) bool {
			return r.ID == v.String() && r.Help.Text != ""
		})
		if there == (v == verifier.Valid) {
			t.Errorf("a rule for %s: %v", v, there)
		}
	}
}

func TestGitLabHasAnIssueForEachFileThatIsNotValid(t *testing.T) {
	t.Parallel()
	type issue struct {
		Description, Fingerprint, Severity string
		CheckName                          string `json:"check_name"`
		Location                           struct {
			Path  string
			Lines struct{ Begin int }
		}
	}
	read := func(out string) []issue {
		var list []issue
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			t.Fatal(err)
		}
		return list
	}
	var got []string
	seen := map[string]bool{}
	for _, i := range append(read(judged(t, "gitlab", library())), read(signed(t, "gitlab", signing()))...) {
		title, _, _ := strings.Cut(i.Description, "\n")
		got = append(got, fmt.Sprintf("%s %s %s:%d %s", i.Severity, i.CheckName, i.Location.Path, i.Location.Lines.Begin, title))
		if len(i.Fingerprint) != 64 || seen[i.Fingerprint] {
			t.Errorf("%s has the fingerprint %q", i.CheckName, i.Fingerprint)
		}
		seen[i.Fingerprint] = true
	}
	want := []string{
		"critical tampered sub/a.ps1:1 runbook is tampered", "major ambiguous sub/b.ps1:3 runbook is ambiguous", "major damaged lib/c.ps1:1 runbook is damaged",
		"minor finding sub/odd.ps1:7 signed runbook with a finding", "major not-reached sub/e.ps1:1 runbook was not reached",
		"major failed sub/d.ps1:4 runbook could not be signed or checked", "major unsigned sub/c.sh:1 runbook is unsigned", "major stale sub/b.ps1:1 runbook is stale",
		"major to-sign sub/h.ps1:1 runbook is to be signed anew", "major left sub/f.ps1:1 runbook was left alone",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if out := judged(t, "gitlab", nil); strings.TrimSpace(out) != "[]" {
		t.Errorf("of nothing it is %q", out)
	}
	files := []render.File{}
	for i := range 5002 {
		files = append(files, file(fmt.Sprintf("%d.ps1", i), verifier.Unsigned))
	}
	if list := read(judged(t, "gitlab", files)); len(list) != 5001 || !strings.Contains(list[5000].Description, "2 more are left out") {
		t.Errorf("of 5002 there are %d, the last is %v", len(list), list[len(list)-1])
	}
}

func TestAFingerprintStaysWhileTheTroubleStays(t *testing.T) {
	t.Parallel()
	mark := func(f render.File) string {
		return readSARIF(t, judged(t, "sarif", []render.File{f})).Runs[0].Results[0].PartialFingerprints["primaryLocationLineHash"]
	}
	first := mark(file("a.ps1", verifier.Unsigned))
	if again := mark(file("../sub/a.ps1", verifier.Unsigned, verifier.Finding{Code: "x", Line: 3})); again != first {
		t.Errorf("the same trouble has the fingerprints %s and %s", first, again)
	}
	for what, f := range map[string]render.File{"file": file("b.ps1", verifier.Unsigned), "verdict": file("a.ps1", verifier.Tampered)} {
		if mark(f) == first {
			t.Errorf("another %s has the same fingerprint", what)
		}
	}
}

func TestSARIFSaysWhatItCouldNotRead(t *testing.T) {
	t.Parallel()
	run := readSARIF(t, judged(t, "sarif", nil, audit.Problem{Path: "gone.ps1", Err: errors.New("gone")})).Runs[0]
	if run.Invocations[0].ExecutionSuccessful || len(run.Results) != 1 || run.Results[0].RuleID != "not-checked" || run.Results[0].Level != "error" {
		t.Errorf("%+v", run)
	}
}

func TestPathsOfSARIFAreURIs(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"a b.ps1":            "sub/a%20b.ps1",
		"100%#?.ps1":         "sub/100%25%23%3F.ps1",
		"../c:x.ps1":         "c%3Ax.ps1",
		"grün.ps1":           "sub/gr%C3%BCn.ps1",
		"\xff\n.ps1":         "sub/%FF%0A.ps1",
		"..dots.ps1":         "sub/..dots.ps1",
		"../../etc/x y.ps1":  "file:///etc/x%20y.ps1",
		"a/../../../q/z.ps1": "file:///q/z.ps1",
	} {
		run := readSARIF(t, judged(t, "sarif", []render.File{file(path, verifier.Unsigned)})).Runs[0]
		at := run.Results[0].Locations[0].PhysicalLocation.ArtifactLocation
		if at.URI != want || (at.URIBaseID == "") != strings.HasPrefix(want, "file:") {
			t.Errorf("%q: %q %q, want %q", path, at.URIBaseID, at.URI, want)
		}
		if _, err := url.Parse(at.URI); err != nil {
			t.Error(err)
		}
	}
}

// GitHub refuses a document with a result that has no place.
func TestStandardInputHasNoPlaceButInSARIF(t *testing.T) {
	t.Parallel()
	in := []render.File{file("-", verifier.Unsigned)}
	if run := readSARIF(t, judged(t, "sarif", in)).Runs[0]; len(run.Results) != 1 || run.Results[0].Locations[0].PhysicalLocation.ArtifactLocation.URI != "-" {
		t.Errorf("%+v", run.Results)
	}
	commands := append(testenv.GitHubCommands(judged(t, "github", in)), testenv.AzureCommands(judged(t, "azure-pipelines", in))...)
	if len(commands) != 2 {
		t.Fatalf("%d commands", len(commands))
	}
	for _, c := range commands {
		if c.Properties["file"] != "" || c.Properties["sourcepath"] != "" || !strings.Contains(c.Data, "on standard input") {
			t.Errorf("%v", c)
		}
	}
}

// Both systems drop what comes after the tenth, and say nothing of it.
func TestMoreThanAPipelineShowsIsCountedAndLogged(t *testing.T) {
	t.Parallel()
	read := map[string]func(string) []testenv.PipelineCommand{"github": testenv.GitHubCommands, "azure-pipelines": testenv.AzureCommands}
	for name, commands := range read {
		var files []render.File
		for i := range 10 {
			files = append(files, file(fmt.Sprintf("f%02d.ps1", i), verifier.Unsigned))
		}
		if got := commands(judged(t, name, files)); len(got) != 10 || strings.Contains(got[9].Data, "more") {
			t.Errorf("%s: of 10 it shows %d: %v", name, len(got), got)
		}
		files = append(files, file("f10.ps1", verifier.Unsigned), file("z.ps1", verifier.Tampered))
		out := judged(t, name, files)
		got := commands(out)
		if len(got) != 10 || !strings.Contains(got[9].Data, "3 more files are not shown as annotations") {
			t.Errorf("%s: of 12 it shows %d: %v", name, len(got), got[len(got)-1])
		}
		if !strings.Contains(got[0].Data+got[0].Properties["title"], "tampered") {
			t.Errorf("%s: the worst is not the first: %v", name, got[0])
		}
		for _, f := range files {
			if n := strings.Count(out, f.Path); n != 1 {
				t.Errorf("%s: %s is in the log %d times", name, f.Path, n)
			}
		}
		files = slices.Repeat(files, 100)
		if out := judged(t, name, files); strings.Count(out, "\n") != 9+1+1000+1+1 || !strings.Contains(out, "\nand 191 more\n") {
			t.Errorf("%s: the log of %d files has %d lines", name, len(files), strings.Count(out, "\n"))
		}
	}
}

func TestSARIFIsBoundedAndSaysWhatItLeftOut(t *testing.T) {
	t.Parallel()
	files := []render.File{}
	for i := range 5001 {
		files = append(files, file(fmt.Sprintf("%d.ps1", i), verifier.Unsigned))
	}
	files = append(files, file("z.ps1", verifier.Tampered))
	var doc sarifDoc // validating 5,000 results takes go-sarif long
	if err := json.Unmarshal([]byte(judged(t, "sarif", files)), &doc); err != nil {
		t.Fatal(err)
	}
	run := doc.Runs[0]
	if len(run.Results) != 5000 || run.Results[0].RuleID != "tampered" {
		t.Errorf("%d results, the first is %+v", len(run.Results), run.Results[0])
	}
	if n := run.Invocations[0].ToolExecutionNotifications; len(n) != 1 || !strings.Contains(n[0].Message.Text, "2 more results are left out") {
		t.Errorf("%+v", n)
	}
	var few sarifDoc
	if err := json.Unmarshal([]byte(judged(t, "sarif", files[:5])), &few); err != nil || few.Runs[0].Invocations[0].ToolExecutionNotifications != nil {
		t.Errorf("%+v %v", few.Runs[0].Invocations, err)
	}
}

// signing has a file of each state.
func signing() render.Signing {
	return render.Signing{Check: true, Stopped: "the key is gone", Files: []render.SignResult{
		{Path: "a.ps1", State: render.SignSigned}, {Path: "same.ps1", State: render.SignUnchanged},
		{Path: "b.ps1", State: render.SignStale, Detail: "content-digest: other text"},
		{Path: "c.sh", State: render.SignUnsigned, Detail: "there is no c.sh.asc"},
		{Path: "d.ps1", State: render.SignFailed, Detail: "a character that is not ASCII", Line: 4, Fix: "--add-bom", Err: errors.New("x")},
		{Path: "e.ps1", State: render.SignNotReached},
		{Path: "f.ps1", State: render.SignLeft, Detail: "it is tampered", Err: errors.New("x")},
		{Path: "g.ps1", State: render.SignLeft, Detail: "it is signed by somebody else"},
		{Path: "h.ps1", State: render.SignToSign},
	}}
}

func signed(t testing.TB, name string, s render.Signing) string {
	t.Helper()
	r, err := render.NewJudged(name, pipeline())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Sign(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWhatIsNotSignedIsShownAtItsFile(t *testing.T) {
	t.Parallel()
	want := []string{
		"sub/e.ps1:1 runbook was not reached: the command ended before it came to this file / the key is gone / what to do: mend what the command ended for, and run it again: it goes on where it stopped",
		"sub/d.ps1:4 runbook could not be signed or checked: the file was not signed, or whether it is could not be found out / a character that is not ASCII / what to do: --add-bom",
		"sub/c.sh:1 runbook is unsigned: there is no signature, or something that only looks like one / there is no c.sh.asc / what to do: have it signed by its owner: writ sign",
		"sub/b.ps1:1 runbook is stale: there is a signature, and it is not a valid one of this text / content-digest: other text / what to do: have it signed again by its owner: writ sign",
		"sub/h.ps1:1 runbook is to be signed anew: the file is still signed by the key that is to be replaced / what to do: sign it anew: writ sign --resign",
		"sub/f.ps1:1 runbook was left alone: the file was not signed anew, and somebody should look at it / it is tampered / what to do: look at the file: writ inspect",
	}
	var github, azure, inSARIF []string
	out := signed(t, "github", signing())
	for _, c := range testenv.GitHubCommands(out) {
		github = append(github, c.Properties["file"]+":"+c.Properties["line"]+" "+c.Properties["title"]+": "+strings.ReplaceAll(c.Data, "\n", " / "))
	}
	for _, c := range testenv.AzureCommands(signed(t, "azure-pipelines", signing())) {
		azure = append(azure, c.Properties["sourcepath"]+":"+c.Properties["linenumber"]+" "+strings.ReplaceAll(c.Data, "\n", " / "))
	}
	run := readSARIF(t, signed(t, "sarif", signing())).Runs[0]
	for _, r := range run.Results {
		at := r.Locations[0].PhysicalLocation
		title, rest, _ := strings.Cut(r.Message.Text, "\n")
		inSARIF = append(inSARIF, fmt.Sprintf("%s:%d %s: %s", at.ArtifactLocation.URI, at.Region.StartLine, title, strings.ReplaceAll(rest, "\n", " / ")))
		if run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID || r.Level != "error" {
			t.Errorf("%+v", r)
		}
	}
	for name, got := range map[string][]string{"github": github, "azure": azure, "sarif": inSARIF} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
	if !strings.HasSuffix(out, "\nfiles 9: not-reached 1, failed 1, unsigned 1, stale 1, to-sign 1, left 2, signed 1, unchanged 1\n") {
		t.Errorf("the log ends with %q", out)
	}
	if run.Invocations[0].ExecutionSuccessful {
		t.Error("a run that came to an end too early was successful")
	}
}

func TestWhatAnAuditDidNotLookAtIsSaid(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"github":          "\nnot looked at: a link, [not](followed): ln#\\x23[x].ps1\n",
		"azure-pipelines": "\nnot looked at: a link, [not](followed): ln#\\x23[x].ps1\n",
		"sarif":           `"not looked at: a link, [not] (followed): ln#\\x23[x].ps1"`,
	} {
		r, err := render.NewJudged(name, pipeline())
		if err != nil {
			t.Fatal(err)
		}
		result := &audit.Result{Entries: []audit.Entry{{Path: "a.ps1", Report: file("a.ps1", verifier.Valid).Report}}}
		for range 102 {
			result.Skipped = append(result.Skipped, audit.Skip{Path: "ln##[x].ps1", Reason: "a link, [not](followed)"})
		}
		var b bytes.Buffer
		if err := r.Audit(&b, result); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s says\n%.600s", name, b.String())
		}
		if name == "sarif" {
			if n := readSARIF(t, b.String()).Runs[0].Invocations[0].ToolExecutionNotifications; len(n) != 101 || n[100].Message.Text != "2 more were not looked at" {
				t.Errorf("%d notes", len(n))
			}
		}
	}
}

func TestASignatureThatEndsSoonIsAWarning(t *testing.T) {
	t.Parallel()
	signature := verifier.Signature{
		Format: "authenticode", Verdict: verifier.Valid, Ends: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
		Signer: verifier.Identity{IDs: []string{"x509-sha256:00"}, Display: "CN=::x ##[y]"},
	}
	result := &audit.Result{
		Entries: []audit.Entry{{Path: "a.ps1", Report: file("a.ps1", verifier.Valid).Report}},
		Within:  30 * 24 * time.Hour, Expiring: []audit.Expiry{{Path: "a.ps1", Signature: signature}},
	}
	of := func(name string) string {
		r, err := render.NewJudged(name, pipeline())
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := r.Audit(&b, result); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	const says = `the authenticode signature by CN=::x #\x23[y] ends at 2026-12-01T00:00:00Z, within 30 days`
	github, azure := testenv.GitHubCommands(of("github")), testenv.AzureCommands(of("azure-pipelines"))
	if len(github) != 1 || github[0].Name != "warning" || github[0].Properties["file"] != "sub/a.ps1" || !strings.HasPrefix(github[0].Data, says) {
		t.Errorf("%v", github)
	}
	if len(azure) != 1 || azure[0].Properties["type"] != "warning" || azure[0].Properties["code"] != "expiring" || !strings.Contains(azure[0].Data, says) {
		t.Errorf("%v", azure)
	}
	if r := readSARIF(t, of("sarif")).Runs[0].Results; len(r) != 1 || r[0].RuleID != "expiring" || r[0].Level != "warning" || !strings.Contains(r[0].Message.Text, says) {
		t.Errorf("%v", r)
	}
	if out := of("gitlab"); !strings.Contains(out, `"check_name": "expiring"`) || !strings.Contains(out, `"severity": "minor"`) {
		t.Error(out)
	}
}

func TestAnUnknownFormatIsRefusedWithAllNames(t *testing.T) {
	t.Parallel()
	var want *render.FormatError
	if _, err := render.NewJudged("jenkins", pipeline()); !errors.As(err, &want) || !slices.Contains(want.Want, "sarif") {
		t.Errorf("%v", err)
	}
	if _, err := render.New("sarif"); !errors.As(err, &want) || slices.Contains(want.Want, "sarif") {
		t.Errorf("the formats of pipelines are for judgements only: %v", err)
	}
}

// commandTexts try to be commands of a pipeline, or to end the value that they
// stand in.
func commandTexts() []string {
	return []string{
		"::error::pwned", "  ::stop-commands::x", "\n::add-mask::e\n", "\r::warning::x", "\u2028::error::x", "\u00a0::error::x", "%0A::error::x", "%250A::error::x",
		"##[error]pwned", "x##[set-env name=PATH]/tmp", "###[error]x", "##vso[task.setvariable variable=a]b", "##VSO[task.complete result=Succeeded;]x", "##\u200bvso[task.x]y",
		"a,title=b::c", "a;sourcepath=b]##vso[task.complete result=Succeeded]", "];]x", "a=b;c=d", "%AZP250A", "%3B%5D", "x::y::z", "[a](https://evil.example)", "{0}",
		"section_start:1:x\r\x1b[0K", "\x1b]0;x\x07",
	}
}

// attacked is a report in which every text of an input is the same.
func attacked(text string) []render.File {
	bad := render.File{Path: text, Report: hostile()}
	bad.Report.Verdict = verifier.Tampered
	bad.Report.Repair = text
	bad.Report.Signatures[0].Checks[0].Detail = text
	bad.Report.Findings = []verifier.Finding{{Code: "odd", Line: -3, Detail: text, Fix: text}}
	good := file(text, verifier.Valid, verifier.Finding{Code: "odd", Line: 2, Detail: text, Fix: text})
	return []render.File{bad, good}
}

func TestAttackATextOfAnInputIsACommandOfThePipeline(t *testing.T) {
	t.Parallel()
	for _, text := range commandTexts() {
		checkNoCommandButOurs(t, text)
	}
}

// checkNoCommandButOurs renders a text in every format and has both systems read
// the log.
func checkNoCommandButOurs(t testing.TB, text string) {
	t.Helper()
	for _, name := range render.JudgedFormats() {
		out := judged(t, name, attacked(text), audit.Problem{Path: text, Err: errors.New(text)})
		out += signed(t, name, render.Signing{Signer: text, Stopped: text, Files: []render.SignResult{
			{Path: text, Form: text, State: render.SignFailed, Detail: text, Fix: text, Line: -1}, {Path: text, Form: text, State: render.SignSigned},
		}})
		if r, bad := deceptive(strings.ReplaceAll(out, "\n", " ")); bad {
			t.Fatalf("%s of %q lets %U through:\n%q", name, text, r, out)
		}
		github, azure := testenv.GitHubCommands(out), testenv.AzureCommands(out)
		wantGitHub, wantAzure := 0, 0
		switch name {
		case "github":
			wantGitHub = 4
		case "azure-pipelines":
			wantAzure = 4
		}
		if len(github) != wantGitHub || len(azure) != wantAzure {
			t.Fatalf("%s of %q: %d commands of GitHub %v, %d of Azure %v\n%s", name, text, len(github), github, len(azure), azure, out)
		}
		for _, c := range github {
			if len(c.Properties) != 3 || c.Name != "error" && c.Name != "warning" || c.Properties["title"] == "" {
				t.Fatalf("%s of %q: %v", name, text, c)
			}
		}
		for _, c := range azure {
			if len(c.Properties) != 4 || c.Name != "task.logissue" || c.Properties["code"] == "" || !strings.Contains(c.Data, ": ") {
				t.Fatalf("%s of %q: %v", name, text, c)
			}
		}
	}
}

func TestAttackATextOfAnInputIsALinkInSARIF(t *testing.T) {
	t.Parallel()
	for _, text := range commandTexts() {
		for _, r := range readSARIF(t, judged(t, "sarif", attacked(text))).Runs[0].Results {
			if strings.Contains(r.Message.Text, "](") {
				t.Errorf("%q: %q", text, r.Message.Text)
			}
		}
	}
}

func TestAttackACommandOfAPipelineInAnyOutput(t *testing.T) {
	t.Parallel()
	for _, name := range render.Formats() {
		for what, out := range renderAll(t, name) {
			if found := append(testenv.GitHubCommands(out), testenv.AzureCommands(out)...); len(found) > 0 {
				t.Errorf("%s of %s has commands of a pipeline: %v\n%s", what, name, found, out)
			}
		}
	}
}

func FuzzPipelineCommands(f *testing.F) {
	for _, text := range commandTexts() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if text == "-" { // that is standard input, which has no place
			return
		}
		checkNoCommandButOurs(t, text)
	})
}
