package anchors

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/runwrit/writ/verifier"
)

// Surroundings are what else is in the store that an anchor is added to, with
// everything that is added together with it.
type Surroundings struct {
	// Pinned are the rooms for pins that the store has.
	Pinned map[verifier.Room]bool
	// Authorities are the certificates in its x509-ca.
	Authorities []*x509.Certificate
}

// Effect says whom the store trusts by an anchor.
func (a Anchor) Effect(s Surroundings) string {
	until := ""
	if !a.NotAfter.IsZero() {
		until = ", until " + a.NotAfter.Format(time.DateOnly)
	}
	if a.Doubt != "" {
		until += "; but " + a.Doubt
	}
	switch {
	case a.Room == "":
		return "nobody: it cannot be added"
	case a.Kind == KindCRL:
		return fmt.Sprintf("nobody: it takes trust from %d certificates of %s, in all stores; where a store requires that revocation is known, it speaks for the others", a.revokes, a.Name)
	case a.Kind == KindRevocation:
		return "nobody: it takes trust from the certificates that it revokes, in all stores"
	case a.Kind == KindSigstoreKey:
		return "whoever has the key of " + a.ID + ", for Sigstore bundles"
	case a.Kind == KindSigstoreRoot:
		return "those whom its sigstore-identities list, where this Sigstore vouches for them"
	case a.Room == verifier.RoomTSA && !a.selfRun:
		return "nobody by itself: it completes chains of timestamp authorities, in all stores"
	case a.Room == verifier.RoomTSA:
		return "timestamps by " + a.Name + " and all whom it certifies, in all stores" + until
	case a.Room == verifier.RoomOpenPGP:
		return "whatever " + a.Name + " signs" + pinned(s, verifier.RoomOpenPGPPins) + until
	case !a.selfRun:
		return a.completes(s)
	case a.ca:
		return "everybody whom " + a.Name + " certifies for code signing, directly or through others" + pinned(s, verifier.RoomX509Pins) + until
	}
	return "whatever " + a.Name + " signs, by this certificate alone" + pinned(s, verifier.RoomX509Pins) + until
}

// completes says of an authority that is no root what it is good for.
func (a Anchor) completes(s Surroundings) string {
	for _, root := range s.Authorities {
		if bytes.Equal(root.RawSubject, a.cert.RawIssuer) && a.cert.CheckSignatureFrom(root) == nil {
			return "nobody whom " + root.Subject.String() + " does not vouch for: it completes chains that lead there"
		}
	}
	return "nobody: it completes chains, and the authority above it, " + a.cert.Issuer.String() + ", is not in the store"
}

func pinned(s Surroundings, room verifier.Room) string {
	if !s.Pinned[room] {
		return ""
	}
	return ", of those only whom the pins of the store name"
}
