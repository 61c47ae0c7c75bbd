package policy_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

// decideCase is a question that is the good one but for a change.
type decideCase struct {
	name   string
	rules  string
	change func(*policy.Input)
	deny   string // codes; "" for allowed
}

func decideCases() []decideCase {
	deniedFile := "denied: [{sha256: " + runbook.DigestOf([]byte("file")).String() + ", reason: stolen}]\n"
	deniedPayload := "denied: [{sha256: " + runbook.DigestOf([]byte("payload")).String() + ", reason: stolen}]\n"
	two := strings.Replace(restartRule, "groups: [release]", "groups: [release], at_least: 2", 1)
	return []decideCase{
		{"what a rule names is allowed", restartRule, func(*policy.Input) {}, ""},
		{"the second identity of a person counts too", restartRule, func(in *policy.Input) { in.Signatures = []policy.Signature{signature("valid", aliceCert)} }, ""},
		{"an identity may be the second of a signer", restartRule, func(in *policy.Input) { in.Signatures[0].Signer.IDs = []string{"x509-sha256:00", aliceCert} }, ""},
		{"a person of the group may request", restartRule, func(in *policy.Input) { in.Caller.ID, in.Caller.Groups = "os:bob", []string{} }, ""},
		{"the digest of the payload can match", digestRule("payload"), func(*policy.Input) {}, ""},
		{"the digest of the file can match", digestRule("file"), func(*policy.Input) {}, ""},

		{"a file that is not valid is denied", restartRule, func(in *policy.Input) { in.Runbook.Verdict = "tampered" }, "signature-not-valid"},
		{"an unsigned file is denied once", restartRule, func(in *policy.Input) {
			in.Runbook.Verdict, in.Runbook.PayloadSHA256, in.Signatures = "unsigned", runbook.Digest{}, []policy.Signature{}
		}, "signature-not-valid"},
		{"valid without a signature is denied", restartRule, func(in *policy.Input) { in.Signatures = []policy.Signature{} }, "signature-not-valid"},
		{"valid without a payload is denied", restartRule, func(in *policy.Input) { in.Runbook.PayloadSHA256 = runbook.Digest{} }, "signature-not-valid"},
		{"a verdict nobody knows is denied", restartRule, func(in *policy.Input) { in.Runbook.Verdict = "Valid" }, "input-invalid"},
		{"an empty verdict is denied", restartRule, func(in *policy.Input) { in.Runbook.Verdict = "" }, "input-invalid"},
		{"the digest of the file is denied", restartRule + deniedFile, func(*policy.Input) {}, "denied-digest"},
		{"the digest of the payload is denied", restartRule + deniedPayload, func(*policy.Input) {}, "denied-digest"},

		{"another path matches no rule", restartRule, func(in *policy.Input) { in.Runbook.Path = "/srv/runbooks/sub/restart.sh" }, "no-rule-matches"},
		{"another kind matches no rule", restartRule, func(in *policy.Input) { in.Runbook.Kind = "python" }, "no-rule-matches"},
		{"another digest matches no rule", digestRule("other"), func(*policy.Input) {}, "no-rule-matches"},
		{"letters of another case match no rule", restartRule, func(in *policy.Input) { in.Runbook.Path = "/srv/Runbooks/restart.sh" }, "no-rule-matches"},
		{"letters that look alike match no rule", restartRule, func(in *policy.Input) { in.Runbook.Path = "/srv/runb\u043eoks/restart.sh" }, "no-rule-matches"},
		{"a path that only ends like it matches no rule", restartRule, func(in *policy.Input) { in.Runbook.Path = "/home/eve/srv/runbooks/restart.sh" }, "no-rule-matches"},

		{"a worker without a group is told so", restartRule, func(in *policy.Input) { in.Worker.Group = "" }, "worker-group-missing"},
		{"a worker of another group is denied", restartRule, func(in *policy.Input) { in.Worker.Group = "Web" }, "worker-not-allowed"},
		{"a worker of another label is denied", restartRule, func(in *policy.Input) { in.Worker.Labels["env"] = "prod" }, "worker-not-allowed"},
		{"a worker without the label is denied", restartRule, func(in *policy.Input) { in.Worker.Labels = map[string]string{} }, "worker-not-allowed"},

		{"a signer that nobody knows is denied", restartRule, func(in *policy.Input) { in.Signatures = []policy.Signature{signature("valid", "openpgp:FF")} }, "signer-not-allowed"},
		{"a signer of no allowed group is denied", restartRule, func(in *policy.Input) { in.Signatures = []policy.Signature{signature("valid", carolSPKI)} }, "signer-not-allowed"},
		{"an identity in lower case is nobody's", restartRule, func(in *policy.Input) { in.Signatures[0].Signer.IDs = []string{strings.ToLower(aliceKey)} }, "signer-not-allowed"},
		{"an account does not sign", restartRule, func(in *policy.Input) { in.Signatures[0].Signer.IDs = []string{"os:alice"} }, "signer-not-allowed"},
		{"a signature of two people is nobody's", restartRule, func(in *policy.Input) { in.Signatures[0].Signer.IDs = []string{aliceKey, bobKey} }, "signer-not-allowed"},
		{"a name in the certificate does not authorise", restartRule, func(in *policy.Input) {
			in.Signatures[0].Signer = policy.Signer{Display: "alice", IDs: []string{"alice"}}
		}, "signer-not-allowed"},
		{"an untrusted signature beside a valid one does not count", restartRule, func(in *policy.Input) {
			in.Signatures = []policy.Signature{signature("untrusted", aliceKey), signature("valid", carolSPKI)}
		}, "signer-not-allowed"},
		{"two signers are two people", two, func(in *policy.Input) {
			in.Signatures = []policy.Signature{signature("valid", aliceKey), signature("valid", bobKey)}
		}, ""},
		{"two keys of one person are one signer", two, func(in *policy.Input) {
			in.Signatures = []policy.Signature{signature("valid", aliceKey), signature("valid", aliceCert)}
		}, "too-few-signers"},
		{"one signer twice is one signer", two, func(in *policy.Input) {
			in.Signatures = []policy.Signature{signature("valid", aliceKey), signature("valid", aliceKey)}
		}, "too-few-signers"},
		{"a valid nested signature is a second signer", two, func(in *policy.Input) {
			in.Signatures = []policy.Signature{signature("valid", aliceKey), nested(signature("valid", bobKey))}
		}, ""},
		{"a nested signature that is not valid does not count", two, func(in *policy.Input) {
			in.Signatures = []policy.Signature{signature("valid", aliceKey), nested(signature("untrusted", bobKey))}
		}, "too-few-signers"},
		{"a nested signature that is not valid takes nothing away", restartRule, func(in *policy.Input) {
			in.Signatures = []policy.Signature{signature("valid", aliceKey), nested(signature("tampered"))}
		}, ""},
		{"valid with nothing but a nested signature is denied", restartRule, func(in *policy.Input) {
			in.Signatures = []policy.Signature{nested(signature("valid", aliceKey))}
		}, "signature-not-valid"},
		{"a second signer from outside does not count", two, func(in *policy.Input) {
			in.Signatures = []policy.Signature{signature("valid", aliceKey), signature("valid", carolSPKI)}
		}, "too-few-signers"},

		{"another caller is denied", restartRule, func(in *policy.Input) { in.Caller.Groups = []string{"os-group:users"} }, "requester-not-allowed"},
		{"a group of another namespace does not count", restartRule, func(in *policy.Input) { in.Caller.Groups = []string{"wheel", "entra:wheel"} }, "requester-not-allowed"},
		{"a caller whose groups are not all known is denied", restartRule, func(in *policy.Input) {
			in.Caller.Groups, in.Caller.GroupsComplete = []string{"os-group:users"}, false
		}, "groups-incomplete"},

		{"a parameter that no rule names is denied", restartRule, func(in *policy.Input) { in.Parameters["Force"] = "1" }, "parameter-unknown"},
		{"a parameter in another case is denied", restartRule, func(in *policy.Input) { in.Parameters = map[string]string{"service": "nginx"} }, "parameter-missing parameter-unknown"},
		{"a position that no rule names is denied", restartRule, func(in *policy.Input) { in.Parameters["1"] = "x" }, "parameter-unknown"},
		{"a required parameter is missing", restartRule, func(in *policy.Input) { in.Parameters = map[string]string{} }, "parameter-missing"},
		{"a value must match the whole pattern", restartRule, func(in *policy.Input) { in.Parameters["Service"] = "nginx; reboot" }, "parameter-pattern"},
		{"an empty value does not match [a-z]+", restartRule, func(in *policy.Input) { in.Parameters["Service"] = "" }, "parameter-pattern"},
		{"a value must be of its type", restartRule, func(in *policy.Input) { in.Parameters["Count"] = "1e3" }, "parameter-type"},
		{"a number may be negative", restartRule, func(in *policy.Input) { in.Parameters["Count"] = "-3" }, ""},
		{"a value must be one of the list", restartRule, func(in *policy.Input) { in.Parameters["Mode"] = "Soft" }, "parameter-enum"},
		{"every part that lacks something is named", restartRule, func(in *policy.Input) {
			in.Worker.Group, in.Parameters, in.Caller.Groups = "db", map[string]string{}, []string{}
		}, "parameter-missing requester-not-allowed worker-not-allowed"},
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	for _, tt := range decideCases() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := good()
			tt.change(&in)
			d := engine(t, peopleYAML+tt.rules).Decide(t.Context(), in)
			mustMatch(t, in, d)
			if tt.deny != "" {
				mustDeny(t, d, tt.deny)
				for _, r := range d.Deny {
					if r.Msg == "" || r.Rule == "" {
						t.Errorf("a reason without msg or rule: %+v", r)
					}
				}
				return
			}
			if !d.Allow || len(d.Deny) > 0 {
				t.Fatalf("denied: %+v", d.Deny)
			}
		})
	}
}

func digestRule(of string) string {
	return `rules:
  - name: by-digest
    match: {sha256: [` + runbook.DigestOf([]byte(of)).String() + `]}
    workers: {any: true}
    signed_by: {people: [alice]}
    requested_by: {anyone: true}
    parameters: {Service: {type: string}}
`
}

func TestOneRuleThatHoldsIsEnough(t *testing.T) {
	t.Parallel()
	other := strings.Replace(strings.Replace(restartRule, "rules:\n", "", 1), "name: restart", "name: other", 1)
	d := engine(t, peopleYAML+restartRule+strings.Replace(other, "groups: [web]", "groups: [db]", 1)).Decide(t.Context(), good())
	if !d.Allow || !cmp.Equal(d.Rules, []string{"restart"}) {
		t.Fatalf("rules %v, deny %+v", d.Rules, d.Deny)
	}
}

func TestTwoRulesGiveTheStricterObligations(t *testing.T) {
	t.Parallel()
	second := strings.NewReplacer("rules:\n", "", "name: restart", "name: second", "timeout: 5m, env: [LANG=C, HOME]", "timeout: 2m, env: [TZ=UTC]").Replace(restartRule)
	d := engine(t, peopleYAML+restartRule+second).Decide(t.Context(), good())
	want := policy.Obligations{Timeout: 2 * time.Minute, Env: []string{"LANG=C", "HOME"}}
	if diff := cmp.Diff(want, d.Obligations); diff != "" || !cmp.Equal(d.Rules, []string{"restart", "second"}) {
		t.Errorf("rules %v, obligations (-want +got):\n%s", d.Rules, diff)
	}
}

func TestPermitCarriesWhatWasDecidedOn(t *testing.T) {
	t.Parallel()
	v := verified(t, "restart.sh.asc", aliceKey)
	request := policy.Request{
		Path: "/srv/runbooks/restart.sh.asc", Caller: good().Caller, Worker: good().Worker,
		Arguments: []policy.Argument{{Name: "Service", Value: "nginx"}, {Name: "Count", Value: "2"}},
		Now:       time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
	}
	e := engine(t, peopleYAML+restartRule)
	in, err := policy.NewInput(v, request)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("an allowing decision has a permit", func(t *testing.T) {
		t.Parallel()
		d := e.Decide(t.Context(), in)
		p, err := d.Permit()
		if err != nil {
			t.Fatalf("%v: %+v", err, d.Deny)
		}
		if p.Payload() != v.Report().Payload || p.File() != v.Report().File {
			t.Error("the permit is for other bytes")
		}
		if !cmp.Equal(p.Arguments(), request.Arguments) || p.Obligations().Timeout != 5*time.Minute {
			t.Errorf("arguments %v, obligations %v", p.Arguments(), p.Obligations())
		}
		if want := request.Now.Add(time.Minute); !p.Expires().Equal(want) {
			t.Errorf("expires at %v, want %v", p.Expires(), want)
		}
	})
	t.Run("an input changed after it was made is denied", func(t *testing.T) {
		t.Parallel()
		changed := in
		changed.Runbook.Path = "/srv/runbooks/other.sh.asc"
		mustDeny(t, e.Decide(t.Context(), changed), policy.CodeInputInvalid)
	})
	t.Run("a decoded input never gives a permit", func(t *testing.T) {
		t.Parallel()
		data, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var decoded policy.Input
		if err := json.Unmarshal(data, &decoded); err != nil {
			t.Fatal(err)
		}
		d := e.Decide(t.Context(), decoded)
		if _, err := d.Permit(); !d.Allow || err == nil {
			t.Errorf("allow %v, permit error %v", d.Allow, err)
		}
	})
	t.Run("the input of a report never gives a permit", func(t *testing.T) {
		t.Parallel()
		fromReport, err := policy.NewReportInput(v.Report(), request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Decide(t.Context(), fromReport).Permit(); err == nil {
			t.Error("it did")
		}
	})
	t.Run("a decoded decision never permits", func(t *testing.T) {
		t.Parallel()
		d := e.Decide(t.Context(), in)
		data, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var decoded policy.Decision
		if err := json.Unmarshal(data, &decoded); err != nil {
			t.Fatal(err)
		}
		if _, err := decoded.Permit(); err == nil || !decoded.Allow {
			t.Errorf("allow %v, permit error %v", decoded.Allow, err)
		}
		if diff := cmp.Diff(d.Obligations, decoded.Obligations); diff != "" {
			t.Error(diff)
		}
	})
}

func TestZeroValuesDeny(t *testing.T) {
	t.Parallel()
	if _, err := (policy.Decision{}).Permit(); err == nil {
		t.Error("the zero Decision permits")
	}
	if _, err := (policy.Decision{Allow: true, Rules: []string{"x"}}).Permit(); err == nil {
		t.Error("a Decision made by hand permits")
	}
	var none *policy.Engine
	mustDeny(t, none.Decide(t.Context(), good()), policy.CodePolicyError)
	mustDeny(t, new(policy.Engine).Decide(t.Context(), good()), policy.CodePolicyError)
	mustDeny(t, engine(t, peopleYAML+restartRule).Decide(t.Context(), policy.Input{}), policy.CodeInputInvalid)
}

func TestAnEndedContextDenies(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	mustDeny(t, engine(t, peopleYAML+restartRule).Decide(ctx, good()), policy.CodePolicyError)
}
