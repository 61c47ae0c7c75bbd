package format

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"go.mozilla.org/pkcs7"

	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/verifier"
)

// describeSigner says whom the signature names. The IDs, by which a policy knows
// a signer, come only with a signature value that verifies.
func (x *authenticodeExam) describeSigner(sd *cms.SignedData, leaf *x509.Certificate) {
	x.signature.Signer = verifier.Identity{
		IDs:       []string{},
		Display:   leaf.Subject.String(),
		Issuer:    leaf.Issuer.String(),
		KeyID:     hex.EncodeToString(leaf.SerialNumber.Bytes()),
		Algorithm: keyAlgorithm(leaf),
		NotAfter:  leaf.NotAfter.UTC(),
	}
	if !sd.Signer.SigningTime.IsZero() {
		x.signature.SignedAt = sd.Signer.SigningTime
		x.signature.SignedAtSource = verifier.TimeClaimed
	}
}

// keyAlgorithm is a word such as "rsa3072" or "ecdsa-p256".
func keyAlgorithm(c *x509.Certificate) string {
	return cmp.Or(cms.KeyAlgorithm(c.PublicKey), strings.ToLower(c.PublicKeyAlgorithm.String()))
}

func (x *authenticodeExam) checkAlgorithms(sd *cms.SignedData, leaf *x509.Certificate) {
	if err := sd.CheckSupported(leaf); err != nil {
		x.failed(verifier.CheckSupported, "%v", err)
		return
	}
	for _, c := range sd.Certificates {
		if cms.Oversized(c.PublicKey) {
			x.failed(verifier.CheckSupported, "a certificate with a key of type %s: too large", keyAlgorithm(c))
			return
		}
	}
	d, _ := cms.DigestOf(sd.Signer.Digest)
	x.passed(verifier.CheckSupported, "%s, %s", x.signature.Signer.Algorithm, d.Name)
	switch {
	case d.Weak:
		x.failed(verifier.CheckAlgorithms, "digest %s: collisions can be made", d.Name)
	case cms.WeakKey(leaf.PublicKey):
		x.failed(verifier.CheckAlgorithms, "key %s: want RSA of %d bits or more", x.signature.Signer.Algorithm, cms.MinRSA)
	default:
		x.passed(verifier.CheckAlgorithms, "%s with %s", x.signature.Signer.Algorithm, d.Name)
	}
}

func (x *authenticodeExam) checkSignature(sd *cms.SignedData, leaf *x509.Certificate) {
	if !x.has(verifier.CheckSupported, verifier.StatusPassed) {
		return
	}
	if err := sd.CheckSignature(leaf); err != nil {
		x.failed(verifier.CheckSignature, "%v", err)
		return
	}
	x.passed(verifier.CheckSignature, "the signature value fits the key of the signer's certificate")
	x.signature.Signer.IDs = certificateIDs(leaf)
}

// checkSecondOpinion asks go.mozilla.org/pkcs7 about the same bytes. It is asked
// only about what the strict layer has accepted: the signature value where that
// was good, the chain where that was good too. Any refusal of it counts.
func (x *authenticodeExam) checkSecondOpinion(der []byte, sd *cms.SignedData, leaf *x509.Certificate, chain []*x509.Certificate) {
	for _, id := range []verifier.CheckID{verifier.CheckContentDigest, verifier.CheckSignature, verifier.CheckAlgorithms} {
		if !x.has(id, verifier.StatusPassed) {
			return
		}
	}
	if !claimsToBeInTime(sd, leaf) {
		return // the library would call that a bad signature
	}
	withChain := chain != nil && x.has(verifier.CheckValidity, verifier.StatusPassed)
	var roots *x509.CertPool
	if withChain && !x.chainAgreed {
		roots = x.anchors.roots
	}
	opinion := func() error { return secondOpinion(der, sd, leaf, chain, roots, x.at) }
	if x.catalog != nil && roots == nil {
		opinion = func() error { return x.catalog.secondOpinion(sd, leaf) } // the same for each file
	}
	if err := opinion(); err != nil {
		x.failed(verifier.CheckSecondOpinion, "go.mozilla.org/pkcs7 disagrees: %v", err)
		return
	}
	what := "signature value"
	if withChain {
		what += " and chain"
	}
	x.passed(verifier.CheckSecondOpinion, "go.mozilla.org/pkcs7 agrees on the %s", what)
}

// secondOpinion judges the chain only with roots. The library knows ECDSA by the
// names that include the digest, not by that of the key; the name is not part of
// what is signed, so it is translated.
func secondOpinion(der []byte, sd *cms.SignedData, leaf *x509.Certificate, chain []*x509.Certificate, roots *x509.CertPool, now time.Time) error {
	p7, err := pkcs7.Parse(der)
	if err != nil {
		return err
	}
	signer := p7.GetOnlySigner()
	if signer == nil || !bytes.Equal(signer.Raw, leaf.Raw) {
		return errors.New("it finds another signer")
	}
	if sd.Signer.Signature.ID == cms.OIDECKey {
		named, ok := map[string]asn1.ObjectIdentifier{
			pkcs7.OIDDigestAlgorithmSHA256.String(): pkcs7.OIDDigestAlgorithmECDSASHA256,
			pkcs7.OIDDigestAlgorithmSHA384.String(): pkcs7.OIDDigestAlgorithmECDSASHA384,
			pkcs7.OIDDigestAlgorithmSHA512.String(): pkcs7.OIDDigestAlgorithmECDSASHA512,
		}[string(sd.Signer.Digest.ID)]
		if !ok {
			return errors.New("no name for ECDSA with this digest")
		}
		p7.Signers[0].DigestEncryptionAlgorithm.Algorithm = named
	}
	// Of the trust store it knows the roots only.
	p7.Certificates = append(p7.Certificates, chain...)
	return p7.VerifyWithChainAtTime(roots, now)
}
