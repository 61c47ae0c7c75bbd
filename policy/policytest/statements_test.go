package policytest_test

import (
	"strings"
	"testing"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/policytest"
)

const statementGrants = `version: 1
people:
  alice: {identities: ["openpgp:0123456789ABCDEF0123456789ABCDEF01234567", "os:alice"]}
  bob: {identities: ["openpgp:89ABCDEF0123456789ABCDEF0123456789ABCDEF", "os:bob"]}
  carol: {identities: ["os:carol"]}
rules:
  - name: approved
    match: {paths: ["/srv/*.sh"]}
    workers: {identities: ["entra:6f1d1e5c-0000-4000-8000-000000000001:6f1d1e5c-0000-4000-8000-000000000002"]}
    signed_by: {people: [alice]}
    requested_by: {people: [alice]}
    approved_by: {people: [alice, bob]}
break_glass: {requesters: {people: [alice]}, approvers: {people: [bob]}, worker_groups: [web], max_uses: 2}
`

func statementSource(tests string) policy.Source {
	src := source(header + tests)
	src.Grants = []byte(statementGrants)
	return src
}

func TestStatementsAndManagedIdentitiesCanBeTested(t *testing.T) {
	t.Parallel()
	const common = "    runbook: {path: /srv/a.sh}\n    signed_by: [alice]\n    requested_by: alice\n"
	const here = "    worker: {group: web, identity: \"entra:6f1d1e5c-0000-4000-8000-000000000001:6f1d1e5c-0000-4000-8000-000000000002\"}\n"
	const elsewhere = "    worker: {group: web}\n"
	r := run(t, statementSource("  - name: approved\n"+common+here+"    approved_by: [bob]\n    want: allow\n    rules: [approved]\n"+
		"  - name: the requester\n"+common+here+"    approved_by: [alice]\n    want: deny\n    codes: [approval-missing]\n"+
		"  - name: a key that nobody has\n"+common+here+"    approved_by: [\"openpgp:0000000000000000000000000000000000000000\"]\n    want: deny\n    codes: [approval-missing]\n"+
		"  - name: another worker\n"+common+elsewhere+"    approved_by: [bob]\n    want: deny\n    codes: [worker-identity-not-allowed]\n"+
		"  - name: the glass is broken\n"+common+elsewhere+"    break_glass: {by: [bob], uses: 1}\n    want: warn\n    codes: [break-glass]\n"+
		"  - name: not by the requester\n"+common+elsewhere+"    break_glass: {by: [alice]}\n    want: deny\n    codes: [approval-missing, break-glass-refused, worker-identity-not-allowed]\n"+
		"  - name: too late\n"+common+elsewhere+"    break_glass: {by: [bob], expires: \"2026-11-25T10:00:00+01:00\"}\n    want: deny\n    codes: [approval-missing, break-glass-refused, worker-identity-not-allowed]\n"+
		"  - name: too often\n"+common+elsewhere+"    break_glass: {by: [bob], uses: 2}\n    want: deny\n    codes: [approval-missing, break-glass-refused, worker-identity-not-allowed]\n"))
	for _, c := range r.Cases {
		if !c.Passed {
			t.Errorf("%s: got %v, want %v: %+v", c.Name, c.Got, c.Expected, c.Reasons)
		}
	}
}

func TestMistakesInStatementsAreNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"approved_by: [carol]":                       "approved_by[0]: carol has no identity to sign a statement with",
		"approved_by: [bab]":                         `did you mean "bob"?`,
		"approved_by: []":                            "approved_by: is empty",
		"break_glass: {}":                            "break_glass.by: is missing",
		"break_glass: {by: [bob], uses: -1}":         "break_glass.uses: want a whole number",
		"break_glass: {by: [bob], expires: noon}":    "break_glass.expires: \"noon\": want a time",
		"break_glass: {by: [bob], approvers: [bob]}": "break_glass.approvers: unknown key",
	} {
		_, err := policytest.Run(t.Context(), statementSource("  - name: a\n    runbook: {path: /srv/a.sh}\n    requested_by: alice\n    worker: {}\n    want: deny\n    codes: [x]\n    "+text+"\n"), policytest.Options{})
		if got := problems(err); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}
