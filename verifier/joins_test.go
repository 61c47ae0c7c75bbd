package verifier_test

import (
	"testing"

	"github.com/runwrit/writ/verifier"
)

// TestASignatureThatJoinsIsJudgedTogetherWithWhatIsInside: the first outcome
// stands inside the file, or beside it where it says so, the second joins.
func TestASignatureThatJoinsIsJudgedTogetherWithWhatIsInside(t *testing.T) {
	t.Parallel()
	outcome := func(v verifier.Verdict, s ...verifier.Signature) verifier.Outcome {
		return verifier.Outcome{Claimed: true, Verdict: v, Signatures: s, Payload: []byte("the payload\n")}
	}
	beside := outcome(verifier.Valid, good)
	beside.Beside = true
	for name, tt := range map[string]struct {
		first, joining verifier.Outcome
		want           verifier.Verdict
		format         string
		signatures     int
	}{
		"both are good":                          {outcome(verifier.Valid, good), outcome(verifier.Valid, good), verifier.Valid, "inside", 2},
		"inside is a stranger's":                 {outcome(verifier.Valid, unknown), outcome(verifier.Valid, good), verifier.Valid, "joins", 2},
		"beside is a stranger's":                 {outcome(verifier.Valid, good), outcome(verifier.Valid, unknown), verifier.Valid, "inside", 2},
		"both are strangers'":                    {outcome(verifier.Valid, unknown), outcome(verifier.Valid, unknown), verifier.Untrusted, "inside", 2},
		"inside is bad":                          {outcome(verifier.Valid, bad), outcome(verifier.Valid, good), verifier.BadSignature, "joins", 2},
		"beside is bad":                          {outcome(verifier.Valid, good), outcome(verifier.Valid, bad), verifier.BadSignature, "inside", 2},
		"inside only looks signed":               {outcome(verifier.Unsigned), outcome(verifier.Valid, good), verifier.Unsigned, "joins", 1},
		"inside the container is damaged":        {outcome(verifier.Damaged, unknown), outcome(verifier.Valid, good), verifier.Damaged, "joins", 2},
		"beside there is no signature":           {outcome(verifier.Valid, good), outcome(verifier.Malformed), verifier.Malformed, "inside", 1},
		"it is all there is":                     {verifier.Outcome{}, outcome(verifier.Valid, good), verifier.Valid, "joins", 1},
		"it is all there is, and a stranger's":   {verifier.Outcome{}, outcome(verifier.Valid, unknown), verifier.Untrusted, "joins", 1},
		"another one lies beside the file, good": {beside, outcome(verifier.Valid, good), verifier.Valid, "inside", 2},
		"another one lies beside the file, bad":  {beside, outcome(verifier.Valid, bad), verifier.BadSignature, "inside", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			joining := tt.joining
			joining.Beside, joining.Joins = true, true
			v := newVerifier(t, fixed{name: "inside", out: tt.first}, fixed{name: "joins", out: joining})
			report, err := v.Inspect(t.Context(), parse(t, "a.ps1"))
			if err != nil {
				t.Fatal(err)
			}
			if report.Verdict != tt.want || report.Format != tt.format || len(report.Signatures) != tt.signatures {
				t.Errorf("%s, format %q, %d signatures; want %s, %q, %d", report.Verdict, report.Format, len(report.Signatures), tt.want, tt.format, tt.signatures)
			}
			if tt.want != verifier.Valid && !report.Payload.IsZero() {
				t.Error("a file that is not valid has a payload digest")
			}
		})
	}
}

// TestTwoFormatsInsideAreMalformedWhateverJoins: a good signature beside the file
// does not heal it.
func TestTwoFormatsInsideAreMalformedWhateverJoins(t *testing.T) {
	t.Parallel()
	out := verifier.Outcome{Claimed: true, Verdict: verifier.Valid, Signatures: []verifier.Signature{good}, Payload: []byte("x")}
	joining := out
	joining.Beside, joining.Joins = true, true
	v := newVerifier(t, fixed{name: "one", out: out}, fixed{name: "joins", out: joining}, fixed{name: "two", out: out})
	report, err := v.Inspect(t.Context(), parse(t, "a.ps1"))
	if err != nil || report.Verdict != verifier.Malformed {
		t.Errorf("got %v, %v; want malformed", report, err)
	}
}
