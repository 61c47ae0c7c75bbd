package signer

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/runwrit/writ/internal/pgpcert"
)

// gpgScheme begins the sources of keys that GnuPG keeps.
const gpgScheme = "gpg:"

// KeptByGPG says whether a source names a key that GnuPG keeps, "gpg:" and a
// fingerprint, and not a file.
func KeptByGPG(source string) bool { return strings.HasPrefix(source, gpgScheme) }

// GPGKey is an OpenPGP key whose secret part GnuPG keeps, in a gpg-agent or on a
// smart card. It may be used by several goroutines; they take turns.
type GPGKey struct {
	source      string
	program     *gpgProgram
	certificate []byte   // armored
	primary     string   // fingerprint, upper case
	usable      []string // fingerprints of the keys that may be asked to sign
	passphrase  []byte   // nil where the agent is to ask

	mu     sync.Mutex
	failed error // why gpg is not asked again
}

// GPG returns the key if GnuPG keeps its secret part, and nil otherwise. Anchor
// gives its certificate.
func (k *Key) GPG() *GPGKey {
	if k == nil {
		return nil
	}
	return k.gpg
}

// Usable says whether GnuPG has the secret part of the key with this
// fingerprint, in upper-case hexadecimal, and the user has not chosen another.
func (g *GPGKey) Usable(fingerprint string) bool { return slices.Contains(g.usable, fingerprint) }

// Sign asks gpg for a signature over text, binary, of type 0x01, by the key with
// this fingerprint, with SHA-512 and the notations. What it returns is what gpg
// wrote, and the caller must check all of it. It fails with *KeyError; after that
// gpg is not asked again: a smart card locks itself after three wrong PINs.
func (g *GPGKey) Sign(ctx context.Context, fingerprint string, text []byte, notations []Notation) ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failed != nil {
		return nil, g.failed
	}
	if !g.Usable(fingerprint) {
		return nil, &KeyError{g.source, "not a key of it that may be asked: " + fingerprint}
	}
	// --no-options: no gpg.conf has a say in what is signed. --batch keeps gpg from
	// asking by itself; the agent still asks, with its pinentry.
	args := []string{
		"--no-options", "--no-tty", "--batch", "--status-fd", "2", "--trust-model", "always", "--no-auto-check-trustdb",
		"--utf8-strings", "--display-charset", "utf-8", "--disable-signer-uid", "--no-armor", "--textmode", "--digest-algo", "SHA512",
	}
	for _, n := range notations {
		// GnuPG replaces "%" and a letter in values.
		args = append(args, "--sig-notation", n.Name+"="+strings.ReplaceAll(n.Value, "%", "%%"))
	}
	stdin := text
	if g.passphrase != nil {
		args = append(args, "--pinentry-mode", "loopback", "--passphrase-fd", "0")
		stdin = slices.Concat(g.passphrase, []byte("\n"), text)
		defer clear(stdin)
	}
	args = append(args, "--local-user", fingerprint+"!", "--output", "-", "--detach-sign")
	out, said, err := g.program.run(ctx, gpgSignTime, maxGPGSignature, stdin, args...)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("sign with key %q: %w", g.source, context.Cause(ctx))
	case err != nil:
		g.failed = &KeyError{g.source, said.reason(err)}
		return nil, g.failed
	}
	return out, nil
}

// openGPG finds the key in GnuPG's keeping.
func openGPG(ctx context.Context, source string, o KeyOptions) (*Key, error) {
	fingerprint, err := gpgFingerprint(source)
	if err != nil {
		return nil, err
	}
	if o.Cert != "" {
		return nil, &KeyError{source, "a certificate (--cert) belongs to X.509 keys; GnuPG has that of an OpenPGP key"}
	}
	g := &GPGKey{source: source}
	if g.program, err = findGPG(ctx, source, o.Terminal); err != nil {
		return nil, err
	}
	secret, err := g.list(ctx, fingerprint)
	if err != nil {
		return nil, err
	}
	if err := g.export(ctx, fingerprint); err != nil {
		return nil, err
	}
	g.usable = secret
	if fingerprint != g.primary {
		g.usable = slices.DeleteFunc(secret, func(s string) bool { return s != fingerprint })
	}
	if len(g.usable) == 0 {
		return nil, &KeyError{source, "GnuPG has the certificate and no secret key of it that it could sign with (offline, or never imported)"}
	}
	if o.Passphrase != nil {
		if g.passphrase, err = o.Passphrase.ask(ctx, source); err != nil {
			return nil, err
		}
		if bytes.ContainsAny(g.passphrase, "\x00\r\n") {
			clear(g.passphrase)
			return nil, &KeyError{source, "the passphrase has a line break or a NUL in it, which GnuPG does not take"}
		}
	}
	return &Key{source: source, gpg: g, public: g.certificate}, nil
}

// gpgFingerprint takes nothing that could name two keys.
func gpgFingerprint(source string) (string, error) {
	fingerprint := strings.ToUpper(strings.TrimPrefix(source, gpgScheme))
	if _, err := hex.DecodeString(fingerprint); err != nil || len(fingerprint) != 40 && len(fingerprint) != 64 {
		return "", &KeyError{source, "want gpg: and the whole fingerprint, 40 or 64 hexadecimal digits without blanks, as gpg --list-secret-keys --with-subkey-fingerprints prints it"}
	}
	return fingerprint, nil
}

// list returns the fingerprints of the keys whose secret part GnuPG has, or
// knows to be on a smart card.
func (g *GPGKey) list(ctx context.Context, fingerprint string) ([]string, error) {
	out, said, err := g.program.run(ctx, gpgAnswerTime, maxGPGListing, nil,
		"--no-options", "--no-tty", "--batch", "--status-fd", "2", "--no-auto-check-trustdb", "--with-colons", "--list-secret-keys", fingerprint)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("open key %q: %w", g.source, context.Cause(ctx))
	case err != nil:
		return nil, &KeyError{g.source, said.reason(err)}
	}
	return parseGPGListing(out), nil
}

// parseGPGListing reads gpg's --with-colons: each "sec" and "ssb" has its "fpr"
// behind it. Field 15 is "#" for a secret key that is not there.
func parseGPGListing(listing []byte) []string {
	var secret []string
	here := false
	for line := range strings.Lines(string(listing)) {
		f := strings.Split(strings.TrimRight(line, "\r\n"), ":")
		switch {
		case f[0] == "sec" || f[0] == "ssb":
			here = len(f) > 14 && f[14] != "" && f[14] != "#"
		case f[0] == "fpr" && len(f) > 9:
			if here {
				secret = append(secret, f[9])
			}
			here = false
		}
	}
	return secret
}

// export gets the certificate, and makes sure that it is the one that the
// fingerprint is of.
func (g *GPGKey) export(ctx context.Context, fingerprint string) error {
	out, said, err := g.program.run(ctx, gpgAnswerTime, maxGPGCertificate, nil,
		"--no-options", "--no-tty", "--batch", "--status-fd", "2", "--no-auto-check-trustdb", "--armor", "--export", fingerprint)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("open key %q: %w", g.source, context.Cause(ctx))
	case err != nil:
		return &KeyError{g.source, said.reason(err)}
	}
	loader := pgpcert.NewLoader()
	if err := loader.Add("gpg --export", out); err != nil {
		return &KeyError{g.source, "the certificate that GnuPG has cannot be used: " + err.Error()}
	}
	ring := loader.Ring()
	certificates := ring.Certificates()
	if len(certificates) != 1 || len(ring.Notes()) > 0 {
		return &KeyError{g.source, fmt.Sprintf("gpg exported %d usable certificates, want one of a version 4 key", len(certificates))}
	}
	of := func(k *pgpcert.Key) bool { return k.Fingerprint == fingerprint }
	if !slices.ContainsFunc(certificates[0].Keys(), of) {
		return &KeyError{g.source, "the certificate that gpg exported is not of this key"}
	}
	g.certificate, g.primary = out, certificates[0].Fingerprint
	return nil
}
