package policy_test

import (
	"strings"
	"testing"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/verifier"
)

func TestIdentitiesOfSigstoreAreExact(t *testing.T) {
	t.Parallel()
	const github = "https://token.actions.githubusercontent.com"
	key := strings.Repeat("0123456789abcdef", 4)
	const exact, asterisk, named, digits = "want sigstore:ISSUER|SAN", "an asterisk stands for itself here", "want sigstore-identity: and the name", "want sigstore-key: and the SHA-256"
	for id, want := range map[string]string{
		"sigstore:" + github + "|https://github.com/acme/ops/.github/workflows/release.yml@refs/tags/v1": "",
		"sigstore:https://accounts.google.com|ops@acme.example":                                          "",
		"sigstore:https://login.acme.example:8443/realms/ops|spiffe://acme.example/ns/ops":               "",
		"sigstore:https://a.example|urn:uuid:f81d4fae":                                                   "",
		"sigstore-identity:nightly":                                                                      "",
		"sigstore-key:" + key:                                                                            "",

		"sigstore:":                                                        exact,
		"sigstore:" + github:                                               exact,
		"sigstore:" + github + "|":                                         exact,
		"sigstore:|ops@acme.example":                                       exact,
		"sigstore:http://a.example|ops@acme.example":                       exact,
		"sigstore:https://|ops@acme.example":                               exact,
		"sigstore:https:///x|ops@acme.example":                             exact,
		"sigstore:HTTPS://a.example|ops@acme.example":                      exact,
		"sigstore:https://a.example?x=1|ops@acme.example":                  exact,
		"sigstore:https://a.example#x|ops@acme.example":                    exact,
		"sigstore:https://a .example|ops@acme.example":                     exact,
		"sigstore:https://a.example|ops@acme.example|x@y":                  exact,
		"sigstore:https://a.example|ops":                                   exact,
		"sigstore:https://a.example|ops@":                                  exact,
		"sigstore:https://a.example|@acme.example":                         exact,
		"sigstore:https://a.example|ops@acme@example":                      exact,
		"sigstore:https://a.example|ops /x@acme.example":                   exact,
		"sigstore:https://a.example|/ops@acme.example":                     exact,
		"sigstore:https://a.example|^https://github.com/acme/.+$":          exact,
		"sigstore:https://a.example|https:":                                exact,
		"sigstore:https://a.example|1https://x":                            exact,
		"sigstore:https://a.example|ops@acm\u0435.example":                 exact,
		"sigstore:https://a.example|ops\u200b@acme.example":                exact,
		"sigstore:https://a.example|https://x/" + strings.Repeat("y", 512): exact,
		"sigstore:https://a.example|https://github.com/acme/*":             asterisk,
		"sigstore:https://a.example|*@acme.example":                        asterisk,

		"sigstore-identity:":                           named,
		"sigstore-identity:a b":                        named,
		"sigstore-identity:-a":                         named,
		"sigstore-identity:" + strings.Repeat("a", 65): named,
		"sigstore-identity:r\u0435lease":               named,
		"sigstore-key:" + strings.ToUpper(key):         digits,
		"sigstore-key:" + key[:62]:                     digits,
		"sigstore-key:sha256:" + key:                   digits,

		"sigstor:https://a.example|a@b":   `did you mean "sigstore:"?`,
		"sigstore-identities:release":     `did you mean "sigstore-identity:"?`,
		"sigstore-keys:" + key:            `did you mean "sigstore-key:"?`,
		"x509-spk:" + key:                 `did you mean "x509-spki:"?`,
		"fingerprint-of-a-key-that-is-no": "want an identity that begins with openpgp:, x509-sha256:, x509-spki:, sigstore:, sigstore-identity:, sigstore-key:, os:, entra:, github:, oidc: or spiffe://",
	} {
		grants := strings.Replace(peopleYAML, carolSPKI, id, 1) + restartRule
		if want == "" {
			engine(t, grants)
		} else if got := grantsProblems(t, grants); !strings.Contains(got, want) {
			t.Errorf("%q:\n%s\nwant: %s", id, got, want)
		}
	}
}

// A bundle has several names: that of who signed and those of the entries of the trust
// store. Any of them is the person's, and all of them are one person's or nobody's.
func TestABundleIsSignedByThePersonOfItsNames(t *testing.T) {
	t.Parallel()
	rule := formatRule("people: [ann]")
	for name, c := range map[string]struct {
		ids  []string
		deny string
	}{
		"the exact name":                       {[]string{annBundle}, ""},
		"the name of the entry":                {[]string{annNamed}, ""},
		"both":                                 {[]string{annBundle, annNamed}, ""},
		"an entry that nobody has beside it":   {[]string{annBundle, "sigstore-identity:everything"}, ""},
		"a key":                                {[]string{annBare}, ""},
		"another branch":                       {[]string{strings.Replace(annBundle, "heads/main", "heads/main2", 1)}, "signer-not-allowed"},
		"another workflow":                     {[]string{strings.Replace(annBundle, "release.yml", "test.yml", 1)}, "signer-not-allowed"},
		"another issuer":                       {[]string{strings.Replace(annBundle, "token.actions.githubusercontent.com", "accounts.google.com", 1)}, "signer-not-allowed"},
		"the same in capitals":                 {[]string{strings.Replace(annBundle, "acme", "ACME", 1)}, "signer-not-allowed"},
		"the issuer alone":                     {[]string{annBundle[:strings.Index(annBundle, "|")]}, "signer-not-allowed"},
		"the names of two people":              {[]string{annBundle, carolSPKI}, "signer-not-allowed"},
		"the name as that of a caller's token": {[]string{"oidc:" + strings.TrimPrefix(annBundle, "sigstore:")}, "signer-not-allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			question := good()
			question.Signatures = []policy.Signature{ofFormat("sigstore", signature("valid", c.ids...))}
			d := engine(t, peopleYAML+rule).Decide(t.Context(), question)
			if c.deny == "" {
				mustAllow(t, d)
			} else {
				mustDeny(t, d, c.deny)
			}
		})
	}
}

func TestOnlyIdentitiesOfKeysAndBundlesSign(t *testing.T) {
	t.Parallel()
	for _, id := range []string{aliceKey, aliceCert, carolSPKI, annBundle, annNamed, annBare} {
		if !policy.Signs(id) {
			t.Errorf("%s does not sign", id)
		}
	}
	for _, id := range []string{"os:alice", "github:1", "oidc:https://a.example#b", "spiffe://acme.example/ns/ops", "entra:11111111-1111-1111-1111-111111111111:22222222-2222-2222-2222-222222222222"} {
		if policy.Signs(id) {
			t.Errorf("%s signs", id)
		}
	}
}

// bundle is a valid signature with what its certificate says.
func bundle(says verifier.Sigstore) policy.Signature {
	s := ofFormat("sigstore", signature("valid", annBundle))
	s.Sigstore = &says
	return s
}

func TestRulesOfUsersReadWhatACertificateSays(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+formatRule("people: [ann]"), user(`deny contains {"code": "pull-request", "msg": "signed for a pull request"} if {
	some s in input.signatures
	s.sigstore.trigger == "pull_request"
}`))
	question := good()
	for trigger, deny := range map[string]string{"push": "", "pull_request": "pull-request", "": ""} {
		question.Signatures = []policy.Signature{bundle(verifier.Sigstore{Issuer: "https://a.example", SAN: "a@acme.example", SANKind: "email", Trigger: trigger})}
		if d := e.Decide(t.Context(), question); deny == "" {
			mustAllow(t, d)
			mustMatch(t, question, d)
		} else {
			mustDeny(t, d, deny)
		}
	}
	for name, says := range map[string]verifier.Sigstore{
		"no issuer":       {SAN: "a@acme.example"},
		"no name":         {Issuer: "https://a.example"},
		"a very long one": {Issuer: "https://a.example", SAN: "a@acme.example", Workflow: strings.Repeat("x", 5_000)},
	} {
		question.Signatures = []policy.Signature{bundle(says)}
		if d := e.Decide(t.Context(), question); codes(d.Deny) != policy.CodeInputInvalid {
			t.Errorf("%s: %+v", name, d.Deny)
		}
	}
}

// TestOnlyWhatAValidCertificateSaysReachesThePolicy: a rule of the user that reads it
// must not have to look at the verdict.
func TestOnlyWhatAValidCertificateSaysReachesThePolicy(t *testing.T) {
	t.Parallel()
	says := &verifier.Sigstore{Issuer: "https://a.example", SAN: "a@acme.example", SANKind: "email"}
	report := *verified(t, "restart.sh", annBundle).Report()
	report.Signatures = []verifier.Signature{
		{Format: "sigstore", Verdict: verifier.Untrusted, Sigstore: says},
		{Format: "sigstore", Verdict: verifier.Valid, Sigstore: says},
		{Format: "sigstore", Verdict: verifier.Valid},
	}
	question, err := policy.NewReportInput(&report, request("/srv/restart.sh"))
	if err != nil {
		t.Fatal(err)
	}
	says.SAN = "mallory@example.com"
	got := question.Signatures
	if got[0].Sigstore != nil || got[2].Sigstore != nil || got[1].Sigstore == nil || got[1].Sigstore.SAN != "a@acme.example" {
		t.Errorf("%+v", got)
	}
}
