package format

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/verifier"
)

// checkDeny asks the deny lists about the signed content, the signer and every
// authority of the chain. The content is asked for beside the file, whose digest
// changes with each unsigned attribute, and by every digest, whichever it was
// signed with.
func (x *authenticodeExam) checkDeny(sd *cms.SignedData, content *cms.IndirectData, leaf *x509.Certificate, chain []*x509.Certificate) {
	if !x.has(verifier.CheckSignature, verifier.StatusPassed) {
		return
	}
	var ids []string
	signed := "signed digest " + hex.EncodeToString(content.Sum)
	if d, known := cms.DigestOf(content.Digest); known {
		signed = "signed digest " + d.Name + ":" + hex.EncodeToString(content.Sum)
		ids = append(ids, d.Name+":"+hex.EncodeToString(content.Sum))
	}
	ids = append(ids, x.contentIDs()...)
	if deniesCertificates(x.trust.lists) {
		named := append([]*x509.Certificate{leaf}, chain...)
		for _, c := range chain {
			named = append(named, siblings(c, sd.Certificates)...)
			named = append(named, siblings(c, x.trust.vouchers[string(c.RawSubject)])...)
		}
		ids = append(ids, deniableIDs(named)...)
	}
	if denial, hit := x.trust.lists.Denied(ids...); hit {
		x.failed(verifier.CheckDeny, "%s", denial)
		return
	}
	x.passed(verifier.CheckDeny, "no deny list names the content (%s), the signer or its authorities", signed)
}

// contentIDs are the digests that a signature of the content could have, those
// that some deny list has an entry of: what was denied under one signature must not
// come back under another digest, or under a catalog. Text that can be read in
// more than one way has none, and is never valid.
func (x *authenticodeExam) contentIDs() []string {
	text := x.fits
	switch {
	case x.catalog != nil:
		text, _ = authscript.New(x.style, x.data) // with the place where a block would stand
	case x.primary != nil:
		text = x.primary.fits
	}
	if text == nil || !text.Encoding.Plain() {
		return nil
	}
	var ids []string
	for _, d := range []cms.Digest{{Name: "sha256", Hash: crypto.SHA256}, {Name: "sha384", Hash: crypto.SHA384}, {Name: "sha512", Hash: crypto.SHA512}} {
		if !x.trust.lists.Denies(d.Name) {
			continue
		}
		h := d.Hash.New()
		if text.WriteSigned(h, text.Encoding) == nil {
			ids = append(ids, d.Name+":"+hex.EncodeToString(h.Sum(nil)))
		}
	}
	return ids
}

// siblings are the certificates of list that say of another issuer what c says:
// one name, one key. A signer chooses which of them to send along, so a denial of
// one is a denial of each.
func siblings(c *x509.Certificate, list []*x509.Certificate) []*x509.Certificate {
	var found []*x509.Certificate
	for _, o := range list {
		if bytes.Equal(o.RawSubject, c.RawSubject) && bytes.Equal(o.RawSubjectPublicKeyInfo, c.RawSubjectPublicKeyInfo) && !bytes.Equal(o.Raw, c.Raw) {
			found = append(found, o)
		}
	}
	return found
}

// deniesCertificates reports whether any deny list has an entry of the kinds that
// deniableIDs makes.
func deniesCertificates(lists *verifier.TrustStore) bool {
	return lists.Denies("x509-sha256") || lists.Denies("x509-spki") || lists.Denies("x509-serial")
}

// deniableIDs are all names under which a deny list may know certificates.
func deniableIDs(list []*x509.Certificate) []string {
	var ids []string
	for _, c := range list {
		ids = append(ids, certificateIDs(c)...)
		for _, twin := range twins(c) {
			ids = append(ids, "x509-sha256:"+sha256Of(twin))
		}
		// Two ways to write one name: a deny list had better take either.
		ids = append(ids, verifier.DenySerial(c.Issuer.String(), c.SerialNumber), verifier.DenySerial(exactName(c.RawIssuer), c.SerialNumber))
	}
	return ids
}

// twins are the certificate as anybody can write it, who needs no key for that:
// for each ECDSA signature (r, s) there is (r, n-s), which verifies just as well
// and gives the certificate another digest. Which curve its issuer has does not
// matter: a wrong guess is a digest that nobody has denied.
func twins(c *x509.Certificate) [][]byte {
	var outer struct {
		TBS, Algorithm asn1.RawValue
		Value          asn1.BitString
	}
	var value struct{ R, S *big.Int }
	switch c.SignatureAlgorithm {
	case x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.ECDSAWithSHA1:
	default:
		return nil
	}
	if _, err := asn1.Unmarshal(c.Raw, &outer); err != nil {
		return nil
	}
	if _, err := asn1.Unmarshal(c.Signature, &value); err != nil {
		return nil
	}
	var list [][]byte
	for _, curve := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		other := value
		other.S = new(big.Int).Sub(curve.Params().N, value.S)
		sum, err := asn1.Marshal(other)
		if err != nil || other.S.Sign() <= 0 {
			continue
		}
		outer.Value = asn1.BitString{Bytes: sum, BitLength: 8 * len(sum)}
		if raw, err := asn1.Marshal(outer); err == nil {
			list = append(list, raw)
		}
	}
	return list
}

func sha256Of(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
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
