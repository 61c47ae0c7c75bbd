package render_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/internal/doctor"
	"github.com/runwrit/writ/internal/manifest"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/store"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

const evil = "::error::x ##[error]y ##vso[task.complete]z\n::error::x\x1b[2J\u202e\nvalid\u200b\xff\u2028\x7f\u009b\U000e0041"

// hostile is a report in which every text that can come from an input is evil.
func hostile() *verifier.Report {
	return &verifier.Report{
		Name: evil, Format: "authenticode", File: runbook.DigestOf(nil), Verdict: verifier.Untrusted,
		Signatures: []verifier.Signature{{
			Format: "authenticode", Verdict: verifier.Untrusted, SignedAtSource: verifier.TimeNone,
			Signer: verifier.Identity{IDs: []string{evil}, Display: evil, Issuer: evil, KeyID: evil, Algorithm: evil},
			Claims: &verifier.Claims{Name: evil, Kind: evil, Version: evil, Namespace: evil},
			Checks: []verifier.Check{{ID: verifier.CheckTrust, Status: verifier.StatusFailed, Detail: evil}},
		}},
		Findings: []verifier.Finding{{Code: "odd", Line: 3, Detail: evil, Fix: evil}},
	}
}

func renderAll(t *testing.T, name string) map[string]string {
	t.Helper()
	r, err := render.New(name)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	var b bytes.Buffer
	take := func(what string, err error) {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		out[what] = b.String()
		b.Reset()
	}
	file := render.File{Path: evil, Report: hostile()}
	take("verify", r.Verify(&b, []render.File{file}))
	take("inspect", r.Inspect(&b, render.Inspection{File: file}))
	take("audit", r.Audit(&b, &audit.Result{
		Entries:  []audit.Entry{{Path: evil, Report: hostile()}},
		Sources:  []audit.Source{{Path: evil, SignedAs: evil}},
		Skipped:  []audit.Skip{{Path: evil, Reason: evil}},
		Problems: []audit.Problem{{Path: evil, Err: errors.New(evil)}},
	}))
	reason := policy.Reason{Code: evil, Msg: evil, Hint: evil, Rule: evil}
	decision := policy.Decision{
		Deny: []policy.Reason{reason}, Warn: []policy.Reason{reason}, WouldDeny: []policy.Reason{reason}, Rules: []string{evil},
		Obligations: policy.Obligations{User: evil, Sandbox: []string{evil}, Tokens: []string{evil}},
		Exemptions:  []policy.Exemption{{ID: evil, Codes: []string{evil}, Owner: evil, Approver: evil, Reason: evil}},
	}
	take("decision", r.Decision(&b, decision))
	take("explanation", r.Explanation(&b, policy.Explanation{
		Decision: decision, Approvals: []policy.ApprovalOutcome{{What: evil, People: []string{evil}, Faults: []string{evil}}}, Signers: []string{evil}, Requester: evil, Fired: []string{evil},
		Input: policy.Input{
			Runbook: policy.Runbook{Path: evil, Kind: evil, Verdict: evil}, Caller: policy.Caller{ID: evil},
			Worker: policy.Worker{ID: evil, Group: evil}, Parameters: map[string]string{evil: evil},
		},
		Rules: []policy.RuleOutcome{{Name: evil, Parts: []policy.PartOutcome{{
			Part: evil, Lacks: []policy.Lack{{Part: evil, Code: evil, Msg: evil, Hint: evil}},
		}}}},
	}))
	generation := store.Generation{Name: evil, Signers: []string{evil}}
	take("bundle", r.Bundle(&b, render.Bundle{Path: evil, Name: evil, MinTool: evil, Signers: []string{evil}, Files: []string{evil}}))
	take("policy store", r.PolicyStore(&b, render.NewPolicyStore(evil, store.State{
		Active: &generation, Previous: &generation, History: []store.Change{{Action: evil, Reason: evil}},
	}, 1, time.Time{})))
	take("activation", r.Activation(&b, &store.Activation{Generation: generation, Notes: []string{evil}}))
	take("policy problems", r.PolicyProblems(&b, []*policy.FileError{{File: evil, Line: 1, Field: evil, Msg: evil}}))
	take("chain", r.Chain(&b, render.Chain{
		Path: evil, Summary: ledger.Summary{Records: 1}, Damage: &ledger.ChainError{Problem: ledger.ProblemEdited, Detail: evil},
	}))
	body, err := json.Marshal(map[string]any{
		"runbook": map[string]string{"name": evil}, "verdict": evil, "rules": []string{evil}, "deny": []policy.Reason{reason},
		"input":       map[string]any{"caller": policy.Caller{ID: evil}, "worker": policy.Worker{ID: evil}},
		"interpreter": evil, "error": evil, "x": evil,
	})
	if err != nil {
		t.Fatal(err)
	}
	records := r.Records(&b)
	for _, of := range []ledger.Type{ledger.TypeDecision, ledger.TypeStart, ledger.TypeEnd, ledger.TypeRepair, ledger.Type(evil)} {
		if err := records.Write(ledger.Record{Type: of, Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	take("records", records.Close())
	take("no records", r.Records(&b).Close())
	take("doctor", r.Doctor(&b, &doctor.Report{
		Root: evil, Unread: []doctor.Unread{{Where: evil, Detail: evil}},
		Findings: []doctor.Finding{{Code: "odd", Where: evil, Detail: evil, Why: evil, Mend: []string{evil}, Note: evil}},
	}))
	take("version", r.Version(&b, render.Version{Version: evil, Formats: []string{"authenticode"}}))
	return out
}

func TestNothingHostileLeavesARenderer(t *testing.T) {
	t.Parallel()
	for _, name := range render.Formats() {
		for what, out := range renderAll(t, name) {
			if r, bad := deceptive(strings.ReplaceAll(out, "\n", " ")); bad {
				t.Errorf("%s of %s lets %U through:\n%q", what, name, r, out)
			}
			if name == "json" && !json.Valid([]byte(out)) {
				t.Errorf("%s is not JSON:\n%s", what, out)
			}
			if name == "text" && slices.ContainsFunc(strings.Split(out, "\n"), func(l string) bool { return strings.HasPrefix(l, "valid") }) {
				t.Errorf("in %s an input wrote a line of its own:\n%s", what, out)
			}
		}
	}
}

func TestTheJSONOfVerifyIsTheContract(t *testing.T) {
	t.Parallel()
	r, err := render.New("json")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 13, 0, 0, 123, time.FixedZone("somewhere", 3600))
	var b bytes.Buffer
	err = r.Verify(&b, []render.File{
		{Path: "a.ps1", Report: &verifier.Report{
			Name: "a.ps1", Format: "authenticode", Verdict: verifier.Valid,
			File: runbook.DigestOf([]byte("a")), Payload: runbook.DigestOf([]byte("b")),
			Signatures: []verifier.Signature{{
				Format: "authenticode", Verdict: verifier.Valid, SignedAt: at, SignedAtSource: verifier.TimeClaimed,
				Signer: verifier.Identity{IDs: []string{"x509-sha256:00"}, Display: "CN=<A> & B"},
				Checks: []verifier.Check{verifier.Passed(verifier.CheckLayout, "fine")},
			}},
		}},
		{Path: "b.sh", Report: &verifier.Report{Name: "b.sh", Findings: []verifier.Finding{{Code: "c", Line: 2, Detail: "d", Fix: "f"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/verify.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestArraysInJSONAreNeverNull(t *testing.T) {
	t.Parallel()
	r, err := render.New("json")
	if err != nil {
		t.Fatal(err)
	}
	empty := &verifier.Report{Signatures: []verifier.Signature{{}}}
	for what, f := range map[string]func(*bytes.Buffer) error{
		"verify":  func(b *bytes.Buffer) error { return r.Verify(b, nil) },
		"inspect": func(b *bytes.Buffer) error { return r.Inspect(b, render.Inspection{File: render.File{Report: empty}}) },
		"audit":   func(b *bytes.Buffer) error { return r.Audit(b, &audit.Result{}) },
	} {
		var b bytes.Buffer
		if err := f(&b); err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		walkJSON(doc, "", func(path string, v any) {
			if v == nil && !strings.HasSuffix(path, "signed_at") && !strings.HasSuffix(path, "not_after") {
				t.Errorf("%s: %s is null", what, path)
			}
		})
	}
}

func walkJSON(v any, path string, visit func(string, any)) {
	visit(path, v)
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			walkJSON(e, path+"."+k, visit)
		}
	case []any:
		for _, e := range v {
			walkJSON(e, path+"[]", visit)
		}
	}
}

func TestARecordIsOneLineForPeople(t *testing.T) {
	t.Parallel()
	const asked = `"runbook":{"name":"a.sh"},"verdict":"valid","input":{"caller":{"id":"os:eva"},"worker":{"id":"w1"}}`
	for _, c := range []struct {
		of         ledger.Type
		body, want string
	}{
		{ledger.TypeDecision, `{"allow":true,"rules":["ops","web"],` + asked + `}`, "allowed: rule ops, web; file valid; by os:eva on w1; a.sh"},
		{ledger.TypeDecision, `{"allow":true,"dry_run":true,"rules":["ops"],` + asked + `}`, "allowed (dry run): rule ops; file valid; by os:eva on w1; a.sh"},
		{ledger.TypeDecision, `{"deny":[{"code":"x"},{"code":"y"}],` + asked + `}`, "denied: x, y; file valid; by os:eva on w1; a.sh"},
		{ledger.TypeDecision, `{"runbook":{"name":"a.sh"},"verdict":"tampered","input":null}`, "denied: no reason; file tampered; by none on none; a.sh"},
		{ledger.TypeStart, `{"decision":1,"interpreter":"/bin/bash","runbook":{"name":"a.sh"}}`, "of decision 1: /bin/bash runs a.sh"},
		{ledger.TypeStart, `{"decision":1,"interpreter":"/bin/bash","runbook":{"name":"a.sh"},"user":"nobody","sandbox":"strict"}`, "of decision 1: /bin/bash runs a.sh as nobody, sandbox strict"},
		{ledger.TypeEnd, `{"decision":1,"started":true,"status":7,"duration_ms":1500}`, "of decision 1 after 1.5s: exit code 7"},
		{ledger.TypeEnd, `{"decision":1,"started":true,"status":-1,"signal":9,"timed_out":true}`, "of decision 1 after 0s: timed out, signal 9"},
		{ledger.TypeEnd, `{"decision":1,"started":true,"status":3,"canceled":true}`, "of decision 1 after 0s: ended by the gate, exit code 3"},
		{ledger.TypeEnd, `{"decision":1,"error":"no memory"}`, "of decision 1 after 0s: not started: no memory"},
		{ledger.TypeRepair, `{"dropped_bytes":12}`, "an incomplete last line of 12 bytes was cut off"},
		{ledger.TypeEnd, `{"status":"of another program"}`, `{"status":"of another program"}`},
	} {
		r, err := render.New("text")
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		record := ledger.Record{Seq: 4, Time: time.Date(2026, 11, 22, 12, 0, 0, 5, time.UTC), Type: c.of, Body: json.RawMessage(c.body)}
		if err := r.Records(&b).Write(record); err != nil {
			t.Fatal(err)
		}
		if got, want := b.String(), "4 2026-11-22T12:00:00Z "+string(c.of)+" "+c.want+"\n"; got != want {
			t.Errorf("got  %swant %s", got, want)
		}
	}
}

func TestAnUnknownOutputFormatIsAnError(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "xml", "JSON", "text "} {
		var unknown *render.FormatError
		if _, err := render.New(name); !errors.As(err, &unknown) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

type broken struct{}

var errBroken = errors.New("the pipe is broken")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestARendererReturnsTheErrorOfWriting(t *testing.T) {
	t.Parallel()
	for _, name := range render.Formats() {
		r, err := render.New(name)
		if err != nil {
			t.Fatal(err)
		}
		file := render.File{Path: "a.sh", Report: hostile()}
		for what, err := range map[string]error{
			"verify":  r.Verify(broken{}, []render.File{file}),
			"inspect": r.Inspect(broken{}, render.Inspection{File: file}),
			"audit":   r.Audit(broken{}, &audit.Result{}),
			"version": r.Version(broken{}, render.Version{}),
			"doctor":  r.Doctor(broken{}, &doctor.Report{}),
		} {
			if !errors.Is(err, errBroken) {
				t.Errorf("%s of %s: %v", what, name, err)
			}
		}
	}
}

func TestEachVerdictIsExplained(t *testing.T) {
	t.Parallel()
	r, err := render.New("text")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]verifier.Verdict{}
	for _, v := range verifier.Verdicts() {
		var b bytes.Buffer
		if err := r.Inspect(&b, render.Inspection{File: render.File{Path: "a.sh", Report: &verifier.Report{Verdict: v}}, Judged: true}); err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(b.String(), "\n")
		_, sentence, _ := strings.Cut(first, ": ")
		if other, twice := seen[sentence]; twice || sentence == "" {
			t.Errorf("%s is explained as %s is: %q", v, other, sentence)
		}
		seen[sentence] = v
		if hint := strings.ToLower(b.String()); strings.Contains(hint, "trust the signer") || strings.Contains(hint, "add the signer") {
			t.Errorf("%s: hints at loosening trust: %s", v, hint)
		}
	}
}

func TestClaimsAreShownAndThoseOfStrangersAsWorthless(t *testing.T) {
	t.Parallel()
	r, err := render.New("text")
	if err != nil {
		t.Fatal(err)
	}
	claims := &verifier.Claims{Name: "a, version 9.sh", Kind: "bash", Version: "1.4"}
	file := render.File{Path: "a.sh.asc", Report: &verifier.Report{Verdict: verifier.Valid, Signatures: []verifier.Signature{
		{Format: "clearsign", Verdict: verifier.Valid, Claims: claims},
		{Format: "clearsign", Verdict: verifier.Untrusted, Claims: claims},
		{Format: "clearsign", Verdict: verifier.Valid},
	}}}
	for what, show := range map[string]func(*bytes.Buffer) error{
		"verify":  func(b *bytes.Buffer) error { return r.Verify(b, []render.File{file}) },
		"inspect": func(b *bytes.Buffer) error { return r.Inspect(b, render.Inspection{File: file, Judged: true}) },
	} {
		var b bytes.Buffer
		if err := show(&b); err != nil {
			t.Fatal(err)
		}
		const said = "version 1.4, kind bash, name a, version 9.sh\n"
		if strings.Count(b.String(), " claims: "+said) != 1 || strings.Count(b.String(), " claims, which prove nothing here: "+said) != 1 || strings.Count(b.String(), "claims") != 2 {
			t.Errorf("%s:\n%s", what, b.String())
		}
	}
}

func TestProjectsAreWrittenWithEachFileThatDiffers(t *testing.T) {
	t.Parallel()
	valid := &verifier.Report{Verdict: verifier.Valid}
	drift := []manifest.Drift{{Path: "lib/a\x1b[2K\u202e.sh", State: manifest.Added, Detail: "it is\na link"}, {Path: "b", State: manifest.Missing}}
	for name, c := range map[string]struct {
		project render.Project
		text    string
		signed  string
	}{
		"as signed": {
			render.Project{Dir: "p", Manifest: render.File{Path: "p/m", Report: valid}, Files: 2},
			"valid         p/m\n2 files, all as they are listed, and no other\n", "true",
		},
		"drift": {
			render.Project{Dir: "p", Manifest: render.File{Path: "p/m", Report: valid}, Files: 2, Drift: drift},
			"valid         p/m\nadded     lib/a\\x1b[2K\\u202e.sh: it is\\na link\nmissing   b\nlisted files: 2; different from the list: 2\n", "false",
		},
		"not valid": {
			render.Project{Dir: "p", Manifest: render.File{Path: "p/m", Report: &verifier.Report{}}},
			"not-checked   p/m\nthe manifest is not valid: the folder was not compared with it\n", "false",
		},
	} {
		var text, doc strings.Builder
		for format, w := range map[string]*strings.Builder{"text": &text, "json": &doc} {
			r, err := render.New(format)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Project(w, c.project); err != nil {
				t.Fatal(err)
			}
		}
		if text.String() != c.text {
			t.Errorf("%s:\n%s", name, text.String())
		}
		if !strings.Contains(doc.String(), `"as_signed": `+c.signed) || strings.Contains(doc.String(), "null,") || strings.ContainsAny(doc.String(), "\x1b\u202e") {
			t.Errorf("%s:\n%s", name, doc.String())
		}
	}
}
