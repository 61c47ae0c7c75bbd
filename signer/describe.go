package signer

import (
	"crypto/x509"
	"time"

	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/internal/pgpcert"
)

// Description is what can be told of a key without its private half. It holds no
// secret.
type Description struct {
	Source string
	Kind   KeyKind
	// IDs are those of Key.IDs.
	IDs []string
	// Algorithm and size, such as "rsa3072", "ecdsa-p256" or "ed25519"; of an OpenPGP key
	// those of its primary key.
	Algorithm string
	// Hash is the only digest that whoever keeps the key signs, such as "SHA-256";
	// "" where any will do.
	Hash string
	// SPKI is the SHA-256 of the SubjectPublicKeyInfo in lower-case hexadecimal; ""
	// for an OpenPGP key.
	SPKI string
	// Public is the public key as PEM; of an OpenPGP key its certificate in armor.
	Public []byte
	// Chain are the certificates of an X.509 key, its own first.
	Chain []CertificateInfo
	// OpenPGP is of an OpenPGP key, nil for others.
	OpenPGP *OpenPGPInfo
}

// CertificateInfo is of one X.509 certificate.
type CertificateInfo struct {
	Subject, Issuer     string
	NotBefore, NotAfter time.Time
	SHA256              string // of the certificate, lower-case hexadecimal
}

// OpenPGPInfo is of one OpenPGP certificate.
type OpenPGPInfo struct {
	UserID string
	Keys   []OpenPGPKeyInfo // the primary key first
}

// OpenPGPKeyInfo is of a primary key or a subkey.
type OpenPGPKeyInfo struct {
	Fingerprint string // upper-case hexadecimal
	Algorithm   string
	Created     time.Time
	// Problem says why it cannot sign at the time that was asked about; "" if it can.
	Problem string
}

// Describe tells what can be told of the key at that time. It makes no signature.
// It fails with *KeyError.
func (k *Key) Describe(now time.Time) (*Description, error) {
	d := &Description{Source: k.name(), Kind: k.Kind(), IDs: k.IDs()}
	if hash := k.Hash(); hash != 0 {
		d.Hash = hash.String()
	}
	var err error
	switch d.Kind {
	case KindX509, KindBare:
		d.Algorithm, d.SPKI = cms.KeyAlgorithm(k.signer.Public()), k.spkiDigest()
		for _, c := range k.chain {
			d.Chain = append(d.Chain, describeCertificate(c))
		}
		d.Public, err = k.PublicPEM()
	case KindOpenPGP:
		if d.Public, err = k.Anchor(); err == nil {
			err = d.describeOpenPGP(now)
		}
	default:
		err = &KeyError{k.name(), "no key"}
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

func describeCertificate(c *x509.Certificate) CertificateInfo {
	return CertificateInfo{
		Subject: c.Subject.String(), Issuer: c.Issuer.String(),
		NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(), SHA256: hexDigest(c.Raw),
	}
}

func (d *Description) describeOpenPGP(now time.Time) error {
	loader := pgpcert.NewLoader()
	if err := loader.Add(d.Source, d.Public); err != nil {
		return &KeyError{d.Source, "its OpenPGP certificate cannot be used: " + err.Error()}
	}
	certificates := loader.Ring().Certificates()
	if len(certificates) != 1 {
		return &KeyError{d.Source, "its OpenPGP certificate cannot be used"}
	}
	d.OpenPGP = &OpenPGPInfo{UserID: certificates[0].Name}
	for _, key := range certificates[0].Keys() {
		d.OpenPGP.Keys = append(d.OpenPGP.Keys, OpenPGPKeyInfo{
			Fingerprint: key.Fingerprint, Algorithm: key.Algorithm, Created: key.Created().UTC(), Problem: key.Judge(now).Problem(),
		})
	}
	d.Algorithm = d.OpenPGP.Keys[0].Algorithm
	return nil
}
