package main

import (
	"context"
	"slices"
	"strings"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// formatNames are the formats that --format names.
func (o *signOptions) formatNames() []string { return strings.Split(o.format, ",") }

// signsIn says whether --format names the format, and only whether it does: with
// auto the key decides.
func (o *signOptions) signsIn(name string) bool { return slices.Contains(o.formatNames(), name) }

// several says whether each file is to be signed in more than one format.
func (o *signOptions) several() bool { return strings.Contains(o.format, ",") }

// signsBundle says whether Sigstore bundles are to be made.
func (o *signOptions) signsBundle() bool {
	return o.signsIn(formatSigstore) || o.format == "auto" && o.key == "" && o.keyless.given()
}

// bundleOnly says whether nothing else is to be made.
func (o *signOptions) bundleOnly() bool { return o.signsBundle() && !o.several() }

// validateFormats wants formats that there are, each once.
func (o *signOptions) validateFormats() error {
	names := o.formatNames()
	for i, name := range names {
		switch {
		case name == "auto" && !o.several():
			return nil
		case name == "auto":
			return usagef("--format auto stands alone: the key decides on one format")
		case o.formatNamed(name) == nil:
			return errUnknownFormat(name)
		case slices.Contains(names[:i], name):
			return usagef("--format names %s twice", name)
		}
	}
	switch {
	case !o.several():
		return nil
	case o.signsIn("authenticode") && o.signsIn("clearsign"):
		return usagef("--format: authenticode needs an X.509 key and clearsign an OpenPGP key: sign in one after the other")
	case o.append, o.remove, o.normalize:
		return usagef("--append, --remove and --normalize are for one format at a time")
	}
	return nil
}

// formatsFor are the formats that a file is to be signed in, what goes into the
// file first.
func (o *signOptions) formatsFor(path string, key *signer.Key) []signer.Format {
	if !o.several() {
		return []signer.Format{o.formatFor(path, key)}
	}
	var formats []signer.Format
	for _, f := range signFormats() { // in this order
		if o.signsIn(f.Name()) {
			formats = append(formats, o.equip(f))
		}
	}
	return formats
}

// carries says whether the file can be signed in all formats that were asked for.
func (o *signOptions) carries(path string, key *signer.Key) bool {
	return o.formatFor(path, key).Name() != "authenticode" || format.CarriesAuthenticode(path)
}

// signInto signs a file in all of the formats, or in none; each has its options.
func signInto(ctx context.Context, path string, formats []signer.Format, options func(signer.Format) signer.Options) render.SignResult {
	var all []signer.Options
	for _, f := range formats {
		all = append(all, options(f))
	}
	if len(all) > 1 {
		return signSeveral(ctx, path, all)
	}
	return signOne(ctx, path, all[0])
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

// checkAll wants the file signed in all of the formats.
func checkAll(ctx context.Context, path string, formats []signer.Format, verify func(signer.Format) signer.VerifyFunc) render.SignResult {
	var result render.SignResult
	var forms []render.SignForm
	for _, f := range formats {
		one := checkOne(ctx, path, []signer.Format{f}, verify)
		forms = append(forms, render.SignForm{Format: f.Name(), Path: one.Form, State: one.State})
		if len(forms) > 1 && (one.Err == nil || result.Err != nil) {
			continue
		}
		result = one
		if one.Detail != "" {
			result.Detail = f.Name() + ": " + one.Detail
			result.Err = no("%q is %s in format %s: %s", path, one.State, f.Name(), one.Detail)
		}
	}
	if result.Err == nil || result.Detail != "" { // where a file cannot be judged, no format is
		result.Forms = forms
	}
	return result
}

// verifyIn is the judgement of what is signed in a format: files are judged by
// verify, and with bundles beside them also by what the bundles must carry.
func (o *signOptions) verifyIn(verify, bundles signer.VerifyFunc) func(signer.Format) signer.VerifyFunc {
	return func(f signer.Format) signer.VerifyFunc {
		if _, beside := f.(signer.Beside); beside {
			return bundles
		}
		return verify
	}
}

// wantEvidence makes the verification of bundles one that wants what the user asks
// for: a timestamp, or an entry of a log. A log entry alone makes a keyless bundle
// valid, so whether the timestamp is by a trusted authority is looked at here.
func (o *signOptions) wantEvidence(verify signer.VerifyFunc, trust *verifier.TrustStore) (signer.VerifyFunc, error) {
	if !o.timestamp.demanded() && o.keyless.rekor == "" {
		return verify, nil
	}
	v, err := newVerifier(trust, nil)
	if err != nil {
		return nil, noAnswer(err)
	}
	return func(ctx context.Context, rb *runbook.Runbook) (*signer.Verification, error) {
		found, err := verify(ctx, rb)
		if err != nil {
			return nil, err
		}
		for _, s := range rb.Sidecars() {
			if !s.IsBundle() {
				continue
			}
			stamped, logged := bundleEvidence(s.Data)
			if o.timestamp.demanded() && !stamped || o.keyless.rekor != "" && !logged {
				return nil, no("%q has no timestamp or no log entry, as is wanted", s.Name)
			}
		}
		if !o.timestamp.demanded() || !o.keyless.given() {
			return found, nil
		}
		report, err := v.Inspect(ctx, rb)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(report.Signatures, func(s verifier.Signature) bool {
			return s.Format == formatSigstore && s.SignedAtSource == verifier.TimeTSA
		}) {
			return nil, no("%q: the timestamp is by none of the authorities of the trusted root", rb.Name())
		}
		return found, nil
	}, nil
}

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
	if o.keyless.second == "" && !o.keyless.given() && o.keyless.rekor == "" && !o.several() {
		key, trust, err := a.openKey(ctx, o)
		return signKeys{key: key}, trust, err
	}
	if o.key == "" && o.check {
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
