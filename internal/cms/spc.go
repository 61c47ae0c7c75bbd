package cms

// Object identifiers of Authenticode.
const (
	OIDIndirectData    OID = "1.3.6.1.4.1.311.2.1.4"
	OIDSipInfo         OID = "1.3.6.1.4.1.311.2.1.30"
	OIDOpusInfo        OID = "1.3.6.1.4.1.311.2.1.12"
	OIDStatementType   OID = "1.3.6.1.4.1.311.2.1.11"
	OIDNestedSignature OID = "1.3.6.1.4.1.311.2.4.1"
	OIDTimestamp       OID = "1.3.6.1.4.1.311.3.3.1" // an RFC 3161 token
	OIDCountersign     OID = "1.2.840.113549.1.9.6"  // the legacy timestamp
)

// IndirectData is the content of an Authenticode signature of a script: its
// digest, and which kind of file was signed, by the GUID, as on the wire, and the
// version of the subject interface package (SIP) that made it.
type IndirectData struct {
	SIP     [16]byte
	Version int
	Digest  Algorithm
	Sum     []byte
}

// ParseIndirectData reads SpcIndirectDataContent with an SpcSipInfo. It fails
// with *Error, also where the signer's digest algorithm is not the one inside.
func (s *SignedData) ParseIndirectData() (*IndirectData, error) {
	if s.ContentType != OIDIndirectData {
		return nil, malformed(0, "content of type %s is not a signed file's digest", s.ContentType)
	}
	d := &IndirectData{}
	outer := read(s.Content)
	r := read(outer.next(tagSequence, "SpcIndirectDataContent").body)
	data := read(r.next(tagSequence, "data").body)
	info := read(r.next(tagSequence, "messageDigest").body)
	if err := r.end("SpcIndirectDataContent"); err != nil {
		return nil, err
	}
	if id := data.oid("type"); data.err == nil && id != OIDSipInfo {
		return nil, malformed(0, "data type %s is not that of a script", id)
	}
	sip := data.next(tagSequence, "SpcSipInfo")
	if err := data.end("data"); err != nil {
		return nil, err
	}
	if err := d.parseSIP(sip); err != nil {
		return nil, err
	}
	var err error
	if d.Digest, err = parseAlgorithm(info.next(tagSequence, "digestAlgorithm")); err != nil {
		return nil, err
	}
	d.Sum = info.next(tagOctetString, "digest").body
	if err := info.end("DigestInfo"); err != nil {
		return nil, err
	}
	if d.Digest.ID != s.Signer.Digest.ID || !d.Digest.plain() {
		return nil, malformed(0, "the file's digest is %s, the signer's %s", d.Digest.ID, s.Signer.Digest.ID)
	}
	if alg, ok := DigestOf(d.Digest); ok && len(d.Sum) != alg.Hash.Size() {
		return nil, malformed(0, "a %s digest of %d bytes", alg.Name, len(d.Sum))
	}
	return d, nil
}

func (d *IndirectData) parseSIP(e element) error {
	r := read(e.body)
	d.Version = r.small("version of SpcSipInfo")
	guid := r.next(tagOctetString, "GUID").body
	for range 5 {
		if v := r.small("reserved field of SpcSipInfo"); r.err == nil && v != 0 {
			return malformed(0, "a reserved field of SpcSipInfo is %d", v)
		}
	}
	if err := r.end("SpcSipInfo"); err != nil {
		return err
	}
	if len(guid) != len(d.SIP) {
		return malformed(0, "a GUID of %d bytes", len(guid))
	}
	copy(d.SIP[:], guid)
	return nil
}
