package cms

// Limits of a catalog.
const (
	// MaxCatalogSize is the largest catalog in bytes.
	MaxCatalogSize = 8 << 20
	// MaxCatalogMembers is how many files a catalog may list.
	MaxCatalogMembers = 50_000
)

// Object identifiers of a Windows security catalog, which is a certificate trust
// list of files.
const (
	OIDTrustList      OID = "1.3.6.1.4.1.311.10.1"
	oidCatalogList    OID = "1.3.6.1.4.1.311.12.1.1"
	oidCatalogMember  OID = "1.3.6.1.4.1.311.12.1.2"
	oidCatalogMember2 OID = "1.3.6.1.4.1.311.12.1.3"
	// OIDFlatFile is the data type of a member whose digest is that of its bytes.
	OIDFlatFile OID = "1.3.6.1.4.1.311.2.1.25"
)

// CatalogMember is one file that a catalog lists.
type CatalogMember struct {
	// Data says what kind of file the digest is of: OIDFlatFile, OIDSipInfo, or
	// one that this package does not know.
	Data OID
	// SIP and Version are those of the SpcSipInfo of an OIDSipInfo.
	SIP     [16]byte
	Version int
	Digest  Algorithm
	Sum     []byte
}

// ParseCatalog reads a signed catalog and the members that it lists with a
// digest. It fails with *Error, whatever the bytes are. The tags, names and
// attributes of members are not handed out: only the digest says which file it
// is.
func ParseCatalog(der []byte) (*SignedData, []CatalogMember, error) {
	s, err := parse(der, form{content: (*SignedData).parseContent, limit: MaxCatalogSize})
	if err != nil {
		return nil, nil, err
	}
	if s.ContentType != OIDTrustList || s.Wrapped {
		return nil, nil, malformed(0, "content of type %s is not a catalog", s.ContentType)
	}
	r := read(read(s.Content).next(tagSequence, "CertificateTrustList").body)
	usage := read(r.next(tagSequence, "subjectUsage").body)
	if id := usage.oid("subjectUsage"); usage.err == nil && id != oidCatalogList {
		return nil, nil, malformed(0, "a trust list for %s is not a catalog", id)
	}
	if err := usage.end("subjectUsage"); err != nil {
		return nil, nil, err
	}
	if r.at(tagOctetString) {
		r.any() // listIdentifier
	}
	if r.at(tagInteger) {
		r.any() // sequenceNumber
	}
	made := r.at(tagUTCTime) || r.at(tagGenTime)
	if _, ok := parseTime(r.any()); !made || !ok {
		return nil, nil, malformed(0, "the catalog has no time")
	}
	if r.at(tagUTCTime) || r.at(tagGenTime) {
		return nil, nil, malformed(0, "a catalog that ends at a time of its own is not supported")
	}
	alg, err := parseAlgorithm(r.next(tagSequence, "subjectAlgorithm"))
	if err != nil {
		return nil, nil, err
	}
	if alg.ID != oidCatalogMember && alg.ID != oidCatalogMember2 || !alg.plain() {
		return nil, nil, malformed(0, "members of type %s are not those of a catalog", alg.ID)
	}
	var subjects []byte
	if r.at(tagSequence) {
		subjects = r.any().body
	}
	if r.at(tagContext0) {
		r.any() // extensions: names and values for people
	}
	if err := r.end("CertificateTrustList"); err != nil {
		return nil, nil, err
	}
	members, err := parseMembers(subjects)
	return s, members, err
}

func parseMembers(b []byte) ([]CatalogMember, error) {
	var members []CatalogMember
	count := 0
	for r := read(b); r.more(); {
		if count++; count > MaxCatalogMembers {
			return nil, malformed(0, "more than %d members", MaxCatalogMembers)
		}
		subject := read(r.next(tagSequence, "TrustedSubject").body)
		subject.next(tagOctetString, "subjectIdentifier")
		var attributes []byte
		if subject.at(tagSet) {
			attributes = subject.any().body
		}
		if err := subject.end("TrustedSubject"); err != nil {
			return nil, err
		}
		list, err := parseAttributes(attributes, false)
		if err != nil {
			return nil, err
		}
		m, err := parseMember(list)
		if err != nil {
			return nil, err
		}
		if m != nil {
			members = append(members, *m)
		}
	}
	return members, nil
}

// parseMember is nil for a member without a digest.
func parseMember(list []Attribute) (*CatalogMember, error) {
	var found *CatalogMember
	for _, a := range list {
		if a.Type != OIDIndirectData {
			continue
		}
		if found != nil || len(a.Values) != 1 {
			return nil, malformed(0, "a member with more or less than one digest")
		}
		var err error
		if found, err = parseMemberDigest(a.Values[0]); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func parseMemberDigest(b []byte) (*CatalogMember, error) {
	m := &CatalogMember{}
	outer := read(b)
	r := read(outer.next(tagSequence, "SpcIndirectDataContent").body)
	data := read(r.next(tagSequence, "data").body)
	info := read(r.next(tagSequence, "messageDigest").body)
	if err := r.end("SpcIndirectDataContent"); err != nil {
		return nil, err
	}
	m.Data = data.oid("type")
	if m.Data == OIDSipInfo {
		d := &IndirectData{}
		if err := d.parseSIP(data.next(tagSequence, "SpcSipInfo")); err != nil {
			return nil, err
		}
		m.SIP, m.Version = d.SIP, d.Version
	} else if data.more() {
		data.any()
	}
	if err := data.end("data"); err != nil {
		return nil, err
	}
	var err error
	if m.Digest, err = parseAlgorithm(info.next(tagSequence, "digestAlgorithm")); err != nil {
		return nil, err
	}
	m.Sum = info.next(tagOctetString, "digest").body
	if err := info.end("DigestInfo"); err != nil {
		return nil, err
	}
	if alg, ok := DigestOf(m.Digest); ok && len(m.Sum) != alg.Hash.Size() {
		return nil, malformed(0, "a %s digest of %d bytes", alg.Name, len(m.Sum))
	}
	return m, nil
}
