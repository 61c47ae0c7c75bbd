package format_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/verifier"
)

// gnupg is a private home of GnuPG.
type gnupg struct {
	t    testing.TB
	home string
}

func newGnuPG(t testing.TB) *gnupg {
	t.Helper()
	testenv.Tool(t, "gpg")
	return &gnupg{t: t, home: testenv.GnuPGHome(t)}
}

// run runs gpg on input; it returns what gpg wrote to stdout, and all that it
// had to say.
func (g *gnupg) run(input []byte, args ...string) (stdout []byte, said string, err error) {
	cmd := exec.CommandContext(g.t.Context(), "gpg", append([]string{
		"--homedir", g.home, "--batch", "--no-auto-check-trustdb", "--trust-model", "always",
		"--pinentry-mode", "loopback", "--passphrase", "", "--status-fd", "2",
	}, args...)...)
	cmd.Stdin = bytes.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.Bytes(), errs.String(), err
}

func (g *gnupg) mustRun(input []byte, args ...string) []byte {
	g.t.Helper()
	out, said, err := g.run(input, args...)
	if err != nil {
		g.t.Fatalf("gpg %s: %v\n%s", strings.Join(args, " "), err, said)
	}
	return out
}

func (g *gnupg) importPublic(e *openpgp.Entity) {
	g.t.Helper()
	data, err := newkeys.ArmoredPublic(e)
	if err != nil {
		g.t.Fatal(err)
	}
	g.mustRun(data, "--import")
}

// TestClearsignGnuPGVerifiesWhatWeSign: with go-crypto's own armor, which has no
// checksum, GnuPG 2.2 refuses 60 of 60 such RSA-3072 signatures. gpgv and sqv are
// asked about every fifteenth.
func TestClearsignGnuPGVerifiesWhatWeSign(t *testing.T) {
	t.Parallel()
	for algorithm, count := range map[string]int{"rsa3072": 60, "ed25519": 60, "rsa4096": 2, "p256": 4, "p384": 4} {
		t.Run(fmt.Sprintf("%d of %d with %s", count, count, algorithm), func(t *testing.T) {
			t.Parallel()
			g := newGnuPG(t)
			entity, key := clearsignKey(t, newkeys.OpenPGPOptions{Algorithm: algorithm})
			g.importPublic(entity)
			public := g.mustRun(nil, "--export", hexOf(entity.PrimaryKey))
			v := clearsignVerifier(t, clearsignTrust(t, entity), clearsignTime)
			good := 0
			for i := range count {
				text := fmt.Sprintf("#!/bin/bash\n-x %d\nFrom here\n%s\n\n", i, strings.Repeat("y", i*300))
				signed := clearsigned(t, "deploy.sh", text, key)
				out, said, err := g.run(signed, "--decrypt")
				if err != nil || !strings.Contains(said, "] VALIDSIG ") || string(out) != text {
					t.Errorf("signature %d: %v, text %q\n%s", i, err, out, said)
					continue
				}
				if i%15 == 0 {
					acceptedByGpgv(t, public, signed, text)
					acceptedBySqv(t, public, signed, text)
				}
				report, payload := clearsignVerdict(t, v, "deploy.sh.asc", signed)
				if report.Verdict != verifier.Valid || string(payload) != text {
					t.Errorf("signature %d: %s", i, report.Verdict)
					continue
				}
				good++
			}
			if good != count {
				t.Errorf("%d of %d verify", good, count)
			}
		})
	}
}

func TestClearsignWeVerifyWhatGnuPGSigns(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"rsa3072", "ed25519", "p256"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			g := newGnuPG(t)
			entity, _ := clearsignKey(t, newkeys.OpenPGPOptions{Algorithm: algorithm})
			secret, err := newkeys.ArmoredSecret(entity, nil)
			if err != nil {
				t.Fatal(err)
			}
			g.mustRun(secret, "--import")
			v := clearsignVerifier(t, clearsignTrust(t, entity), time.Now().Add(time.Minute))
			for i := range 5 {
				text := fmt.Sprintf("#!/bin/bash\n-x %d\nFrom here\n\n", i)
				signed := g.mustRun([]byte(text), "--digest-algo", "SHA512", "--clear-sign")
				report, payload := clearsignVerdict(t, v, "a.sh.asc", signed)
				if report.Verdict != verifier.Valid || string(payload) != text {
					t.Errorf("%s: %+v\npayload %q", report.Verdict, report, payload)
				}
			}
			// GnuPG keeps in the file the blanks that it does not sign.
			signed := g.mustRun([]byte("cat <<EOF\nEOF \nrm x\nEOF\n"), "--clear-sign")
			if report, _ := clearsignVerdict(t, v, "a.sh.asc", signed); report.Verdict != verifier.Noncanonical {
				t.Errorf("trailing blanks: %s", report.Verdict)
			}
			keybox, err := os.ReadFile(filepath.Join(g.home, "pubring.kbx"))
			if err != nil {
				t.Fatal(err)
			}
			trust, err := verifier.NewTrust(verifier.TrustFile{Store: "test", Room: verifier.RoomOpenPGP, Name: "pubring.kbx", Data: keybox})
			if err != nil {
				t.Fatal(err)
			}
			signed = g.mustRun([]byte("echo a\n"), "--clear-sign")
			report, _ := clearsignVerdict(t, clearsignVerifier(t, trust, time.Now().Add(time.Minute)), "a.sh.asc", signed)
			if report.Verdict != verifier.Valid {
				t.Errorf("with GnuPG's own keybox: %s", report.Verdict)
			}
		})
	}
}
