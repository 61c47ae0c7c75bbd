package format

import (
	"fmt"

	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/verifier"
)

// codeStale is the finding code of a signature that is real and of other content.
const codeStale = "stale-signature"

// findStale explains a real signature of other content, as far as a digest can.
func (x *authenticodeExam) findStale(sd *cms.SignedData, content *cms.IndirectData) {
	digest, known := cms.DigestOf(content.Digest)
	if !known || !x.has(verifier.CheckContentDigest, verifier.StatusFailed) || !x.has(verifier.CheckSignature, verifier.StatusPassed) ||
		sd.CheckMessageDigest() != nil {
		return
	}
	for e := range x.script.Edits() {
		if _, ok := x.matchContent(e.Script, digest, content.Sum); ok {
			x.find(codeStale, 0, "edited after it was signed, and only blanks, line ends or the byte-order mark changed: it fits "+e.What,
				"undo that, or sign the script again")
			return
		}
	}
	x.find(codeStale, 0, "edited after it was signed, or the block is of another script; "+
		"how many bytes differ cannot be known, but it is more than blanks behind the text, line ends or a byte-order mark",
		"have the change reviewed and sign the script again, or get the signed one")
}

// hiddenFindings say where a text may read otherwise than it runs. They change no
// verdict: the signature covers these characters.
func hiddenFindings(data []byte, e authscript.Encoding) []verifier.Finding {
	var findings []verifier.Finding
	for _, h := range authscript.HiddenCharacters(data, e) {
		what := hiddenNotes[h.Code]
		if h.Count > 1 {
			what += fmt.Sprintf("; %d of them, the first is %U", h.Count, h.First)
		} else {
			what += fmt.Sprintf("; it is %U", h.First)
		}
		findings = append(findings, verifier.Finding{Code: h.Code, Line: h.Line, Detail: what})
	}
	return findings
}

var hiddenNotes = map[string]string{
	authscript.CodeBidi:          "a character that changes the direction of the text: it reads otherwise than it runs",
	authscript.CodeZeroWidth:     "a character that prints as nothing: two names that look the same differ",
	authscript.CodeLineSeparator: "a Unicode line separator, which some programs take for a line end",
	authscript.CodeLoneCR:        "a carriage return by itself: a line end to the interpreter, and not to every editor",
}
