package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/endpoint"
	"github.com/runwrit/writ/internal/oidctoken"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// keylessOptions are the flags of sign that are about Sigstore: who makes bundles,
// and who else vouches for them. No service is asked that they do not name.
type keylessOptions struct {
	second       string // key for the bundles, beside the one for what goes into files
	fulcio       string
	rekor        string
	rekorVersion int
	trustedRoot  string
	token        oidctoken.Source
}

func (o *keylessOptions) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.second, "sigstore-key", "", "another `key` for the Sigstore bundles, where --format names another format too")
	f.StringVar(&o.fulcio, "fulcio", "", "sign Sigstore bundles without a key: get a certificate for an identity from the Fulcio at this `URL`")
	f.StringVar(&o.rekor, "rekor", "", "have the transparency log (Rekor) at this `URL` make an entry of each Sigstore bundle")
	f.IntVar(&o.rekorVersion, "rekor-version", 1, "`version` of its interface, 1 or 2")
	f.StringVar(&o.trustedRoot, "trusted-root", "", "check what Fulcio and Rekor gave by this `file`, a trusted_root.json, in place of --trust")
	f.StringVar(&o.token.File, "identity-token-file", "", "read the identity token for Fulcio from this `file`, - for standard input")
	f.StringVar(&o.token.Env, "identity-token-env", "", "read it from the environment variable of this `name`")
	f.StringVar(&o.token.Pipeline, "identity-token-from", "", "get it from this `pipeline`: github, azure-devops, gitlab or auto")
	f.StringVar(&o.token.Value, "identity-token", "", "the identity `token` itself; others on this machine can read it: the three above are better")
	f.StringVar(&o.token.Audience, "identity-token-audience", "", "for whom the token must be: this `name` (default sigstore; for azure-devops "+oidctoken.AzureExchange+")")
	f.StringVar(&o.token.Connection, "azure-service-connection", "", "`ID` of the service connection whose token azure-devops is to give")
}

// given says that bundles are to be made without a key.
func (o *keylessOptions) given() bool { return o.fulcio != "" }

// sources says how many places of a token are named.
func (o *keylessOptions) sources() int {
	return len(slices.DeleteFunc([]string{o.token.File, o.token.Env, o.token.Pipeline, o.token.Value}, func(s string) bool { return s == "" }))
}

func (o *signOptions) validateKeyless() error {
	k := &o.keyless
	for _, place := range []string{k.token.File, k.token.Env, k.token.Pipeline, k.token.Audience, k.token.Connection} {
		if oidctoken.Is(place) { // which no error may quote
			return usagef("an identity token itself, where its place or its audience should be: others on this machine can read a command line. Put it into a file or a variable, and name that")
		}
	}
	wanted := k.given() || k.rekor != "" || k.second != ""
	switch {
	case !k.given() && (k.token.Given() || k.token.Audience != "" || k.token.Connection != ""):
		return usagef("an identity token is for --fulcio URL")
	case k.trustedRoot != "" && !k.given() && k.rekor == "":
		return usagef("--trusted-root is for --fulcio and --rekor")
	case k.rekorVersion != 1 && (k.rekorVersion != 2 || k.rekor == ""):
		return usagef("--rekor-version is 1 or 2, and for --rekor URL")
	case !wanted:
		return nil
	case o.check, o.append, o.remove, o.resign.on:
		return usagef("--fulcio, --rekor and --sigstore-key are for signing: not with --check, --append, --remove or --resign")
	case len(sigstoreSigners()) == 0:
		return errUnknownFormat(formatSigstore)
	case !o.signsBundle():
		return usagef("--fulcio, --rekor and --sigstore-key are for Sigstore bundles: --format sigstore")
	case k.second != "" && (o.bundleOnly() || o.key == ""):
		return usagef("--sigstore-key is for the bundles where --key signs in another format: with --format sigstore alone, give --key")
	case k.given() && k.second != "", k.given() && o.key != "" && o.bundleOnly():
		return usagef("a key and --fulcio both say who makes the bundle: give one of them")
	case k.given():
		return o.validateCertified()
	case k.rekor != "" && k.trustedRoot == "":
		return usagef("an entry of a log that nobody can check is not kept: --trusted-root FILE says which log counts")
	}
	return k.validateURLs()
}

// validateCertified is for signing without a key.
func (o *signOptions) validateCertified() error {
	k := &o.keyless
	switch {
	case k.sources() != 1:
		return usagef("--fulcio needs one identity token: --identity-token-file, --identity-token-env or --identity-token-from")
	case k.token.Pipeline != "" && !slices.Contains(oidctoken.Pipelines(), k.token.Pipeline):
		return usagef("--identity-token-from %q: want one of %s", k.token.Pipeline, strings.Join(oidctoken.Pipelines(), ", "))
	case k.rekor == "" && len(o.timestamp.urls) == 0:
		return usagef("a certificate by Fulcio lasts for minutes: --rekor URL or --timestamp URL has to prove that it was used in time")
	case k.rekorVersion == 2 && !o.timestamp.demanded():
		return usagef("a log of version 2 says nothing of the time: it needs --timestamp URL beside it")
	case o.trust.dir == "" && k.trustedRoot == "":
		return usagef("a signature that nobody can check is not made: say by --trust DIR or --trusted-root FILE whose certificates and logs count")
	case o.trust.dir != "" && k.trustedRoot != "":
		return usagef("--trust and --trusted-root exclude each other")
	}
	return k.validateURLs()
}

func (o *keylessOptions) validateURLs() error {
	for name, raw := range map[string]string{"--fulcio": o.fulcio, "--rekor": o.rekor} {
		if raw == "" {
			continue
		}
		u, err := endpoint.ParseURL(name, raw)
		if err != nil {
			return usageError{err}
		}
		if u.RawQuery != "" || u.ForceQuery { // what is asked for comes behind the address
			return usagef("%s: want an address without a query", name)
		}
	}
	return nil
}

// openKeyless gets a certificate.
func (a *app) openKeyless(ctx context.Context, o *signOptions) (*signer.Key, error) {
	k := &o.keyless
	if k.token.Value != "" {
		a.note("the identity token stands on the command line, where others on this machine can read it: --identity-token-file or --identity-token-env keep it to yourself")
	}
	u, err := endpoint.ParseURL("--fulcio", k.fulcio)
	if err != nil {
		return nil, usageError{err}
	}
	k.token.Stdin = a.stdin
	get := k.token.Get
	if k.token.File == "-" { // it can be read once
		var once oidctoken.Token
		get = func(ctx context.Context) (oidctoken.Token, error) {
			var err error
			if once.Raw() == "" {
				once, err = k.token.Get(ctx)
			}
			return once, err
		}
	}
	key, err := openKeyless(ctx, u, get)
	var token *oidctoken.Error
	if errors.As(err, &token) {
		return nil, usageError{err}
	}
	return key, err
}

// keylessTrust is what the bundles of the identity are checked with.
func (o *signOptions) keylessTrust(key *signer.Key) ([]verifier.TrustFile, error) {
	if o.keyless.trustedRoot == "" {
		trust, err := o.trust.load(false)
		if err != nil {
			return nil, err
		}
		return trust.All(), nil
	}
	issuer, san, _ := strings.Cut(strings.TrimPrefix(key.ID(), "sigstore:"), "|")
	return o.trustRoot("self", issuer, san)
}

// logTrust is what the entries of a log are checked with that are made of bundles by
// a key: the log counts, and nobody to whom the same root gives certificates.
func (o *signOptions) logTrust() ([]verifier.TrustFile, error) {
	if o.keyless.rekor == "" {
		return nil, nil
	}
	files, err := o.trustRoot("nobody", "https://nobody.invalid", "nobody")
	return append(files, verifier.TrustFile{Store: "self", Room: verifier.RoomSettings, Name: "settings", Data: []byte("sigstore-transparency-log:all\n")}), err
}

// trustRoot is a store with the trusted root and one identity.
func (o *signOptions) trustRoot(name, issuer, san string) ([]verifier.TrustFile, error) {
	root, err := verifier.ReadTrustFile(o.keyless.trustedRoot, verifier.RoomSigstore, verifier.TrustOptions{})
	if err != nil {
		return nil, noAnswer(err)
	}
	root.Store, root.Name = "self", "trusted_root.json"
	return []verifier.TrustFile{root, {
		Store: "self", Room: verifier.RoomSigstoreIdentities, Name: "identities",
		Data: fmt.Appendf(nil, "sigstore-identity:%s issuer=%q san=%q\n", name, issuer, san),
	}}, nil
}
