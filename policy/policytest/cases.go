package policytest

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/strictyaml"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

const (
	maxCases = 10_000
	maxMarks = 1_000_000
	maxList  = 1_000
	maxName  = 200
	maxText  = 4_096
)

// What a case wants of a decision.
const (
	wantAllow = "allow" // without a warning
	wantDeny  = "deny"
	wantWarn  = "warn" // allowed, with a warning
)

// testCase is one case of tests.yaml.
type testCase struct {
	name  string
	line  int
	input policy.Input
	want  Outcome
}

// tree reads tests.yaml.
type tree struct {
	*strictyaml.Tree
	outline *outline
	at      time.Time // of the cases that do not say
}

// parseCases reads a tests.yaml. On any problem it returns all of them and no case.
func parseCases(data []byte, o *outline) ([]testCase, []*policy.FileError) {
	t := &tree{Tree: &strictyaml.Tree{File: policy.TestsFile, MaxSize: policy.MaxTestsSize, MaxMarks: maxMarks, MaxList: maxList}, outline: o}
	root := t.Document(data)
	if root == nil {
		return nil, t.Problems
	}
	f := t.Fields(root, "", "version", "at", "tests")
	if v := t.Need(f, root, "", "version"); v != nil {
		t.Number(v, "version", 1, 1)
	}
	t.at = t.time(f["at"], "at")
	var cases []testCase
	if v := t.Need(f, root, "", "tests"); v != nil {
		seen := map[string]int{}
		for i, n := range t.Items(v, "tests", maxCases) {
			c := t.readCase(n, fmt.Sprintf("tests[%d]", i))
			if line, twice := seen[c.name]; twice && c.name != "" {
				t.Problem(n, fmt.Sprintf("tests[%d].name", i), "%q is the name of the test in line %d already", strictyaml.Clip(c.name), line)
			}
			seen[c.name] = c.line
			cases = append(cases, c)
		}
	}
	if len(t.Problems) > 0 {
		return nil, t.Problems
	}
	return cases, nil
}

func (t *tree) readCase(n *yaml.Node, field string) testCase {
	c := testCase{line: n.Line}
	f := t.Fields(n, field, "name", "runbook", "signed_by", "requested_by", "worker", "parameters", "findings", "approved_by", "break_glass", "at", "want", "codes", "rules")
	if v := t.Need(f, n, field, "name"); v != nil {
		c.name = t.Word(v, field+".name", func(s string) string { return textProblem(s, maxName) })
	}
	at := t.at
	if v := f["at"]; v != nil {
		at = t.time(v, field+".at")
	} else if at.IsZero() && n.Kind == yaml.MappingNode {
		t.Problem(n, field+".at", "is missing: say here or at the top of the file when the run is asked for")
	}
	c.input = policy.Input{
		Version: policy.InputVersion, NowNS: at.UnixNano(),
		Signatures: []policy.Signature{}, Findings: []policy.Finding{}, Parameters: map[string]string{},
		Job: map[string]string{}, Approvals: []policy.Approval{}, Trust: policy.Trust{Digest: runbook.DigestOf([]byte("tests"))},
	}
	var claims *verifier.Claims
	if v := t.Need(f, n, field, "runbook"); v != nil {
		claims = t.runbook(v, field+".runbook", &c.input.Runbook)
	}
	if v := f["signed_by"]; v != nil {
		t.signers(v, field+".signed_by", claims, &c.input)
	}
	if v := t.Need(f, n, field, "requested_by"); v != nil {
		c.input.Caller = t.caller(v, field+".requested_by")
	}
	if v := t.Need(f, n, field, "worker"); v != nil {
		c.input.Worker = t.worker(v, field+".worker")
	}
	if v := f["parameters"]; v != nil {
		for _, p := range t.Entries(v, field+".parameters") {
			c.input.Parameters[p.Key] = t.parameter(p.Value, strictyaml.Join(field+".parameters", strictyaml.Clip(p.Key)))
		}
	}
	if v := f["findings"]; v != nil {
		for _, code := range t.List(v, field+".findings", plainText) {
			c.input.Findings = append(c.input.Findings, policy.Finding{Code: code, Line: 1})
		}
	}
	if v := f["approved_by"]; v != nil {
		t.approvals(v, field+".approved_by", &c.input)
	}
	if v := f["break_glass"]; v != nil {
		t.breakGlass(v, field+".break_glass", &c.input)
	}
	c.want = t.outcome(n, f, field)
	return c
}

func (t *tree) outcome(n *yaml.Node, f map[string]*yaml.Node, field string) Outcome {
	o := Outcome{Codes: []string{}, Rules: []string{}}
	if v := t.Need(f, n, field, "want"); v != nil {
		words := []string{wantAllow, wantDeny, wantWarn}
		o.Verdict = t.Word(v, field+".want", func(s string) string { return strictyaml.OneOf("word", s, words) })
	}
	if v := f["codes"]; v != nil {
		o.Codes = t.List(v, field+".codes", plainText)
		if o.Verdict == wantAllow {
			t.Problem(v, field+".codes", "an allowed run has no codes: want: warn is one that is allowed with a warning")
		}
	} else if o.Verdict == wantDeny || o.Verdict == wantWarn {
		t.Problem(n, field+".codes", "is missing: a run may be denied for another reason than the one that is tested")
	}
	if v := f["rules"]; v != nil {
		o.Rules = t.List(v, field+".rules", t.knownRule())
		if o.Verdict == wantDeny {
			t.Problem(v, field+".rules", "no rule allows what is denied")
		}
	}
	slices.Sort(o.Codes)
	slices.Sort(o.Rules)
	return o
}

func (t *tree) knownRule() func(string) string {
	return func(s string) string {
		names := make([]string, 0, len(t.outline.rules))
		for _, r := range t.outline.rules {
			if r.name == s {
				return ""
			}
			names = append(names, r.name)
		}
		return strictyaml.UnknownName("rule", s, slices.Values(names))
	}
}

// runbook reads what the verifier would have found out about a file; the claims are
// those of its signatures.
func (t *tree) runbook(n *yaml.Node, field string, rb *policy.Runbook) *verifier.Claims {
	f := t.Fields(n, field, "path", "kind", "sha256", "version", "namespace")
	if v := t.Need(f, n, field, "path"); v != nil {
		rb.Path = t.Word(v, field+".path", func(s string) string {
			if !path.IsAbs(s) || path.Clean(s) != s || s == "/" {
				return "want an absolute path without . and .."
			}
			return textProblem(s, maxText)
		})
	}
	rb.Name = runbook.PayloadName(path.Base(rb.Path))
	kind := runbook.KindOf(rb.Name)
	if v := f["kind"]; v != nil {
		kinds := []string{}
		for _, k := range runbook.Kinds() {
			kinds = append(kinds, k.String())
		}
		kind = runbook.Kind(t.Word(v, field+".kind", func(s string) string { return strictyaml.OneOf("kind", s, kinds) }))
	} else if kind == runbook.Unknown && rb.Path != "" {
		t.Problem(n, field+".kind", "is missing: the name of the file does not say it")
	}
	rb.Kind, rb.Verdict, rb.Size = kind.String(), verifier.Unsigned.String(), 1
	rb.SHA256 = runbook.DigestOf([]byte(rb.Path))
	if v := f["sha256"]; v != nil {
		if s, ok := t.Text(v, field+".sha256"); ok {
			digest, err := runbook.ParseDigest(s)
			if err != nil {
				t.Problem(v, field+".sha256", "%v", err)
			}
			rb.SHA256 = digest
		}
	}
	claims := &verifier.Claims{Version: t.Word(f["version"], field+".version", plainText), Namespace: t.Word(f["namespace"], field+".namespace", plainText)}
	if bad := claims.Problem(); bad != "" {
		t.Problem(n, field, "%s", bad)
	}
	return claims
}

// caller reads who asks: a person, or an identity. Who is not known to the operating
// system is known by a token, unless the case says otherwise.
func (t *tree) caller(n *yaml.Node, field string) policy.Caller {
	c := policy.Caller{Kind: "os-user", Groups: []string{}, GroupsComplete: true, Roles: []string{}, Assurance: "real-uid"}
	who, assurance := "", ""
	if n.Kind == yaml.MappingNode {
		f := t.Fields(n, field, "person", "id", "groups", "groups_incomplete", "assurance")
		who = t.Word(f["person"], field+".person", plainText)
		c.ID = t.Word(f["id"], field+".id", plainText)
		if (who == "") == (c.ID == "") {
			t.Problem(n, field, "want one of person and id")
		}
		if v := f["groups"]; v != nil {
			c.Groups = t.List(v, field+".groups", plainText)
		}
		if v := f["groups_incomplete"]; v != nil {
			c.GroupsComplete = !t.Truth(v, field+".groups_incomplete")
		}
		assurance = t.Word(f["assurance"], field+".assurance", plainText)
	} else {
		who, _ = t.Text(n, field)
	}
	if who != "" {
		if c.ID = t.outline.askingIdentity(who); c.ID == "" {
			t.Problem(n, field, "%s", t.unknownPerson(who, "has no identity to ask with: give an id"))
		}
	}
	if scheme, _, ok := strings.Cut(c.ID, ":"); ok && scheme != "os" {
		c.Kind, c.Assurance = scheme, "token"
	}
	if assurance != "" {
		c.Assurance = assurance
	}
	return c
}

func (t *tree) worker(n *yaml.Node, field string) policy.Worker {
	w := policy.Worker{ID: "test-worker", OS: "linux", Labels: map[string]string{}}
	f := t.Fields(n, field, "id", "group", "os", "labels", "identity")
	if s := t.Word(f["id"], field+".id", plainText); s != "" {
		w.ID = s
	}
	if s := t.Word(f["os"], field+".os", plainText); s != "" {
		w.OS = s
	}
	w.Group = t.Word(f["group"], field+".group", plainText)
	if w.Identity = t.Word(f["identity"], field+".identity", plainText); w.Identity != "" {
		w.Assurance = "managed-identity"
	}
	if v := f["labels"]; v != nil {
		for _, p := range t.Entries(v, field+".labels") {
			w.Labels[p.Key] = t.Word(p.Value, strictyaml.Join(field+".labels", strictyaml.Clip(p.Key)), plainText)
		}
	}
	return w
}

// parameter is a text that may be empty, as an argument may.
func (t *tree) parameter(n *yaml.Node, field string) string {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && n.Value == "" {
		return ""
	}
	s, _ := t.Text(n, field)
	return s
}

func (t *tree) time(n *yaml.Node, field string) time.Time {
	if n == nil {
		return time.Time{}
	}
	s, ok := t.Text(n, field)
	if !ok {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil || at.Year() < 1971 || at.Year() > 2261 {
		t.Problem(n, field, `%q: want a time such as "2026-11-25T10:00:00Z" or "2026-11-25T10:00:00+01:00"`, strictyaml.Clip(s))
	}
	return at
}

func plainText(s string) string { return textProblem(s, maxText) }

func textProblem(s string, limit int) string {
	switch {
	case len(s) > limit:
		return fmt.Sprintf("has %d bytes, the limit is %d", len(s), limit)
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "holds a character that cannot be shown"
	}
	return ""
}
