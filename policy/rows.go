package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/runwrit/writ/runbook"
)

// Table is one kind of row: what its keys are and what stands under them.
//
// A decision reads nothing of grants.yaml but rows, so that it costs the same
// whatever there is. For a new kind of data: name a table here, file its rows in
// grants.table, and ask for them in Engine.lookUp. What is small and concerns
// every decision goes to tableGlobal, as JSON under one key.
type Table string

const (
	tableGlobal   Table = "global"    // "rules": how many rules there are
	tablePerson   Table = "person"    // identity: the name of the person who has it
	tableGroups   Table = "groups"    // person: her groups
	tableOSGroups Table = "os-groups" // group of the operating system: groups that it counts for
	tableDenied   Table = "denied"    // digest: the reason
	tableRule     Table = "rule"      // number, from 0 in the order of grants.yaml: rule as JSON
	tableMatch    Table = "match"     // key of a runbook: numbers of the rules that may match it
	tableFit      Table = "fit"       // key of a runbook and key of a worker: numbers of the rules that may fit both
)

// Rows are what a grants.yaml says, by table and key. They must not change. A
// Rows that cannot answer returns an error, and the decision is a denial.
type Rows interface {
	// Grants is the digest of the grants.yaml that the rows were made of.
	Grants() runbook.Digest
	// Values returns what stands under each of the keys in a table: in the order
	// in which it was put there, of each key at most the first limit values. A key
	// under which nothing stands is left out.
	Values(table Table, limit int, keys ...string) (map[string][]string, error)
}

// memory is a Rows in memory.
type memory struct {
	grants runbook.Digest
	rows   map[Table]map[string][]string
}

func (m *memory) Grants() runbook.Digest { return m.grants }

func (m *memory) Values(table Table, limit int, keys ...string) (map[string][]string, error) {
	found := make(map[string][]string, len(keys))
	for _, k := range keys {
		if v := m.rows[table][k]; len(v) > 0 {
			found[k] = v[:min(len(v), limit)]
		}
	}
	return found, nil
}

func (m *memory) put(table Table, key, value string) {
	if m.rows[table] == nil {
		m.rows[table] = map[string][]string{}
	}
	m.rows[table][key] = append(m.rows[table][key], value)
}

// RowsVersion changes whenever rows are made or read in another way: rows that
// another version of writ made must be made again.
func RowsVersion() string { return "writ.rows/1 " + runbook.DigestOf(libraryText()).String() }

// EachRow parses a grants.yaml and calls put for each key of each table, in the
// order of tables and keys, so that they can be stored. It fails with
// *SyntaxError, or as put does.
func EachRow(grants []byte, put func(table Table, key string, values []string) error) error {
	m, problems := newMemory(grants)
	if len(problems) > 0 {
		return &SyntaxError{Problems: problems}
	}
	for _, table := range slices.Sorted(maps.Keys(m.rows)) {
		for _, key := range slices.Sorted(maps.Keys(m.rows[table])) {
			if err := put(table, key, m.rows[table][key]); err != nil {
				return err
			}
		}
	}
	return nil
}

func newMemory(data []byte) (*memory, []*FileError) {
	g, problems := parseGrants(GrantsFile, data)
	if len(problems) > 0 {
		return nil, problems
	}
	m := &memory{grants: runbook.DigestOf(data), rows: map[Table]map[string][]string{}}
	g.table(m.put)
	return m, nil
}

// table files what grants.yaml says.
func (g *grants) table(put func(table Table, key, value string)) {
	put(tableGlobal, "rules", strconv.Itoa(len(g.rules)))
	for id, name := range g.person {
		put(tablePerson, id, name)
	}
	for table, groups := range map[Table]map[string][]string{tableGroups: g.groupsOf, tableOSGroups: g.groupsOfOS} {
		for of, names := range groups {
			for _, name := range names {
				put(table, of, name)
			}
		}
	}
	for digest, reason := range g.denied {
		put(tableDenied, digest.String(), reason)
	}
	for i := range g.rules {
		r, number := &g.rules[i], strconv.Itoa(i)
		put(tableRule, number, encode(r))
		for _, runbook := range r.Match.keys() {
			put(tableMatch, runbook, number)
			for _, worker := range r.Workers.keys() {
				put(tableFit, fitKey(runbook, worker), number)
			}
		}
	}
}

// encode writes a value of a row: a struct of texts, numbers and lists, which
// cannot fail; "" would be a row that decode refuses.
func encode(v any) string {
	data, _ := json.Marshal(v)
	return string(data)
}

// decode reads what encode wrote. A field that is not known was written by
// another version of writ.
func decode(text string, v any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("a row cannot be read: %w", err)
	}
	return nil
}

// asker asks rows. Its first error stays, and then every answer is empty.
type asker struct {
	rows Rows
	err  error
}

func (a *asker) first(table Table, limit int, keys []string) map[string][]string {
	if a.err != nil || len(keys) == 0 {
		return nil
	}
	found, err := a.rows.Values(table, limit, keys...)
	if err != nil {
		a.err = fmt.Errorf("look up %s: %w", table, err)
		return nil
	}
	return found
}

// all returns all values, and fails where there are more than the limit.
func (a *asker) all(table Table, limit int, keys []string) map[string][]string {
	found := a.first(table, limit+1, keys)
	for key, values := range found {
		if len(values) > limit {
			a.err = fmt.Errorf("look up %s: more than %d rows for %q", table, limit, key)
			return nil
		}
	}
	return found
}

// one returns the one value that each key has.
func (a *asker) one(table Table, keys ...string) map[string]string {
	found := map[string]string{}
	for key, values := range a.all(table, 1, keys) {
		found[key] = strings.Join(values, "")
	}
	return found
}
