package policy_test

import (
	"strings"
	"testing"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

const (
	tenant = "11111111-2222-3333-4444-555555555555"
	object = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
)

func TestIdentitiesOfTokensAreWrittenInOneWay(t *testing.T) {
	t.Parallel()
	identities := map[string]bool{
		"entra:" + tenant + ":" + object:                      true,
		"entra:" + tenant:                                     false,
		"entra:" + tenant + ":alice@example.org":              false,
		"entra:" + strings.ToUpper(tenant) + ":" + object:     true, // digits only
		"entra:" + tenant + ":" + strings.ToUpper(object):     false,
		"entra:" + tenant + ":" + tenant + ":" + object:       false,
		"entra:11111111022223333-4444-555555555555:" + object: false,
		"github:42":                                            true,
		"github:042":                                           false,
		"github:":                                              false,
		"github:octo/web":                                      false,
		"oidc:https://id.example.org/realm#4711":               true,
		"oidc:https://id.example.org#a#b":                      true,
		"oidc:http://id.example.org#a":                         false,
		"oidc:https://id.example.org?a#b":                      false,
		"oidc:https://id.example.org#":                         false,
		"oidc:https://id.example.org#\u0430":                   false,
		"oidc:https://id.example.org# a":                       false,
		"oidc:https://#a":                                      false,
		"oidc:https://id.example.org":                          false,
		"oidc:https://x#" + strings.Repeat("a", 5000):          false,
		"spiffe://prod.example.org/web/1":                      true,
		"spiffe://prod.example.org":                            false,
		"spiffe://Prod.example.org/web":                        false,
		"spiffe://prod.example.org/a/../b":                     false,
		"spiffe://prod.example.org/a//b":                       false,
		"spiffe://prod.example.org/a?b":                        false,
		"spiffe:///a":                                          false,
		"saml:alice":                                           false,
		"spiffe://" + strings.Repeat("a", 256) + "/workload/1": false,
	}
	for id, good := range identities {
		_, err := policy.New(policy.Source{Grants: []byte(strings.Replace(peopleYAML, "os:bob", id, 1) + restartRule)})
		if (err == nil) != good {
			t.Errorf("%s: %v", id, problems(err))
		}
		if !good && !strings.Contains(problems(err), "people.bob.identities[1]") {
			t.Errorf("%s: %v", id, problems(err))
		}
	}
}

func TestGroupsOfTokensAreWrittenInOneWay(t *testing.T) {
	t.Parallel()
	groups := map[string]bool{
		"entra:" + tenant + ":" + object:                               true,
		"entra:" + tenant + ":Admins":                                  false,
		"github:owner:42":                                              true,
		"github:owner:octo":                                            false,
		"github:ref:42:refs/heads/main":                                true,
		"github:ref:refs/heads/main":                                   false,
		"github:ref:42:":                                               false,
		"github:environment:42:production":                             true,
		"github:environment:production":                                false,
		"github:workflow:octo/web/.github/workflows/a.yml@refs/tags/1": true,
		"github:workflow:":                                             false,
		"github:42":                                                    false,
		"oidc:https://id.example.org#/ops":                             true,
		"oidc:ops":                                                     false,
		"spiffe://prod.example.org":                                    true,
		"spiffe://prod.example.org/web":                                false,
		"os-group:wheel":                                               false,
	}
	for group, good := range groups {
		_, err := policy.New(policy.Source{Grants: []byte(strings.Replace(peopleYAML, "os_groups: [wheel]", "token_groups: [\""+group+"\"]", 1) + restartRule)})
		if (err == nil) != good {
			t.Errorf("%s: %v", group, problems(err))
		}
	}
}

// tokenCaller is somebody whom a token names.
func tokenCaller(groups ...string) policy.Caller {
	return policy.Caller{
		Kind: "entra-user", ID: "entra:" + tenant + ":" + object, Issuer: "https://login.example.org", Display: "Eva",
		Groups: groups, GroupsComplete: true, Roles: []string{}, Assurance: "token",
		Token: &policy.Token{SHA256: runbook.DigestOf([]byte("token")), IssuedAtNS: 1, ExpiresAtNS: 2, AMR: []string{"mfa"}},
	}
}

func TestAGroupOfATokenCountsForARequest(t *testing.T) {
	t.Parallel()
	group := "entra:" + tenant + ":" + object
	e := engine(t, strings.Replace(peopleYAML, "os_groups: [wheel]", "token_groups: [\""+group+"\"]", 1)+restartRule)
	in := good()
	in.Caller = tokenCaller(group)
	if d := e.Decide(t.Context(), in); !d.Allow {
		t.Errorf("%+v", d.Deny)
	}
	in.Caller = tokenCaller("entra:" + object + ":" + tenant)
	mustDeny(t, e.Decide(t.Context(), in), "requester-not-allowed")
	in.Caller = tokenCaller("wheel", "os-group:"+group)
	mustDeny(t, e.Decide(t.Context(), in), "requester-not-allowed")
}

// Overage: the groups are not in the token, but grants.yaml may know the person.
func TestGroupsThatAreNotAllKnownDenyUnlessGrantsNamesTheMember(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule)
	in := good()
	in.Caller = tokenCaller()
	in.Caller.GroupsComplete = false
	mustDeny(t, e.Decide(t.Context(), in), "groups-incomplete")
	e = engine(t, strings.Replace(peopleYAML, `"os:bob"`, `"entra:`+tenant+`:`+object+`"`, 1)+restartRule)
	if d := e.Decide(t.Context(), in); !d.Allow {
		t.Errorf("a member by grants.yaml is denied: %+v", d.Deny)
	}
}

func TestAnIdentityOfATokenSignsNothing(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"entra:" + tenant + ":" + object, "github:42", "oidc:https://id.example.org#a", "spiffe://prod/web", "os:alice"} {
		e := engine(t, strings.Replace(peopleYAML, "os:alice", id, 1)+restartRule)
		in := good()
		in.Signatures = []policy.Signature{signature("valid", id)}
		mustDeny(t, e.Decide(t.Context(), in), "signer-not-allowed")
	}
}

func TestARuleMayAskHowTheCallerIsKnown(t *testing.T) {
	t.Parallel()
	rule := strings.Replace(restartRule, "requested_by: {groups: [operators]}", "requested_by: {anyone: true, assurance: [token, ticket]}", 1)
	e := engine(t, peopleYAML+rule)
	in := good()
	mustDeny(t, e.Decide(t.Context(), in), "assurance-not-allowed")
	in.Caller.Assurance = ""
	mustDeny(t, e.Decide(t.Context(), in), "assurance-not-allowed")
	in.Caller = tokenCaller()
	if d := e.Decide(t.Context(), in); !d.Allow {
		t.Errorf("%+v", d.Deny)
	}
	for text, want := range map[string]string{
		"{assurance: [token]}":              "names nobody",
		"{anyone: true, assurance: [tokn]}": `did you mean "token"?`,
		"{anyone: true, assurance: []}":     "is empty",
		"{anyone: true, people: [bob]}":     "choose one",
	} {
		_, err := policy.New(policy.Source{Grants: []byte(peopleYAML + strings.Replace(restartRule, "{groups: [operators]}", text, 1))})
		if !strings.Contains(problems(err), want) {
			t.Errorf("%s: %v", text, problems(err))
		}
	}
}

func TestARuleMayAskForTheManagedIdentityOfTheWorker(t *testing.T) {
	t.Parallel()
	id := "entra:" + tenant + ":" + object
	e := engine(t, peopleYAML+strings.Replace(restartRule, "{groups: [web], labels: {env: [test, stage]}}", `{identities: ["`+id+`"]}`, 1))
	in := good()
	mustDeny(t, e.Decide(t.Context(), in), "worker-identity-not-allowed")
	in.Worker.Identity = "entra:" + object + ":" + tenant
	mustDeny(t, e.Decide(t.Context(), in), "worker-identity-not-allowed")
	in.Worker.Identity, in.Worker.Assurance = id, "managed-identity"
	if d := e.Decide(t.Context(), in); !d.Allow {
		t.Errorf("%+v", d.Deny)
	}
	_, err := policy.New(policy.Source{Grants: []byte(peopleYAML + strings.Replace(restartRule, "{groups: [web], labels: {env: [test, stage]}}", `{identities: ["github:1"]}`, 1))})
	if !strings.Contains(problems(err), "want entra:TENANT:OBJECT") {
		t.Error(problems(err))
	}
}

func TestOddTokensOfAnInputAreRefused(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule)
	for name, change := range map[string]func(*policy.Token){
		"no digest":     func(t *policy.Token) { t.SHA256 = runbook.Digest{} },
		"no expiry":     func(t *policy.Token) { t.ExpiresAtNS = 0 },
		"issued before": func(t *policy.Token) { t.IssuedAtNS = -1 },
		"much amr":      func(t *policy.Token) { t.AMR = make([]string, 21) },
		"odd amr":       func(t *policy.Token) { t.AMR = []string{"a\nb"} },
	} {
		in := good()
		in.Caller = tokenCaller()
		change(in.Caller.Token)
		d := e.Decide(t.Context(), in)
		mustDeny(t, d, "input-invalid")
		if !strings.Contains(d.Deny[0].Msg, "caller.token") {
			t.Errorf("%s: %s", name, d.Deny[0].Msg)
		}
	}
}

func TestTheTokenOfARequestIsCopied(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+strings.Replace(strings.Replace(restartRule, "groups: [operators]", "anyone: true", 1), "      Service: {pattern: \"[a-z]+\", required: true}\n", "", 1))
	r := request("/srv/runbooks/restart.sh.asc")
	r.Caller = tokenCaller()
	in, err := policy.NewInput(verified(t, "restart.sh.asc", aliceKey), r)
	if err != nil {
		t.Fatal(err)
	}
	r.Caller.Token.AMR[0] = "pwd"
	r.Caller.Token.SHA256 = runbook.DigestOf([]byte("another"))
	d := e.Decide(t.Context(), in)
	if _, err := d.Permit(); err != nil {
		t.Errorf("%v: %+v", err, d.Deny)
	}
}
