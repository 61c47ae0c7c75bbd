package signer_test

import (
	"context"
	"crypto/x509"
	"errors"
	"strings"
	"testing"

	pkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/signer"
)

// TestAttackPKCS12WithHugeIterationCounts: refused before anybody is asked for a
// passphrase, as of a key file.
func TestAttackPKCS12WithHugeIterationCounts(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{"of the MAC": pfxBomb(1<<31, 1), "of a part": pfxBomb(1, 1<<31)} {
		_, err := signer.PKCS12Certificates(t.Context(), "bomb.pfx", data, func(context.Context, string) ([]byte, error) {
			t.Error("somebody was asked")
			return nil, errors.New("no")
		})
		var key *signer.KeyError
		if !errors.As(err, &key) || !strings.Contains(err.Error(), "a key derivation of 2147483648 iterations") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOnlyTheCertificatesOfAPKCS12FileAreGivenOut(t *testing.T) {
	t.Parallel()
	k := must(newkeys.X509(newkeys.X509Options{Subject: "x", NotBefore: created()}))
	whole := must(pkcs12.Modern.Encode(k.Key, k.Leaf, []*x509.Certificate{k.CA}, "right"))
	answer := func(text string) signer.PassphraseFunc {
		return func(context.Context, string) ([]byte, error) { return []byte(text), nil }
	}
	certs, err := signer.PKCS12Certificates(t.Context(), "f", whole, answer("right"))
	if err != nil || len(certs) != 2 || !certs[0].Equal(k.Leaf) || !certs[1].Equal(k.CA) {
		t.Errorf("%d certificates, %v", len(certs), err)
	}
	for name, c := range map[string]struct {
		data       []byte
		passphrase signer.PassphraseFunc
		want       string
	}{
		"a wrong passphrase": {whole, answer("wrong"), "the passphrase is wrong"},
		"nobody to ask":      {whole, nil, "give its passphrase"},
		"no PKCS#12":         {k.LeafPEM, nil, "not a PKCS#12 file"},
		"too large":          {make([]byte, signer.MaxKeyFile+1), nil, "larger than"},
		"cut off":            {whole[:len(whole)-1], nil, "not a PKCS#12 file"},
	} {
		if _, err := signer.PKCS12Certificates(t.Context(), "f", c.data, c.passphrase); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	empty := must(pkcs12.Modern.Encode(k.Key, k.Leaf, nil, ""))
	if certs, err := signer.PKCS12Certificates(t.Context(), "f", empty, nil); err != nil || len(certs) != 1 {
		t.Errorf("with the empty passphrase: %d, %v", len(certs), err)
	}
}
