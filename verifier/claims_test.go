package verifier_test

import (
	"strings"
	"testing"

	"github.com/runwrit/writ/verifier"
)

func TestVersionsAreComparedNumberByNumber(t *testing.T) {
	t.Parallel()
	ordered := []string{"0", "0.0.0.1", "0.9", "0.10", "1", "1.0.0.1", "1.2.3", "1.2.4", "1.3", "1.4", "1.14", "2", "10", "999999999.999999999.999999999.999999999"}
	less := func(a, b verifier.Version) bool {
		for i := range a {
			if a[i] != b[i] {
				return a[i] < b[i]
			}
		}
		return false
	}
	for i, s := range ordered[1:] {
		a, errA := verifier.ParseVersion(ordered[i])
		b, errB := verifier.ParseVersion(s)
		if errA != nil || errB != nil || !less(a, b) || less(b, a) {
			t.Errorf("%s < %s: %v %v, %v %v", ordered[i], s, a, b, errA, errB)
		}
	}
	a, errA := verifier.ParseVersion("1.4")
	b, errB := verifier.ParseVersion("1.4.0.0")
	if errA != nil || errB != nil || a != b {
		t.Errorf("1.4 is %v, 1.4.0.0 is %v", a, b)
	}
}

func TestVersionsOfAnotherFormAreRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", ".", "1.", ".1", "1..2", "v1", "01", "1.02", "00", "1.2.3.4.5", "1234567890", "1,2", "+1", "-1", " 1", "1 ", "1\n", "1e3", "0x1",
		"1-rc1", "\u0661", "\uff11", strings.Repeat("1", 100_000),
	} {
		if v, err := verifier.ParseVersion(s); err == nil {
			t.Errorf("%.20q is %v", s, v)
		}
	}
}

func TestClaimsHaveOneForm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		claims verifier.Claims
		fine   bool
	}{
		"nothing":                     {verifier.Claims{}, true},
		"all":                         {verifier.Claims{Name: "deploy.sh", Kind: "bash", Version: "1.4", Namespace: "prod"}, true},
		"a name with blanks":          {verifier.Claims{Name: "my script \u00e9.sh"}, true},
		"a kind of a later writ":      {verifier.Claims{Kind: "lua5-script"}, true},
		"a path":                      {verifier.Claims{Name: "a/b.sh"}, false},
		"a path of Windows":           {verifier.Claims{Name: `a\b.sh`}, false},
		"a parent":                    {verifier.Claims{Name: ".."}, false},
		"a name with a line end":      {verifier.Claims{Name: "a.sh\n"}, false},
		"a name with an escape":       {verifier.Claims{Name: "a\x1b[31m.sh"}, false},
		"a name that is not UTF-8":    {verifier.Claims{Name: "a\xff.sh"}, false},
		"a name of 256 bytes":         {verifier.Claims{Name: strings.Repeat("a", 256)}, false},
		"a kind in capitals":          {verifier.Claims{Kind: "Bash"}, false},
		"a kind with a line end":      {verifier.Claims{Kind: "bash\n"}, false},
		"an endless kind":             {verifier.Claims{Kind: strings.Repeat("a", 65)}, false},
		"a version with words":        {verifier.Claims{Version: "1.4-rc1"}, false},
		"a namespace with blanks":     {verifier.Claims{Namespace: "a b"}, false},
		"a namespace with a line end": {verifier.Claims{Namespace: "prod\n"}, false},
		"a namespace that hides":      {verifier.Claims{Namespace: "pr\u043ed"}, false},
		"an endless namespace":        {verifier.Claims{Namespace: strings.Repeat("a", 65)}, false},
	} {
		if got := c.claims.Problem(); (got == "") != c.fine {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestAClaimOfAValidSignatureIsHeldAgainstTheFile(t *testing.T) {
	t.Parallel()
	as := func(s verifier.Signature, c verifier.Claims) verifier.Signature {
		s.Claims = &c
		return s
	}
	right := verifier.Claims{Name: "a.sh", Kind: "bash", Version: "1"}
	for name, c := range map[string]struct {
		file       string
		signatures []verifier.Signature
		want       int
	}{
		"the right name and kind":                   {"a.sh", []verifier.Signature{as(good, right)}, 0},
		"the name of a document":                    {"a.sh.asc", []verifier.Signature{as(good, right)}, 0},
		"no claims":                                 {"a.sh", []verifier.Signature{good}, 0},
		"only a version":                            {"b.py", []verifier.Signature{as(good, verifier.Claims{Version: "1"})}, 0},
		"another name":                              {"b.sh", []verifier.Signature{as(good, right)}, 1},
		"the name in capitals":                      {"A.SH", []verifier.Signature{as(good, right)}, 1},
		"another name, and none for the kind":       {"b.sh", []verifier.Signature{as(good, verifier.Claims{Name: "a.sh"})}, 1},
		"another kind, and none for the name":       {"a.py", []verifier.Signature{as(good, verifier.Claims{Kind: "bash"})}, 1},
		"one right and one wrong":                   {"a.sh", []verifier.Signature{as(good, right), as(good, verifier.Claims{Name: "b.sh"})}, 1},
		"two wrong":                                 {"b.sh", []verifier.Signature{as(good, right), as(good, right)}, 2},
		"an unknown signer that contradicts":        {"a.sh", []verifier.Signature{as(unknown, verifier.Claims{Name: "b.sh"}), good}, 0},
		"an unknown signer that does not, but good": {"b.sh", []verifier.Signature{as(unknown, verifier.Claims{Name: "b.sh"}), as(good, right)}, 1},
	} {
		out := verifier.Outcome{Claimed: true, Verdict: verifier.Valid, SideBySide: true, Signatures: c.signatures, Payload: []byte("x\n")}
		report, err := newVerifier(t, fixed{name: "f", out: out}).Inspect(t.Context(), parse(t, c.file))
		if err != nil {
			t.Fatal(err)
		}
		if report.Verdict != verifier.Valid || len(report.Findings) != c.want {
			t.Errorf("%s: %s, %+v; want valid with %d findings", name, report.Verdict, report.Findings, c.want)
		}
		for _, f := range report.Findings {
			if f.Code != verifier.CodeContradicts || f.Fix == "" {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}
