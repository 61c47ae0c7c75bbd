package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/signer"
)

type signOptions struct {
	trust        trustOptions // for --check without a key, and for --append
	key, cert    string
	format       string
	passphrase   passphraseOptions
	force, check bool
	timestamp    timestampOptions
	keyless      keylessOptions
	addBOM       bool
	profile      string
	claims       claimOptions
	signMode
	normalizeOptions
	batch  batchOptions
	resign resignOptions
	output output
	paths  []string
}

func newSignCmd(a *app) *cobra.Command {
	o := &signOptions{}
	o.output.pipelines = true
	cmd := &cobra.Command{
		Use:     "sign PATH...",
		Short:   "Sign runbooks: Windows scripts in place, any as clear-signed NAME.asc or with a Sigstore bundle",
		Long:    signHelp,
		Example: signExamples,
		Args:    args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			o.paths = paths
			if err := o.batch.validate(cmd); err != nil {
				return err
			}
			return a.runSign(cmd.Context(), o)
		},
	}
	o.addTo(cmd)
	return cmd
}

func (o *signOptions) addTo(cmd *cobra.Command) {
	o.addKeyTo(cmd)
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "auto", "signature `format`: "+formatWords())
	o.timestamp.addTo(cmd)
	o.keyless.addTo(cmd)
	f.BoolVar(&o.force, "force", false, "sign again what this key has signed already")
	f.BoolVar(&o.check, "check", false, "write nothing; exit 1 if a file is unsigned or stale")
	o.signMode.addTo(cmd)
	o.normalizeOptions.addTo(cmd)
	f.BoolVar(&o.addBOM, "add-bom", false, "put a byte-order mark before UTF-8 text that needs one for a signature in place")
	f.StringVar(&o.profile, "profile", "", "refuse what this `service` would change: azure-automation")
	o.claims.addTo(cmd)
	o.trust.addTo(cmd)
	o.batch.addTo(cmd)
	o.resign.addTo(cmd)
	o.output.addTo(cmd)
}

// addKeyTo adds the flags that say whose key signs, whatever is signed.
func (o *signOptions) addKeyTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.key, "key", "", "key `file`: PEM, PKCS#12 or OpenPGP secret key; or openpgp:FILE, env://NAME, gpg:FINGERPRINT, or the URI of a key in a KMS, such as awskms:///alias/NAME")
	f.StringVar(&o.cert, "cert", "", "`file` with the certificate of the key: the chain of an X.509 key, or the OpenPGP certificate of a key in a KMS")
	o.passphrase.addTo(cmd, "the key")
}

func (o *signOptions) validate() error {
	if err := o.validateHazards(); err != nil {
		return err
	}
	if err := o.validateMode(); err != nil {
		return err
	}
	if err := o.validateResign(); err != nil {
		return err
	}
	if err := o.validateNormalize(); err != nil {
		return err
	}
	if err := o.validateTimestamp(); err != nil {
		return err
	}
	if err := o.validateClaims(); err != nil {
		return err
	}
	switch {
	case o.remove:
		return o.fitsBundle()
	case o.resign.on && o.check:
		return nil
	case o.key == "" && !o.check && (!o.keyless.given() || o.several()):
		return usagef("no key given: --key FILE, or --key gpg:FINGERPRINT")
	case o.key == "" && !o.trust.given() && !o.keyless.given():
		return usagef("--check needs to know whose signature counts: --key, --trust, --ca or --keyring")
	case o.key != "" && o.trust.given() && !o.append && !o.resign.on && !o.keyless.given():
		return usagef("--trust, --ca and --keyring stand in for the key in a --check: give one or the other")
	case o.check && o.force:
		return usagef("--check and --force exclude each other")
	}
	if err := o.passphrase.validate(); err != nil {
		return err
	}
	if err := o.validateFormats(); err != nil {
		return err
	}
	if err := o.validateKeyless(); err != nil {
		return err
	}
	return o.fitsBundle()
}

func (a *app) runSign(ctx context.Context, o *signOptions) error {
	if err := o.validate(); err != nil {
		return err
	}
	r, err := o.output.judged()
	if err != nil {
		return err
	}
	if o.remove {
		return a.runUnsign(ctx, o, r)
	}
	if o.resign.on {
		return a.runResign(ctx, o, r)
	}
	s, err := a.openSigning(ctx, o)
	if err != nil {
		return err
	}
	key := s.keys.main()
	files, err := a.filesToSign(o, key)
	if err != nil {
		return err
	}
	if s.confirm, err = a.confirm(o, key); err != nil {
		return err
	}
	a.warnOfHazards(o, key, files)
	all, err := a.forEach(ctx, o, r, key, files, s.one)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return no("there is no runbook that this key can sign")
	}
	return a.answerOnSigning(ctx, o, all, "are not signed")
}

// signing is what one call of sign needs for each of its files.
type signing struct {
	*signOptions
	keys    signKeys
	before  signer.VerifyFunc // of a file before it is signed; only with --append
	after   signer.VerifyFunc
	bundles signer.VerifyFunc // after it, of one with a bundle beside it
	confirm signer.ConfirmFunc
}

func (a *app) openSigning(ctx context.Context, o *signOptions) (*signing, error) {
	keys, trust, err := a.openKeys(ctx, o)
	if err != nil {
		return nil, err
	}
	key := keys.main()
	if o.claims.given() && key.Kind() == signer.KindX509 {
		return nil, errNoClaims()
	}
	if err := o.timestamp.fitsKey(key); err != nil && !o.signsBundle() {
		return nil, err
	}
	if err := o.timestamp.open(a); err != nil {
		return nil, err
	}
	s := &signing{signOptions: o, keys: keys}
	s.before, s.after, s.bundles, err = o.judgements(trust)
	return s, err
}

// one signs a file, or checks it.
func (s *signing) one(ctx context.Context, path string) render.SignResult {
	key := s.keys.main()
	formats := s.formatsFor(path, key)
	switch {
	case s.append:
		return appendOne(ctx, path, formats[0], signer.AppendOptions{Key: key, Before: s.before, After: s.after, Force: s.force})
	case s.check && s.several():
		return checkAll(ctx, path, formats, s.judge)
	case s.check:
		return checkOne(ctx, path, s.formatsToCheck(formats[0], key), s.judge)
	}
	var all []signer.Options
	for _, f := range formats {
		all = append(all, signer.Options{Format: f, Key: s.keys.of(f), Verify: s.judge(f), Force: s.force, Replace: s.replace, Confirm: s.confirm, Profile: signer.Profile(s.profile)})
	}
	if len(all) > 1 {
		return signSeveral(ctx, path, all)
	}
	return signOne(ctx, path, all[0])
}

// judge is the judgement of what is signed in a format.
func (s *signing) judge(f signer.Format) signer.VerifyFunc {
	if _, beside := f.(signer.Beside); beside {
		return s.bundles
	}
	return s.after
}

func signOne(ctx context.Context, path string, o signer.Options) render.SignResult {
	outcome, err := signer.SignFile(ctx, path, o)
	return signResult(path, render.SignSigned, outcome, o.Key, err)
}

// signSeveral signs a file in more than one format.
func signSeveral(ctx context.Context, path string, all []signer.Options) render.SignResult {
	outcomes, err := signer.SignInFormats(ctx, path, all...)
	if err != nil {
		return render.SignResult{Path: path, Err: err}
	}
	result := signResult(path, render.SignSigned, outcomes[0], all[0].Key, nil)
	for i, outcome := range outcomes {
		one := signResult(path, render.SignSigned, outcome, all[i].Key, nil)
		if one.State != render.SignUnchanged {
			result.State = one.State
		}
		result.Forms = append(result.Forms, render.SignForm{Format: all[i].Format.Name(), Path: one.Form, State: one.State, Signer: one.Signer})
	}
	return result
}

// signResult puts what the signer did into the words of a renderer.
func signResult(path string, done render.SignState, outcome signer.Outcome, key *signer.Key, err error) render.SignResult {
	if err != nil {
		return render.SignResult{Path: path, Err: err}
	}
	if outcome.Unchanged {
		done = render.SignUnchanged
	}
	r := render.SignResult{Path: path, Form: outcome.Path, State: done, Changed: outcome.Normalized, Signer: key.ID()}
	if !outcome.Content.IsZero() {
		r.Content = outcome.Content.String()
	}
	return r
}

func (a *app) sayOutcome(word string, outcome signer.Outcome, err error) error {
	if err != nil {
		return err
	}
	if outcome.Unchanged {
		word = "unchanged"
	}
	return a.say("%-9s %s\n", word, render.Escape(outcome.Path))
}
