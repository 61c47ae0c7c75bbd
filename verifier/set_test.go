package verifier_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// setFormat gives one outcome for every set.
type setFormat struct{ out verifier.Outcome }

func (f setFormat) Name() string { return "manifest" }

func (f setFormat) Load(*verifier.TrustStore) (verifier.Checker, error) { return f, nil }

func (f setFormat) Check(context.Context, *runbook.Runbook, time.Time) verifier.Outcome {
	return verifier.Outcome{}
}

func (f setFormat) CheckSet(context.Context, *runbook.Runbook, time.Time) verifier.Outcome {
	return f.out
}

// project is a runbook with one file beside it.
func project(t *testing.T, entry string, absent ...string) *runbook.Runbook {
	t.Helper()
	members := []runbook.Member{}
	for path, text := range map[string]string{entry: "the file\n", "lib/l.sh": "the library\n"} {
		m, err := runbook.ReadMember(path, false, strings.NewReader(text), 0)
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, m)
	}
	for _, path := range absent {
		members = append(members, runbook.AbsentMember(path, "it is not there"))
	}
	rb, err := runbook.NewSet("/srv/p/"+entry, []byte("the manifest\n"), entry, members)
	if err != nil {
		t.Fatal(err)
	}
	return rb
}

func TestAFileOfAProjectIsJudgedByManifestAndByItself(t *testing.T) {
	t.Parallel()
	file := []byte("the file\n")
	listed := verifier.Outcome{Claimed: true, SideBySide: true, Verdict: verifier.Valid, Signatures: []verifier.Signature{good}, Payload: file}
	with := func(o verifier.Outcome, change func(*verifier.Outcome)) verifier.Outcome {
		change(&o)
		return o
	}
	none := verifier.Outcome{}
	own := verifier.Outcome{Claimed: true, Verdict: verifier.Valid, Signatures: []verifier.Signature{good}, Payload: file}
	for name, c := range map[string]struct {
		entry      string
		listed     verifier.Outcome
		own        verifier.Outcome
		want       verifier.Verdict
		signatures int
	}{
		"no signature of its own":             {"bin/a.sh", listed, none, verifier.Valid, 1},
		"of a type that carries none":         {"bin/a.txt", listed, none, verifier.Valid, 1},
		"both valid":                          {"bin/a.sh", listed, own, verifier.Valid, 2},
		"its own is wrong":                    {"bin/a.sh", listed, with(own, func(o *verifier.Outcome) { o.Signatures = []verifier.Signature{bad} }), verifier.BadSignature, 2},
		"its own is by nobody we know":        {"bin/a.sh", listed, with(own, func(o *verifier.Outcome) { o.Signatures = []verifier.Signature{unknown} }), verifier.Untrusted, 2},
		"its own container is broken":         {"bin/a.sh", listed, with(own, func(o *verifier.Outcome) { o.Verdict, o.Signatures = verifier.Malformed, nil }), verifier.Malformed, 1},
		"its own is of something else":        {"bin/a.sh", listed, with(own, func(o *verifier.Outcome) { o.Payload = []byte("other\n") }), verifier.Unsupported, 2},
		"it only looks signed":                {"bin/a.sh", listed, verifier.Outcome{Claimed: true, Verdict: verifier.Unsigned}, verifier.Unsigned, 1},
		"its own is valid, the manifest not":  {"bin/a.sh", with(listed, func(o *verifier.Outcome) { o.Signatures = []verifier.Signature{bad} }), own, verifier.BadSignature, 2},
		"the manifest is by nobody we know":   {"bin/a.sh", with(listed, func(o *verifier.Outcome) { o.Signatures = []verifier.Signature{unknown} }), own, verifier.Untrusted, 2},
		"the manifest has no signature":       {"bin/a.sh", with(listed, func(o *verifier.Outcome) { o.Signatures = nil }), none, verifier.Unsigned, 0},
		"a file is changed":                   {"bin/a.sh", with(listed, func(o *verifier.Outcome) { o.Verdict = verifier.Tampered }), own, verifier.Tampered, 2},
		"the manifest's payload is another":   {"bin/a.sh", with(listed, func(o *verifier.Outcome) { o.Payload = []byte("other\n") }), none, verifier.NotChecked, 1},
		"the format of manifests says naught": {"bin/a.sh", none, own, verifier.NotChecked, 1},
	} {
		for _, order := range []string{"first", "last"} {
			formats := []verifier.Format{setFormat{c.listed}, fixed{name: "own", out: c.own}}
			if order == "last" {
				slices.Reverse(formats)
			}
			v, rb := newVerifier(t, formats...), project(t, c.entry)
			report, err := v.Inspect(t.Context(), rb)
			if err != nil {
				t.Fatal(err)
			}
			if report.Verdict != c.want || len(report.Signatures) != c.signatures || report.Format != "manifest" {
				t.Errorf("%s, %s: %s with %d signatures, format %q, want %s with %d", name, order, report.Verdict, len(report.Signatures), report.Format, c.want, c.signatures)
			}
			if set := report.Set; set == nil || set.Entry != c.entry || set.Files != 2 || set.List.IsZero() == (c.want == verifier.Valid) || report.Payload.IsZero() == (c.want == verifier.Valid) {
				t.Errorf("%s: payload %s, set %+v", name, report.Payload, set)
			}
			verified, err := v.Verify(t.Context(), rb)
			if (err == nil) != (c.want == verifier.Valid) {
				t.Errorf("%s: %v", name, err)
			}
			if err == nil && (verified.Set() != rb.Set() || string(verified.Payload()) != "the file\n" || report.Set.List != rb.Set().Digest()) {
				t.Errorf("%s: verified is %q with the set %v", name, verified.Payload(), verified.Set())
			}
		}
	}
}

func TestWithoutAFormatForManifestsNoProjectIsValid(t *testing.T) {
	t.Parallel()
	own := verifier.Outcome{Claimed: true, Verdict: verifier.Valid, Signatures: []verifier.Signature{good}, Payload: []byte("the file\n")}
	report, err := newVerifier(t, fixed{name: "own", out: own}).Inspect(t.Context(), project(t, "a.sh"))
	if err != nil || report.Verdict != verifier.Unsupported {
		t.Errorf("%v, %v", report, err)
	}
}

func TestASetThatLacksAFileIsNeverValid(t *testing.T) {
	t.Parallel()
	out := verifier.Outcome{Claimed: true, Verdict: verifier.Valid, Signatures: []verifier.Signature{good}, Payload: []byte("the file\n")}
	var unverified *verifier.UnverifiedError
	if _, err := newVerifier(t, setFormat{out}).Verify(t.Context(), project(t, "a.sh", "gone.sh")); !errors.As(err, &unverified) {
		t.Errorf("a format that overlooks it: %v", err)
	}
}

// A library that is denied is denied whoever loads it.
func TestADeniedFileOfAProjectRevokesTheWhole(t *testing.T) {
	t.Parallel()
	out := verifier.Outcome{Claimed: true, Verdict: verifier.Valid, Signatures: []verifier.Signature{good}, Payload: []byte("the file\n")}
	rb := project(t, "a.sh")
	for name, c := range map[string]struct {
		denied runbook.Digest
		want   verifier.Verdict
	}{
		"the file itself": {rb.Digest(), verifier.Revoked},
		"another file":    {runbook.DigestOf([]byte("the library\n")), verifier.Revoked},
		"the list":        {rb.Set().Digest(), verifier.Revoked},
		"the document":    {runbook.DigestOf([]byte("the manifest\n")), verifier.Revoked},
		"something else":  {runbook.DigestOf([]byte("else")), verifier.Valid},
	} {
		trust, err := verifier.NewTrust(
			verifier.TrustFile{Store: "s", Room: verifier.RoomOpenPGP, Name: "k", Data: []byte("k")},
			verifier.TrustFile{Store: "s", Room: verifier.RoomDeny, Name: "list", Data: []byte("sha256:" + c.denied.String() + "\n")},
		)
		if err != nil {
			t.Fatal(err)
		}
		v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{setFormat{out}}})
		if err != nil {
			t.Fatal(err)
		}
		report, err := v.Inspect(t.Context(), rb)
		if err != nil || report.Verdict != c.want {
			t.Errorf("%s: %s, %v, want %s", name, report.Verdict, err, c.want)
		}
	}
}
