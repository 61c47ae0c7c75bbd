package format

import (
	"bytes"
	"errors"

	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/verifier"
)

// Finding codes of what happens to a file after signing and can be undone.
const (
	codeLineEnds  = "line-ends"
	codeAddedMark = "added-byte-order-mark"
)

const keepLineEnds = "; then keep git from converting them again: \"*.ps1 -text\", and so for each type, in .gitattributes"

// checkContent compares the file with the signed digest, under each reading that
// the bytes allow, and finds out what happened to them where it does not fit.
func (x *authenticodeExam) checkContent(sd *cms.SignedData, content *cms.IndirectData) {
	text := authscript.CheckText(x.style, x.data)
	digest, known := cms.DigestOf(content.Digest)
	if !known {
		x.recordEncoding(text, "")
		return
	}
	x.signature.Digest = digest.Name
	if x.layoutErr == nil {
		if reading, ok := x.matchContent(x.script, digest, content.Sum); ok {
			x.fits = x.script
			x.passed(verifier.CheckLineEnds, "as they were signed")
			x.passed(verifier.CheckContentDigest, "%s of the content", digest.Name)
			x.recordEncoding(text, x.readingWords(reading))
			x.bindMessageDigest(sd)
			return
		}
	}
	if r, reading, ok := x.matchRepair(digest, content.Sum); ok {
		x.recordRepair(r, reading, text)
		x.bindMessageDigest(sd)
		return
	}
	x.recordEncoding(text, x.readingWords(authscript.Undecodable))
	if x.layoutErr != nil {
		x.reportLayout()
	} else {
		x.passed(verifier.CheckLineEnds, "converting them does not give what was signed")
	}
	// A block that is intact but for the CRLF before it has lost its place, and
	// with it what its content is.
	if x.layoutErr == nil || x.layoutErr.Code != authscript.CodeNotPreceded {
		x.failed(verifier.CheckContentDigest, "the content is not what was signed")
	}
}

func (x *authenticodeExam) matchRepair(d cms.Digest, sum []byte) (authscript.Repair, authscript.Encoding, bool) {
	for r := range authscript.Repairs(x.style, x.data) {
		s, err := authscript.Parse(x.style, r.Data)
		if err != nil || !bytes.Equal(s.Block, x.script.Block) {
			continue
		}
		if reading, ok := x.matchContent(s, d, sum); ok {
			x.fits = s
			return r, reading, true
		}
	}
	return authscript.Repair{}, authscript.Undecodable, false
}

// recordRepair: what was signed is in the file, which has other line ends, or
// something behind the block. Its encoding matters only after the repair, so an
// ambiguous one is said, not judged.
func (x *authenticodeExam) recordRepair(r authscript.Repair, reading authscript.Encoding, text *authscript.TextError) {
	x.passed(verifier.CheckContentDigest, "the content is the signed one: %s", r.How)
	x.passed(verifier.CheckLineEnds, "as they were signed")
	switch {
	case r.LineEnds:
		x.failed(verifier.CheckLineEnds, "line ends were converted after signing; to restore them: %s", r.How)
		x.find(codeLineEnds, 0, "line ends were converted after signing, as git does", r.How+keepLineEnds)
	case r.Mark:
		x.failed(verifier.CheckLineEnds, "a byte-order mark was put before the text after signing; to restore the file: %s", r.How)
		x.find(codeAddedMark, 1, "a byte-order mark was put before the text after signing, as editors do", r.How)
	}
	x.repair = r
	switch {
	case x.layoutErr != nil && r.Cut:
		x.reportLayout()
	case x.layoutErr != nil: // the repair mends that too
		x.find(x.layoutErr.Code, x.layoutErr.Line, x.layoutErr.Msg, "")
	}
	if !r.Cut {
		x.passed(verifier.CheckLayout, "well made once the file is restored")
	}
	if text == nil {
		x.passed(verifier.CheckEncoding, "%s", reading)
		return
	}
	x.recordEncoding(text, x.readingWords(reading))
	if text.Code == authscript.CodeAmbiguous {
		x.record(verifier.Check{ID: verifier.CheckEncoding, Status: verifier.StatusUnknown,
			Detail: "to be judged after the repair; " + x.readingWords(reading)})
	}
}

// recordEncoding takes over what CheckText said; words say what the digest tells
// about it, or nothing.
func (x *authenticodeExam) recordEncoding(text *authscript.TextError, words string) {
	if text == nil {
		x.passed(verifier.CheckEncoding, "%s", authscript.Detect(x.data))
		return
	}
	detail := text.Msg
	if words != "" {
		detail += "; " + words
	}
	x.failed(verifier.CheckEncoding, "line %d: %s", text.Line, detail)
	x.find(text.Code, text.Line, detail, textFix(x.style, text)+", and sign it again")
}

// textFix says what to do about text that is not the same everywhere.
func textFix(style *authscript.Style, text *authscript.TextError) string {
	switch {
	case text.Code == authscript.CodeNUL:
		return "take the NUL out"
	case style.NoMark:
		return "save the script as UTF-16 little endian with a byte-order mark"
	default:
		return "save the script as UTF-8 with a byte-order mark"
	}
}

// bindMessageDigest: the file's digest counts only if the signed attributes bind
// it in turn.
func (x *authenticodeExam) bindMessageDigest(sd *cms.SignedData) {
	if err := sd.CheckMessageDigest(); err != nil {
		x.failed(verifier.CheckContentDigest, "%v", err)
		if errors.Is(err, cms.ErrDigest) {
			x.find("content-swapped", 0, "the signed attributes belong to other content", "")
		}
	}
}
