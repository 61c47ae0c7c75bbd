package signer_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/signer"
)

// kept is a private key that is not in memory as far as writ can tell.
type kept struct{ crypto.Signer }

func certificateOptions(hash crypto.Hash) signer.CertificateOptions {
	return signer.CertificateOptions{UserID: "Runbook signing (KMS)", Created: created(), Lifetime: 2 * 365 * 24 * time.Hour, Hash: hash}
}

// gpgSees imports a certificate into a home of its own, with the clock at the
// vectors' time, and returns what gpg says of it. It must not warn.
func gpgSees(t *testing.T, armored []byte) string {
	t.Helper()
	g := newGnuPG(t)
	file := newFiles(t).write("kms.asc", armored)
	at := testenv.VectorTime().Format("20060102T150405") + "!"
	cmd := exec.Command(g.gpg, "--homedir", g.home, "--batch", "--no-tty", "--faked-system-time", at, "--status-fd", "2", "--import", file)
	said, err := cmd.CombinedOutput()
	warned := strings.Contains(strings.ReplaceAll(string(said), "WARNING: running with faked system time", ""), "WARNING")
	if err != nil || warned || !strings.Contains(string(said), "IMPORT_OK 1 ") {
		t.Errorf("gpg --import: %v\n%s", err, said)
	}
	return g.run("", "--with-colons", "--list-keys") + g.run("", "--list-packets", file)
}

func TestGnuPGTakesTheCertificateOfAKeyInAKMS(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		algorithm, digest string
		hash              crypto.Hash
	}{
		{"rsa2048", "digest algo 8,", crypto.SHA256},
		{"p256", "digest algo 8,", crypto.SHA256},
		{"p384", "digest algo 9,", crypto.SHA384},
		{"p384", "digest algo 10,", 0},
	} {
		t.Run(c.algorithm+" "+c.digest, func(t *testing.T) {
			t.Parallel()
			key := kept{newX509(t, c.algorithm).Key}
			armored, fingerprint, err := signer.NewOpenPGPCertificate("kms://a", key, certificateOptions(c.hash))
			if err != nil {
				t.Fatal(err)
			}
			said := gpgSees(t, armored)
			for _, want := range []string{
				"fpr:::::::::" + fingerprint + ":", ":scSC:", "uid:-::::", "Runbook signing (KMS)", "sigclass 0x13", c.digest,
				"(key flags: 03)", "(pref-hash-algos: 10 9 8)", "(pref-sym-algos: 9 8 7)", "(pref-zip-algos: 0)", "(features: 01)", "(primary user ID)", "(key expires after 2y0d0h0m)",
			} {
				if !strings.Contains(strings.ReplaceAll(said, "uid:u", "uid:-"), want) {
					t.Errorf("gpg does not say %q:\n%s", want, said)
				}
			}
			opened, err := signer.NewOpaqueOpenPGPKey("kms://a", key, c.hash, armored)
			if err != nil || opened.ID() != "openpgp:"+fingerprint || opened.Kind() != signer.KindOpenPGP || opened.Hash() != c.hash {
				t.Errorf("%v, %v", opened, err)
			}
		})
	}
}

func TestTheSameKeyAndTimeMakeTheSameFingerprint(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"rsa2048", "p256"} {
		key := kept{newX509(t, algorithm).Key}
		certify := func(change func(*signer.CertificateOptions)) (armored, fingerprint string) {
			o := certificateOptions(crypto.SHA256)
			change(&o)
			data, fingerprint, err := signer.NewOpenPGPCertificate("kms://a", key, o)
			if err != nil {
				t.Fatal(err)
			}
			return string(data), fingerprint
		}
		first, one := certify(func(*signer.CertificateOptions) {})
		again, two := certify(func(o *signer.CertificateOptions) {
			o.Created = o.Created.Add(900 * time.Millisecond).In(time.FixedZone("x", 3600))
		})
		_, named := certify(func(o *signer.CertificateOptions) { o.UserID = "Other"; o.Lifetime = 0 })
		_, later := certify(func(o *signer.CertificateOptions) { o.Created = o.Created.Add(time.Second) })
		if one != two || one != named || one == later {
			t.Errorf("%s: %s, again %s, with another name %s, a second later %s", algorithm, one, two, named, later)
		}
		// An RSA signature has no random part.
		if algorithm == "rsa2048" && first != again {
			t.Errorf("the certificates differ:\n%s%s", first, again)
		}
	}
}

func TestAKeyThatNoCertificateCanBeMadeOf(t *testing.T) {
	t.Parallel()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	small := newX509(t, "rsa1024").Key
	good := newX509(t, "p256").Key
	other := newX509(t, "p256").Key
	fine := certificateOptions(crypto.SHA256)
	with := func(change func(*signer.CertificateOptions)) signer.CertificateOptions {
		o := fine
		change(&o)
		return o
	}
	for name, c := range map[string]struct {
		key  crypto.Signer
		o    signer.CertificateOptions
		want string
	}{
		"no key":               {nil, fine, "a private key is needed"},
		"Ed25519":              {kept{ed}, fine, "neither an RSA nor an ECDSA key"},
		"P-521":                {kept{p521}, fine, "P-256 and P-384 are possible"},
		"RSA-1024":             {kept{small}, fine, "1024 bits"},
		"no name":              {kept{good}, with(func(o *signer.CertificateOptions) { o.UserID = "" }), "a user ID is needed"},
		"blanks in the name":   {kept{good}, with(func(o *signer.CertificateOptions) { o.UserID = " x " }), "without blanks"},
		"a line break":         {kept{good}, with(func(o *signer.CertificateOptions) { o.UserID = "x\ny" }), "cannot be shown"},
		"a bidi control":       {kept{good}, with(func(o *signer.CertificateOptions) { o.UserID = "x\u202ey" }), "cannot be shown"},
		"not UTF-8":            {kept{good}, with(func(o *signer.CertificateOptions) { o.UserID = "x\xff" }), "cannot be shown"},
		"a long name":          {kept{good}, with(func(o *signer.CertificateOptions) { o.UserID = strings.Repeat("x", 257) }), "more than 256 bytes"},
		"no time":              {kept{good}, with(func(o *signer.CertificateOptions) { o.Created = time.Time{} }), "a time of creation"},
		"a time after 2106":    {kept{good}, with(func(o *signer.CertificateOptions) { o.Created = o.Created.AddDate(90, 0, 0) }), "a time of creation"},
		"a negative lifetime":  {kept{good}, with(func(o *signer.CertificateOptions) { o.Lifetime = -time.Hour }), "the lifetime"},
		"half a second":        {kept{good}, with(func(o *signer.CertificateOptions) { o.Lifetime = time.Second / 2 }), "the lifetime"},
		"a lifetime too long":  {kept{good}, with(func(o *signer.CertificateOptions) { o.Lifetime = 137 * 366 * 24 * time.Hour }), "the lifetime"},
		"a refusal":            {answers{good, func(crypto.SignerOpts, []byte) ([]byte, error) { return nil, errors.New("denied by policy") }}, fine, "denied by policy"},
		"a refusal of RSA":     {answers{newX509(t, "rsa2048").Key, func(crypto.SignerOpts, []byte) ([]byte, error) { return nil, errors.New("denied by policy") }}, fine, "denied by policy"},
		"no answer":            {answers{newX509(t, "rsa2048").Key, func(crypto.SignerOpts, []byte) ([]byte, error) { return nil, nil }}, fine, ""},
		"a panic":              {answers{good, func(crypto.SignerOpts, []byte) ([]byte, error) { panic("boom") }}, fine, "boom"},
		"another key's answer": {answers{good, func(o crypto.SignerOpts, d []byte) ([]byte, error) { return other.Sign(rand.Reader, d, o) }}, fine, "was thrown away"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			armored, fingerprint, err := signer.NewOpenPGPCertificate("kms://a", c.key, c.o)
			var refused *signer.KeyError
			if armored != nil || fingerprint != "" || !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q, %s, %v", armored, fingerprint, err)
			}
		})
	}
}

// answers is a key whose keeper answers as it likes.
type answers struct {
	crypto.Signer
	answer func(opts crypto.SignerOpts, digest []byte) ([]byte, error)
}

func (a answers) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return a.answer(opts, digest)
}

// FuzzOpenPGPCertificate: a certificate comes from whoever made it.
func FuzzOpenPGPCertificate(f *testing.F) {
	key := newX509(f, "p256").Key
	armored, _, err := signer.NewOpenPGPCertificate("kms://a", kept{key}, certificateOptions(crypto.SHA256))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(armored)
	f.Add([]byte{})
	f.Add([]byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxsBN\n-----END PGP PUBLIC KEY BLOCK-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		opened, err := signer.NewOpaqueOpenPGPKey("kms://a", kept{key}, crypto.SHA256, data)
		var refused *signer.KeyError
		switch {
		case err != nil && !errors.As(err, &refused):
			t.Errorf("not a *KeyError: %v", err)
		case err == nil && opened.Kind() != signer.KindOpenPGP:
			t.Errorf("opened %v", opened)
		}
	})
}
