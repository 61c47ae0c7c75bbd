package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/signer"
)

// keysShowOptions are the flags of keys show.
type keysShowOptions struct {
	signOptions
	output output
}

func newKeysShowCmd(a *app) *cobra.Command {
	o := &keysShowOptions{}
	cmd := &cobra.Command{
		Use:   "show KEY",
		Short: "Show the public half of a key, and whether a certificate is of it",
		Long: `Show what can be told of a key without its private half: its kind, algorithm and
size, the names that policies have for its signatures, the public key as PEM, and
with --cert whether that certificate is of it. Of an OpenPGP key it shows
fingerprints and user ID. KEY is what --key of writ sign takes. No signature is
made; a KMS or a plugin is asked for the public key.

Use it before a pipeline signs with a new key, and to find the key that a grant or
a certificate is for.

Exit codes: 0 shown, 1 the certificate is not of the key, 2 the question is
malformed or the key is none, 3 the key cannot be read or its keeper did not answer.`,
		Example: `  writ keys show codesign.key.pem --cert codesign.pem
  writ keys show awskms:///alias/runbooks --cert codesign.pem
  writ keys show gpg:0123456789ABCDEF0123456789ABCDEF01234567 -o json`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			o.key = list[0]
			return a.runKeysShow(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.cert, "cert", "", "`file` with the certificate of the key: X.509 (PEM or DER), or OpenPGP")
	o.passphrase.addTo(cmd, "the key")
	o.output.addTo(cmd)
	return cmd
}

func (a *app) runKeysShow(ctx context.Context, o *keysShowOptions) error {
	r, err := o.output.renderer()
	if err != nil {
		return err
	}
	if o.key == "" {
		return usagef("no key given: want the path of a file, or the URI of a key")
	}
	if err := o.passphrase.validate(); err != nil {
		return err
	}
	if err := readable(o.key, o.cert); err != nil {
		return err
	}
	shown := render.KeyShown{Certificate: o.cert}
	key, err := signer.OpenKey(ctx, o.key, o.keyOptions(a))
	if err != nil && o.cert != "" {
		key, shown.Mismatch, err = a.withoutCert(ctx, o, err)
	}
	if err != nil {
		return err
	}
	for _, note := range key.Notes() {
		a.note("%s", note)
	}
	if shown.Description, err = key.Describe(a.now()); err != nil {
		return err
	}
	if err := r.Key(a.stdout, shown); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	if shown.Mismatch != "" {
		return no("%q is not the certificate of key %q", o.cert, key.Source())
	}
	return nil
}

// withoutCert opens the key alone, where it cannot be opened together with its
// certificate. It returns why not, or the first error if the key is at fault.
func (a *app) withoutCert(ctx context.Context, o *keysShowOptions, failed error) (*signer.Key, string, error) {
	var mismatch *signer.KeyError
	var unavailable *signer.UnavailableError
	if !errors.As(failed, &mismatch) || errors.As(failed, &unavailable) {
		return nil, "", failed
	}
	options := o.keyOptions(a)
	options.Cert = ""
	key, err := signer.OpenKey(ctx, o.key, options)
	if err != nil {
		return nil, "", failed
	}
	return key, mismatch.Msg, nil
}
