package signer_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/signer"
)

// checkX509 signs with the key and verifies with its certificate.
func checkX509(t *testing.T, key *signer.Key, want *newkeys.X509Key) {
	t.Helper()
	s, chain, err := key.X509()
	if err != nil {
		t.Fatal(err)
	}
	if len(chain) != 2 || !chain[0].Equal(want.Leaf) || !chain[1].Equal(want.CA) {
		t.Fatalf("the chain has %d certificates, or the wrong order", len(chain))
	}
	if sum := sha256.Sum256(want.Leaf.Raw); key.ID() != fmt.Sprintf("x509-sha256:%x", sum) {
		t.Errorf("ID %s", key.ID())
	}
	sum256, sum384 := sha256.Sum256([]byte("x")), sha512.Sum384([]byte("x"))
	for hash, sum := range map[crypto.Hash][]byte{crypto.SHA256: sum256[:], crypto.SHA384: sum384[:]} {
		sig, err := s.Sign(rand.Reader, sum, hash)
		if err != nil {
			t.Fatalf("sign %v: %v", hash, err)
		}
		switch pub := chain[0].PublicKey.(type) {
		case *rsa.PublicKey:
			if err := rsa.VerifyPKCS1v15(pub, hash, sum, sig); err != nil {
				t.Errorf("%v: %v", hash, err)
			}
		case *ecdsa.PublicKey:
			if !ecdsa.VerifyASN1(pub, sum, sig) {
				t.Errorf("%v: the signature does not verify", hash)
			}
		}
	}
}

func TestPEMKeysThatOpenSSLWrites(t *testing.T) {
	t.Parallel()
	openssl := testenv.Tool(t, "openssl")
	for _, algorithm := range []string{"rsa2048", "rsa3072", "rsa4096", "p256", "p384"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			k, err := newkeys.X509(newkeys.X509Options{
				Algorithm: algorithm, Subject: "writ test", NotBefore: created(),
				Issuer: newX509(t, "p256"), // one RSA key less to make
			})
			if err != nil {
				t.Fatal(err)
			}
			dir := newFiles(t)
			plain := dir.write("key.pem", k.KeyPEM)
			cert := dir.write("cert.pem", k.ChainPEM())
			forms := map[string][]string{
				"PKCS#8 with AES-256":    {"pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "pass:" + secretWord},
				"PKCS#8 with many turns": {"pkcs8", "-topk8", "-v2", "aes-128-cbc", "-iter", "200000", "-passout", "pass:" + secretWord},
				"PKCS#8 with 3DES":       {"pkcs8", "-topk8", "-v2", "des3", "-passout", "pass:" + secretWord},
				"PKCS#8 with scrypt":     {"pkcs8", "-topk8", "-scrypt", "-passout", "pass:" + secretWord},
				"traditional":            {"pkey", "-traditional"},
				"traditional, encrypted": {"pkey", "-traditional", "-aes256", "-passout", "pass:" + secretWord},
				"PKCS#8":                 {"pkcs8", "-topk8", "-nocrypt"},
			}
			for name, args := range forms {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					path := filepath.Join(t.TempDir(), "k")
					run(t, openssl, append(args, "-in", plain, "-out", path)...)
					key, err := signer.OpenKey(t.Context(), path, signer.KeyOptions{Cert: cert, Passphrase: passphrase(secretWord)})
					if err != nil {
						t.Fatal(err)
					}
					checkX509(t, key, k)
					if !strings.Contains(string(must(os.ReadFile(path))), "ENCRYPTED") {
						return
					}
					_, err = signer.OpenKey(t.Context(), path, signer.KeyOptions{Cert: cert, Passphrase: passphrase("wrong")})
					wantKeyError(t, err, "the passphrase is wrong")
					_, err = signer.OpenKey(t.Context(), path, signer.KeyOptions{Cert: cert})
					wantKeyError(t, err, "--passphrase-file FILE or --passphrase-env NAME")
				})
			}
		})
	}
}

func TestPKCS12ThatOpenSSLWrites(t *testing.T) {
	t.Parallel()
	openssl := testenv.Tool(t, "openssl")
	for _, algorithm := range []string{"rsa2048", "p384"} {
		k := newX509(t, algorithm)
		dir := newFiles(t)
		plain, leaf, ca := dir.write("key.pem", k.KeyPEM), dir.write("leaf.pem", k.LeafPEM), dir.write("ca.pem", k.CAPEM)
		for name, args := range map[string][]string{
			"modern":     nil,
			"many turns": {"-iter", "200000"},
			"legacy":     {"-legacy"},
			"3DES":       {"-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"},
		} {
			for _, word := range []string{secretWord, ""} {
				t.Run(fmt.Sprintf("%s %s with passphrase %q", algorithm, name, word), func(t *testing.T) {
					t.Parallel()
					path := filepath.Join(t.TempDir(), "k.txt") // the name does not matter
					run(t, openssl, append([]string{"pkcs12", "-export", "-inkey", plain, "-in", leaf, "-certfile", ca, "-passout", "pass:" + word, "-out", path}, args...)...)
					o := signer.KeyOptions{}
					if word != "" {
						_, err := signer.OpenKey(t.Context(), path, o)
						wantKeyError(t, err, "the key is encrypted")
						_, err = signer.OpenKey(t.Context(), path, signer.KeyOptions{Passphrase: passphrase("wrong")})
						wantKeyError(t, err, "the passphrase is wrong")
						o.Passphrase = passphrase(word)
					}
					key, err := signer.OpenKey(t.Context(), path, o)
					if err != nil {
						t.Fatal(err)
					}
					checkX509(t, key, k)
				})
			}
		}
	}
}

func TestSigstoreKeys(t *testing.T) {
	t.Parallel()
	k := newX509(t, "p256")
	der, err := cryptoutils.MarshalPrivateKeyToEncryptedDER(k.Key, cryptoutils.StaticPasswordFunc([]byte(secretWord)))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := newFiles(t)
			path := dir.write("cosign.key", cryptoutils.PEMEncode(cryptoutils.PEMType(kind), der))
			cert := dir.write("cert.pem", k.ChainPEM())
			key, err := signer.OpenKey(t.Context(), path, signer.KeyOptions{Cert: cert, Passphrase: passphrase(secretWord)})
			if err != nil {
				t.Fatal(err)
			}
			checkX509(t, key, k)
			_, err = signer.OpenKey(t.Context(), path, signer.KeyOptions{Cert: cert, Passphrase: passphrase("wrong")})
			wantKeyError(t, err, "the passphrase is wrong")
		})
	}
}

func TestCertificatesInAnyOrderAndForm(t *testing.T) {
	t.Parallel()
	k, other := newX509(t, "p256"), newX509(t, "p256")
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, []byte("some text between\n")) }
	for name, c := range map[string]struct {
		key, cert []byte
		notes     int
	}{
		"root first":                      {k.KeyPEM, join(k.CAPEM, k.LeafPEM), 0},
		"each twice":                      {k.KeyPEM, join(k.CAPEM, k.LeafPEM, k.CAPEM, k.LeafPEM), 0},
		"with strangers":                  {k.KeyPEM, join(other.CAPEM, k.CAPEM, other.LeafPEM, k.LeafPEM), 1},
		"in the key file":                 {join(k.CAPEM, k.KeyPEM, k.LeafPEM), nil, 0},
		"in both files":                   {join(k.CAPEM, k.KeyPEM), k.LeafPEM, 0},
		"DER":                             {k.KeyPEM, join(append(bytes.Clone(k.Leaf.Raw), k.CA.Raw...)), 0},
		"with a private key beside them":  {k.KeyPEM, join(other.KeyPEM, k.CAPEM, k.LeafPEM), 0},
		"key file with a public key too":  {join([]byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), k.KeyPEM), k.ChainPEM(), 0},
		"key file with Windows line ends": {bytes.ReplaceAll(k.KeyPEM, []byte("\n"), []byte("\r\n")), k.ChainPEM(), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := newFiles(t)
			o := signer.KeyOptions{}
			if c.cert != nil {
				o.Cert = dir.write("cert", c.cert)
			}
			key, err := signer.OpenKey(t.Context(), dir.write("key", c.key), o)
			if err != nil {
				t.Fatal(err)
			}
			checkX509(t, key, k)
			if len(key.Notes()) != c.notes {
				t.Errorf("notes %q", key.Notes())
			}
			anchor, err := key.Anchor()
			if err != nil || !bytes.Equal(anchor, k.CAPEM) {
				t.Errorf("the anchor is not the authority: %v\n%s", err, anchor)
			}
		})
	}
}

// TestChainWithoutItsRootHasNoAnchor: nothing that such a key signs would verify
// by its own chain, and the message says what is missing.
func TestChainWithoutItsRootHasNoAnchor(t *testing.T) {
	t.Parallel()
	k := newX509(t, "p256")
	dir := newFiles(t)
	key, err := signer.OpenKey(t.Context(), dir.write("key", k.KeyPEM), signer.KeyOptions{Cert: dir.write("cert", k.LeafPEM)})
	if err != nil {
		t.Fatal(err)
	}
	anchor, err := key.Anchor()
	wantKeyError(t, err, "up to the root")
	if anchor != nil {
		t.Error("there is one")
	}
}

func TestKeysThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	k, other, short, long := newX509(t, "p256"), newX509(t, "p256"), newX509(t, "rsa1024"), newX509(t, "p521")
	armored, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "x", Created: created()})
	if err != nil {
		t.Fatal(err)
	}
	public := must(newkeys.ArmoredPublic(armored))
	renewal := *k.Leaf
	renewal.SerialNumber = big.NewInt(7)
	tooLarge := must(x509.CreateCertificate(rand.Reader, &renewal, k.CA, &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 8192, 1), E: 65537}, k.CAKey))
	renewed := must(x509.CreateCertificate(rand.Reader, &renewal, k.CA, k.Key.Public(), k.CAKey))
	for name, c := range map[string]struct {
		key, cert []byte
		want      string
	}{
		"another's certificate":       {k.KeyPEM, other.ChainPEM(), "none of the certificates belongs to the private key"},
		"only the authority":          {k.KeyPEM, k.CAPEM, "none of the certificates belongs"},
		"RSA-1024":                    {short.KeyPEM, short.ChainPEM(), "an RSA key of 1024 bits"},
		"P-521":                       {long.KeyPEM, long.ChainPEM(), "an ECDSA key on the curve P-521"},
		"two private keys":            {append(bytes.Clone(k.KeyPEM), other.KeyPEM...), k.ChainPEM(), "more than one private key"},
		"a certificate as the key":    {k.ChainPEM(), nil, "no private key in the file"},
		"a public OpenPGP key":        {public, nil, "a public OpenPGP key"},
		"DER":                         {[]byte("\x30\x03\x02\x01\x00"), nil, "openssl pkey -inform DER"},
		"text":                        {[]byte("hello\n"), nil, "not a private key"},
		"nothing":                     {nil, nil, "the file is empty"},
		"more than the limit":         {bytes.Repeat([]byte("x"), signer.MaxKeyFile+1), nil, "larger than"},
		"an OpenSSH key":              {[]byte("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"), nil, "ssh-keygen -p -m PKCS8"},
		"a certificate that is none":  {k.KeyPEM, []byte("hello"), "not certificates"},
		"a certificate cut short":     {k.KeyPEM, []byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"), "certificate 1 in it cannot be read"},
		"PKCS#7":                      {k.KeyPEM, []byte("-----BEGIN PKCS7-----\nMIIB\n-----END PKCS7-----\n"), "openssl pkcs7 -print_certs"},
		"a PEM file without its end":  {k.KeyPEM[:len(k.KeyPEM)-20], k.ChainPEM(), "no private key in the file"},
		"a GnuPG keybox":              {append([]byte("\x00\x00\x00\x20\x01\x01\x00\x02KBXf"), make([]byte, 20)...), nil, "a GnuPG keybox"},
		"a private key of ones":       {[]byte("-----BEGIN PRIVATE KEY-----\n" + strings.Repeat("////", 16) + "\n-----END PRIVATE KEY-----\n"), k.ChainPEM(), "the private key cannot be read"},
		"two certificates of the key": {k.KeyPEM, append(bytes.Clone(k.Leaf.Raw), renewed...), "several certificates belong"},
		"a key too large to use":      {k.KeyPEM, append(bytes.Clone(k.Leaf.Raw), tooLarge...), "an RSA key of more than 8192 bits"},
		"too many certificates given": {k.KeyPEM, bytes.Repeat(k.LeafPEM, 33), "more than 32 certificates"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := newFiles(t)
			o := signer.KeyOptions{Passphrase: passphrase(secretWord)}
			if c.cert != nil {
				o.Cert = dir.write("cert", c.cert)
			}
			_, err := signer.OpenKey(t.Context(), dir.write("key", c.key), o)
			wantKeyError(t, err, c.want)
		})
	}
}

func TestSourcesThatAreNoFiles(t *testing.T) {
	t.Parallel()
	dir := newFiles(t)
	for source, want := range map[string]string{
		dir.path("nothing-here"): "no such file",
		dir.dir:                  "not a regular file",
	} {
		_, err := signer.OpenKey(t.Context(), source, signer.KeyOptions{})
		wantKeyError(t, err, want)
	}
}

func TestOpenPGPKeysThatGnuPGExports(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"ed25519", "rsa3072"} {
		for _, word := range []string{"", secretWord} {
			t.Run(fmt.Sprintf("%s with passphrase %q", algorithm, word), func(t *testing.T) {
				t.Parallel()
				g := newGnuPG(t)
				fpr := g.newKey(word, "writ test", algorithm)
				public := must(openpgp.ReadArmoredKeyRing(strings.NewReader(g.run(word, "--armor", "--export", fpr))))
				for form, args := range map[string][]string{
					"armored":              {"--armor", "--export-secret-keys", fpr},
					"binary":               {"--export-secret-keys", fpr},
					"subkeys only":         {"--armor", "--export-secret-subkeys", fpr},
					"subkeys only, binary": {"--export-secret-subkeys", fpr},
				} {
					t.Run(form, func(t *testing.T) {
						dir := newFiles(t)
						path := dir.write("key", []byte(g.run(word, args...)))
						key, err := signer.OpenKey(t.Context(), path, signer.KeyOptions{Passphrase: passphrase(word)})
						if err != nil {
							t.Fatal(err)
						}
						if key.ID() != "openpgp:"+fpr || key.Kind() != signer.KindOpenPGP {
							t.Errorf("ID %s of kind %s, want %s", key.ID(), key.Kind(), fpr)
						}
						checkOpenPGP(t, key, public)
						anchor := must(openpgp.ReadArmoredKeyRing(bytes.NewReader(must(key.Anchor()))))
						if !bytes.Equal(anchor[0].PrimaryKey.Fingerprint, public[0].PrimaryKey.Fingerprint) || anchor[0].PrivateKey != nil {
							t.Error("the anchor is not the public key")
						}
						if word == "" {
							return
						}
						_, err = signer.OpenKey(t.Context(), path, signer.KeyOptions{Passphrase: passphrase("wrong")})
						wantKeyError(t, err, "the passphrase is wrong")
						_, err = signer.OpenKey(t.Context(), path, signer.KeyOptions{})
						wantKeyError(t, err, "the key is encrypted")
					})
				}
			})
		}
	}
}

// TestOpenPGPKeysOfTheMostTurnsThatThereAre: GnuPG makes a key of a passphrase in as
// many as its agent gets done in a tenth of a second.
func TestOpenPGPKeysOfTheMostTurnsThatThereAre(t *testing.T) {
	t.Parallel()
	g := newGnuPG(t)
	fpr := g.newKey(secretWord, "writ test", "ed25519")
	run(t, "gpgconf", "--homedir", g.home, "--kill", "gpg-agent")
	files{t, g.home}.write("gpg-agent.conf", []byte("s2k-count 65011712\n"))
	exported := g.run(secretWord, "--armor", "--export-secret-subkeys", fpr)
	if packets := g.run("", "--list-packets", newFiles(t).write("key", []byte(exported))); !strings.Contains(packets, "protect count: 65011712") {
		t.Fatalf("another count: %s", packets)
	}
	key, err := signer.OpenKey(t.Context(), newFiles(t).write("key", []byte(exported)), signer.KeyOptions{Passphrase: passphrase(secretWord)})
	if err != nil {
		t.Fatal(err)
	}
	checkOpenPGP(t, key, must(openpgp.ReadArmoredKeyRing(strings.NewReader(g.run("", "--armor", "--export", fpr)))))
}

func TestOnlyTheSubkeyThatIsHereSigns(t *testing.T) {
	t.Parallel()
	g := newGnuPG(t)
	fpr := g.newKey("", "writ test", "ed25519")
	g.run("", "--quick-add-key", fpr, "ed25519", "sign", "1y") // newer: the library would choose it
	var sub []string
	for line := range strings.Lines(g.run("", "--with-colons", "--list-secret-keys", fpr)) {
		if f := strings.Split(line, ":"); f[0] == "fpr" {
			sub = append(sub, f[9])
		}
	}
	public := must(openpgp.ReadArmoredKeyRing(strings.NewReader(g.run("", "--armor", "--export", fpr))))
	dir := newFiles(t)
	for _, only := range sub[1:] {
		path := dir.write("key", []byte(g.run("", "--armor", "--export-secret-subkeys", only+"!")))
		key, err := signer.OpenKey(t.Context(), path, signer.KeyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if by := checkOpenPGP(t, key, public); by != only {
			t.Errorf("signed by %s, and only %s is here", by, only)
		}
	}
}

func TestSeveralSecretKeysAreNamedAndRefused(t *testing.T) {
	t.Parallel()
	var both, binary []byte
	var want []string
	for _, name := range []string{"one", "two"} {
		e := must(newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: name, Created: created()}))
		both = append(both, must(newkeys.ArmoredSecret(e, nil))...)
		var buf bytes.Buffer
		if err := e.SerializePrivateWithoutSigning(&buf, nil); err != nil {
			t.Fatal(err)
		}
		binary = append(binary, buf.Bytes()...)
		want = append(want, fmt.Sprintf("%X", e.PrimaryKey.Fingerprint))
	}
	dir := newFiles(t)
	for _, data := range [][]byte{both, binary} {
		_, err := signer.OpenKey(t.Context(), dir.write("key", data), signer.KeyOptions{})
		wantKeyError(t, err, want[0]+", "+want[1])
	}
}

func TestOpenPGPKeyThatMayNotSignIsRefused(t *testing.T) {
	t.Parallel()
	e := must(newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "x", Created: created()}))
	e.Subkeys = nil // what is left may only certify
	_, err := signer.NewOpenPGPKey("test", e)
	wantKeyError(t, err, "no secret key that may sign")
	_, err = signer.OpenKey(t.Context(), newFiles(t).write("key", must(newkeys.ArmoredSecret(e, nil))), signer.KeyOptions{})
	wantKeyError(t, err, "no secret key that may sign")
}

// checkOpenPGP signs with the key, verifies with the public certificate, and
// says whose signature it was.
func checkOpenPGP(t *testing.T, key *signer.Key, public openpgp.EntityList) string {
	t.Helper()
	entity, err := key.OpenPGP()
	if err != nil {
		t.Fatal(err)
	}
	config := &packet.Config{DefaultHash: crypto.SHA512, Time: testenv.VectorTime}
	var sig bytes.Buffer
	if err := openpgp.DetachSign(&sig, []*openpgp.Entity{entity}, strings.NewReader("x"), config); err != nil {
		t.Fatal(err)
	}
	_, _, err = openpgp.VerifyDetachedSignature(public, strings.NewReader("x"), bytes.NewReader(sig.Bytes()), config)
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	p := must(packet.Read(bytes.NewReader(sig.Bytes())))
	return fmt.Sprintf("%X", p.(*packet.Signature).IssuerFingerprint)
}

func TestKeyFileOpenToOthersIsNoted(t *testing.T) {
	t.Parallel()
	k := newX509(t, "p256")
	dir := newFiles(t)
	path := dir.write("key", append(bytes.Clone(k.KeyPEM), k.ChainPEM()...))
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	key, err := signer.OpenKey(t.Context(), path, signer.KeyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if notes := key.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "open to other users (mode 0640)") {
		t.Errorf("notes %q", notes)
	}
}

// TestAttackAKeyInThePlaceOfItsNameIsQuotedNowhere: "$(cat key.pem)" is no path, and
// an error with it would be in the log of every pipeline.
func TestAttackAKeyInThePlaceOfItsNameIsQuotedNowhere(t *testing.T) {
	t.Parallel()
	k, err := newkeys.X509(newkeys.X509Options{Algorithm: "p256", Subject: "x", NotBefore: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(k.KeyPEM)
	for name, text := range map[string]string{
		"PEM": string(k.KeyPEM), "PEM in base64": base64.StdEncoding.EncodeToString(k.KeyPEM), "DER in base64": base64.StdEncoding.EncodeToString(block.Bytes),
		"armor": "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlFgEZ\n-----END PGP PRIVATE KEY BLOCK-----\n",
	} {
		for _, scheme := range []string{"", "env://", "openpgp:"} {
			_, err := signer.OpenKey(t.Context(), scheme+text, signer.KeyOptions{})
			var known *signer.KeyError
			if !errors.As(err, &known) || strings.Contains(err.Error(), text[len(text)/2:len(text)/2+10]) || !strings.Contains(err.Error(), "a key itself") {
				t.Errorf("%s%s: %v", scheme, name, err)
			}
		}
	}
	for _, source := range []string{"key.pem", "openpgp:keys/signer.key.asc", "env://SIGNING_KEY", "gpg:0123456789ABCDEF0123456789ABCDEF01234567", "keys/a/b/c/d/e", "awskms:///arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"} {
		if err := signer.CheckSource(source); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func TestKeyPrintsNoSecrets(t *testing.T) {
	t.Parallel()
	k := newX509(t, "p256")
	key, err := signer.NewX509Key("here", k.Key, k.Chain())
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, key); got != `key "here"` {
			t.Errorf("%s prints %s", format, got)
		}
	}
}

func TestAChainIsHeldToWhoIssuedWhom(t *testing.T) {
	t.Parallel()
	k, other := newX509(t, "p256"), newX509(t, "p256") // authorities of one name
	for name, chain := range map[string][]*x509.Certificate{
		"the authority of another key": {k.Leaf, other.CA},
		"the root twice removed":       {k.Leaf, other.Leaf, k.CA},
		"a leaf above the root":        {k.Leaf, k.CA, other.Leaf},
	} {
		var refused *signer.KeyError
		if _, err := signer.NewX509Key("here", k.Key, chain); !errors.As(err, &refused) || !strings.Contains(refused.Msg, "out of order") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASignatureBringsTheChainWithoutItsRoot(t *testing.T) {
	t.Parallel()
	k := newX509(t, "p256")
	for name, chain := range map[string][]*x509.Certificate{"with the root": {k.Leaf, k.CA}, "without it": {k.Leaf}} {
		key, err := signer.NewX509Key("here", k.Key, chain)
		if err != nil {
			t.Fatal(err)
		}
		if got := key.WithoutRoot(); len(got) != 1 || got[0] != k.Leaf {
			t.Errorf("%s: %d certificates", name, len(got))
		}
	}
	authority, err := signer.NewX509Key("here", k.CAKey, []*x509.Certificate{k.CA})
	if err != nil {
		t.Fatal(err)
	}
	if got := authority.WithoutRoot(); len(got) != 1 {
		t.Errorf("a self-signed leaf: %d certificates", len(got))
	}
}

func TestZeroKeySaysNo(t *testing.T) {
	t.Parallel()
	for _, key := range []*signer.Key{nil, {}} {
		if _, _, err := key.X509(); err == nil {
			t.Error("X509 gave something")
		}
		if _, err := key.OpenPGP(); err == nil {
			t.Error("OpenPGP gave something")
		}
		if key.WithoutRoot() != nil {
			t.Error("WithoutRoot gave something")
		}
		if _, err := key.Anchor(); err == nil || key.ID() != "" || key.Kind() != "" {
			t.Error("the zero key has an identity")
		}
	}
}

func TestEndedContextIsTheCause(t *testing.T) {
	t.Parallel()
	k := newX509(t, "rsa2048")
	path := newFiles(t).write("key", append(bytes.Clone(k.KeyPEM), k.ChainPEM()...))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := signer.OpenKey(ctx, path, signer.KeyOptions{}); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err) // it may have been quick enough
	}
}

func wantKeyError(t *testing.T, err error, want string) {
	t.Helper()
	var key *signer.KeyError
	switch {
	case !errors.As(err, &key):
		t.Errorf("want a KeyError with %q, got %v", want, err)
	case !strings.Contains(err.Error(), want):
		t.Errorf("want an error with %q, got %v", want, err)
	case slices.ContainsFunc([]string{secretWord, "wrong\"", "MIG", "BEGIN"}, func(s string) bool { return strings.Contains(err.Error(), s) }):
		t.Errorf("the error quotes something secret: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
