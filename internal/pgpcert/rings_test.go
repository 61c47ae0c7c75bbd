package pgpcert_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/internal/testenv"
)

// realRings are the rings that others made, and the folders of single
// certificates: how many GnuPG 2.2 shows, how many of those are used here, and
// how many are used here that GnuPG does not show. The page about keyboxes gives
// the reason for each difference.
var realRings = map[string]struct {
	gnupg, common, more int
	reason              string
}{
	"debian-archive-keyring.pgp": {9, 9, 0, ""},
	"debian-archive-removed.pgp": {23, 23, 0, ""},
	"debian-uploaders.pgp":       {29, 29, 0, ""},
	"gocrypto.pgp":               {0, 0, 1, "version 6"},
	"gocrypto.d":                 {0, 0, 1, "version 6"},
	"monero.pgp":                 {31, 31, 0, ""},
	"monero.d":                   {31, 31, 0, ""},
	"nodesource.pgp":             {1, 1, 0, ""},
	"openpgpjs.pgp":              {2, 2, 5, "GnuPG stops at a certificate of version 6"},
	"openpgpjs.d":                {6, 6, 1, "version 6: 003, 004, 006"},
	"pgpy.pgp":                   {13, 13, 0, ""},
	"pgpy.d":                     {13, 13, 0, ""},
	"qubes.pgp":                  {57, 57, 0, ""},
	"qubes.d":                    {57, 57, 0, ""},
	"rnp.pgp":                    {0, 0, 1, "GnuPG stops at a certificate of version 6, the first; writ at bytes behind the second that are no packet"},
	"rnp.d":                      {34, 33, 3, "version 6: 000, 002, 004; 071 has a key of the unknown algorithm 99, which can sign nothing"},
	"rpgp.pgp":                   {7, 7, 92, "GnuPG stops at a number of 50118 bits; writ at bytes that are no packet, behind certificate 155"},
	"rpgp.d":                     {105, 104, 2, "version 6: 086, 088; a number of 50118 bits: 008, 009, 010; 098 ends in bytes that are no packet"},
	"rpgp-rfc9580.pgp":           {0, 0, 6, "version 6"},
	"rpgp-rfc9580.d":             {1, 1, 5, "version 6"},
}

// gnupgShows returns the fingerprints of the certificates that gpg reads.
func gnupgShows(t *testing.T, names []string) map[string]bool {
	t.Helper()
	arguments := []string{"--homedir", t.TempDir(), "--batch", "--no-auto-check-trustdb", "--with-colons", "--import-options", "show-only", "--import"}
	out, err := exec.CommandContext(t.Context(), testenv.Tool(t, "gpg"), append(arguments, names...)...).Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) { // it fails if one of many cannot be read
		t.Fatal(err)
	}
	shown := map[string]bool{}
	primary := false
	for line := range strings.Lines(string(out)) {
		switch f := strings.Split(line, ":"); {
		case f[0] == "pub":
			primary = true
		case f[0] == "fpr" && primary:
			shown[f[9]] = true
			primary = false
		}
	}
	return shown
}

func TestRealRingsHoldTheCertificatesThatGnuPGShows(t *testing.T) {
	t.Parallel()
	dir := testenv.Shared(t, "corpus/openpgp/keys")
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(realRings) {
		t.Fatalf("%d rings, the table has %d; %v", len(entries), len(realRings), err)
	}
	for ring, want := range realRings {
		t.Run(ring, func(t *testing.T) {
			t.Parallel()
			names := []string{filepath.Join(dir, ring)}
			if strings.HasSuffix(ring, ".d") {
				if names, err = filepath.Glob(filepath.Join(dir, ring, "*")); err != nil {
					t.Fatal(err)
				}
			}
			loader := pgpcert.NewLoader()
			for _, name := range names {
				data, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				if err := loader.Add(filepath.Base(name), data); err != nil && !errors.Is(err, pgpcert.ErrNoCertificate) {
					t.Errorf("%s: %v", name, err)
				}
			}
			theirs := gnupgShows(t, names)
			common, more := 0, 0
			for _, c := range loader.Ring().Certificates() {
				if theirs[c.Fingerprint] {
					common++
				} else {
					more++
				}
			}
			if len(theirs) != want.gnupg || common != want.common || more != want.more || (len(theirs) != common || more > 0) != (want.reason != "") {
				t.Errorf("{%d, %d, %d}, want %+v; notes %v", len(theirs), common, more, want, loader.Ring().Notes())
			}
		})
	}
}
