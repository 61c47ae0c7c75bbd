package main

import (
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// anchor is the public half of the key, in the room of a trust store that the format
// chosen looks into.
func (o *signOptions) anchor(key *signer.Key) (verifier.TrustFile, error) {
	if o.signsBundle() {
		data, err := key.PublicPEM()
		return verifier.TrustFile{Store: "self", Room: verifier.RoomSigstore, Name: "key.pub", Data: data}, err
	}
	data, err := key.Anchor()
	return verifier.TrustFile{Store: "self", Room: anchorRoom(key), Name: "key", Data: data}, err
}
