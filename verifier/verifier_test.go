package verifier_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// fixed is a format that gives the same outcome for every file: the verifier's
// own rules are the subject here, the real formats have tests of their own.
type fixed struct {
	name string
	out  verifier.Outcome
	err  error
}

func (f fixed) Name() string                                                        { return f.name }
func (f fixed) Load(*verifier.TrustStore) (verifier.Checker, error)                 { return f, f.err }
func (f fixed) Check(context.Context, *runbook.Runbook, time.Time) verifier.Outcome { return f.out }

func signature(checks ...verifier.Check) verifier.Signature {
	return verifier.Signature{Checks: checks}
}

var (
	good    = signature(verifier.Passed(verifier.CheckSignature, "fine"))
	unknown = signature(verifier.Failed(verifier.CheckTrust, "nobody we know"))
	bad     = signature(verifier.Failed(verifier.CheckSignature, "wrong"))
)

func newVerifier(t *testing.T, formats ...verifier.Format) *verifier.Verifier {
	t.Helper()
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "s", Room: verifier.RoomX509CA, Name: "ca.pem", Data: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(trust, verifier.Options{Formats: formats, Now: func() time.Time { return time.Unix(1, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func parse(t *testing.T, name string) *runbook.Runbook {
	t.Helper()
	rb, err := runbook.Parse(name, []byte("the file\n"))
	if err != nil {
		t.Fatal(err)
	}
	return rb
}

func TestNewRefusesAVerifierThatCouldNotSayNo(t *testing.T) {
	t.Parallel()
	trust, err := verifier.NewTrust(verifier.TrustFile{Room: verifier.RoomOpenPGP, Name: "k", Data: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	empty, err := verifier.NewTrust()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		trust *verifier.TrustStore
		o     verifier.Options
		want  error
	}{
		"no trust":    {nil, verifier.Options{Formats: []verifier.Format{fixed{}}}, verifier.ErrNoTrust},
		"empty trust": {empty, verifier.Options{Formats: []verifier.Format{fixed{}}}, verifier.ErrNoTrust},
		"no formats":  {trust, verifier.Options{}, verifier.ErrNoFormats},
	} {
		if _, err := verifier.New(tt.trust, tt.o); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
	broken := &verifier.TrustError{Path: "ca.pem", Err: errors.New("no certificate")}
	var te *verifier.TrustError
	if _, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{fixed{err: broken}}}); !errors.As(err, &te) {
		t.Errorf("unreadable anchor: got %v, want *TrustError", err)
	}
	var zero verifier.Verifier
	if _, err := zero.Verify(t.Context(), parse(t, "a.sh")); err == nil {
		t.Error("the zero Verifier verified something")
	}
}

func TestAnInspectorFindsNothingValid(t *testing.T) {
	t.Parallel()
	lax := fixed{out: verifier.Outcome{Claimed: true, Verdict: verifier.Valid, Signatures: []verifier.Signature{good}}}
	i, err := verifier.NewInspector(verifier.Options{Formats: []verifier.Format{lax}})
	if err != nil {
		t.Fatal(err)
	}
	if report, err := i.Inspect(t.Context(), parse(t, "a.sh")); err == nil {
		t.Errorf("without trust a file is %s", report.Verdict)
	}
	var zero *verifier.Inspector
	if _, err := zero.Inspect(t.Context(), parse(t, "a.sh")); err == nil {
		t.Error("the nil Inspector inspected something")
	}
}

func TestVerdictOfAFile(t *testing.T) {
	t.Parallel()
	claimed := func(v verifier.Verdict, sideBySide bool, s ...verifier.Signature) verifier.Outcome {
		return verifier.Outcome{Claimed: true, Verdict: v, SideBySide: sideBySide, Signatures: s, Payload: []byte("the payload\n")}
	}
	for name, tt := range map[string]struct {
		file string
		out  verifier.Outcome
		want verifier.Verdict
	}{
		"a good signature":                          {"a.sh", claimed(verifier.Valid, false, good), verifier.Valid},
		"a good signature in a bad container":       {"a.sh", claimed(verifier.Malformed, false, good), verifier.Malformed},
		"a container that was not judged":           {"a.sh", claimed(verifier.NotChecked, false, good), verifier.NotChecked},
		"a container without a signature":           {"a.sh", claimed(verifier.Valid, true), verifier.Unsigned},
		"a signature without checks":                {"a.sh", claimed(verifier.Valid, false, signature()), verifier.NotChecked},
		"good and unknown, side by side":            {"a.sh", claimed(verifier.Valid, true, unknown, good), verifier.Valid},
		"good and unknown, not side by side":        {"a.sh", claimed(verifier.Valid, false, good, unknown), verifier.Untrusted},
		"unknown alone, side by side":               {"a.sh", claimed(verifier.Valid, true, unknown), verifier.Untrusted},
		"good and bad, side by side":                {"a.sh", claimed(verifier.Valid, true, good, bad), verifier.BadSignature},
		"no format, a type that writ knows":         {"a.sh", verifier.Outcome{}, verifier.Unsigned},
		"no format, a type that writ does not know": {"a.xyz", verifier.Outcome{}, verifier.Unsupported},
		"no format, a type that the format knows":   {"a.xyz", verifier.Outcome{Capable: true}, verifier.Unsigned},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVerifier(t, fixed{name: "f", out: tt.out})
			report, err := v.Inspect(t.Context(), parse(t, tt.file))
			if err != nil {
				t.Fatal(err)
			}
			if report.Verdict != tt.want {
				t.Errorf("verdict %s, want %s", report.Verdict, tt.want)
			}
			verified, err := v.Verify(t.Context(), parse(t, tt.file))
			if tt.want == verifier.Valid {
				if err != nil || string(verified.Payload()) != "the payload\n" || report.Payload != runbook.DigestOf(verified.Payload()) {
					t.Errorf("valid, but payload %q, error %v", verified.Payload(), err)
				}
				return
			}
			var unverified *verifier.UnverifiedError
			if !errors.As(err, &unverified) || verified != nil {
				t.Errorf("Verify of a file that is %s gave %v, %v", tt.want, verified, err)
			}
			if !report.Payload.IsZero() {
				t.Error("a file that is not valid has a payload digest")
			}
		})
	}
}

func TestAFileOfTwoFormatsIsMalformed(t *testing.T) {
	t.Parallel()
	out := verifier.Outcome{Claimed: true, Verdict: verifier.Valid, Signatures: []verifier.Signature{good}, Payload: []byte("x")}
	v := newVerifier(t, fixed{name: "one", out: out}, fixed{name: "two", out: out})
	report, err := v.Inspect(t.Context(), parse(t, "a.sh"))
	if err != nil || report.Verdict != verifier.Malformed {
		t.Errorf("got %v, %v; want malformed", report, err)
	}
}

func TestAnEndedContextIsNoAnswer(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, fixed{out: verifier.Outcome{Claimed: true, Verdict: verifier.Valid, Signatures: []verifier.Signature{good}}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Verify(ctx, parse(t, "a.sh")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
