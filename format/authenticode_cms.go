package format

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"

	"go.mozilla.org/pkcs7"

	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/internal/witness"
)

var (
	oidIndirectData     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 4}
	oidStatementType    = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 11}
	oidOpusInfo         = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 12}
	oidIndividualSigner = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 21}
	oidSipInfo          = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 30}
)

// spcIndirectData is the content of the signature, as Windows writes it.
type spcIndirectData struct {
	Data struct {
		Type  asn1.ObjectIdentifier
		Value spcSipInfo
	}
	MessageDigest struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
}

type spcSipInfo struct {
	Version                           int
	GUID                              []byte
	Zero1, Zero2, Zero3, Zero4, Zero5 int
}

func digestOID(h crypto.Hash) (digest, ecdsaName asn1.ObjectIdentifier) {
	switch h {
	case crypto.SHA384:
		return pkcs7.OIDDigestAlgorithmSHA384, pkcs7.OIDDigestAlgorithmECDSASHA384
	case crypto.SHA512:
		return pkcs7.OIDDigestAlgorithmSHA512, pkcs7.OIDDigestAlgorithmECDSASHA512
	default:
		return pkcs7.OIDDigestAlgorithmSHA256, pkcs7.OIDDigestAlgorithmECDSASHA256
	}
}

func indirectData(style *authscript.Style, sum []byte, h crypto.Hash) ([]byte, error) {
	var d spcIndirectData
	d.Data.Type = oidSipInfo
	d.Data.Value = spcSipInfo{Version: style.Version, GUID: []byte(style.GUID)}
	d.MessageDigest.Algorithm.Algorithm, _ = digestOID(h)
	d.MessageDigest.Algorithm.Parameters = asn1.NullRawValue
	d.MessageDigest.Digest = sum
	return asn1.Marshal(d)
}

// signIndirectData makes the signature of a file of the style with the digest sum. The
// library lays out the SignedData and fills it with a throw-away key; then the
// attributes become those of Windows, and the real key signs them. So a key in a
// KMS goes the same way as one in memory.
func signIndirectData(style *authscript.Style, sum []byte, h crypto.Hash, private crypto.Signer, chain []*x509.Certificate) ([]byte, error) {
	content, err := indirectData(style, sum, h)
	if err != nil {
		return nil, err
	}
	var inner asn1.RawValue
	if _, err := asn1.Unmarshal(content, &inner); err != nil {
		return nil, err
	}
	sd, err := pkcs7.NewSignedData(inner.Bytes) // the digest leaves out tag and length
	if err != nil {
		return nil, err
	}
	digest, ecdsaName := digestOID(h)
	sd.SetDigestAlgorithm(digest)
	raw := sd.GetSignedData()
	raw.ContentInfo.ContentType = oidIndirectData
	raw.ContentInfo.Content = asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: content}
	filler, err := throwAway()
	if err != nil {
		return nil, err
	}
	if err := sd.AddSigner(chain[0], filler, pkcs7.SignerInfoConfig{ExtraSignedAttributes: windowsAttributes()}); err != nil {
		return nil, err
	}
	for _, c := range chain[1:] {
		sd.AddCertificate(c)
	}
	si := &raw.SignerInfos[0]
	raw.DigestAlgorithmIdentifiers[0].Parameters = asn1.NullRawValue
	si.DigestAlgorithm.Parameters = asn1.NullRawValue
	si.DigestEncryptionAlgorithm = pkix.AlgorithmIdentifier{Algorithm: ecdsaName}
	if _, ok := private.Public().(*rsa.PublicKey); ok {
		si.DigestEncryptionAlgorithm = pkix.AlgorithmIdentifier{Algorithm: pkcs7.OIDEncryptionAlgorithmRSA, Parameters: asn1.NullRawValue}
	}
	// Windows writes no signing time, and without a timestamp it proves nothing.
	kept := si.AuthenticatedAttributes[:0]
	for _, attribute := range si.AuthenticatedAttributes {
		if !attribute.Type.Equal(pkcs7.OIDAttributeSigningTime) {
			kept = append(kept, attribute)
		}
	}
	si.AuthenticatedAttributes = kept
	attributes, err := asn1.MarshalWithParams(kept, "set")
	if err != nil {
		return nil, err
	}
	hash := h.New()
	hash.Write(attributes)
	if si.EncryptedDigest, err = witness.New(private).Sign(rand.Reader, hash.Sum(nil), h); err != nil {
		return nil, err
	}
	return sd.Finish()
}

// windowsAttributes are the two signed attributes that every signature made by
// Windows has beside content type and message digest.
func windowsAttributes() []pkcs7.Attribute {
	return []pkcs7.Attribute{
		{Type: oidOpusInfo, Value: struct{}{}},
		{Type: oidStatementType, Value: []asn1.ObjectIdentifier{oidIndividualSigner}},
	}
}
