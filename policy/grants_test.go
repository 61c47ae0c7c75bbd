package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/runwrit/writ/policy"
)

// wholeGrants uses every key once; the tests below break one line of it each.
const wholeGrants = `version: 1
people:
  alice:
    identities: ["` + aliceKey + `", "os:alice"]
  bob:
    identities: ["` + bobKey + `"]
groups:
  release:
    members: [alice, bob]
    os_groups: [wheel]
rules:
  - name: restart
    match:
      paths: ["**/restart.sh", "/srv/*/x?.sh"]
      kinds: [bash]
      sha256: ["2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"]
    workers:
      groups: [web]
      ids: [w1]
      labels: {env: test, zone: [a, b]}
    signed_by:
      people: [alice]
      groups: [release]
      at_least: 2
      min_version: "1.4"
      namespace: prod
    requested_by:
      people: [bob]
      groups: [release]
    parameters:
      Name: {type: string, pattern: "[a-z]+", required: true}
      "1": {enum: ["a", "b"]}
      "*": {type: int}
    run:
      timeout: 90s
      env: [HOME, LANG=C]
denied:
  - sha256: "486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7"
    reason: stolen
`

func TestWholeGrantsLoad(t *testing.T) {
	t.Parallel()
	engine(t, wholeGrants)
	engine(t, "\ufeff"+wholeGrants) // as Notepad writes it
	engine(t, strings.ReplaceAll(wholeGrants, "\n", "\r\n"))
}

func TestGrantsErrorsNameLineAndField(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, old, new, want string }{
		{"an unknown key", "    workers:\n", "    worker:\n", `grants.yaml:17:5: rules[0].worker: unknown key; did you mean "workers"?`},
		{"an unknown key at the top", "denied:", "deniedd:", `grants.yaml:37:1: deniedd: unknown key; did you mean "denied"?`},
		{"an unknown key without a neighbour", "      people: [alice]\n", "      quorum: [alice]\n", `grants.yaml:22:7: rules[0].signed_by.quorum: unknown key; known are people, groups, roles, at_least, min_version, namespace`},
		{"a key twice", "      kinds: [bash]\n", "      paths: [x]\n", "grants.yaml:15:7: rules[0].match.paths: stands here a second time, first in line 14"},
		{"a person twice", "  bob:\n", "  alice:\n", "grants.yaml:5:3: people.alice: stands here a second time"},
		{"a rule twice", "denied:", "  - {name: restart}\ndenied:", `rules[1].name: "restart" is the name of the rule in line 12 already`},
		{"no version", "version: 1\n", "", "grants.yaml:1:1: version: is missing"},
		{"another version", "version: 1", "version: 2", "grants.yaml:1:10: version: want a whole number from 1 to 1"},
		{"a version that is a text", "version: 1", `version: "1"`, "version: want a whole number"},
		{"no signed_by", "    signed_by:\n      people: [alice]\n      groups: [release]\n      at_least: 2\n      min_version: \"1.4\"\n      namespace: prod\n", "", "grants.yaml:12:5: rules[0].signed_by: is missing"},
		{"a version that YAML takes for a number", `min_version: "1.4"`, "min_version: 1.10", `grants.yaml:25:20: rules[0].signed_by.min_version: want a text, found a number; quote it: "1.10"`},
		{"a version with words", `min_version: "1.4"`, `min_version: "1.4-rc1"`, `rules[0].signed_by.min_version: "1.4-rc1": the version is not 1 to 4 numbers`},
		{"a version of nothing", `min_version: "1.4"`, `min_version: ""`, "rules[0].signed_by.min_version: is empty"},
		{"a list of namespaces", "namespace: prod", "namespace: [prod]", "rules[0].signed_by.namespace: want a text"},
		{"a namespace with blanks", "namespace: prod", "namespace: a b", "rules[0].signed_by.namespace: \"a b\": want a name"},
		{"no match", "    match:\n      paths: [\"**/restart.sh\", \"/srv/*/x?.sh\"]\n      kinds: [bash]\n      sha256: [\"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\"]\n", "", "rules[0].match: is missing"},
		{"no workers", "    workers:\n      groups: [web]\n      ids: [w1]\n      labels: {env: test, zone: [a, b]}\n", "", "rules[0].workers: is missing"},
		{"no requested_by", "    requested_by:\n      people: [bob]\n      groups: [release]\n", "", "rules[0].requested_by: is missing"},
		{"an empty match", "      paths: [\"**/restart.sh\", \"/srv/*/x?.sh\"]\n      kinds: [bash]\n      sha256: [\"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\"]\n", "      {}\n", "rules[0].match: names nothing"},
		{"an empty list", "groups: [web]", "groups: []", "rules[0].workers.groups: is empty: an empty list never means everything"},
		{"any beside groups", "      groups: [web]\n", "      any: true\n", "rules[0].workers.any: stands beside"},
		{"any: false", "      groups: [web]\n      ids: [w1]\n      labels: {env: test, zone: [a, b]}\n", "      any: false\n", "rules[0].workers.any: want true"},
		{"anyone beside people", "      people: [bob]\n", "      anyone: true\n", "rules[0].requested_by.anyone: stands beside"},
		{"an unknown person", "people: [alice]", "people: [alicia]", `rules[0].signed_by.people[0]: "alicia": no person of this name; did you mean "alice"?`},
		{"an unknown group", "      groups: [release]\n      at_least", "      groups: [releases]\n      at_least", `no group of this name; did you mean "release"?`},
		{"a quorum that cannot be met", "at_least: 2", "at_least: 3", "rules[0].signed_by.at_least: 3 people must sign, but only 2 are named"},
		{"a quorum of nobody", "at_least: 2", "at_least: 0", "rules[0].signed_by.at_least: want a whole number from 1"},
		{"an identity of two people", bobKey, aliceKey, "people.bob.identities[0]: " + aliceKey + " belongs to alice already"},
		{"a short key ID", bobKey, "openpgp:89ABCDEF", "people.bob.identities[0]: \"openpgp:89ABCDEF\": want openpgp: and the whole fingerprint"},
		{"a fingerprint in lower case", bobKey, strings.ToLower(bobKey), "upper-case"},
		{"an identity of no scheme", bobKey, "bob@example", "want an identity that begins with"},
		{"a name that looks like another", "  bob:\n", "  b\u043eb:\n", "want a name of at most 64 ASCII letters"},
		{"nobody", "  alice:\n    identities: [\"" + aliceKey + "\", \"os:alice\"]\n  bob:\n    identities: [\"" + bobKey + "\"]\n", "  {}\n", "people: names nobody"},
		{"a path with ..", "**/restart.sh", "/srv/../restart.sh", "rules[0].match.paths[0]: \"/srv/../restart.sh\": has a segment .."},
		{"a path with ** inside", "**/restart.sh", "a**/restart.sh", "has ** inside a segment"},
		{"a path with brackets", "**/restart.sh", "[a-z].sh", "only *, ? and ** are special"},
		{"a path with .asc", "**/restart.sh", "**/restart.sh.asc", "leave it out"},
		{"a path that changes direction", "**/restart.sh", "**/re\u202etart.sh", "changes the direction"},
		{"an unknown kind", "kinds: [bash]", "kinds: [Bash]", `unknown kind; did you mean "bash"?`},
		{"a digest in upper case", "2cf24dba", "2CF24DBA", "want 64 lower-case hexadecimal digits"},
		{"a pattern that is none", `pattern: "[a-z]+"`, `pattern: "[a-z"`, "rules[0].parameters.Name.pattern: is not a regular expression"},
		{"a pattern that closes the anchor", `pattern: "[a-z]+"`, `pattern: "a)|(b"`, "is not a regular expression"},
		{"a pattern that is a bomb", `pattern: "[a-z]+"`, `pattern: "(((a{30}){30}){30})"`, "rules[0].parameters.Name.pattern: "},
		{"a parameter of an odd name", "      Name:", "      Na me:", "rules[0].parameters.Na me: want the name of a parameter"},
		{"a parameter without a type", `{type: string, pattern: "[a-z]+", required: true}`, "{required: true}", "says nothing about the value"},
		{"an unknown type", "type: int", "type: integer", "unknown type"},
		{"a number in an enum", `enum: ["a", "b"]`, "enum: [1, 2]", `rules[0].parameters.1.enum[0]: want a text, found a number; quote it: "1"`},
		{"a position without quotes", `"1":`, `1:`, "want a plain word as key, found a number; quote it: \"1\""},
		{"a number with a zero before it", "at_least: 2", "at_least: 02", "want a whole number from 1 to"},
		{"a number with a sign", "at_least: 2", "at_least: +2", "want a whole number from 1 to"},
		{"a number below one", "at_least: 2", "at_least: 0", "want a whole number from 1 to"},
		{"a negative number", "at_least: 2", "at_least: -1", "want a whole number from 1 to"},
		{"a relative glob", `"**/restart.sh"`, `"runbooks/restart.sh"`, "rules[0].match.paths[0]: \"runbooks/restart.sh\": could never match, because paths are absolute"},
		{"a pattern whose quotation has no end", `"[a-z]+"`, `'\Qab'`, "has a \\Q that no \\E ends"},
		{"a run that says nothing", "    run:\n      timeout: 90s\n      env: [HOME, LANG=C]\n", "    run: {}\n", "rules[0].run: says nothing: give timeout, env, user, sandbox or tokens"},
		{"a timeout without a unit", "timeout: 90s", "timeout: 90", "rules[0].run.timeout: want a text, found a number"},
		{"a timeout of no time", "timeout: 90s", "timeout: 0s", "want whole seconds from 1s to 24h0m0s"},
		{"a timeout without end", "timeout: 90s", "timeout: 25h", "want whole seconds"},
		{"a timeout below zero", "timeout: 90s", "timeout: -5m", "want whole seconds"},
		{"a dangerous environment", "HOME, LANG=C", "LD_PRELOAD=/tmp/x.so", "rules[0].run.env[0]: \"LD_PRELOAD=/tmp/x.so\": LD_PRELOAD is refused"},
		{"a dangerous environment in another case", "HOME, LANG=C", "psmodulepath", "is refused"},
		{"a function in the environment", "HOME, LANG=C", `"A=() { :; }; x"`, "the value is a function"},
		{"the folder of Azure's contexts", "HOME, LANG=C", "AZURE_CONFIG_DIR=/x", "is refused"},
		{"an account by its number", "env: [HOME, LANG=C]", `user: "0"`, "rules[0].run.user: \"0\": it is a number"},
		{"an account with a domain twice", "env: [HOME, LANG=C]", `user: 'A\B@c'`, "rules[0].run.user"},
		{"an environment twice", "HOME, LANG=C", "LANG=D, LANG=C", "LANG stands in the list twice"},
		{"an environment with a line end", "HOME, LANG=C", `"A=x\ny"`, "holds a control character"},
		{"an anchor", "members: [alice, bob]", "members: &x [alice, bob]", "grants.yaml:9:14: has an anchor or alias"},
		{"an alias", "      groups: [release]\n    parameters", "      groups: *x\n    parameters", "unknown anchor"},
		{"a tag", "members: [alice, bob]", "members: !!set [alice, bob]", "tags (!) are refused"},
		{"a merge key", "      people: [bob]\n", "      <<: {people: [bob]}\n", "want a plain word as key"},
		{"a denied digest without reason", "    reason: stolen\n", "", "grants.yaml:38:5: denied[0].reason: is missing"},
		{"a reason too long", "reason: stolen", "reason: " + strings.Repeat("x", 513), "denied[0].reason: has 513 bytes, the limit is 512"},
		{"two documents", "denied:", "---\ndenied:", "holds several YAML documents"},
		{"a tab", "    reason", "\treason", "is not YAML"},
		{"an open bracket", "kinds: [bash]", "kinds: [bash", "is not YAML"},
		{"a list in place of a mapping", "people:\n", "people: []\nx:\n", "people: want a mapping (key: value), found a list"},
		{"bytes that are no text", "stolen", "\xff\xfe", "is not valid UTF-8"},
		{"a NUL", "stolen", "sto\x00len", "is not YAML"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(wholeGrants, tt.old, tt.new, 1)
			if text == wholeGrants {
				t.Fatal("the test changes nothing")
			}
			_, err := policy.New(policy.Source{Grants: []byte(text)})
			var bad *policy.SyntaxError
			if !errors.As(err, &bad) {
				t.Fatalf("got %v, want a *SyntaxError", err)
			}
			if got := problems(err); !strings.Contains(got, tt.want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
			for _, p := range bad.Problems {
				if p.File != "grants.yaml" || p.Msg == "" {
					t.Errorf("a problem without file or text: %+v", p)
				}
			}
		})
	}
}

func TestGrantsErrorsAreAllListed(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer("version: 1", "version: 9", "kinds: [bash]", "kinds: [cobol]", "timeout: 90s", "timeout: soon").Replace(wholeGrants)
	_, err := policy.New(policy.Source{Grants: []byte(text), Rego: []policy.File{{Name: "a.rego", Data: []byte("package x")}}})
	var bad *policy.SyntaxError
	if !errors.As(err, &bad) || len(bad.Problems) != 4 {
		t.Errorf("got %v", problems(err))
	}
}

// Bombs of YAML: short files that would be long in memory, or deep.
func TestYAMLBombsAreRefused(t *testing.T) {
	t.Parallel()
	laughs := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		laughs += fmt.Sprintf("%c: &%c [%s]\n", 'b'+i, 'b'+i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", 'a'+i), 9), ","))
	}
	for name, text := range map[string]string{
		"a billion laughs":  laughs,
		"deep lists":        "people: " + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		"deep mappings":     strings.Repeat("{a: ", 50_000),
		"deep indents":      strings.Repeat("- ", 100_000),
		"too many entries":  "people: [" + strings.Repeat("a,", 6_100_000) + "a]",
		"a file too large":  "# " + strings.Repeat("x", policy.MaxGrantsSize),
		"a key without end": strings.Repeat("x", 1<<20) + ": 1",
		"keys of keys":      strings.Repeat("? ", 20_000),
		"nothing":           "",
		"a comment":         "# nothing\n",
		"only a text":       "hello",
		"null":              "~",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := policy.New(policy.Source{Grants: []byte(text)})
			var bad *policy.SyntaxError
			if !errors.As(err, &bad) {
				t.Errorf("got %v, want a *SyntaxError", err)
			}
			if len(err.Error()) > 2_000 {
				t.Errorf("a message of %d bytes", len(err.Error()))
			}
		})
	}
}
