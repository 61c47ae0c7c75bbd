package cms

import (
	"bytes"
	"slices"
)

func (s *SignedData) parseSigner(b []byte) error {
	r := read(b)
	if v := r.small("version of SignerInfo"); r.err == nil && v != 1 {
		return malformed(0, "version %d of SignerInfo: want 1, issuer and serial number", v)
	}
	sid := read(r.next(tagSequence, "issuerAndSerialNumber").body)
	digest := r.next(tagSequence, "digestAlgorithm")
	attributes := r.next(tagContext0, "signedAttrs, without which a signature can be moved to other content,")
	signature := r.next(tagSequence, "signatureAlgorithm")
	s.Signer.Value = r.next(tagOctetString, "signature").body
	var unsigned []byte
	if r.at(tagContext1) {
		if unsigned = r.any().body; len(unsigned) == 0 {
			return malformed(0, "unsignedAttrs without an attribute")
		}
	}
	if err := r.end("SignerInfo"); err != nil {
		return err
	}
	s.Signer.Issuer = sid.next(tagSequence, "issuer").full
	s.Signer.Serial = signed(sid.next(tagInteger, "serialNumber").body)
	if err := sid.end("issuerAndSerialNumber"); err != nil {
		return err
	}
	var err error
	if s.Signer.Digest, err = parseAlgorithm(digest); err != nil {
		return err
	}
	if s.Signer.Signature, err = parseAlgorithm(signature); err != nil {
		return err
	}
	if s.Signer.Unsigned, err = parseAttributes(unsigned, false); err != nil {
		return err
	}
	if s.Signer.Signed, err = parseAttributes(attributes.body, true); err != nil {
		return err
	}
	// The digest is made over a SET, although the file has a context tag there:
	// RFC 5652, 5.4.
	s.Signer.signedDER = bytes.Clone(attributes.full)
	s.Signer.signedDER[0] = tagSet
	return s.bindContent()
}

// parseAttributes reads a SET OF Attribute. Signed ones must be in DER order,
// since the digest is over the DER: signers that differ make signatures which
// verify with some tools only. No type may come twice there, for then tools
// differ in which one they take.
func parseAttributes(b []byte, signedOnes bool) ([]Attribute, error) {
	var list []Attribute
	var last []byte
	for r := read(b); r.more(); {
		e := r.next(tagSequence, "Attribute")
		if r.err != nil {
			return nil, r.err
		}
		if len(list) == MaxAttributes {
			return nil, malformed(0, "more than %d attributes", MaxAttributes)
		}
		a, err := parseAttribute(e)
		if err != nil {
			return nil, err
		}
		if signedOnes && slices.ContainsFunc(list, func(o Attribute) bool { return o.Type == a.Type }) {
			return nil, malformed(0, "signed attribute %s comes twice", a.Type)
		}
		if signedOnes && bytes.Compare(last, e.full) > 0 {
			return nil, malformed(0, "the signed attributes are not in DER order")
		}
		last = e.full
		list = append(list, a)
	}
	return list, nil
}

func parseAttribute(e element) (Attribute, error) {
	r := read(e.body)
	a := Attribute{Type: r.oid("attribute type"), Size: len(e.full)}
	values := read(r.next(tagSet, "attribute values").body)
	if err := r.end("Attribute"); err != nil {
		return a, err
	}
	for values.more() {
		if len(a.Values) == MaxAttributes {
			return a, malformed(0, "attribute %s has more than %d values", a.Type, MaxAttributes)
		}
		a.Values = append(a.Values, values.any().full)
	}
	return a, values.err
}

// bindContent reads the signed attributes that tie the signature to the content:
// both must be there, once, with one value.
func (s *SignedData) bindContent() error {
	contentType, err := s.Signer.single(OIDContentType, tagOID, "content-type")
	if err != nil {
		return err
	}
	if id, _ := parseOID(contentType.body); s.ContentType == "" {
		s.ContentType = id // a countersignature has nowhere else to say it
	} else if id != s.ContentType {
		return malformed(0, "the content is of type %s, the signed attribute says %s", s.ContentType, id)
	}
	digest, err := s.Signer.single(OIDMessageDigest, tagOctetString, "message-digest")
	if err != nil {
		return err
	}
	s.Signer.MessageDigest = digest.body
	if a, ok := s.Signer.SignedAttribute(OIDSigningTime); ok {
		var valid bool
		if len(a.Values) == 1 {
			s.Signer.SigningTime, valid = parseTime(read(a.Values[0]).any())
		}
		if !valid {
			return malformed(0, "the signing-time attribute is not one time in DER")
		}
	}
	return nil
}

func (s *Signer) single(id OID, tag byte, what string) (element, error) {
	a, ok := s.SignedAttribute(id)
	if !ok {
		return element{}, malformed(0, "the signed attribute %s is missing", what)
	}
	if len(a.Values) != 1 || a.Values[0][0] != tag {
		return element{}, malformed(0, "the signed attribute %s is not one value of its type", what)
	}
	return read(a.Values[0]).any(), nil
}
