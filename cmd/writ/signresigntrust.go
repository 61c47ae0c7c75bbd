package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/runwrit/writ/audit"
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
	o.resign.id = old
	s := &resigner{o: o, rules: resign.Rules{Old: old, Before: before, Replace: o.replace}}
	if strings.HasPrefix(old, "openpgp:") && !before.IsZero() {
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
	if o.key != "" {
		if files, err = s.open(ctx, a, files); err != nil {
			return nil, err
		}
	}
	s.inspector, err = a.inspectorOf(files)
	return s, err
}

// timestampAnchors adds the authorities of --tsa, where no other trust is given.
func (o *signOptions) timestampAnchors(files []verifier.TrustFile) ([]verifier.TrustFile, error) {
	tsas, err := o.timestamp.anchors(o.trust.tsas)
	return append(files, tsas...), err
}

// oldSigner returns the ID of the signer, and the certificate that a verifier needs
// to check the signatures.
func (o *signOptions) oldSigner() (string, []verifier.TrustFile, error) {
	old := o.resign.old
	if resign.IsID(old) {
		if strings.HasPrefix(old, "openpgp:") && !o.trust.given() {
			return "", nil, usagef("an OpenPGP signature cannot be checked without the certificate: --if-signer FILE, --keyring FILE or --trust DIR")
		}
		return old, nil, nil
	}
	if _, err := os.Stat(old); errors.Is(err, fs.ErrNotExist) {
		return "", nil, usagef("--if-signer %q is neither a file nor an ID, such as x509-sha256:, x509-spki: or openpgp: with its digest", old)
	}
	file, err := verifier.ReadTrustFile(old, verifier.RoomOpenPGP, verifier.TrustOptions{})
	if err != nil {
		return "", nil, noAnswer(err)
	}
	c, err := resign.ReadCertificate(old, file.Data)
	if err != nil {
		return "", nil, usageError{err}
	}
	if !c.OpenPGP {
		return c.ID, nil, nil
	}
	return c.ID, []verifier.TrustFile{file}, nil
}

// open opens the new key, and adds its own public half to the trust.
func (s *resigner) open(ctx context.Context, a *app, files []verifier.TrustFile) ([]verifier.TrustFile, error) {
	key, self, err := a.openKey(ctx, s.o)
	if err != nil {
		return nil, err
	}
	switch {
	case slices.Contains(key.IDs(), s.rules.Old): // by its certificate, or by its public key
		return nil, usagef("the key is that of %s itself: to sign anew with the same key, use --force", s.rules.Old)
	case (key.Kind() == signer.KindOpenPGP) != strings.HasPrefix(s.rules.Old, "openpgp:"):
		return nil, usagef("the format of each file is kept, and the key cannot make signatures of the kind of %s", s.rules.Old)
	}
	if err := s.o.timestamp.fitsKey(key); err != nil {
		return nil, err
	}
	if err := s.o.timestamp.open(a); err != nil {
		return nil, err
	}
	s.key, s.rules.New = key, key.ID()
	own := self.All()
	for _, f := range files { // what is denied stays denied, whoever signs it
		if f.Room == verifier.RoomDeny {
			own = append(own, f)
		}
	}
	if self, err = verifier.NewTrust(own...); err != nil {
		return nil, noAnswer(err)
	}
	if s.self, err = newVerifier(self, nil); err != nil {
		return nil, noAnswer(err)
	}
	s.verify, err = s.o.wantStamped(verifyBy(s.self, claimOptions{}), self)
	for _, f := range self.Files(anchorRoom(key)) {
		f.Store = "new key" // no rules of the user's stores are about it
		files = append(files, f)
	}
	return files, err
}

// inspectorOf judges by these files, or without any trust where no signer is among
// them.
func (a *app) inspectorOf(files []verifier.TrustFile) (audit.Inspector, error) {
	trust, err := verifier.NewTrust(files...)
	if err != nil {
		return nil, noAnswer(err)
	}
	v, err := newVerifier(trust, nil)
	if errors.Is(err, verifier.ErrNoTrust) {
		return verifier.NewInspector(verifier.Options{Formats: verifyFormats()})
	}
	if err != nil {
		return nil, noAnswer(err)
	}
	a.tellLeftOut(v)
	return v, nil
}
