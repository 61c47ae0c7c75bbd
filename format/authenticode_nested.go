package format

import (
	"fmt"

	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/verifier"
)

// Limits of nested signatures: how many a file may carry at all depths together,
// and how deep one may stand inside the other.
const (
	maxNested      = 8
	maxNestedDepth = 4
)

// nestedMessages returns the signatures inside that of s, each before those that
// stand inside it. Nothing covers them: anybody could have put them there. It
// fails if there are more than any signer needs.
func nestedMessages(s *cms.Signer) ([][]byte, error) {
	return appendNested(nil, s, 1)
}

func appendNested(list [][]byte, s *cms.Signer, depth int) ([][]byte, error) {
	for _, a := range s.Unsigned {
		if a.Type != cms.OIDNestedSignature {
			continue
		}
		for _, der := range a.Values {
			if len(list) == maxNested {
				return nil, fmt.Errorf("more than %d nested signatures", maxNested)
			}
			if depth > maxNestedDepth {
				return nil, fmt.Errorf("signatures nested deeper than %d", maxNestedDepth)
			}
			list = append(list, der)
			inner, err := cms.Parse(der)
			if err != nil {
				continue // its own examination says so
			}
			if list, err = appendNested(list, &inner.Signer, depth+1); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// examineNested examines each nested signature for itself, against the text that
// the primary one was held against. What it finds goes into an entry of its own
// and changes nothing about the primary one.
func (x *authenticodeExam) examineNested(messages [][]byte) {
	for i, der := range messages {
		n := newAuthenticodeExam(x.style, x.data, x.now, x.trust)
		n.codePage = x.codePage
		n.signature.Nested = true
		n.script, n.layoutErr, n.primary = x.script, x.layoutErr, x
		for _, c := range x.signature.Checks {
			switch c.ID {
			case verifier.CheckLayout, verifier.CheckLineEnds, verifier.CheckEncoding:
				n.record(c) // facts of the file
			default:
			}
		}
		n.examineMessage(der)
		x.nested = append(x.nested, n.signature)
		for _, f := range n.findings {
			f.Detail = fmt.Sprintf("nested signature %d: %s", i+1, f.Detail)
			x.findings = append(x.findings, f)
		}
	}
}

// checkNestedContent compares the signed digest with the text that the primary
// signature fits, or else with the script as it is. Repairs are not tried again:
// that would multiply the work with the number of signatures.
func (x *authenticodeExam) checkNestedContent(sd *cms.SignedData, content *cms.IndirectData) {
	digest, known := cms.DigestOf(content.Digest)
	if !known {
		return
	}
	x.signature.Digest = digest.Name
	text := x.script
	if x.primary.fits != nil {
		text = x.primary.fits
	}
	if _, ok := x.matchContent(text, digest, content.Sum); !ok {
		x.failed(verifier.CheckContentDigest, "the content is not what this signature covers")
		return
	}
	x.passed(verifier.CheckContentDigest, "%s of the content", digest.Name)
	x.bindMessageDigest(sd)
}
