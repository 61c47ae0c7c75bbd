package format

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// examine tells a document from a file that only looks like one.
func (c *clearsignChecker) examine(rb *runbook.Runbook, data []byte, now time.Time) verifier.Outcome {
	switch place, line := cleartext.Locate(data); place {
	case cleartext.AtStart:
		return c.document(rb, data, now)
	case cleartext.Elsewhere:
		return refuse(verifier.Malformed, misplaced(data, line))
	default:
		return otherOpenPGP(rb.Name(), data)
	}
}

// refuse claims a file and says what is wrong with it.
func refuse(v verifier.Verdict, f verifier.Finding) verifier.Outcome {
	return verifier.Outcome{Claimed: true, Verdict: v, SideBySide: true, Findings: []verifier.Finding{f}}
}

// misplaced explains a marker that is not where it belongs: other programs would
// verify the document inside, and an interpreter would run the file.
func misplaced(data []byte, line int) verifier.Finding {
	if cleartext.InUTF16(data) {
		return verifier.Finding{
			Code: string(cleartext.UTF16), Line: 1,
			Detail: "a clear-signed document in UTF-16; it was converted after it was signed",
			Fix:    "convert the file back to UTF-8 without a byte order mark",
		}
	}
	return verifier.Finding{
		Code: string(cleartext.TextBefore), Line: line,
		Detail: "a clear-signed document begins here and not at the very start of the file; what precedes it is not signed",
		Fix:    "remove everything before the line " + cleartext.BeginMessage,
	}
}

// document judges a file that begins with the marker.
func (c *clearsignChecker) document(rb *runbook.Runbook, data []byte, now time.Time) verifier.Outcome {
	doc, err := cleartext.Parse(data)
	if err != nil {
		verdict := verifier.Malformed
		finding := verifier.Finding{Code: "malformed", Detail: err.Error()}
		var syntax *cleartext.SyntaxError
		if errors.As(err, &syntax) {
			finding = verifier.Finding{Code: string(syntax.Code), Line: syntax.Line, Detail: syntax.Detail, Fix: syntax.Fix}
			if syntax.Code == cleartext.NoSignatureBlock {
				verdict = verifier.Unsigned
			}
		}
		return refuse(verdict, finding)
	}
	parsed, verdict, finding := readSignatures(doc.Signature())
	if finding.Code != "" {
		return refuse(verdict, finding)
	}
	out := verifier.Outcome{
		Claimed: true, Verdict: verifier.Valid, SideBySide: true,
		Payload: doc.Text(), PayloadDigest: runbook.DigestLater(doc.Text()), Findings: textFindings(doc),
	}
	c.hash(doc.WriteHashed, parsed)
	on := c.subject(rb)
	on.form, on.blanks = clearsignRule(doc, now), onlyBlanks(doc)
	signatures, findings := judgeOne(c.judge).all(parsed, on, now)
	out.Signatures = signatures
	out.Findings = append(out.Findings, findings...)
	if !doc.Canonical() && !(on.blanks && slices.ContainsFunc(signatures, isValid)) {
		out.Verdict = verifier.Noncanonical
	}
	return out
}

// onlyBlanks reports whether trailing blanks are all that is in the file and not
// signed.
func onlyBlanks(doc *cleartext.Document) bool {
	has := func(code cleartext.Code) bool {
		return slices.ContainsFunc(doc.Findings(), func(f cleartext.Finding) bool { return f.Code == code })
	}
	return has(cleartext.TrailingBlanks) && !has(cleartext.TrailingCR)
}

func isValid(s verifier.Signature) bool { return verifier.JudgeChecks(s.Checks) == verifier.Valid }

// clearsignRule is what clear-signed text demands of its signatures.
func clearsignRule(doc *cleartext.Document, now time.Time) func(*pgpcert.Signature) []verifier.Check {
	return func(s *pgpcert.Signature) []verifier.Check {
		var checks []verifier.Check
		if msg := s.JudgeForm(); msg != "" {
			checks = append(checks, verifier.Failed(verifier.CheckStructure, "%s", msg))
		} else if names := doc.Hashes(); len(names) > 0 && !slices.Contains(names, s.HashName()) {
			checks = append(checks, verifier.Failed(verifier.CheckStructure,
				"the digest is %s, and the Hash header does not name it; GnuPG could not check the signature", s.HashName()))
		}
		if s.WeakHash(now) {
			checks = append(checks, verifier.Failed(verifier.CheckAlgorithms, "the digest is %s", s.HashName()))
		}
		if s.Type != pgpcert.TypeText {
			checks = append(checks, verifier.Failed(verifier.CheckKeyUsage,
				"the signature is of type 0x%02x; only 0x01, over text, counts here", s.Type))
		}
		return checks
	}
}

// textFindings is what is worth saying about the text; trailing blanks and CRs
// come with the verdict noncanonical.
func textFindings(doc *cleartext.Document) []verifier.Finding {
	var findings []verifier.Finding
	for _, f := range doc.Findings() {
		detail := textNotes[f.Code]
		if f.Count > 1 {
			detail += fmt.Sprintf(" (%d lines)", f.Count)
		}
		finding := verifier.Finding{Code: string(f.Code), Line: f.Line, Detail: detail}
		if f.Code == cleartext.TrailingBlanks || f.Code == cleartext.TrailingCR {
			finding.Fix = "sign the source again, without blanks at line ends and with LF line ends"
		}
		findings = append(findings, finding)
	}
	return findings
}

var textNotes = map[cleartext.Code]string{
	cleartext.TrailingBlanks: "blanks at the end of a line, which the signature does not cover and which can change what the text means",
	cleartext.TrailingCR:     "a carriage return at the end of a line, where the file otherwise has LF alone, or the other way round; the signature does not cover it",
	cleartext.Bidi:           "characters that change the direction of the text: it reads otherwise than it runs",
	cleartext.LineSeparator:  "a Unicode line separator, which some programs take for a line end",
	cleartext.C1Control:      "a C1 control character, which a terminal may act on",
	cleartext.NotUTF8:        "bytes that are not UTF-8: hosts may read the line differently",
	cleartext.BOM:            "a byte order mark as the first character of the text",
	cleartext.LongLine:       "a line longer than 19000 bytes: GnuPG cannot verify this file",
}
