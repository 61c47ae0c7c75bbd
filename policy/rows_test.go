package policy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

// rowsOf stores the rows of a grants.yaml as an index does, so that a test can
// change them.
type rowsOf struct {
	digest runbook.Digest
	rows   map[policy.Table]map[string][]string
	fails  policy.Table
}

var errDisk = errors.New("the disk is gone")

func (r *rowsOf) Grants() runbook.Digest { return r.digest }

func (r *rowsOf) Values(queries []policy.Query) ([][]string, error) {
	var found [][]string
	for _, q := range queries {
		if q.Table == r.fails {
			return nil, errDisk
		}
		values := r.rows[q.Table][q.Key]
		found = append(found, values[:min(q.Limit, len(values))])
	}
	if r.fails == "short" {
		return found[1:], nil
	}
	return found, nil
}

func newRows(t testing.TB, grants string) *rowsOf {
	t.Helper()
	r := &rowsOf{digest: runbook.DigestOf([]byte(grants)), rows: map[policy.Table]map[string][]string{}}
	err := policy.EachRow([]byte(grants), func(table policy.Table, key string, values []string) error {
		if r.rows[table] == nil {
			r.rows[table] = map[string][]string{}
		}
		r.rows[table][key] = values
		return nil
	})
	if err != nil {
		t.Fatal(problems(err))
	}
	return r
}

func rowsEngine(t testing.TB, r policy.Rows) *policy.Engine {
	t.Helper()
	e, err := policy.New(policy.Source{Rows: r})
	if err != nil {
		t.Fatal(err)
	}
	return e.Patient()
}

const deniedGrants = peopleYAML + restartRule + "denied: [{sha256: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\", reason: stolen}]\n"

func TestStoredRowsDecideAsGrantsYAMLDoes(t *testing.T) {
	t.Parallel()
	stored, read := rowsEngine(t, newRows(t, deniedGrants)), engine(t, deniedGrants)
	if stored.Policy() != read.Policy() {
		t.Errorf("the policy is %v, and %v by its rows", read.Policy(), stored.Policy())
	}
	if d := stored.Decide(t.Context(), good()); !d.Allow {
		t.Errorf("denied: %+v", d.Deny)
	}
	if x, err := stored.Explain(t.Context(), good()); err != nil || x.Total != 1 || len(x.Rules) != 1 {
		t.Errorf("explained by %d rules of %d: %v", len(x.Rules), x.Total, err)
	}
}

func TestRowsThatCannotBeReadDeny(t *testing.T) {
	t.Parallel()
	for _, table := range append(policy.Tables, "short") {
		t.Run(string(table), func(t *testing.T) {
			t.Parallel()
			r := newRows(t, deniedGrants)
			e := rowsEngine(t, r)
			r.fails = table
			mustDeny(t, e.Decide(t.Context(), good()), "policy-error")
			if x, err := e.Explain(t.Context(), good()); x.Decision.Allow || len(x.Decision.Deny) == 0 {
				t.Errorf("explained as allowed: %v", err)
			}
			in := good()
			in.Runbook.Verdict = "tampered"
			mustDeny(t, e.Decide(t.Context(), in), "policy-error signature-not-valid")
		})
	}
}

// Nobody but an attacker or a broken disk makes such rows.
func TestHostileRowsDeny(t *testing.T) {
	t.Parallel()
	rule := func(text string) func(*rowsOf) {
		return func(r *rowsOf) { r.rows["rule"]["0"] = []string{text} }
	}
	tests := []struct {
		name   string
		change func(*rowsOf)
	}{
		{"a rule that is not JSON", rule("{")},
		{"a rule that is missing", rule("")},
		{"a rule with a field that nobody knows", rule(`{"Name":"x","Everything":true}`)},
		{"a rule that lost the formats that it demands", rule(`{"Name":"x","Match":{"Kinds":["bash"]},"Workers":{"Any":true},"SignedBy":{"People":["alice"],"AtLeast":1,"Formats":{"Each":true}},"RequestedBy":{"Anyone":true},"Obligations":{"timeout_s":60}}`)},
		{"a rule without conditions", rule(`{"Name":"x","Workers":{"Any":true},"SignedBy":{"AtLeast":1},"Obligations":{"timeout_s":60}}`)},
		{"a rule that wants no signer", rule(`{"Name":"x","Match":{"Kinds":["bash"]},"Workers":{"Any":true},"Obligations":{"timeout_s":60}}`)},
		{"a rule twice", func(r *rowsOf) { r.rows["rule"]["0"] = append(r.rows["rule"]["0"], r.rows["rule"]["0"]...) }},
		{"a number that is none", func(r *rowsOf) {
			r.rows["rule"]["x"] = r.rows["rule"]["0"]
			for _, list := range r.rows["fit"] {
				list[0] = "x"
			}
		}},
		{"an identity of two people", func(r *rowsOf) { r.rows["person"][aliceKey] = []string{"alice", "bob"} }},
		{"more groups than there can be", func(r *rowsOf) { r.rows["groups"]["alice"] = make([]string, 10_001) }},
		{"more rules than can be looked at", func(r *rowsOf) {
			for key := range r.rows["fit"] {
				r.rows["fit"][key] = make([]string, 5_001)
			}
		}},
		{"more rules of several keys than can be looked at", func(r *rowsOf) {
			for i, key := range []string{"folder /\x00group web", "folder /srv/\x00group web"} {
				r.rows["fit"][key] = nil
				for n := range 3_000 {
					r.rows["fit"][key] = append(r.rows["fit"][key], fmt.Sprint(i*3_000+n))
				}
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRows(t, deniedGrants)
			tt.change(r)
			e := rowsEngine(t, r)
			mustDeny(t, e.Decide(t.Context(), good()), "policy-error")
			if x, _ := e.Explain(t.Context(), good()); x.Decision.Allow {
				t.Error("explained as allowed")
			}
		})
	}
}

func TestAPolicyWithoutItsFirstRowIsNotLoaded(t *testing.T) {
	t.Parallel()
	r := newRows(t, deniedGrants)
	delete(r.rows, "global")
	if e, err := policy.New(policy.Source{Rows: r}); err == nil || e != nil {
		t.Errorf("loaded without the row that says how many rules there are: %v", err)
	}
	r.fails = "global"
	if e, err := policy.New(policy.Source{Rows: r}); !errors.Is(err, errDisk) || e != nil {
		t.Errorf("loaded from a broken disk: %v", err)
	}
}

func TestRowsComeInOrderAndOnlyOfAGoodFile(t *testing.T) {
	t.Parallel()
	var order []string
	collect := func(table policy.Table, key string, _ []string) error {
		order = append(order, string(table)+"\x00"+key)
		return nil
	}
	if err := policy.EachRow([]byte(deniedGrants), collect); err != nil || !slices.IsSorted(order) || len(order) < 10 {
		t.Errorf("%d rows, sorted %v: %v", len(order), slices.IsSorted(order), err)
	}
	var syntax *policy.SyntaxError
	if err := policy.EachRow([]byte("version: 2"), collect); !errors.As(err, &syntax) {
		t.Errorf("rows of a bad file: %v", err)
	}
	err := policy.EachRow([]byte(deniedGrants), func(policy.Table, string, []string) error { return errDisk })
	if !errors.Is(err, errDisk) {
		t.Errorf("rows that cannot be stored: %v", err)
	}
	if !strings.HasPrefix(policy.RowsVersion(), "writ.rows/2 ") {
		t.Errorf("version %q", policy.RowsVersion())
	}
	if _, err := policy.New(policy.Source{Grants: []byte(deniedGrants), Rows: newRows(t, deniedGrants)}); !errors.As(err, &syntax) {
		t.Errorf("grants.yaml beside rows: %v", err)
	}
}

// The rows of a rule grow with what it lists, not with its square.
func TestARuleWithLongListsHasFewRows(t *testing.T) {
	t.Parallel()
	var paths, groups strings.Builder
	for i := range 500 {
		fmt.Fprintf(&paths, "\"/srv/runbooks/%d.sh\", ", i)
		fmt.Fprintf(&groups, "g%d, ", i)
	}
	grants := peopleYAML + "rules:\n  - name: long\n    match: {paths: [" + paths.String() + "\"/srv/runbooks/restart.sh\"]}\n" +
		"    workers: {groups: [" + groups.String() + "web]}\n    signed_by: {people: [alice]}\n    requested_by: {anyone: true}\n    parameters: {Service: {type: string}}\n"
	rows := 0
	err := policy.EachRow([]byte(grants), func(_ policy.Table, _ string, values []string) error {
		rows += len(values)
		return nil
	})
	if err != nil || rows > 1_100 {
		t.Errorf("%d rows: %v", rows, err)
	}
	e := engine(t, grants)
	if d := e.Decide(t.Context(), good()); !d.Allow {
		t.Errorf("denied: %+v", d.Deny)
	}
	in := good()
	in.Worker.Group = "other"
	mustDeny(t, e.Decide(t.Context(), in), "worker-not-allowed")
}

// More rules than an engine keeps are decided by, one after the other, and then
// again: what was forgotten is read again.
func TestRulesThatWereForgottenAreReadAgain(t *testing.T) {
	t.Parallel()
	const rules = 1_010
	var b strings.Builder
	b.WriteString(peopleYAML + "rules:\n")
	for i := range rules {
		fmt.Fprintf(&b, "  - {name: r%d, match: {paths: [\"/srv/runbooks/%d.sh\"]}, workers: {any: true}, signed_by: {people: [alice]}, requested_by: {anyone: true}}\n", i, i)
	}
	e := engine(t, b.String())
	for range 2 {
		for i := range rules {
			in := good()
			in.Runbook.Path, in.Parameters = fmt.Sprintf("/srv/runbooks/%d.sh", i), map[string]string{}
			if e.LookUp(in); i > 5 && i < rules-5 {
				continue // to decide takes longer
			}
			if d := e.Decide(t.Context(), in); !slices.Equal(d.Rules, []string{fmt.Sprintf("r%d", i)}) {
				t.Fatalf("rule %d: allowed by %v, denied %+v", i, d.Rules, d.Deny)
			}
		}
	}
	if n := e.Known(); n > 1_000 {
		t.Errorf("%d rules are kept", n)
	}
}
