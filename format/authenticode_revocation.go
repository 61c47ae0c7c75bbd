package format

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/runwrit/writ/verifier"
)

// revocations are the revocation lists and OCSP responses of a trust store,
// indexed once.
type revocations struct {
	crls map[string][]*crlFile      // by the issuer's name
	ocsp map[string][]*ocspResponse // by serial number
}

// loadRevocations reads the room crl. A file that is not understood whole is an
// error: what it revokes would go unnoticed.
func loadRevocations(files []verifier.TrustFile) (*revocations, error) {
	r := newRevocations()
	for _, f := range files {
		if err := r.add(f.Name, f.Data); err != nil {
			return nil, &verifier.TrustError{Path: f.Name, Err: err}
		}
	}
	return r, nil
}

func newRevocations() *revocations {
	return &revocations{crls: map[string][]*crlFile{}, ocsp: map[string][]*ocspResponse{}}
}

func (r *revocations) empty() bool { return len(r.crls) == 0 && len(r.ocsp) == 0 }

// add reads PEM with nothing but CRLs, a CRL in DER, or an OCSP response in DER.
func (r *revocations) add(name string, data []byte) error {
	blocks := 0
	for rest := data; ; blocks++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "X509 CRL" {
			return fmt.Errorf("a PEM block of type %q where only revocation lists belong", block.Type)
		}
		if err := r.addCRL(name, block.Bytes); err != nil {
			return err
		}
	}
	if n := bytes.Count(data, []byte("-----BEGIN ")); n != blocks {
		return fmt.Errorf("%d of %d PEM blocks cannot be read", n-blocks, n)
	}
	switch {
	case blocks > 0:
		return nil
	case isOCSP(data):
		return r.addOCSP(name, data)
	default:
		return r.addCRL(name, data)
	}
}

func (r *revocations) addCRL(name string, der []byte) error {
	l, err := parseCRL(name, der)
	if err == nil {
		r.crls[string(l.list.RawIssuer)] = append(r.crls[string(l.list.RawIssuer)], l)
	}
	return err
}

// revocationAnswer is what one list or response says about a certificate.
type revocationAnswer struct {
	revoked bool
	revocation
	// fresh: it may be relied on where it says that a certificate is good.
	fresh  bool
	source string
	why    string // why it is no answer
}

// revocation is when and why a certificate was revoked.
type revocation struct {
	date    time.Time
	invalid time.Time // since when the key is suspected; zero if not said
	reason  int
}

// Reasons of RFC 5280, 5.3.1, that tell of a key in wrong hands.
const (
	reasonKeyCompromise = 1
	reasonCACompromise  = 2
	reasonAACompromise  = 10
)

var reasonWords = map[int]string{
	0: "no reason given", 1: "key compromise", 2: "compromise of the authority", 3: "affiliation changed", 4: "superseded",
	5: "cessation of operation", 6: "on hold", 8: "removed from list", 9: "privilege withdrawn", 10: "compromise of the attribute authority",
}

// holdsAt tells whether the revocation counts for a signature that is known to
// have been there at the given time. What was signed before a certificate was
// revoked stays good, unless the key was in wrong hands: then nobody knows since
// when, or it is said.
func (r revocation) holdsAt(at time.Time) bool {
	switch r.reason {
	case reasonKeyCompromise, reasonCACompromise, reasonAACompromise:
		return r.invalid.IsZero() || !at.Before(r.invalid) || !at.Before(r.date)
	}
	since := r.date
	if !r.invalid.IsZero() && r.invalid.Before(since) {
		since = r.invalid
	}
	return !at.Before(since)
}

func (r revocation) String() string {
	word, known := reasonWords[r.reason]
	if !known {
		word = fmt.Sprintf("reason %d", r.reason)
	}
	s := fmt.Sprintf("at %s, %s", r.date.UTC().Format(time.RFC3339), word)
	if !r.invalid.IsZero() {
		s += ", the key suspected since " + r.invalid.UTC().Format(time.RFC3339)
	}
	return s
}

// ask gathers what is known about cert, which issuer has issued.
func (r *revocations) ask(cert, issuer *x509.Certificate, now time.Time) []revocationAnswer {
	var answers []revocationAnswer
	for _, o := range r.ocsp[serialKey(cert)] {
		answers = append(answers, o.ask(cert, issuer, now))
	}
	for _, l := range r.crls[string(cert.RawIssuer)] {
		answers = append(answers, l.ask(cert, issuer, now))
	}
	return answers
}

func serialKey(c *x509.Certificate) string { return string(c.SerialNumber.Bytes()) }

// checkRevocation asks about each certificate of the chain but its root, which
// the operator has chosen. A revocation counts from whatever source, also from a
// list that is out of date; that a certificate is good says only one that is not.
func (x *authenticodeExam) checkRevocation(chain []*x509.Certificate) {
	if x.anchors.revoking == verifier.RevocationOff {
		x.drop(verifier.CheckRevocation)
		return
	}
	var open, sources []string
	for i, cert := range chain[:len(chain)-1] {
		source := ""
		why := "nothing in the trust store is about it"
		for _, a := range x.trust.ask(cert, chain[i+1], x.now) {
			switch {
			case a.why != "":
				why = a.source + ": " + a.why
			case a.revoked && (!x.at.Before(x.now) || a.holdsAt(x.at)):
				x.failed(verifier.CheckRevocation, "the certificate of %q is revoked: %s (%s)", cert.Subject.String(), a.revocation, a.source)
				return
			case !a.fresh:
				why = a.source + " is out of date"
			default:
				source = a.source
			}
		}
		if source == "" {
			open = append(open, fmt.Sprintf("%q: %s", cert.Subject.String(), why))
		} else {
			sources = append(sources, source)
		}
	}
	x.recordRevocation(open, sources)
}

// recordRevocation: nothing is revoked as far as is known; open are the
// certificates without a fresh answer.
func (x *authenticodeExam) recordRevocation(open, sources []string) {
	unknown := "no fresh answer about the revocation of " + strings.Join(open, "; ")
	switch {
	case len(open) == 0 && len(sources) == 0:
		x.passed(verifier.CheckRevocation, "the trust store holds the signer itself; nobody could have revoked it")
	case len(open) == 0:
		x.passed(verifier.CheckRevocation, "no certificate of the chain is revoked: %s", strings.Join(sources, ", "))
	case x.anchors.revoking == verifier.RevocationPrefer:
		x.passed(verifier.CheckRevocation, "no revocation is known; %s", unknown)
		x.find("revocation-unknown", 0, unknown, "put fresh revocation lists of the authorities into the room crl of the trust store")
	default:
		x.record(verifier.Check{ID: verifier.CheckRevocation, Status: verifier.StatusUnknown, Detail: unknown})
		x.failed(verifier.CheckTrust, "%s, and it is required%s", unknown, x.anchors.where())
	}
}

// drop takes a check off the list that is not asked for.
func (x *authenticodeExam) drop(id verifier.CheckID) {
	var kept []verifier.Check
	for _, c := range x.signature.Checks {
		if c.ID != id {
			kept = append(kept, c)
		}
	}
	x.signature.Checks = kept
}

// fresh tells whether an answer may be relied on now. One that does not say until
// when is never fresh.
func fresh(from, until, now time.Time) bool {
	return !until.IsZero() && !now.Before(from) && !now.After(until)
}

// maxVouched is for how many issuers a result is kept. There is one, unless
// authorities of one name exist.
const maxVouched = 16

// vouched keeps, for each issuer, whether it made a list or response.
type vouched[T any] struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]vouchedResult[T]
}

type vouchedResult[T any] struct {
	value T
	err   error
}

func (v *vouched[T]) by(issuer *x509.Certificate, verify func() (T, error)) (T, error) {
	key := sha256.Sum256(issuer.Raw)
	v.mu.Lock()
	defer v.mu.Unlock()
	if r, ok := v.known[key]; ok {
		return r.value, r.err
	}
	if v.known == nil || len(v.known) == maxVouched {
		v.known = map[[sha256.Size]byte]vouchedResult[T]{}
	}
	var r vouchedResult[T]
	r.value, r.err = verify()
	v.known[key] = r
	return r.value, r.err
}

// Extensions of an entry, of a list as of a response.
var (
	oidReasonCode      = asn1.ObjectIdentifier{2, 5, 29, 21}
	oidHoldInstruction = asn1.ObjectIdentifier{2, 5, 29, 23}
	oidInvalidityDate  = asn1.ObjectIdentifier{2, 5, 29, 24}
)

// invalidityDate reads that extension, and refuses others that are critical.
func invalidityDate(extensions []pkix.Extension) (at time.Time, err error) {
	for _, e := range extensions {
		switch {
		case e.Id.Equal(oidInvalidityDate):
			if rest, err := asn1.UnmarshalWithParams(e.Value, &at, "generalized"); err != nil || len(rest) > 0 {
				return at, fmt.Errorf("an invalidity date that cannot be read")
			}
		case e.Id.Equal(oidReasonCode), e.Id.Equal(oidHoldInstruction):
		case e.Critical:
			return at, fmt.Errorf("an entry with the critical extension %s, which is not known", e.Id)
		}
	}
	return at, nil
}
