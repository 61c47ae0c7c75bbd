package cms

import (
	"crypto"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"
)

// timestampRequest is the TimeStampReq of RFC 3161, 2.4.1.
type timestampRequest struct {
	Version        int
	MessageImprint struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	Nonce   *big.Int
	CertReq bool
}

// TimestampRequest asks for a token over the SHA-256 digest of value, with the
// certificate of the authority in it.
func TimestampRequest(value []byte, nonce *big.Int) ([]byte, error) {
	r := timestampRequest{Version: 1, Nonce: nonce, CertReq: true}
	h := crypto.SHA256.New()
	h.Write(value)
	r.MessageImprint.Digest = h.Sum(nil)
	r.MessageImprint.Algorithm = pkix.AlgorithmIdentifier{
		Algorithm: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, Parameters: asn1.NullRawValue,
	}
	return asn1.Marshal(r)
}

// RefusedError says that a timestamp authority gave no token.
type RefusedError struct {
	Status int    // a PKIStatus of RFC 3161
	Text   string // the authority's own words
}

func (e *RefusedError) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("the authority refuses, with status %d", e.Status)
	}
	return fmt.Sprintf("the authority refuses, with status %d: %s", e.Status, e.Text)
}

// maxRefusal is how many bytes of an authority's own words are kept.
const maxRefusal = 200

// ParseTimestampResponse returns the token of a TimeStampResp. It fails with
// *RefusedError or *Error.
func ParseTimestampResponse(der []byte) ([]byte, error) {
	if err := walk(der); err != nil {
		return nil, err
	}
	outer := read(der)
	r := read(outer.next(tagSequence, "TimeStampResp").body)
	info := read(r.next(tagSequence, "PKIStatusInfo").body)
	status := info.small("status")
	var words []string
	if info.at(tagSequence) {
		for texts := read(info.any().body); texts.more(); {
			words = append(words, string(texts.any().body))
		}
	}
	if info.at(tagBitString) {
		info.any() // the reason as a number: the text says more
	}
	if err := info.end("PKIStatusInfo"); err != nil {
		return nil, err
	}
	if outer.err != nil || r.err != nil {
		return nil, malformed(0, "not a TimeStampResp")
	}
	if status != 0 && status != 1 { // granted, granted with modifications
		text := strings.Join(words, " ")
		return nil, &RefusedError{Status: status, Text: strings.ToValidUTF8(text[:min(len(text), maxRefusal)], "")}
	}
	token := r.next(tagSequence, "timeStampToken").full
	return token, r.end("TimeStampResp")
}
