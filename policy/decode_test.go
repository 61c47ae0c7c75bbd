package policy_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/runwrit/writ/policy"
)

func encoded(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAnInputIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	in, err := policy.DecodeInput([]byte(encoded(t, good())))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(good(), in, cmpopts.IgnoreUnexported(policy.Input{})); diff != "" {
		t.Error(diff)
	}
	d := engine(t, peopleYAML+restartRule).Decide(t.Context(), in)
	if _, err := d.Permit(); !d.Allow || err == nil {
		t.Errorf("allowed %v, permit %v", d.Allow, err)
	}
}

// The validator of the schema and the decoder refuse the same: neither is the only
// one that holds.
func TestInputsThatNeitherDecoderNorSchemaTakes(t *testing.T) {
	t.Parallel()
	text := encoded(t, good())
	for _, c := range []struct{ name, old, now string }{
		{"an unknown field", `"caller":`, `"override":true,"caller":`},
		{"an unknown field inside", `"group":"web"`, `"group":"web","zone":"a"`},
		{"an unknown field of a signature", `"format":"clearsign"`, `"format":"clearsign","trusted":true`},
		{"a field in other letters", `"worker":`, `"Worker":`},
		{"a missing field", `"findings":[],`, ``},
		{"a missing field inside", `"groups_complete":true,`, ``},
		{"another version", `writ.input/v1`, `writ.input/v2`},
		{"no time", `"now_ns":1`, `"now_ns":-1`},
		{"a time as text", `"now_ns":1795348800000000000`, `"now_ns":"1795348800000000000"`},
		{"null for a list", `"findings":[]`, `"findings":null`},
		{"null for a map", `"parameters":{"Service":"nginx"}`, `"parameters":null`},
		{"a parameter that is a number", `"nginx"`, `1`},
		{"a digest that is none", `"digest":"`, `"digest":"x`},
		{"a digest in upper case", strings.ToLower(good().Runbook.SHA256.String()), strings.ToUpper(good().Runbook.SHA256.String())},
		{"facts that only the engine adds", `"worker":`, `"grants":{},"worker":`},
		{"a list for an object", `"labels":{"env":"test"}`, `"labels":[]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			changed := strings.Replace(text, c.old, c.now, 1)
			if changed == text {
				t.Fatalf("there is no %s in %s", c.old, text)
			}
			in, err := policy.DecodeInput([]byte(changed))
			var bad *policy.InputError
			if !errors.As(err, &bad) || in.Version != "" {
				t.Errorf("got %v, %+v", err, in)
			}
			if matches(t, policy.InputSchema(), []byte(changed)) == "" {
				t.Error("the schema takes it")
			}
		})
	}
}

// What a schema cannot see.
func TestInputsThatTheDecoderRefuses(t *testing.T) {
	t.Parallel()
	text := encoded(t, good())
	for name, changed := range map[string]string{
		"nothing":                "",
		"a key twice":            strings.Replace(text, `"job":{}`, `"job":{},"job":{}`, 1),
		"a parameter twice":      strings.Replace(text, `"Service":"nginx"`, `"Service":"nginx","Service":"ssh"`, 1),
		"something behind it":    text + "{}",
		"a false that is said":   strings.Replace(text, `"format":"clearsign"`, `"format":"clearsign","nested":false`, 1),
		"a name of a parameter":  strings.Replace(text, `"Service"`, `"a b"`, 1),
		"a path that climbs":     strings.Replace(text, `/srv/runbooks/restart`, `/srv/../runbooks/restart`, 1),
		"bytes that are no text": strings.Replace(text, "nginx", "\xff", 1),
		"very much":              text + strings.Repeat(" ", 17<<20),
		"very deep":              strings.Repeat(`{"a":`, 10_000),
	} {
		var bad *policy.InputError
		if _, err := policy.DecodeInput([]byte(changed)); !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestADecisionIsReadAsItIsWrittenAndNeverPermits(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule, user(`warn contains "x" if input.worker.os == "linux"`))
	in, err := policy.NewInput(verified(t, "restart.sh.asc", aliceKey), request("/srv/runbooks/restart.sh.asc", policy.Argument{Name: "Service", Value: "x"}))
	if err != nil {
		t.Fatal(err)
	}
	other := good()
	other.Worker.Group = "db"
	for _, in := range []policy.Input{in, other, {}} {
		made := e.Decide(t.Context(), in)
		read, err := policy.DecodeDecision([]byte(encoded(t, made)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(made, read, cmpopts.IgnoreUnexported(policy.Decision{})); diff != "" {
			t.Error(diff)
		}
		if p, err := read.Permit(); err == nil || p != nil {
			t.Error("a decision that was decoded permits")
		}
	}
}

func TestDecisionsThatNeitherDecoderNorSchemaTakes(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule)
	allowed := encoded(t, e.Decide(t.Context(), good()))
	other := good()
	other.Worker.Group = "db"
	denied := encoded(t, e.Decide(t.Context(), other))
	for _, c := range []struct{ name, text, old, now string }{
		{"an unknown field", allowed, `"allow":true`, `"allow":true,"override":true`},
		{"an unknown obligation", allowed, `"timeout_s":300`, `"timeout_s":300,"root":"yes"`},
		{"a missing obligation", allowed, `"timeout_s":300,`, ``},
		{"an obligation of no kind", allowed, `"timeout_s":300`, `"timeout_s":"300"`},
		{"a timeout of days", allowed, `"timeout_s":300`, `"timeout_s":86401`},
		{"another version", allowed, `writ.decision/v1`, `writ.decision/v2`},
		{"another mode", allowed, `"mode":"enforce"`, `"mode":"audit"`},
		{"allowed without a rule", allowed, `"rules":["restart"]`, `"rules":[]`},
		{"allowed and denied", allowed, `"deny":[]`, `"deny":[{"code":"x","msg":"x","hint":"","rule":"x"}]`},
		{"denied by a rule", denied, `"rules":[]`, `"rules":["restart"]`},
		{"denied without a reason", denied, denied[strings.Index(denied, `"deny":`):strings.Index(denied, `,"warn"`)], `"deny":[]`},
		{"a denial turned round", denied, `"allow":false`, `"allow":true`},
		{"allow as a text", allowed, `"allow":true`, `"allow":"true"`},
		{"a code that is none", denied, `"code":"worker-not-allowed"`, `"code":"Worker"`},
		{"a reason without a rule", denied, `"rule":"restart"`, `"rule":""`},
		{"a warning without a text", allowed, `"warn":[]`, `"warn":[{"code":"x","msg":"","hint":"","rule":"x"}]`},
		{"a list that is null", allowed, `"warn":[]`, `"warn":null`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			changed := strings.Replace(c.text, c.old, c.now, 1)
			if changed == c.text {
				t.Fatalf("there is no %s in %s", c.old, c.text)
			}
			d, err := policy.DecodeDecision([]byte(changed))
			var bad *policy.DecisionError
			if !errors.As(err, &bad) || !strings.HasPrefix(err.Error(), "policy decision: ") || d.Allow {
				t.Errorf("got %v, %+v", err, d)
			}
			if matches(t, policy.DecisionSchema(), []byte(changed)) == "" {
				t.Error("the schema takes it")
			}
		})
	}
	if _, err := policy.DecodeDecision([]byte(strings.Replace(allowed, `"allow":true`, `"allow":true,"allow":false`, 1))); err == nil {
		t.Error("a decision that says both is taken")
	}
}

func FuzzDecodeInput(f *testing.F) {
	f.Add([]byte(encoded(f, good())))
	f.Add([]byte(`{"version":"writ.input/v1"}`))
	e := engine(f, peopleYAML+restartRule)
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := policy.DecodeInput(data)
		if err != nil {
			return
		}
		if d := e.Decide(t.Context(), in); codes(d.Deny) == policy.CodeInputInvalid {
			t.Errorf("taken, and then refused: %+v", d.Deny)
		}
		if bad := matches(t, policy.InputSchema(), []byte(encoded(t, in))); bad != "" {
			t.Errorf("taken against the schema: %s", bad)
		}
	})
}

func FuzzDecodeDecision(f *testing.F) {
	e := engine(f, peopleYAML+restartRule)
	f.Add([]byte(encoded(f, e.Decide(f.Context(), good()))))
	f.Add([]byte(encoded(f, policy.Decision{})))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := policy.DecodeDecision(data)
		if err != nil {
			return
		}
		if p, err := d.Permit(); err == nil || p != nil {
			t.Error("a decision that was decoded permits")
		}
		if bad := matches(t, policy.DecisionSchema(), []byte(encoded(t, d))); bad != "" {
			t.Errorf("taken against the schema: %s", bad)
		}
	})
}
