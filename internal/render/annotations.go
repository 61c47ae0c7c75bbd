package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/verifier"
)

// maxAnnotations is how many errors, and how many warnings, GitHub Actions and
// Azure Pipelines show of one step; what comes after them they drop.
const maxAnnotations = 10

// maxLogged is how many of the rest the log has lines of.
const maxLogged = 1000

// annotations writes a command of the pipeline for each notice, by which it shows
// the notice at its file. Of more than it would show, the last command says how
// many there are, and the rest follow as lines of the log, which are bounded too.
type annotations struct {
	Pipeline
	command func(a annotation) string
}

// annotation is a notice in its place. Its texts are escaped as in all output,
// and not yet for the command: title and path are of one line, text may have
// several.
type annotation struct {
	warning          bool
	path             string // "" for none
	line             int    // 0 for none
	code, title, msg string
}

func (r annotations) Verify(w io.Writer, files []File, problems []audit.Problem) error {
	valid := 0
	for _, f := range files {
		if f.Report.Verdict == verifier.Valid {
			valid++
		}
	}
	var b strings.Builder
	r.writeAll(&b, noticesOf(files, problems), valid, len(files)+len(problems))
	return write(w, &b)
}

// Audit says last what was not looked at, which is no reason to show anything at
// a file.
func (r annotations) Audit(w io.Writer, result *audit.Result) error {
	var b strings.Builder
	r.writeAll(&b, auditNotices(result), result.Counts()[verifier.Valid], len(result.Entries)+len(result.Problems))
	for _, s := range result.Skipped {
		fmt.Fprintf(&b, "not looked at: %s: %s\n", clip(s.Reason), clip(s.Path))
	}
	return write(w, &b)
}

// writeAll writes the errors, then the warnings, and how many files are valid.
func (r annotations) writeAll(b *strings.Builder, list []notice, valid, files int) {
	var wrong, odd []notice
	for _, n := range list {
		if n.warning {
			odd = append(odd, n)
		} else {
			wrong = append(wrong, n)
		}
	}
	r.write(b, wrong, "files")
	r.write(b, odd, "findings")
	fmt.Fprintf(b, "valid %d of %d\n", valid, files)
}

// write writes notices of one level.
func (r annotations) write(b *strings.Builder, list []notice, things string) {
	shown := list
	if len(list) > maxAnnotations {
		shown = list[:maxAnnotations-1]
	}
	for _, n := range shown {
		place, _ := r.place(n.path)
		text := n.lines()
		if place == "" {
			text = append([]string{"on standard input"}, text...)
		}
		b.WriteString(r.command(annotation{
			warning: n.warning, path: Escape(place), line: n.line, code: Escape(n.rule), title: Escape(n.title()), msg: strings.Join(text, "\n"),
		}))
		b.WriteByte('\n')
	}
	rest := list[len(shown):]
	if len(rest) == 0 {
		return
	}
	b.WriteString(r.command(annotation{
		warning: rest[0].warning, code: "more", title: "more than can be shown here",
		msg: fmt.Sprintf("%d more %s are not shown as annotations: they are in the log of this step", len(rest), things),
	}))
	b.WriteByte('\n')
	for i, n := range rest {
		if i == maxLogged {
			fmt.Fprintf(b, "and %d more\n", len(rest)-i)
			break
		}
		place, _ := r.place(n.path)
		fmt.Fprintf(b, "%-13s %s", n.rule, clip(place))
		if n.line > 0 {
			fmt.Fprintf(b, ":%d", n.line)
		}
		fmt.Fprintf(b, ": %s\n", strings.Join(n.lines(), "; "))
	}
}
