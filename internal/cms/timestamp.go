package cms

import (
	"bytes"
	"crypto/subtle"
	"crypto/x509"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// Object identifiers of timestamps.
const (
	oidTSTInfo      OID = "1.2.840.113549.1.9.16.1.4"
	oidData         OID = "1.2.840.113549.1.7.1"
	oidESSCertID    OID = "1.2.840.113549.1.9.16.2.12" // RFC 2634: always SHA-1
	oidESSCertIDv2  OID = "1.2.840.113549.1.9.16.2.47" // RFC 5035
	oidTimeStamping OID = "1.3.6.1.5.5.7.3.8"
	oidExtKeyUsage  OID = "2.5.29.37"
	oidSHA256       OID = "2.16.840.1.101.3.4.2.1"
	oidSHA1         OID = "1.3.14.3.2.26"
)

// maxNumber is how many bytes a serial number or a nonce may have.
const maxNumber = 64

// Timestamp is somebody's word that a value existed at a time: an RFC 3161 token,
// or the countersignature of PKCS #9 that came before it. It is worth what Check
// and the chain of its signer's certificate make of it.
type Timestamp struct {
	// Legacy says that it is a countersignature.
	Legacy bool
	Time   time.Time
	// Accuracy is how far off Time may be, as the authority says; 0 if it does
	// not.
	Accuracy time.Duration
	// Digest is the algorithm of Imprint, the digest of the value.
	Digest  Algorithm
	Imprint []byte
	// Nonce is that of the request; nil if there was none.
	Nonce *big.Int
	// Certificates came with it: in the token, or in the signature that a
	// countersignature stands in.
	Certificates []*x509.Certificate

	signed *SignedData
}

// ParseToken reads an RFC 3161 token, a SignedData with a TSTInfo. It fails with
// *Error.
func ParseToken(der []byte) (*Timestamp, error) {
	// Microsoft's authority puts a certificate of its clock beside its own.
	s, err := parse(der, form{content: (*SignedData).parseTokenContent, attributeCertificates: true})
	if err != nil {
		return nil, err
	}
	t := &Timestamp{signed: s, Certificates: s.Certificates}
	return t, t.parseInfo(s.Content)
}

// parseTokenContent accepts what RFC 3161 demands: a TSTInfo in an OCTET STRING.
func (s *SignedData) parseTokenContent(version int, b []byte) error {
	r := read(b)
	s.ContentType = r.oid("eContentType")
	explicit := read(r.next(tagContext0, "eContent").body)
	if err := r.end("encapContentInfo"); err != nil {
		return err
	}
	if version != 3 || s.ContentType != oidTSTInfo {
		return malformed(0, "version %d with content of type %s is not a timestamp", version, s.ContentType)
	}
	s.Wrapped = true
	s.Content = explicit.next(tagOctetString, "TSTInfo").body
	if err := explicit.end("eContent"); err != nil {
		return err
	}
	return walk(s.Content)
}

func (t *Timestamp) parseInfo(der []byte) error {
	outer := read(der)
	r := read(outer.next(tagSequence, "TSTInfo").body)
	if v := r.small("version of TSTInfo"); r.err == nil && v != 1 {
		return malformed(0, "version %d of TSTInfo: want 1", v)
	}
	r.oid("policy")
	imprint := read(r.next(tagSequence, "messageImprint").body)
	r.number("serialNumber")
	at := r.next(tagGenTime, "genTime")
	if r.at(tagSequence) {
		t.parseAccuracy(r)
	}
	if r.at(tagBoolean) && r.any().body[0] == 0 {
		return malformed(0, "the default of ordering is written out: BER, not DER")
	}
	if r.at(tagInteger) {
		t.Nonce = r.number("nonce")
	}
	if r.at(tagContext0) {
		r.any() // the authority's name, which its certificate has too
	}
	if r.at(tagContext1) {
		return malformed(0, "extensions of TSTInfo are not supported")
	}
	if err := r.end("TSTInfo"); err != nil {
		return err
	}
	var ok bool
	if t.Time, ok = parseGenTime(at.body); !ok {
		return malformed(0, "genTime is not a time in DER")
	}
	return t.parseImprint(imprint)
}

func (t *Timestamp) parseImprint(r *reader) error {
	var err error
	if t.Digest, err = parseAlgorithm(r.next(tagSequence, "hashAlgorithm")); err != nil {
		return err
	}
	t.Imprint = r.next(tagOctetString, "hashedMessage").body
	if err := r.end("messageImprint"); err != nil {
		return err
	}
	if d, ok := DigestOf(t.Digest); ok && len(t.Imprint) != d.Hash.Size() {
		return malformed(0, "an imprint of %d bytes, where %s has %d", len(t.Imprint), d.Name, d.Hash.Size())
	}
	return nil
}

// parseAccuracy reads seconds, milliseconds and microseconds, all optional.
func (t *Timestamp) parseAccuracy(r *reader) {
	a := read(r.next(tagSequence, "accuracy").body)
	var seconds, millis, micros int
	if a.at(tagInteger) {
		seconds = a.small("seconds")
	}
	if a.at(0x80) {
		millis = a.fraction("millis")
	}
	if a.at(0x81) {
		micros = a.fraction("micros")
	}
	err := a.end("accuracy")
	if err == nil && seconds < 0 {
		err = malformed(0, "a negative accuracy")
	}
	if err != nil && r.err == nil {
		r.err = err
	}
	t.Accuracy = time.Duration(seconds)*time.Second + time.Duration(millis)*time.Millisecond + time.Duration(micros)*time.Microsecond
}

// fraction reads a number from 1 to 999 under a context tag.
func (r *reader) fraction(what string) int {
	v := signed(r.any().body)
	if r.err == nil && (!v.IsInt64() || v.Int64() < 1 || v.Int64() > 999) {
		r.err = malformed(0, "%s is not from 1 to 999", what)
		return 0
	}
	return int(v.Int64())
}

// number reads an INTEGER of bounded length.
func (r *reader) number(what string) *big.Int {
	b := r.next(tagInteger, what).body
	if len(b) > maxNumber {
		r.err = malformed(0, "%s has %d bytes", what, len(b))
		return nil
	}
	return signed(b)
}

// parseGenTime reads a GeneralizedTime that may have a fraction of a second,
// without zeros at its end.
func parseGenTime(b []byte) (time.Time, bool) {
	whole, fraction, has := strings.Cut(strings.TrimSuffix(string(b), "Z"), ".")
	at, ok := parseTime(element{tag: tagGenTime, body: []byte(whole + "Z")})
	if !ok || !bytes.HasSuffix(b, []byte("Z")) {
		return time.Time{}, false
	}
	if !has {
		return at, true
	}
	if fraction == "" || len(fraction) > 9 || strings.HasSuffix(fraction, "0") || strings.Trim(fraction, "0123456789") != "" {
		return time.Time{}, false
	}
	d, err := time.ParseDuration("0." + fraction + "s")
	return at.Add(d), err == nil
}

// ParseCountersignature reads the legacy timestamp, a SignerInfo; the
// certificates are those of the signature that it stands in. It fails with
// *Error.
func ParseCountersignature(der []byte, certificates []*x509.Certificate) (*Timestamp, error) {
	if err := walk(der); err != nil {
		return nil, err
	}
	outer := read(der)
	s := &SignedData{Certificates: certificates}
	info := outer.next(tagSequence, "SignerInfo")
	if outer.err != nil {
		return nil, outer.err
	}
	if err := s.parseSigner(info.body); err != nil {
		return nil, err
	}
	if s.ContentType != oidData && s.ContentType != oidTSTInfo { // Certum writes the second
		return nil, malformed(0, "a countersignature over content of type %s", s.ContentType)
	}
	if s.Signer.SigningTime.IsZero() {
		return nil, malformed(0, "a countersignature without a signing time")
	}
	t := &Timestamp{
		Legacy: true, Time: s.Signer.SigningTime,
		Digest: s.Signer.Digest, Imprint: s.Signer.MessageDigest,
		Certificates: certificates, signed: s,
	}
	return t, nil
}

// TimestampError says why a timestamp is worth nothing.
type TimestampError struct{ Msg string }

func (e *TimestampError) Error() string { return e.Msg }

func worthless(format string, args ...any) error {
	return &TimestampError{fmt.Sprintf(format, args...)}
}

// CheckImprint tells whether the timestamp is of value, by a digest that is good
// enough. It fails with *TimestampError.
func (t *Timestamp) CheckImprint(value []byte) error {
	d, ok := DigestOf(t.Digest)
	switch {
	case !ok:
		return worthless("digest algorithm %s of the imprint is not supported", t.Digest.ID)
	case d.Weak:
		return worthless("the imprint is made with %s: collisions can be made", d.Name)
	}
	h := d.Hash.New()
	h.Write(value)
	if subtle.ConstantTimeCompare(h.Sum(nil), t.Imprint) != 1 {
		return worthless("it is of something else: the imprint is not that of the signature value")
	}
	return nil
}

// Check tells whether the timestamp is of value and signed by a certificate
// that is for timestamps and came with it, and returns that. It fails with
// *TimestampError. Whether the certificate is anybody's is not asked here.
func (t *Timestamp) Check(value []byte) (*x509.Certificate, error) {
	if err := t.CheckImprint(value); err != nil {
		return nil, err
	}
	c, err := t.signed.SignerCertificate()
	if err != nil {
		return nil, worthless("%v", err)
	}
	if err := CheckTimestamper(c); err != nil {
		return nil, err
	}
	if d, _ := DigestOf(t.signed.Signer.Digest); d.Weak {
		return nil, worthless("it is signed with %s: collisions can be made", d.Name)
	}
	if !t.Legacy {
		if err := t.signed.CheckMessageDigest(); err != nil {
			return nil, worthless("%v", err)
		}
		if err := t.checkCertificateID(c); err != nil {
			return nil, err
		}
	}
	if err := t.signed.CheckSignature(c); err != nil {
		return nil, worthless("%v", err)
	}
	if WeakKey(c.PublicKey) {
		return nil, worthless("the key of its signer is too short")
	}
	return c, nil
}

// CheckTimestamper tells whether a certificate is for timestamps and nothing
// else: RFC 3161, 2.3. It fails with *TimestampError.
func CheckTimestamper(c *x509.Certificate) error {
	for _, e := range c.Extensions {
		if e.Id.String() != string(oidExtKeyUsage) {
			continue
		}
		if !e.Critical {
			return worthless("the extended key usage of its certificate is not critical")
		}
		if len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageTimeStamping || len(c.UnknownExtKeyUsage) != 0 {
			return worthless("its certificate is not for timestamps alone (extended key usage %s)", oidTimeStamping)
		}
		if c.KeyUsage != 0 && c.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0 {
			return worthless("the key usage of its certificate does not allow signatures")
		}
		return nil
	}
	return worthless("its certificate is not for timestamps (extended key usage %s)", oidTimeStamping)
}

// checkCertificateID holds c against the signed attributes that name the
// signer's certificate by its digest, one of which RFC 3161 and RFC 5816 demand:
// else another certificate with the same key could be put in.
func (t *Timestamp) checkCertificateID(c *x509.Certificate) error {
	found := false
	for _, id := range []OID{oidESSCertID, oidESSCertIDv2} {
		a, ok := t.signed.Signer.SignedAttribute(id)
		if !ok {
			continue
		}
		if found = true; !namesCertificate(a, id, c) {
			return worthless("the signed attribute signing-certificate is not that of its signer's certificate")
		}
	}
	if !found {
		return worthless("the signed attribute signing-certificate is missing")
	}
	return nil
}

// namesCertificate looks at the first of the certificates that the attribute
// names, which is the signer's.
func namesCertificate(a Attribute, id OID, c *x509.Certificate) bool {
	if len(a.Values) != 1 {
		return false
	}
	value := read(a.Values[0])
	certs := read(value.next(tagSequence, "SigningCertificate").body)
	ids := read(certs.next(tagSequence, "certs").body)
	first := read(ids.next(tagSequence, "ESSCertID").body)
	algorithm := Algorithm{ID: oidSHA1}
	if id == oidESSCertIDv2 {
		algorithm.ID = oidSHA256 // the default
		if first.at(tagSequence) {
			var err error
			if algorithm, err = parseAlgorithm(first.any()); err != nil {
				return false
			}
		}
	}
	sum := first.next(tagOctetString, "certHash").body
	issuer := first.at(tagSequence) && !namesIssuer(first.any(), c)
	d, ok := DigestOf(algorithm)
	if !ok || issuer || first.end("ESSCertID") != nil {
		return false
	}
	h := d.Hash.New()
	h.Write(c.Raw)
	return subtle.ConstantTimeCompare(h.Sum(nil), sum) == 1
}

// namesIssuer reads an IssuerSerial: the names of the issuer, and the number.
func namesIssuer(e element, c *x509.Certificate) bool {
	r := read(e.body)
	names := read(r.next(tagSequence, "issuer").body)
	name := read(names.next(0xA4, "directoryName").body) // explicit, since Name is a CHOICE
	issuer := name.next(tagSequence, "Name").full
	serial := signed(r.next(tagInteger, "serialNumber").body)
	return r.end("IssuerSerial") == nil && names.end("issuer") == nil && name.err == nil &&
		bytes.Equal(issuer, c.RawIssuer) && serial.Cmp(c.SerialNumber) == 0
}
