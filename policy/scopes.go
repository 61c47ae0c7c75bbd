package policy

import "slices"

// scoped is something of grants.yaml that holds for some runbooks, at some time.
type scoped interface {
	matched() *match
	inForce(now int64) bool
}

// scopes finds those that may hold for a runbook by its keys, as rules are found,
// so that a decision costs the same however many there are.
type scopes map[string][]int

// newScopes files the n things that at returns.
func newScopes[T scoped](n int, at func(int) T) scopes {
	s := scopes{}
	for i := range n {
		for _, key := range at(i).matched().keys() {
			s[key] = append(s[key], i)
		}
	}
	return s
}

// find returns those that may hold at a time, in their order.
func find[T scoped](s scopes, keys []string, now int64, at func(int) T) []T {
	var numbers []int
	for _, key := range keys {
		numbers = append(numbers, s[key]...)
	}
	slices.Sort(numbers)
	var found []T
	for _, i := range slices.Compact(numbers) {
		if x := at(i); x.inForce(now) {
			found = append(found, x)
		}
	}
	return found
}
