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
// grants.table, ask for them in Engine.lookUp with asker.one or asker.all, and
// queue its keys there with asker.want. What is small and concerns every decision
// goes to global, which is read once.
type Table string

const (
	tableGlobal   Table = "global"       // globalKey: global as JSON
	tablePerson   Table = "person"       // identity: the name of the person who has it
	tableGroups   Table = "groups"       // person: her groups
	tableOSGroups Table = "os-groups"    // group of the operating system: groups that it counts for
	tableTokens   Table = "token-groups" // group that a token names: groups that it counts for
	tableDenied   Table = "denied"       // digest: the reason
	tableRule     Table = "rule"         // number, from 0 in the order of grants.yaml: rule as JSON
	tableMatch    Table = "match"        // key of a runbook: numbers of the rules that may match it
	tableSecret   Table = "secret"       // key of a runbook: secret positions of rules that may match it
	tableFit      Table = "fit"          // key of a runbook and key of a worker: numbers of the rules that may fit both
)

// Rows are what a grants.yaml says, by table and key. They must not change. A
// Rows that cannot answer returns an error, and the decision is a denial.
type Rows interface {
	// Grants is the digest of the grants.yaml that the rows were made of.
	Grants() runbook.Digest
	// Values answers several queries at once: the values of each, in the order
	// in which they were put there, none for a key that is not there.
	Values(queries []Query) ([][]string, error)
}

// Query asks for what stands under one key of a table.
type Query struct {
	Table Table
	Key   string
	Limit int // of the values that are wanted: the first ones
}

// memory is a Rows in memory.
type memory struct {
	grants runbook.Digest
	rows   map[Table]map[string][]string
}

func (m *memory) Grants() runbook.Digest { return m.grants }

func (m *memory) Values(queries []Query) ([][]string, error) {
	found := make([][]string, 0, len(queries))
	for _, q := range queries {
		values := m.rows[q.Table][q.Key]
		found = append(found, values[:min(len(values), q.Limit)])
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
func RowsVersion() string { return "writ.rows/2 " + libraryDigest().String() }

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
	common := global{Rules: len(g.rules), Freezes: g.freezes, Exemptions: g.exemptions, Modes: g.modes, Approvals: g.approvals, BreakGlass: g.breakGlass}
	for id, name := range g.person {
		put(tablePerson, id, name)
	}
	for table, groups := range map[Table]map[string][]string{tableGroups: g.groupsOf, tableOSGroups: g.groupsOfOS, tableTokens: g.groupsOfToken} {
		for of, names := range groups {
			for _, name := range names {
				put(table, of, name)
			}
		}
	}
	for digest, reason := range g.denied {
		put(tableDenied, digest.String(), reason)
	}
	filed, secret, placed := map[string]bool{}, map[string]bool{}, map[[2]string]bool{}
	for i := range g.rules {
		r, number := &g.rules[i], strconv.Itoa(i)
		put(tableRule, number, encode(r))
		runbooks, workers := r.Match.keys(), r.Workers.keys()
		if len(runbooks)*len(workers) > maxFiled {
			workers = []string{keyOfAll}
		}
		names, positions := r.secrets()
		for _, name := range names {
			secret[name] = true
		}
		for _, runbook := range runbooks {
			put(tableMatch, runbook, number)
			for _, position := range positions {
				if at := [2]string{runbook, position}; !placed[at] {
					put(tableSecret, runbook, position)
					placed[at] = true
				}
			}
			for _, worker := range workers {
				put(tableFit, fitKey(runbook, worker), number)
				filed[keyKind(runbook)], filed[fitKind(runbook, worker)] = true, true
			}
		}
	}
	common.SecretNames, common.SecretPositions = slices.Sorted(maps.Keys(secret)), len(placed) > 0
	common.Filed = slices.Sorted(maps.Keys(filed))
	put(tableGlobal, globalKey, encode(common))
}

// global is what is read once, when a policy is loaded.
type global struct {
	Rules      int // how many there are
	Approvals  approvalRules
	BreakGlass breakGlass
	// Filed are the kinds of keys under which there are rules: the others need
	// not be asked for.
	Filed []string
	// SecretNames are those of secret parameters, in lower case and sorted;
	// SecretPositions says that there are positions, too.
	SecretNames     []string
	SecretPositions bool
	// Freezes, Exemptions and Modes are few.
	Freezes    []freeze
	Exemptions []exemption
	Modes      map[string]groupMode // by worker group

	freezes, exemptions scopes
}

const globalKey = "grants"

func readGlobal(rows Rows) (*global, error) {
	a := &asker{rows: rows}
	text := a.one(tableGlobal, globalKey)
	if a.err != nil {
		return nil, a.err
	}
	g := &global{}
	if err := decode(text, g); err != nil {
		return nil, err
	}
	for i := range g.Exemptions {
		if x := &g.Exemptions[i]; x.ID == "" || x.Approver == "" || x.Match.empty() || slices.ContainsFunc(x.Codes, func(c string) bool { return exemptableProblem(c) != "" }) {
			return nil, fmt.Errorf("exemption %d is not complete", i)
		}
	}
	g.freezes = newScopes(len(g.Freezes), g.freeze)
	g.exemptions = newScopes(len(g.Exemptions), g.exemption)
	return g, nil
}

func (g *global) freeze(i int) *freeze { return &g.Freezes[i] }

func (g *global) exemption(i int) *exemption { return &g.Exemptions[i] }

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
