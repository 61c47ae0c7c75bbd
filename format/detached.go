package format

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// Detached is the format of OpenPGP signatures in a file of their own beside the
// runbook, NAME.sig or NAME.asc. It only verifies. The payload is the runbook's
// exact bytes. docs/formats/detached.md describes what is refused.
type Detached struct{}

// NewDetached returns the format.
func NewDetached() *Detached { return &Detached{} }

// Name is "detached".
func (*Detached) Name() string { return detachedName }

const detachedName = "detached"

// Load reads the certificates of the trust store, as Clearsign.Load does.
func (*Detached) Load(t *verifier.TrustStore) (verifier.Checker, error) {
	judge, err := loadOpenPGP(detachedName, t)
	if err != nil {
		return nil, err
	}
	return &detachedChecker{judge}, nil
}

// detachedChecker verifies runbooks with sidecars. It is safe for several
// goroutines.
type detachedChecker struct{ openpgpJudge }

// Check looks at the sidecars that were read with the runbook. All of them are
// judged: none hides another.
func (c *detachedChecker) Check(_ context.Context, rb *runbook.Runbook, now time.Time) (out verifier.Outcome) {
	sidecars := slices.DeleteFunc(rb.Sidecars(), runbook.Sidecar.IsBundle)
	if len(sidecars) == 0 {
		return verifier.Outcome{}
	}
	out = verifier.Outcome{
		Claimed: true, Beside: true, SideBySide: true, Verdict: verifier.Valid, PayloadDigest: rb.Digest,
	}
	var parsed []*parsedSignature
	var from []string // the sidecar of each
	for _, s := range sidecars {
		signatures, verdict, problem := readSidecar(s)
		if problem.Code == "" && len(parsed)+len(signatures) > maxOpenPGPSignatures {
			verdict, problem = verifier.Malformed, tooManySignatures()
		}
		if problem.Code != "" {
			problem.Detail = fmt.Sprintf("in %s beside the file: %s", s.Name, problem.Detail)
			out.Findings = append(out.Findings, problem)
			out.Verdict = verifier.Worst(out.Verdict, verdict)
			continue
		}
		for _, p := range signatures {
			parsed, from = append(parsed, p), append(from, s.Name)
		}
	}
	rb.View(func(data []byte) {
		out.Payload = data
		c.hash(func(w io.Writer) error { _, err := w.Write(data); return err }, parsed)
		out.Findings = append(out.Findings, besideFindings(rb.Name(), data)...)
	})
	on := c.subject(rb)
	on.form = func(s *pgpcert.Signature) []verifier.Check { return detachedRule(s, now) }
	signatures, findings := judgeOne(c.overBytes).all(parsed, on, now)
	for i := range signatures {
		signatures[i].Sidecar = from[i]
	}
	out.Signatures = signatures
	out.Findings = append(out.Findings, findings...)
	return refuseStatement(rb, refuseManifest(out))
}

// readSidecar takes a sidecar apart: armor or bare packets, and nothing but
// signatures. A sidecar without one is malformed: somebody meant to sign.
func readSidecar(s runbook.Sidecar) ([]*parsedSignature, verifier.Verdict, verifier.Finding) {
	const fix = "make the signature again, or remove the file if it is none"
	bad := func(code string, line int, detail string) ([]*parsedSignature, verifier.Verdict, verifier.Finding) {
		return nil, verifier.Malformed, verifier.Finding{Code: code, Line: line, Detail: detail, Fix: fix}
	}
	packets := s.Data
	switch {
	case s.Refused != "":
		return bad("sidecar-refused", 0, s.Refused)
	case len(packets) == 0:
		return bad("empty-file", 0, "the file is empty")
	case packets[0]&0x80 == 0:
		var err error
		if packets, err = cleartext.ParseSignatureFile(s.Data); err != nil {
			var syntax *cleartext.SyntaxError
			if errors.As(err, &syntax) {
				return bad(string(syntax.Code), syntax.Line, syntax.Detail)
			}
			return bad(string(cleartext.BadArmor), 0, err.Error())
		}
	case len(packets) > cleartext.MaxSignature:
		return bad(string(cleartext.TooLarge), 0, "more bytes than signatures may have")
	}
	parsed, verdict, problem := readSignatures(packets)
	if problem.Code != "" {
		return nil, verifier.Worst(verdict, verifier.Malformed), problem
	}
	return parsed, verifier.Valid, verifier.Finding{}
}

// overBytes judges a signature over bytes. One of another type covers something
// else than the file: its value is not looked at, so that nobody takes the file
// for changed.
func (c *detachedChecker) overBytes(p *parsedSignature, on openpgpSubject, now time.Time) (verifier.Signature, []verifier.Finding) {
	if p.err != nil || p.Type == pgpcert.TypeBinary {
		return c.judge(p, on, now)
	}
	const unread = "not checked: the signature is not over the bytes of the file"
	out := verifier.Signature{Format: detachedName, SignedAtSource: verifier.TimeNone}
	out.Signer.KeyID = p.Issuer()
	out.Checks = append(on.form(p.Signature),
		verifier.Failed(verifier.CheckKeyUsage, "the signature is of type 0x%02x; only 0x00, over the exact bytes, counts here", p.Type),
		verifier.Check{ID: verifier.CheckContentDigest, Status: verifier.StatusUnknown, Detail: unread},
		verifier.Check{ID: verifier.CheckSignature, Status: verifier.StatusUnknown, Detail: unread})
	return out, []verifier.Finding{{
		Code:   "not-over-bytes",
		Detail: "a signature over text or over something else leaves the line ends, or all of the file, to whoever passes it on",
		Fix:    "sign with: gpg --detach-sign, without --textmode",
	}}
}

// detachedRule is what is demanded of the form of a detached signature.
func detachedRule(s *pgpcert.Signature, now time.Time) []verifier.Check {
	var checks []verifier.Check
	if msg := s.JudgeForm(); msg != "" {
		checks = append(checks, verifier.Failed(verifier.CheckStructure, "%s", msg))
	}
	if s.WeakHash(now) {
		checks = append(checks, verifier.Failed(verifier.CheckAlgorithms, "the digest is %s", s.HashName()))
	}
	return checks
}

// besideFindings is what is worth saying about a file with a signature beside
// it: hidden characters, unless the other format looks for them, and that Windows
// looks for its own signature only.
func besideFindings(name string, data []byte) []verifier.Finding {
	if CarriesAuthenticode(name) {
		return []verifier.Finding{{
			Code:   "not-for-windows",
			Detail: "the signature beside the file is OpenPGP: PowerShell and Windows take this file for unsigned",
		}}
	}
	return plainFindings(data)
}

// plainFindings is what is worth saying about a text that no other format reads.
func plainFindings(data []byte) []verifier.Finding {
	findings := hiddenFindings(data, authscript.Detect(data))
	if !utf8.Valid(data) {
		findings = append(findings, verifier.Finding{Code: string(cleartext.NotUTF8), Detail: textNotes[cleartext.NotUTF8]})
	}
	return findings
}
