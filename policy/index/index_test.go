package index_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/index"
)

// What the index hands out is what grants.yaml says: the same questions have the
// same answers, with all their reasons and their explanation.
func TestDecisionsByIndexAreThoseInMemory(t *testing.T) {
	t.Parallel()
	d := draw(5)
	allowed, denied := 0, 0
	for range 3 {
		grants := randomGrants(&d)
		path, ref := build(t, grants)
		byIndex, inMemory := engine(t, policy.Source{Rows: open(t, path, ref)}), engine(t, policy.Source{Grants: []byte(grants)})
		if byIndex.Policy() != inMemory.Policy() {
			t.Errorf("the policy is %v by index, %v in memory", byIndex.Policy(), inMemory.Policy())
		}
		for i := range 15 {
			in := randomInput(&d)
			want := inMemory.Decide(t.Context(), in)
			if got := byIndex.Decide(t.Context(), in); said(t, got) != said(t, want) {
				t.Fatalf("by index %s\nin memory %s\nof %s\n%s", said(t, got), said(t, want), said(t, in), grants)
			}
			if want.Allow {
				allowed++
			} else {
				denied++
			}
			if i > 0 {
				continue
			}
			x, err := byIndex.Explain(t.Context(), in)
			y, errMemory := inMemory.Explain(t.Context(), in)
			if err != nil || errMemory != nil || said(t, x) != said(t, y) {
				t.Errorf("explained by index %s\nin memory %s\n%v %v", said(t, x), said(t, y), err, errMemory)
			}
		}
	}
	if allowed < 5 || denied < 5 {
		t.Errorf("%d allowed, %d denied: the test shows little", allowed, denied)
	}
}

func TestTheSameGrantsGiveTheSameIndex(t *testing.T) {
	t.Parallel()
	d := draw(1)
	one, other := randomGrants(&d), randomGrants(&d)
	first, ref := build(t, one)
	second, again := build(t, one)
	if ref != again || string(readFile(t, first)) != string(readFile(t, second)) {
		t.Error("built twice, it is not the same")
	}
	if _, differs := build(t, other); differs.Sum == ref.Sum || differs.Grants == ref.Grants {
		t.Error("two policies have one Ref")
	}
}

func TestABadPolicyLeavesNoIndexBehind(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "index")
	var syntax *policy.SyntaxError
	if ref, err := index.Build(path, []byte("version: 1\nrule: []\n")); !errors.As(err, &syntax) || ref != (index.Ref{}) {
		t.Errorf("built %v: %v", ref, err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file is left: %v", err)
	}
}

func TestAnIndexIsNeverOverwritten(t *testing.T) {
	t.Parallel()
	d := draw(1)
	grants := randomGrants(&d)
	path, ref := build(t, grants)
	if _, err := index.Build(path, []byte(randomGrants(&d))); !errors.Is(err, os.ErrExist) {
		t.Errorf("built over another: %v", err)
	}
	open(t, path, ref)
}

func TestManyDecideAtOnce(t *testing.T) {
	t.Parallel()
	d := draw(2)
	grants := randomGrants(&d)
	path, ref := build(t, grants)
	e, want := engine(t, policy.Source{Rows: open(t, path, ref)}), engine(t, policy.Source{Grants: []byte(grants)})
	var wg sync.WaitGroup
	for n := range 8 {
		d := draw(n)
		wg.Go(func() {
			for range 10 {
				in := randomInput(&d)
				if e.Decide(t.Context(), in).Allow != want.Decide(t.Context(), in).Allow {
					t.Error("decided otherwise")
				}
			}
		})
	}
	wg.Wait()
}

func TestKeysAreTakenAsTheyAre(t *testing.T) {
	t.Parallel()
	d := draw(1)
	path, ref := build(t, randomGrants(&d))
	x := open(t, path, ref)
	odd := []string{"", "os:p0\x00", "os:p0\xff", "os:p0'", "os:p0\"", "OS:p0", strings.Repeat("x", 1<<16), "os:p0"}
	var queries []policy.Query
	for _, key := range odd {
		queries = append(queries, policy.Query{Table: "person", Key: key, Limit: 1})
	}
	queries = append(queries, policy.Query{Table: "person\x00os:p0"}, policy.Query{Table: "person", Key: "os:p0", Limit: 0}, policy.Query{Table: "person", Key: "os:p0", Limit: -1})
	found, err := x.Values(queries)
	if err != nil || len(found) != len(queries) {
		t.Fatalf("%d answers to %d questions: %v", len(found), len(queries), err)
	}
	for i, values := range found {
		if i == len(odd)-1 {
			if len(values) != 1 || values[0] != "p0" {
				t.Errorf("os:p0 is %q", values)
			}
		} else if len(values) != 0 {
			t.Errorf("%q is %q", queries[i].Key, values)
		}
	}
	if found, err := x.Values(nil); err != nil || len(found) != 0 {
		t.Errorf("no question has the answers %q: %v", found, err)
	}
}
