package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
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

func (o *signOptions) formatNamed(name string) signer.Format {
	for _, f := range signFormats() {
		if f.Name() == name {
			return o.equip(f)
		}
	}
	return nil
}

// formatFor is the format that a file is to be signed in. The key decides, or
// the type of the file where there is no key.
func (o *signOptions) formatFor(path string, key *signer.Key) signer.Format {
	name := o.format
	switch {
	case o.several():
		return o.formatsFor(path, key)[0]
	case o.remove:
		name = "authenticode" // the only format in place
	case o.signsBundle():
		name = formatSigstore
	case name == "auto":
		name = "clearsign"
		if key.Kind() == signer.KindX509 || key == nil && format.CarriesAuthenticode(path) {
			name = "authenticode"
		}
	}
	return o.formatNamed(name)
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
	keys, trust, err := a.openKeys(ctx, o)
	if err != nil {
		return err
	}
	key := keys.main()
	if o.claims.given() && key.Kind() == signer.KindX509 {
		return errNoClaims()
	}
	if err := o.timestamp.fitsKey(key); err != nil && !o.signsBundle() {
		return err
	}
	if err := o.timestamp.open(a); err != nil {
		return err
	}
	before, verify, bundles, err := o.judgements(trust)
	if err != nil {
		return err
	}
	judge := o.verifyIn(verify, bundles)
	files, err := a.filesToSign(o, key)
	if err != nil {
		return err
	}
	confirm, err := a.confirm(o, key)
	if err != nil {
		return err
	}
	a.warnOfHazards(o, key, files)
	all, err := a.forEach(ctx, o, r, key, files, func(ctx context.Context, path string) render.SignResult {
		formats := o.formatsFor(path, key)
		switch {
		case o.append:
			return appendOne(ctx, path, formats[0], signer.AppendOptions{Key: key, Before: before, After: verify, Force: o.force})
		case o.check && o.several():
			return checkAll(ctx, path, formats, judge)
		case o.check:
			return checkOne(ctx, path, o.formatsToCheck(formats[0], key), judge)
		}
		return signInto(ctx, path, formats, func(f signer.Format) signer.Options {
			return signer.Options{Format: f, Key: keys.of(f), Verify: judge(f), Force: o.force, Replace: o.replace, Confirm: confirm, Profile: signer.Profile(o.profile)}
		})
	})
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return no("there is no runbook that this key can sign")
	}
	return a.answerOnSigning(ctx, o, all, "are not signed")
}

// judgements are those of a file before it is signed, only with --append, and
// after; and of one with a bundle beside it.
func (o *signOptions) judgements(self *verifier.TrustStore) (before, after, bundles signer.VerifyFunc, err error) {
	if o.append {
		before, after, err = o.appendVerify(self, verifyFormats()...)
		return before, after, after, err
	}
	verify, err := verifyFunc(self, o.claims)
	if err != nil {
		return nil, nil, nil, err
	}
	if after, err = o.wantStamped(verify, self); err != nil {
		return nil, nil, nil, err
	}
	bundles, err = o.wantEvidence(verify, self)
	return nil, after, bundles, err
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

// formatsToCheck are the formats in which a file may be signed: where a trust
// store stands in for the key, PowerShell may be signed in place or beside, and
// any file may have a bundle.
func (o *signOptions) formatsToCheck(first signer.Format, key *signer.Key) []signer.Format {
	formats := []signer.Format{first}
	if key != nil || o.format != "auto" {
		return formats
	}
	for _, name := range []string{"clearsign", "sigstore"} {
		// A build without Sigstore does not have the second.
		if f := o.formatNamed(name); f != nil && name != first.Name() {
			formats = append(formats, f)
		}
	}
	return formats
}

// checkOne says what the first format finds amiss, if the file is signed in none:
// or another one, which has a signature where the first has none.
func checkOne(ctx context.Context, path string, formats []signer.Format, verify func(signer.Format) signer.VerifyFunc) render.SignResult {
	var result signer.CheckResult
	for i, f := range formats {
		found, err := signer.CheckFile(ctx, path, f, verify(f))
		switch {
		case err == nil && found.State == signer.StateSigned:
			return render.SignResult{Path: path, Form: found.Path, State: render.SignSigned}
		case i > 0 && err == nil && result.State == signer.StateUnsigned && found.State == signer.StateStale:
			result = found
		case i > 0: // it is no answer to the first question
		case err != nil:
			return render.SignResult{Path: path, Err: err}
		default:
			result = found
		}
	}
	return render.SignResult{
		Path: path, Form: result.Path, State: checkState(result.State), Detail: result.Detail,
		Err: no("%q is %s: %s", path, result.State, result.Detail),
	}
}

func checkState(s signer.State) render.SignState {
	switch s {
	case signer.StateUnsigned:
		return render.SignUnsigned
	case signer.StateStale:
		return render.SignStale
	case signer.StateSigned:
		return render.SignSigned
	}
	return render.SignFailed
}

// isDocument says that a name is one of clear-signed text.
func isDocument(path string) bool {
	return strings.EqualFold(filepath.Ext(path), runbook.SignatureExt)
}

// filesToSign lists files as they are given, and of folders the runbooks that
// can be signed in the format chosen; each once, however often it is reached.
func (a *app) filesToSign(o *signOptions, key *signer.Key) ([]string, error) {
	var files []string
	known := fileSet{}
	leftOut := 0
	for _, root := range o.paths {
		if root == "" || root == "-" {
			return nil, usagef("sign needs files or folders, not %q", root)
		}
		info, err := os.Lstat(root)
		if err != nil || !info.IsDir() {
			if known.add(root) {
				files = append(files, root)
			}
			continue
		}
		err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == ".git":
				return fs.SkipDir
			case d.IsDir(), runbook.KindOf(path) == runbook.Unknown, runbook.KindOf(path) == runbook.Statement, isDocument(path) != (o.append && key.Kind() == signer.KindOpenPGP):
				return nil
			case !d.Type().IsRegular():
				a.note("%q is left out: not a regular file", path)
			case !o.carries(path, key):
				leftOut++
			case known.add(path):
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			return nil, noAnswer(err)
		}
	}
	if leftOut > 0 {
		a.note("%d runbooks are left out: authenticode signs script files of Windows only; sign them with an OpenPGP key", leftOut)
	}
	return files, nil
}
