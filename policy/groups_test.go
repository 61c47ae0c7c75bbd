package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/runwrit/writ/policy"
)

// grantsProblems are those of a text that must not load.
func grantsProblems(t *testing.T, grants string) string {
	t.Helper()
	_, err := policy.New(policy.Source{Grants: []byte(grants)})
	if err == nil {
		t.Fatal("it was loaded")
	}
	return problems(err)
}

// mustAllow fails unless d allows.
func mustAllow(t *testing.T, d policy.Decision) {
	t.Helper()
	if !d.Allow || len(d.Deny) > 0 {
		t.Errorf("denied: %+v", d.Deny)
	}
}

const nestedGroups = `version: 1
people:
  alice: {identities: ["` + aliceKey + `", "os:alice"]}
  bob: {identities: ["` + bobKey + `"]}
groups:
  all: {groups: [release, operators]}
  release: {groups: [seniors], members: [bob]}
  seniors: {members: [alice]}
  operators: {groups: [night]}
  night: {os_groups: [wheel]}
rules:
  - name: restart
    match: {paths: ["**"]}
    workers: {any: true}
    signed_by: {groups: [all], at_least: 2}
    requested_by: {groups: [operators]}
    parameters: {Service: {type: string}}
`

func TestMembersOfInnerGroupsAreMembersOfTheOuterOnes(t *testing.T) {
	t.Parallel()
	e := engine(t, nestedGroups)
	in := good()
	in.Signatures = []policy.Signature{signature("valid", aliceKey), signature("valid", bobKey)}
	mustAllow(t, e.Decide(t.Context(), in))
	in.Caller.Groups = []string{"os-group:night"} // a group of the machine, not of grants.yaml
	mustDeny(t, e.Decide(t.Context(), in), "requester-not-allowed")

	upward := engine(t, strings.Replace(nestedGroups, "groups: [all], at_least: 2", "groups: [seniors]", 1))
	in = good()
	in.Signatures = []policy.Signature{signature("valid", bobKey)}
	mustDeny(t, upward.Decide(t.Context(), in), "signer-not-allowed")
}

func TestGroupsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	chain := func(n int) string {
		var b strings.Builder
		b.WriteString("version: 1\npeople: {alice: {identities: [\"os:alice\"]}}\ngroups:\n")
		for i := range n {
			fmt.Fprintf(&b, "  g%d: {groups: [g%d]}\n", i, i+1)
		}
		fmt.Fprintf(&b, "  g%d: {members: [alice]}\n", n)
		return b.String() + nestedGroups[strings.Index(nestedGroups, "rules:"):]
	}
	rest := nestedGroups[strings.Index(nestedGroups, "rules:"):]
	// list writes [NAME0, NAME1, ...].
	list := func(name string, from, to int) string {
		var b strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, ", %s%d", name, i)
		}
		return "[" + b.String()[2:] + "]"
	}
	people := "version: 1\npeople:\n"
	for i := range 3_000 {
		people += fmt.Sprintf("  p%d: {identities: [\"os:p%d\"]}\n", i, i)
	}
	bomb, crowd := people+"groups:\n", people+"groups:\n"
	for i := range 150 {
		bomb += fmt.Sprintf("  inner%d: {members: [p0]}\n  middle%d: {groups: %s}\n  outer%d: {groups: %s}\n", i, i, list("inner", 0, 150), i, list("middle", 0, 150))
	}
	for i := range 1_000 {
		crowd += fmt.Sprintf("  outer%d: {groups: %s}\n", i, list("crowd", 0, 3))
	}
	for i := range 3 {
		crowd += fmt.Sprintf("  crowd%d: {members: %s}\n", i, list("p", i*1_000, (i+1)*1_000))
	}
	tests := []struct{ name, grants, want string }{
		{"a circle", strings.Replace(nestedGroups, "seniors: {members: [alice]}", "seniors: {groups: [all]}", 1),
			"grants.yaml:6:17: groups.all.groups: stands in itself: all has release has seniors has all"},
		{"a group in itself", strings.Replace(nestedGroups, "seniors: {members: [alice]}", "seniors: {groups: [seniors]}", 1), "groups.seniors.groups: stands in itself: seniors has seniors"},
		{"a group that does not exist", strings.Replace(nestedGroups, "groups: [seniors]", "groups: [senior]", 1), `groups.release.groups[0]: "senior": no group of this name; did you mean "seniors"?`},
		{"a group of nothing", strings.Replace(nestedGroups, "{members: [alice]}", "{}", 1), "groups.seniors: has no members, groups, os_groups or token_groups"},
		{"a group of an odd name", strings.Replace(nestedGroups, "  seniors:", "  sen iors:", 1), "groups.sen iors: want a name"},
		{"a group of the machine of an odd name", strings.Replace(nestedGroups, "[wheel]", "[\"wh eel\"]", 1), "groups.night.os_groups[0]: \"wh eel\": want the name of a group of the operating system"},
		{"more signers than can be asked for", strings.Replace(crowd+rest, "groups: [all], at_least: 2", "groups: [crowd0, crowd1], at_least: 65", 1), "rules[0].signed_by.at_least: want a whole number from 1 to 64"},
		{"an unknown key", strings.Replace(nestedGroups, "{members: [alice]}", "{member: [alice]}", 1), `groups.seniors.member: unknown key; did you mean "members"?`},
		{"groups in groups without end", chain(33), "has groups inside groups more than 32 deep"},
		{"groups in groups without end, a long way", chain(5_000), "has groups inside groups more than 32 deep"},
		{"a bomb of groups", bomb + rest, "groups inside groups make more than 2000000 memberships"},
		{"a bomb of members", crowd + rest, "groups inside groups make more than 2000000 memberships"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := grantsProblems(t, tt.grants); !strings.Contains(got, tt.want) {
				t.Errorf("got:\n%.2000s\nwant:\n%s", got, tt.want)
			}
		})
	}
	if got := grantsProblems(t, chain(32)); strings.Contains(got, "deep") {
		t.Errorf("32 groups deep: %s", got)
	}
}
