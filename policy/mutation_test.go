package policy_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/runwrit/writ/policy"
)

// mutant is the built-in library with one thing taken away.
type mutant struct {
	file   string
	at     string // the line of the library
	name   string // the file, the rule, and what is missing of it
	change func(*ast.Module)
	// reason says that a whole rule is missing which gives reasons.
	reason bool
}

// bodies are those of the rules of a module, and of all that stands inside them, in
// the same order in each copy of the module.
func bodies(m *ast.Module) (list []*ast.Body, of []*ast.Rule) {
	for _, r := range m.Rules {
		for e := r; e != nil; e = e.Else {
			list, of = append(list, &e.Body), append(of, e)
			inside := func(x any) bool {
				switch x := x.(type) {
				case *ast.Rule:
					return x != e // an else has its turn
				case *ast.ArrayComprehension:
					list, of = append(list, &x.Body), append(of, e)
				case *ast.SetComprehension:
					list, of = append(list, &x.Body), append(of, e)
				case *ast.ObjectComprehension:
					list, of = append(list, &x.Body), append(of, e)
				case *ast.Every:
					list, of = append(list, &x.Body), append(of, e)
				}
				return false
			}
			ast.NewGenericVisitor(inside).Walk(e)
		}
	}
	return list, of
}

func mutants(library map[string]*ast.Module) []mutant {
	var all []mutant
	for _, file := range slices.Sorted(maps.Keys(library)) {
		if file == "library/users.rego" {
			continue
		}
		m := library[file]
		short := strings.TrimSuffix(strings.TrimPrefix(file, "library/"), ".rego")
		for i, r := range m.Rules {
			all = append(all, mutant{
				file: file, at: fmt.Sprintf("%s:%d", file, r.Location.Row), name: fmt.Sprintf("%s %s: the whole rule", short, r.Head.Ref()), reason: r.Head.Ref()[0].Value.String() == "deny" || r.Head.Ref()[0].Value.String() == "lacks",
				change: func(m *ast.Module) { m.Rules = slices.Delete(m.Rules, i, i+1) },
			})
			if r.Else != nil {
				all = append(all, mutant{
					file: file, at: fmt.Sprintf("%s:%d", file, r.Else.Location.Row), name: fmt.Sprintf("%s %s: its else", short, r.Head.Ref()),
					change: func(m *ast.Module) { m.Rules[i].Else = nil },
				})
			}
		}
		list, of := bodies(m)
		for i, b := range list {
			for j, e := range *b {
				if e.Location == nil || string(e.Location.Text) == "" || e.String() == "true" {
					continue // a rule without a body
				}
				all = append(all, mutant{
					file: file, at: fmt.Sprintf("%s:%d", file, e.Location.Row),
					name: fmt.Sprintf("%s %s: %s", short, of[i].Head.Ref(), strings.Join(strings.Fields(string(e.Location.Text)), " ")),
					change: func(m *ast.Module) {
						list, _ := bodies(m)
						rest := slices.Delete(slices.Clone(*list[i]), j, j+1)
						if len(rest) == 0 {
							rest = append(rest, ast.NewExpr(ast.BooleanTerm(true)))
						}
						*list[i] = ast.NewBody(rest...)
					},
				})
			}
		}
	}
	return all
}

// sample is a question with the answers of the library as it is.
type sample struct {
	name                  string
	document, all         ast.Value
	decision, explanation string
	lines                 map[string]bool // of the library, that it made the library evaluate
}

func samples(t *testing.T, original *policy.Mutant) []*sample {
	t.Helper()
	var list []*sample
	for _, c := range slices.Concat(decideCases(), mutationCases()) {
		e := engine(t, peopleYAML+c.rules)
		in := good()
		c.change(&in)
		d := e.Decide(t.Context(), in)
		if got := codes(d.Deny); got != c.deny {
			t.Errorf("%s: denied with %q, want %q", c.name, got, c.deny)
		}
		if codes(d.Deny) == policy.CodeInputInvalid {
			continue
		}
		s := &sample{name: c.name}
		var err error
		if s.document, err = e.Question(in, false); err != nil {
			t.Fatal(err)
		}
		if s.all, err = e.Question(in, true); err != nil {
			t.Fatal(err)
		}
		s.decision, s.explanation = original.Decision(t.Context(), s.document), original.Explanation(t.Context(), s.all)
		if s.lines, err = original.Lines(t.Context(), s.document, s.all); err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

// notices says whether the answers of a mutant differ.
func (s *sample) notices(ctx context.Context, m *policy.Mutant) bool {
	if decision := m.Decision(ctx, s.document); decision != s.decision {
		return true
	}
	return m.Explanation(ctx, s.all) != s.explanation
}

// survivors are the mutants that may live: what they lack is there so that the
// library does not rely on what Go hands it.
var survivors = map[string]string{
	"approvals approved_by_holds: rule.approved_by.wanted == true":      "the rule above it is about the other case, and at_least is 0 then",
	"approvals approved_by_holds: rule.approved_by.at_least >= 1":       "the parser takes no number below 1",
	"approvals_reasons lacks[rule.name]: not approved_by_holds(rule)":   "follows from fewer approvers than are wanted",
	"exemptions excused: count(lacks_of(rule, part[0])) > 0":            "each part that does not hold says what it lacks",
	"breakglass glass_suffices: input.grants.break_glass.at_least >= 1": "where grants.yaml has no break_glass nobody may request it",
	"breakglass glass_requester: input.grants.requester.person != \"\"": "no list names the person without a name",
	"gate_reasons allow: count(granted) > 0":                            "without a rule that holds there is a denial that says so",
	"match digest_fits: input.runbook.manifest.sha256 != \"\"":          "no rule names the empty digest",
	"match digest_fits: input.runbook.payload_sha256 != \"\"":           "no rule names the empty digest",
	"requester requester_fits: input.grants.requester.person != \"\"":   "no rule names the person without a name",
	"roles roles_filled: the whole rule":                                "without roles there is no set of them: it only takes less time",
	"workers worker_labels_fit: the whole rule":                         "without labels there is nothing to fit: it only takes less time",
	"signers signed_by_holds: rule.signed_by.at_least >= 1":             "the parser takes no number below 1",
	"signers_reasons lacks[rule.name]: not signed_by_holds(rule)":       "follows, in one of four places, from nobody of those who may sign having signed",
	"workers workers_hold: rule.workers.named == true":                  "the parser takes no rule that names no worker",
	"workers worker_group_fits: input.worker.group != \"\"":             "no rule names the empty group",
	"workers worker_id_fits: input.worker.id != \"\"":                   "no rule names the empty ID",
	"workers_reasons lacks[rule.name]: not workers_hold(rule)":          "follows from the part of it that does not fit",
}

// notices says whether a question sees a mutant. First those are asked that made the
// library evaluate the line.
func notices(ctx context.Context, asked []*sample, at string, m *policy.Mutant) bool {
	for _, near := range []bool{true, false} {
		for _, s := range asked {
			if s.lines[at] == near && s.notices(ctx, m) {
				return true
			}
		}
	}
	return false
}

// Each rule of the library, and each of its conditions, is there for something: a
// library without it answers one of the questions otherwise. With WRIT_MUTATE all of
// them are taken away in turn, without it only the rules that give reasons.
func TestNothingOfTheLibraryCanBeTakenAwayUnseen(t *testing.T) {
	t.Parallel()
	library, err := policy.ParsedLibrary()
	if err != nil {
		t.Fatal(err)
	}
	original, err := policy.NewMutant(library)
	if err != nil {
		t.Fatal(err)
	}
	asked := samples(t, original)
	all := mutants(library)
	whole := os.Getenv("WRIT_MUTATE") != ""
	var mu sync.Mutex
	var alive []mutant
	var wg sync.WaitGroup
	work := make(chan mutant)
	start := time.Now()
	for range 2 {
		wg.Go(func() {
			for m := range work {
				changed := maps.Clone(library)
				changed[m.file] = library[m.file].Copy()
				m.change(changed[m.file])
				compiled, err := policy.NewMutant(changed)
				if err != nil {
					continue // the compiler has seen it
				}
				if !notices(t.Context(), asked, m.at, compiled) {
					mu.Lock()
					alive = append(alive, m)
					mu.Unlock()
				}
			}
		})
	}
	n := 0
	for _, m := range all {
		if m.reason || whole {
			work <- m
			n++
		}
	}
	close(work)
	wg.Wait()
	t.Logf("%d of %d mutants, %d questions, %d alive, %v", n, len(all), len(asked), len(alive), time.Since(start))
	used := map[string]bool{}
	for _, m := range alive {
		if survivors[m.name] == "" {
			t.Errorf("%s: nothing notices that this is gone: %s", m.at, m.name)
		}
		used[m.name] = true
	}
	for name := range survivors {
		if whole && !used[name] {
			t.Errorf("stands among the survivors, and is noticed: %s", name)
		}
	}
}
