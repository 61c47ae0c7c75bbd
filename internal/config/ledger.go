package config

import (
	"time"

	"go.yaml.in/yaml/v3"
)

// LedgerSegments says when the ledger goes on in a new file; 0 for never.
type LedgerSegments struct {
	Size int64 // bytes
	Age  time.Duration
}

// LedgerCheckpoints says who signs the ledger's head, and when; the zero value
// for nobody.
type LedgerCheckpoints struct {
	// Key is the file with the key.
	Key      string
	Every    int // records
	Interval time.Duration
}

// Bounds of segments and checkpoints, and what holds where nothing is said.
const (
	minSegment                   = 4 << 10
	minAge, maxAge               = time.Minute, 10 * 365 * 24 * time.Hour
	defaultEvery, maxEvery       = 100, 1_000_000
	defaultInterval, minInterval = time.Hour, time.Second
)

func (t *tree) ledgerSegments(n *yaml.Node) LedgerSegments {
	const field = "ledger_segments"
	f := t.Fields(n, field, "size", "age")
	if len(f) == 0 && n.Kind == yaml.MappingNode {
		t.Problem(n, field, "says nothing: give size or age")
	}
	var s LedgerSegments
	if v := f["size"]; v != nil {
		s.Size = t.size(v, field+".size", minSegment)
	}
	s.Age = t.span(f["age"], field+".age", minAge, 0)
	return s
}

func (t *tree) ledgerCheckpoints(n *yaml.Node) LedgerCheckpoints {
	const field = "ledger_checkpoints"
	f := t.Fields(n, field, "key", "every", "interval")
	c := LedgerCheckpoints{
		Key:      t.Word(t.Need(f, n, field, "key"), field+".key", pathProblem),
		Every:    defaultEvery,
		Interval: t.span(f["interval"], field+".interval", minInterval, defaultInterval),
	}
	if v := f["every"]; v != nil {
		c.Every = t.Number(v, field+".every", 1, maxEvery)
	}
	return c
}

// span reads a time of at least least; without a node it is otherwise.
func (t *tree) span(n *yaml.Node, field string, least, otherwise time.Duration) time.Duration {
	if n == nil {
		return otherwise
	}
	var d time.Duration
	t.Word(n, field, func(s string) string {
		var err error
		if d, err = time.ParseDuration(s); err != nil || d < least || d > maxAge {
			return "want a time of at least " + least.String() + ", such as 90m or 24h"
		}
		return ""
	})
	return d
}
