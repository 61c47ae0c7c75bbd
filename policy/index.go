package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/runwrit/writ/internal/glob"
)

// Rules are filed under keys, so that a decision costs the same whether there
// are ten rules or a hundred thousand. What a key finds may not fit; a rule that
// fits a runbook and a worker is always found by one of their keys.

// keyOfAll finds what a key cannot narrow down.
const keyOfAll = "*"

// keys are those under which a rule with this match is filed.
func (m *match) keys() []string {
	var keys []string
	switch {
	case len(m.Digests) > 0:
		for _, d := range m.Digests {
			keys = append(keys, "digest "+d)
		}
	case len(m.Paths) > 0:
		for _, g := range m.Paths {
			keys = append(keys, globKey(g))
		}
	default:
		return []string{keyOfAll}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// globKey names what is literal in a glob: all of it, or the folders that it
// begins with and its last segment. No path has a NUL character.
func globKey(g string) string {
	prefix, base := glob.Literals(g)
	switch {
	case prefix == g:
		return "path " + g
	case base != "":
		return "base " + prefix + "\x00" + base
	case prefix != "":
		return "folder " + prefix
	default:
		return keyOfAll
	}
}

// runbookKeys are those that a runbook asks for.
func runbookKeys(path string, digests []string) []string {
	base := path[strings.LastIndexByte(path, '/')+1:]
	keys := []string{keyOfAll, "path " + path, "base \x00" + base}
	for i := range len(path) {
		if path[i] == '/' {
			keys = append(keys, "folder "+path[:i+1], "base "+path[:i+1]+"\x00"+base)
		}
	}
	for _, d := range digests {
		keys = append(keys, "digest "+d)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// keys are those under which a rule for these workers is filed.
func (w *workers) keys() []string {
	var keys []string
	switch {
	case len(w.IDs) > 0:
		for _, id := range w.IDs {
			keys = append(keys, "id "+id)
		}
	case len(w.Groups) > 0:
		for _, g := range w.Groups {
			keys = append(keys, "group "+g)
		}
	default:
		return []string{keyOfAll}
	}
	return keys
}

// keys are those that a worker asks for.
func (w *Worker) keys() []string { return []string{keyOfAll, "id " + w.ID, "group " + w.Group} }

func fitKey(runbook, worker string) string { return runbook + "\x00" + worker }

// mayFit is false only for a worker that the rule's groups or IDs rule out.
func (w *workers) mayFit(of *Worker) bool {
	return w.Any ||
		(len(w.Groups) == 0 || slices.Contains(w.Groups, of.Group)) && (len(w.IDs) == 0 || slices.Contains(w.IDs, of.ID))
}

// candidate is a rule that may hold, and its number.
type candidate struct {
	number int
	rule   *rule
}

// candidates returns the rules that may fit, in the order of grants.yaml, and
// among them the first ones that fit the runbook and not the worker, so that the
// policy can say why.
func (a *asker) candidates(in *Input, path string, digests []string) []*rule {
	keys := runbookKeys(path, digests)
	var both []string
	for _, runbook := range keys {
		for _, worker := range in.Worker.keys() {
			both = append(both, fitKey(runbook, worker))
		}
	}
	fit := slices.DeleteFunc(a.rules(a.all(tableFit, maxCandidates, both), nil), func(c candidate) bool {
		return !c.rule.Workers.mayFit(&in.Worker)
	})
	// Of what a key finds, no more than the rules that fit come before a near miss.
	near := a.rules(a.first(tableMatch, maxNearMisses+len(fit), keys), fit)
	found := append(fit, near[:min(len(near), maxNearMisses)]...)
	slices.SortFunc(found, func(a, b candidate) int { return cmp.Compare(a.number, b.number) })
	rules := make([]*rule, 0, len(found))
	for _, c := range found {
		rules = append(rules, c.rule)
	}
	return rules
}

// rules reads the rules of these numbers, but for those that are known, in their
// order.
func (a *asker) rules(numbers map[string][]string, known []candidate) []candidate {
	wanted := map[string]bool{}
	for _, list := range numbers {
		for _, n := range list {
			wanted[n] = true
		}
	}
	for _, c := range known {
		delete(wanted, strconv.Itoa(c.number))
	}
	if len(wanted) > maxCandidates {
		a.err = fmt.Errorf("more than %d rules may fit", maxCandidates)
		return nil
	}
	list := make([]string, 0, len(wanted))
	for n := range wanted {
		list = append(list, n)
	}
	return a.numbered(list)
}

// numbered reads rules by their numbers.
func (a *asker) numbered(numbers []string) []candidate {
	texts := a.one(tableRule, numbers...)
	found := make([]candidate, 0, len(numbers))
	for _, text := range numbers {
		number, err := strconv.Atoi(text)
		r, bad := decodeRule(texts[text])
		if err = cmp.Or(a.err, err, bad); err != nil {
			a.err = fmt.Errorf("read rule %q: %w", text, err)
			return nil
		}
		found = append(found, candidate{number, r})
	}
	slices.SortFunc(found, func(a, b candidate) int { return cmp.Compare(a.number, b.number) })
	return found
}

// allRules reads every rule.
func (a *asker) allRules(total int) []*rule {
	numbers := make([]string, 0, total)
	for i := range total {
		numbers = append(numbers, strconv.Itoa(i))
	}
	rules := make([]*rule, 0, total)
	for _, c := range a.numbered(numbers) {
		rules = append(rules, c.rule)
	}
	return rules
}

// countRules returns how many rules there are, and whether all can be looked at.
func (a *asker) countRules(all bool) (total int, few bool) {
	text := a.one(tableGlobal, "rules")["rules"]
	total, err := strconv.Atoi(text)
	if a.err = cmp.Or(a.err, err); a.err != nil {
		return 0, false
	}
	return total, all && total <= maxExplained
}
