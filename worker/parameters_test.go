//go:build linux

package worker_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/worker"
)

// secretArguments are some of each form; the rule calls the password secret.
func secretArguments() []policy.Argument {
	return []policy.Argument{
		{Name: "password", Value: "hunter2"}, {Name: "service", Value: "nginx"}, {Value: "first"},
		{Name: "hosts", Value: `["web-01","-web-02",{"a":1}]`, JSON: true},
	}
}

// TestASecretIsNowhereButInItsDocument: not in the ledger, on the command line or
// in the environment, of the runbook or of anything that it starts.
func TestASecretIsNowhereButInItsDocument(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.args, g.secret = secretArguments(), "password"
	// Output is masked: the runbook has to write the secret in another way to show it.
	o := g.must(g.run("r.sh", `{ echo "$@"
tr '\0' '\n' < /proc/$$/cmdline
tr '\0' '\n' < /proc/$$/environ
sh -c 'env'
echo "$WRIT_PARAMETERS"
cat "$WRIT_PARAMETERS" "$WRIT_PARAMETERS"
} | sed s/hunter2/HUNTER2/
`))
	got := lines(o.stdout)
	if len(got) < 3 || got[0] != "--service=nginx first" {
		t.Fatal(o.stdout)
	}
	if strings.Count(o.stdout, "HUNTER2") != 2 || strings.Count(o.stdout, "web-02") != 2 || got[len(got)-3] != "/dev/fd/4" {
		t.Errorf("the secret stands elsewhere, too:\n%s", o.stdout)
	}
	for _, line := range got[len(got)-2:] { // it can be read more than once
		var doc map[string]any
		if err := json.Unmarshal([]byte(line), &doc); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"password": "HUNTER2", "service": "nginx", "1": "first", "hosts": []any{"web-01", "-web-02", map[string]any{"a": 1.0}}}
		if diff := cmp.Diff(want, doc); diff != "" {
			t.Error(diff)
		}
	}
	data, err := os.ReadFile(g.ledger)
	if err != nil || strings.Contains(string(data), "hunter2") {
		t.Errorf("%v: %s", err, data)
	}
	_, bodies := g.records()
	input, _ := bodies[0]["input"].(map[string]any)
	parameters, _ := json.Marshal(input["parameters"])
	if redacted := anyStrings(input["redacted"]); len(redacted) != 1 || string(parameters) != `{"1":"first","hosts":"[\"web-01\",\"-web-02\",{\"a\":1}]","password":"","service":"nginx"}` {
		t.Errorf("%v, %s", redacted, parameters)
	}
}

func TestAPrivatePositionalArgumentKeepsThePlacesOfTheOthers(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.args, g.secret = []policy.Argument{{Value: "one"}, {Value: "hunter2"}, {Value: "three"}}, "2"
	o := g.must(g.run("r.sh", `printf '%s|' "$@"; sed s/hunter2/HUNTER2/ "$WRIT_PARAMETERS"`+"\n"))
	if want := `one||three|{"1":"one","2":"HUNTER2","3":"three"}` + "\n"; o.stdout != want {
		t.Errorf("got %q, want %q", o.stdout, want)
	}
}

func TestThereIsNoDocumentWithoutAPrivateParameter(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.args = []policy.Argument{{Name: "service", Value: "nginx"}}
	if o := g.must(g.run("r.sh", `echo "${WRIT_PARAMETERS-none} $*"; [ -e /proc/$$/fd/4 ] || echo "no descriptor"`+"\n")); o.stdout != "none --service=nginx\nno descriptor\n" {
		t.Error(o.stdout)
	}
}

// The languages read it as any file.
func TestTheDocumentIsReadByEachLanguage(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "python3")
	for _, profile := range profilesOf() {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			g := newGate(t)
			g.confine(profile)
			readDocument(t, g)
		})
	}
}

func readDocument(t *testing.T, g *gate) {
	t.Helper()
	g.args, g.secret = secretArguments(), "password"
	o := g.must(g.run("r.py", `import json, os
p = json.load(open(os.environ["WRIT_PARAMETERS"]))
print(p["password"].upper(), p["hosts"][1])
try:
    open(os.environ["WRIT_PARAMETERS"], "w").write("x")
    print("written")
except OSError:
    pass
`))
	if o.stdout != "HUNTER2 -web-02\n" {
		t.Error(o.stdout)
	}
}

// The stand-in says what pwsh would be given; it is not PowerShell. pwsh splits
// "-Name:value" at the first colon, and reads nothing of what follows as code.
func TestPowerShellIsGivenEachValueInOneArgument(t *testing.T) {
	t.Parallel()
	g := newGate(t, standIn(t, `shift 4; printf '%s\n' "$@"; sed s/hunter2/HUNTER2/ "$WRIT_PARAMETERS"`))
	g.args = []policy.Argument{
		{Name: "Force", Value: "true"}, {Name: "Path", Value: "-Recurse"}, {Name: "Filter", Value: "a;b:$(x) 'q' \"d\""}, {Name: "List", Value: "a,b"},
		{Name: "Names", Value: `["a b","-c"]`, JSON: true}, {Name: "Secret", Value: "hunter2"}, {Value: "@(1,2)"},
	}
	g.secret = "Secret"
	o := g.must(g.run("r.ps1", "1\n"))
	want := []string{
		"-Force:true", "-Path:-Recurse", `-Filter:a;b:$(x) 'q' "d"`, "-List:a,b", "@(1,2)",
		`{"1":"@(1,2)","Filter":"a;b:$(x) 'q' \"d\"","Force":"true","List":"a,b","Names":["a b","-c"],"Path":"-Recurse","Secret":"HUNTER2"}`,
	}
	if diff := cmp.Diff(want, lines(o.stdout)); diff != "" {
		t.Error(diff)
	}
	if worker.ParametersVariable != "WRIT_PARAMETERS" {
		t.Error("the documents say otherwise")
	}
}

// What stands in a secret list is masked by itself, too.
func TestTheTextsOfASecretListAreMasked(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.args, g.secret = []policy.Argument{{Name: "Keys", Value: `["hunter2",{"deep":["hunter3"]},12345]`, JSON: true}}, "Keys"
	o := g.must(g.run("r.sh", `echo hunter2 hunter3 deep; cat "$WRIT_PARAMETERS"`+"\n"))
	if strings.Contains(o.stdout, "hunter") || !strings.HasPrefix(o.stdout, "*** *** deep\n") {
		t.Error(o.stdout)
	}
}

// TestALargeValueStandsInTheDocumentAndByItsDigestInTheLedger: the command line of a
// process ends at 128 KiB an argument, and a record at 1 MiB.
func TestALargeValueStandsInTheDocumentAndByItsDigestInTheLedger(t *testing.T) {
	t.Parallel()
	for _, profile := range profilesOf() {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			g := newGate(t)
			g.confine(profile)
			large, least := strings.Repeat("\u00e9x", 300_000), strings.Repeat("y", worker.MaxCommandLine+1)
			g.args = []policy.Argument{{Name: "Text", Value: large}, {Name: "Name", Value: least[1:]}, {Value: least}, {Value: "last"}}
			o := g.must(g.run("r.sh", `printf '%s,' "${#1}" "$2" "$3"; sha256sum < "$WRIT_PARAMETERS"`+"\n"))
			doc, err := json.Marshal(map[string]string{"1": least, "2": "last", "Name": least[1:], "Text": large})
			if err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf("%d,,last,%s  -\n", len("--Name=")+worker.MaxCommandLine, runbook.DigestOf(append(doc, '\n')))
			if o.stdout != want {
				t.Errorf("got %q, want %q", o.stdout, want)
			}
			_, bodies := g.records()
			decision := bodies[len(bodies)-3]
			input, _ := decision["input"].(map[string]any)
			parameters, _ := input["parameters"].(map[string]any)
			if diff := cmp.Diff(map[string]any{"1": "", "2": "last", "Name": least[1:], "Text": ""}, parameters); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{"1", "Text"}, anyStrings(input["redacted"])); diff != "" {
				t.Error(diff)
			}
			entry := func(value string) map[string]any {
				return map[string]any{"bytes": float64(len(value)), "sha256": runbook.DigestOf([]byte(value)).String()}
			}
			if diff := cmp.Diff(map[string]any{"1": entry(least), "Text": entry(large)}, decision["large"]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Of a secret not even the digest is told: who can guess it could try.
func TestALargeSecretIsInTheLedgerInNoForm(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.args, g.secret = []policy.Argument{{Name: "Key", Value: strings.Repeat("k", 20_000)}}, "Key"
	g.must(g.run("r.sh", `[ "$(wc -c < "$WRIT_PARAMETERS")" = 20011 ]`+"\n"))
	if _, bodies := g.records(); bodies[0]["large"] != nil {
		t.Error(bodies[0]["large"])
	}
}

// TestAttackSecretsWithoutEnd: all that a runbook writes is searched for each secret,
// and for each line of it.
func TestAttackSecretsWithoutEnd(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.args, g.secret = []policy.Argument{{Name: "Key", Value: strings.Repeat("k", 64<<10+1)}}, "Key"
	o := g.run("r.sh", "echo ran\n")
	var refused *worker.PermitError
	if !errors.As(o.err, &refused) || !strings.Contains(o.err.Error(), "65537 bytes together, the limit is 65536") || o.stdout != "" {
		t.Errorf("%v, %q", o.err, o.stdout)
	}
}
