package strictjson_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/strictjson"
)

type inner struct {
	Name string   `json:"name"`
	List []string `json:"list"`
	Left string   `json:"left,omitempty"`
}

type document struct {
	Version string            `json:"version"`
	Count   int64             `json:"count"`
	Yes     bool              `json:"yes"`
	Labels  map[string]string `json:"labels"`
	Inner   []inner           `json:"inner"`
}

const whole = `{"version": "v1", "count": 3, "yes": true, "labels": {"a": "b", "A": "c"}, "inner": [{"name": "x", "list": ["y"], "left": "z"}, {"list": [], "name": ""}]}`

func TestADocumentThatIsWrittenAsItIsReadIsTaken(t *testing.T) {
	t.Parallel()
	var d document
	if err := strictjson.Decode([]byte(" "+whole+"\n"), 1_000, &d); err != nil {
		t.Fatal(err)
	}
	if d.Version != "v1" || d.Count != 3 || !d.Yes || d.Labels["A"] != "c" || len(d.Inner) != 2 || d.Inner[0].Left != "z" {
		t.Errorf("%+v", d)
	}
}

func TestDocumentsThatAreRefused(t *testing.T) {
	t.Parallel()
	change := func(old, now string) string {
		if !strings.Contains(whole, old) {
			panic(old)
		}
		return strings.Replace(whole, old, now, 1)
	}
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "EOF"},
		{"no JSON", "{", "EOF"},
		{"a word", "yes", "invalid character"},
		{"another value", `"x"`, "cannot unmarshal"},
		{"null, which decodes into anything", "null", "holds null"},
		{"two documents", whole + whole, "something follows the document"},
		{"junk behind it", whole + "]", "something follows the document"},
		{"an unknown field", change(`"count"`, `"override": true, "count"`), `unknown field "override"`},
		{"a field in other letters", change(`"count"`, `"Count"`), "count is missing"},
		{"a field in other letters beside it", change(`"count": 3`, `"count": 3, "Count": 4`), "count is not written as it is read"},
		{"a field in other letters that says the same", change(`"count": 3`, `"Count": 3, "count": 3`), "Count is no field"},
		{"a key twice", change(`"count": 3`, `"count": 3, "count": 3`), `the key "count" stands in an object twice`},
		{"a key twice, once escaped", change(`"count": 3`, `"count": 3, "\u0063ount": 4`), `the key "count" stands in an object twice`},
		{"a key twice inside", change(`"a": "b"`, `"a": "b", "a": "b"`), `the key "a" stands in an object twice`},
		{"a key twice in a list", change(`"name": "x"`, `"name": "x", "name": "x"`), "twice"},
		{"a field that is missing", change(`"yes": true, `, ""), "yes is missing"},
		{"a field that is missing inside", change(`, "name": ""`, ""), "inner[1].name is missing"},
		{"null for a list", change(`"list": []`, `"list": null`), "holds null"},
		{"null for a text", change(`"version": "v1"`, `"version": null`), "holds null"},
		{"a list for an object", change(`{"a": "b", "A": "c"}`, "[]"), "cannot unmarshal"},
		{"a field that says nothing", change(`"name": ""}`, `"name": "", "left": ""}`), "inner[1].left is no field, or must be left out"},
		{"a number with a fraction", change("3", "3.0"), "cannot unmarshal"},
		{"a number with an exponent", change("3", "3e0"), "cannot unmarshal"},
		{"a text for a number", change("3", `"3"`), "cannot unmarshal"},
		{"too deep", strings.Repeat("[", 40) + strings.Repeat("]", 40), "levels deep"},
		{"too long", whole + strings.Repeat(" ", 1_000), "bytes are too many"},
		{"no UTF-8", change("x", "\xff"), "not valid UTF-8"},
		{"a long key", change(`"count"`, `"`+strings.Repeat("k", 100)+`": 1, "`+strings.Repeat("k", 100)+`"`), strings.Repeat("k", 60) + "..."},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var d document
			err := strictjson.Decode([]byte(c.text), 1_000, &d)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	var d unwritable
	if err := strictjson.Decode([]byte(`{}`), 10, &d); err == nil {
		t.Error("what cannot be written again is taken")
	}
	var other otherList
	if err := strictjson.Decode([]byte(`{"list": [1]}`), 100, &other); err == nil || !strings.Contains(err.Error(), "list is not the list") {
		t.Errorf("a list that is written otherwise: %v", err)
	}
}

// otherList is written with an entry more than it was read with.
type otherList struct {
	List []int `json:"list"`
}

func (l *otherList) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string][]int{"list": append(l.List, 2)})
}

type unwritable struct{}

func (unwritable) MarshalJSON() ([]byte, error) { return nil, &json.UnsupportedValueError{Str: "x"} }

func FuzzDecode(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(`{"a":[{"a":1,"a":{}}]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var d document
		if strictjson.Decode(data, 1<<16, &d) != nil {
			return
		}
		again, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var e document
		if err := strictjson.Decode(again, 1<<20, &e); err != nil {
			t.Errorf("%s is taken, and what it is written as is not: %v", data, err)
		}
	})
}
