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
	"github.com/runwrit/writ/internal/pgpcert"
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
			if out, err := exec.CommandContext(t.Context(), "gpgconf", "--homedir", g.home, "--kill", "gpg-agent").CombinedOutput(); err != nil {
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

// gpgConfs are lines of gpg.conf that change what gpg signs or writes.
func gpgConfs(other string) []string {
	return []string{
		"digest-algo SHA1", "digest-algo SHA256", "personal-digest-preferences SHA1", "cert-digest-algo SHA1",
		"sig-notation evil@example.test=1", "sig-notation !evil@example.test=1", "set-notation evil@example.test=1", "cert-notation evil@example.test=1",
		"sig-policy-url http://example.test", "sig-policy-url !http://example.test", "set-policy-url http://example.test", "sig-keyserver-url http://example.test",
		"comment evil", "armor", "textmode", "no-textmode", "default-key " + other, "local-user " + other, "default-recipient-self",
		"sender a@example.test", "default-sig-expire 1d\nask-sig-expire", "faked-system-time 20240701T000000", "output evil", "detach-sign",
		"pinentry-mode cancel", "no-such-option", "emit-version", "status-fd 1", "logger-fd 1", "verbose\nverbose", "display-charset iso-8859-1",
		"agent-program /nonexistent", "no-default-keyring", "keyring /nonexistent", "batch\nno-tty", "force-v3-sigs", "rfc2440", "pgp6",
		"include-key-block", "cipher-algo 3DES", "s2k-count 65011712", "clear-sign", "exit-on-status-write-error", "require-cross-certification",
	}
}

func TestNoLineOfAGPGConfChangesASignature(t *testing.T) { //nolint:paralleltest // GNUPGHOME
	g := agentHome(t)
	e, other := pgpEntity(t, "ed25519"), pgpEntity(t, "ed25519")
	g.importSecret(e, "")
	g.importSecret(other, "")
	key := openGPG(t, hexOf(e.PrimaryKey), signer.KeyOptions{})
	for _, conf := range gpgConfs(hexOf(other.PrimaryKey)) {
		g.write("gpg.conf", conf+"\n")
		signed, err := signByGPG(t.Context(), t, "deploy.sh", gpgText, key)
		g.write("gpg.conf", "")
		if err != nil {
			t.Errorf("%s: %v", conf, err)
			continue
		}
		mustBePlain(t, conf, signed)
	}
}

// mustBePlain checks that a signature says what ours say, and nothing else.
func mustBePlain(t *testing.T, name string, signed []byte) {
	t.Helper()
	doc, err := cleartext.Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	p, rest, err := pgpcert.NextPacket(doc.Signature())
	if err != nil || len(rest) > 0 {
		t.Fatalf("%s: %v, %d bytes more", name, err, len(rest))
	}
	hashed, unhashed, err := pgpcert.Subpackets(p.Body)
	if err != nil {
		t.Fatal(err)
	}
	kinds := func(list []pgpcert.Subpacket) (all []byte) {
		for _, s := range list {
			all = append(all, s.Kind)
			if s.Critical {
				t.Errorf("%s: subpacket %d is critical", name, s.Kind)
			}
		}
		slices.Sort(all)
		return all
	}
	if !bytes.Equal(kinds(hashed), []byte{2, 20, 20, 33}) || !bytes.Equal(kinds(unhashed), []byte{16}) {
		t.Errorf("%s: hashed %v, unhashed %v", name, kinds(hashed), kinds(unhashed))
	}
	if !bytes.Equal(p.Body[:4], []byte{4, 1, 22, 10}) {
		t.Errorf("%s: version, type, algorithm and hash are %v", name, p.Body[:4])
	}
}

// TestAGPGThatObeysItsConfigurationIsFoundOut: the same lines, given to a gpg
// that does not ignore them. What it makes is right, or thrown away.
func TestAGPGThatObeysItsConfigurationIsFoundOut(t *testing.T) { //nolint:paralleltest // GNUPGHOME
	g := agentHome(t)
	e, other := pgpEntity(t, "ed25519"), pgpEntity(t, "ed25519")
	g.importSecret(e, "")
	g.importSecret(other, "")
	standIn(t, `[ "$1" = --no-options ] && shift; exec "$GPG" "$@"`)
	refused := 0
	key := openGPG(t, hexOf(e.PrimaryKey), signer.KeyOptions{})
	for _, conf := range gpgConfs(hexOf(other.PrimaryKey)) {
		g.write("gpg.conf", conf+"\n")
		signed, err := signByGPG(t.Context(), t, "deploy.sh", gpgText, key)
		g.write("gpg.conf", "")
		var keyError *signer.KeyError
		switch {
		case err == nil:
			mustBePlain(t, conf, signed)
		case errors.As(err, &keyError) && signed == nil:
			refused++
			key = openGPG(t, hexOf(e.PrimaryKey), signer.KeyOptions{}) // the old one is not asked again
		default:
			t.Errorf("%s: %v", conf, err)
		}
	}
	if refused < 10 {
		t.Errorf("only %d lines had an effect: the stand-in does not obey them", refused)
	}
	t.Logf("%d lines refused", refused)
}

// standIn puts a shell script in the place of gpg, which it may call as $GPG.
func standIn(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	testenv.WriteProgram(t, filepath.Join(dir, "gpg"), []byte("#!/bin/sh\nGPG="+testenv.Tool(t, "gpg")+"\n"+script+"\n"))
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// TestWhatGPGAnswersIsNotBelieved: the stand-in answers the questions about the
// key truthfully and then signs in its own way.
func TestWhatGPGAnswersIsNotBelieved(t *testing.T) { //nolint:paralleltest // GNUPGHOME
	g := agentHome(t)
	e, other := pgpEntity(t, "ed25519"), pgpEntity(t, "ed25519")
	g.importSecret(e, "")
	g.importSecret(other, "")
	g.write("other", hexOf(other.PrimaryKey))
	testenv.Tool(t, "python3")
	const unsigned = `import sys
d = sys.stdin.buffer.read()
b = bytearray(d[2 if d[0] == 0x88 else 3:])
at = 6 + b[4] * 256 + b[5] # the length of what is not hashed
n = b[at] * 256 + b[at + 1]
b[at + 2 + n:at + 2 + n] = b"\x02\x1ax" # a policy URL
b[at:at + 2] = (n + 3).to_bytes(2, "big")
sys.stdout.buffer.write(b"\x89" + len(b).to_bytes(2, "big") + b)`
	const truthful = `case " $* " in *" --detach-sign "*) ;; *) exec "$GPG" "$@" ;; esac; `
	for name, c := range map[string]struct{ script, want string }{
		"nothing":                     {truthful + `cat >/dev/null`, "not a well-made"},
		"a success without reading":   {truthful + `exit 0`, "not a well-made"},
		"words":                       {truthful + `cat >/dev/null; echo good`, "not a well-made"},
		"armor":                       {truthful + `exec "$GPG" "$@" --armor`, ""},
		"a flood":                     {truthful + `cat >/dev/null; exec head -c 100000000 /dev/zero`, "more than 65536 bytes"},
		"two signatures":              {truthful + `cat > "$GNUPGHOME/t"; "$GPG" "$@" < "$GNUPGHOME/t"; "$GPG" "$@" < "$GNUPGHOME/t"`, "not one signature packet alone"},
		"a signature of another text": {truthful + `sed 's/x/y/' | "$GPG" "$@"`, "not a good signature"},
		"a cut text":                  {truthful + `head -c 10 | "$GPG" "$@"`, "not a good signature"},
		"a binary signature":          {truthful + `exec "$GPG" $(echo " $* " | sed 's/ --textmode / /')`, "type 0x00"},
		"SHA-256":                     {truthful + `exec "$GPG" $(echo " $* " | sed 's/ SHA512 / SHA256 /')`, "with SHA256"},
		"one more notation":           {truthful + `exec "$GPG" --sig-notation evil@example.test=1 "$@"`, "type 20 that was not asked for"},
		"a critical notation":         {truthful + `exec "$GPG" --sig-notation '!evil@example.test=1' "$@"`, "critical"},
		"no notation":                 {truthful + `exec "$GPG" $(echo " $* " | sed 's/ --sig-notation [^ ]* / /')`, "is missing"},
		"an expiry":                   {truthful + `exec "$GPG" --default-sig-expire 1d "$@"`, "critical statement of type 3"},
		"a policy":                    {truthful + `exec "$GPG" --sig-policy-url http://example.test "$@"`, "type 26 that was not asked for"},
		"a policy that is not signed": {truthful + `"$GPG" "$@" | python3 -c '` + unsigned + `'`, "type 26 that was not asked for, and is not signed"},
		"another date":                {truthful + `exec "$GPG" --faked-system-time 20240701T000000! "$@"`, "it is dated 2024-07-01"},
		"another key":                 {truthful + `exec "$GPG" $(echo " $* " | sed "s/--local-user [0-9A-F]*!/--local-user $(cat "$GNUPGHOME/other")/")`, "not asked for"},
		"two keys":                    {truthful + `exec "$GPG" --local-user "$(cat "$GNUPGHOME/other")" "$@"`, "not one signature packet alone"},
		"a good one, and a failure":   {truthful + `"$GPG" "$@"; exit 2`, "gpg failed"},
		"words for the terminal":      {truthful + `printf '\033[2J\033]0;evil\007\nerror: all is well\n' >&2; exit 2`, `\x1b[2J`},
		"endless words":               {truthful + `head -c 1000000 /dev/zero | tr '\0' x >&2; exit 2`, "xxx..."},
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // GNUPGHOME
			standIn(t, c.script)
			signed, err := signByGPG(t.Context(), t, "deploy.sh", gpgText, openGPG(t, hexOf(e.PrimaryKey), signer.KeyOptions{}))
			var refused *signer.KeyError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) || signed != nil || len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Errorf("%v, want *KeyError with %q", err, c.want)
			}
		})
	}
}

func TestAGPGThatIsNoGPGIsRefused(t *testing.T) { //nolint:paralleltest // PATH
	source := "gpg:" + strings.Repeat("0", 40)
	for name, c := range map[string]struct{ script, want string }{
		"one that refuses every question": {`echo "error: this stand-in takes one command line only" >&2; exit 2`, "writ gpg-shim"},
		"one that says nothing":           {`exit 0`, "not GnuPG 2.1 or later"},
		"GnuPG 1.4":                       {`echo "gpg (GnuPG) 1.4.23"`, "not GnuPG 2.1 or later"},
		"GnuPG 2.0":                       {`echo "gpg (GnuPG) 2.0.30"`, "not GnuPG 2.1 or later"},
		"a flood":                         {`exec head -c 100000000 /dev/zero`, "not GnuPG 2.1 or later"},
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // PATH
			standIn(t, c.script)
			var refused *signer.KeyError
			if _, err := signer.OpenKey(t.Context(), source, signer.KeyOptions{}); !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want *KeyError with %q", err, c.want)
			}
		})
	}
	t.Run("this program itself", func(t *testing.T) { //nolint:paralleltest // PATH
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := os.Symlink(self, filepath.Join(dir, "gpg")); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", dir)
		if _, err := signer.OpenKey(t.Context(), source, signer.KeyOptions{}); err == nil || !strings.Contains(err.Error(), "stand-in") {
			t.Error(err)
		}
	})
	t.Run("a relative entry of PATH", func(t *testing.T) { //nolint:paralleltest // PATH
		standIn(t, `echo "gpg (GnuPG) 2.2.40"`)
		dir, _, _ := strings.Cut(os.Getenv("PATH"), string(os.PathListSeparator))
		t.Chdir(filepath.Dir(dir))
		t.Setenv("PATH", filepath.Base(dir))
		if _, err := signer.OpenKey(t.Context(), source, signer.KeyOptions{}); err == nil || !strings.Contains(err.Error(), "relative entry of PATH") {
			t.Error(err)
		}
	})
	t.Run("none", func(t *testing.T) { //nolint:paralleltest // PATH
		t.Setenv("PATH", t.TempDir())
		if _, err := signer.OpenKey(t.Context(), source, signer.KeyOptions{}); err == nil || !strings.Contains(err.Error(), "is not found: install GnuPG") {
			t.Error(err)
		}
	})
}

func TestAGPGThatHangsIsEndedWithTheContext(t *testing.T) { //nolint:paralleltest // GNUPGHOME
	g := agentHome(t)
	e := pgpEntity(t, "ed25519")
	g.importSecret(e, "")
	standIn(t, `case " $* " in *" --detach-sign "*) exec sleep 1000 ;; *) exec "$GPG" "$@" ;; esac`)
	key := openGPG(t, hexOf(e.PrimaryKey), signer.KeyOptions{})
	stop := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, stop)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := signByGPG(ctx, t, "a.sh", gpgText, key)
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, stop) {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("gpg was not ended")
	}
}

// TestTheLinkersVariablesDoNotReachGPG: what is passed on is a list of names.
func TestTheLinkersVariablesDoNotReachGPG(t *testing.T) { //nolint:paralleltest // environment
	g := agentHome(t)
	e := pgpEntity(t, "ed25519")
	g.importSecret(e, "")
	t.Setenv("LD_LIBRARY_PATH", "/nonexistent")
	t.Setenv("WRIT_SECRET", "x")
	t.Setenv("GPG_TTY", "/dev/mine")
	standIn(t, `env >> "$GNUPGHOME/env"; exec "$GPG" "$@"`)
	key := openGPG(t, hexOf(e.PrimaryKey), signer.KeyOptions{Terminal: "/dev/other"})
	if _, err := signByGPG(t.Context(), t, "a.sh", gpgText, key); err != nil {
		t.Fatal(err)
	}
	env, err := os.ReadFile(filepath.Join(g.home, "env"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"GPG_TTY=/dev/mine\n", "GNUPGHOME="} {
		if !bytes.Contains(env, []byte(want)) {
			t.Errorf("%q is missing:\n%s", want, env)
		}
	}
	for _, leak := range []string{"LD_LIBRARY_PATH", "WRIT_SECRET", "/dev/other"} {
		if bytes.Contains(env, []byte(leak)) {
			t.Errorf("%q is passed on", leak)
		}
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
