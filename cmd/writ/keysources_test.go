package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms"

	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
)

// keySource is a place where a key may be, and what is signed with it.
type keySource struct {
	name       string // as docs/keys.md has it
	algorithms []string
	formats    []string
	// open puts a key of that algorithm there.
	open func(w *keyWork, t *testing.T, algorithm string)
}

// keySources are all of them. TestEachKeySourceSignsForEachVerifier runs each cell, and
// docs/keys.md has the same table.
var keySources = []keySource{
	{"PEM file", []string{"p256"}, anyFormat, (*keyWork).inPEM},
	{"PKCS#12 file", []string{"rsa2048"}, anyFormat, (*keyWork).inPKCS12},
	{"OpenPGP file", []string{"ed25519"}, onlyClearsign, (*keyWork).inOpenPGP},
	{"gpg-agent", []string{"ed25519"}, onlyClearsign, (*keyWork).inAgent},
	{"`env://`", []string{"p384"}, anyFormat, (*keyWork).inVariable},
	{"a KMS inside the test", []string{"rsa2048", "p256"}, anyFormat, (*keyWork).inFakeKMS},
	{"an emulator of Vault's transit engine, by the client inside or by a plugin", []string{"rsa2048", "p384"}, anyFormat, (*keyWork).inVault},
	{"HashiCorp Vault's transit engine (`make test-vault`), by a plugin", []string{"rsa2048", "rsa3072", "p256", "p384"}, anyFormat, (*keyWork).inRealVault},
	{"SoftHSM2, by the plugin of `examples/sigstore-kms-hsm`", []string{"rsa2048", "rsa3072", "p256", "p384"}, anyFormat, (*keyWork).inSoftHSM},
	{"no key: a certificate by Fulcio", []string{"p256"}, onlySigstore, (*keyWork).inFulcio},
}

var (
	anyFormat     = []string{"authenticode", "clearsign", "sigstore"}
	onlyClearsign = []string{"clearsign"}
	onlySigstore  = []string{"sigstore"}
)

// formatVerifiers are who verifies each format.
var formatVerifiers = []struct {
	format    string
	sign      func(w *keyWork, t *testing.T)
	verifiers []formatVerifier
}{
	{"authenticode", (*keyWork).signInPlace, []formatVerifier{{"writ", (*keyWork).writInPlace, ""}, {"osslsigncode", (*keyWork).osslsigncode, ""}}},
	{"clearsign", (*keyWork).clearsign, []formatVerifier{{"writ", (*keyWork).writClearsign, ""}, {"gpg", (*keyWork).gpg, ""}, {"gpgv", (*keyWork).gpgv, ""}}},
	{"sigstore", (*keyWork).signBundle, []formatVerifier{{"writ", (*keyWork).writBundle, ""}, {"openssl", (*keyWork).openssl, ""}, {"sigstore-go", (*keyWork).sigstoreGo, ""}, {"cosign", (*keyWork).cosign, "p384"}}},
}

type formatVerifier struct {
	name   string
	verify func(w *keyWork, t *testing.T)
	not    string // the algorithm that it cannot verify: cosign takes SHA-256 for every key
}

// says is the verifier's place in a row of the table.
func (v formatVerifier) says(algorithms []string) string {
	switch {
	case !slices.Contains(algorithms, v.not):
		return v.name
	case len(algorithms) == 1:
		return ""
	}
	return v.name + " (not " + v.not + ")"
}

// keySourceTable is the table of docs/keys.md.
func keySourceTable() string {
	var b strings.Builder
	b.WriteString("| key |")
	for _, f := range formatVerifiers {
		fmt.Fprintf(&b, " `%s` |", f.format)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(formatVerifiers)) + "\n")
	for _, s := range keySources {
		fmt.Fprintf(&b, "| %s: %s |", s.name, strings.Join(s.algorithms, ", "))
		for _, f := range formatVerifiers {
			var names []string
			if slices.Contains(s.formats, f.format) {
				for _, v := range f.verifiers {
					if said := v.says(s.algorithms); said != "" {
						names = append(names, said)
					}
				}
			}
			fmt.Fprintf(&b, " %s |", strings.Join(names, ", "))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestTheTableOfKeySourcesIsThatOfTheTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(testenv.Root(t), "docs", "keys.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := keySourceTable(); !bytes.Contains(page, []byte("\n\n"+want+"\n")) {
		t.Errorf("docs/keys.md has not this table:\n%s", want)
	}
}

// Each cell is signed with the real program and verified by another one.
func TestEachKeySourceSignsForEachVerifier(t *testing.T) {
	t.Parallel()
	for _, source := range keySources {
		for _, algorithm := range source.algorithms {
			t.Run(source.name+"/"+algorithm, func(t *testing.T) {
				t.Parallel()
				w := newKeyWork(t)
				source.open(w, t, algorithm)
				for _, f := range formatVerifiers {
					if !slices.Contains(source.formats, f.format) {
						continue
					}
					t.Run(f.format, func(t *testing.T) {
						if f.format == formatSigstore && len(sigstoreSigners()) == 0 {
							t.Skip("this build is without Sigstore")
						}
						f.sign(w, t)
						for _, v := range f.verifiers {
							if v.not == algorithm {
								continue
							}
							t.Run(v.name, func(t *testing.T) { v.verify(w, t) })
						}
					})
				}
			})
		}
	}
}

// keyWork is a folder with runbooks, and a key to sign them with.
type keyWork struct {
	dir    string
	env    []string // beside that of the test
	key    string   // for --key
	flags  []string // how to open it
	noCert bool     // an OpenPGP key brings its own
	issuer *newkeys.X509Key
	public crypto.PublicKey
	// person is whom Fulcio certified, and vouchedBy the issuer that knows them; "" where a key signed.
	person, vouchedBy string
}

const (
	powerShell = "Write-Host 'hello'\r\n"
	bashScript = "#!/bin/bash\n-x\necho hello\n"
)

// fulcioRoot is the trusted root of the Sigstore that certifies.
const fulcioRoot = "trust/test/sigstore/trusted_root.json"

// keyIssuer certifies the keys of all sources.
var keyIssuer = sync.OnceValues(func() (*newkeys.X509Key, error) {
	return newkeys.X509(newkeys.X509Options{Subject: "Key sources", NotBefore: time.Now().Add(-time.Hour)})
})

func newKeyWork(t *testing.T) *keyWork {
	t.Helper()
	issuer, err := keyIssuer()
	if err != nil {
		t.Fatal(err)
	}
	w := &keyWork{dir: t.TempDir(), issuer: issuer}
	w.write(t, "a.ps1", []byte(powerShell))
	w.write(t, "a.sh", []byte(bashScript))
	w.write(t, "b.sh", []byte(bashScript))
	w.write(t, "ca.pem", issuer.CAPEM)
	return w
}

func (w *keyWork) path(name string) string { return filepath.Join(w.dir, name) }

func (w *keyWork) write(t *testing.T, name string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(w.path(name), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return w.path(name)
}

// run runs a program in the folder; it returns what it wrote.
func (w *keyWork) run(t *testing.T, program string, args ...string) (out string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), w.env...)
	said, err := cmd.CombinedOutput()
	return string(said), err
}

func (w *keyWork) mustRun(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := w.run(t, program, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, out)
	}
	return out
}

// sign runs writ sign on a file, with the certificate of that name unless the key
// has its own.
func (w *keyWork) sign(t *testing.T, file, cert string, more ...string) (string, error) {
	t.Helper()
	args := append([]string{"sign", "--key", w.key}, w.flags...)
	if !w.noCert {
		args = append(args, "--cert", cert)
	}
	return w.run(t, "writ", append(append(args, more...), file)...)
}

func (w *keyWork) mustSign(t *testing.T, file, cert string, more ...string) {
	t.Helper()
	if out, err := w.sign(t, file, cert, more...); err != nil {
		t.Fatalf("writ sign: %v\n%s", err, out)
	}
}

// private makes a key of the algorithm in memory.
func (w *keyWork) private(t *testing.T, algorithm string) *newkeys.X509Key {
	t.Helper()
	k, err := newkeys.X509(newkeys.X509Options{Algorithm: algorithm, Subject: "Key sources", NotBefore: time.Now().Add(-time.Hour), Issuer: w.issuer})
	if err != nil {
		t.Fatal(err)
	}
	w.certify(t, k.Key.Public())
	return k
}

// certify writes the X.509 certificate of the key: cert.pem.
func (w *keyWork) certify(t *testing.T, public crypto.PublicKey) {
	t.Helper()
	w.public = public
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "Key sources"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, w.issuer.CA, public, w.issuer.CAKey)
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "cert.pem", append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), w.issuer.CAPEM...))
}

func (w *keyWork) inPEM(t *testing.T, algorithm string) {
	w.key = w.write(t, "key.pem", w.private(t, algorithm).KeyPEM)
}

func (w *keyWork) inPKCS12(t *testing.T, algorithm string) {
	w.write(t, "key.pem", w.private(t, algorithm).KeyPEM)
	w.mustRun(t, testenv.Tool(t, "openssl"), "pkcs12", "-export", "-inkey", "key.pem", "-in", "cert.pem", "-out", "key.p12", "-passout", "pass:secret word")
	w.write(t, "pass.txt", []byte("secret word\n"))
	if err := os.Chmod(w.path("key.p12"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.key, w.flags = "key.p12", []string{"--passphrase-file", "pass.txt"}
}

func (w *keyWork) inOpenPGP(t *testing.T, algorithm string) {
	e, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Algorithm: algorithm, Name: "Key sources", Created: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	secret, err := newkeys.ArmoredSecret(e, nil)
	if err != nil {
		t.Fatal(err)
	}
	public, err := newkeys.ArmoredPublic(e)
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "secret.asc", secret)
	w.write(t, "openpgp.asc", public)
	w.key, w.noCert = "openpgp:secret.asc", true
}

func (w *keyWork) inAgent(t *testing.T, algorithm string) {
	gpg := testenv.Tool(t, "gpg")
	w.env = append(w.env, "GNUPGHOME="+testenv.GnuPGHome(t))
	w.mustRun(t, gpg, "--batch", "--pinentry-mode", "loopback", "--passphrase", "", "--quick-gen-key", "Key sources", algorithm, "sign", "1d")
	w.mustRun(t, gpg, "--batch", "--armor", "--output", "openpgp.asc", "--export")
	for line := range strings.Lines(w.mustRun(t, gpg, "--batch", "--with-colons", "--list-secret-keys")) {
		if f := strings.Split(line, ":"); f[0] == "fpr" {
			w.key = "gpg:" + f[9]
		}
	}
	w.noCert = true
}

func (w *keyWork) inVariable(t *testing.T, algorithm string) {
	w.env = append(w.env, "SIGNING_KEY="+string(w.private(t, algorithm).KeyPEM))
	w.key = "env://SIGNING_KEY"
}

func (w *keyWork) inFakeKMS(t *testing.T, algorithm string) {
	w.key = fakeKMSScheme + w.write(t, "kms.pem", w.private(t, algorithm).KeyPEM)
}

// fakeKMS is a provider of Sigstore's client inside the test's "writ". Its keys are
// in files, which nobody who signs gets to see.
type fakeKMS struct {
	signature.SignerVerifier
	hash crypto.Hash
}

const fakeKMSScheme = "testkms://"

func init() {
	kms.AddProvider(fakeKMSScheme, func(_ context.Context, uri string, hash crypto.Hash, _ ...signature.RPCOption) (kms.SignerVerifier, error) {
		data, err := os.ReadFile(strings.TrimPrefix(uri, fakeKMSScheme))
		if err != nil {
			return nil, err
		}
		key, err := cryptoutils.UnmarshalPEMToPrivateKey(data, nil)
		if err != nil {
			return nil, err
		}
		private, err := signature.LoadSignerVerifier(key, hash)
		return fakeKMS{private, hash}, err
	})
}

// fakeKMSCalls names the variable with the file that gets a line for each signature.
const fakeKMSCalls = "TESTKMS_CALLS"

func (k fakeKMS) SignMessage(message io.Reader, opts ...signature.SignOption) ([]byte, error) {
	if path := os.Getenv(fakeKMSCalls); path != "" {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		_, err = f.WriteString("signed\n")
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
	return k.SignerVerifier.SignMessage(message, opts...)
}

func (k fakeKMS) CryptoSigner(context.Context, func(error)) (crypto.Signer, crypto.SignerOpts, error) {
	return nil, k.hash, nil
}

func (fakeKMS) CreateKey(context.Context, string) (crypto.PublicKey, error) {
	return nil, errors.New("writ makes no keys")
}
func (fakeKMS) SupportedAlgorithms() []string { return nil }
func (fakeKMS) DefaultAlgorithm() string      { return "" }
func (fakeKMS) VerifySignature(io.Reader, io.Reader, ...signature.VerifyOption) error {
	return errors.New("writ verifies by itself")
}

// inVault puts the key into an emulator of Vault, which is in every run of the tests.
func (w *keyWork) inVault(t *testing.T, algorithm string) {
	vault := testenv.NewTransitEmulator(t)
	vault.AddKey("signing", w.private(t, algorithm).Key)
	w.askVault(t, vault.URL, vault.Token)
}

var vaultKeyTypes = map[string]string{"rsa2048": "rsa-2048", "rsa3072": "rsa-3072", "p256": "ecdsa-p256", "p384": "ecdsa-p384"}

// inRealVault has a real Vault make the key.
func (w *keyWork) inRealVault(t *testing.T, algorithm string) {
	vault := testenv.StartVault(t)
	vault.Must(t, "POST", "transit/keys/signing", `{"type":"`+vaultKeyTypes[algorithm]+`"}`)
	w.certify(t, vault.PublicKey(t, "signing"))
	w.askVault(t, vault.URL, vault.Token)
}

func (w *keyWork) askVault(t *testing.T, url, token string) {
	w.env = append(w.env, "VAULT_ADDR="+url, "VAULT_TOKEN="+token)
	w.key = "hashivault://signing"
	if !slices.Contains(kms.SupportedProviders(), "hashivault://") {
		w.addPlugin(t, "hashivault", vaultPlugin)
	}
}

func (w *keyWork) signInPlace(t *testing.T) { w.mustSign(t, "a.ps1", "cert.pem") }

func (w *keyWork) writInPlace(t *testing.T) {
	w.mustRun(t, "writ", "verify", "--ca", "ca.pem", "a.ps1")
}

func (w *keyWork) osslsigncode(t *testing.T) {
	out := w.mustRun(t, testenv.Tool(t, "osslsigncode"), "verify", "-CAfile", "ca.pem", "-in", "a.ps1")
	if !strings.Contains(out, "Signature verification: ok") {
		t.Error(out)
	}
}

// clearsign has the key make its OpenPGP certificate first, where it has none.
func (w *keyWork) clearsign(t *testing.T) {
	if !w.noCert {
		args := []string{"keys", "openpgp-cert", w.key, "--user-id", "Key sources", "--out", "openpgp.asc"}
		w.mustRun(t, "writ", append(args, w.flags...)...)
	}
	w.mustSign(t, "a.sh", "openpgp.asc")
}

func (w *keyWork) writClearsign(t *testing.T) {
	w.mustRun(t, "writ", "verify", "--keyring", "openpgp.asc", "--payload", "payload.sh", "a.sh.asc")
	if payload, err := os.ReadFile(w.path("payload.sh")); err != nil || string(payload) != bashScript {
		t.Errorf("%v: %q", err, payload)
	}
}

func (w *keyWork) gpg(t *testing.T) {
	gpg := testenv.Tool(t, "gpg")
	home := testenv.GnuPGHome(t)
	if said := w.mustRun(t, gpg, "--homedir", home, "--batch", "--no-auto-check-trustdb", "--import", "openpgp.asc"); strings.Contains(said, "WARNING") {
		t.Error(said)
	}
	said := w.mustRun(t, gpg, "--homedir", home, "--batch", "--no-auto-check-trustdb", "--trust-model", "always", "--status-fd", "2", "--output", "gpg.sh", "--decrypt", "a.sh.asc")
	if payload, err := os.ReadFile(w.path("gpg.sh")); err != nil || string(payload) != bashScript || !strings.Contains(said, "] VALIDSIG ") {
		t.Errorf("%v: %q\n%s", err, payload, said)
	}
}

func (w *keyWork) gpgv(t *testing.T) {
	w.mustRun(t, testenv.Tool(t, "gpg"), "--homedir", testenv.GnuPGHome(t), "--batch", "--output", "ring.gpg", "--dearmor", "openpgp.asc")
	w.mustRun(t, testenv.Tool(t, "gpgv"), "--homedir", w.dir, "--keyring", w.path("ring.gpg"), "a.sh.asc")
}

// signBundle needs no certificate, and without a key gets one.
func (w *keyWork) signBundle(t *testing.T) {
	if w.key == "" {
		w.mustRun(t, "writ", append(append([]string{"sign"}, w.flags...), "b.sh")...)
		w.writeCertified(t)
		return
	}
	data, err := cryptoutils.MarshalPublicKeyToPEM(w.public)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"trust", "trust/test", "trust/test/sigstore"} {
		if err := os.Mkdir(w.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.write(t, "trust/test/sigstore/key.pub", data)
	w.write(t, "key.pub", data)
	args := append([]string{"sign", "--format", "sigstore", "--key", w.key}, w.flags...)
	w.mustRun(t, "writ", append(args, "b.sh")...)
}

func (w *keyWork) writBundle(t *testing.T) {
	w.mustRun(t, "writ", "verify", "--trust", "trust", "b.sh")
}

// openssl verifies the signature in the bundle.
func (w *keyWork) openssl(t *testing.T) {
	data, err := os.ReadFile(w.path("b.sh.sigstore.json"))
	if err != nil {
		t.Fatal(err)
	}
	var bundle struct {
		MessageSignature struct {
			MessageDigest struct{ Algorithm string }
			Signature     []byte
		}
	}
	if err := json.Unmarshal(data, &bundle); err != nil {
		t.Fatal(err)
	}
	w.write(t, "b.sig", bundle.MessageSignature.Signature)
	digest := map[string]string{"SHA2_256": "-sha256", "SHA2_384": "-sha384"}[bundle.MessageSignature.MessageDigest.Algorithm]
	w.mustRun(t, testenv.Tool(t, "openssl"), "dgst", digest, "-verify", "key.pub", "-signature", "b.sig", "b.sh")
}

func (w *keyWork) cosign(t *testing.T) {
	whom := []string{"--key", "key.pub", "--insecure-ignore-tlog"}
	if w.person != "" {
		whom = []string{"--trusted-root", fulcioRoot, "--certificate-identity", w.person, "--certificate-oidc-issuer", w.vouchedBy}
	}
	args := append([]string{"verify-blob", "--bundle", "b.sh.sigstore.json"}, whom...)
	w.mustRun(t, testenv.Tool(t, "cosign"), append(args, "b.sh")...)
}

// A KMS counts, and a token may ask its owner each time.
func TestEachSignatureIsOneCallOfTheKMS(t *testing.T) {
	t.Parallel()
	w := newKeyWork(t)
	w.inFakeKMS(t, "p256")
	w.env = append(w.env, fakeKMSCalls+"="+w.path("calls.txt"))
	for _, dir := range []string{"project", "trust", "trust/test", "trust/test/openpgp", "approvals"} {
		if err := os.Mkdir(w.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.write(t, "project/list.sh", []byte(bashScript))
	key := []string{"--key", w.key, "--cert", "openpgp.asc"}
	for want, step := range [][]string{
		{"keys", "openpgp-cert", w.key, "--user-id", "Key sources", "--out", "openpgp.asc"},
		{"sign", "--key", w.key, "--cert", "cert.pem", "a.ps1"},
		append([]string{"sign", "a.sh"}, key...),
		append([]string{"manifest", "sign", "project"}, key...),
		append([]string{"approve", "--trust", "trust", "--worker-group", "prod", "--approvals", "approvals", "a.sh.asc"}, key...),
	} {
		w.mustRun(t, "writ", step...)
		calls, err := os.ReadFile(w.path("calls.txt"))
		if n := strings.Count(string(calls), "\n"); err != nil || n != want+1 {
			t.Errorf("%s: %d calls until here, want %d (%v)", strings.Join(step[:2], " "), n, want+1, err)
		}
		if want == 0 {
			certificate, err := os.ReadFile(w.path("openpgp.asc"))
			if err != nil {
				t.Fatal(err)
			}
			w.write(t, "trust/test/openpgp/kms.asc", certificate)
		}
	}
	// Files that are signed already, and their verification, take none.
	w.mustRun(t, "writ", append([]string{"sign", "a.sh"}, key...)...)
	w.mustRun(t, "writ", append([]string{"sign", "--check", "a.sh"}, key...)...)
	if calls, err := os.ReadFile(w.path("calls.txt")); err != nil || strings.Count(string(calls), "\n") != 5 {
		t.Errorf("%v: %q", err, calls)
	}
}

// An authority certifies a key in a KMS by the commands that docs/keys.md has.
func TestTheDocumentedWayToACertificateOfAKeyInAKMS(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(testenv.Root(t), "docs", "keys.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "### Its X.509 certificate\n")
	_, block, _ := strings.Cut(section, "\n```\n")
	commands, _, ok := strings.Cut(block, "\n```\n")
	if !ok {
		t.Fatal("docs/keys.md has no such commands")
	}
	testenv.Tool(t, "openssl")
	w := newKeyWork(t)
	w.inFakeKMS(t, "rsa2048")
	der, err := x509.MarshalPKCS8PrivateKey(w.issuer.CAKey)
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "ca.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	w.mustRun(t, "sh", "-euc", strings.ReplaceAll(commands, "hashivault://runbooks", w.key))
	if said := w.mustRun(t, "writ", "keys", "show", w.key, "--cert", "codesign.pem"); !strings.Contains(said, "codesign.pem is of this key") {
		t.Error(said)
	}
	w.mustSign(t, "a.ps1", "codesign.pem")
	w.writInPlace(t)
	w.osslsigncode(t)
}
