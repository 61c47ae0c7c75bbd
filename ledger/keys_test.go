package ledger_test

import (
	"encoding/json"
	"testing"

	"github.com/runwrit/writ/ledger"
)

// Two readers of a record must never see two meanings, and no record that has one
// only may be refused.
func TestAKeyStandsOnceInItsObject(t *testing.T) {
	t.Parallel()
	l, err := ledger.Open(t.TempDir()+"/l", ledger.Options{Now: newClock().Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for body, want := range map[string]bool{
		`{}`:                                 true,
		`{"a":"a","b":"a"}`:                  true,
		`{"a":{"a":{"a":1}}}`:                true,
		`{"a":[{"b":1},{"b":1}]}`:            true,
		`{"a":["b","b",["b"]],"b":1}`:        true,
		`{"a":["x",{"c":1},"a"],"b":"}{\""}`: true,
		`{"a\"":1,"a":2}`:                    true,
		`{"a\\":1,"a":2}`:                    true,
		`{"":1," ":2}`:                       true,
		`{"a":1,"A":2}`:                      true,
		`{"a":1,"a":2}`:                      false,
		`{"":1,"":2}`:                        false,
		`{"a":1,"\u0061":2}`:                 false,
		`{"\u00e4":1,"ä":2}`:                 false,
		`{"a\"":1,"\u0061\u0022":2}`:         false,
		`{"x":[[{"a":1,"b":[],"a":{}}]]}`:    false,
		`{"x":{"a":1},"y":{"b":{},"b":{}}}`:  false,
		`{"x":"{\"a\":","a":"\"a\"","x":1}`:  false,
		`{"a":"\\","b":"\\\"","a":1}`:        false,
		`{"\ud83d":1,"\ud83e":2}`:            false, // both are read as U+FFFD
	} {
		_, err := l.Append(t.Context(), ledger.Event{Type: ledger.TypeStart, Body: json.RawMessage(body)})
		if (err == nil) != want {
			t.Errorf("%s: %v", body, err)
		}
	}
}
