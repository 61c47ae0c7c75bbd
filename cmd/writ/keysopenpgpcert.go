package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/signer"
)

// maxAhead is how far ahead of this clock a time of creation may lie: what
// verifiers allow.
const maxAhead = 5 * time.Minute

// openPGPCertOptions are the flags of keys openpgp-cert.
type openPGPCertOptions struct {
	key                           signOptions // the key and its passphrase only
	userID, created, expires, out string
}

func newKeysOpenPGPCertCmd(a *app) *cobra.Command {
	o := &openPGPCertOptions{}
	cmd := &cobra.Command{
		Use:   "openpgp-cert KEY",
		Short: "Make the OpenPGP certificate of a key in a KMS",
		Long: `Make the OpenPGP certificate of a key in a KMS, or of any private key without
one, so that it can clear-sign. KEY is what --key of sign takes. The key signs the
certificate, in one call.

Use it once for each key, and keep the file: its time of creation is a part of the
key's fingerprint. It goes to --cert of sign, and into trust stores. With --created
and the same key the same fingerprint can be made again. Nothing is overwritten.

Exit codes: 0 made, 2 the question is malformed, the key does not fit or the file is
there already, 3 it cannot be written, or the KMS gives no answer.`,
		Example: `  writ keys openpgp-cert hashivault://runbooks --user-id "Runbook signing" --out runbooks.asc
  writ keys openpgp-cert awskms:///alias/runbooks --user-id "Runbook signing" --expires never
  writ sign --key hashivault://runbooks --cert runbooks.asc deploy.sh`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, sources []string) error {
			o.key.key = sources[0]
			return a.runKeysOpenPGPCert(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.userID, "user-id", "", "whose key it is: a `name`, or Name <address>")
	f.StringVar(&o.created, "created", "", "`time` of creation, RFC 3339 (default now); a part of the fingerprint")
	f.StringVar(&o.expires, "expires", "2y", "how long after that the key expires, in `days` or years, such as 365d or 2y; or never")
	f.StringVar(&o.out, "out", "", "write the certificate to this `file` (default standard output)")
	o.key.passphrase.addTo(cmd, "the key")
	return cmd
}

func (a *app) runKeysOpenPGPCert(ctx context.Context, o *openPGPCertOptions) error {
	options, err := o.certificate(a.now())
	if err != nil {
		return err
	}
	if _, err := os.Lstat(o.out); o.out != "" && err == nil {
		return certOccupied(o.out)
	}
	key, err := a.openBareKey(ctx, &o.key)
	if err != nil {
		return err
	}
	private, err := key.Private()
	if err != nil {
		return err
	}
	options.Hash = key.Hash()
	armored, fingerprint, err := signer.NewOpenPGPCertificate(key.Source(), signer.WithContext(ctx, private), options)
	if err != nil {
		return err
	}
	created := options.Created.UTC().Format(time.RFC3339)
	if o.out == "" {
		a.note("openpgp:%s, created %s: keep the certificate, or this time for --created; without it the key gets another fingerprint", fingerprint, created)
		return a.say("%s", armored)
	}
	switch err := writeNew(o.out, armored, 0o644); {
	case errors.Is(err, fs.ErrExist):
		return certOccupied(o.out)
	case err != nil:
		_ = os.Remove(o.out) // it was made here, and is not whole
		return noAnswer(err)
	}
	return a.sayCertificate(o, options, fingerprint)
}

// certificate is what the flags say.
func (o *openPGPCertOptions) certificate(now time.Time) (signer.CertificateOptions, error) {
	c := signer.CertificateOptions{UserID: o.userID, Created: now.Truncate(time.Second)}
	if o.userID == "" {
		return c, usagef("whose key is it? --user-id NAME")
	}
	if err := o.key.passphrase.validate(); err != nil {
		return c, err
	}
	if o.created != "" {
		var err error
		if c.Created, err = time.Parse(time.RFC3339, o.created); err != nil {
			return c, usagef("--created %q: want a time such as 2026-11-22T12:00:00Z", o.created)
		}
	}
	if o.expires != "never" {
		var err error
		if c.Lifetime, err = lifetime("--expires", o.expires); err != nil {
			return c, err
		}
	}
	switch {
	case c.Created.After(now.Add(maxAhead)):
		return c, usagef("--created %s is in the future: no verifier would take the key before then", o.created)
	case c.Lifetime > 0 && !c.Created.Add(c.Lifetime).After(now):
		return c, usagef("a key created %s that expires after %s has expired: give another --expires", o.created, o.expires)
	}
	return c, nil
}

func certOccupied(path string) error {
	return &exitError{
		code: exitMalformed, err: fmt.Errorf("%q is there already: nothing was made", path),
		hints: []string{"if it is the certificate of this key, use it: another one would have another fingerprint"},
	}
}

// openBareKey opens a private key that has no certificate.
func (a *app) openBareKey(ctx context.Context, o *signOptions) (*signer.Key, error) {
	key, err := a.openOne(ctx, o)
	if err != nil {
		return nil, err
	}
	if key.Kind() == signer.KindOpenPGP {
		return nil, &signer.KeyError{Source: key.Source(), Msg: "an OpenPGP key, which has its certificate already: gpg --armor --export writes it"}
	}
	return key, nil
}

// sayCertificate says what was made, and what to do with it.
func (a *app) sayCertificate(o *openPGPCertOptions, c signer.CertificateOptions, fingerprint string) error {
	expires := "never expires"
	if c.Lifetime > 0 {
		expires = "expires " + c.Created.Add(c.Lifetime).UTC().Format(time.RFC3339)
	}
	path := shellWord(o.out)
	var b strings.Builder
	fmt.Fprintf(&b, "made an OpenPGP certificate, %s\n", expires)
	fmt.Fprintf(&b, "  public   %s\n", render.Escape(o.out))
	fmt.Fprintf(&b, "  id       openpgp:%s\n", fingerprint)
	fmt.Fprintf(&b, "  created  %s (a part of the fingerprint: keep the file)\n", c.Created.UTC().Format(time.RFC3339))
	fmt.Fprintf(&b, "\nto sign:\n  writ sign --key %s --cert %s deploy.sh\n", shellWord(o.key.key), path)
	fmt.Fprintf(&b, "to have a trust store trust it:\n  writ trust add TRUST --store NAME %s\n", path)
	fmt.Fprintf(&b, "in grants.yaml:\n  people:\n    NAME: {identities: [%q]}\n", "openpgp:"+fingerprint)
	return a.say("%s", b.String())
}
