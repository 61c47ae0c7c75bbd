package cms

// Limits of a bag of certificates.
const (
	MaxBagSize         = 8 << 20
	MaxBagCertificates = 2_000
)

// Bag is what a SignedData without a signature holds: the form in which
// certificates are handed around as .p7b and .p7c.
type Bag struct {
	Certificates [][]byte // as DER, unparsed
	CRLs         [][]byte
}

// ParseBag reads a SignedData that signs nothing. It fails with *Error; one with
// a signer, or with content, is no bag: its certificates belong to that signature.
func ParseBag(der []byte) (*Bag, error) {
	sd, err := openSignedData(der, MaxBagSize)
	if err != nil {
		return nil, err
	}
	return parseBag(sd)
}

func parseBag(r *reader) (*Bag, error) {
	r.small("version of SignedData")
	r.next(tagSet, "digestAlgorithms")
	content := read(r.next(tagSequence, "encapContentInfo").body)
	bag := &Bag{}
	var err error
	if r.at(tagContext0) {
		if bag.Certificates, err = elements(r.any().body, "Certificate"); err != nil {
			return nil, err
		}
	}
	if r.at(tagContext1) {
		if bag.CRLs, err = elements(r.any().body, "CertificateList"); err != nil {
			return nil, err
		}
	}
	signers := r.next(tagSet, "signerInfos").body
	if err := r.end("SignedData"); err != nil {
		return nil, err
	}
	if len(signers) > 0 {
		return nil, malformed(0, "a signature, and not a bag of certificates alone")
	}
	if id := content.oid("eContentType"); content.err == nil && id != oidData {
		return nil, malformed(0, "content of type %s in a bag of certificates", id)
	}
	if err := content.end("encapContentInfo of a bag of certificates"); err != nil {
		return nil, err
	}
	return bag, nil
}

// elements takes a list of sequences apart.
func elements(b []byte, what string) ([][]byte, error) {
	var list [][]byte
	for r := read(b); r.more(); {
		if len(list) == MaxBagCertificates {
			return nil, malformed(0, "more than %d of %s", MaxBagCertificates, what)
		}
		list = append(list, r.next(tagSequence, what).full)
		if r.err != nil {
			return nil, r.err
		}
	}
	return list, nil
}
