package anchors

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/internal/strictjson"
	"github.com/runwrit/writ/verifier"
)

// maxTrustedRoot is the largest trusted root in bytes; that of the public Sigstore
// has 7 KiB.
const maxTrustedRoot = 4 << 20

const trustedRootType = "application/vnd.dev.sigstore.trustedroot"

// publicKey says what a public key is: it signs Sigstore bundles and nothing
// else, as there is no certificate that says more.
func (r *reader) publicKey(der []byte) Anchor {
	a := Anchor{Kind: KindSigstoreKey, ID: digestID("sigstore-key", der), Name: "a public key", data: der}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		a.Why = "a public key that cannot be read"
		return a
	}
	a.Algorithm = cms.KeyAlgorithm(public)
	written, err := x509.MarshalPKIXPublicKey(public)
	switch room := r.options.Room; {
	case cms.CheckKey(public) != nil:
		a.Why = "a public key that writ cannot use: RSA, P-256 and P-384 count"
	case err != nil || !bytes.Equal(written, der):
		a.Why = "a public key that is not written as usual: write it again (openssl pkey -pubin)"
	case room != "" && room != verifier.RoomSigstore:
		a.Why = fmt.Sprintf("a public key does not belong into the room %s", room)
	default:
		a.Room = verifier.RoomSigstore
	}
	if cms.WeakKey(public) {
		a.Doubt = "the key is too short: what it signs is weak"
	}
	return a
}

// trustedRoot takes a file for a trusted root of Sigstore by what it says of itself;
// the format reads it when the trust store is judged.
func (r *reader) trustedRoot(data []byte) error {
	r.found.Form = "a JSON file"
	if err := strictjson.Check(data, maxTrustedRoot); err != nil {
		return err
	}
	var head struct {
		MediaType string `json:"mediaType"`
	}
	if err := json.Unmarshal(data, &head); err != nil || !strings.HasPrefix(head.MediaType, trustedRootType) {
		return errors.New("JSON, and no trusted root of Sigstore")
	}
	a := Anchor{Kind: KindSigstoreRoot, Room: verifier.RoomSigstore, ID: digestID("sha256", data), Name: "a trusted root of Sigstore", data: data}
	if room := r.options.Room; room != "" && room != verifier.RoomSigstore {
		a.Room, a.Why = "", fmt.Sprintf("a trusted root does not belong into the room %s", room)
	}
	return r.keep(a)
}
