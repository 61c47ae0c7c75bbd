//go:build !nosigstore

package format

import (
	"bytes"
	"encoding/base64"
	"encoding/json"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// maxForeign is more than what is signed elsewhere has.
const maxForeign = 1 << 20

// foreign holds for bytes that are exactly what is signed for another purpose: one
// value of ASN.1, as the attributes of an Authenticode signature, a certificate or a
// timestamp are, or the two parts of a JSON Web Signature, as a policy has it. The
// value of a signature over such a file, taken out of its bundle, would be good
// there, if the key is: whoever has a file signed would have a program or a policy
// signed that nobody has seen.
func foreign(data []byte) bool {
	if len(data) > maxForeign {
		return false
	}
	return isOneASN1(data) || isSigningInput(data)
}

func isOneASN1(data []byte) bool {
	var tag asn1.Tag
	rest, value := cryptobyte.String(data), cryptobyte.String(nil)
	return rest.ReadAnyASN1(&value, &tag) && rest.Empty() && (tag == asn1.SEQUENCE || tag == asn1.SET)
}

func isSigningInput(data []byte) bool {
	header, payload, found := bytes.Cut(data, []byte("."))
	if !found || bytes.ContainsAny(payload, ". \r\n") {
		return false
	}
	text, err := base64.RawURLEncoding.DecodeString(string(header))
	var fields map[string]json.RawMessage
	return err == nil && json.Unmarshal(text, &fields) == nil && fields["alg"] != nil
}
