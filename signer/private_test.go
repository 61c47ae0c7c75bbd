package signer_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/runwrit/writ/signer"
)

func TestAPrivateKeyNeedsNoCertificate(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	plain := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	locked, err := cryptoutils.MarshalPrivateKeyToEncryptedDER(private, func(bool) ([]byte, error) { return []byte("secret"), nil })
	if err != nil {
		t.Fatal(err)
	}
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED SIGSTORE PRIVATE KEY", Bytes: locked})
	dir := t.TempDir()
	put := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	put("phrase", []byte("secret\n"))
	for name, c := range map[string]struct {
		data   []byte
		phrase string // file
		words  string // of the error; "" for none
	}{
		"plain":                         {plain, "", ""},
		"with a certificate beside it":  {append([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), plain...), "", ""},
		"encrypted":                     {encrypted, filepath.Join(dir, "phrase"), ""},
		"encrypted, without a password": {encrypted, "", "encrypted"},
		"two of them":                   {append(append([]byte{}, plain...), plain...), "", "more than one"},
		"none":                          {[]byte("key"), "", "no private key in PEM form"},
		"very many blocks":              {[]byte(strings.Repeat("-----BEGIN X-----\nAAAA\n-----END X-----\n", 65)), "", "more than 64"},
		"damaged":                       {[]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "", "cannot be read"},
	} {
		var o signer.KeyOptions
		if c.phrase != "" {
			o.Passphrase = signer.PassphraseFromFile(c.phrase)
		}
		key, _, err := signer.OpenPrivateKey(t.Context(), put("key.pem", c.data), o)
		if c.words == "" {
			if err != nil || !public.Equal(key.Public()) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var bad *signer.KeyError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.words) || key != nil {
			t.Errorf("%s: got %v, want %q", name, err, c.words)
		}
	}
	for _, source := range []string{"gpg:0123456789ABCDEF0123456789ABCDEF01234567", "awskms://key", filepath.Join(dir, "none")} {
		if _, _, err := signer.OpenPrivateKey(t.Context(), source, signer.KeyOptions{}); err == nil {
			t.Errorf("%s: opened", source)
		}
	}
}
