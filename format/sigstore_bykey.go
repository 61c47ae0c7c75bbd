//go:build !nosigstore

package format

import (
	"path"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/runwrit/writ/verifier"
)

// byKey judges a bundle that a key made. A public key in the trust store is enough,
// unless the store wants the signature logged too.
func (x *sigstoreExam) byKey() verifier.Signature {
	var outcomes []verifier.Signature
	for _, store := range x.stores {
		for _, key := range store.named(x.b.hint) {
			// A hint of an unusual form names nobody: then only a key that fits counts.
			if signedBy(key.public, x.b) || key.hint() == x.b.hint {
				outcomes = append(outcomes, x.again().under(store, key))
			}
		}
	}
	if len(outcomes) > 0 {
		return best(outcomes)
	}
	const unread = "not checked: the signer's key is not known"
	return x.with(
		verifier.Check{ID: verifier.CheckSignature, Status: verifier.StatusUnknown, Detail: unread},
		verifier.Failed(verifier.CheckTrust, "no store has the public key that made the bundle, which it names %q", x.b.hint))
}

// under judges the bundle under one key of one store.
func (x *sigstoreExam) under(store *sigstoreStore, key *sigstoreKey) verifier.Signature {
	x.bySigner(key.public)
	x.out.Signer.IDs = []string{"sigstore-key:" + key.hex()}
	x.out.Signer.Display = path.Base(key.file)
	x.note(verifier.Passed(verifier.CheckTrust, "its public key is in %s%s", key.file, store.where()))
	x.note(x.denial("sigstore-key:"+key.hex(), "x509-spki:"+key.hex()))
	logged := store.rules.Log == verifier.LogAll
	if logged {
		x.note(x.keyLogged(store, key))
	}
	if x.failed {
		return x.out
	}
	x.out.TrustStore = store.name
	var err error
	if !logged { // where it was, the library has been asked about all of it already
		err = x.verifyKey(nil, key)
	}
	return x.with(libraryOpinion(err))
}

// keyLogged says whether one of the store's trusted roots finds the signature in
// its log.
func (x *sigstoreExam) keyLogged(store *sigstoreStore, key *sigstoreKey) verifier.Check {
	if len(store.roots) == 0 {
		return verifier.Failed(verifier.CheckTransparency, "the store%s wants signatures logged and has no trusted root that names a log", store.where())
	}
	var err error
	for _, r := range store.roots {
		if err = x.verifyKey(r, key); err == nil {
			return verifier.Passed(verifier.CheckTransparency, "the signature stands in a log of %s", r.file)
		}
	}
	return verifier.Failed(verifier.CheckTransparency, "the signature stands in no log of the store%s: %v", store.where(), err)
}

// verifyKey asks the library; with a trusted root, also about its log.
func (x *sigstoreExam) verifyKey(logs root.TrustedMaterial, key *sigstoreKey) error {
	loaded, err := signature.LoadVerifier(key.public, x.b.hash)
	if err != nil {
		return err
	}
	expiring := root.NewExpiringKey(loaded, time.Time{}, time.Time{})
	material := root.TrustedMaterialCollection{root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return expiring, nil
	})}
	options := []verify.VerifierOption{verify.WithNoObserverTimestamps()}
	if logs != nil {
		material = append(material, logs)
		options = append(options, verify.WithTransparencyLog(1))
	}
	v, err := verify.NewVerifier(material, options...)
	if err != nil {
		return err
	}
	_, err = v.Verify(x.b, x.policy())
	return err
}
