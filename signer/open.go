package signer

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/runwrit/writ/internal/lazyregexp"
)

// Limits of key files. Real ones stay far below them.
const (
	// MaxKeyFile is the largest key or certificate file in bytes.
	MaxKeyFile = 1 << 20
	// keyTimeout bounds the reading of a key file, without the time that a user
	// takes to type a passphrase. What costs time is bounded before it is
	// started, where a file shows it; this is for the costs that a file hides
	// inside encrypted parts.
	keyTimeout = 30 * time.Second
)

// KeyOptions say how to open a key.
type KeyOptions struct {
	// Cert is the path of the certificate of a private key in a file, a variable or
	// a KMS. X.509 makes it an X.509 key: PEM with any number of certificates in any
	// order, or DER; certificates in the key file itself count too. An OpenPGP
	// certificate, armored or binary, makes it an OpenPGP key.
	Cert string
	// Passphrase is asked if the key is encrypted; nil means that there is none. Of
	// a key that GnuPG keeps it is asked in any case and handed to the agent; with
	// nil the agent asks by its own means.
	Passphrase PassphraseFunc
	// Terminal names the terminal on which a gpg-agent may ask, such as
	// "/dev/pts/1", where the environment variable GPG_TTY does not.
	Terminal string
	// CallTime bounds one call of a KMS; 0 means 30 seconds.
	CallTime time.Duration
	// Pause waits before a call of a KMS is made again, or fails when ctx ends; nil
	// waits by the clock.
	Pause func(ctx context.Context, d time.Duration) error
}

// errEncrypted is how a parser says that it needs a passphrase.
var errEncrypted = errors.New("the key is encrypted")

// sourceScheme is what sets the sources apart that are not files.
var sourceScheme = lazyregexp.New(`^[A-Za-z][A-Za-z0-9+.-]*://`)

// OpenKey opens the key that source names:
//
//   - the path of a file: a PEM private key (PKCS#8, PKCS#1, SEC 1, also
//     encrypted, or a Sigstore key), PKCS#12, or an OpenPGP secret key, armored or
//     binary; the content decides which, not the name;
//   - "openpgp:" and such a path, where nothing but an OpenPGP key will do;
//   - "env://" and the name of an environment variable that holds what such a
//     file would, binary in base64;
//   - "gpg:" and the fingerprint of a key that GnuPG keeps; then gpg, which must be
//     in PATH, is asked for it and for each signature;
//   - "NAME://" and more: a key in a KMS. Sigstore's client asks for it, which is
//     part of the program for some names if it was built with the tag cloudkms, and
//     starts the program sigstore-kms-NAME, which must be in PATH, for all others.
//     Such a key signs digests of Key.Hash only.
//
// It fails with *KeyError, which never quotes the key or the passphrase, with
// *UnavailableError if a KMS gives no answer, and if ctx ends while it works with
// the cause.
func OpenKey(ctx context.Context, source string, o KeyOptions) (*Key, error) {
	if err := CheckSource(source); err != nil {
		return nil, err
	}
	if KeptByGPG(source) {
		return openGPG(ctx, source, o)
	}
	if sourceScheme.MatchString(source) && !strings.HasPrefix(source, envScheme) {
		return openKMS(ctx, source, o)
	}
	data, notes, err := readKeySource(source)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	file := keyFile{source: source, data: data}
	if o.Cert != "" {
		if file.certs, file.openPGP, err = readCertFile(o.Cert); err != nil {
			return nil, err
		}
	}
	parse, err := file.parser()
	if err != nil {
		return nil, err
	}
	key, err := withinTime(ctx, source, func() (*Key, error) { return parse(nil) })
	if errors.Is(err, errEncrypted) {
		var passphrase []byte
		if passphrase, err = o.Passphrase.ask(ctx, source); err != nil {
			return nil, err
		}
		key, err = withinTime(ctx, source, func() (*Key, error) { return parse(passphrase) })
		clear(passphrase)
	}
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(source, openPGPScheme) && (key.Kind() != KindOpenPGP || file.openPGP != nil) {
		return nil, &KeyError{source, "not an OpenPGP secret key: for any other kind give the path alone"}
	}
	key.notes = append(notes, key.notes...)
	return key, nil
}

// keyFile is a key file that was read, and the certificates that came beside it.
type keyFile struct {
	source  string
	data    []byte
	certs   []*x509.Certificate
	openPGP []byte // or an OpenPGP certificate
}

func (f *keyFile) fail(format string, args ...any) error {
	return &KeyError{f.source, fmt.Sprintf(format, args...)}
}

// parser chooses by content. A parser is called with a nil passphrase first and
// fails with errEncrypted if it needs one; the passphrase is not nil then.
func (f *keyFile) parser() (func(passphrase []byte) (*Key, error), error) {
	switch {
	case bytes.Contains(f.data, []byte(beginPGPSecret)):
		return f.parseArmored, nil
	case bytes.Contains(f.data, []byte(beginPGPPublic)):
		return nil, f.fail("a public OpenPGP key: to sign, the secret key is needed (gpg --export-secret-keys)")
	case bytes.Contains(f.data, []byte("-----BEGIN ")):
		return f.parsePEM, nil
	case len(f.data) > 11 && bytes.Equal(f.data[8:12], []byte("KBXf")):
		return nil, f.fail("a GnuPG keybox, which holds public keys: export the secret key with gpg --export-secret-keys")
	case len(f.data) > 0 && f.data[0]&0x80 != 0:
		return f.parseBinaryOpenPGP, nil
	case looksLikePKCS12(f.data):
		return f.parsePKCS12, nil
	case len(f.data) > 0 && f.data[0] == 0x30:
		return nil, f.fail("DER, but not PKCS#12: write the key as PEM (openssl pkey -inform DER -in KEY -out KEY.pem)")
	}
	return nil, f.fail("not a private key in PEM, PKCS#12 or OpenPGP form")
}

// withinTime runs a parser of hostile bytes. The libraries below are not all
// written for those: a panic of theirs is an error here, and one that does not
// come back is left behind.
func withinTime[T any](ctx context.Context, source string, parse func() (T, error)) (key T, err error) {
	key, err = within(ctx, keyTimeout, func(context.Context) (T, error) { return parse() })
	var timeout *timeoutError
	switch {
	case err == nil:
		return key, nil
	case ctx.Err() != nil:
		return key, fmt.Errorf("open key %q: %w", source, context.Cause(ctx))
	case errors.As(err, &timeout):
		return key, &KeyError{source, fmt.Sprintf("reading the key took longer than %s", keyTimeout)}
	case errors.Is(err, errPanicked):
		return key, &KeyError{source, "the key file is malformed"}
	}
	return key, err
}

// readKeyFile reads a regular file within the limit. Links are followed: secrets
// are often mounted as links.
func readKeyFile(path string, secret bool) (data []byte, notes []string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, &KeyError{path, reasonOf(err)}
	}
	if !info.Mode().IsRegular() {
		return nil, nil, &KeyError{path, "not a regular file"}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, &KeyError{path, reasonOf(err)}
	}
	defer func() { _ = f.Close() }() // opened for reading only
	data, err = io.ReadAll(io.LimitReader(f, MaxKeyFile+1))
	switch {
	case err != nil:
		return nil, nil, &KeyError{path, reasonOf(err)}
	case len(data) > MaxKeyFile:
		return nil, nil, &KeyError{path, fmt.Sprintf("larger than %d bytes: not a key file", MaxKeyFile)}
	case len(data) == 0:
		return nil, nil, &KeyError{path, "the file is empty"}
	}
	if secret && hasUnixModes && info.Mode().Perm()&0o077 != 0 {
		notes = append(notes, fmt.Sprintf("key file %q is open to other users (mode %04o): chmod 600 it", path, info.Mode().Perm()))
	}
	return data, notes, nil
}

// reasonOf is the cause of a file error without the path, which the message
// names already.
func reasonOf(err error) string {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}
