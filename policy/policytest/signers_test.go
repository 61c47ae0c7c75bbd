package policytest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/policytest"
)

const formatGrants = `version: 1
people:
  alice: {identities: ["os:alice", "x509-sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "openpgp:0123456789ABCDEF0123456789ABCDEF01234567"]}
  ci: {identities: ["sigstore-identity:release", "sigstore:https://a.example|ops@acme.example"]}
rules:
  - name: both
    match: {paths: ["/both/*.ps1"]}
    workers: {groups: [web]}
    signed_by: {people: [alice, ci], formats: {all: [authenticode, sigstore]}}
    requested_by: {people: [alice]}
  - name: beside
    match: {paths: ["/beside/*.sh"]}
    workers: {groups: [web]}
    signed_by: {people: [alice], namespace: prod, formats: {any: [detached]}}
    requested_by: {people: [alice]}
`

func formatSource(tests string) policy.Source {
	src := source(header + tests)
	src.Grants = []byte(formatGrants)
	return src
}

func TestCasesMayBeAboutTheFormatsOfSignatures(t *testing.T) {
	t.Parallel()
	const both, beside = "runbook: {path: /both/a.ps1}, requested_by: alice, worker: {group: web}", "runbook: {path: /beside/a.sh, namespace: prod}, requested_by: alice, worker: {group: web}"
	r := run(t, formatSource(`  - {name: each by its first identity, signed_by: [alice, ci], want: allow, `+both+`}
  - {name: one of both, signed_by: [ci], want: deny, codes: [format-missing], `+both+`}
  - {name: an identity, signed_by: [alice, "sigstore:https://a.example|ops@acme.example"], want: allow, `+both+`}
  - {name: one person in two formats, signed_by: [{by: alice, format: authenticode}, {by: alice, format: clearsign}], want: deny, codes: [format-missing], `+both+`}
  - {name: an identity that nobody has, signed_by: [alice, {by: "sigstore-key:0", format: sigstore}], want: deny, codes: [format-missing], `+both+`}
  - {name: beside the file, signed_by: [{by: alice, format: detached}], want: allow, `+beside+`}
  - {name: in the file, signed_by: [alice], want: deny, codes: [format-not-matched], `+beside+`}
`))
	for _, c := range r.Cases {
		if !c.Passed {
			t.Errorf("%s: got %v, want %v: %+v", c.Name, c.Got, c.Expected, c.Reasons)
		}
	}
}

func TestMistakesInSignersAreNamed(t *testing.T) {
	t.Parallel()
	for signers, want := range map[string]string{
		"[]":                              "signed_by: is empty",
		"alice":                           "signed_by: want a list",
		"[[alice]]":                       "signed_by[0]: want a text",
		"[alicia]":                        `did you mean "alice"?`,
		"[alice, alice]":                  `signed_by[1]: "alice" stands in the list twice`,
		"[{by: alice}]":                   "signed_by[0].format: is missing",
		"[{format: sigstore}]":            "signed_by[0].by: is missing",
		"[{by: alice, format: sigstor}]":  `signed_by[0].format: "sigstor": unknown format; did you mean "sigstore"?`,
		"[{by: alice, format: manifest}]": "unknown format; known are authenticode, clearsign, detached, sigstore",
		"[{by: alice, format: sigstore}]": "signed_by[0]: alice has no identity for the format sigstore",
		"[{by: bob, format: sigstore}]":   "signed_by[0]: \"bob\": no person of this name",
		"[{by: \"openpgp:FF\", format: sigstore}]": "signed_by[0]: openpgp:FF does not sign in the format sigstore",
		"[{by: alice, as: author}]":                "signed_by[0].as: unknown key",
	} {
		tests := "  - {name: x, runbook: {path: /both/a.ps1}, signed_by: " + signers + ", requested_by: alice, worker: {}, want: deny, codes: [x]}\n"
		_, err := policytest.Run(t.Context(), formatSource(tests), policytest.Options{})
		var bad *policy.SyntaxError
		if !errors.As(err, &bad) {
			t.Errorf("%s: %v", signers, err)
		} else if got := problems(err); !strings.Contains(got, want) {
			t.Errorf("%s:\n%s\nwant: %s", signers, got, want)
		}
	}
}
