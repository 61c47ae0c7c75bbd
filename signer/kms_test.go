package signer_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms"
	"github.com/sigstore/sigstore/pkg/signature/kms/fake"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// scriptedKMS is a KMS inside the test that answers as the test says. It comes to
// its provider through the context.
type scriptedKMS struct {
	key  crypto.Signer
	hash crypto.Hash // that it has bound to the key; 0 for the one asked for
	// Public and answer say what becomes of the n-th call, from 1; nil leaves it good.
	public func(ctx context.Context, n int64) (crypto.PublicKey, error)
	answer func(ctx context.Context, n int64, good []byte) ([]byte, error)

	publicCalls, signCalls atomic.Int64
}

type scriptedKey struct{}

const scriptedURI = "scriptedkms://key"

func init() {
	kms.AddProvider("scriptedkms://", func(ctx context.Context, _ string, hash crypto.Hash, _ ...signature.RPCOption) (kms.SignerVerifier, error) {
		s, ok := ctx.Value(scriptedKey{}).(*scriptedKMS)
		if !ok {
			return nil, errors.New("no script")
		}
		return scriptedClient{s, hash}, nil
	})
}

type scriptedClient struct {
	*scriptedKMS
	asked crypto.Hash
}

func (s scriptedClient) PublicKey(opts ...signature.PublicKeyOption) (crypto.PublicKey, error) {
	ctx := context.Background()
	for _, o := range opts {
		o.ApplyContext(&ctx)
	}
	n := s.publicCalls.Add(1)
	if s.public != nil {
		return s.public(ctx, n)
	}
	return s.key.Public(), nil
}

func (s scriptedClient) SignMessage(_ io.Reader, opts ...signature.SignOption) ([]byte, error) {
	ctx, digest, hash := context.Background(), []byte(nil), crypto.SignerOpts(s.asked)
	for _, o := range opts {
		o.ApplyContext(&ctx)
		o.ApplyDigest(&digest)
		o.ApplyCryptoSignerOpts(&hash)
	}
	n := s.signCalls.Add(1)
	if s.hash != 0 && hash.HashFunc() != s.hash || len(digest) != hash.HashFunc().Size() {
		return nil, fmt.Errorf("digest %s is not what the key is bound to", hash.HashFunc())
	}
	good, err := s.key.Sign(rand.Reader, digest, hash)
	if err != nil || s.answer == nil {
		return good, err
	}
	return s.answer(ctx, n, good)
}

func (s scriptedClient) CryptoSigner(context.Context, func(error)) (crypto.Signer, crypto.SignerOpts, error) {
	if s.hash != 0 {
		return nil, s.hash, nil
	}
	return nil, s.asked, nil
}

func (scriptedClient) VerifySignature(io.Reader, io.Reader, ...signature.VerifyOption) error {
	panic("writ verifies by itself")
}
func (scriptedClient) CreateKey(context.Context, string) (crypto.PublicKey, error) {
	panic("writ creates no keys")
}
func (scriptedClient) SupportedAlgorithms() []string { panic("ends a process of a plugin") }
func (scriptedClient) DefaultAlgorithm() string      { panic("ends a process of a plugin") }

// open opens the scripted key, without waiting between tries.
func (s *scriptedKMS) open(t testing.TB, certFile string) (*signer.Key, error) {
	t.Helper()
	return signer.OpenKey(context.WithValue(t.Context(), scriptedKey{}, s), scriptedURI, signer.KeyOptions{
		Cert: certFile, Pause: func(context.Context, time.Duration) error { return nil },
	})
}

// shop is a folder with a runbook to sign in place, and what it takes to sign it
// with a key in a KMS.
type shop struct {
	files
	signer.Options
	path string
	text []byte
}

func newShop(t testing.TB, key *signer.Key) shop {
	t.Helper()
	f := format.NewAuthenticode()
	f.Now = clock
	s := shop{files: newFiles(t), text: []byte("Write-Host 'hello'\r\n")}
	s.Options = signer.Options{Format: f, Key: key, Verify: ownVerifier(t, key, verifier.RoomX509CA, f)}
	s.path = s.write("a.ps1", s.text)
	return s
}

// wantUntouched holds that a failure left the file as it was and nothing beside it.
func (s shop) wantUntouched() {
	s.t.Helper()
	if got := s.read("a.ps1"); string(got) != string(s.text) {
		s.t.Errorf("the file changed: %q", got)
	}
	if diff := cmp.Diff([]string{"a.ps1"}, s.names()); diff != "" {
		s.t.Error(diff)
	}
}

func TestKeysInAKMSSignInPlaceWithOneCall(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		algorithm string
		bound     crypto.Hash
		want      crypto.Hash
	}{
		{"rsa2048", 0, crypto.SHA256},
		{"p256", 0, crypto.SHA256},
		{"p384", 0, crypto.SHA384},
		{"rsa2048", crypto.SHA384, crypto.SHA384}, // as Azure's client does by size
		{"rsa2048", crypto.SHA512, crypto.SHA512}, // as a version of a key of Google has it
	} {
		t.Run(fmt.Sprintf("%s bound to %s", c.algorithm, c.bound), func(t *testing.T) {
			t.Parallel()
			k := newX509(t, c.algorithm)
			s := &scriptedKMS{key: k.Key, hash: c.bound}
			key, err := s.open(t, newFiles(t).write("cert.pem", k.ChainPEM()))
			if err != nil {
				t.Fatal(err)
			}
			if key.Kind() != signer.KindX509 || key.Hash() != c.want || key.Source() != scriptedURI {
				t.Errorf("%s, %s, %s", key.Kind(), key.Hash(), key)
			}
			shop := newShop(t, key)
			if _, err := signer.SignFile(t.Context(), shop.path, shop.Options); err != nil {
				t.Fatal(err)
			}
			if public, signs := s.publicCalls.Load(), s.signCalls.Load(); public != 1 || signs != 1 {
				t.Errorf("%d calls for the public key and %d to sign, want one each", public, signs)
			}
			again, err := signer.SignFile(t.Context(), shop.path, shop.Options)
			if err != nil || !again.Unchanged || s.signCalls.Load() != 1 {
				t.Errorf("the second time: %+v, %v, %d calls", again, err, s.signCalls.Load())
			}
		})
	}
}

func TestSigstoresFakeKMSSigns(t *testing.T) {
	t.Parallel()
	k := newX509(t, "p256")
	ctx := context.WithValue(t.Context(), fake.KmsCtxKey{}, crypto.PrivateKey(k.Key))
	key, err := signer.OpenKey(ctx, "fakekms://key", signer.KeyOptions{Cert: newFiles(t).write("cert.pem", k.ChainPEM())})
	if err != nil {
		t.Fatal(err)
	}
	shop := newShop(t, key)
	if _, err := signer.SignFile(t.Context(), shop.path, shop.Options); err != nil {
		t.Fatal(err)
	}
	bare, err := signer.OpenKey(ctx, "fakekms://key", signer.KeyOptions{})
	if err != nil || bare.Kind() != signer.KindBare || !strings.HasPrefix(bare.ID(), "sigstore-key:") {
		t.Errorf("without a certificate: %s %s, %v", bare.Kind(), bare.ID(), err)
	}
}

func TestEachFailureOfAKMSIsAClearErrorAndLeavesTheFileAsItWas(t *testing.T) {
	t.Parallel()
	k := newX509(t, "p256")
	cert := newFiles(t).write("cert.pem", k.ChainPEM())
	other := newX509(t, "p256")
	for name, c := range map[string]struct {
		answer    func(ctx context.Context, n int64, good []byte) ([]byte, error) // nil: none, ever
		want      string
		calls     int64 // tries until it was given up
		mayPass   bool
		callsNext int64 // tries after a second file
	}{
		"a timeout": {func(ctx context.Context, _ int64, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() },
			`no answer from its keeper after 4 tries, the last said "no answer within 30s"`, 4, true, 8},
		"a client that does not look at its context": {nil, "no answer within 30s", 4, true, 8},
		"a refused connection": {func(context.Context, int64, []byte) ([]byte, error) {
			return nil, errors.New(`Put "http://127.0.0.1:8200/v1/transit/sign/k": dial tcp 127.0.0.1:8200: connect: connection refused`)
		}, "connection refused", 4, true, 8},
		"an outage": {func(context.Context, int64, []byte) ([]byte, error) {
			return nil, errors.New("Error making API request.\n\nURL: PUT http://x/v1/transit/sign/k\nCode: 503. Errors:\n\n* Vault is sealed")
		}, `"Error making API request. URL: PUT http://x/v1/transit/sign/k Code: 503. Errors: * Vault is sealed"`, 4, true, 8},
		"too many requests": {func(context.Context, int64, []byte) ([]byte, error) {
			return nil, errors.New("operation error KMS: Sign, https response error StatusCode: 400, RequestID: 1, ThrottlingException: Rate exceeded")
		}, "Rate exceeded", 4, true, 8},
		"denied": {func(context.Context, int64, []byte) ([]byte, error) {
			return nil, errors.New("Code: 403. Errors:\n\n* permission denied, i/o timeout")
		}, `cannot sign: its keeper said "Code: 403. Errors: * permission denied, i/o timeout"`, 1, false, 1},
		"not implemented":    {func(context.Context, int64, []byte) ([]byte, error) { return nil, errors.New("status code 501") }, "501", 1, false, 1},
		"a panic":            {func(context.Context, int64, []byte) ([]byte, error) { panic("nil map") }, "the answer lacks what was asked for", 1, false, 1},
		"an empty answer":    {func(context.Context, int64, []byte) ([]byte, error) { return nil, nil }, "answered with 0 bytes", 1, false, 1},
		"half an answer":     {func(_ context.Context, _ int64, good []byte) ([]byte, error) { return good[:len(good)/2], nil }, "no signature by the public key", 1, false, 1},
		"an answer and more": {func(_ context.Context, _ int64, good []byte) ([]byte, error) { return append(good, 0), nil }, "no signature by the public key", 1, false, 1},
		"a huge answer":      {func(context.Context, int64, []byte) ([]byte, error) { return make([]byte, 1<<20), nil }, "answered with 1048576 bytes", 1, false, 1},
		"another key": {func(_ context.Context, _ int64, good []byte) ([]byte, error) {
			return other.Key.Sign(rand.Reader, make([]byte, 32), crypto.SHA256)
		}, "another key, or a rotated one", 1, false, 1},
		"control characters": {func(context.Context, int64, []byte) ([]byte, error) {
			return nil, errors.New("no\x1b[31m such\u202e key" + strings.Repeat("!", 10_000))
		}, `"no\x1b[31m such\u202e key!!!`, 1, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // in which half a minute passes at once
				s := &scriptedKMS{key: k.Key, answer: c.answer}
				if c.answer == nil {
					end := make(chan struct{})
					t.Cleanup(func() { close(end) })
					s.answer = func(context.Context, int64, []byte) ([]byte, error) { <-end; return nil, nil }
				}
				key, err := s.open(t, cert)
				if err != nil {
					t.Fatal(err)
				}
				shop := newShop(t, key)
				for _, calls := range []int64{c.calls, c.callsNext} {
					_, err = signer.SignFile(t.Context(), shop.path, shop.Options)
					wantKeyError(t, err, c.want)
					var unavailable *signer.UnavailableError
					if errors.As(err, &unavailable) != c.mayPass {
						t.Errorf("whether it may pass: want %v, got %v", c.mayPass, err)
					}
					if !strings.Contains(err.Error(), scriptedURI) || len(err.Error()) > 700 {
						t.Errorf("the error does not name the key, or is too long: %.1000v", err)
					}
					if n := s.signCalls.Load(); n != calls {
						t.Errorf("%d calls, want %d", n, calls)
					}
					shop.wantUntouched()
				}
			})
		})
	}
}

func TestAKMSThatComesBackSigns(t *testing.T) {
	t.Parallel()
	k := newX509(t, "p256")
	var pauses []time.Duration
	s := &scriptedKMS{key: k.Key, answer: func(_ context.Context, n int64, good []byte) ([]byte, error) {
		if n < 4 {
			return nil, errors.New("status 503")
		}
		return good, nil
	}}
	key, err := signer.OpenKey(context.WithValue(t.Context(), scriptedKey{}, s), scriptedURI, signer.KeyOptions{
		Cert: newFiles(t).write("cert.pem", k.ChainPEM()), Pause: func(_ context.Context, d time.Duration) error { pauses = append(pauses, d); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	shop := newShop(t, key)
	if _, err := signer.SignFile(t.Context(), shop.path, shop.Options); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]time.Duration{250 * time.Millisecond, time.Second, 4 * time.Second}, pauses); diff != "" {
		t.Error(diff)
	}
}

func TestAnEndedContextEndsACallOfAKMS(t *testing.T) {
	t.Parallel()
	k := newX509(t, "p256")
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("interrupted")
	s := &scriptedKMS{key: k.Key, answer: func(ctx context.Context, _ int64, _ []byte) ([]byte, error) {
		cancel(stop)
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	key, err := s.open(t, newFiles(t).write("cert.pem", k.ChainPEM()))
	if err != nil {
		t.Fatal(err)
	}
	shop := newShop(t, key)
	if _, err := signer.SignFile(ctx, shop.path, shop.Options); !errors.Is(err, stop) {
		t.Errorf("want the cause, got %v", err)
	}
	shop.wantUntouched()
	s.answer = nil
	if _, err := signer.SignFile(t.Context(), shop.path, shop.Options); err != nil {
		t.Errorf("an interrupt is no failure of the key: %v", err)
	}
}

func TestKeysThatNoFormatCanUseAreRefusedAtOpening(t *testing.T) {
	t.Parallel()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		s    *scriptedKMS
		want string
	}{
		"Ed25519":        {&scriptedKMS{key: ed}, "an Ed25519 key in a KMS, which no format here can use"},
		"P-521":          {&scriptedKMS{key: newX509(t, "p521").Key}, "an ECDSA key on the curve P-521"},
		"RSA-1024":       {&scriptedKMS{key: newX509(t, "rsa1024").Key}, "an RSA key of 1024 bits"},
		"bound to SHA-1": {&scriptedKMS{key: newX509(t, "rsa2048").Key, hash: crypto.SHA1}, "bound to a digest other than"},
		"no public key":  {&scriptedKMS{public: func(context.Context, int64) (crypto.PublicKey, error) { return nil, nil }}, "neither an RSA nor an ECDSA"},
		"a public key of RSA-PSS": {&scriptedKMS{public: func(context.Context, int64) (crypto.PublicKey, error) {
			return nil, errors.New("x509: unknown public key algorithm")
		}}, "x509: unknown public key algorithm"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.s.open(t, "")
			wantKeyError(t, err, c.want)
			if n := c.s.signCalls.Load(); n != 0 {
				t.Errorf("%d signatures were asked for", n)
			}
		})
	}
}

func TestAKeyThatSignsWithRSAPSSIsRefused(t *testing.T) {
	t.Parallel()
	k := newX509(t, "rsa2048")
	digest := make([]byte, 32)
	s := &scriptedKMS{key: k.Key, answer: func(context.Context, int64, []byte) ([]byte, error) {
		return k.Key.Sign(rand.Reader, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
	}}
	key, err := s.open(t, "")
	if err != nil {
		t.Fatal(err)
	}
	private := must(key.Private())
	_, err = private.Sign(rand.Reader, digest, crypto.SHA256)
	wantKeyError(t, err, "RSA-PSS")
}

func TestAKeyInAKMSSignsNothingButItsDigest(t *testing.T) {
	t.Parallel()
	s := &scriptedKMS{key: newX509(t, "rsa2048").Key}
	key, err := s.open(t, "")
	if err != nil {
		t.Fatal(err)
	}
	private := must(key.Private())
	for _, c := range []struct {
		digest []byte
		opts   crypto.SignerOpts
	}{
		{make([]byte, 48), crypto.SHA384}, {make([]byte, 31), crypto.SHA256}, {make([]byte, 32), nil}, {nil, crypto.SHA256},
	} {
		_, err := private.Sign(rand.Reader, c.digest, c.opts)
		wantKeyError(t, err, "another signature than one over a SHA-256 digest")
	}
	_, err = private.Sign(rand.Reader, make([]byte, 32), &rsa.PSSOptions{Hash: crypto.SHA256})
	wantKeyError(t, err, "RSA-PSS is wanted here")
	if n := s.signCalls.Load(); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestTheCertificateOfAnotherKeyIsRefusedBeforeAnythingIsSigned(t *testing.T) {
	t.Parallel()
	s := &scriptedKMS{key: newX509(t, "p256").Key}
	_, err := s.open(t, newFiles(t).write("cert.pem", newX509(t, "p256").ChainPEM()))
	wantKeyError(t, err, "none of the certificates belongs to the private key")
	if s.signCalls.Load() != 0 {
		t.Error("it was asked to sign")
	}
}

func TestAFailureAtOpeningIsRetriedAndNamed(t *testing.T) {
	t.Parallel()
	k := newX509(t, "p256")
	s := &scriptedKMS{key: k.Key, public: func(_ context.Context, n int64) (crypto.PublicKey, error) {
		if n < 3 {
			return nil, errors.New("rpc error: code = Unavailable desc = try later")
		}
		return k.Key.Public(), nil
	}}
	if _, err := s.open(t, ""); err != nil {
		t.Fatal(err)
	}
	s.public = func(context.Context, int64) (crypto.PublicKey, error) {
		return nil, errors.New("rpc error: code = PermissionDenied desc = no")
	}
	before := s.publicCalls.Load()
	_, err := s.open(t, "")
	wantKeyError(t, err, "cannot get the public key")
	if s.publicCalls.Load() != before+1 {
		t.Error("a refusal was asked for again")
	}
}

// A service may repeat in an error what it was asked with.
func TestAttackASecretInWhatAKMSSays(t *testing.T) {
	t.Setenv("VAULT_TOKEN", "hvs.CAESIJ-not-for-the-log")
	s := &scriptedKMS{public: func(context.Context, int64) (crypto.PublicKey, error) {
		return nil, errors.New("denied: X-Vault-Token hvs.CAESIJ-not-for-the-log")
	}}
	_, err := s.open(t, "")
	wantKeyError(t, err, "denied: X-Vault-Token (value of VAULT_TOKEN)")
	if strings.Contains(err.Error(), "CAESIJ") {
		t.Error(err)
	}
}

// A PIN is short, a passphrase is a secret by another name, and one secret may be
// the beginning of another.
func TestAttackShortSecretsInWhatAKMSSays(t *testing.T) {
	t.Setenv("HSM_PIN", "471174")
	t.Setenv("HSM_PASSPHRASE", "correct horse")
	t.Setenv("A_TOKEN", "abcdefgh")
	t.Setenv("B_TOKEN", "abcdefgh-the-rest")
	s := &scriptedKMS{public: func(context.Context, int64) (crypto.PublicKey, error) {
		return nil, errors.New("denied: 471174, correct horse, abcdefgh-the-rest")
	}}
	_, err := s.open(t, "")
	wantKeyError(t, err, "denied: (value of HSM_PIN), (value of HSM_PASSPHRASE), (value of B_TOKEN)")
}

func TestURIsThatAreRefused(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"awskms://alias/x":                           "put the program sigstore-kms-awskms into a folder of PATH, or use a writ that was built with -tags cloudkms",
		"nosuchthing://key":                          "no program sigstore-kms-nosuchthing in PATH",
		"NoSuchThing://key":                          "of small letters",
		"nosuchthing://a b":                          "without blanks",
		"nosuchthing://":                             "want nosuchthing:// and its name",
		"nosuchthing://" + strings.Repeat("x", 5000): "longer than 4096 bytes",
		"pkcs11://token=t;object=o?pin-value=4711":   "a command line is no secret",
		"nosuchthing://user:word@host/key":           "a command line is no secret",
		"nosuchthing://key?user_pin=4711":            "a command line is no secret",
		"nosuchthing://key?client_secret=4711":       "a command line is no secret",
		"nosuchthing://key?passphrase=4711":          "a command line is no secret",
		"env://A=B":                                  "not the name of an environment variable",
		"env://":                                     "not the name of an environment variable",
		"env://WRIT_TEST_NOT_SET":                    "the environment variable is not set",
	} {
		if uri == "awskms://alias/x" && slices.Contains(kms.SupportedProviders(), "awskms://") {
			continue
		}
		_, err := signer.OpenKey(t.Context(), uri, signer.KeyOptions{})
		wantKeyError(t, err, want)
		if strings.Contains(err.Error(), "4711") || strings.Contains(err.Error(), "word@") {
			t.Errorf("the error has the secret: %v", err)
		}
	}
}

func TestKeysInTheEnvironment(t *testing.T) {
	k := newX509(t, "p256")
	e := must(newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "writ test", Created: created()}))
	dir := newFiles(t)
	cert := dir.write("cert.pem", k.ChainPEM())
	locked := run(t, "openssl", "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", dir.write("key.pem", k.KeyPEM), "-passout", "pass:"+secretWord)
	run(t, "openssl", "pkcs12", "-export", "-inkey", dir.path("key.pem"), "-in", cert, "-passout", "pass:"+secretWord, "-out", dir.path("key.p12"))
	run(t, "openssl", "base64", "-in", dir.path("key.p12"), "-out", dir.path("key.b64"))
	for name, c := range map[string]struct {
		value, cert string
		kind        signer.KeyKind
	}{
		"PEM":                {string(k.KeyPEM), cert, signer.KindX509},
		"PEM without --cert": {string(k.KeyPEM), "", signer.KindBare},
		"encrypted PEM":      {locked, cert, signer.KindX509},
		"OpenPGP":            {string(must(newkeys.ArmoredSecret(e, []byte(secretWord)))), "", signer.KindOpenPGP},
		"PKCS#12 in base64":  {string(dir.read("key.b64")), "", signer.KindX509},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("WRIT_TEST_KEY", c.value)
			key, err := signer.OpenKey(t.Context(), "env://WRIT_TEST_KEY", signer.KeyOptions{Cert: c.cert, Passphrase: passphrase(secretWord)})
			if err != nil || key.Kind() != c.kind || key.Source() != "env://WRIT_TEST_KEY" {
				t.Errorf("%s %s, %v", key.Kind(), key, err)
			}
		})
	}
	for value, want := range map[string]string{
		"":                                     "is empty",
		"hello":                                "not a private key in PEM",
		strings.Repeat("x", 1<<20+1):           "larger than",
		"-----BEGIN PGP PUBLIC KEY BLOCK-----": "a public OpenPGP key",
	} {
		t.Setenv("WRIT_TEST_KEY", value)
		_, err := signer.OpenKey(t.Context(), "env://WRIT_TEST_KEY", signer.KeyOptions{})
		wantKeyError(t, err, want)
	}
}

func TestTheSchemeOpenPGPTakesNothingElse(t *testing.T) {
	t.Parallel()
	k := newX509(t, "p256")
	e := must(newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "writ test", Created: created()}))
	dir := newFiles(t)
	path := dir.write("key.asc", must(newkeys.ArmoredSecret(e, nil)))
	key, err := signer.OpenKey(t.Context(), "openpgp:"+path, signer.KeyOptions{})
	if err != nil || key.Kind() != signer.KindOpenPGP {
		t.Errorf("%v, %v", key, err)
	}
	_, err = signer.OpenKey(t.Context(), "openpgp:"+dir.write("key.pem", k.KeyPEM), signer.KeyOptions{})
	wantKeyError(t, err, "not an OpenPGP secret key")
	_, err = signer.OpenKey(t.Context(), "openpgp:"+dir.path("nothing"), signer.KeyOptions{})
	wantKeyError(t, err, "no such file")
}

func TestAttackAPluginThatEverybodyMayReplace(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped: no permission bits")
	}
	for name, c := range map[string]struct {
		path         func(dir string) string
		program, dir os.FileMode
		want         string
	}{
		"a program open to all": {func(dir string) string { return dir }, 0o757, 0o755, "every user may write to"},
		"a folder open to all":  {func(dir string) string { return dir }, 0o755, 0o757, "every user may write to"},
		"a relative entry":      {func(dir string) string { return filepath.Base(dir) }, 0o755, 0o755, "through a relative entry of PATH"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := newFiles(t)
			started := dir.path("started")
			plugin := dir.path("sigstore-kms-writtest")
			testenv.WriteProgram(t, plugin, []byte("#!/bin/sh\necho > "+started+"\n"))
			if err := errors.Join(os.Chmod(plugin, c.program), os.Chmod(dir.dir, c.dir)); err != nil {
				t.Fatal(err)
			}
			t.Chdir(filepath.Dir(dir.dir))
			t.Setenv("PATH", c.path(dir.dir))
			_, err := signer.OpenKey(t.Context(), "writtest://key", signer.KeyOptions{})
			wantKeyError(t, err, c.want)
			if _, err := os.Stat(started); err == nil {
				t.Error("it was started")
			}
		})
	}
}

func TestAnOpenPGPCertificateMakesAKeyInAKMSAnOpenPGPKey(t *testing.T) {
	t.Parallel()
	s := &scriptedKMS{key: newX509(t, "p384").Key}
	bare, err := s.open(t, "")
	if err != nil {
		t.Fatal(err)
	}
	armored, fingerprint, err := signer.NewOpenPGPCertificate(scriptedURI, must(bare.Private()), certificateOptions(bare.Hash()))
	if err != nil {
		t.Fatal(err)
	}
	key, err := s.open(t, newFiles(t).write("cert.asc", armored))
	if err != nil || key.Kind() != signer.KindOpenPGP || key.ID() != "openpgp:"+fingerprint || key.Hash() != crypto.SHA384 {
		t.Errorf("%s %s, %v", key.Kind(), key.ID(), err)
	}
}

// Signatures are asked for by several goroutines at a time.
func TestManyFilesAtATimeAreOneCallEach(t *testing.T) {
	t.Parallel()
	k := newX509(t, "p256")
	s := &scriptedKMS{key: k.Key}
	key, err := s.open(t, newFiles(t).write("cert.pem", k.ChainPEM()))
	if err != nil {
		t.Fatal(err)
	}
	const files = 20
	done := make(chan error, files)
	for range files {
		shop := newShop(t, key)
		go func() {
			_, err := signer.SignFile(t.Context(), shop.path, shop.Options)
			done <- err
		}()
	}
	for range files {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if public, signs := s.publicCalls.Load(), s.signCalls.Load(); public != 1 || signs != files {
		t.Errorf("%d calls for the public key and %d to sign, want 1 and %d", public, signs, files)
	}
}

func TestPrivateKeysThatNeedNoCertificate(t *testing.T) {
	k := newX509(t, "p256")
	s := &scriptedKMS{key: k.Key}
	ctx := context.WithValue(t.Context(), scriptedKey{}, s)
	t.Setenv("WRIT_TEST_KEY", string(k.KeyPEM))
	for _, source := range []string{scriptedURI, "env://WRIT_TEST_KEY"} {
		key, _, err := signer.OpenPrivateKey(ctx, source, signer.KeyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := key.Sign(rand.Reader, make([]byte, 32), crypto.SHA256); err != nil || !k.Leaf.PublicKey.(*ecdsa.PublicKey).Equal(key.Public()) {
			t.Errorf("%s: %v", source, err)
		}
	}
	for _, source := range []string{"gpg:0123", "openpgp:key.asc"} {
		_, _, err := signer.OpenPrivateKey(ctx, source, signer.KeyOptions{})
		wantKeyError(t, err, "an OpenPGP key")
	}
}

// FuzzKeySource: whatever --key says, an answer is an error of the key, and no
// secret that a URI may hold is in it.
func FuzzKeySource(f *testing.F) {
	for _, source := range []string{
		"env://A", "openpgp:x", "gpg:0123", "awskms:///alias/x", "x://", "://", "pkcs11://t;pin-value=s3cret", "x://user:s3cret@h", "X+y://a\x00", "env://" + strings.Repeat("A", 200),
	} {
		f.Add(source)
	}
	f.Setenv("PATH", f.TempDir()) // no plugin is there, and no gpg
	f.Chdir(f.TempDir())
	f.Fuzz(func(t *testing.T, source string) {
		if path, isFile := signer.SourceFile(source); isFile && filepath.IsAbs(path) {
			return // not the fuzzer's files to read
		}
		if slices.ContainsFunc(kms.SupportedProviders(), func(scheme string) bool { return strings.HasPrefix(source, scheme) }) {
			return // nor its clouds to ask
		}
		key, err := signer.OpenKey(t.Context(), source, signer.KeyOptions{CallTime: time.Second, Pause: func(context.Context, time.Duration) error { return nil }})
		if err == nil {
			t.Fatalf("opened %q as %s", source, key)
		}
		var refused *signer.KeyError
		if err != nil && !errors.As(err, &refused) {
			t.Errorf("not a *KeyError: %v", err)
		}
		_, isFile := signer.SourceFile(source)
		if isURI := !isFile && !strings.HasPrefix(source, "env:") && !strings.HasPrefix(source, "gpg:"); isURI && strings.Contains(source, ";pin-value=") && strings.Contains(err.Error(), "pin-value") {
			t.Errorf("the error has the URI with its PIN: %v", err)
		}
	})
}
