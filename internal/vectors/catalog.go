package vectors

import (
	"crypto"
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

// Object identifiers of catalogs.
const (
	OIDTrustList     = "1.3.6.1.4.1.311.10.1"
	OIDCatalogList   = "1.3.6.1.4.1.311.12.1.1"
	OIDMember        = "1.3.6.1.4.1.311.12.1.2"
	OIDMember2       = "1.3.6.1.4.1.311.12.1.3"
	OIDCatalogName   = "1.3.6.1.4.1.311.12.2.1"
	OIDCatalogMember = "1.3.6.1.4.1.311.12.2.2"
	OIDFlatFile      = "1.3.6.1.4.1.311.2.1.25"
)

// FlatMember lists a file by the digest of its bytes.
func FlatMember(h crypto.Hash, data []byte) []byte {
	link := Context(2, TLV(0x80, UTF16BE([]byte("<<<Obsolete>>>"))[2:]))
	sum := Sum(h, data)
	return Member(sum, Seq(Seq(OID(OIDFlatFile), link), DigestInfo(h, sum)))
}

// TextMember lists a script by the digest that its signature would have.
func (s Style) TextMember(h crypto.Hash, content []byte) []byte {
	sum := s.Digest(h, content)
	return Member(sum, s.IndirectData(h, sum))
}

// Member is an entry of a catalog with the attributes that makecat writes.
func Member(sum, indirectData []byte) []byte {
	tag := UTF16(strings.ToUpper(hex.EncodeToString(sum)) + "\x00")
	name := Seq(TLV(0x1E, UTF16BE([]byte("File"))[2:]), Int(0x10010001), Octets(UTF16("job.ps1\x00")))
	info := Seq(TLV(0x1E, UTF16BE([]byte("{C689AAB8-8E78-11D0-8C47-00C04FC295EE}"))[2:]), Int(512))
	return Seq(Octets(tag), Set(
		Attribute(OIDCatalogName, name), Attribute(OIDCatalogMember, info), Attribute(OIDIndirectData, indirectData)))
}

// TrustList is the content of a catalog with these members.
func TrustList(at time.Time, members ...[]byte) []byte {
	return Seq(Seq(OID(OIDCatalogList)), Octets([]byte("0123456789abcdef")), UTCTime(at), Seq(OID(OIDMember), Null()), Seq(members...))
}

// NewCatalog is a catalog by id, which a test may change before it is built.
func NewCatalog(id *Identity, at time.Time, members ...[]byte) *Message {
	m := NewMessage(id, crypto.SHA256, TrustList(at, members...))
	m.ContentType = OIDTrustList
	return m
}

// Catalog is a signed catalog.
func Catalog(t testing.TB, id *Identity, at time.Time, members ...[]byte) []byte {
	t.Helper()
	return NewCatalog(id, at, members...).Build(t)
}
