//go:build !nosigstore

package format

import (
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/runwrit/writ/verifier"
)

// byCertificate judges a bundle with a certificate. One trusted root of one store
// has to vouch for all of it: the certificate, that it was logged, the log entry and
// the time; and the same store has to list the identity.
func (x *sigstoreExam) byCertificate() verifier.Signature {
	leaf := x.b.leaf
	x.out.Signer.KeyID = hex.EncodeToString(leaf.SerialNumber.Bytes())
	x.out.Signer.NotAfter = leaf.NotAfter
	x.bySigner(leaf.PublicKey)
	facts, err := readFulcio(leaf)
	if err != nil {
		x.note(verifier.Failed(verifier.CheckSupported, "the certificate cannot be used: %v", err))
		return x.out
	}
	x.out.Sigstore = facts
	x.out.Signer.Display, x.out.Signer.Issuer = facts.SAN, facts.Issuer
	x.note(maySign(leaf))
	var outcomes []verifier.Signature
	for _, store := range x.stores {
		for _, r := range store.roots {
			v := &vouching{sigstoreExam: *x.again(), store: store, root: r}
			outcomes = append(outcomes, v.judge())
		}
	}
	if len(outcomes) == 0 {
		return x.with(verifier.Failed(verifier.CheckTrust, "no store has a trusted root (sigstore/trusted_root.json), so nobody vouches for the certificate"))
	}
	return best(outcomes)
}

// maySign holds for a certificate for signing code.
func maySign(leaf *x509.Certificate) verifier.Check {
	if !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageCodeSigning) || leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return verifier.Failed(verifier.CheckKeyUsage, "the certificate is not one for signing code")
	}
	return verifier.Passed(verifier.CheckKeyUsage, "the certificate is one for signing code")
}

// vouching is the examination of a bundle by one trusted root.
type vouching struct {
	sigstoreExam
	store *sigstoreStore
	root  sigstoreRoot
}

// evidence is what a trusted root makes of a bundle: what is wrong with each part
// of it, and the times that it vouches for.
type evidence struct {
	chain, sct, log, time error
	stamps                []verify.TimestampVerificationResult
}

func (v *vouching) judge() verifier.Signature {
	var e evidence
	result, err := v.verify()
	if err == nil {
		e.stamps = result.VerifiedTimestamps
		e.time = v.inTime(e.stamps)
	} else {
		e = v.gather()
	}
	if e.chain == nil {
		v.identify()
	} else {
		v.note(verifier.Failed(verifier.CheckTrust, "its certificate is by no authority of %s%s: %v", v.root.file, v.store.where(), e.chain))
	}
	v.noteLogs(e)
	if e.time != nil {
		v.note(verifier.Failed(verifier.CheckValidity, "%v", e.time))
	} else {
		v.noteTime(e.stamps)
	}
	v.note(v.denial(v.deniable(e.stamps)...))
	if v.failed {
		return v.out
	}
	v.out.TrustStore = v.store.name
	return v.with(libraryOpinion(err))
}

// verify is the library's verification, of everything but the identity.
func (v *vouching) verify() (*verify.VerificationResult, error) {
	if v.failed {
		return nil, errors.New("it was not asked") // a failure is known already
	}
	options := []verify.VerifierOption{verify.WithSignedTimestamps(1)}
	if v.logged() {
		options = []verify.VerifierOption{verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1)}
	}
	if !v.store.rules.NoSCT {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	library, err := verify.NewVerifier(v.root, options...)
	if err != nil {
		return nil, err
	}
	result, err := library.Verify(v.b, v.policy())
	if err != nil {
		return nil, err
	}
	if c := result.Signature.Certificate; c == nil || c.SubjectAlternativeName != v.out.Sigstore.SAN || c.Issuer != v.out.Sigstore.Issuer {
		return nil, errors.New("it reads another signer in the certificate")
	}
	return result, nil
}

// logged says whether a certificate's signature must stand in a transparency log.
func (v *vouching) logged() bool { return v.store.rules.Log != verifier.LogNone }

// gather finds out what the library objects to, part by part.
func (v *vouching) gather() (e evidence) {
	chains, err := v.chainsAt(v.b.leaf.NotBefore)
	if e.chain = err; err == nil && !v.store.rules.NoSCT {
		e.sct = verify.VerifySignedCertificateTimestamp(chains, 1, v.root)
	}
	if v.logged() {
		times, err := verify.VerifyTlogEntry(v.b, v.root, 1, true)
		e.log = err
		for _, t := range times {
			e.stamps = append(e.stamps, verify.TimestampVerificationResult{Type: typeLog, URI: t.URI, Timestamp: t.Time})
		}
	}
	stamps, problems, err := verify.VerifySignedTimestamp(v.b, v.root)
	for _, t := range stamps {
		e.stamps = append(e.stamps, verify.TimestampVerificationResult{Type: "TimestampAuthority", URI: t.URI, Timestamp: t.Time})
	}
	e.time = v.inTime(e.stamps)
	if problem := errors.Join(append(problems, err)...); len(e.stamps) == 0 && problem != nil {
		e.time = fmt.Errorf("%w; of its timestamps: %w", e.time, problem)
	}
	if late := v.integratedOutside(); late != nil && e.log != nil {
		e.log, e.time = nil, late // the library calls that a failure of the log
	}
	return e
}

// chainsAt are the chains of the certificate at a time, to all authorities.
func (v *vouching) chainsAt(t time.Time) (chains [][]*x509.Certificate, err error) {
	leaf := *v.b.leaf // the library changes the certificate, too
	leaf.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(leaf.UnhandledCriticalExtensions), cryptoutils.SANOID.Equal)
	var failures []error
	for _, ca := range v.root.FulcioCertificateAuthorities() {
		found, err := ca.Verify(&leaf, t)
		chains, failures = append(chains, found...), append(failures, err)
	}
	if len(chains) == 0 {
		return nil, errors.Join(failures...)
	}
	return chains, nil
}

// inTime says what is wrong with the times at which the bundle existed: one has to
// be there, and each has to lie in the time of the certificates.
func (v *vouching) inTime(stamps []verify.TimestampVerificationResult) error {
	leaf := v.b.leaf
	if len(stamps) == 0 {
		return fmt.Errorf("nothing of the trusted root says that it was signed before the certificate expired at %s: no log entry with a time, and no timestamp", utc(leaf.NotAfter))
	}
	for _, s := range stamps {
		switch t := s.Timestamp; {
		case t.Before(leaf.NotBefore), t.After(leaf.NotAfter):
			return fmt.Errorf("it was signed at %s, outside the time of the certificate, %s to %s", utc(t), utc(leaf.NotBefore), utc(leaf.NotAfter))
		case t.After(v.now.Add(maxClockSkew)):
			return fmt.Errorf("it was signed at %s, which is in the future", utc(t))
		}
	}
	return nil
}

// integratedOutside is what is wrong with the times that log entries say they were
// made at, signed or not.
func (v *vouching) integratedOutside() error {
	for _, e := range v.b.VerificationMaterial.GetTlogEntries() {
		if t := time.Unix(e.GetIntegratedTime(), 0); e.GetIntegratedTime() != 0 && (t.Before(v.b.leaf.NotBefore) || t.After(v.b.leaf.NotAfter)) {
			return v.inTime([]verify.TimestampVerificationResult{{Timestamp: t}})
		}
	}
	return nil
}

// identify looks the signer up. The certificate is by an authority of the store, so
// the name is more than anybody's word.
func (v *vouching) identify() {
	facts := v.out.Sigstore
	id := "sigstore:" + facts.Issuer + "|" + facts.SAN
	v.out.Signer.IDs = []string{id}
	var names []string
	for _, i := range v.store.identities {
		if i.fits(facts.Issuer, facts.SAN) && !slices.Contains(names, i.name) && len(names) < maxIdentityNames {
			names = append(names, i.name)
			v.out.Signer.IDs = append(v.out.Signer.IDs, kindSigstoreIdentity+":"+i.name)
		}
	}
	if len(names) == 0 {
		v.note(verifier.Failed(verifier.CheckTrust, "%s vouches for %s, whom no entry of sigstore-identities%s lists", v.root.file, id, v.store.where()))
		return
	}
	v.note(verifier.Passed(verifier.CheckTrust, "%s vouches for %s, whom %s lists%s", v.root.file, id, strings.Join(names, ", "), v.store.where()))
}

// maxIdentityNames is how many entries of the list a signer is reported under.
const maxIdentityNames = 8

func (v *vouching) noteLogs(e evidence) {
	if !v.logged() && v.store.rules.NoSCT {
		return // the settings say that nobody looks
	}
	switch {
	case e.log != nil:
		v.note(verifier.Failed(verifier.CheckTransparency, "the signature stands in no log of %s: %v", v.root.file, e.log))
	case e.sct != nil:
		v.note(verifier.Failed(verifier.CheckTransparency, "the certificate stands in no log of %s: %v", v.root.file, e.sct))
	case e.chain != nil && !v.store.rules.NoSCT:
		v.note(verifier.Check{ID: verifier.CheckTransparency, Status: verifier.StatusUnknown, Detail: "not checked: who gave the certificate is not known"})
	case !v.logged():
		v.note(verifier.Passed(verifier.CheckTransparency, "the certificate stands in a log of %s", v.root.file))
	default:
		v.note(verifier.Passed(verifier.CheckTransparency, "the signature stands in a log of %s", v.root.file))
	}
}

// noteTime reports the time of signing. A timestamp is the better one: an authority
// does nothing else.
func (v *vouching) noteTime(stamps []verify.TimestampVerificationResult) {
	at := stamps[0]
	for _, s := range stamps {
		if at.Type == typeLog && s.Type != typeLog {
			at = s
		}
	}
	v.out.SignedAt, v.out.SignedAtSource = at.Timestamp.UTC(), verifier.TimeTSA
	if at.Type == typeLog {
		v.out.SignedAtSource = verifier.TimeLog
	}
	v.note(verifier.Passed(verifier.CheckValidity, "it was signed at %s, in the time of its certificate", utc(at.Timestamp)))
}

// typeLog is the library's word for times of logs.
const typeLog = "Tlog"

// deniable are the names under which a deny list may have the certificate, or one
// of its authorities, in any of its chains at the times of signing. Its beginning is
// not enough: a stolen authority chooses one at which there is no chain.
func (v *vouching) deniable(stamps []verify.TimestampVerificationResult) []string {
	leaf := v.b.leaf
	if !deniesCertificates(v.lists) {
		return nil
	}
	named, times := []*x509.Certificate{leaf}, []time.Time{leaf.NotBefore}
	for _, s := range stamps {
		times = append(times, s.Timestamp)
	}
	known := v.root.authorities()
	for _, t := range times {
		chains, _ := v.chainsAt(t) // without one the signer is not trusted
		for _, chain := range chains {
			for _, c := range chain[1:] {
				if !slices.ContainsFunc(named, c.Equal) {
					named = append(append(named, c), siblings(c, known)...)
				}
			}
		}
	}
	return deniableIDs(named)
}

func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }
