package render

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/verifier"
)

// textRenderer writes for people, without colour. Our own words stand first in
// each line, what comes from an input last, so that no name can pose as a
// verdict.
type textRenderer struct{}

func (textRenderer) Verify(w io.Writer, files []File) error {
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintf(&b, "%-13s %s\n", f.Report.Verdict, clip(f.Path))
		if set := f.Report.Set; set != nil && f.Report.Verdict == verifier.Valid {
			fmt.Fprintf(&b, "  with all %d files of its project, as %s\n", set.Files, clip(set.Entry))
		}
		for _, s := range f.Report.Signatures {
			fmt.Fprintf(&b, "  %s\n", signatureLine(s))
			if line := claimsLine(s); line != "" {
				fmt.Fprintf(&b, "    %s\n", line)
			}
			for _, c := range s.Checks {
				if c.Status != verifier.StatusPassed {
					fmt.Fprintf(&b, "    %s %s: %s\n", c.Status, c.ID, clip(c.Detail))
				}
			}
		}
		writeFindings(&b, f.Report.Findings)
	}
	return write(w, &b)
}

func (textRenderer) Inspect(w io.Writer, i Inspection) error {
	r := i.Report
	var b strings.Builder
	fmt.Fprintf(&b, "verdict   %s: %s\n", r.Verdict, meaning(r.Verdict))
	fmt.Fprintf(&b, "file      %s\n", clip(i.Path))
	fmt.Fprintf(&b, "kind      %s\n", r.Kind)
	fmt.Fprintf(&b, "size      %d bytes\n", r.Size)
	fmt.Fprintf(&b, "sha-256   %s\n", orNone(r.File.String()))
	fmt.Fprintf(&b, "payload   %s\n", orNone(r.Payload.String()))
	fmt.Fprintf(&b, "format    %s\n", orNone(r.Format))
	fmt.Fprintf(&b, "judged at %s\n", r.At.UTC().Format(time.RFC3339))
	if !i.Judged {
		b.WriteString("signers were not judged: no trust was given, so every signer counts as untrusted here\n")
	}
	for n, s := range r.Signatures {
		fmt.Fprintf(&b, "\nsignature %d: %s\n", n+1, signatureLine(s))
		for _, id := range s.Signer.IDs {
			fmt.Fprintf(&b, "  id %s\n", clip(id))
		}
		if line := claimsLine(s); line != "" {
			fmt.Fprintf(&b, "  %s\n", line)
		}
		if s.Signer.Issuer != "" {
			fmt.Fprintf(&b, "  issued by %s\n", clip(s.Signer.Issuer))
		}
		if !s.Signer.NotAfter.IsZero() {
			fmt.Fprintf(&b, "  signer's key or certificate ends %s\n", s.Signer.NotAfter.UTC().Format(time.RFC3339))
		}
		for _, c := range s.Checks {
			fmt.Fprintf(&b, "  %-11s %-14s %s\n", c.Status, c.ID, clip(c.Detail))
		}
	}
	if len(r.Findings) > 0 {
		b.WriteString("\nfindings:\n")
		writeFindings(&b, r.Findings)
	}
	if r.Repair != "" {
		fmt.Fprintf(&b, "\nto repair: writ repair; it will %s\n", clip(r.Repair))
	} else if fix := Repair(r.Verdict); fix != "" {
		fmt.Fprintf(&b, "\nto repair: %s\n", fix)
	}
	return write(w, &b)
}

func (textRenderer) Audit(w io.Writer, r *audit.Result) error {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	counts := r.Counts()
	for _, v := range verifier.Verdicts() {
		if n := counts[v]; n > 0 {
			_, _ = fmt.Fprintf(tw, "%s\t%d\n", v, n) // a strings.Builder does not fail
		}
	}
	if len(r.Sources) > 0 {
		_, _ = fmt.Fprintf(tw, "source\t%d\t(unchanged originals of clear-signed runbooks beside them)\n", len(r.Sources))
	}
	_, _ = fmt.Fprintf(tw, "runbooks\t%d\n", len(r.Entries))
	if n := r.Repairable(); n > 0 {
		_, _ = fmt.Fprintf(tw, "repairable\t%d\t(\"writ repair\" restores what was signed)\n", n)
	}
	_ = tw.Flush()
	for _, e := range r.Entries {
		if e.Report.Verdict == verifier.Valid {
			continue // the entries are sorted, the valid ones come last
		}
		fmt.Fprintf(&b, "\n%-13s %s\n", e.Report.Verdict, clip(e.Path))
		if reason := firstReason(e.Report); reason != "" {
			fmt.Fprintf(&b, "  %s\n", clip(reason))
		}
		if e.Report.Repair != "" {
			b.WriteString("  repairable with \"writ repair\"\n")
		}
		if len(e.Report.Findings) > 0 {
			fmt.Fprintf(&b, "  findings: %s\n", findingPlaces(e.Report.Findings))
		}
	}
	writeFindingsOfValid(&b, r.Entries)
	writeExpiring(&b, r)
	if len(r.Skipped) > 0 {
		b.WriteString("\nnot looked at:\n")
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(&b, "  %s: %s\n", clip(s.Reason), clip(s.Path))
	}
	return write(w, &b)
}

func (textRenderer) Version(w io.Writer, v Version) error {
	_, err := fmt.Fprintf(w, "writ %s\n%s %s/%s\nformats: %s\n",
		Escape(v.Version), v.Go, v.OS, v.Arch, strings.Join(v.Formats, ", "))
	return err
}

func write(w io.Writer, b *strings.Builder) error {
	_, err := io.WriteString(w, b.String())
	return err
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// signatureLine is verdict, format, signer and time of one signature.
func signatureLine(s verifier.Signature) string {
	kind := "signature"
	if s.Nested {
		kind = "nested signature"
	}
	line := fmt.Sprintf("%s %s %s", s.Verdict, s.Format, kind)
	if s.Sidecar != "" {
		line += " in " + clip(s.Sidecar)
	}
	if !s.SignedAt.IsZero() {
		line += fmt.Sprintf(", time %s (%s)", s.SignedAt.UTC().Format(time.RFC3339), s.SignedAtSource)
	}
	switch {
	case s.Signer.Display != "":
		line += ", signer " + clip(s.Signer.Display)
	case s.Signer.KeyID != "":
		line += ", key " + clip(s.Signer.KeyID)
	default:
		line += ", signer not known"
	}
	return line
}

// claimsLine is what a signature says of the runbook; "" for nothing. Where it is
// not valid that is anybody's word.
func claimsLine(s verifier.Signature) string {
	if s.Claims == nil {
		return ""
	}
	said := make([]string, 0, 4)
	// The name comes last: it alone may hold blanks, and pose as something else.
	for _, c := range []struct{ word, value string }{
		{"version", s.Claims.Version}, {"namespace", s.Claims.Namespace}, {"kind", s.Claims.Kind}, {"name", s.Claims.Name},
	} {
		if c.value != "" {
			said = append(said, c.word+" "+clip(c.value))
		}
	}
	if s.Verdict != verifier.Valid {
		return "claims, which prove nothing here: " + strings.Join(said, ", ")
	}
	return "claims: " + strings.Join(said, ", ")
}

func writeFindings(b *strings.Builder, findings []verifier.Finding) {
	for _, f := range findings {
		fmt.Fprintf(b, "  %s: ", f.Code)
		if f.Line > 0 {
			fmt.Fprintf(b, "line %d: ", f.Line)
		}
		fmt.Fprintf(b, "%s\n", clip(f.Detail))
		if f.Fix != "" {
			fmt.Fprintf(b, "    fix: %s\n", clip(f.Fix))
		}
	}
}

// writeFindingsOfValid names the valid files about which there is something to
// say.
func writeFindingsOfValid(b *strings.Builder, entries []audit.Entry) {
	title := "\nvalid, with findings:\n"
	for _, e := range entries {
		if e.Report.Verdict == verifier.Valid && len(e.Report.Findings) > 0 {
			fmt.Fprintf(b, "%s  %s: %s\n", title, findingPlaces(e.Report.Findings), clip(e.Path))
			title = ""
		}
	}
}

// findingPlaces lists codes and lines, for a summary.
func findingPlaces(findings []verifier.Finding) string {
	places := make([]string, 0, len(findings))
	for _, f := range findings {
		place := Escape(f.Code)
		if f.Line > 0 {
			place += fmt.Sprintf(" (line %d)", f.Line)
		}
		places = append(places, place)
	}
	return clip(strings.Join(places, ", "))
}

// firstReason is the most telling sentence of a report: the first failed check,
// else the first finding.
func firstReason(r *verifier.Report) string {
	for _, s := range r.Signatures {
		for _, c := range s.Checks {
			if c.Status == verifier.StatusFailed && !s.Nested {
				return fmt.Sprintf("%s: %s", c.ID, c.Detail)
			}
		}
	}
	for _, f := range r.Findings {
		return fmt.Sprintf("%s: %s", f.Code, f.Detail)
	}
	return ""
}
