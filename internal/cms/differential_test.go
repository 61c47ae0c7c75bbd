package cms_test

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"errors"
	"slices"
	"testing"

	"go.mozilla.org/pkcs7"

	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/internal/vectors"
)

// maxCompared keeps the fuzzer fast; the library is quadratic in nested BER.
const maxCompared = 32 << 10

// accept says what the strict layer makes of a message: nil only if all of its
// checks hold and no collision of its digest is known.
func accept(der []byte) (*cms.SignedData, error) {
	sd, err := cms.Parse(der)
	if err != nil {
		return nil, err
	}
	leaf, err := sd.SignerCertificate()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(sd.CheckSupported(leaf), sd.CheckMessageDigest(), sd.CheckSignature(leaf)); err != nil {
		return nil, err
	}
	if d, ok := cms.DigestOf(sd.Signer.Digest); !ok || d.Weak {
		return nil, errors.New("weak")
	}
	if at := sd.Signer.SigningTime; !at.IsZero() && (at.Before(leaf.NotBefore) || at.After(leaf.NotAfter)) {
		return nil, errors.New("outside of the certificate's time") // which the library calls a bad signature
	}
	return sd, nil
}

// compare fails if the library sees another signer, another content or a bad
// signature where the strict layer sees a good one. It may accept more.
func compare(t *testing.T, der []byte) (accepted bool) {
	t.Helper()
	sd, err := accept(der)
	if err != nil {
		return false
	}
	leaf, err := sd.SignerCertificate()
	if err != nil {
		t.Fatal(err)
	}
	p7, err := pkcs7.Parse(der)
	if err != nil {
		t.Fatalf("we accept what the library cannot read: %v\n% x", err, der)
	}
	signer := p7.GetOnlySigner()
	if signer == nil || !bytes.Equal(signer.Raw, leaf.Raw) {
		t.Fatalf("another signer\n% x", der)
	}
	content := sd.Content
	if !sd.Wrapped {
		content = vectors.Body(content)
	}
	if !bytes.Equal(p7.Content, content) {
		t.Fatalf("another content\n% x", der)
	}
	var digest []byte
	if err := p7.UnmarshalSignedAttribute(pkcs7.OIDAttributeMessageDigest, &digest); err != nil || !bytes.Equal(digest, sd.Signer.MessageDigest) {
		t.Fatalf("another message digest, %v\n% x", err, der)
	}
	if sd.Signer.Signature.ID == cms.OIDECKey {
		// The library does not know ECDSA by the name of the key.
		p7.Signers[0].DigestEncryptionAlgorithm.Algorithm = map[cms.OID]asn1.ObjectIdentifier{
			cms.OID(pkcs7.OIDDigestAlgorithmSHA256.String()): pkcs7.OIDDigestAlgorithmECDSASHA256,
			cms.OID(pkcs7.OIDDigestAlgorithmSHA384.String()): pkcs7.OIDDigestAlgorithmECDSASHA384,
			cms.OID(pkcs7.OIDDigestAlgorithmSHA512.String()): pkcs7.OIDDigestAlgorithmECDSASHA512,
		}[sd.Signer.Digest.ID]
	}
	if err := p7.VerifyWithChainAtTime(nil, stamp); err != nil {
		t.Fatalf("we accept what the library refuses: %v\n% x", err, der)
	}
	return true
}

// goodMessages are signatures of many forms that the strict layer accepts.
func goodMessages(t testing.TB) map[string]*vectors.Message {
	t.Helper()
	root := vectors.Issue(t, stamp, "Root", nil)
	leaf := vectors.Issue(t, stamp, "Leaf", root, vectors.CodeSigning)
	rsa := vectors.IssueFor(t, stamp, "RSA", root, vectors.RSA(t, 2048), vectors.CodeSigning)
	tsa := vectors.Issue(t, stamp, "TSA", root, vectors.TimeStamping)
	content := func(h crypto.Hash) []byte {
		return vectors.StyleOf(".ps1").IndirectData(h, make([]byte, h.Size()))
	}
	plain := func() *vectors.Message {
		return vectors.NewMessage(leaf, crypto.SHA256, content(crypto.SHA256), root)
	}
	byKey, stamped, twice := plain(), plain(), plain()
	byKey.SignatureAlgorithm = vectors.Seq(vectors.OID(vectors.OIDECKey))
	stamped.AddUnsigned(
		vectors.TokenAttribute(vectors.Token(t, tsa, stamped.Sign(t), vectors.Stamp{At: stamp})),
		vectors.Countersignature(t, tsa, stamped.Sign(t), vectors.Stamp{At: stamp}),
		vectors.Attribute(vectors.OIDNestedSignature, plain().Build(t)))
	twice.Certificates = append(twice.Certificates, leaf.Cert.Raw...)
	return map[string]*vectors.Message{
		"P-256 with SHA-256":      plain(),
		"P-256 with SHA-384":      vectors.NewMessage(leaf, crypto.SHA384, content(crypto.SHA384)),
		"P-256 with SHA-512":      vectors.NewMessage(leaf, crypto.SHA512, content(crypto.SHA512)),
		"RSA with SHA-256":        vectors.NewMessage(rsa, crypto.SHA256, content(crypto.SHA256), root),
		"RSA with SHA-512":        vectors.NewMessage(rsa, crypto.SHA512, content(crypto.SHA512)),
		"in an OCTET STRING":      plain().Wrap(),
		"ECDSA named by its key":  byKey,
		"with everything beside":  stamped,
		"with the leaf twice":     twice,
		"with a signing time":     plain().AddSigned(vectors.Attribute(vectors.OIDSigningTime, vectors.UTCTime(stamp))),
		"with signed attributes":  plain().AddSigned(vectors.Attribute(vectors.OIDOpusInfo, vectors.Seq())),
		"of a script of the host": vectors.NewMessage(leaf, crypto.SHA256, vectors.StyleOf(".vbs").IndirectData(crypto.SHA256, make([]byte, 32))),
	}
}

func TestTheLibraryAgreesWithWhatWeAccept(t *testing.T) {
	t.Parallel()
	for name, m := range goodMessages(t) {
		if !compare(t, m.Build(t)) {
			_, err := accept(m.Build(t))
			t.Errorf("%s: not accepted: %v", name, err)
		}
	}
	accepted := 0
	for _, der := range vectorSignatures(t) {
		if compare(t, der) {
			accepted++
		}
	}
	t.Logf("%d of %d shared signatures are accepted", accepted, len(vectorSignatures(t)))
}

// TestAnObjectIdentifierThatTheLibraryCannotReadIsMalformed: it ignores the
// error, and then sees no signer at all. Found by FuzzStrictLayerAgainstPKCS7.
func TestAnObjectIdentifierThatTheLibraryCannotReadIsMalformed(t *testing.T) {
	t.Parallel()
	for oid, accepted := range map[string]bool{
		"\x2b\x06\x01\x04\x87\xff\xff\xff\x7f\x0c": true,
		"\x2b\x06\x01\x04\x88\x80\x80\x80\x00\x0c": false,
		"\x2b\x06\x01\x04\xff\xff\xff\xff\x01\x0c": false,
	} {
		m := *goodMessages(t)["P-256 with SHA-256"]
		m.AddUnsigned(vectors.Seq([]byte("\x06\x0a"+oid), vectors.Set(vectors.Seq())))
		if compare(t, m.Build(t)) != accepted {
			t.Errorf("% x: want accepted %t", oid, accepted)
		}
	}
}

// FuzzStrictLayerAgainstPKCS7: what we accept, go.mozilla.org/pkcs7 accepts, with
// the same signer, content and digest. They may differ by our refusing only.
// Bytes that are changed seldom verify; so parts are also put into a message that
// is signed afterwards.
func FuzzStrictLayerAgainstPKCS7(f *testing.F) {
	root := vectors.Issue(f, stamp, "Root", nil)
	leaf := vectors.Issue(f, stamp, "Leaf", root, vectors.CodeSigning)
	plain := vectors.NewMessage(leaf, crypto.SHA256, indirectData(make([]byte, 32)))
	for _, m := range goodMessages(f) {
		f.Add(m.Build(f), []byte{}, m.Unsigned, root.Cert.Raw, m.SignatureAlgorithm, m.Content)
	}
	for _, der := range vectorSignatures(f) {
		f.Add(der, []byte{}, []byte{}, []byte{}, []byte{}, []byte{})
	}
	opus, time := vectors.Attribute(vectors.OIDOpusInfo, vectors.Seq()), vectors.Attribute(vectors.OIDSigningTime, vectors.UTCTime(stamp))
	f.Add([]byte{}, time, vectors.Context(1, opus), leaf.Cert.Raw, plain.SignatureAlgorithm, plain.Content)
	f.Fuzz(func(t *testing.T, der, attributes, unsigned, certificates, algorithm, content []byte) {
		if len(der)+len(attributes)+len(unsigned)+len(certificates)+len(algorithm)+len(content) > maxCompared {
			return
		}
		compare(t, der)
		m := *plain
		if len(content) > 0 {
			var element asn1.RawValue
			_, _ = asn1.Unmarshal(content, &element) // what is no element is digested as nothing
			m.Content, m.Digested = content, append([]byte{}, element.Bytes...)
		}
		if len(algorithm) > 0 {
			m.SignatureAlgorithm = algorithm
		}
		m.Certificates, m.Unsigned = slices.Concat(leaf.Cert.Raw, certificates), unsigned
		m.Attributes = append(m.Standard(), attributes)
		slices.SortFunc(m.Attributes, bytes.Compare)
		compare(t, m.Build(t))
	})
}
