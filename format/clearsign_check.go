package format

import (
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// maxClearsignSignatures is the largest number of signatures on one document.
const maxClearsignSignatures = 8

// examine tells a document from a file that only looks like one.
func (c *clearsignChecker) examine(name string, data []byte, now time.Time) verifier.Outcome {
	switch place, line := cleartext.Locate(data); place {
	case cleartext.AtStart:
		return c.document(data, now)
	case cleartext.Elsewhere:
		return refuse(verifier.Malformed, misplaced(data, line))
	default:
		return otherOpenPGP(name, data)
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
func (c *clearsignChecker) document(data []byte, now time.Time) verifier.Outcome {
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
	if !doc.Canonical() {
		out.Verdict = verifier.Noncanonical
	}
	c.hash(doc, parsed)
	for _, p := range parsed {
		s, findings := c.judge(p, doc, now)
		out.Signatures = append(out.Signatures, s)
		out.Findings = append(out.Findings, findings...)
	}
	return out
}

// parsedSignature is one signature packet on its way through the checks.
type parsedSignature struct {
	*pgpcert.Signature
	err        error // the packet is not well made
	candidates []*pgpcert.Key
	digest     hash.Hash // of the text; nil if nobody needs it
}

// readSignatures takes the signature packets apart. Nothing but signatures may
// be among them.
func readSignatures(data []byte) ([]*parsedSignature, verifier.Verdict, verifier.Finding) {
	var parsed []*parsedSignature
	for len(data) > 0 {
		p, rest, err := pgpcert.NextPacket(data)
		switch {
		case err != nil:
			return nil, verifier.Malformed, verifier.Finding{Code: "bad-packet", Detail: "the signature block holds bytes that are no OpenPGP packet"}
		case p.Tag != pgpcert.TagSignature:
			return nil, verifier.Malformed, verifier.Finding{
				Code:   "foreign-packet",
				Detail: fmt.Sprintf("the signature block holds a packet of type %d; only signatures belong there", p.Tag),
			}
		case len(parsed) == maxClearsignSignatures:
			return nil, verifier.Malformed, verifier.Finding{
				Code:   "too-many-signatures",
				Detail: fmt.Sprintf("more than %d signatures", maxClearsignSignatures),
			}
		}
		s, err := pgpcert.ParseSignature(p.Body)
		parsed = append(parsed, &parsedSignature{Signature: s, err: err})
		data = rest
	}
	if len(parsed) == 0 {
		return nil, verifier.Unsigned, verifier.Finding{Code: "no-signature", Detail: "the signature block is empty"}
	}
	return parsed, verifier.Valid, verifier.Finding{}
}

// hash runs the text once through every hash that a signature by a known key
// needs. Version 4 signatures with the same function share one.
func (c *clearsignChecker) hash(doc *cleartext.Document, parsed []*parsedSignature) {
	shared := map[byte]hash.Hash{}
	var all []io.Writer
	for _, p := range parsed {
		if p.err != nil {
			continue
		}
		p.candidates = c.ring.Candidates(p.Signature)
		if len(p.candidates) == 0 {
			continue
		}
		if h, again := shared[p.HashID]; again && !p.Salted() {
			p.digest = h
			continue
		}
		h, err := p.NewHash()
		if err != nil {
			continue // it cannot be checked, and its checks say so
		}
		if !p.Salted() {
			shared[p.HashID] = h
		}
		p.digest = h
		all = append(all, h)
	}
	if len(all) > 0 {
		_ = doc.WriteHashed(io.MultiWriter(all...)) // a hash does not fail
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
