package pgpcert_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/internal/testenv"
)

// listed is one public key as gpg --with-colons lists it.
type listed struct{ validity, fingerprint string }

// gnupgList returns the public keys that GnuPG sees in a home.
func gnupgList(t *testing.T, home string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), testenv.Tool(t, "gpg"), "--homedir", home, "--batch", "--no-auto-check-trustdb",
		"--trust-model", "always", "--faked-system-time", testenv.VectorTime().Format("20060102T150405!"), "--with-colons", "--list-keys")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) { // with keys of version 5 alone it ends with an error
		t.Fatalf("gpg --list-keys: %v", err)
	}
	var keys []listed
	primary := false
	for line := range strings.Lines(string(out)) {
		f := strings.Split(line, ":")
		switch {
		case f[0] == "pub":
			keys = append(keys, listed{validity: f[1]})
			primary = true
		case f[0] == "fpr" && primary:
			keys[len(keys)-1].fingerprint = f[9]
			primary = false
		}
	}
	return keys
}

func TestRealKeyboxesHoldTheCertificatesThatGnuPGLists(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob(filepath.Join(testenv.Shared(t, "corpus/openpgp/kbx"), "*"))
	if err != nil || len(names) != 7 {
		t.Fatalf("%d keyboxes, error %v", len(names), err)
	}
	names = append(names, filepath.Join(testenv.Shared(t, "vectors/openpgp/keys"), "trusted.kbx"))
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			home := t.TempDir()
			if err := os.WriteFile(filepath.Join(home, "pubring.kbx"), data, 0o600); err != nil {
				t.Fatal(err)
			}
			want := map[string]bool{}
			for _, k := range gnupgList(t, home) {
				want[k.fingerprint] = true
			}
			l := pgpcert.NewLoader()
			if err := l.Add(filepath.Base(name), data); err != nil && len(want) > 0 {
				t.Fatal(err)
			}
			got := map[string]bool{}
			for _, c := range l.Ring().Certificates() {
				got[c.Fingerprint] = true
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("certificates (-gpg +writ):\n%s\nnotes %v", diff, l.Ring().Notes())
			}
		})
	}
}

// TestRealCertificatesAreExpiredAndRevokedWhereGnuPGSaysSo: where the two differ,
// this side is the stricter one, for a reason that is named.
func TestRealCertificatesAreExpiredAndRevokedWhereGnuPGSaysSo(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"debian-archive-keyring", "debian-archive-removed", "debian-uploaders", "monero", "qubes", "openpgpjs", "nodesource"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(testenv.Shared(t, "corpus/openpgp/keys"), name+".pgp")
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			home := t.TempDir()
			// gpg ends with an error if it skips one certificate of many.
			_ = exec.CommandContext(t.Context(), testenv.Tool(t, "gpg"), "--homedir", home, "--batch", "--import-options", "keep-ownertrust",
				"--faked-system-time", testenv.VectorTime().Format("20060102T150405!"), "--import", file).Run()
			theirs := map[string]string{}
			for _, k := range gnupgList(t, home) {
				theirs[k.fingerprint] = k.validity
			}
			compared := 0
			for _, c := range load(t, data).Certificates() {
				validity, known := theirs[c.Fingerprint]
				if !known {
					continue // gpg imports no certificate without a user ID that it can check
				}
				compared++
				j := c.Keys()[0].Judge(testenv.VectorTime())
				ours := "good"
				switch {
				case j.Revocation != "":
					ours = "r"
				case j.Validity != "":
					ours = "e"
				case j.Trust != "" || j.Algorithms != "" || j.Supported != "":
					ours = "refused"
				}
				if (validity == "r" || validity == "e") && ours != validity && ours != "refused" {
					t.Errorf("%s: gpg says %q, we say %s: %+v", c.Fingerprint, validity, ours, j)
				}
				if (ours == "r" || ours == "e") && validity != ours {
					t.Errorf("%s: we say %s, gpg says %q: %+v", c.Fingerprint, ours, validity, j)
				}
			}
			if compared == 0 {
				t.Error("nothing was compared")
			}
			t.Logf("%d certificates compared", compared)
		})
	}
}
