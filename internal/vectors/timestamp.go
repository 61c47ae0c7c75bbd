package vectors

import (
	"crypto"
	"testing"
	"time"
)

// Stamp says what a timestamp over a signature value is to be like. What is not
// set is as it should be.
type Stamp struct {
	At      time.Time
	Hash    crypto.Hash // SHA-256 if 0
	Imprint []byte      // in place of the digest of the signature value; may be empty
	Policy  string
	// Info changes the TSTInfo, Message the signature over it, before it is made.
	Info    func(fields [][]byte) [][]byte
	Message func(*Message)
	// Bag are further certificates that the token carries.
	Bag []*Identity
}

// Token is an RFC 3161 token by tsa over a signature value.
func Token(t testing.TB, tsa *Identity, value []byte, s Stamp) []byte {
	t.Helper()
	if s.Hash == 0 {
		s.Hash = crypto.SHA256
	}
	if s.Imprint == nil {
		s.Imprint = Sum(s.Hash, value)
	}
	if s.Policy == "" {
		s.Policy = "1.2.3.4"
	}
	fields := [][]byte{Int(1), OID(s.Policy), DigestInfo(s.Hash, s.Imprint), Int(77), GeneralizedTime(s.At)}
	if s.Info != nil {
		fields = s.Info(fields)
	}
	info := Seq(fields...)
	m := NewMessage(tsa, s.Hash, Octets(info), s.Bag...)
	m.Version, m.ContentType, m.Digested = 3, OIDTSTInfo, info
	m.AddSigned(Attribute(OIDSigningCertV2, Seq(Seq(Seq(Octets(Sum(crypto.SHA256, tsa.Cert.Raw)))))))
	if s.Message != nil {
		s.Message(m)
	}
	return m.Build(t)
}

// TokenAttribute is the unsigned attribute that holds a token in Authenticode.
func TokenAttribute(token []byte) []byte { return Attribute(OIDTimestamp, token) }

// Countersignature is the unsigned attribute of the old kind of timestamp: a
// SignerInfo over the signature value. Its certificates belong into the bag of
// the signature.
func Countersignature(t testing.TB, tsa *Identity, value []byte, s Stamp) []byte {
	t.Helper()
	if s.Hash == 0 {
		s.Hash = crypto.SHA256
	}
	m := NewMessage(tsa, s.Hash, nil)
	m.ContentType, m.Digested = OIDData, value
	m.AddSigned(Attribute(OIDSigningTime, UTCTime(s.At)))
	if s.Message != nil {
		s.Message(m)
	}
	return Attribute(OIDCountersignature, m.SignerInfo(t))
}
