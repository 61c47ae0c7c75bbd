package vectors

import (
	"crypto"
	"crypto/ecdsa"
	"math/big"
	"slices"
	"testing"
)

// Message holds the parts of a SignedData, which a test may change before they
// are put together and signed. Those that end in Algorithm, and ContentType, are
// whole elements; the sets are the bytes inside.
type Message struct {
	Key  crypto.Signer
	Hash crypto.Hash

	Version     byte
	ContentType string
	// Content is the element inside of eContent; nil for none. Digested is what
	// the message digest is made of, if not of the contents of Content.
	Content, Digested []byte

	SignerVersion   byte
	Issuer          []byte
	Serial          *big.Int
	SignerID        []byte // in place of Issuer and Serial
	DigestAlgorithm []byte
	// Attributes are the signed ones, as elements; nil for Standard, empty for
	// an element that holds none. NoAttributes leaves out the element.
	Attributes         [][]byte
	NoAttributes       bool
	SignatureAlgorithm []byte
	Value              []byte // the signature, if not that of Key
	Unsigned           []byte // the whole element [1]; see AddUnsigned

	DigestAlgorithms, Certificates []byte
	CRLs                           []byte // the whole element [1]
	ExtraSigners, After            []byte
	NoSigner                       bool

	extra [][]byte // signed attributes beside the two that must be
}

// NewMessage is the signature of a file by id, as Windows makes it: content is
// what IndirectData gives. More certificates go into the bag.
func NewMessage(id *Identity, h crypto.Hash, content []byte, more ...*Identity) *Message {
	m := &Message{
		Key: id.Key, Hash: h, Version: 1, ContentType: OIDIndirectData, Content: content,
		SignerVersion: 1, Issuer: id.Cert.RawIssuer, Serial: id.Cert.SerialNumber,
		DigestAlgorithms: DigestAlgorithm(h), DigestAlgorithm: DigestAlgorithm(h),
		SignatureAlgorithm: Seq(OID(OIDRSA), Null()), Certificates: id.Cert.Raw,
	}
	if _, ok := id.Key.Public().(*ecdsa.PublicKey); ok {
		m.SignatureAlgorithm = Seq(OID(ecdsaOIDs[h]))
	}
	for _, i := range more {
		m.Certificates = append(slices.Clone(m.Certificates), i.Cert.Raw...)
	}
	return m
}

// Wrap puts the content into an OCTET STRING, as CMS has it, and not PKCS #7.
func (m *Message) Wrap() *Message {
	m.Version, m.Digested, m.Content = 3, m.Content, Octets(m.Content)
	return m
}

// Standard are the attributes that bind the content, in the order of DER.
func (m *Message) Standard() [][]byte {
	digested := m.Digested
	if digested == nil && m.Content != nil {
		digested = Body(m.Content)
	}
	list := append([][]byte{
		Attribute(OIDContentType, OID(m.ContentType)),
		Attribute(OIDMessageDigest, Octets(Sum(m.Hash, digested))),
	}, m.extra...)
	slices.SortFunc(list, slices.Compare)
	return list
}

// AddSigned adds signed attributes to those that must be.
func (m *Message) AddSigned(attributes ...[]byte) *Message {
	m.extra = append(m.extra, attributes...)
	return m
}

// Sign makes the signature value, once, and returns it: timestamps are made over
// it.
func (m *Message) Sign(t testing.TB) []byte {
	t.Helper()
	if m.Attributes == nil {
		m.Attributes = m.Standard()
	}
	if m.Value == nil {
		signed := Set(m.Attributes...)
		if m.NoAttributes {
			signed = Body(m.Content)
		}
		value, err := m.Key.Sign(nil, Sum(m.Hash, signed), m.Hash) // nil: the same value each time
		m.Value = must(t, value, err)
	}
	return m.Value
}

// AddUnsigned puts attributes beside the signature, behind those that are there.
func (m *Message) AddUnsigned(attributes ...[]byte) *Message {
	var before []byte
	if m.Unsigned != nil {
		before = Body(m.Unsigned)
	}
	m.Unsigned = Context(1, append([][]byte{before}, attributes...)...)
	return m
}

// SignerInfo is the signer alone.
func (m *Message) SignerInfo(t testing.TB) []byte {
	t.Helper()
	value := m.Sign(t)
	var signed []byte
	if !m.NoAttributes {
		signed = Context(0, m.Attributes...)
	}
	id := m.SignerID
	if id == nil {
		id = Seq(m.Issuer, BigInt(m.Serial))
	}
	return Seq(Int(int64(m.SignerVersion)), id, m.DigestAlgorithm, signed, m.SignatureAlgorithm, Octets(value), m.Unsigned)
}

// Build puts the parts together.
func (m *Message) Build(t testing.TB) []byte {
	t.Helper()
	var signer, content, certificates []byte
	if !m.NoSigner {
		signer = m.SignerInfo(t)
	}
	if m.Content != nil {
		content = Context(0, m.Content)
	}
	if m.Certificates != nil {
		certificates = Context(0, m.Certificates)
	}
	return Seq(OID(OIDSignedData), Context(0, Seq(
		Int(int64(m.Version)), Set(m.DigestAlgorithms), Seq(OID(m.ContentType), content),
		certificates, m.CRLs, Set(signer, m.ExtraSigners), m.After)))
}
