package signer

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature/kms"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/runwrit/writ/internal/lazyregexp"
)

// Keys in a KMS, by Sigstore's client. It has the providers that are linked into
// the program (kms_cloud.go), and for every other scheme it starts the program
// sigstore-kms-NAME, once for each call. This file itself starts none: it only
// looks where the program is.

// maxURI is the longest key URI in bytes.
const maxURI = 4096

// cloudSchemes are what a build with the tag cloudkms has inside.
var cloudSchemes = []string{"awskms://", "azurekms://", "gcpkms://", "hashivault://", "openbao://"}

var (
	kmsScheme = lazyregexp.New(`^[a-z][a-z0-9+.-]*://`)
	kmsURI    = lazyregexp.New(`^[a-z][a-z0-9+.-]*://[!-~]+$`)
	// secretInURI is a password before a host, or what RFC 7512 has for a PIN, also
	// at the end of a longer word.
	secretInURI = lazyregexp.New(`(?i)//[^/@]*:[^/@]*@|(?:pin|pin-value|passw[a-z]*|passphrase|secret)=`)
)

// openKMS opens a key that a KMS keeps: it asks for the public key, and makes
// sure that a format can use it.
func openKMS(ctx context.Context, uri string, o KeyOptions) (*Key, error) {
	scheme := kmsScheme.FindString(uri)
	if err := checkURI(uri, scheme); err != nil {
		return nil, err
	}
	if !slices.Contains(kms.SupportedProviders(), scheme) {
		if err := findPlugin(uri, scheme); err != nil {
			return nil, err
		}
	}
	k := newKeeper(uri, o)
	// The context that a client is made with stays in it, and must not end with
	// the opening.
	lasting := context.WithoutCancel(ctx)
	connect := func(hash crypto.Hash) (kms.SignerVerifier, error) {
		return askKeeper(ctx, k, "reach the key", func(context.Context) (kms.SignerVerifier, error) { return kms.Get(lasting, uri, hash) })
	}
	client, err := connect(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	public, err := askKeeper(ctx, k, "get the public key", func(ctx context.Context) (crypto.PublicKey, error) {
		return client.PublicKey(options.WithContext(ctx))
	})
	if err != nil {
		return nil, err
	}
	hash, err := opaqueHash(uri, public)
	if err != nil {
		return nil, err
	}
	if hash == crypto.SHA256 {
		hash, err = askKeeper(ctx, k, "tell its digest", func(context.Context) (crypto.Hash, error) { return boundHash(lasting, client) })
	} else {
		client, err = connect(hash) // a plugin is told the digest when it is made
	}
	if err != nil {
		return nil, err
	}
	private := &opaque{keeper: k, public: public, hash: hash, sign: func(ctx context.Context, digest []byte) ([]byte, error) {
		return client.SignMessage(bytes.NewReader(nil), options.WithContext(ctx), options.WithDigest(digest), options.WithCryptoSignerOpts(hash))
	}}
	return opaqueKey(uri, private, hash, o.Cert)
}

// boundHash is the digest that a service has bound to a key, as Google's does
// with each version of one and Sigstore's client for Azure by the size of RSA.
func boundHash(ctx context.Context, client kms.SignerVerifier) (crypto.Hash, error) {
	_, opts, err := client.CryptoSigner(ctx, nil)
	if err != nil {
		return 0, err
	}
	if hash := opts.HashFunc(); hash == crypto.SHA256 || hash == crypto.SHA384 || hash == crypto.SHA512 {
		return hash, nil
	}
	return 0, errors.New("the key is bound to a digest other than SHA-256, SHA-384 and SHA-512")
}

// checkURI refuses what cannot be shown: the URI is in messages, and a plugin
// gets it as an argument, which every user of the machine can read.
func checkURI(uri, scheme string) error {
	switch {
	case secretInURI.MatchString(uri):
		return &KeyError{scheme + "...", "the URI has a password or PIN in it, and a command line is no secret: leave it out, and let the plugin take it from a file or the environment"}
	case len(uri) > maxURI:
		return &KeyError{scheme + "...", fmt.Sprintf("the URI is longer than %d bytes", maxURI)}
	case scheme == "":
		return &KeyError{uri, "unknown kind of key source: the name before :// is of small letters, digits, \"+\", \"-\" and \".\""}
	case !kmsURI.MatchString(uri):
		return &KeyError{uri, "not the URI of a key: want " + scheme + " and its name, without blanks and in ASCII"}
	}
	return nil
}

// findPlugin makes sure that there is a program for the scheme, and that not
// everybody may have put it there, or where a link leads. Sigstore's client finds it again by itself.
func findPlugin(uri, scheme string) error {
	name := cliplugin.PluginBinaryPrefix + strings.TrimSuffix(scheme, "://")
	path, err := exec.LookPath(name)
	switch {
	case errors.Is(err, exec.ErrDot):
		return &KeyError{uri, fmt.Sprintf("the program %s is found at %q, through a relative entry of PATH, and such are not used: remove the entry", name, path)}
	case err != nil && slices.Contains(cloudSchemes, scheme):
		return &KeyError{uri, fmt.Sprintf("this build of writ has no client for %s: put the program %s into a folder of PATH, or use a writ that was built with -tags cloudkms", scheme, name)}
	case err != nil:
		return &KeyError{uri, fmt.Sprintf("no program %s in PATH, which is what would know keys of the kind %s: install that plugin of Sigstore; or give the path of a key file, openpgp:FILE, gpg:FINGERPRINT or env://NAME", name, scheme)}
	}
	places := []string{path, filepath.Dir(path)}
	if program, err := filepath.EvalSymlinks(path); err == nil { // else os.Stat says why not
		places = append(places, filepath.Dir(program))
	}
	for _, place := range places {
		info, err := os.Stat(place)
		if err != nil {
			return &KeyError{uri, fmt.Sprintf("the program %q cannot be looked at: %s", path, reasonOf(err))}
		}
		if hasUnixModes && info.Mode().Perm()&0o002 != 0 {
			return &KeyError{uri, fmt.Sprintf("every user may write to %q (mode %04o), from where the key would be asked for with your rights: chmod o-w it, or install the plugin elsewhere", place, info.Mode().Perm())}
		}
	}
	return nil
}
