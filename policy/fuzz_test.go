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
		if strict.Decide(t.Context(), in).Allow && !slices.ContainsFunc(in.Signatures, func(s policy.Signature) bool {
			return s.Verdict == "valid" && s.Claims != nil && s.Claims.Namespace == "prod" && s.Claims.Version != ""
		}) {
			t.Fatalf("allowed without what was to be signed: %+v", in)
		}
	})
}
