package format

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/verifier"
)

// authenticodeChecks are the checks that a valid signature has passed, each of
// them. They begin as not checked, so that one that is never reached is a no.
var authenticodeChecks = []verifier.CheckID{
	verifier.CheckLayout, verifier.CheckLineEnds, verifier.CheckEncoding,
	verifier.CheckStructure, verifier.CheckSupported, verifier.CheckAlgorithms,
	verifier.CheckContentDigest, verifier.CheckSignature, verifier.CheckSecondOpinion,
	verifier.CheckTrust, verifier.CheckValidity, verifier.CheckKeyUsage,
	verifier.CheckRevocation, verifier.CheckDeny,
}

// authenticodeExam is the examination of one file that is of this format.
type authenticodeExam struct {
	style *authscript.Style
	// codePage is another ANSI code page to try; zero for none.
	codePage int
	data     []byte
	now      time.Time
	// at is the time that the signer and the chain are judged at: that of a
	// timestamp that can be relied on, else now.
	at    time.Time
	trust *authenticodeTrust
	// anchors are those of the store that counts: the first that trusts the
	// signer, or that comes closest.
	anchors *authenticodeAnchors

	verdict   verifier.Verdict // on the container
	signature verifier.Signature
	findings  []verifier.Finding
	script    *authscript.Script
	layoutErr *authscript.LayoutError // why data is not well made, where script is of a repaired file
	repair    authscript.Repair       // what gives the signed bytes back; zero for none
	// vouched are certificates in the signature that belong to its timestamp.
	vouched []*x509.Certificate
	// chainAgreed says that the second opinion on the chain is known already.
	chainAgreed bool

	fits    *authscript.Script   // the text under which the signed digest fits
	nested  []verifier.Signature // those inside this one
	primary *authenticodeExam    // the outermost signature; nil if this is it
	catalog *catalog             // where the signature stands; nil for the file itself
}

func newAuthenticodeExam(style *authscript.Style, data []byte, now time.Time, trust *authenticodeTrust) *authenticodeExam {
	x := &authenticodeExam{
		style: style, data: data, now: now, at: now, trust: trust, anchors: trust.stores[0], verdict: verifier.Valid,
		signature: verifier.Signature{
			Format:         authenticodeName,
			Signer:         verifier.Identity{IDs: []string{}},
			SignedAtSource: verifier.TimeNone,
		},
	}
	for _, id := range authenticodeChecks {
		x.signature.Checks = append(x.signature.Checks, verifier.Check{ID: id, Detail: "not reached"})
	}
	return x
}

func (x *authenticodeExam) outcome() verifier.Outcome {
	o := verifier.Outcome{Claimed: true, Verdict: x.verdict, Payload: x.data}
	o.Findings = append(x.findings, hiddenFindings(x.data, x.encoding())...)
	if x.repairable() {
		o.Repair = x.repair.How
	}
	if x.verdict != verifier.Unsigned {
		o.Signatures = append([]verifier.Signature{x.signature}, x.nested...)
	}
	return o
}

// encoding is that of the file, which a script that was parsed knows already.
func (x *authenticodeExam) encoding() authscript.Encoding {
	if x.script != nil && x.layoutErr == nil {
		return x.script.Encoding
	}
	return authscript.Detect(x.data)
}

// record puts a check's result into its place.
func (x *authenticodeExam) record(c verifier.Check) {
	for i := range x.signature.Checks {
		if x.signature.Checks[i].ID == c.ID {
			x.signature.Checks[i] = c
		}
	}
}

func (x *authenticodeExam) passed(id verifier.CheckID, format string, args ...any) {
	x.record(verifier.Passed(id, format, args...))
}

func (x *authenticodeExam) failed(id verifier.CheckID, format string, args ...any) {
	x.record(verifier.Failed(id, format, args...))
}

func (x *authenticodeExam) has(id verifier.CheckID, s verifier.Status) bool {
	for _, c := range x.signature.Checks {
		if c.ID == id {
			return c.Status == s
		}
	}
	return false
}

func (x *authenticodeExam) find(code string, line int, detail, fix string) {
	x.findings = append(x.findings, verifier.Finding{Code: code, Line: line, Detail: detail, Fix: fix})
}

// examine goes from the outside to the inside, and as far as it can, so that
// the report says all that can be said. parseErr is what authscript made of the
// file.
func (x *authenticodeExam) examine(script *authscript.Script, parseErr error) {
	if x.script = script; parseErr != nil && !x.openBroken(parseErr) {
		return
	}
	if parseErr == nil {
		x.passed(verifier.CheckLayout, "one block in its place, as Windows writes it")
	}
	x.examineMessage(x.script.Block)
}

// examineMessage looks at the signature itself, a CMS message.
func (x *authenticodeExam) examineMessage(der []byte) {
	sd, err := cms.Parse(der)
	if err != nil {
		x.structureFailed(err)
		return
	}
	content, err := sd.ParseIndirectData()
	if err != nil {
		x.structureFailed(err)
		return
	}
	if string(content.SIP[:]) != x.style.GUID || content.Version != x.style.Version {
		x.structureFailed(fmt.Errorf("the signature was made for another type of file than a %s, which this is by its name", x.style.Noun))
		return
	}
	x.examineSigner(der, sd, content, "content of a "+x.style.Noun, func() {
		if x.primary == nil {
			x.checkContent(sd, content)
		} else {
			x.checkNestedContent(sd, content)
		}
	})
}

// examineSigner looks at who signed content. what says of which kind that is, and
// checkContent holds it against the file.
func (x *authenticodeExam) examineSigner(der []byte, sd *cms.SignedData, content *cms.IndirectData, what string, checkContent func()) {
	leaf, err := sd.SignerCertificate()
	if err != nil {
		x.structureFailed(err)
		return
	}
	if err := x.listAttributes(&sd.Signer); err != nil {
		x.structureFailed(err)
		return
	}
	var nested [][]byte
	if x.primary == nil && x.catalog == nil {
		if nested, err = nestedMessages(&sd.Signer); err != nil {
			x.structureFailed(err)
			return
		}
	}
	x.passed(verifier.CheckStructure, "one signer, signed attributes, %s", what)
	x.describeSigner(sd, leaf)
	x.checkAlgorithms(sd, leaf)
	checkContent()
	x.checkSignature(sd, leaf)
	if x.primary == nil && x.catalog == nil {
		x.findStale(sd, content)
	}
	x.checkTime(sd, leaf)
	chain := x.checkChain(sd, leaf)
	if x.at.Equal(x.now) { // else as of a timestamp, and so for ever
		x.signature.Ends = endOf(chain)
	}
	x.checkDeny(sd, content, leaf, chain)
	x.checkClaimedTime(sd, leaf)
	x.checkSecondOpinion(der, sd, leaf, chain)
	x.remember(sd, leaf, chain)
	x.examineNested(nested)
}

func (x *authenticodeExam) structureFailed(err error) {
	x.failed(verifier.CheckStructure, "%v", err)
	code := cms.CodeStructure
	var ce *cms.Error
	if errors.As(err, &ce) {
		code = ce.Code
	}
	x.find(code, 0, err.Error(), "sign the script again")
}

// openBroken deals with a file that is not well made. It reports whether a
// repair of its line ends gives a script to go on with; whether that is the
// script that was signed, only the digest can tell.
func (x *authenticodeExam) openBroken(err error) bool {
	var te *authscript.TextError
	if errors.As(err, &te) {
		x.failed(verifier.CheckSupported, "%v", te)
		x.find(te.Code, te.Line, te.Msg, textFix(x.style, te)+", and sign it again")
		return false
	}
	if !errors.As(err, &x.layoutErr) {
		x.failed(verifier.CheckLayout, "%v", err)
		return false
	}
	if x.layoutErr.Code == authscript.CodeEmptyBlock {
		x.verdict = verifier.Unsigned
		x.reportLayout()
		return false
	}
	var restored *authscript.LayoutError // what is wrong beside the line ends
	for r := range authscript.Repairs(x.style, x.data) {
		s, err := authscript.Parse(x.style, r.Data)
		if err == nil {
			x.script = s
			break
		}
		if !r.Cut && restored == nil {
			_ = errors.As(err, &restored) // the first, which is the likeliest, counts
		}
	}
	if restored != nil && x.layoutErr.Code == authscript.CodeLayout {
		x.layoutErr = restored
	}
	if x.script == nil {
		x.reportLayout()
	}
	return x.script != nil
}

func (x *authenticodeExam) reportLayout() {
	x.failed(verifier.CheckLayout, "%v", x.layoutErr)
	x.find(x.layoutErr.Code, x.layoutErr.Line, x.layoutErr.Msg, layoutFix(x.layoutErr.Code))
}

func layoutFix(code string) string {
	switch code {
	case authscript.CodeTrailing:
		return "if nobody should have added to the file, get the original; else remove the block and sign again"
	case authscript.CodeLookAlike, authscript.CodeTwoBlocks:
		return "remove the lines that look like a signature block, and sign again"
	case authscript.CodeEmptyBlock:
		return "sign the script"
	default:
		return "remove the block and sign again"
	}
}

// maxUnknownAttributes is how many bytes of unsigned attributes of unknown types
// a signature may carry: they are covered by nothing.
const maxUnknownAttributes = 4 << 10

// listAttributes reports what a signature carries beside what it needs. None of
// it lends any trust.
func (x *authenticodeExam) listAttributes(s *cms.Signer) error {
	for _, a := range s.Signed {
		switch a.Type {
		case cms.OIDContentType, cms.OIDMessageDigest, cms.OIDSigningTime, cms.OIDOpusInfo, cms.OIDStatementType:
		default:
			x.find("signed-attribute", 0, fmt.Sprintf("signed attribute %s is not known and not evaluated", a.Type), "")
		}
	}
	unknown := 0
	for _, a := range s.Unsigned {
		switch a.Type {
		case cms.OIDTimestamp, cms.OIDCountersign: // checkTime
		case cms.OIDNestedSignature:
			x.find("nested-signature", 0, "a nested signature, which this one does not cover: it lends no trust", "")
		default:
			unknown += a.Size
			x.find("unsigned-attribute", 0, fmt.Sprintf("unsigned attribute %s of %d bytes, which the signature does not cover", a.Type, a.Size), "")
		}
	}
	if unknown > maxUnknownAttributes {
		return fmt.Errorf("unsigned attributes of unknown types with %d bytes, the limit is %d", unknown, maxUnknownAttributes)
	}
	return nil
}
