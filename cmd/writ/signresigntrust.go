package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/resign"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

func (a *app) newResigner(ctx context.Context, o *signOptions) (*resigner, error) {
	before, err := o.resign.time()
	if err != nil {
		return nil, err
	}
	old, files, err := o.oldSigner()
	if err != nil {
		return nil, err
	}
	o.resign.id = old.IDs[0]
	s := &resigner{o: o, rules: resign.Rules{Old: old.IDs, Before: before, Replace: o.replace}}
	if old.OpenPGP && !before.IsZero() {
		return nil, usagef("--signed-before: clear-signed text has no place for a timestamp, so that nothing proves its age")
	}
	if o.trust.given() {
		trust, err := o.trust.load(false)
		if err != nil {
			return nil, err
		}
		files = append(files, trust.All()...)
	} else if files, err = o.timestampAnchors(files); err != nil {
		return nil, err
	}
	files = addOldKey(files, old.Public)
	if o.key != "" {
		if files, err = s.open(ctx, a, files); err != nil {
			return nil, err
		}
	}
	if s.inspector, err = a.inspectorOf(files, verifyFormats()); err != nil {
		return nil, err
	}
	return s, s.openManifests(ctx, a, files)
}

// openManifests finds the key that manifests are signed anew with, and judges of them:
// of those by the old signer the new key, of others the key that signed them, with
// --manifest-key.
func (s *resigner) openManifests(ctx context.Context, a *app, files []verifier.TrustFile) error {
	m := &s.manifests
	m.rules = resign.Rules{Old: s.rules.Old, Replace: s.o.replace}
	documents := []verifier.Format{format.NewManifestDocument()}
	switch isPGP := strings.HasPrefix(s.o.resign.id, "openpgp:"); {
	case s.o.resign.manifestKey != "" && isPGP:
		return usagef("--manifest-key is for X.509 and bare keys: manifests by %s are signed anew with --key", s.o.resign.id)
	case isPGP:
		m.key = s.key
	case s.o.resign.manifestKey != "":
		second := *s.o
		second.key, second.cert = s.o.resign.manifestKey, ""
		var err error
		if m.key, err = a.openOne(ctx, &second); err != nil {
			return err
		}
		if m.key.Kind() != signer.KindOpenPGP {
			return usagef("--manifest-key: a manifest is signed with an OpenPGP key, and %s is another", s.o.resign.manifestKey)
		}
	}
	if m.key != nil {
		anchor, err := fileAnchor(m.key)
		if err != nil {
			return err
		}
		own := []verifier.TrustFile{anchor}
		for _, f := range files {
			if f.Room == verifier.RoomDeny {
				own = append(own, f)
			}
		}
		anchor.Store = "new key"
		files = append(files, anchor)
		m.rules.New = m.key.IDs()
		trust, err := verifier.NewTrust(own...)
		if err != nil {
			return noAnswer(err)
		}
		if m.self, err = verifier.New(trust, verifier.Options{Formats: documents}); err != nil {
			return noAnswer(err)
		}
	}
	var err error
	m.inspector, err = a.inspectorOf(files, documents)
	return err
}

// timestampAnchors adds the authorities of --tsa, where no other trust is given.
func (o *signOptions) timestampAnchors(files []verifier.TrustFile) ([]verifier.TrustFile, error) {
	tsas, err := o.timestamp.anchors(o.trust.tsas)
	return append(files, tsas...), err
}

// oldSigner returns who the old signer is, and the certificate that a verifier needs
// to check OpenPGP signatures.
func (o *signOptions) oldSigner() (resign.Certificate, []verifier.TrustFile, error) {
	old := o.resign.old
	if resign.IsID(old) {
		kind, _, _ := strings.Cut(old, ":")
		switch {
		case o.trust.given():
		case kind == "openpgp":
			return resign.Certificate{}, nil, usagef("an OpenPGP signature cannot be checked without the certificate: --if-signer FILE, --keyring FILE or --trust DIR")
		case kind == "sigstore-key":
			return resign.Certificate{}, nil, usagef("a Sigstore bundle by a key cannot be checked without the public key: --if-signer FILE or --trust DIR")
		case kind == "sigstore":
			return resign.Certificate{}, nil, usagef("a Sigstore bundle by an identity cannot be checked without a trusted root: --trust DIR")
		}
		return resign.Certificate{IDs: resign.IDs(old), OpenPGP: kind == "openpgp"}, nil, nil
	}
	if _, err := os.Stat(old); errors.Is(err, fs.ErrNotExist) {
		return resign.Certificate{}, nil, usagef("--if-signer %q is neither a file nor an ID of one signer, such as x509-sha256:, x509-spki:, sigstore-key: or openpgp: with its digest, or sigstore:ISSUER|NAME", old)
	}
	file, err := verifier.ReadTrustFile(old, verifier.RoomOpenPGP, verifier.TrustOptions{})
	if err != nil {
		return resign.Certificate{}, nil, noAnswer(err)
	}
	c, err := resign.ReadCertificate(old, file.Data)
	if err != nil {
		return c, nil, usageError{err}
	}
	if !c.OpenPGP {
		return c, nil, nil
	}
	return c, []verifier.TrustFile{file}, nil
}

// addOldKey adds the public key of the old signer, to check bundles with. Where a
// store has it, the rules of that store hold.
func addOldKey(files []verifier.TrustFile, public []byte) []verifier.TrustFile {
	key := verifier.TrustFile{Store: "old signer", Room: verifier.RoomSigstore, Name: "old.pub", Data: public}
	if len(public) == 0 || !checksBundles(key) {
		return files
	}
	block, _ := pem.Decode(public)
	for _, f := range files {
		if f.Room != verifier.RoomSigstore {
			continue
		}
		for b, rest := pem.Decode(f.Data); b != nil; b, rest = pem.Decode(rest) {
			if bytes.Equal(b.Bytes, block.Bytes) {
				return files
			}
		}
	}
	return append(files, key)
}

// checksBundles says whether the public key can be that of a bundle: not every
// algorithm, and none in a build without Sigstore.
func checksBundles(key verifier.TrustFile) bool {
	trust, err := verifier.NewTrust(key)
	if err != nil {
		return false
	}
	_, err = newVerifier(trust, nil)
	return err == nil
}

// open opens the new key, and adds its own public half to the trust.
func (s *resigner) open(ctx context.Context, a *app, files []verifier.TrustFile) ([]verifier.TrustFile, error) {
	key, err := a.openOne(ctx, s.o)
	if err != nil {
		return nil, err
	}
	if err := s.fits(key); err != nil {
		return nil, err
	}
	if err := s.o.timestamp.open(a); err != nil {
		return nil, err
	}
	own, err := s.anchors(key)
	if err != nil {
		return nil, err
	}
	s.key, s.rules.New = key, key.IDs()
	// A key may get another certificate: the bundles that it made stay its own.
	s.rules.Old = slices.DeleteFunc(s.rules.Old, func(id string) bool { return slices.Contains(key.IDs(), id) })
	for _, f := range own {
		f.Store = "new key" // no rules of the user's stores are about it
		files = append(files, f)
	}
	for _, f := range files { // what is denied stays denied, whoever signs it
		if f.Room == verifier.RoomDeny {
			own = append(own, f)
		}
	}
	tsas, err := s.o.timestamp.anchors(s.o.trust.tsas)
	if err != nil {
		return nil, err
	}
	self, err := verifier.NewTrust(append(own, tsas...)...)
	if err != nil {
		return nil, noAnswer(err)
	}
	if s.self, err = newVerifier(self, nil); err != nil {
		return nil, noAnswer(err)
	}
	verify := verifyBy(s.self, claimOptions{})
	if s.verify, err = s.o.wantStamped(verify, self); err != nil {
		return nil, err
	}
	s.verifyBundle, err = s.o.wantEvidence(verify, self)
	return files, err
}

// fits refuses a key that cannot sign anew what the old signer has signed.
func (s *resigner) fits(key *signer.Key) error {
	switch old := s.rules.Old[0]; {
	case slices.Contains(key.IDs(), old): // by its certificate, or by its public key
		return usagef("the key is that of %s itself: to sign anew with the same key, use --force", old)
	case (key.Kind() == signer.KindOpenPGP) != strings.HasPrefix(old, "openpgp:"):
		return usagef("the format of each file is kept, and the key cannot make signatures of the kind of %s", old)
	}
	return s.o.timestamp.fitsKey(key)
}

// anchors are the public halves of the new key, for each format that it can sign in.
func (s *resigner) anchors(key *signer.Key) (own []verifier.TrustFile, err error) {
	if key.Kind() != signer.KindBare {
		file, err := fileAnchor(key)
		if err != nil {
			return nil, err
		}
		own, s.inPlace = append(own, file), true
	}
	if key.Kind() != signer.KindOpenPGP {
		file, err := bundleAnchor(key)
		if err != nil {
			return nil, err
		}
		if s.bundles = checksBundles(file); s.bundles {
			own = append(own, file)
		}
	}
	if len(own) == 0 {
		return nil, &signer.KeyError{Source: key.Source(), Msg: "it can neither sign in place nor make Sigstore bundles"}
	}
	return own, nil
}

// inspectorOf judges by these files, or without any trust where no signer is among
// them.
func (a *app) inspectorOf(files []verifier.TrustFile, formats []verifier.Format) (audit.Inspector, error) {
	trust, err := verifier.NewTrust(files...)
	if err != nil {
		return nil, noAnswer(err)
	}
	v, err := verifier.New(trust, verifier.Options{Formats: formats})
	if errors.Is(err, verifier.ErrNoTrust) {
		return verifier.NewInspector(verifier.Options{Formats: formats})
	}
	if err != nil {
		return nil, noAnswer(err)
	}
	a.tellLeftOut(v)
	return v, nil
}
