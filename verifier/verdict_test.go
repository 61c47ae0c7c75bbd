package verifier_test

import (
	"encoding/json"
	"testing"

	"github.com/runwrit/writ/verifier"
)

func TestZeroValuesSayNo(t *testing.T) {
	t.Parallel()
	var v verifier.Verdict
	var s verifier.Status
	if v == verifier.Valid || v.String() != "not-checked" {
		t.Errorf("the zero verdict is %q", v)
	}
	if s == verifier.StatusPassed || s.String() != "not-checked" {
		t.Errorf("the zero status is %q", s)
	}
	if got := verifier.Worst(); got != verifier.NotChecked {
		t.Errorf("the worst of no verdicts is %s, want not-checked", got)
	}
	if got := verifier.JudgeChecks(nil); got != verifier.NotChecked {
		t.Errorf("no checks amount to %s, want not-checked", got)
	}
	for _, wild := range []verifier.Status{-1, 4, 99} {
		if wild.String() != "not-checked" {
			t.Errorf("status %d reads %q", int(wild), wild)
		}
	}
}

func TestVerdictWordsAreStable(t *testing.T) {
	t.Parallel()
	want := `["not-checked","tampered","bad-signature","malformed","ambiguous","noncanonical","damaged","revoked","wrong-purpose","weak","untrusted","expired","unsupported","unsigned","valid"]`
	got, err := json.Marshal(verifier.Verdicts())
	if err != nil || string(got) != want {
		t.Errorf("verdicts are\n%s, want\n%s (%v)", got, want, err)
	}
}

func TestWorstIsTheFirstOfTheOrder(t *testing.T) {
	t.Parallel()
	all := verifier.Verdicts()
	for i, a := range all {
		for j, b := range all {
			if got := verifier.Worst(a, b); got != all[min(i, j)] {
				t.Errorf("worst of %s and %s is %s", a, b, got)
			}
		}
	}
	if got := verifier.Worst(verifier.Valid, "excellent"); got != verifier.NotChecked {
		t.Errorf("an unknown word beside valid gives %s, want not-checked", got)
	}
}

func TestJudgeChecks(t *testing.T) {
	t.Parallel()
	pass := func(id verifier.CheckID) verifier.Check { return verifier.Passed(id, "") }
	fail := func(id verifier.CheckID) verifier.Check { return verifier.Failed(id, "") }
	for name, tt := range map[string]struct {
		checks []verifier.Check
		want   verifier.Verdict
	}{
		"all passed":                      {[]verifier.Check{pass(verifier.CheckLayout), pass(verifier.CheckTrust)}, verifier.Valid},
		"one failed":                      {[]verifier.Check{pass(verifier.CheckLayout), fail(verifier.CheckTrust)}, verifier.Untrusted},
		"two failed, the worse counts":    {[]verifier.Check{fail(verifier.CheckTrust), fail(verifier.CheckContentDigest)}, verifier.Tampered},
		"one not made":                    {[]verifier.Check{pass(verifier.CheckLayout), {ID: verifier.CheckTrust}}, verifier.NotChecked},
		"one unknown":                     {[]verifier.Check{pass(verifier.CheckLayout), {ID: verifier.CheckTrust, Status: verifier.StatusUnknown}}, verifier.NotChecked},
		"one unknown beside a failed one": {[]verifier.Check{fail(verifier.CheckTrust), {ID: verifier.CheckSignature, Status: verifier.StatusUnknown}}, verifier.Untrusted},
		"a check of no known name":        {[]verifier.Check{pass("charm")}, verifier.NotChecked},
		"a status out of range":           {[]verifier.Check{{ID: verifier.CheckTrust, Status: 77}}, verifier.NotChecked},
	} {
		if got := verifier.JudgeChecks(tt.checks); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
	for _, id := range verifier.CheckIDs() {
		if got := verifier.JudgeChecks([]verifier.Check{fail(id)}); got == verifier.Valid || got == verifier.NotChecked || got == verifier.Unsigned {
			t.Errorf("a failed check %s gives %s", id, got)
		}
	}
}
