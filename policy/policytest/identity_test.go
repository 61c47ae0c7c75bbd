package policytest_test

import (
	"testing"

	"github.com/runwrit/writ/policy"
)

// Callers whom a token names, and workers with a managed identity, are put as
// policies see them.
func TestCasesMayBeAboutTokensAndManagedIdentities(t *testing.T) {
	t.Parallel()
	const eva, machine = "entra:11111111-2222-3333-4444-555555555555:aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "entra:11111111-2222-3333-4444-555555555555:00000000-bbbb-cccc-dddd-eeeeeeeeeeee"
	src := policy.Source{
		Grants: []byte(`version: 1
people:
  bob: {identities: ["openpgp:89ABCDEF0123456789ABCDEF0123456789ABCDEF"]}
  eva: {identities: ["` + eva + `"]}
groups:
  ops: {token_groups: ["` + machine + `"]}
rules:
  - name: deploy
    match: {paths: ["/srv/*.sh"]}
    workers: {identities: ["` + machine + `"]}
    signed_by: {people: [bob]}
    requested_by: {people: [eva], groups: [ops], assurance: [token]}
`),
		Tests: []policy.File{{Name: policy.TestsFile, Data: []byte(header + `  - {name: by a token, runbook: {path: /srv/a.sh}, signed_by: [bob], requested_by: eva, worker: {identity: "` + machine + `"}, want: allow}
  - {name: by a group, runbook: {path: /srv/a.sh}, signed_by: [bob], requested_by: {id: "entra:x", groups: ["` + machine + `"]}, worker: {identity: "` + machine + `"}, want: allow}
  - {name: known by a socket, runbook: {path: /srv/a.sh}, signed_by: [bob], requested_by: {person: eva, assurance: peercred}, worker: {identity: "` + machine + `"}, want: deny, codes: [assurance-not-allowed]}
  - {name: another worker, runbook: {path: /srv/a.sh}, signed_by: [bob], requested_by: eva, worker: {identity: "` + eva + `"}, want: deny, codes: [worker-identity-not-allowed]}
  - {name: groups left out, runbook: {path: /srv/a.sh}, signed_by: [bob], requested_by: {id: "entra:x", groups_incomplete: true}, worker: {identity: "` + machine + `"}, want: deny, codes: [groups-incomplete]}
`)}},
	}
	for _, r := range run(t, src).Cases {
		if !r.Passed {
			t.Errorf("%+v", r)
		}
	}
}
