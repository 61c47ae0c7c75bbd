package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/term"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// openKey opens the key and the trust that its signatures are checked with: its
// own public half and nothing else.
func (a *app) openKey(ctx context.Context, o *signOptions) (*signer.Key, *verifier.TrustStore, error) {
	if o.key == "" {
		trust, err := o.trust.load(false)
		return nil, trust, err
	}
	key, err := a.openOne(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	anchorIn := fileAnchor
	if o.signsBundle() {
		anchorIn = bundleAnchor
	}
	anchor, err := anchorIn(key)
	if err != nil {
		return nil, nil, err
	}
	files, err := o.timestamp.anchors(o.trust.tsas)
	if err != nil {
		return nil, nil, err
	}
	trust, err := verifier.NewTrust(append(files, anchor)...)
	if err != nil {
		return nil, nil, noAnswer(err)
	}
	return key, trust, nil
}

// openOne opens a key and tells its notes.
func (a *app) openOne(ctx context.Context, o *signOptions) (*signer.Key, error) {
	if err := readable(o.key, o.cert); err != nil {
		return nil, err
	}
	key, err := signer.OpenKey(ctx, o.key, o.keyOptions(a))
	if err != nil {
		return nil, err
	}
	for _, note := range key.Notes() {
		a.note("%s", note)
	}
	return key, nil
}

// keyOptions say how to open the key.
func (o *signOptions) keyOptions(a *app) signer.KeyOptions {
	options := signer.KeyOptions{Cert: o.cert, Terminal: terminalName(), Passphrase: o.passphrase.given()}
	if !signer.KeptByGPG(o.key) { // an agent asks by itself
		options.Passphrase = o.passphrase.orAsk(a)
	}
	return options
}

// terminalName is the name of the terminal that standard input is, for a
// pinentry; "" if it is none, or cannot be told.
func terminalName() string {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return ""
	}
	name, err := os.Readlink("/proc/self/fd/0") // elsewhere than on Linux GPG_TTY must say
	if err != nil || !filepath.IsAbs(name) {
		return ""
	}
	return name
}

// readable tells a key that cannot be read, for the operator to mend, from one
// that is no key. Sources that are no files are the signer's to judge.
func readable(paths ...string) error {
	for _, source := range paths {
		if err := signer.CheckSource(source); err != nil {
			return err
		}
		path, isFile := signer.SourceFile(source)
		if path == "" || !isFile {
			continue
		}
		info, err := os.Stat(path)
		if err == nil && !info.Mode().IsRegular() {
			continue // the signer refuses it; to open a FIFO would be to wait
		}
		f, err := os.Open(path)
		if err != nil {
			return noAnswer(err)
		}
		_ = f.Close() // nothing was read
	}
	return nil
}

// verifyFunc is our own verifier in the words of the signer.
func verifyFunc(trust *verifier.TrustStore, claims claimOptions) (signer.VerifyFunc, error) {
	return verifyWith(trust, claims, verifyFormats()...)
}

func verifyWith(trust *verifier.TrustStore, claims claimOptions, formats ...verifier.Format) (signer.VerifyFunc, error) {
	v, err := verifier.New(trust, verifier.Options{Formats: formats})
	if err != nil {
		return nil, noAnswer(err)
	}
	return verifyBy(v, claims), nil
}

// verifyBy is a verifier of ours in the words of the signer.
func verifyBy(v *verifier.Verifier, claims claimOptions) signer.VerifyFunc {
	return func(ctx context.Context, rb *runbook.Runbook) (*signer.Verification, error) {
		verified, err := v.Verify(ctx, rb)
		var unverified *verifier.UnverifiedError
		if errors.As(err, &unverified) && unverified.Report.Verdict == verifier.Unsigned {
			return nil, fmt.Errorf("%q is %w", rb.Name(), signer.ErrUnsigned)
		}
		if err != nil {
			return nil, err
		}
		if err := contradiction(verified.Report()); err != nil {
			return nil, err
		}
		found := &signer.Verification{Payload: verified.Payload()}
		for _, s := range verified.Report().Signatures {
			if s.Verdict == verifier.Valid {
				found.Formats = append(found.Formats, s.Format)
			}
		}
		found.Signers, found.Otherwise = claims.signersOf(verified.Report())
		return found, nil
	}
}
