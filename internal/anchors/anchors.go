// Package anchors reads what can become part of a trust store, in every form in
// which it is handed around: certificates in PEM and DER, PKCS#7, PKCS#12 and
// serialized stores of Windows, OpenPGP certificates and keyboxes of GnuPG, and
// revocation lists, public keys and trusted roots of Sigstore. It says of each what it is, into which room it belongs, and
// what speaks against it.
//
// It trusts nobody and writes nothing; a private key never leaves it. What it
// takes for good is still to be read by the formats, who judge a trust store as a
// whole.
package anchors

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/runwrit/writ/internal/keybox"
	"github.com/runwrit/writ/internal/sst"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// Limits of a file.
const (
	MaxFile    = 16 << 20
	MaxAnchors = 2_000
	// readTimeout bounds the work on one file.
	readTimeout = time.Minute
)

// Kind says what sort of thing an Anchor is.
type Kind string

// The kinds.
const (
	KindCertificate Kind = "certificate"        // X.509
	KindOpenPGP     Kind = "openpgp"            // a certificate
	KindRevocation  Kind = "openpgp-revocation" // by themselves, of whatever certificates
	KindCRL         Kind = "crl"                // an X.509 revocation list
	// KindSigstoreKey and KindSigstoreRoot are for Sigstore bundles: a public
	// key, and a trusted_root.json.
	KindSigstoreKey  Kind = "sigstore-key"
	KindSigstoreRoot Kind = "sigstore-root"
)

// Anchor is one thing that was found in a file.
type Anchor struct {
	Kind Kind
	// Room of a trust store into which it belongs; "" if it has no place there, and
	// Why says why.
	Room verifier.Room
	Why  string
	// Doubt is why only somebody who names it should add it; "" for none.
	Doubt string
	// ID as policies and pins name it: "x509-sha256:", "openpgp:", "sigstore-key:", or
	// the digest of a list or a trusted root, "sha256:".
	ID string
	// Name is the subject, the user ID, or the issuer of a list. Whoever made the
	// file chose it.
	Name string
	// Algorithm of the key, such as "rsa3072".
	Algorithm string
	// NotBefore and NotAfter bound its validity; zero for no bound.
	NotBefore, NotAfter time.Time

	data    []byte            // DER, or packets
	cert    *x509.Certificate // of KindCertificate, if it can be read
	selfRun bool              // cert signed itself
	ca      bool              // cert may sign certificates
	revokes int               // entries of a list
}

// Options say how to read a file.
type Options struct {
	Now time.Time
	// Room into which certificates are to go, in place of the one that their
	// content says; "" for that.
	Room verifier.Room
	// Passphrase of a PKCS#12 file; it is asked if the empty one does not open it.
	Passphrase signer.PassphraseFunc
}

// Found is what a file holds.
type Found struct {
	Form    string // of the file, in words
	Anchors []Anchor
	// Notes are about what is in the file and can be no anchor.
	Notes []string
}

// errSecret says that a file holds a secret key in a form that holds nothing else.
var errSecret = errors.New("a secret key does not belong into a trust store: give the certificate only")

// Read takes a file apart. It fails if the form is not known or is broken, if there
// is nothing in it or too much, and for secret keys outside of PKCS#12. What is of
// no use is among the anchors, with the reason.
func Read(ctx context.Context, name string, data []byte, o Options) (*Found, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, readTimeout, fmt.Errorf("it takes longer than %s to read", readTimeout))
	defer cancel()
	if len(data) > MaxFile {
		return nil, fmt.Errorf("larger than %d bytes", MaxFile)
	}
	r := &reader{ctx: ctx, name: name, options: o}
	if err := r.read(data); err != nil {
		return nil, err
	}
	if len(r.found.Anchors) == 0 {
		return nil, fmt.Errorf("%s with nothing in it that a trust store could hold", r.found.Form)
	}
	return &r.found, nil
}

type reader struct {
	ctx     context.Context //nolint:containedctx // it lives as long as one call of Read
	name    string
	options Options
	found   Found
}

func (r *reader) read(data []byte) error {
	switch {
	case len(data) == 0:
		return errors.New("the file is empty")
	case sst.Is(data):
		return r.serialized(data)
	case signer.IsPKCS12(data):
		return r.pkcs12(data)
	case mixed(data):
		return errors.New("OpenPGP armor and other PEM blocks in one file, of which one kind would be passed over: write each kind into a file of its own")
	case bytes.Contains(data, []byte(beginPGP)), keybox.Is(data), data[0]&0x80 != 0 && !bytes.HasPrefix(data, []byte("\xef\xbb\xbf")), bytes.HasPrefix(data, []byte("SQLite format 3\x00")):
		return r.openpgp(data)
	case bytes.Contains(data, []byte(begin)):
		return r.pem(data)
	case data[0] == 0x30:
		return r.der(data)
	case bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")):
		return r.trustedRoot(data)
	}
	return errors.New("not a form that is known: PEM, DER, PKCS#7, PKCS#12, a serialized store of Windows, OpenPGP certificates, a GnuPG keybox, or a trusted root of Sigstore")
}

// How a block of text begins, and one of OpenPGP.
const (
	begin    = "-----BEGIN "
	beginPGP = begin + "PGP "
)

// mixed says that there are blocks of OpenPGP and others: who reads the one kind
// passes over the other, which may be a revocation list.
func mixed(data []byte) bool {
	n := bytes.Count(data, []byte(beginPGP))
	return n > 0 && n < bytes.Count(data, []byte(begin))
}

// keep adds one thing, within limit and time.
func (r *reader) keep(a Anchor) error {
	if len(r.found.Anchors) == MaxAnchors {
		return fmt.Errorf("more than %d certificates and lists in one file", MaxAnchors)
	}
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	r.found.Anchors = append(r.found.Anchors, a)
	return nil
}

func digestID(kind string, data []byte) string {
	sum := sha256.Sum256(data)
	return kind + ":" + hex.EncodeToString(sum[:])
}
