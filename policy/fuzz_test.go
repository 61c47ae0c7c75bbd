package policy_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/verifier"
)

// FuzzGrants: whatever the bytes, loading ends, and what it refuses it refuses
// with a *SyntaxError that names the file.
func FuzzGrants(f *testing.F) {
	f.Add([]byte(wholeGrants))
	f.Add([]byte(peopleYAML + restartRule))
	f.Add([]byte(versionRule(`min_version: "1.4.0.10", namespace: prod`)))
	f.Add([]byte(timedGrants))
	f.Add([]byte(nestedGroups))
	f.Add([]byte(peopleYAML + secretRule))
	f.Add([]byte(countRule("{type: number, range: {min: -1.5, max: 99}}")))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("? - [{"))
	if files, err := filepath.Glob("../examples/policy/*.yaml"); err == nil {
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		problems, g := policy.ParseGrants(data)
		if g == (len(problems) > 0) {
			t.Fatalf("grants %v beside %d problems", g, len(problems))
		}
		for _, p := range problems {
			if p.File != policy.GrantsFile || p.Msg == "" || len(p.Error()) > 10_000 {
				t.Errorf("odd problem: %v", p)
			}
		}
	})
}

// FuzzDecide: no document makes the engine panic, hang, or hand out a permit;
// what it allows holds what the one rule asks for.
func FuzzDecide(f *testing.F) {
	seed, err := json.Marshal(good())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(strings.Replace(string(seed), "nginx", "x;y", 1)))
	f.Add([]byte("{}"))
	claims := good()
	claims.Signatures = []policy.Signature{claiming("1.10", "prod", aliceKey), withClaims(signature("untrusted"), verifier.Claims{Name: "x", Version: "1"})}
	if seed, err = json.Marshal(claims); err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	e := engine(f, peopleYAML+restartRule)
	strict := engine(f, versionRule(`min_version: "1.9", namespace: prod`))
	timed := engine(f, timedGrants)
	f.Fuzz(func(t *testing.T, data []byte) {
		var in policy.Input
		if json.Unmarshal(data, &in) != nil {
			return
		}
		d := e.Decide(t.Context(), in)
		if _, err := d.Permit(); !errors.Is(err, policy.ErrNoPermit) {
			t.Fatal("a decoded input was permitted")
		}
		if d.Allow == (len(d.Deny) > 0) || d.Allow != (len(d.Rules) > 0) {
			t.Fatalf("allow %v, deny %v, rules %v", d.Allow, d.Deny, d.Rules)
		}
		if d.Allow && (in.Worker.Group != "web" || in.Runbook.Verdict != "valid" || in.Runbook.Kind != "bash" || in.Parameters["Service"] == "") {
			t.Fatalf("allowed: %+v", in)
		}
		for _, s := range in.Signatures {
			c := s.Claims
			if d.Allow && s.Verdict == "valid" && c != nil && (c.Name != "" && c.Name != in.Runbook.Name || c.Kind != "" && c.Kind != in.Runbook.Kind) {
				t.Fatalf("allowed with claims %+v", c)
			}
		}
		checkTimed(t, &in, timed.Decide(t.Context(), in))
		if strict.Decide(t.Context(), in).Allow && !slices.ContainsFunc(in.Signatures, func(s policy.Signature) bool {
			return s.Verdict == "valid" && s.Claims != nil && s.Claims.Namespace == "prod" && s.Claims.Version != ""
		}) {
			t.Fatalf("allowed without what was to be signed: %+v", in)
		}
	})
}

// timedGrants have all that depends on the time: hours, a freeze, an exemption and a
// group that only warns; and a secret.
const timedGrants = peopleYAML + `roles: {author: {people: [alice]}, reviewer: {groups: [release]}}
rules:
  - name: restart
    match: {paths: ["/srv/runbooks/*.sh"]}
    workers: {groups: [web, db]}
    signed_by: {roles: [author, reviewer]}
    requested_by: {anyone: true}
    hours: [{zone: Europe/Oslo, days: [mon, tue], from: 22:00, to: 06:00}]
    parameters: {Service: {type: string, secret: true}, Count: {type: int, range: {max: 9}}}
freezes:
  - {name: autumn, from: "2026-11-01", to: "2026-11-30T12:00", zone: Europe/Oslo, reason: x}
worker_groups:
  db: {mode: warn, until: "2026-12-31T00:00:00Z"}
` + exemptionOfAll

// exemptionOfAll lifts all that timedGrants deny, for the group web.
const exemptionOfAll = `exemptions:
  - id: EX-1
    codes: [freeze, outside-hours, role-not-filled, role-same-person, too-few-signers, signer-not-allowed, parameter-unknown, parameter-range, parameter-type, worker-group-missing]
    match: {kinds: [bash]}
    workers: {groups: [web]}
    owner: alice
    approver: bob
    reason: x
    expires: "2026-12-01T00:00:00Z"
`

// checkTimed holds a decision to what no exemption and no mode lifts, and looks for
// what must not be told.
func checkTimed(t *testing.T, in *policy.Input, d policy.Decision) {
	t.Helper()
	if d.Allow && (in.Runbook.Verdict != "valid" || in.Runbook.PayloadSHA256.IsZero() || len(in.Signatures) == 0) {
		t.Fatalf("allowed in mode %s: %+v", d.Mode, in)
	}
	if d.Mode == policy.ModeWarn && in.Worker.Group != "db" || len(d.WouldDeny) > 0 && d.Mode != policy.ModeWarn || d.Allow == (len(d.Deny) > 0) {
		t.Fatalf("%+v", d)
	}
	if len(d.Exemptions) > 0 && (in.Worker.Group != "web" || in.Caller.ID == "os:bob" || in.Runbook.Kind != "bash") {
		t.Fatalf("exempted: %+v", d)
	}
	r := d.Redact(*in)
	if r.Parameters["Service"] != "" {
		t.Fatalf("the secret is told: %+v", r.Parameters)
	}
}
