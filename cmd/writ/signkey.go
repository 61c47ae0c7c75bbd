package main

import (
	"context"
	"os"
	"path/filepath"

	"golang.org/x/term"

	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// signKeys are the keys of a run: that of the bundles may be another one.
type signKeys struct{ key, bundle *signer.Key }

// of is the key for a format.
func (k signKeys) of(f signer.Format) *signer.Key {
	if _, beside := f.(signer.Beside); beside && k.bundle != nil {
		return k.bundle
	}
	return k.key
}

// main is the key that results name; nil for none.
func (k signKeys) main() *signer.Key {
	if k.key == nil {
		return k.bundle
	}
	return k.key
}

// openKeys opens the keys, and the trust that their signatures are checked with:
// their own public halves, and for keyless ones whom the user trusts.
func (a *app) openKeys(ctx context.Context, o *signOptions) (keys signKeys, _ *verifier.TrustStore, err error) {
	if o.key == "" && !o.keyless.given() {
		trust, err := o.trust.load(false)
		return keys, trust, err
	}
	files, err := o.timestamp.anchors(o.trust.tsas)
	if err != nil {
		return keys, nil, err
	}
	if o.key != "" {
		if keys.key, err = a.openOne(ctx, o); err != nil {
			return keys, nil, err
		}
		if !o.bundleOnly() {
			anchor, err := fileAnchor(keys.key)
			if err != nil {
				return keys, nil, err
			}
			files = append(files, anchor)
		}
	}
	own, err := a.openBundleKey(ctx, o, &keys)
	if err != nil {
		return keys, nil, err
	}
	trust, err := verifier.NewTrust(append(files, own...)...)
	if err != nil {
		return keys, nil, noAnswer(err)
	}
	return keys, trust, nil
}

// openBundleKey opens the key of the bundles, if it is another one, and returns what
// they are to be trusted by.
func (a *app) openBundleKey(ctx context.Context, o *signOptions, keys *signKeys) (trust []verifier.TrustFile, err error) {
	switch {
	case !o.signsBundle():
		return nil, nil
	case o.keyless.given():
		if keys.bundle, err = a.openKeyless(ctx, o); err != nil {
			return nil, err
		}
		a.note("signing as %s", keys.bundle.ID())
		return o.keylessTrust(keys.bundle)
	case o.keyless.second != "":
		second := *o
		second.key, second.cert = o.keyless.second, ""
		if keys.bundle, err = a.openOne(ctx, &second); err != nil {
			return nil, err
		}
	}
	file, err := bundleAnchor(keys.of(o.formatNamed(formatSigstore)))
	if err != nil {
		return nil, err
	}
	logged, err := o.logTrust()
	return append(logged, file), err
}

// openKey opens the key of what is signed by one key, and the trust that its
// signatures are checked with.
func (a *app) openKey(ctx context.Context, o *signOptions) (*signer.Key, *verifier.TrustStore, error) {
	keys, trust, err := a.openKeys(ctx, o)
	return keys.main(), trust, err
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
