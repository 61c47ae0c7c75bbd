package policy

import (
	"errors"
	"fmt"
)

// asker asks rows about one input. Its first error stays, and then every answer
// is empty. To ask rows on a disk takes as long for one key as for ten: what is
// known to be wanted is queued first and asked at once.
type asker struct {
	rows  Rows
	known *knownRules
	queue []Query
	found map[Query][]string
	err   error
}

// want queues keys whose values all will ask for, with the same limit.
func (a *asker) want(table Table, limit int, keys ...string) {
	for _, k := range keys {
		q := Query{table, k, limit + 1}
		if _, known := a.found[q]; !known {
			a.queue = append(a.queue, q)
		}
	}
}

// ask asks what is queued.
func (a *asker) ask() {
	queries := a.queue
	a.queue = nil
	if a.err != nil || len(queries) == 0 {
		return
	}
	found, err := a.rows.Values(queries)
	if err == nil && len(found) != len(queries) {
		err = errors.New("not every question has an answer")
	}
	if err != nil {
		a.err = fmt.Errorf("look up grants: %w", err)
		return
	}
	if a.found == nil {
		a.found = make(map[Query][]string, len(queries))
	}
	for i, q := range queries {
		a.found[q] = found[i]
	}
}

// first returns the first values of a key.
func (a *asker) first(table Table, limit int, key string) []string {
	a.want(table, limit, key)
	a.ask()
	values := a.found[Query{table, key, limit + 1}]
	if a.err != nil {
		return nil
	}
	return values[:min(len(values), limit)]
}

// all returns all values of a key, and fails where there are more than the limit.
func (a *asker) all(table Table, limit int, key string) []string {
	values := a.first(table, limit, key)
	if len(a.found[Query{table, key, limit + 1}]) > limit {
		a.err = fmt.Errorf("look up grants: table %s has more than %d values for %q", table, limit, key)
		return nil
	}
	return values
}

// one returns the one value of a key, "" for none.
func (a *asker) one(table Table, key string) string {
	for _, value := range a.all(table, 1, key) {
		return value
	}
	return ""
}
