package policy_test

import (
	"strings"
	"testing"

	"github.com/runwrit/writ/policy"
)

// rolesRule wants somebody of each role; alice can be both.
const rolesRule = `roles:
  author: {people: [alice], groups: [operators]}
  reviewer: {groups: [release]}
` + `rules:
  - name: restart
    match: {paths: ["**"]}
    workers: {any: true}
    signed_by: {roles: [author, reviewer]}
    requested_by: {anyone: true}
    parameters: {Service: {type: string}}
`

func TestEachRoleIsFilledBySomebodyElse(t *testing.T) {
	t.Parallel()
	three := strings.NewReplacer("reviewer]", "reviewer, chief]", "roles:\n", "roles:\n  chief: {people: [alice, carol]}\n").Replace(rolesRule)
	for name, c := range map[string]struct {
		rules string
		ids   []string
		deny  string
	}{
		"two people for two roles":                          {rolesRule, []string{aliceKey, bobKey}, ""},
		"one more than is needed":                           {rolesRule, []string{carolSPKI, bobKey, aliceKey}, ""},
		"a person who could be both does not stand for two": {rolesRule, []string{aliceKey}, "role-same-person too-few-signers"},
		"two keys of a person who could be both":            {rolesRule, []string{aliceKey, aliceCert}, "role-same-person too-few-signers"},
		"nobody of any role":                                {rolesRule, []string{carolSPKI}, "signer-not-allowed too-few-signers"},
		"a role that nobody fills":                          {strings.Replace(rolesRule, "groups: [release]", "people: [carol]", 1), []string{aliceKey, bobKey}, "role-not-filled"},
		"three people for three roles":                      {three, []string{aliceKey, bobKey, carolSPKI}, ""},
		"three roles and two people":                        {three, []string{aliceKey, bobKey}, "role-same-person too-few-signers"},
		"old versions do not fill a role": {
			strings.Replace(rolesRule, "reviewer]}", "reviewer], min_version: \"2\"}", 1), []string{aliceKey, bobKey},
			"role-not-filled role-not-filled version-missing version-missing",
		},
		"more people than roles": {strings.Replace(rolesRule, "reviewer]}", "reviewer], at_least: 2}", 1), []string{aliceKey, bobKey}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := good()
			in.Signatures = nil
			for _, id := range c.ids {
				in.Signatures = append(in.Signatures, signature("valid", id))
			}
			d := engine(t, peopleYAML+c.rules).Decide(t.Context(), in)
			if c.deny == "" {
				mustAllow(t, d)
			} else {
				mustDeny(t, d, c.deny)
			}
		})
	}
}

// Counting the people of all roles together, or role by role, is not enough: two
// of three roles can have one person between them.
func TestRolesThatShareOnePersonAreNotFilled(t *testing.T) {
	t.Parallel()
	rules := strings.NewReplacer(
		"reviewer]", "reviewer, chief]",
		"people: [alice], groups: [operators]", "people: [alice, carol]",
		"  reviewer: {groups: [release]}", "  reviewer: {people: [alice, carol]}\n  chief: {people: [bob, carol]}",
	).Replace(rolesRule)
	in := good()
	in.Signatures = []policy.Signature{signature("valid", aliceKey), signature("valid", bobKey), signature("valid", carolSPKI)}
	mustAllow(t, engine(t, peopleYAML+rules).Decide(t.Context(), in))
	// Two people for three roles, though each role has somebody.
	one := strings.Replace(rules, "author: {people: [alice, carol]}", "author: {people: [alice, bob, carol]}", 1)
	in.Signatures = []policy.Signature{signature("valid", bobKey), signature("valid", carolSPKI)}
	d := engine(t, peopleYAML+one).Decide(t.Context(), in)
	mustDeny(t, d, "role-same-person too-few-signers")
	if !strings.Contains(d.Deny[0].Msg+d.Deny[1].Msg, "author and reviewer and chief signed only bob, carol") {
		t.Errorf("%+v", d.Deny)
	}
}

func TestRolesThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, old, new, want string }{
		{"an unknown role", "[author, reviewer]", "[autor, reviewer]", `rules[0].signed_by.roles[0]: "autor": no role of this name; did you mean "author"?`},
		{"a role twice", "[author, reviewer]", "[author, author]", `"author" stands in the list twice`},
		{"no roles", "[author, reviewer]", "[]", "rules[0].signed_by.roles: is empty"},
		{"roles beside groups", "{roles: [author, reviewer]}", "{roles: [author], groups: [release]}", "rules[0].signed_by.roles: stands beside people or groups"},
		{"fewer people than roles", "reviewer]}", "reviewer], at_least: 1}", "rules[0].signed_by.at_least: want a whole number from 2 to"},
		{"more people than there are", "reviewer]}", "reviewer], at_least: 3}", "3 people must sign, but only 2 are named"},
		{"roles of one person", "{people: [alice], groups: [operators]}", "{people: [alice]}\n  other: {people: [alice]}", ""},
		{"too many roles", "roles:\n  author:", "roles:\n  a: {people: [bob]}\n  b: {people: [bob]}\n  c: {people: [bob]}\n  d: {people: [bob]}\n  author:", ""},
		{"an unknown person", "people: [alice], groups: [operators]", "people: [alicia]", "roles.author.people[0]: \"alicia\": no person"},
		{"a role of nobody", "{groups: [release]}", "{}", "roles.reviewer: names nobody: give people or groups"},
		{"an unknown key of a role", "{groups: [release]}", "{group: [release]}", `roles.reviewer.group: unknown key; did you mean "groups"?`},
		{"a role of an odd name", "  reviewer:", "  re viewer:", "roles.re viewer: want a name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(peopleYAML+rolesRule, tt.old, tt.new, 1)
			switch tt.name {
			case "roles of one person":
				text = strings.Replace(text, "[author, reviewer]", "[author, other]", 1)
				tt.want = "rules[0].signed_by.roles: author and other can be filled by 1 different people only: it could never be met"
			case "too many roles":
				text = strings.Replace(text, "[author, reviewer]", "[author, reviewer, a, b, c, d]", 1)
				tt.want = "rules[0].signed_by.roles: has 6 roles, the limit is 5"
			}
			if got := grantsProblems(t, text); !strings.Contains(got, tt.want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}
