package statement

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/runwrit/writ/runbook"
)

// Limits of a statement.
const (
	MaxText   = 64 << 10 // bytes of the text
	MaxReason = 512
	// MinReason is how much must be said of why the policy is lifted.
	MinReason = 10
	maxWord   = 256
	maxGroups = 200

	nonceBytes = 16
)

var (
	// nameForm is the form of the names in grants.yaml.
	nameForm     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]*$`)
	identityForm = regexp.MustCompile(`^[a-z][a-z0-9-]*:.`)
)

const maxName = 64

// The years that a statement can be about: others do not fit into nanoseconds.
const (
	firstYear = 2000
	lastYear  = 2200
)

func (s *Subject) subjectProblem(want Type, bound bool) string {
	switch {
	case s.Type != want:
		return fmt.Sprintf("the type is %q, not %q", s.Type, want)
	case bound && s.SHA256.IsZero():
		return "sha256 is missing"
	case bound && s.Runbook == "":
		return "runbook is missing"
	case !bound && (s.Runbook != "" || !s.SHA256.IsZero() || !s.Manifest.IsZero()):
		return "it names both a runbook and a path: want one of them"
	case !isName(s.WorkerGroup) && (want != TypeTicket || s.WorkerGroup != ""):
		return "worker_group is not the name of a group"
	case s.NotBefore.IsZero() || s.Expires.IsZero():
		return "not_before or expires is missing"
	case !s.Expires.After(s.NotBefore.Time):
		return "it would expire before it begins"
	}
	if s.Runbook != "" {
		if _, err := runbook.Parse(s.Runbook, nil); err != nil || runbook.PayloadName(s.Runbook) != s.Runbook {
			return "runbook is not the file name of a payload"
		}
	}
	if bad := textProblem(s.Reason, MaxReason); bad != "" {
		return "reason " + bad
	}
	return firstProblem(timeProblem("not_before", s.NotBefore), timeProblem("expires", s.Expires))
}

func (p *Parameters) problem() string {
	if p.Digest.IsZero() {
		return "parameters_sha256 is missing"
	}
	return nonceProblem("salt", p.Salt)
}

func (a *Approval) problem() string {
	return firstProblem(a.subjectProblem(TypeApproval, true), a.Parameters.problem(), requesterProblem(a.Requester, true))
}

func (b *BreakGlass) problem() string {
	if len(strings.TrimSpace(b.Reason)) < MinReason {
		return fmt.Sprintf("reason has fewer than %d characters: say why the policy is lifted", MinReason)
	}
	path := textProblem(b.Path, runbookPath)
	if path != "" {
		path = "path " + path
	}
	return firstProblem(b.subjectProblem(TypeBreakGlass, b.Path == ""), path, requesterProblem(b.Requester, false), nonceProblem("nonce", b.Nonce))
}

// runbookPath is the length of a glob.
const runbookPath = 1024

func (t *Ticket) problem() string {
	if t.WorkerID != "" && !isName(t.WorkerID) {
		return "worker_id is not the name of a worker"
	}
	if t.WorkerID == "" && t.WorkerGroup == "" {
		return "it names neither a worker nor a group of workers"
	}
	return firstProblem(t.subjectProblem(TypeTicket, true), t.Parameters.problem(), t.Caller.problem(), t.Job.problem(), nonceProblem("nonce", t.Nonce))
}

func (c *Caller) problem() string {
	switch {
	case c.Kind == "":
		return "caller.kind is missing"
	case c.Groups == nil || c.Roles == nil:
		return "caller.groups or caller.roles is missing"
	case len(c.Groups) > maxGroups || len(c.Roles) > maxGroups:
		return fmt.Sprintf("caller has more than %d groups or roles", maxGroups)
	}
	for _, words := range [][]string{{c.Kind}, c.Groups, c.Roles} {
		for _, w := range words {
			if bad := textProblem(w, maxWord); w == "" || bad != "" {
				return "caller: a word is empty or " + bad
			}
		}
	}
	if bad := requesterProblem(c.ID, false); bad != "" {
		return "caller: " + bad
	}
	return ""
}

func (j *Job) problem() string {
	for _, w := range []string{j.ID, j.Trigger} {
		if bad := textProblem(w, maxWord); bad != "" {
			return "job: a word " + bad
		}
	}
	if j.ID == "" {
		return "job.id is missing"
	}
	return firstProblem(timeProblem("job.scheduled", j.Scheduled), timeProblem("job.submitted", j.Submitted))
}

func firstProblem(problems ...string) string {
	for _, p := range problems {
		if p != "" {
			return p
		}
	}
	return ""
}

func isName(s string) bool { return len(s) <= maxName && nameForm.MatchString(s) }

func requesterProblem(s string, mayBeEmpty bool) string {
	switch {
	case s == "" && mayBeEmpty:
		return ""
	case !identityForm.MatchString(s) || textProblem(s, maxWord) != "":
		return "the identity of the requester is not one such as os:alice"
	}
	return ""
}

func nonceProblem(field, s string) string {
	if len(s) == 2*nonceBytes && strings.Trim(s, "0123456789abcdef") == "" {
		return ""
	}
	return fmt.Sprintf("%s is not %d lower-case hexadecimal digits", field, 2*nonceBytes)
}

func timeProblem(field string, t Time) string {
	switch year := t.Year(); {
	case t.IsZero():
		return ""
	case year < firstYear || year >= lastYear || t.Truncate(time.Second) != t.Time || t.Location() != time.UTC:
		return field + " is not whole seconds in UTC of a year that can be meant"
	}
	return ""
}

// textProblem says why s cannot be shown on one line as what it is.
func textProblem(s string, limit int) string {
	if len(s) > limit {
		return fmt.Sprintf("has %d bytes, the limit is %d", len(s), limit)
	}
	if !utf8.ValidString(s) {
		return "is not valid UTF-8"
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return "holds a character that cannot be printed, or that hides others"
		}
	}
	return ""
}
