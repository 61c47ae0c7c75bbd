package main

import (
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// anchorRoom is where a trust store keeps what Key.Anchor returns.
func anchorRoom(key *signer.Key) verifier.Room {
	if key.Kind() == signer.KindOpenPGP {
		return verifier.RoomOpenPGP
	}
	return verifier.RoomX509CA
}

// fileAnchor is the public half of a key for signatures in place and clear-signed
// text. It fails with *signer.KeyError for a key without a certificate.
func fileAnchor(key *signer.Key) (verifier.TrustFile, error) {
	if key.Kind() == signer.KindBare {
		return verifier.TrustFile{}, &signer.KeyError{Source: key.Source(), Msg: "no certificate, which all signatures but Sigstore bundles (--format sigstore) need: give it with --cert FILE: to sign in place PEM with the key's certificate and those above it, to clear-sign its OpenPGP certificate, which writ keys openpgp-cert makes"}
	}
	data, err := key.Anchor()
	return verifier.TrustFile{Store: "self", Room: anchorRoom(key), Name: "key", Data: data}, err
}

// bundleAnchor is the public half of a key for Sigstore bundles.
func bundleAnchor(key *signer.Key) (verifier.TrustFile, error) {
	data, err := key.PublicPEM()
	return verifier.TrustFile{Store: "self", Room: verifier.RoomSigstore, Name: "key.pub", Data: data}, err
}
