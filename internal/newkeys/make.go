package newkeys

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/internal/lazyregexp"
)

// Kind says what Make makes.
type Kind string

// The kinds.
const (
	KindSelfSigned Kind = "self-signed" // an X.509 key whose certificate signed itself
	KindCA         Kind = "ca"          // an authority and an X.509 key below it
	KindOpenPGP    Kind = "openpgp"     // a primary key that certifies and a subkey that signs
)

// kinds returns all kinds.
func kinds() []Kind { return []Kind{KindSelfSigned, KindCA, KindOpenPGP} }

// MaxLifetime is the longest lifetime of a key: ten years.
const (
	MaxLifetime = maxDays * 24 * time.Hour
	maxDays     = 3650
)

// Request says which key to make, and how its files are to be.
type Request struct {
	Kind Kind
	// Name is what the names of the files begin with.
	Name string
	// Subject is the name in a certificate, as ParseSubject reads it; for OpenPGP
	// the user ID.
	Subject string
	// Algorithm; by default rsa3072, of OpenPGP ed25519.
	Algorithm string
	// Now is when the key begins to be valid.
	Now time.Time
	// Lifetime of the key, and of its authority.
	Lifetime, CALifetime time.Duration
	// Passphrase that encrypts every secret key; empty for none.
	Passphrase []byte
	// PKCS12 writes key and certificates of X.509 into one file.
	PKCS12 bool
}

// File is one file of a new key.
type File struct {
	Name   string
	Secret bool
	Data   []byte
}

// Made is a new key with its files. Exactly one of X509 and OpenPGP is set.
type Made struct {
	X509    *X509Key
	OpenPGP *openpgp.Entity
	// Files, those first that sign.
	Files []File
	// Key and Cert are the files to sign with, Anchor the one for trust stores.
	// Cert is "" where the key file has all.
	Key, Cert, Anchor string
	// Algorithm that was taken, and when the key ends.
	Algorithm string
	NotAfter  time.Time
}

var fileName = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// Check says what is wrong with a request, without the work of making a key.
func (r Request) Check() error {
	known := []string{"rsa2048", "rsa3072", "rsa4096", "p256", "p384"}
	switch {
	case !slices.Contains(kinds(), r.Kind):
		return fmt.Errorf("unknown kind of key %q: want one of %q", r.Kind, kinds())
	case !fileName.MatchString(r.Name):
		return fmt.Errorf("the name %q: want letters, digits, and . _ - behind the first", r.Name)
	case r.Lifetime <= 0 || r.Lifetime > MaxLifetime || r.Kind == KindCA && r.CALifetime > MaxLifetime:
		return errors.New("a key is valid for at least a day and at most ten years")
	case r.Kind == KindCA && r.CALifetime < r.Lifetime:
		return errors.New("the authority must not end before the key")
	case r.Kind == KindOpenPGP && r.PKCS12:
		return errors.New("there is no PKCS#12 file of an OpenPGP key")
	case r.Kind == KindOpenPGP:
		if known[0] = "ed25519"; newUserID(r.Subject) == nil {
			return fmt.Errorf("user id %q: want a name, or Name <address>", r.Subject)
		}
	default:
		if _, _, err := ParseSubject(r.Subject); err != nil {
			return err
		}
	}
	if r.Algorithm != "" && !slices.Contains(known, r.Algorithm) {
		return fmt.Errorf("unknown algorithm %q: want one of %q", r.Algorithm, known)
	}
	return nil
}

// FileNames are those of the files that Make makes.
func (r Request) FileNames() []string {
	switch {
	case r.Kind == KindOpenPGP:
		return []string{r.Name + ".key.asc", r.Name + ".asc"}
	case r.PKCS12 && r.Kind == KindCA:
		return []string{r.Name + ".p12", r.Name + ".pem", r.Name + ".ca.pem", r.Name + ".ca.key.pem"}
	case r.PKCS12:
		return []string{r.Name + ".p12", r.Name + ".pem"}
	case r.Kind == KindCA:
		return []string{r.Name + ".key.pem", r.Name + ".pem", r.Name + ".ca.pem", r.Name + ".ca.key.pem"}
	default:
		return []string{r.Name + ".key.pem", r.Name + ".pem"}
	}
}

// Make makes a key and its files in memory.
func Make(r Request) (*Made, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	r.Now = r.Now.UTC().Truncate(time.Second)
	if r.Kind == KindOpenPGP {
		return r.makeOpenPGP()
	}
	return r.makeX509()
}

var lifetime = lazyregexp.New(`^([1-9][0-9]{0,4})([dy])$`)

// ParseLifetime reads days, or years of 365 days, such as 90d or 2y.
func ParseLifetime(text string) (time.Duration, error) {
	m := lifetime.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q: want days or years, such as 90d or 2y", text)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0, err
	}
	if m[2] == "y" {
		n *= 365
	}
	return time.Duration(min(n, maxDays+1)) * 24 * time.Hour, nil // what is too long stays so
}

func (r Request) makeX509() (*Made, error) {
	if r.Algorithm == "" {
		r.Algorithm = "rsa3072"
	}
	common, rest, err := ParseSubject(r.Subject)
	if err != nil {
		return nil, err
	}
	m := &Made{Algorithm: r.Algorithm, NotAfter: r.Now.Add(r.Lifetime)}
	m.X509, err = X509(X509Options{
		Algorithm: r.Algorithm, Subject: common, Rest: rest, NotBefore: r.Now, NotAfter: m.NotAfter, CANotAfter: r.Now.Add(r.CALifetime),
		SelfSigned: r.Kind == KindSelfSigned,
	})
	if err != nil {
		return nil, err
	}
	return m, r.writeX509(m)
}

func (r Request) writeX509(m *Made) error {
	m.Cert, m.Anchor = r.Name+".pem", r.Name+".pem"
	if r.PKCS12 {
		data, err := m.X509.PKCS12(r.Passphrase)
		if err != nil {
			return err
		}
		m.Key, m.Cert = r.Name+".p12", ""
		m.Files = append(m.Files, File{m.Key, true, data})
	} else {
		data, err := PrivatePEM(m.X509.Key, r.Passphrase)
		if err != nil {
			return err
		}
		m.Key = r.Name + ".key.pem"
		m.Files = append(m.Files, File{m.Key, true, data})
	}
	m.Files = append(m.Files, File{r.Name + ".pem", false, m.X509.ChainPEM()})
	if r.Kind != KindCA {
		return nil
	}
	data, err := PrivatePEM(m.X509.CAKey, r.Passphrase)
	if err != nil {
		return err
	}
	m.Anchor = r.Name + ".ca.pem"
	m.Files = append(m.Files, File{m.Anchor, false, m.X509.CAPEM}, File{r.Name + ".ca.key.pem", true, data})
	return nil
}

func (r Request) makeOpenPGP() (*Made, error) {
	if r.Algorithm == "" {
		r.Algorithm = "ed25519"
	}
	m := &Made{Algorithm: r.Algorithm, NotAfter: r.Now.Add(r.Lifetime), Key: r.Name + ".key.asc", Anchor: r.Name + ".asc"}
	var err error
	if m.OpenPGP, err = OpenPGP(OpenPGPOptions{Algorithm: r.Algorithm, Name: r.Subject, Created: r.Now, Lifetime: r.Lifetime}); err != nil {
		return nil, err
	}
	public, err := ArmoredPublic(m.OpenPGP)
	if err != nil {
		return nil, err
	}
	secret, err := ArmoredSecret(m.OpenPGP, r.Passphrase)
	if err != nil {
		return nil, err
	}
	m.Files = []File{{m.Key, true, secret}, {m.Anchor, false, public}}
	return m, nil
}

// Words says what keys of a kind are.
func (k Kind) Words() string {
	switch k {
	case KindSelfSigned:
		return "an X.509 key for code signing that signed itself"
	case KindCA:
		return "an authority for code signing and an X.509 key below it"
	case KindOpenPGP:
		return "an OpenPGP key with a subkey that signs"
	}
	return "a key"
}
