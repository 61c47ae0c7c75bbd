package format_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// claiming signs text as a runbook of that version and namespace.
func claiming(t testing.TB, name, text, version, namespace string, key *signer.Key) ([]byte, error) {
	t.Helper()
	rb, err := runbook.Parse(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	f := format.NewClearsign()
	f.Now = func() time.Time { return clearsignTime }
	f.Version, f.Namespace = version, namespace
	return f.Sign(t.Context(), rb, key)
}

func mustClaim(t testing.TB, name, text, version, namespace string, key *signer.Key) []byte {
	t.Helper()
	signed, err := claiming(t, name, text, version, namespace, key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestGnuPGShowsTheClaimsAndAcceptsThem(t *testing.T) {
	t.Parallel()
	g := newGnuPG(t)
	entity, key := clearsignKey(t, newkeys.OpenPGPOptions{})
	g.importPublic(entity)
	for _, c := range []struct {
		name, version, namespace string
		want                     []string
	}{
		{"deploy.sh", "", "", []string{"runbook-name deploy.sh", "runbook-kind bash"}},
		{"a.py", "1.4", "prod", []string{"runbook-name a.py", "runbook-kind python", "runbook-version 1.4", "runbook-namespace prod"}},
		{"notes", "", "", []string{"runbook-name notes", "runbook-kind unknown"}},
	} {
		_, said, err := g.run(mustClaim(t, c.name, "echo a\n", c.version, c.namespace, key), "--verify")
		if err != nil || !strings.Contains(said, "] VALIDSIG ") {
			t.Errorf("%s: %v\n%s", c.name, err, said)
		}
		var got []string
		for line := range strings.Lines(said) {
			if name, ok := strings.CutPrefix(line, "[GNUPG:] NOTATION_NAME "); ok {
				got = append(got, strings.TrimSuffix(name, "@runwrit.github.io\n"))
			}
			if flags, ok := strings.CutPrefix(line, "[GNUPG:] NOTATION_FLAGS "); ok && flags != "0 1\n" {
				t.Errorf("%s: flags %q, want not critical and human-readable", c.name, flags)
			}
			if value, ok := strings.CutPrefix(line, "[GNUPG:] NOTATION_DATA "); ok {
				got[len(got)-1] += " " + strings.TrimSuffix(value, "\n")
			}
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
	}
}

// TestClaimsThatGnuPGMakesAreRead: --set-notation makes what writ sign makes.
func TestClaimsThatGnuPGMakesAreRead(t *testing.T) {
	t.Parallel()
	g := newGnuPG(t)
	entity, _ := clearsignKey(t, newkeys.OpenPGPOptions{})
	secret, err := newkeys.ArmoredSecret(entity, nil)
	if err != nil {
		t.Fatal(err)
	}
	g.mustRun(secret, "--import")
	signed := g.mustRun([]byte("echo a\n"), "--set-notation", "runbook-name"+claimedUnder+"=a.sh", "--set-notation", "runbook-version"+claimedUnder+"=1.4",
		"--set-notation", "owner@example.org=me", "--clear-sign")
	v := clearsignVerifier(t, clearsignTrust(t, entity), time.Now().Add(time.Minute)) // GnuPG signs now
	report, _ := clearsignVerdict(t, v, "b.sh.asc", signed)
	if want := (&verifier.Claims{Name: "a.sh", Version: "1.4"}); !cmp.Equal(report.Signatures[0].Claims, want) || report.Verdict != verifier.Valid {
		t.Errorf("%s, claims %+v", report.Verdict, report.Signatures[0].Claims)
	}
	if len(report.Findings) != 1 || report.Findings[0].Code != verifier.CodeContradicts {
		t.Errorf("%+v", report.Findings)
	}
}

func TestClaimsOfAWrongFormAreNotSigned(t *testing.T) {
	t.Parallel()
	_, key := clearsignKey(t, newkeys.OpenPGPOptions{})
	for _, c := range []struct{ version, namespace string }{
		{"v1", ""}, {"1.", ""}, {"01", ""}, {"1.2.3.4.5", ""}, {"1234567890", ""}, {"1.-2", ""}, {" 1", ""}, {"1\n", ""},
		{"", "-a"}, {"", "a b"}, {"", strings.Repeat("a", 65)}, {"", "a\n"},
	} {
		var refused *signer.InputError
		if _, err := claiming(t, "a.sh", "echo a\n", c.version, c.namespace, key); !errors.As(err, &refused) {
			t.Errorf("version %q, namespace %q: got %v, want *InputError", c.version, c.namespace, err)
		}
	}
}
