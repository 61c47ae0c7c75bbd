package render

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/verifier"
)

// Judged writes what was found out about the signatures of files. Beside the
// formats of Renderer there are those of pipelines, which show what is wrong at
// the file in a change that somebody reviews.
type Judged interface {
	// Verify is of files; problems are those that could not be read, which the
	// caller reports as errors.
	Verify(w io.Writer, files []File, problems []audit.Problem) error
	Audit(w io.Writer, r *audit.Result) error
	// Sign is of files that were to be signed, or to be found signed.
	Sign(w io.Writer, s Signing) error
}

// Pipeline is what the formats of pipelines must know beside the results.
type Pipeline struct {
	// Dir is the working directory, and Root the folder of the repository, or the
	// same: absolute paths. A pipeline knows files by their path in Root.
	Dir, Root string
	// Version is that of this program.
	Version string
}

// JudgedFormats returns the names of the formats of Judged.
func JudgedFormats() []string {
	return append(Formats(), "github", "azure-pipelines", "gitlab", "sarif")
}

// NewJudged returns the writer of the output format of this name, or *FormatError.
func NewJudged(name string, p Pipeline) (Judged, error) {
	switch name {
	case "github":
		return annotations{p, githubCommand}, nil
	case "azure-pipelines":
		return annotations{p, azureCommand}, nil
	case "gitlab":
		return codeQuality{p}, nil
	case "sarif":
		return sarif{p}, nil
	}
	r, err := New(name)
	if err != nil {
		return nil, &FormatError{name, JudgedFormats()}
	}
	return plain{r}, nil
}

// plain is a Renderer, which says nothing of what could not be read.
type plain struct{ Renderer }

func (p plain) Verify(w io.Writer, files []File, _ []audit.Problem) error {
	return p.Renderer.Verify(w, files)
}

// notice is one thing that somebody is to be shown at a file. Its texts may quote
// the input and are not escaped yet.
type notice struct {
	rule    string // stable: the word of a verdict or of a SignState, findingRule or expiringRule
	warning bool
	path    string // as the user named it; "-" is standard input
	line    int    // from 1; 0 for the file as a whole
	code    string // of a finding; else ""
	// said is what is wrong, and why; todo what mends it, or "".
	said, todo string
}

// findingRule is the rule of what is said about a file that is valid, expiringRule
// that of one whose signature ends soon.
const (
	findingRule  = "finding"
	expiringRule = "expiring"
	expiringTodo = "have it signed again before that, with a key or certificate that lasts longer"
)

// maxNoticeFindings is how many findings one notice lists.
const maxNoticeFindings = 5

// noticesOf returns what is to be said, the worst first, then by path: of each
// file that is not valid one error, of a valid file a warning for each finding.
// What could not be read was not checked.
func noticesOf(files []File, problems []audit.Problem) []notice {
	list := make([]notice, 0, len(problems))
	for _, p := range problems {
		list = append(list, notice{rule: verifier.NotChecked.String(), path: p.Path, said: "it cannot be read: " + p.Err.Error()})
	}
	sorted := slices.Clone(files)
	slices.SortStableFunc(sorted, func(a, b File) int {
		return cmp.Or(cmp.Compare(a.Report.Verdict.Rank(), b.Report.Verdict.Rank()), cmp.Compare(a.Path, b.Path))
	})
	for _, f := range sorted {
		if f.Report.Verdict != verifier.Valid {
			list = append(list, noticeOf(f))
			continue
		}
		for _, n := range f.Report.Findings {
			list = append(list, notice{rule: findingRule, warning: true, path: f.Path, line: n.Line, code: n.Code, said: n.Code + ": " + n.Detail, todo: n.Fix})
		}
	}
	return list
}

// noticeOf is the notice of a file that is not valid.
func noticeOf(f File) notice {
	r := f.Report
	n := notice{rule: r.Verdict.String(), path: f.Path, said: meaning(r.Verdict), todo: Repair(r.Verdict)}
	why, failed := decisive(r)
	if failed {
		n.said += fmt.Sprintf("\n%s: %s", why.ID, why.Detail)
	}
	listed := 0
	for _, finding := range r.Findings {
		if n.line == 0 {
			n.line = max(0, finding.Line)
		}
		if failed && finding.Detail == why.Detail { // the check says the same
			continue
		}
		place := ""
		if finding.Line > 0 {
			place = fmt.Sprintf("line %d: ", finding.Line)
		}
		if listed++; listed <= maxNoticeFindings {
			n.said += fmt.Sprintf("\n%s%s: %s", place, finding.Code, finding.Detail)
		}
	}
	if more := listed - maxNoticeFindings; more > 0 {
		n.said += fmt.Sprintf("\n%d more findings: writ inspect", more)
	}
	if r.Repair != "" {
		n.todo = "writ repair, which will " + r.Repair
	}
	return n
}

// decisive is the failed check that the verdict comes from, or else the first that
// failed.
func decisive(r *verifier.Report) (why verifier.Check, failed bool) {
	for _, s := range r.Signatures {
		if s.Nested {
			continue
		}
		for _, c := range s.Checks {
			switch {
			case c.Status != verifier.StatusFailed:
			case verifier.JudgeChecks([]verifier.Check{c}) == r.Verdict:
				return c, true
			case !failed:
				why, failed = c, true
			}
		}
	}
	return why, failed
}

// lines are the sentences of a notice, each escaped and of bounded length.
func (n notice) lines() []string {
	var lines []string
	for line := range strings.SplitSeq(n.said, "\n") {
		lines = append(lines, clip(line))
	}
	if n.todo != "" {
		lines = append(lines, "what to do: "+clip(n.todo))
	}
	return lines
}

// title says in a few words of ours what the notice is about.
func (n notice) title() string {
	switch n.rule {
	case findingRule:
		return "signed runbook with a finding"
	case expiringRule:
		return "signature that ends soon"
	case string(SignFailed):
		return "runbook could not be signed or checked"
	case string(SignNotReached):
		return "runbook was not reached"
	case string(SignToSign):
		return "runbook is to be signed anew"
	case string(SignLeft):
		return "runbook was left alone"
	}
	return "runbook is " + n.rule
}

// place is the path of a file in the repository, with forward slashes; outside of
// it inside is false and the path is absolute. Of standard input it is "".
func (p Pipeline) place(path string) (place string, inside bool) {
	if path == "-" {
		return "", false
	}
	abs := filepath.Clean(path)
	if !filepath.IsAbs(abs) {
		abs = filepath.Join(p.Dir, abs)
	}
	if rel, err := filepath.Rel(p.Root, abs); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel), true
	}
	return filepath.ToSlash(abs), false
}

// auditNotices are the notices of an audit: those of its files, and warnings of
// signatures that end within the time that was asked for.
func auditNotices(r *audit.Result) []notice {
	files := make([]File, 0, len(r.Entries))
	for _, e := range r.Entries {
		files = append(files, File(e))
	}
	list := noticesOf(files, r.Problems)
	for _, e := range r.Expiring {
		s := e.Signature
		list = append(list, notice{
			rule: expiringRule, warning: true, path: e.Path, code: s.Format + " " + firstID(s.Signer.IDs),
			said: fmt.Sprintf("the %s signature by %s ends at %s, within %s", s.Format, s.Signer.Display, s.Ends.UTC().Format(time.RFC3339), days(r.Within)),
			todo: expiringTodo,
		})
	}
	return list
}
