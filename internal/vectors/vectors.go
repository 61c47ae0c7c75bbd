// Package vectors makes signed scripts for tests, good ones and hostile ones:
// certificates, signatures, timestamps, revocation lists and the blocks that
// hold them. Every part can be changed before it is signed, also into what no
// signer writes.
//
// It shares no code with what it tests: it has its own DER encoder, its own
// table of script types and its own idea of what is digested, so that a mistake
// in one of the two shows. It reads nothing, promises nothing about what it
// makes, and has no clock; whoever calls it says what time it is. Only tests
// import it.
package vectors

import (
	"crypto"
	_ "crypto/md5"  //nolint:gosec // weak signatures are to be refused
	_ "crypto/sha1" //nolint:gosec // weak signatures are to be refused
	_ "crypto/sha256"
	_ "crypto/sha512"
	"testing"
)

// Object identifiers of what is made here.
const (
	OIDData             = "1.2.840.113549.1.7.1"
	OIDSignedData       = "1.2.840.113549.1.7.2"
	OIDContentType      = "1.2.840.113549.1.9.3"
	OIDMessageDigest    = "1.2.840.113549.1.9.4"
	OIDSigningTime      = "1.2.840.113549.1.9.5"
	OIDCountersignature = "1.2.840.113549.1.9.6"
	OIDTSTInfo          = "1.2.840.113549.1.9.16.1.4"
	OIDSigningCertV2    = "1.2.840.113549.1.9.16.2.47"
	OIDIndirectData     = "1.3.6.1.4.1.311.2.1.4"
	OIDOpusInfo         = "1.3.6.1.4.1.311.2.1.12"
	OIDPEImageData      = "1.3.6.1.4.1.311.2.1.15"
	OIDSipInfo          = "1.3.6.1.4.1.311.2.1.30"
	OIDNestedSignature  = "1.3.6.1.4.1.311.2.4.1"
	OIDTimestamp        = "1.3.6.1.4.1.311.3.3.1"

	OIDRSA         = "1.2.840.113549.1.1.1"
	OIDPSS         = "1.2.840.113549.1.1.10"
	OIDECKey       = "1.2.840.10045.2.1"
	OIDECDSASHA256 = "1.2.840.10045.4.3.2"
)

var digestOIDs = map[crypto.Hash]string{
	crypto.MD5:    "1.2.840.113549.2.5",
	crypto.SHA1:   "1.3.14.3.2.26",
	crypto.SHA256: "2.16.840.1.101.3.4.2.1",
	crypto.SHA384: "2.16.840.1.101.3.4.2.2",
	crypto.SHA512: "2.16.840.1.101.3.4.2.3",
}

var ecdsaOIDs = map[crypto.Hash]string{
	crypto.SHA1:   "1.2.840.10045.4.1",
	crypto.SHA256: OIDECDSASHA256,
	crypto.SHA384: "1.2.840.10045.4.3.3",
	crypto.SHA512: "1.2.840.10045.4.3.4",
}

// Sum is the digest of the parts, one behind the other.
func Sum(h crypto.Hash, parts ...[]byte) []byte {
	w := h.New()
	for _, p := range parts {
		w.Write(p)
	}
	return w.Sum(nil)
}

func must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}
