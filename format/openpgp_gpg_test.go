package format_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// These tests use a real gpg with a real agent, and the system's clock, which is
// the one that gpg dates signatures by. Their homes are found through GNUPGHOME:
// they cannot run in parallel.

const gpgText = "#!/bin/bash\n-x\nFrom here\n\nprintf '%s\\n' \"caf\u00e9\"\n\n"

// agentHome is a private home that gpg and its agent use in this test.
func agentHome(t *testing.T) *gnupg {
	t.Helper()
	g := newGnuPG(t)
	t.Setenv("GNUPGHOME", g.home)
	return g
}

func (g *gnupg) write(name, text string) {
	g.t.Helper()
	if err := os.WriteFile(filepath.Join(g.home, name), []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// importSecret imports a key, which stays encrypted in the agent if there is a
// passphrase.
func (g *gnupg) importSecret(e *openpgp.Entity, passphrase string) {
	g.t.Helper()
	data, err := newkeys.ArmoredSecret(e, []byte(passphrase))
	if err != nil {
		g.t.Fatal(err)
	}
	cmd := exec.CommandContext(g.t.Context(), "gpg", "--homedir", g.home, "--batch", "--pinentry-mode", "loopback", "--passphrase", passphrase, "--import")
	cmd.Stdin = bytes.NewReader(data)
	if out, err := cmd.CombinedOutput(); err != nil {
		g.t.Fatalf("%v\n%s", err, out)
	}
}

func pgpEntity(t testing.TB, algorithm string) *openpgp.Entity {
	t.Helper()
	e, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "Agent Test", Algorithm: algorithm, Created: clearsignKeyTime})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// addSubkey adds a signing subkey that is made at that time.
func addSubkey(t testing.TB, e *openpgp.Entity, at time.Time, lifetime time.Duration) {
	t.Helper()
	if err := e.AddSigningSubkey(&packet.Config{
		Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return at }, KeyLifetimeSecs: uint32(lifetime / time.Second),
	}); err != nil {
		t.Fatal(err)
	}
}

func hexOf(k *packet.PublicKey) string { return fmt.Sprintf("%X", k.Fingerprint) }

func openGPG(t testing.TB, fingerprint string, o signer.KeyOptions) *signer.Key {
	t.Helper()
	key, err := signer.OpenKey(t.Context(), "gpg:"+fingerprint, o)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signByGPG signs with the clock of the system.
func signByGPG(ctx context.Context, t testing.TB, name, text string, key *signer.Key) ([]byte, error) {
	t.Helper()
	rb, err := runbook.Parse(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return format.NewClearsign().Sign(ctx, rb, key)
}

// mustBeGood holds a document against our verifier, which trusts the anchor of
// the key, and against gpg.
func (g *gnupg) mustBeGood(key *signer.Key, signed []byte, text, signedBy string) {
	g.t.Helper()
	anchor, err := key.Anchor()
	if err != nil {
		g.t.Fatal(err)
	}
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "test", Room: verifier.RoomOpenPGP, Name: "key.asc", Data: anchor})
	if err != nil {
		g.t.Fatal(err)
	}
	report, payload := clearsignVerdict(g.t, clearsignVerifier(g.t, trust, time.Now().Add(time.Minute)), "deploy.sh.asc", signed)
	if report.Verdict != verifier.Valid || string(payload) != text {
		g.t.Fatalf("%s, payload %q, %+v", report.Verdict, payload, report)
	}
	s := report.Signatures[0]
	if s.Signer.KeyID != signedBy || !slices.Contains(s.Signer.IDs, key.ID()) || s.Digest != "sha512" {
		g.t.Errorf("made by %s as %v with %s, want %s", s.Signer.KeyID, s.Signer.IDs, s.Digest, signedBy)
	}
	if !bytes.Contains(signed, []byte("\nHash: SHA512\n\n")) || !bytes.Contains(signed, []byte("\n=")) {
		g.t.Errorf("no hash header, or no checksum:\n%s", signed)
	}
	out, said, err := g.run(signed, "--no-options", "--decrypt")
	if err != nil || string(out) != text || !strings.Contains(said, "] VALIDSIG "+signedBy) {
		g.t.Errorf("gpg: %v, %q\n%s", err, out, said)
	}
}

func TestKeysInAGPGAgentSign(t *testing.T) { //nolint:paralleltest // GNUPGHOME
	year := clearsignKeyTime.AddDate(1, 0, 0)
	for name, c := range map[string]struct {
		entity func() *openpgp.Entity
		ask    func(e *openpgp.Entity) *packet.PublicKey // nil: the primary key
		want   func(e *openpgp.Entity) *packet.PublicKey
	}{
		"Ed25519, by its subkey": {
			entity: func() *openpgp.Entity { return pgpEntity(t, "ed25519") },
			want:   func(e *openpgp.Entity) *packet.PublicKey { return e.Subkeys[0].PublicKey },
		},
		"RSA-3072": {
			entity: func() *openpgp.Entity { return pgpEntity(t, "rsa3072") },
			want:   func(e *openpgp.Entity) *packet.PublicKey { return e.Subkeys[0].PublicKey },
		},
		"P-256": {
			entity: func() *openpgp.Entity { return pgpEntity(t, "p256") },
			want:   func(e *openpgp.Entity) *packet.PublicKey { return e.Subkeys[0].PublicKey },
		},
		"a primary key alone": {
			entity: func() *openpgp.Entity {
				e, err := openpgp.NewEntity("Alone", "", "", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return clearsignKeyTime }})
				if err != nil {
					t.Fatal(err)
				}
				e.Subkeys = nil
				return e
			},
			want: func(e *openpgp.Entity) *packet.PublicKey { return e.PrimaryKey },
		},
		"two signing subkeys: the newer one": {
			entity: func() *openpgp.Entity {
				e := pgpEntity(t, "ed25519")
				addSubkey(t, e, year, 0)
				return e
			},
			want: func(e *openpgp.Entity) *packet.PublicKey { return e.Subkeys[1].PublicKey },
		},
		"two signing subkeys: the one that is named": {
			entity: func() *openpgp.Entity {
				e := pgpEntity(t, "ed25519")
				addSubkey(t, e, year, 0)
				return e
			},
			ask:  func(e *openpgp.Entity) *packet.PublicKey { return e.Subkeys[0].PublicKey },
			want: func(e *openpgp.Entity) *packet.PublicKey { return e.Subkeys[0].PublicKey },
		},
		"the newer subkey is revoked": {
			entity: func() *openpgp.Entity {
				e := pgpEntity(t, "ed25519")
				addSubkey(t, e, year, 0)
				if err := e.Subkeys[1].Revoke(packet.KeySuperseded, "", &packet.Config{Time: func() time.Time { return year }}); err != nil {
					t.Fatal(err)
				}
				return e
			},
			want: func(e *openpgp.Entity) *packet.PublicKey { return e.Subkeys[0].PublicKey },
		},
		"the newer subkey is expired": {
			entity: func() *openpgp.Entity {
				e := pgpEntity(t, "ed25519")
				addSubkey(t, e, year, time.Hour)
				return e
			},
			want: func(e *openpgp.Entity) *packet.PublicKey { return e.Subkeys[0].PublicKey },
		},
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // GNUPGHOME
			g := agentHome(t)
			e := c.entity()
			g.importSecret(e, "")
			asked := e.PrimaryKey
			if c.ask != nil {
				asked = c.ask(e)
			}
			key := openGPG(t, strings.ToLower(hexOf(asked)), signer.KeyOptions{})
			if want := "openpgp:" + hexOf(e.PrimaryKey); key.ID() != want || key.Kind() != signer.KindOpenPGP {
				t.Errorf("key %s of kind %s, want %s", key.ID(), key.Kind(), want)
			}
			signed, err := signByGPG(t.Context(), t, "deploy.sh", gpgText, key)
			if err != nil {
				t.Fatal(err)
			}
			g.mustBeGood(key, signed, gpgText, hexOf(c.want(e)))
		})
	}
}

// TestOldToolsAcceptWhatAnAgentSigned: texts in which each line has another
// length, so that the packet and its armor take all paddings.
func TestOldToolsAcceptWhatAnAgentSigned(t *testing.T) { //nolint:paralleltest // GNUPGHOME
	g := agentHome(t)
	e := pgpEntity(t, "ed25519")
	g.importSecret(e, "")
	key := openGPG(t, hexOf(e.PrimaryKey), signer.KeyOptions{})
	public := g.mustRun(nil, "--export", hexOf(e.PrimaryKey))
	for i, text := range []string{"\n", "\n\n", "a\n", strings.Repeat("x", 19_000) + "\n-\n", strings.Repeat("echo 0123456789\n", 1<<14)} {
		signed, err := signByGPG(t.Context(), t, strings.Repeat("n", i+1)+".sh", text, key)
		if err != nil {
			t.Fatal(err)
		}
		acceptedByGpgv(t, public, signed, text)
		acceptedBySqv(t, public, signed, text)
	}
}

// TestSeveralGoroutinesShareAKeyOfAnAgent is for the race detector.
func TestSeveralGoroutinesShareAKeyOfAnAgent(t *testing.T) { //nolint:paralleltest // GNUPGHOME
	g := agentHome(t)
	e := pgpEntity(t, "ed25519")
	g.importSecret(e, "")
	key := openGPG(t, hexOf(e.PrimaryKey), signer.KeyOptions{})
	var wg sync.WaitGroup
	documents := make([][]byte, 4)
	for i := range documents {
		wg.Go(func() {
			var err error
			if documents[i], err = signByGPG(t.Context(), t, "deploy.sh", gpgText, key); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, signed := range documents {
		if signed != nil {
			g.mustBeGood(key, signed, gpgText, hexOf(e.Subkeys[0].PublicKey))
		}
	}
}

func TestAKeyThatMayNotSignIsNotAskedTo(t *testing.T) { //nolint:paralleltest // GNUPGHOME
	g := agentHome(t)
	expired, revoked := pgpEntity(t, "ed25519"), pgpEntity(t, "ed25519")
	addSubkey(t, expired, clearsignKeyTime.AddDate(1, 0, 0), time.Hour)
	if err := revoked.Revoke(packet.KeySuperseded, "", &packet.Config{Time: func() time.Time { return clearsignKeyTime.AddDate(1, 0, 0) }}); err != nil {
		t.Fatal(err)
	}
	both, err := openpgp.NewEntity("Signs and decrypts", "", "", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return clearsignKeyTime }})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []*openpgp.Entity{expired, revoked, both} {
		g.importSecret(e, "")
	}
	for name, c := range map[string]struct {
		key  *packet.PublicKey
		want string
	}{
		"an expired subkey":        {expired.Subkeys[1].PublicKey, "expired at 2025-01-01"},
		"a revoked certificate":    {revoked.PrimaryKey, "revoked"},
		"a subkey for decryption":  {both.Subkeys[0].PublicKey, "not allowed to sign"},
		"of it, its other subkeys": {revoked.Subkeys[0].PublicKey, "revoked"},
	} {
		key := openGPG(t, hexOf(c.key), signer.KeyOptions{})
		var refused *signer.KeyError
		if signed, err := signByGPG(t.Context(), t, "a.sh", gpgText, key); !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) || signed != nil {
			t.Errorf("%s: %v, want *KeyError with %q", name, err, c.want)
		}
	}
}

func TestKeysThatGnuPGDoesNotHaveAreRefused(t *testing.T) { //nolint:paralleltest // GNUPGHOME
	g := agentHome(t)
	public, offline := pgpEntity(t, "ed25519"), pgpEntity(t, "ed25519")
	g.importPublic(public)
	g.importSecret(offline, "")
	for _, k := range []*packet.PublicKey{offline.PrimaryKey, offline.Subkeys[0].PublicKey} {
		g.mustRun(nil, "--yes", "--delete-secret-keys", hexOf(k)+"!")
	}
	for name, c := range map[string]struct{ source, want string }{
		"only the certificate":         {"gpg:" + hexOf(public.PrimaryKey), "no secret key"},
		"nothing at all":               {"gpg:" + strings.Repeat("0", 40), "no secret key"},
		"a fingerprint of version 5":   {"gpg:" + strings.Repeat("0", 64), "no secret key"},
		"the secret key was taken off": {"gpg:" + hexOf(offline.PrimaryKey), "no secret key"},
		"a key ID":                     {"gpg:" + hexOf(public.PrimaryKey)[24:], "whole fingerprint"},
		"a name":                       {"gpg:Agent Test", "whole fingerprint"},
		"an option":                    {"gpg:--list-keys", "whole fingerprint"},
		"blanks":                       {"gpg:" + strings.Repeat("0000 ", 10), "whole fingerprint"},
		"a mark that gpg would read":   {"gpg:" + strings.Repeat("0", 39) + "!", "whole fingerprint"},
		"nothing behind the colon":     {"gpg:", "whole fingerprint"},
	} {
		var refused *signer.KeyError
		key, err := signer.OpenKey(t.Context(), c.source, signer.KeyOptions{})
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) || key != nil {
			t.Errorf("%s: %v, want *KeyError with %q", name, err, c.want)
		}
	}
	mine, another := pgpEntity(t, "ed25519"), pgpEntity(t, "ed25519")
	g.importSecret(mine, "")
	g.importSecret(another, "")
	var refused *signer.KeyError
	key := openGPG(t, hexOf(mine.PrimaryKey), signer.KeyOptions{})
	if got, err := key.GPG().Sign(t.Context(), hexOf(another.Subkeys[0].PublicKey), []byte("x"), nil); !errors.As(err, &refused) || got != nil {
		t.Errorf("another key than the one that was opened: %v", err)
	}
}

// pinentry is a program that answers an agent's question with this line.
func (g *gnupg) pinentry(answer string) {
	g.t.Helper()
	program := filepath.Join(g.home, "pinentry")
	testenv.WriteProgram(g.t, program, []byte(`#!/bin/sh
echo "OK ready"
while read -r command rest; do
	echo "$command $rest" >> "`+g.home+`/asked"
	case $command in
	GETPIN) printf '`+answer+`\n' ;;
	BYE) echo OK; exit 0 ;;
	*) echo OK ;;
	esac
done
`))
	g.write("gpg-agent.conf", "pinentry-program "+program+"\n"+gpgNoCache)
}

const (
	gpgSecretWord = "correct horse"
	gpgNoCache    = "default-cache-ttl 0\nmax-cache-ttl 0\ns2k-count 65536\n" // a cheap derivation: these are tests
	pinCancelled  = "ERR 83886179 Operation cancelled <Pinentry>"
)

func TestTheAgentAsksByItsPinentry(t *testing.T) { //nolint:paralleltest // GNUPGHOME
	g := agentHome(t)
	g.pinentry("D " + gpgSecretWord + "\\nOK")
	t.Setenv("GPG_TTY", "")
	e := pgpEntity(t, "ed25519")
	g.importSecret(e, gpgSecretWord)
	key := openGPG(t, hexOf(e.PrimaryKey), signer.KeyOptions{Terminal: "/dev/some-terminal"})
	signed, err := signByGPG(t.Context(), t, "deploy.sh", gpgText, key)
	if err != nil {
		t.Fatal(err)
	}
	g.mustBeGood(key, signed, gpgText, hexOf(e.Subkeys[0].PublicKey))
	asked, err := os.ReadFile(filepath.Join(g.home, "asked"))
	if err != nil || !bytes.Contains(asked, []byte("GETPIN")) || !bytes.Contains(asked, []byte("OPTION ttyname=/dev/some-terminal")) {
		t.Errorf("the pinentry was told %q, %v", asked, err)
	}
}

func passphraseOf(word string) signer.PassphraseFunc {
	return func(context.Context, string) ([]byte, error) { return []byte(word), nil }
}

func TestAPassphraseGoesToTheAgent(t *testing.T) { //nolint:paralleltest // GNUPGHOME
	g := agentHome(t)
	g.pinentry(pinCancelled)
	e := pgpEntity(t, "ed25519")
	g.importSecret(e, gpgSecretWord)
	key := openGPG(t, hexOf(e.PrimaryKey), signer.KeyOptions{Passphrase: passphraseOf(gpgSecretWord)})
	signed, err := signByGPG(t.Context(), t, "deploy.sh", gpgText, key)
	if err != nil {
		t.Fatal(err)
	}
	g.mustBeGood(key, signed, gpgText, hexOf(e.Subkeys[0].PublicKey))
	if strings.Contains(fmt.Sprintf("%v %+v %#v", key, key, *key), gpgSecretWord) {
		t.Error("the key prints its passphrase")
	}
	for _, word := range []string{"two\nlines", "a\x00b", "a\r"} {
		var refused *signer.KeyError
		if _, err := signer.OpenKey(t.Context(), key.Source(), signer.KeyOptions{Passphrase: passphraseOf(word)}); !errors.As(err, &refused) {
			t.Errorf("passphrase %q: %v", word, err)
		}
	}
}

// TestALockedKeySignsNothing: nothing is written, and gpg is asked once only,
// however many files there are, as a smart card counts wrong PINs.
func TestALockedKeySignsNothing(t *testing.T) { //nolint:paralleltest // GNUPGHOME
	for name, c := range map[string]struct {
		pinentry   string
		passphrase string
		asked      int
		want       string
	}{
		"the question is cancelled":  {pinCancelled, "", 1, "cancelled"},
		"there is no pinentry":       {"", "", 0, "pinentry"},
		"the passphrase is wrong":    {pinCancelled, "wrong", 0, "passphrase or PIN is wrong"},
		"the passphrase is empty":    {pinCancelled, "empty", 0, "passphrase is empty"},
		"loopback is not allowed":    {"-", gpgSecretWord, 0, "allow-loopback-pinentry"},
		"nobody answers the request": {"ERR 83886142 Timeout <Pinentry>", "", 1, "in time"},
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // GNUPGHOME
			g := agentHome(t)
			e := pgpEntity(t, "ed25519")
			g.importSecret(e, gpgSecretWord)
			g.pinentry(c.pinentry)
			switch c.pinentry {
			case "":
				g.write("gpg-agent.conf", "pinentry-program /nonexistent\n"+gpgNoCache)
			case "-":
				g.write("gpg-agent.conf", "no-allow-loopback-pinentry\n"+gpgNoCache)
			}
			// Not --kill: an agent that was told to end may still take the connection of the
			// next gpg, and break it off.
			if out, err := exec.CommandContext(t.Context(), "gpgconf", "--homedir", g.home, "--reload", "gpg-agent").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var o signer.KeyOptions
			if c.passphrase != "" {
				o.Passphrase = passphraseOf(strings.TrimPrefix(c.passphrase, "empty"))
			}
			key := openGPG(t, hexOf(e.PrimaryKey), o)
			dir := t.TempDir()
			for _, file := range []string{"a.sh", "b.sh"} {
				path := filepath.Join(dir, file)
				if err := os.WriteFile(path, []byte(gpgText), 0o600); err != nil {
					t.Fatal(err)
				}
				_, err := signer.SignFile(t.Context(), path, signer.Options{
					Format: format.NewClearsign(), Key: key,
					Verify: func(context.Context, *runbook.Runbook) (*signer.Verification, error) {
						return nil, errors.New("not asked")
					},
				})
				var refused *signer.KeyError
				if !errors.As(err, &refused) || !strings.Contains(refused.Msg, c.want) || strings.Contains(refused.Msg, "horse") {
					t.Errorf("%v, want *KeyError with %q", err, c.want)
				}
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
				t.Errorf("%v, %v", entries, err)
			}
			asked, _ := os.ReadFile(filepath.Join(g.home, "asked"))
			if n := bytes.Count(asked, []byte("GETPIN")); n != c.asked {
				t.Errorf("asked %d times, want %d", n, c.asked)
			}
		})
	}
}

// acceptedByGpgv has gpgv write the text out.
func acceptedByGpgv(t testing.TB, public, signed []byte, text string) {
	t.Helper()
	dir := t.TempDir()
	ring, file := filepath.Join(dir, "ring.gpg"), filepath.Join(dir, "a.sh.asc")
	for name, data := range map[string][]byte{ring: public, file: signed} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), testenv.Tool(t, "gpgv"), "--homedir", dir, "--keyring", ring, "--output", "-", file).Output()
	if err != nil || string(out) != text {
		t.Errorf("gpgv: %v, %d bytes, want %d", err, len(out), len(text))
	}
}

// acceptedBySqv has Sequoia verify, where it is installed. Before 1.2 sqv knows
// detached signatures only: it gets the packet, and the text as it is covered.
func acceptedBySqv(t testing.TB, public, signed []byte, text string) {
	t.Helper()
	sqv, err := exec.LookPath("sqv")
	if err != nil {
		t.Log("sqv is not installed: not asked")
		return
	}
	doc, err := cleartext.Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ring, covered, sig := filepath.Join(dir, "ring.gpg"), filepath.Join(dir, "text"), filepath.Join(dir, "sig")
	for name, data := range map[string][]byte{ring: public, covered: []byte(strings.TrimSuffix(text, "\n")), sig: doc.Signature()} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), sqv, "--keyring", ring, sig, covered).CombinedOutput(); err != nil {
		t.Errorf("sqv: %v\n%s", err, out)
	}
}
