package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/runwrit/writ/internal/guard"
	"github.com/runwrit/writ/internal/lazyregexp"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/signer"
)

// newKeyOptions are the flags of keys new.
type newKeyOptions struct {
	kind, name, subject, algorithm string
	valid, caValid                 string
	passphrase                     passphraseOptions
	noPassphrase, pkcs12           bool
}

func newKeysNewCmd(a *app) *cobra.Command {
	o := &newKeyOptions{}
	cmd := &cobra.Command{
		Use:   "new DIR",
		Short: "Make a key to sign with, and the certificate for trust stores",
		Long: `Make a key to sign with, in files of a folder, which is made if it is not there:

  self-signed  an X.509 key whose certificate signed itself, with the fields that
               New-SelfSignedCertificate -Type CodeSigningCert of Windows gives it
  ca           an authority, and an X.509 key with a certificate by it
  openpgp      an OpenPGP key: the primary key certifies, a subkey signs

Use it to try writ out, and for small installations. Where much depends on a key,
keep it in a KMS, a token or an agent instead, and have a real authority certify it.

On a terminal it asks for a passphrase; --no-passphrase makes a key that whoever can
read the file can sign with. Nothing is ever overwritten.

Exit codes: 0 made, 2 the question is malformed or a file is there already, 3 it
cannot be written: nothing is left then.`,
		Example: `  writ keys new keys --subject "CN=Contoso Runbooks,O=Contoso"
  writ keys new keys --type ca --subject "Contoso Runbooks" --algorithm p256
  writ keys new keys --type openpgp --subject "Contoso Runbooks" --passphrase-file secret.txt`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			return a.runKeysNew(cmd.Context(), paths[0], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.kind, "type", string(newkeys.KindSelfSigned), "`kind` of key: self-signed, ca or openpgp")
	f.StringVar(&o.subject, "subject", "", "whose key it is: a `name`, CN=NAME,O=ORGANIZATION,C=COUNTRY or, of OpenPGP, Name <address>")
	f.StringVar(&o.algorithm, "algorithm", "", "`algorithm`: rsa2048, rsa3072 (the default), rsa4096, p256, p384; of OpenPGP ed25519 (the default) and all but rsa2048")
	f.StringVar(&o.valid, "valid", "365d", "how long the key is valid, in `days` or years, such as 90d or 2y")
	f.StringVar(&o.caValid, "ca-valid", "10y", "how long the authority is valid, likewise (`days`)")
	f.StringVar(&o.name, "name", "", "what the `names` of the files begin with (default codesign, or openpgp)")
	f.BoolVar(&o.pkcs12, "pkcs12", false, "write key and certificates into one PKCS#12 file, for Windows")
	f.StringVar(&o.passphrase.file, "passphrase-file", "", "encrypt the key with the first line of this `file`")
	f.StringVar(&o.passphrase.env, "passphrase-env", "", "encrypt the key with the value of this environment `variable`")
	f.BoolVar(&o.noPassphrase, "no-passphrase", false, "do not ask for a passphrase, and do not encrypt the key")
	return cmd
}

func (a *app) runKeysNew(ctx context.Context, dir string, o *newKeyOptions) error {
	request, err := o.request(a.now())
	if err != nil {
		return err
	}
	if err := mayHold(dir, request); err != nil {
		return err
	}
	if request.Passphrase, err = o.newPassphrase(ctx, a, filepath.Join(dir, request.Name)); err != nil {
		return err
	}
	defer clear(request.Passphrase)
	made, err := newkeys.Make(request)
	if err != nil {
		return noAnswer(err)
	}
	key, err := keyOf(made)
	if err != nil {
		return noAnswer(err)
	}
	if err := writeKey(dir, made); err != nil {
		return err
	}
	if len(request.Passphrase) == 0 {
		a.note("the key is not encrypted: whoever can read %q can sign with it", filepath.Join(dir, made.Key))
	}
	if err := guard.Folder(dir); err != nil {
		a.note("others could put another key in the place of this one: %v", err)
	}
	return a.sayNewKey(dir, request, made, key.ID())
}

// request is what the flags say, without the passphrase.
func (o *newKeyOptions) request(now time.Time) (newkeys.Request, error) {
	r := newkeys.Request{
		Kind: newkeys.Kind(o.kind), Name: o.name, Subject: o.subject, Algorithm: o.algorithm, Now: now, PKCS12: o.pkcs12,
	}
	if o.subject == "" {
		return r, usagef("whose key is it? --subject NAME")
	}
	if o.passphraseWays() > 1 {
		return r, usagef("--passphrase-file, --passphrase-env and --no-passphrase: want one of them")
	}
	if r.Name == "" && r.Kind == newkeys.KindOpenPGP {
		r.Name = "openpgp"
	} else if r.Name == "" {
		r.Name = "codesign"
	}
	var err error
	if r.Lifetime, err = lifetime("--valid", o.valid); err != nil {
		return r, err
	}
	if r.CALifetime, err = lifetime("--ca-valid", o.caValid); err != nil {
		return r, err
	}
	if err := r.Check(); err != nil {
		return r, usageError{err}
	}
	return r, nil
}

func (o *newKeyOptions) passphraseWays() int {
	ways := 0
	for _, given := range []bool{o.passphrase.file != "", o.passphrase.env != "", o.noPassphrase} {
		if given {
			ways++
		}
	}
	return ways
}

// lifetime reads days or years of 365 days.
func lifetime(flag, text string) (time.Duration, error) {
	d, err := newkeys.ParseLifetime(text)
	if err != nil {
		return 0, usagef("%s: %w", flag, err)
	}
	return d, nil
}

// mayHold refuses before any work what would fail at the end.
func mayHold(dir string, r newkeys.Request) error {
	for _, name := range r.FileNames() {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return occupied(filepath.Join(dir, name))
		}
	}
	return nil
}

func occupied(path string) error {
	return &exitError{
		code: exitMalformed, err: fmt.Errorf("%q is there already: nothing was made", path),
		hints: []string{"name another folder, or other files with --name"},
	}
}

// newPassphrase is nil for none. One that is given and empty is refused: the key
// would not be encrypted.
func (o *newKeyOptions) newPassphrase(ctx context.Context, a *app, name string) ([]byte, error) {
	ask := o.passphrase.given()
	switch {
	case ask != nil:
	case o.noPassphrase, !term.IsTerminal(int(os.Stdin.Fd())):
		return nil, nil
	default:
		return a.askNewPassphrase(ctx, name)
	}
	passphrase, err := ask(ctx, name)
	if err != nil {
		return nil, noAnswer(fmt.Errorf("the passphrase cannot be had: %w", err))
	}
	if len(passphrase) == 0 {
		return nil, usagef("the passphrase is empty: --no-passphrase says that there is to be none")
	}
	return passphrase, nil
}

// askNewPassphrase asks twice; an empty answer means none.
func (a *app) askNewPassphrase(ctx context.Context, name string) ([]byte, error) {
	ask := signer.PassphraseFromTerminal(os.Stdin, a.stderr)
	first, err := ask(ctx, name+", empty for none")
	if err != nil {
		return nil, noAnswer(err)
	}
	second, err := ask(ctx, name+", again")
	if err != nil {
		return nil, noAnswer(err)
	}
	defer clear(second)
	if subtle.ConstantTimeCompare(first, second) != 1 {
		clear(first)
		return nil, usagef("the two passphrases differ: nothing was made")
	}
	return first, nil
}

// keyOf is the key as the signer sees it, which also says that it can be used.
func keyOf(m *newkeys.Made) (*signer.Key, error) {
	if m.OpenPGP != nil {
		return signer.NewOpenPGPKey(m.Key, m.OpenPGP)
	}
	return signer.NewX509Key(m.Key, m.X509.Key, m.X509.Chain())
}

// writeKey writes all files, or nothing. Others may not enter a folder that it
// makes.
func writeKey(dir string, m *newkeys.Made) (err error) {
	made := os.Mkdir(dir, 0o700)
	if made != nil && !errors.Is(made, fs.ErrExist) {
		return noAnswer(made)
	}
	var written []string
	defer func() {
		if err == nil {
			return
		}
		for _, path := range written {
			_ = os.Remove(path) // the error that led here is the one to report
		}
		if made == nil {
			_ = os.Remove(dir)
		}
	}()
	for _, f := range m.Files {
		path, mode := filepath.Join(dir, f.Name), fs.FileMode(0o644)
		if f.Secret {
			mode = 0o600
		}
		switch err := writeNew(path, f.Data, mode); {
		case errors.Is(err, fs.ErrExist):
			return occupied(path)
		case err != nil:
			_ = os.Remove(path) // it was made here, and is not whole
			return noAnswer(err)
		}
		written = append(written, path)
	}
	return nil
}

// sayNewKey says what was made, and what to do with it.
func (a *app) sayNewKey(dir string, r newkeys.Request, m *newkeys.Made, id string) error {
	path := func(name string) string { return shellWord(filepath.Join(dir, name)) }
	var b strings.Builder
	fmt.Fprintf(&b, "made %s, %s, valid until %s\n", r.Kind.Words(), m.Algorithm, m.NotAfter.Format(time.RFC3339))
	for _, f := range m.Files {
		word := "public"
		if f.Secret {
			word = "secret"
		}
		fmt.Fprintf(&b, "  %s  %s\n", word, render.Escape(filepath.Join(dir, f.Name)))
	}
	fmt.Fprintf(&b, "  id      %s\n", id)
	sign, what := "--key "+path(m.Key), "deploy.sh"
	if m.Cert != "" {
		sign += " --cert " + path(m.Cert)
	}
	if m.X509 != nil {
		what = "deploy.ps1"
	}
	fmt.Fprintf(&b, "\nto sign:\n  writ sign %s %s\n", sign, what)
	fmt.Fprintf(&b, "to have a trust store trust it:\n  writ trust add TRUST --store NAME %s\n", path(m.Anchor))
	if r.Kind == newkeys.KindCA {
		fmt.Fprintf(&b, "  (that trusts all that the authority signs: keep %s where nobody gets at it)\n", path(r.Name+".ca.key.pem"))
	}
	fmt.Fprintf(&b, "in grants.yaml:\n  people:\n    NAME: {identities: [%q]}\n", id)
	return a.say("%s", b.String())
}

var plainWord = lazyregexp.New(`^[A-Za-z0-9_./:@%+=,-]+$`)

// shellWord is s as it can be typed, if it has nothing that cannot be shown.
func shellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(render.Escape(s), "'", `'\''`) + "'"
}
