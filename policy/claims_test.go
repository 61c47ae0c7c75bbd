package policy_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/verifier"
)

// claiming is a signature with claims; the name and kind are those of good().
func claiming(version, namespace string, ids ...string) policy.Signature {
	s := signature("valid", ids...)
	s.Claims = &verifier.Claims{Name: "restart.sh", Kind: "bash", Version: version, Namespace: namespace}
	return s
}

func withClaims(s policy.Signature, c verifier.Claims) policy.Signature {
	s.Claims = &c
	return s
}

func TestClaimsThatContradictTheFileDeny(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule)
	alice := signature("valid", aliceKey)
	stranger := signature("untrusted")
	for name, c := range map[string]struct {
		signatures []policy.Signature
		deny       string
	}{
		"the right name and kind":                        {[]policy.Signature{claiming("", "", aliceKey)}, ""},
		"no claims":                                      {[]policy.Signature{alice}, ""},
		"claims that say nothing":                        {[]policy.Signature{withClaims(alice, verifier.Claims{})}, ""},
		"a file that was renamed":                        {[]policy.Signature{withClaims(alice, verifier.Claims{Name: "stop.sh", Kind: "bash"})}, "claim-contradicts"},
		"a name with capitals":                           {[]policy.Signature{withClaims(alice, verifier.Claims{Name: "Restart.sh"})}, "claim-contradicts"},
		"a name of an extension more":                    {[]policy.Signature{withClaims(alice, verifier.Claims{Name: "restart.sh.asc"})}, "claim-contradicts"},
		"a script of Python used as one of bash":         {[]policy.Signature{withClaims(alice, verifier.Claims{Kind: "python"})}, "claim-contradicts"},
		"a signer whom no rule names":                    {[]policy.Signature{alice, withClaims(signature("valid", "openpgp:FF"), verifier.Claims{Name: "stop.sh"})}, "claim-contradicts"},
		"a nested signature":                             {[]policy.Signature{alice, nested(withClaims(signature("valid", bobKey), verifier.Claims{Name: "stop.sh"}))}, "claim-contradicts"},
		"an unknown signer with another name":            {[]policy.Signature{alice, withClaims(stranger, verifier.Claims{Name: "stop.sh", Kind: "python"})}, ""},
		"an unknown signer with the right name, a wrong": {[]policy.Signature{withClaims(alice, verifier.Claims{Name: "stop.sh"}), withClaims(stranger, verifier.Claims{Name: "restart.sh"})}, "claim-contradicts"},
		"claims of a wrong form":                         {[]policy.Signature{withClaims(alice, verifier.Claims{Version: "1.x"})}, "input-invalid"},
	} {
		in := good()
		in.Signatures = c.signatures
		if d := e.Decide(t.Context(), in); c.deny != "" {
			mustDeny(t, d, c.deny)
			// The library says which signature is for what; Go alone would only deny.
			said := slices.ContainsFunc(d.Deny, func(r policy.Reason) bool { return r.Rule == "writ/claims" && r.Hint != "" })
			if said != (c.deny == "claim-contradicts") {
				t.Errorf("%s: %+v", name, d.Deny)
			}
		} else if !d.Allow {
			t.Errorf("%s: denied: %+v", name, d.Deny)
		}
	}
}

// TestNoPolicyLiftsAContradiction: the check holds without the library.
func TestNoPolicyLiftsAContradiction(t *testing.T) {
	t.Parallel()
	in := good()
	in.Signatures = []policy.Signature{withClaims(in.Signatures[0], verifier.Claims{Name: "stop.sh"})}
	d := engine(t, peopleYAML+restartRule).DecideOnDocument(in, map[string]any{
		"allow": true, "deny": []any{}, "exemptions": []any{}, "glass": []any{}, "glass_approvers": []any{}, "lifted": []any{}, "rules": []any{"restart"}, "user": map[string]any{},
	})
	mustDeny(t, d, "claim-contradicts")
}

func versionRule(more string) string {
	return peopleYAML + strings.Replace(restartRule, "groups: [release]}\n    requested", "groups: [release], "+more+"}\n    requested", 1)
}

// TestAReplayOfAnOldSignedVersionIsDenied, and whatever claims no version.
func TestAReplayOfAnOldSignedVersionIsDenied(t *testing.T) {
	t.Parallel()
	one := versionRule(`min_version: "1.4"`)
	two := versionRule(`min_version: "1.4", at_least: 2`)
	engines := map[string]*policy.Engine{}
	for name, c := range map[string]struct {
		grants     string
		signatures []policy.Signature
		deny       string
	}{
		"the very version":                           {one, []policy.Signature{claiming("1.4", "", aliceKey)}, ""},
		"the same, written longer":                   {one, []policy.Signature{claiming("1.4.0.0", "", aliceKey)}, ""},
		"a newer one":                                {one, []policy.Signature{claiming("1.4.0.1", "", aliceKey)}, ""},
		"numbers count, not letters":                 {one, []policy.Signature{claiming("1.10", "", aliceKey)}, ""},
		"the next great one":                         {one, []policy.Signature{claiming("2", "", aliceKey)}, ""},
		"an old one":                                 {one, []policy.Signature{claiming("1.3.99", "", aliceKey)}, "version-too-old"},
		"an old one, written short":                  {one, []policy.Signature{claiming("1", "", aliceKey)}, "version-too-old"},
		"version zero":                               {one, []policy.Signature{claiming("0", "", aliceKey)}, "version-too-old"},
		"no version":                                 {one, []policy.Signature{claiming("", "", aliceKey)}, "version-missing"},
		"a signature inside the file":                {one, []policy.Signature{signature("valid", aliceCert)}, "version-missing"},
		"one person, old and new":                    {one, []policy.Signature{claiming("1.3", "", aliceKey), claiming("1.5", "", aliceCert)}, ""},
		"a new one by nobody in the rule":            {one, []policy.Signature{claiming("1.3", "", aliceKey), claiming("9", "", carolSPKI)}, "version-too-old"},
		"a new one by an unknown key":                {one, []policy.Signature{claiming("1.3", "", aliceKey), withClaims(signature("untrusted"), verifier.Claims{Version: "9"})}, "version-too-old"},
		"a new one that does not verify":             {one, []policy.Signature{claiming("1.3", "", aliceKey), withClaims(signature("tampered", aliceKey), verifier.Claims{Version: "9"})}, "version-too-old"},
		"two new ones, of two":                       {two, []policy.Signature{claiming("1.4", "", aliceKey), claiming("1.5", "", bobKey)}, ""},
		"at least two, and one is old":               {two, []policy.Signature{claiming("1.4", "", aliceKey), claiming("1.3", "", bobKey)}, "too-few-signers version-too-old"},
		"at least two, and one has no version":       {two, []policy.Signature{claiming("1.4", "", aliceKey), signature("valid", bobKey)}, "too-few-signers version-missing"},
		"at least two, and both are old":             {two, []policy.Signature{claiming("1", "", aliceKey), claiming("1.3", "", bobKey)}, "version-too-old version-too-old"},
		"nobody who may":                             {one, []policy.Signature{claiming("9", "", carolSPKI)}, "signer-not-allowed"},
		"a namespace":                                {versionRule("namespace: prod"), []policy.Signature{claiming("", "prod", aliceKey)}, ""},
		"another namespace":                          {versionRule("namespace: prod"), []policy.Signature{claiming("", "test", aliceKey)}, "namespace-not-matched"},
		"a namespace in capitals":                    {versionRule("namespace: prod"), []policy.Signature{claiming("", "Prod", aliceKey)}, "namespace-not-matched"},
		"no namespace":                               {versionRule("namespace: prod"), []policy.Signature{claiming("", "", aliceKey)}, "namespace-not-matched"},
		"a rule without a namespace takes any":       {peopleYAML + restartRule, []policy.Signature{claiming("", "test", aliceKey)}, ""},
		"version and namespace of two signatures":    {versionRule(`namespace: prod, min_version: "2"`), []policy.Signature{claiming("2", "test", aliceKey), claiming("1", "prod", aliceCert)}, "namespace-not-matched version-too-old"},
		"version and namespace of one of signatures": {versionRule(`namespace: prod, min_version: "2"`), []policy.Signature{claiming("1", "prod", aliceKey), claiming("2", "prod", aliceCert)}, ""},
	} {
		if engines[c.grants] == nil {
			engines[c.grants] = engine(t, c.grants)
		}
		e := engines[c.grants]
		t.Run(name, func(t *testing.T) {
			in := good()
			in.Signatures = c.signatures
			d := e.Decide(t.Context(), in)
			if c.deny != "" {
				mustDeny(t, d, c.deny)
			} else if !d.Allow {
				t.Errorf("denied: %+v", d.Deny)
			}
		})
	}
}

func TestExplainNamesTheOldVersionAndTheOneThatIsWanted(t *testing.T) {
	t.Parallel()
	in := good()
	in.Signatures = []policy.Signature{claiming("1.3", "", aliceKey)}
	x, err := engine(t, versionRule(`min_version: "1.4"`)).Explain(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range x.Rules[0].Parts {
		if p.Part != "signed_by" {
			continue
		}
		const want = "alice signed version 1.3, which is older than the min_version 1.4"
		if p.Holds || len(p.Lacks) != 1 || !strings.HasPrefix(p.Lacks[0].Msg, want) || !strings.Contains(p.Lacks[0].Hint, "--runbook-version 1.4") {
			t.Errorf("%+v", p)
		}
	}
	if len(x.Signers) != 1 || x.Decision.Deny[0].Rule != "restart" {
		t.Errorf("signers %v, %+v", x.Signers, x.Decision.Deny)
	}
}

// TestOnlyClaimsOfValidSignaturesReachThePolicy: a rule of the user that reads
// them must not have to look at the verdict.
func TestOnlyClaimsOfValidSignaturesReachThePolicy(t *testing.T) {
	t.Parallel()
	claims := &verifier.Claims{Name: "restart.sh", Version: "1"}
	report := *verified(t, "restart.sh.asc", aliceKey).Report()
	report.Signatures = []verifier.Signature{
		{Format: "clearsign", Verdict: verifier.Valid, Claims: claims},
		{Format: "clearsign", Verdict: verifier.Untrusted, Claims: claims},
		{Format: "clearsign", Verdict: verifier.Valid},
	}
	in, err := policy.NewReportInput(&report, request("/srv/restart.sh.asc"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(in.Signatures)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(data), `"claims":{"name":"restart.sh","version":"1"}`); n != 1 || in.Signatures[0].Claims == nil {
		t.Errorf("%s", data)
	}
	claims.Version = "2"
	if in.Signatures[0].Claims.Version != "1" {
		t.Error("the input shares memory with the report")
	}
	if bad := matches(t, policy.InputSchema(), []byte(`{"signatures":`+string(data)+`}`)); strings.Contains(bad, "claims") {
		t.Error(bad)
	}
}

// TestTheNamespacesOfGrantsAreThoseOfSignatures: both sides take the same names.
func TestTheNamespacesOfGrantsAreThoseOfSignatures(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"prod", "a.b_c@d-e", "0", "-a", "a b", "a/b", "\u0430", strings.Repeat("a", 64), strings.Repeat("a", 65)} {
		problems, _ := policy.ParseGrants([]byte(versionRule(`namespace: "` + name + `"`)))
		claims := verifier.Claims{Namespace: name}
		if (len(problems) == 0) != (claims.Problem() == "") {
			t.Errorf("%q: %v in grants.yaml, %q in a signature", name, problems, claims.Problem())
		}
	}
}
