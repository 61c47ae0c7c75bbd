// Package cms reads the PKCS #7 / CMS SignedData of an Authenticode signature,
// strictly: DER only, bounded in size and depth, one signer, nothing left over.
// It is the layer in front of every other reader of the same bytes.
//
// It reads the timestamps of such a signature, and security catalogs, just as
// strictly.
//
// It does not build certificate chains and trusts nobody: it says what is in a
// signature, a timestamp or a catalog, whether the signed attributes bind the content, and
// whether the signature value fits a key. Nested signatures are handed out as
// attributes, unread.
package cms

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// Limits.
const (
	// MaxSize is the largest signature in bytes.
	MaxSize = 256 << 10
	// MaxDepth is how deep elements may nest: a signature needs about 16, and one
	// inside another 8 more each time.
	MaxDepth = 64
	// MaxCertificates is how many certificates a signature may bring along.
	MaxCertificates = 32
	// MaxAttributes is how many attributes of one kind the signer may have.
	MaxAttributes = 32
)

// Codes of Error.
const (
	CodeStructure = "cms-structure"
	CodeTrailing  = "trailing-der"
)

// Error says that bytes are not a SignedData as this package demands it.
type Error struct {
	Code   string
	Offset int // where it was seen, as far as that is known
	Msg    string
}

func (e *Error) Error() string {
	if e.Offset > 0 {
		return fmt.Sprintf("byte %d of the signature: %s", e.Offset, e.Msg)
	}
	return e.Msg
}

func malformed(at int, format string, args ...any) *Error {
	return &Error{Code: CodeStructure, Offset: at, Msg: fmt.Sprintf(format, args...)}
}

// Object identifiers of what this package reads.
const (
	OIDSignedData    OID = "1.2.840.113549.1.7.2"
	OIDContentType   OID = "1.2.840.113549.1.9.3"
	OIDMessageDigest OID = "1.2.840.113549.1.9.4"
	OIDSigningTime   OID = "1.2.840.113549.1.9.5"
)

// SignedData is one signature with what it signs.
type SignedData struct {
	// ContentType is that of the content, and of the signed attribute.
	ContentType OID
	// Content is the content's element, tag and length included.
	Content []byte
	// Wrapped says that the content stands in an OCTET STRING, as in CMS version
	// 3, and not by itself as in PKCS #7.
	Wrapped      bool
	Certificates []*x509.Certificate
	Signer       Signer
}

// Signer is the one signer.
type Signer struct {
	Issuer []byte // the name, as DER
	Serial *big.Int
	Digest Algorithm
	// Signature is the algorithm, Value what it gave.
	Signature Algorithm
	Value     []byte
	// Signed and Unsigned are the attributes in the order of the file.
	Signed, Unsigned []Attribute
	MessageDigest    []byte
	SigningTime      time.Time // as claimed; zero if there is none

	signedDER []byte // the signed attributes as they are digested
}

// Algorithm is an AlgorithmIdentifier. Parameters is the element, nil for none.
type Algorithm struct {
	ID         OID
	Parameters []byte
}

// Attribute is a type with its values, each as an element.
type Attribute struct {
	Type   OID
	Values [][]byte
	Size   int // of the whole attribute in bytes
}

// Parse reads a signature. It fails with *Error, whatever the bytes are.
func Parse(der []byte) (*SignedData, error) {
	return parse(der, form{content: (*SignedData).parseContent})
}

// form is in what the messages differ that this package reads.
type form struct {
	// content reads encapContentInfo.
	content func(s *SignedData, version int, b []byte) error
	// attributeCertificates may stand among the certificates, and are passed over.
	attributeCertificates bool
	// limit is the largest size in bytes; MaxSize if zero.
	limit int
}

func parse(der []byte, f form) (*SignedData, error) {
	sd, err := openSignedData(der, cmp.Or(f.limit, MaxSize))
	if err != nil {
		return nil, err
	}
	return parseSignedData(sd, f)
}

// openSignedData takes the ContentInfo off a SignedData of at most limit bytes.
func openSignedData(der []byte, limit int) (*reader, error) {
	if err := walkUpTo(der, limit); err != nil {
		return nil, err
	}
	info := read(read(der).next(tagSequence, "ContentInfo").body)
	if id := info.oid("contentType"); info.err == nil && id != OIDSignedData {
		return nil, malformed(0, "content type %s is not signedData", id)
	}
	outer := read(info.next(tagContext0, "content").body)
	if err := info.end("ContentInfo"); err != nil {
		return nil, err
	}
	sd := read(outer.next(tagSequence, "SignedData").body)
	if err := outer.end("content"); err != nil {
		return nil, err
	}
	return sd, nil
}

func parseSignedData(r *reader, f form) (*SignedData, error) {
	s := &SignedData{}
	version := r.small("version of SignedData")
	digests := r.next(tagSet, "digestAlgorithms").body
	content := r.next(tagSequence, "encapContentInfo").body
	certificates := r.next(tagContext0, "certificates").body
	if r.at(tagContext1) {
		return nil, malformed(0, "revocation lists inside a signature are not supported")
	}
	signers := read(r.next(tagSet, "signerInfos").body)
	if err := r.end("SignedData"); err != nil {
		return nil, err
	}
	if err := f.content(s, version, content); err != nil {
		return nil, err
	}
	if !signers.more() {
		return nil, malformed(0, "no signer")
	}
	signer := signers.next(tagSequence, "SignerInfo").body
	if err := signers.end("signerInfos, which must be one SignerInfo,"); err != nil {
		return nil, err
	}
	if err := s.parseSigner(signer); err != nil {
		return nil, err
	}
	if err := s.checkDigestAlgorithms(digests); err != nil {
		return nil, err
	}
	return s, s.parseCertificates(certificates, f.attributeCertificates)
}

// parseContent accepts the two forms in which Authenticode content is written:
// by itself with version 1, in an OCTET STRING with version 3.
func (s *SignedData) parseContent(version int, b []byte) error {
	r := read(b)
	s.ContentType = r.oid("eContentType")
	explicit := read(r.next(tagContext0, "eContent").body)
	if err := r.end("encapContentInfo"); err != nil {
		return err
	}
	switch {
	case version == 3 && explicit.at(tagOctetString):
		s.Wrapped = true
		s.Content = explicit.any().body
		if err := walk(s.Content); err != nil {
			return err
		}
	case version == 1 && explicit.at(tagSequence):
		s.Content = explicit.any().full
	default:
		return malformed(0, "version %d of SignedData with another form of content than goes with it", version)
	}
	return explicit.end("eContent")
}

// digested are the octets that the message digest is made of.
func (s *SignedData) digested() []byte {
	if s.Wrapped {
		return s.Content
	}
	return read(s.Content).any().body
}

func (s *SignedData) checkDigestAlgorithms(b []byte) error {
	r := read(b)
	id, err := parseAlgorithm(r.next(tagSequence, "digestAlgorithms"))
	if err == nil {
		err = r.end("digestAlgorithms")
	}
	if err != nil {
		return err
	}
	if id.ID != s.Signer.Digest.ID || !id.plain() {
		return malformed(0, "digestAlgorithms names %s, the signer %s", id.ID, s.Signer.Digest.ID)
	}
	return nil
}

func parseAlgorithm(e element) (Algorithm, error) {
	r := read(e.body)
	a := Algorithm{ID: r.oid("algorithm")}
	if r.more() {
		a.Parameters = r.any().full
	}
	return a, r.end("AlgorithmIdentifier")
}

func (s *SignedData) parseCertificates(b []byte, attributeCertificates bool) error {
	r := read(b)
	for n := 0; r.more(); n++ {
		if n == MaxCertificates {
			return malformed(0, "more than %d certificates", MaxCertificates)
		}
		if attributeCertificates && (r.at(tagContext1) || r.at(tagContext2)) {
			r.any()
			continue
		}
		e := r.next(tagSequence, "Certificate")
		if r.err != nil {
			return r.err
		}
		if err := checkCertificateForm(e); err != nil {
			return err
		}
		c, err := x509.ParseCertificate(e.full)
		if err != nil {
			return malformed(0, "certificate %d: %v", len(s.Certificates)+1, err)
		}
		s.Certificates = append(s.Certificates, c)
	}
	return r.err
}

// checkCertificateForm: crypto/x509 passes over what stands behind the signature
// inside a certificate. Nothing covers that, and it would give one certificate
// any number of digests.
func checkCertificateForm(e element) error {
	r := read(e.body)
	r.next(tagSequence, "tbsCertificate")
	r.next(tagSequence, "signatureAlgorithm")
	value := r.next(tagBitString, "signatureValue").body
	if err := r.end("Certificate"); err != nil {
		return err
	}
	if value[0] != 0 {
		return malformed(0, "the signature of a certificate is not whole bytes")
	}
	return nil
}

// SignerCertificate returns the certificate that the signer names by issuer and
// serial number. It fails with *Error if there is none, or two that differ: tools
// would take different ones. (Azure Trusted Signing writes the same one twice.)
func (s *SignedData) SignerCertificate() (*x509.Certificate, error) {
	var found *x509.Certificate
	for _, c := range s.Certificates {
		if c.SerialNumber.Cmp(s.Signer.Serial) != 0 || !bytes.Equal(c.RawIssuer, s.Signer.Issuer) {
			continue
		}
		if found != nil && !bytes.Equal(found.Raw, c.Raw) {
			return nil, malformed(0, "two certificates with the issuer and serial number of the signer")
		}
		found = c
	}
	if found == nil {
		return nil, malformed(0, "the signer's certificate is not in the signature")
	}
	return found, nil
}

// SignedAttribute returns the signed attribute of that type.
func (s *Signer) SignedAttribute(id OID) (Attribute, bool) {
	i := slices.IndexFunc(s.Signed, func(a Attribute) bool { return a.Type == id })
	if i < 0 {
		return Attribute{}, false
	}
	return s.Signed[i], true
}
