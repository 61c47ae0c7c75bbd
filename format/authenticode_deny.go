package format

import (
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/verifier"
)

// checkDeny asks the deny lists about the signed content, the signer and every
// authority of the chain. The content is asked for beside the file, whose digest
// changes with each unsigned attribute.
func (x *authenticodeExam) checkDeny(content *cms.IndirectData, leaf *x509.Certificate, chain []*x509.Certificate) {
	if !x.has(verifier.CheckSignature, verifier.StatusPassed) {
		return
	}
	var ids []string
	signed := "signed digest " + hex.EncodeToString(content.Sum)
	if d, known := cms.DigestOf(content.Digest); known {
		signed = "signed digest " + d.Name + ":" + hex.EncodeToString(content.Sum)
		ids = append(ids, d.Name+":"+hex.EncodeToString(content.Sum))
	}
	ids = append(ids, deniableIDs(append([]*x509.Certificate{leaf}, chain...))...)
	if denial, hit := x.trust.lists.Denied(ids...); hit {
		x.failed(verifier.CheckDeny, "%s", denial)
		return
	}
	x.passed(verifier.CheckDeny, "no deny list names the content (%s), the signer or its authorities", signed)
}

// deniableIDs are all names under which a deny list may know certificates.
func deniableIDs(list []*x509.Certificate) []string {
	var ids []string
	for _, c := range list {
		ids = append(ids, certificateIDs(c)...)
		// Two ways to write one name: a deny list had better take either.
		ids = append(ids, verifier.DenySerial(c.Issuer.String(), c.SerialNumber), verifier.DenySerial(exactName(c.RawIssuer), c.SerialNumber))
	}
	return ids
}

// withdrawn says why a timestamp authority counts for nothing: it is denied, or
// a certificate of its chain is revoked for the time that it states.
func (t *authenticodeTrust) withdrawn(chain []*x509.Certificate, at, now time.Time) error {
	if denial, hit := t.lists.Denied(deniableIDs(chain)...); hit {
		return errors.New(denial.String())
	}
	for i, cert := range chain[:len(chain)-1] {
		for _, a := range t.ask(cert, chain[i+1], now) {
			if a.why == "" && a.revoked && a.holdsAt(at) {
				return fmt.Errorf("the certificate of %q is revoked: %s (%s)", cert.Subject.String(), a.revocation, a.source)
			}
		}
	}
	return nil
}
