package format_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/verifier"
)

// answer runs a command of gpg that asks questions.
func (g *gnupg) answer(answers string, args ...string) []byte {
	g.t.Helper()
	cmd := exec.CommandContext(g.t.Context(), "gpg", append([]string{
		"--homedir", g.home, "--no-tty", "--command-fd", "0", "--status-fd", "2", "--pinentry-mode", "loopback", "--passphrase", "", "--armor",
		"--faked-system-time", clearsignTime.Format("20060102T150405!"),
	}, args...)...)
	cmd.Stdin = strings.NewReader(answers)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		g.t.Fatalf("%v\n%s", err, said.String())
	}
	return out.Bytes()
}

// fingerprint of the key of that name.
func (g *gnupg) fingerprint(name string) string {
	g.t.Helper()
	for line := range strings.Lines(string(g.mustRun(nil, "--with-colons", "--list-keys", name))) {
		if f := strings.Split(line, ":"); f[0] == "fpr" {
			return f[9]
		}
	}
	g.t.Fatalf("no key %s", name)
	return ""
}

// TestOpenPGPRevocationsThatGnuPGMakes: by the key itself, and by a designated
// revoker, in a file of their own beside the certificate and in whatever store.
func TestOpenPGPRevocationsThatGnuPGMakes(t *testing.T) {
	t.Parallel()
	g := newGnuPG(t)
	for _, name := range []string{"Ada", "Revoker"} {
		g.answer("", "--batch", "--quick-gen-key", name, "ed25519", "sign", "never")
	}
	ada, revoker := g.fingerprint("Ada"), g.fingerprint("Revoker")
	g.answer("addrevoker\n"+revoker+"\ny\nsave\n", "--edit-key", ada)
	own := string(g.answer("y\n0\n\ny\n", "--gen-revoke", ada))
	retired := string(g.answer("y\n3\n\ny\n", "--gen-revoke", ada))
	designated := string(g.answer("y\n3\n\ny\n", "--desig-revoke", ada))
	certificate := string(g.mustRun(nil, "--armor", "--export", ada))
	text := filepath.Join(t.TempDir(), "a.sh")
	if err := os.WriteFile(text, []byte("echo a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	doc := g.answer("", "--batch", "--local-user", ada, "--clear-sign", "--output", "-", text)
	const atSigning = "openpgp-time:at-signing"
	for name, c := range map[string]struct {
		rooms   map[string]string
		verdict verifier.Verdict
	}{
		"none":                         {map[string]string{"a/openpgp": certificate}, verifier.Valid},
		"its own":                      {map[string]string{"a/openpgp": certificate + own}, verifier.Revoked},
		"its own, before it":           {map[string]string{"a/openpgp": own + certificate}, verifier.Revoked},
		"its own, in another store":    {map[string]string{"a/openpgp": certificate, "b/openpgp": own}, verifier.Revoked},
		"by the revoker":               {map[string]string{"a/openpgp": certificate + designated}, verifier.Revoked},
		"in another store":             {map[string]string{"a/openpgp": certificate, "b/openpgp": designated}, verifier.Revoked},
		"its own, judged at signing":   {map[string]string{"a/openpgp": certificate + own, "a/settings": atSigning}, verifier.Revoked},
		"retired now, not before":      {map[string]string{"a/openpgp": certificate + retired, "a/settings": atSigning}, verifier.Revoked}, // at the same second
		"by the revoker, never lifted": {map[string]string{"a/openpgp": certificate + designated, "a/settings": atSigning}, verifier.Revoked},
	} {
		t.Run(name, func(t *testing.T) {
			if own == "" || retired == "" || designated == "" {
				t.Fatal("gpg made no revocation")
			}
			if report, _ := clearsignVerdict(t, openpgpStores(t, c.rooms), "a.sh.asc", doc); report.Verdict != c.verdict {
				t.Errorf("%s, want %s: %+v", report.Verdict, c.verdict, report.Signatures)
			}
		})
	}
}

func TestOpenPGPARevocationThatCannotBeReadIsNoTrust(t *testing.T) {
	t.Parallel()
	f := newForger(clearsignTime.AddDate(-1, 0, 0))
	for name, packet := range map[string][]byte{
		"cut off":         forgedPacket(2, 4, 0x20, 22, 10, 0, 9),
		"of no key":       f.self(forged{kind: 0x20, hashed: [][]byte{at(2, clearsignTime)}}, ""),
		"of a version 99": forgedPacket(2, 99, 0x20, 22, 10, 0, 0, 0, 0),
		"in broken armor": []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\niHgE\nIBY?\n"),
	} {
		trust, err := verifier.NewTrust(
			verifier.TrustFile{Store: "s", Room: verifier.RoomOpenPGP, Name: "good", Data: f.certificate()},
			verifier.TrustFile{Store: "s", Room: verifier.RoomOpenPGP, Name: "revocation", Data: packet})
		if err != nil {
			t.Fatal(err)
		}
		var te *verifier.TrustError
		if _, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{format.NewClearsign()}}); !errors.As(err, &te) || te.Path != "revocation" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
