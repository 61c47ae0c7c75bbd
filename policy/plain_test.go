package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// sameAsWhole fails unless an engine decides as the whole library does, and says
// whether it was a plain yes.
func sameAsWhole(t *testing.T, e *policy.Engine, in policy.Input) (allow, plain bool) {
	t.Helper()
	whole, err := e.OfWholeLibrary()
	if err != nil {
		t.Fatal(err)
	}
	got, plain := e.DecideAndSay(t.Context(), in)
	want := whole.Decide(t.Context(), in)
	if encoded(t, got) != encoded(t, want) {
		t.Errorf("%+v:\n%s\nthe whole library says:\n%s", in, encoded(t, got), encoded(t, want))
	}
	return got.Allow, plain && got.Allow
}

func TestEachQuestionIsAnsweredAsTheWholeLibraryDoes(t *testing.T) {
	t.Parallel()
	plain, all := 0, slices.Concat(decideCases(), mutationCases())
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			in := good()
			c.change(&in)
			if _, yes := sameAsWhole(t, engine(t, peopleYAML+c.rules), in); yes {
				plain++
			}
			if !strings.Contains(c.rules, "worker_groups:") {
				sameAsWhole(t, engine(t, peopleYAML+c.rules+warnUntilJune), in)
			}
		})
	}
	if plain < 40 || plain > len(all)/2 {
		t.Errorf("%d of %d questions have a plain yes", plain, len(all))
	}
}

// randomPolicy has rules of which most lack something, and some of all that lifts
// and freezes.
func randomPolicy(r *rand.Rand) string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	digest := runbook.DigestOf([]byte("file")).String()
	var b strings.Builder
	b.WriteString(peopleYAML + "rules:\n")
	for i := range 2 + r.IntN(6) {
		fmt.Fprintf(&b, "  - name: r%d\n    match: {%s}\n    workers: {%s}\n    signed_by: {%s%s}\n    requested_by: {%s%s}\n%s%s%s", i,
			pick(`paths: ["/srv/runbooks/*.sh"]`, `paths: [/srv/runbooks/restart.sh]`, `paths: ["/srv/**"], kinds: [bash]`, "kinds: [bash]", "kinds: [bash, python]", "kinds: [python]", "sha256: ["+digest+"]", "paths: [/opt/x.sh]"),
			pick("any: true", "any: true", "groups: [web]", "groups: [db, web], labels: {env: [test]}", "ids: [w1]", "labels: {env: [stage]}"),
			pick("groups: [release]", "groups: [release]", "groups: [release]", "people: [carol]", "groups: [release], at_least: 2", "people: [alice, ann], formats: {any: [authenticode, clearsign]}", "groups: [release], formats: {all: [clearsign, detached]}"), pick("", "", `, min_version: "2"`, ", namespace: prod"),
			pick("anyone: true", "groups: [operators]", "people: [alice, bob]"), pick("", "", ", assurance: [peercred]", ", assurance: [token]"),
			pick("", "", "    hours: [{zone: UTC, days: [sun], from: \"11:00\", to: \"13:00\"}]\n", "    hours: [{zone: UTC, days: [mon], from: \"11:00\", to: \"13:00\"}]\n"),
			pick("", "", "    approved_by: {groups: [release]}\n", "    approved_by: {people: [carol, alice], not_signers: true}\n"),
			pick("    parameters: {Service: {pattern: \"[a-z]+\", required: true}}\n", "    parameters: {Service: {enum: [nginx]}, Count: {type: int, range: {min: 1}}}\n", "    parameters: {Service: {type: string}, Count: {type: int}, \"*\": {type: bool}}\n"),
		)
	}
	if r.IntN(8) == 0 {
		b.WriteString("denied: [{sha256: " + runbook.DigestOf([]byte(pick("file", "payload", "else"))).String() + ", reason: stolen}]\n")
	}
	if r.IntN(3) == 0 {
		b.WriteString("freezes: [{name: f, from: \"2026-11-01\", to: \"2026-11-30\", zone: UTC, reason: x" + pick("", ", match: {kinds: [python]}", ", workers: {groups: [db]}", `, match: {paths: ["/srv/**"]}`) + "}]\n")
	}
	if r.IntN(3) == 0 {
		b.WriteString(exempt(pick("worker-not-allowed", "freeze", "friday, user-deny", "approval-missing, requester-not-allowed", "parameter-unknown, outside-hours")))
	}
	if r.IntN(4) == 0 {
		b.WriteString(warnUntilJune)
	}
	if r.IntN(3) == 0 {
		b.WriteString(glassSection)
	}
	return b.String()
}

func randomQuestion(r *rand.Rand) policy.Input {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	in := good()
	if r.IntN(2) == 0 {
		var statements []policy.Approval
		for range r.IntN(3) {
			key := pick(aliceKey, bobKey, carolSPKI, "openpgp:FF")
			if r.IntN(3) == 0 {
				statements = append(statements, glassBy(pick(aliceKey, bobKey, carolSPKI)))
			} else {
				statements = append(statements, approvalBy(key))
			}
		}
		in = requestedByBob(statements...)
	}
	rare := func(change func()) {
		if r.IntN(20) == 0 {
			change()
		}
	}
	rare(func() { in.Runbook.Verdict = "tampered" })
	rare(func() { in.Runbook.Kind = "python" })
	rare(func() { in.Runbook.Kind = "statement" })
	rare(func() { in.Worker.Group = pick("db", "") })
	rare(func() { in.Worker.Labels["env"] = pick("stage", "prod") })
	rare(func() { in.Parameters["Count"] = pick("5", "0", "x") })
	rare(func() { in.Parameters["1"] = pick("true", "5") })
	rare(func() { in.Parameters = map[string]string{} })
	rare(func() { in.Caller.Assurance = "token" })
	rare(func() { in.Caller.GroupsComplete = false })
	rare(func() { inProject(&in) })
	rare(func() { inProject(&in); in.Signatures[0].Format = "manifest" })
	claims := verifier.Claims{Version: pick("", "1", "2"), Namespace: pick("", "prod")}
	rare(func() { claims.Name = pick("restart.sh", "stop.sh") })
	rare(func() { claims.Kind = pick("bash", "python", "manifest") })
	in.Signatures[0].Claims = &claims
	rare(func() {
		in.Signatures = append(in.Signatures, signature(pick("valid", "untrusted"), pick(bobKey, carolSPKI)))
	})
	rare(func() { in.Signatures[0].Nested = true })
	rare(func() { in.Signatures[0].Format = pick("authenticode", "detached", "sigstore") })
	rare(func() {
		in.Signatures = append(in.Signatures, ofFormat(pick("detached", "authenticode"), signature("valid", pick(aliceKey, aliceCert, bobKey, annCert))))
	})
	return in
}

func TestRandomPoliciesAreAnsweredAsTheWholeLibraryDoes(t *testing.T) {
	t.Parallel()
	rego := []policy.File{user(`deny contains {"code": "friday", "msg": "x"} if input.worker.labels.env == "stage"
deny contains "y" if input.parameters.Count
deny contains "z" if count(data.writ.gate.lacks) > 3
warn contains "w" if count(data.writ.gate.exempted) == 0`)}
	const policies, questions = 60, 4
	r := rand.New(rand.NewPCG(5, 58))
	asked, plain, allowed := 0, 0, 0
	ask := func(e *policy.Engine) {
		in := randomQuestion(r)
		asked++
		allow, yes := sameAsWhole(t, e, in)
		if yes {
			plain++
		}
		if allow {
			allowed++
		}
	}
	for i := range policies {
		grants := randomPolicy(r)
		e := engine(t, grants)
		if i%30 == 0 { // the user's rules are compiled with the library, which takes its time
			e = engine(t, grants, rego...)
		}
		for range questions {
			ask(e)
		}
	}
	t.Logf("%d questions, %d allowed, %d of them plainly", asked, allowed, plain)
	if plain < asked/20 || plain == allowed || allowed > asked*3/4 {
		t.Errorf("of %d questions %d are allowed, %d of them plainly", asked, allowed, plain)
	}
}

// Another rule that denies must be one that a plain yes cannot overlook: "plainly"
// has to say no where it says why.
func TestEachDenialOfTheLibraryIsOneThatAPlainYesKnows(t *testing.T) {
	t.Parallel()
	library, err := policy.ParsedLibrary()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{
		"writ/signature":   "signature_valid",
		"writ/denied":      "input.grants.denied",
		"writ/claims":      "contradicted",
		"writ/freezes":     "frozen",
		"writ/no-rule":     "count(holding)", // a rule that holds matches
		"writ/rules":       "count(holding)",
		"writ/break-glass": "count(holding)",
	}
	seen := map[string]bool{}
	plainly := ""
	for _, m := range library {
		for _, rule := range m.Rules {
			switch name := rule.Head.Ref()[0].Value.String(); {
			case name == "deny":
				code := fmt.Sprint(rule.Body)
				ast.WalkTerms(rule, func(x *ast.Term) bool {
					if s, ok := x.Value.(ast.String); ok && strings.HasPrefix(string(s), "writ/") {
						code = string(s)
					}
					return false
				})
				if strings.Contains(code, "lacks") {
					code = "writ/rules" // its reasons name rules of grants.yaml
				}
				if known[code] == "" {
					t.Errorf("a plain yes does not know of the denial %s", code)
				}
				seen[code] = true
			case name == "plainly":
				plainly += rule.Body.String()
			}
		}
	}
	for code, condition := range known {
		if !seen[code] || !strings.Contains(plainly, condition) {
			t.Errorf("%s: seen is %v, and %s stands in %s", code, seen[code], condition, plainly)
		}
	}
}

func TestManyGoroutinesShareTheWholeLibrary(t *testing.T) {
	t.Parallel()
	e, err := policy.New(policy.Source{Grants: []byte(peopleYAML + restartRule)})
	if err != nil {
		t.Fatal(err)
	}
	e.Patient()
	done := make(chan string)
	for i := range 8 {
		go func() {
			in := good()
			if i%2 == 0 {
				in.Worker.Group = "db"
			}
			done <- codes(e.Decide(t.Context(), in).Deny)
		}()
	}
	denied := 0
	for range 8 {
		switch <-done {
		case "worker-not-allowed":
			denied++
		case "":
		default:
			t.Error("denied for another reason")
		}
	}
	if denied != 4 {
		t.Errorf("%d of 8 denied", denied)
	}
}

func TestWithoutTheWholeLibraryWhatIsNoPlainYesIsDenied(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule).WithoutLibrary()
	mustAllow(t, e.Decide(t.Context(), good()))
	in := good()
	in.Worker.Group = "db"
	mustDeny(t, e.Decide(t.Context(), in), policy.CodePolicyError)
}
