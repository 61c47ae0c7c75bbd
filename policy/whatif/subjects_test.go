package whatif_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/whatif"
)

func TestWorkersAndCallersAreRead(t *testing.T) {
	t.Parallel()
	workers, err := whatif.ParseWorkers("w.yaml", []byte(`version: 1
workers:
  - {group: web}
  - {id: db-01, group: db, os: windows, labels: {env: prod}, identity: "entra:t:o"}
`))
	want := []policy.Worker{
		{Group: "web", OS: "linux", Labels: map[string]string{}, Assurance: "config"},
		{ID: "db-01", Group: "db", OS: "windows", Labels: map[string]string{"env": "prod"}, Identity: "entra:t:o", Assurance: "managed-identity"},
	}
	if diff := cmp.Diff(want, workers); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	callers, err := whatif.ParseCallers("c.yaml", []byte(`version: 1
callers:
  - {id: "os:alice"}
  - {id: "os:bob", kind: token, groups: ["os-group:wheel"], groups_incomplete: true, roles: [x], assurance: peercred}
`))
	wantCallers := []policy.Caller{
		{Kind: "os-user", ID: "os:alice", Groups: []string{}, GroupsComplete: true, Roles: []string{}, Assurance: "real-uid"},
		{Kind: "token", ID: "os:bob", Groups: []string{"os-group:wheel"}, Roles: []string{"x"}, Assurance: "peercred"},
	}
	if diff := cmp.Diff(wantCallers, callers); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestWhatIsWrongInAFileIsNamedWithItsPlace(t *testing.T) {
	t.Parallel()
	worker := func(data string) error { _, err := whatif.ParseWorkers("f.yaml", []byte(data)); return err }
	caller := func(data string) error { _, err := whatif.ParseCallers("f.yaml", []byte(data)); return err }
	params := func(data string) error { _, err := whatif.ParseParameters("f.yaml", []byte(data)); return err }
	for name, c := range map[string]struct {
		parse      func(string) error
		text, want string
	}{
		"no version":             {worker, "workers: [{group: a}]\n", "f.yaml:1:1: version: is missing"},
		"another version":        {worker, "version: 2\nworkers: [{group: a}]\n", "f.yaml:1:10: version: want a whole number from 1 to 1"},
		"an unknown key":         {worker, "version: 1\nworkers: [{grup: a}]\n", `f.yaml:2:12: workers[0].grup: unknown key; did you mean "group"? (and 1 more)`},
		"no list":                {worker, "version: 1\n", "f.yaml:1:1: workers: is missing"},
		"an empty list":          {caller, "version: 1\ncallers: []\n", "f.yaml:2:10: callers: is empty"},
		"nothing":                {caller, "", "f.yaml: is empty"},
		"a worker of nothing":    {worker, "version: 1\nworkers: [{}]\n", "workers[0]: says nothing"},
		"a worker twice":         {worker, "version: 1\nworkers: [{group: a}, {group: a}]\n", "workers[1]: is the same worker"},
		"a number as a label":    {worker, "version: 1\nworkers: [{group: a, labels: {n: 1}}]\n", `workers[0].labels.n: want a text, found a number; quote it: "1"`},
		"a caller without an id": {caller, "version: 1\ncallers: [{kind: x}]\n", "callers[0].id: is missing"},
		"a caller twice":         {caller, "version: 1\ncallers: [{id: a}, {id: a}]\n", "callers[1]: is the same caller"},
		"groups that are":        {caller, "version: 1\ncallers: [{id: a, groups_incomplete: false}]\n", "callers[0].groups_incomplete: want true"},
		"no paths":               {params, "version: 1\nparameters: [{arguments: {a: b}}]\n", "parameters[0].paths: is missing"},
		"a path that cannot be":  {params, "version: 1\nparameters: [{paths: [\"[a]\"], arguments: {a: b}}]\n", "parameters[0].paths[0]"},
		"no arguments":           {params, "version: 1\nparameters: [{paths: [\"**\"]}]\n", "parameters[0]: gives nothing"},
		"a number as a position": {params, "version: 1\nparameters: [{paths: [\"**\"], positions: [1]}]\n", "parameters[0].positions[0]: want a text"},
		"a list as an argument":  {params, "version: 1\nparameters: [{paths: [\"**\"], arguments: {a: [b]}}]\n", "parameters[0].arguments.a: want a text"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.parse(c.text)
			var syntax *whatif.SyntaxError
			if !errors.As(err, &syntax) || len(syntax.Problems) == 0 || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if got := (&whatif.SyntaxError{}).Error(); got != "unusable" {
		t.Errorf("the zero value says %q", got)
	}
}

func TestThePolicyNamesWhomAndWhereToAskAbout(t *testing.T) {
	t.Parallel()
	workers, callers := whatif.Subjects([]byte(`version: 1
people:
  alice: {identities: ["openpgp:0123456789ABCDEF0123456789ABCDEF01234567", "os:alice", "os:admin"]}
  robot: {identities: ["x509-sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]}
  dana: {identities: ["entra:x:y"]}
groups:
  operators: {members: [alice], os_groups: [wheel, adm], token_groups: ["entra:x:z"]}
rules:
  - {name: a, match: {paths: ["**"]}, workers: {groups: [web, db], labels: {env: [test, prod], tier: "1"}}, signed_by: {people: [alice]}, requested_by: {anyone: true}}
  - {name: b, match: {paths: ["**"]}, workers: {ids: [w1, w2], identities: ["entra:t:o", "entra:t:p"]}, signed_by: {people: [alice]}, requested_by: {anyone: true}}
  - {name: c, match: {paths: ["**"]}, workers: {groups: [web], labels: {env: test, tier: "1"}}, signed_by: {people: [alice]}, requested_by: {anyone: true}}
`))
	var got []string
	for _, w := range workers {
		got = append(got, fmt.Sprintf("%s|%s|%v%s", w.Group, w.ID, w.Labels, w.Identity))
	}
	for _, c := range callers {
		got = append(got, fmt.Sprintf("%s %s %v", c.Kind, c.ID, c.Groups))
	}
	want := []string{
		"web||map[env:test tier:1]", "db||map[env:test tier:1]", "|w1|map[]entra:t:o", "||map[]",
		"os-user os:alice []", "entra entra:x:y []", "entra entra:somebody of entra:x:z [entra:x:z]", "os-user os:somebody of os-group:adm [os-group:adm]",
		"os-user os:somebody of os-group:wheel [os-group:wheel]", "os-user os:a stranger []",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if workers, callers := whatif.Subjects(nil); len(workers) != 1 || len(callers) != 1 {
		t.Errorf("of nothing: %v, %v", workers, callers)
	}
}

func FuzzSubjects(f *testing.F) {
	f.Add("version: 1\nworkers: [{group: a, labels: {x: y}}]\n")
	f.Add("version: 1\ncallers: [{id: a, groups: [b], groups_incomplete: true}]\n")
	f.Add("version: 1\nparameters: [{paths: [\"**\"], arguments: {a: b}, positions: [c]}]\n")
	f.Add("rules: [{name: a, workers: {groups: [b], labels: {c: [d]}}, parameters: {e: {required: true}}}]\npeople: {a: {identities: [\"os:a\"]}}\n")
	f.Fuzz(func(t *testing.T, data string) {
		workers, err := whatif.ParseWorkers("f", []byte(data))
		if (err == nil) != (len(workers) > 0) {
			t.Errorf("%v, %v", workers, err)
		}
		callers, err := whatif.ParseCallers("f", []byte(data))
		if (err == nil) != (len(callers) > 0) {
			t.Errorf("%v, %v", callers, err)
		}
		_, _ = whatif.ParseParameters("f", []byte(data))
		if workers, callers := whatif.Subjects([]byte(data)); len(workers) == 0 || len(callers) == 0 {
			t.Error("nobody to ask about")
		}
	})
}
