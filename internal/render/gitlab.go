package render

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/verifier"
)

// codeQuality writes the report that GitLab shows as Code Quality in a merge
// request: a list of issues. What is said of how many were left out is an issue
// too, as the form has no other place for it.
type codeQuality struct{ Pipeline }

type codeIssue struct {
	Description string       `json:"description"`
	CheckName   string       `json:"check_name"`
	Fingerprint string       `json:"fingerprint"`
	Severity    string       `json:"severity"`
	Location    codeLocation `json:"location"`
}

type codeLocation struct {
	Path  string    `json:"path"`
	Lines codeLines `json:"lines"`
}

type codeLines struct {
	Begin int `json:"begin"`
}

func (q codeQuality) Verify(w io.Writer, files []File, problems []audit.Problem) error {
	return q.write(w, noticesOf(files, problems))
}

func (q codeQuality) Audit(w io.Writer, r *audit.Result) error {
	return q.write(w, auditNotices(r))
}

// Sign is Verify for files that were to be signed.
func (q codeQuality) Sign(w io.Writer, s Signing) error { return q.write(w, signNotices(s)) }

func (q codeQuality) write(w io.Writer, list []notice) error {
	issues := []codeIssue{}
	left := len(list) - maxResults
	for _, n := range list[:min(len(list), maxResults)] {
		place, _ := q.place(n.path)
		issues = append(issues, newCodeIssue(n, place, n.title()+"\n"+strings.Join(n.lines(), "\n")))
	}
	if left > 0 {
		n := list[maxResults]
		place, _ := q.place(n.path)
		n.rule = "more"
		issues = append(issues, newCodeIssue(n, place, fmt.Sprintf("%d more are left out: this report holds the worst %d", left, maxResults)))
	}
	return writeJSON(w, issues)
}

func newCodeIssue(n notice, place, description string) codeIssue {
	sum := sha256.Sum256([]byte(n.rule + "\x00" + n.code + "\x00" + place))
	severity := "major"
	switch {
	case n.warning:
		severity = "minor"
	case severityOf(verifier.Verdict(n.rule)) == mostSevere:
		severity = "critical"
	}
	if place == "" {
		place = "-"
	}
	return codeIssue{
		Description: description, CheckName: n.rule, Fingerprint: hex.EncodeToString(sum[:]), Severity: severity,
		Location: codeLocation{place, codeLines{max(1, n.line)}},
	}
}
