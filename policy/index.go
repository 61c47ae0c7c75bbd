package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/runwrit/writ/internal/glob"
	"github.com/runwrit/writ/runbook"
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

// keyKind is the first word of a key.
func keyKind(key string) string {
	kind, _, _ := strings.Cut(key, " ")
	return kind
}

func fitKind(runbook, worker string) string { return keyKind(runbook) + " " + keyKind(worker) }

// mayFit is false only for a worker that the rule's groups or IDs rule out.
func (w *workers) mayFit(of *Worker) bool {
	return w.Any ||
		(len(w.Groups) == 0 || slices.Contains(w.Groups, of.Group)) && (len(w.IDs) == 0 || slices.Contains(w.IDs, of.ID))
}

// question is what the keys of an input are, as far as rules are filed under
// such keys.
type question struct {
	match, fit []string
}

func (g *global) question(in *Input, path string, digests []runbook.Digest) question {
	var q question
	for _, runbook := range runbookKeys(path, digestTexts(digests)) {
		if !slices.Contains(g.Filed, keyKind(runbook)) {
			continue
		}
		q.match = append(q.match, runbook)
		for _, worker := range in.Worker.keys() {
			if slices.Contains(g.Filed, fitKind(runbook, worker)) {
				q.fit = append(q.fit, fitKey(runbook, worker))
			}
		}
	}
	return q
}

// candidates returns the rules that may fit, in the order of grants.yaml, and
// among them the first ones that fit the runbook and not the worker, so that the
// policy can say why.
func (a *asker) candidates(q question, w *Worker) []*rule {
	fit := map[string]bool{}
	for _, key := range q.fit {
		for _, number := range a.all(tableFit, maxCandidates, key) {
			fit[number] = true
		}
	}
	// Of what a key finds, no more than the rules that fit come before a near miss.
	limit := maxNearMisses + len(fit)
	a.want(tableMatch, limit, q.match...)
	found := slices.DeleteFunc(a.rules(fit), func(c candidate) bool { return !c.rule.Workers.mayFit(w) })
	near := map[string]bool{}
	for _, key := range q.match {
		for _, number := range a.first(tableMatch, limit, key) {
			near[number] = true
		}
	}
	for _, c := range found {
		delete(near, strconv.Itoa(c.number))
	}
	missed := a.rules(near)
	found = append(found, missed[:min(len(missed), maxNearMisses)]...)
	return inOrder(found)
}

// candidate is a rule that may hold, and its number.
type candidate struct {
	number int
	rule   *rule
}

// rules reads rules by their numbers.
func (a *asker) rules(numbers map[string]bool) []candidate {
	if len(numbers) > maxCandidates {
		a.err = cmp.Or(a.err, fmt.Errorf("more than %d rules may fit", maxCandidates))
		return nil
	}
	for text := range numbers {
		if a.known.get(text) == nil {
			a.want(tableRule, 1, text)
		}
	}
	found := make([]candidate, 0, len(numbers))
	for text := range numbers {
		number, err := strconv.Atoi(text)
		r := a.known.get(text)
		if r == nil {
			var bad error
			r, bad = decodeRule(a.one(tableRule, text))
			err = cmp.Or(a.err, err, bad)
		}
		if err != nil {
			a.err = fmt.Errorf("rule %q: %w", text, err)
			return nil
		}
		a.known.put(text, r)
		found = append(found, candidate{number, r})
	}
	slices.SortFunc(found, func(a, b candidate) int { return cmp.Compare(a.number, b.number) })
	return found
}

// knownRules are rules that were read before, by their numbers: rows do not
// change. When there are many, they are forgotten.
type knownRules struct {
	mu    sync.RWMutex
	rules map[string]*rule
}

func (k *knownRules) get(number string) *rule {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.rules[number]
}

func (k *knownRules) put(number string, r *rule) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rules == nil || len(k.rules) >= maxKnownRules {
		k.rules = map[string]*rule{}
	}
	k.rules[number] = r
}

func inOrder(found []candidate) []*rule {
	slices.SortFunc(found, func(a, b candidate) int { return cmp.Compare(a.number, b.number) })
	rules := make([]*rule, 0, len(found))
	for _, c := range found {
		rules = append(rules, c.rule)
	}
	return rules
}

// allRules reads every rule.
func (a *asker) allRules(total int) []*rule {
	numbers := make(map[string]bool, total)
	for i := range total {
		numbers[strconv.Itoa(i)] = true
	}
	return inOrder(a.rules(numbers))
}
