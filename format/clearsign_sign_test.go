package format_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// Keys are made at clearsignKeyTime and sign at clearsignTime: both in the past,
// so that GnuPG, whose clock cannot be set without root, agrees.
var (
	clearsignKeyTime = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	clearsignTime    = time.Date(2024, 6, 1, 12, 0, 0, 0, time.UTC)
)

func clearsignKey(t testing.TB, o newkeys.OpenPGPOptions) (*openpgp.Entity, *signer.Key) {
	t.Helper()
	if o.Name == "" {
		o.Name = "Test Signer"
	}
	if o.Created.IsZero() {
		o.Created = clearsignKeyTime
	}
	entity, err := newkeys.OpenPGP(o)
	if err != nil {
		t.Fatal(err)
	}
	key, err := signer.NewOpenPGPKey("test key", entity)
	if err != nil {
		t.Fatal(err)
	}
	return entity, key
}

func clearsignTrust(t testing.TB, entities ...*openpgp.Entity) *verifier.TrustStore {
	t.Helper()
	var files []verifier.TrustFile
	for i, e := range entities {
		data, err := newkeys.ArmoredPublic(e)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, verifier.TrustFile{Store: "test", Room: verifier.RoomOpenPGP, Name: fmt.Sprintf("key%d.asc", i), Data: data})
	}
	trust, err := verifier.NewTrust(files...)
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

// clearsigned signs text at clearsignTime.
func clearsigned(t testing.TB, name, text string, key *signer.Key) []byte {
	t.Helper()
	signed, err := clearsignAt(t, name, text, key, clearsignTime)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func clearsignAt(t testing.TB, name, text string, key *signer.Key, now time.Time) ([]byte, error) {
	t.Helper()
	rb, err := runbook.Parse(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	f := format.NewClearsign()
	f.Now = func() time.Time { return now }
	return f.Sign(t.Context(), rb, key)
}

func TestClearsignWhatIsSignedIsWhatIsVerified(t *testing.T) {
	t.Parallel()
	entity, key := clearsignKey(t, newkeys.OpenPGPOptions{})
	v := clearsignVerifier(t, clearsignTrust(t, entity), clearsignTime)
	for name, text := range map[string]string{
		"one line":                 "echo hello\n",
		"lines that need escapes":  "#!/bin/sh\n-x\n--\n- y\nFrom here\n",
		"empty lines at the end":   "a\n\n\n",
		"only a newline":           "\n",
		"not ASCII":                "echo 'caf\u00e9 \U0001f600'\n",
		"marker lines inside":      "cat <<'X'\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nx\n-----BEGIN PGP SIGNATURE-----\n-----END PGP SIGNATURE-----\nX\n",
		"lines at GnuPG's limit":   strings.Repeat("x", 19_000) + "\n",
		"a megabyte of short ones": strings.Repeat("echo 0123456789\n", 1<<16),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			signed := clearsigned(t, "deploy.sh", text, key)
			report, payload := clearsignVerdict(t, v, format.NewClearsign().OutputName("deploy.sh"), signed)
			if report.Verdict != verifier.Valid || !bytes.Equal(payload, []byte(text)) {
				t.Errorf("%s, payload of %d bytes, %+v", report.Verdict, len(payload), report)
			}
			s := report.Signatures[0]
			if want := fmt.Sprintf("openpgp:%X", entity.PrimaryKey.Fingerprint); len(s.Signer.IDs) != 1 || s.Signer.IDs[0] != want {
				t.Errorf("signer %v, want %s", s.Signer.IDs, want)
			}
			if !s.SignedAt.Equal(clearsignTime) || s.SignedAtSource != verifier.TimeClaimed || s.Digest != "sha512" {
				t.Errorf("signed at %v by %q with %s", s.SignedAt, s.SignedAtSource, s.Digest)
			}
			if report.Kind != runbook.Bash {
				t.Errorf("kind %s", report.Kind)
			}
		})
	}
}

func TestClearsignRefusesToSignWhatWouldChangeAndNamesTheLine(t *testing.T) {
	t.Parallel()
	_, key := clearsignKey(t, newkeys.OpenPGPOptions{})
	signed := string(clearsigned(t, "a.sh", "echo a\n", key))
	for name, c := range map[string]struct {
		file, text string
		line       int
	}{
		"trailing blanks":                {"a.sh", "a\nb \n", 2},
		"CRLF":                           {"a.ps1", "a\r\nb\r\n", 1},
		"a lone CR":                      {"a.sh", "a\nb\rc\n", 2},
		"a NUL":                          {"a.sh", "a\x00b\n", 1},
		"a control character":            {"a.sh", "a\n\n\x1b[31m\n", 3},
		"a line that GnuPG cuts":         {"a.sh", "a\n" + strings.Repeat("x", 19_001) + "\n", 2},
		"text that is not UTF-8":         {"a.sh", "a\n# \xe9\n", 2},
		"no newline at the end":          {"a.sh", "a\nb", 2},
		"nothing":                        {"a.sh", "", 0},
		"a clear-signed document":        {"a.sh", signed, 1},
		"a file that is named as signed": {"a.sh.asc", "echo a\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := clearsignAt(t, c.file, c.text, key, clearsignTime)
			var input *signer.InputError
			if !errors.As(err, &input) || input.Line != c.line || out != nil {
				t.Fatalf("error %v, %d bytes", err, len(out))
			}
			if name != "nothing" && name != "a NUL" && !strings.Contains(name, "control") && !strings.Contains(name, "lone") && input.Fix == "" {
				t.Errorf("%v: does not say what to do", err)
			}
		})
	}
}

func TestClearsignRefusesKeysThatMayNotSignNow(t *testing.T) {
	t.Parallel()
	_, expiringKey := clearsignKey(t, newkeys.OpenPGPOptions{Lifetime: 30 * 24 * time.Hour})
	revoked, _ := clearsignKey(t, newkeys.OpenPGPOptions{})
	if err := revoked.Revoke(packet.KeySuperseded, "", nil); err != nil {
		t.Fatal(err)
	}
	_, good := clearsignKey(t, newkeys.OpenPGPOptions{})
	revokedKey, err := signer.NewOpenPGPKey("test key", revoked)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := newkeys.X509(newkeys.X509Options{Subject: "Test", NotBefore: clearsignKeyTime})
	if err != nil {
		t.Fatal(err)
	}
	x509Key, err := signer.NewX509Key("x509", leaf.Key, []*x509.Certificate{leaf.Leaf})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key  *signer.Key
		at   time.Time
		want string
	}{
		"an expired key":             {expiringKey, clearsignTime, "expired"},
		"a revoked key":              {revokedKey, clearsignTime, "revoked"},
		"a key that is not made yet": {good, clearsignKeyTime.AddDate(-1, 0, 0), "future"},
		"an X.509 key":               {x509Key, clearsignTime, "not an OpenPGP key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := clearsignAt(t, "a.sh", "echo a\n", c.key, c.at)
			var keyErr *signer.KeyError
			if !errors.As(err, &keyErr) || !strings.Contains(err.Error(), c.want) || out != nil {
				t.Errorf("error %v, want one about %q", err, c.want)
			}
		})
	}
}
