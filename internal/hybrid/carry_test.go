package hybrid_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/internal/config"
	"github.com/runwrit/writ/internal/hybrid"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/internal/testenv"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func key(t *testing.T, name string, created time.Time, lifetime time.Duration) *openpgp.Entity {
	t.Helper()
	e, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: name, Created: created, Lifetime: lifetime})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func public(t *testing.T, entities ...*openpgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, e := range entities {
		if err := e.Serialize(&b); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func fingerprint(e *openpgp.Entity) string {
	return strings.ToUpper(strings.ReplaceAll(string(hex(e.PrimaryKey.Fingerprint)), " ", ""))
}

func hex(b []byte) []byte {
	const digits = "0123456789abcdef"
	var out []byte
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&15])
	}
	return out
}

var into = hybrid.Into{Trust: "/etc/writ/trust", Policy: "/etc/writ/policy", Ledger: "/var/lib/writ/ledger.jsonl", State: "/var/lib/writ", Now: now}

// carried carries a configuration over, and reads what was made as a gate would.
func carried(t *testing.T, text string, rings ...hybrid.Keyring) *hybrid.Carried {
	t.Helper()
	c, err := hybrid.Carry(parse(t, text), rings, into)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.Parse("worker.yaml", c.YAML); err != nil {
		t.Fatal(err)
	}
	return c
}

func left(c *hybrid.Carried) string {
	var b strings.Builder
	for _, l := range c.Left {
		b.WriteString(l.What + ": " + l.Why + "\n")
	}
	return b.String()
}

func fingerprints(t *testing.T, files []hybrid.File) []string {
	t.Helper()
	l := pgpcert.NewLoader()
	for _, f := range files {
		if err := l.Add(f.Name, f.Data); err != nil {
			t.Fatal(err)
		}
	}
	var list []string
	for _, c := range l.Ring().Certificates() {
		list = append(list, c.Fingerprint)
	}
	slices.Sort(list)
	return list
}

func TestAConfigurationIsCarriedOver(t *testing.T) {
	t.Parallel()
	alice := key(t, "Alice", now.AddDate(-1, 0, 0), 0)
	c := carried(t, conf("gpg_public_keyring_path = /a\nproxy_configuration_path = /p\n"), hybrid.Keyring{Path: "/a", Data: public(t, alice)})
	w, err := config.Parse("worker.yaml", c.YAML)
	if err != nil {
		t.Fatal(err)
	}
	if w.ID != "66666666-7777-8888-9999-000000000000" || w.Group != "web" || w.Trust != into.Trust || w.Policy != into.Policy || w.Ledger != into.Ledger || w.State != into.State {
		t.Errorf("got %+v", w)
	}
	if len(c.Warnings) != 0 {
		t.Errorf("warnings: %q", c.Warnings)
	}
	for _, option := range []string{"working_directory_path: ", "jrds_base_uri: ", "jrds_cert_path: ", "jrds_key_path: ", "account_id: ", "proxy_configuration_path: ", "line 10: [registration-metadata] registration_endpoint: "} {
		if !strings.Contains(left(c), option) {
			t.Errorf("nothing is said of %s\n%s", option, left(c))
		}
	}
	if strings.Contains(left(c), "debug_traces") {
		t.Error("something is said of what nobody has set")
	}
}

func TestWhatShouldNotBeReliedOnIsSaid(t *testing.T) {
	t.Parallel()
	expired := key(t, "Bob", now.AddDate(-2, 0, 0), 24*time.Hour)
	for name, c := range map[string]struct{ text, want string }{
		"enforcement off":           {conf("enforce_runbook_signature_validation = No"), "ENFORCEMENT WAS OFF"},
		"enforcement unknown":       {conf("enforce_runbook_signature_validation = maybe"), "is not known"},
		"a worker that cannot run":  {conf("jrds_polling_frequency = often"), "does not start with this configuration"},
		"certificates not verified": {conf("bypass_certificate_verification = 1"), "did not verify the certificate"},
		"a certificate that is over": {
			conf(""), "signs nothing today: ",
		},
	} {
		said := strings.Join(carried(t, c.text, hybrid.Keyring{Path: "/a", Data: public(t, expired)}).Warnings, "\n")
		if !strings.Contains(said, c.want) {
			t.Errorf("%s: got %q, want %q", name, said, c.want)
		}
	}
}

func TestAWorkerWithoutAKeyringTrustsNobody(t *testing.T) {
	t.Parallel()
	c := carried(t, conf("enforce_runbook_signature_validation = false"))
	if len(c.Files) != 0 || len(c.Certificates) != 0 || !strings.Contains(strings.Join(c.Warnings, "\n"), "no trust store is made") {
		t.Errorf("got %+v", c)
	}
}

func TestNamesThatCannotBeOursAreSaid(t *testing.T) {
	t.Parallel()
	rings := []hybrid.Keyring{{Path: "/a", Data: public(t, key(t, "Alice", now.AddDate(-1, 0, 0), 0))}}
	text := strings.Replace(conf(""), "= web", "= Web servers: \"{}", 1)
	c := carried(t, text, rings...)
	if c.Group != "" || !strings.Contains(left(c), "hybrid_worker_group_name") {
		t.Errorf("group %q; %s", c.Group, left(c))
	}
	bad := strings.Replace(conf(""), "machine_id = 6", "machine_id = - 6", 1)
	if _, err := hybrid.Carry(parse(t, bad), rings, into); !errors.Is(err, hybrid.ErrNoID) {
		t.Errorf("got %v", err)
	}
	named := into
	named.ID, named.Group = "web-01", "web"
	if c, err := hybrid.Carry(parse(t, bad), rings, named); err != nil || c.ID != "web-01" || c.Group != "web" {
		t.Errorf("got %v", err)
	}
}

func TestCertificatesOfAllFormsAreCarriedOverOnce(t *testing.T) {
	t.Parallel()
	gpg := testenv.Tool(t, "gpg")
	alice, bob, carol := key(t, "Alice", now.AddDate(-1, 0, 0), 0), key(t, "Bob", now.AddDate(-1, 0, 0), 0), key(t, "Carol", now.AddDate(-1, 0, 0), 0)
	armored, err := newkeys.ArmoredPublic(bob)
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	kbx := filepath.Join(home, "ring.kbx")
	run := exec.Command(gpg, "--homedir", home, "--batch", "--no-autostart", "--no-default-keyring", "--keyring", kbx, "--import")
	run.Stdin = bytes.NewReader(public(t, carol, alice))
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	box, err := os.ReadFile(kbx)
	if err != nil {
		t.Fatal(err)
	}
	c := carried(t, conf(""), hybrid.Keyring{Path: "/a", Data: public(t, alice)}, hybrid.Keyring{Path: "/b", Data: armored}, hybrid.Keyring{Path: "/c", Data: box})
	want := []string{fingerprint(alice), fingerprint(bob), fingerprint(carol)}
	slices.Sort(want)
	if got := fingerprints(t, c.Files); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, f := range c.Files {
		tags, err := pgpcert.Tags(f.Data, 1000)
		if err != nil || slices.Contains(tags, pgpcert.TagTrust) {
			t.Errorf("%s: packets %v, %v", f.Name, tags, err)
		}
	}
	if left := left(c); strings.Contains(left, "keyring") {
		t.Error(left)
	}
}

// TestAttackASecretKeyInAKeyring: the certificate beside it is not taken either.
func TestAttackASecretKeyInAKeyring(t *testing.T) {
	t.Parallel()
	alice, bob := key(t, "Alice", now.AddDate(-1, 0, 0), 0), key(t, "Bob", now.AddDate(-1, 0, 0), 0)
	var secret bytes.Buffer
	if err := bob.SerializePrivate(&secret, nil); err != nil {
		t.Fatal(err)
	}
	armored, err := newkeys.ArmoredSecret(bob, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"binary": secret.Bytes(), "armored": armored, "behind a certificate": append(public(t, alice), secret.Bytes()...)} {
		c := carried(t, conf(""), hybrid.Keyring{Path: "/a", Data: public(t, alice)}, hybrid.Keyring{Path: "/b", Data: data})
		if got := fingerprints(t, c.Files); !slices.Equal(got, []string{fingerprint(alice)}) {
			t.Errorf("%s: got %q", name, got)
		}
		if !strings.Contains(left(c), "keyring /b: ") || !strings.Contains(left(c), "secret keys do not belong into a trust store") {
			t.Errorf("%s: %s", name, left(c))
		}
		if _, err := hybrid.Carry(parse(t, conf("")), []hybrid.Keyring{{Path: "/b", Data: data}}, into); !errors.Is(err, hybrid.ErrNoCertificates) {
			t.Errorf("%s alone: %v", name, err)
		}
	}
}

// TestAttackARevocationIsLeftBehind: of a key that was revoked, however the
// revocation stands in the keyring, the new store says so too.
func TestAttackARevocationIsLeftBehind(t *testing.T) {
	t.Parallel()
	alice, bob := key(t, "Alice", now.AddDate(-1, 0, 0), 0), key(t, "Bob", now.AddDate(-1, 0, 0), 0)
	before := public(t, alice)
	if err := alice.Revoke(packet.KeyCompromised, "stolen", &packet.Config{Time: func() time.Time { return now.AddDate(0, -1, 0) }}); err != nil {
		t.Fatal(err)
	}
	var alone bytes.Buffer
	if err := alice.Revocations[0].Packet.Serialize(&alone); err != nil {
		t.Fatal(err)
	}
	for name, rings := range map[string][]hybrid.Keyring{
		"in the certificate":      {{Path: "/a", Data: public(t, alice, bob)}},
		"in another copy":         {{Path: "/a", Data: before}, {Path: "/b", Data: public(t, bob, alice)}},
		"alone in a file":         {{Path: "/a", Data: append(public(t, bob), before...)}, {Path: "/b", Data: alone.Bytes()}},
		"behind another's":        {{Path: "/a", Data: append(append(bytes.Clone(before), public(t, bob)...), alone.Bytes()...)}},
		"before everything":       {{Path: "/a", Data: append(append(bytes.Clone(alone.Bytes()), before...), public(t, bob)...)}},
		"twice, and once damaged": {{Path: "/a", Data: before}, {Path: "/b", Data: public(t, bob, alice)}, {Path: "/c", Data: public(t, bob)}},
	} {
		c := carried(t, conf(""), rings...)
		l := pgpcert.NewLoader()
		for _, f := range c.Files {
			if err := l.Add(f.Name, f.Data); err != nil {
				t.Fatal(err)
			}
		}
		for _, cert := range l.Ring().Certificates() {
			for _, k := range cert.Keys() {
				if cert.Fingerprint == fingerprint(alice) && k.Judge(now).Revocation == "" {
					t.Errorf("%s: the key %s is not revoked any more", name, k.Fingerprint)
				}
			}
		}
	}
}

// TestAttackACertificateThatIsDamagedInOneCopy: what is missing there could be
// its revocation.
func TestAttackACertificateThatIsDamagedInOneCopy(t *testing.T) {
	t.Parallel()
	alice, bob := key(t, "Alice", now.AddDate(-1, 0, 0), 0), key(t, "Bob", now.AddDate(-1, 0, 0), 0)
	whole := public(t, alice)
	c := carried(t, conf(""), hybrid.Keyring{Path: "/a", Data: append(public(t, bob), whole...)}, hybrid.Keyring{Path: "/b", Data: append(public(t, bob), whole[:len(whole)-20]...)})
	if got := fingerprints(t, c.Files); !slices.Equal(got, []string{fingerprint(bob)}) {
		t.Errorf("got %q", got)
	}
	if !strings.Contains(left(c), "keyring /") {
		t.Errorf("nothing is said of it: %s", left(c))
	}
}

func FuzzCarry(f *testing.F) {
	e, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "x", Created: now})
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	if err := e.Serialize(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n"))
	c, err := hybrid.Parse([]byte(conf("")))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		made, err := hybrid.Carry(c, []hybrid.Keyring{{Path: "/a", Data: data}}, into)
		if err != nil {
			return
		}
		for _, file := range made.Files {
			tags, err := pgpcert.Tags(file.Data, 10_000)
			if err != nil || slices.Contains(tags, pgpcert.TagSecretKey) || slices.Contains(tags, pgpcert.TagSecretSubkey) {
				t.Errorf("%s: %v, %v", file.Name, tags, err)
			}
		}
	})
}
