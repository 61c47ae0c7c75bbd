package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/policy"
)

func TestAFileOfParametersIsRead(t *testing.T) {
	t.Parallel()
	got, err := parseParameters([]byte(`{"Service": "a b\t\"", "Hosts": ["a", {"b": [1, 2.50]} ], "Force": true, "Port": 8080, "Rate": 1.50, "Map": { "x" : "y" }, "Empty": ""}` + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []policy.Argument{
		{Name: "Empty"}, {Name: "Force", Value: "true"}, {Name: "Hosts", Value: `["a",{"b":[1,2.50]}]`, JSON: true}, {Name: "Map", Value: `{"x":"y"}`, JSON: true},
		{Name: "Port", Value: "8080"}, {Name: "Rate", Value: "1.50"}, {Name: "Service", Value: "a b\t\""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNoFileOfParametersIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "x", "[]", `"a"`, "null", `{"a":null}`, `{"a":[null]}`, `{"a":"1","a":"2"}`, `{"a":{"b":1,"b":2}}`, `{"a":"1"} {"b":"2"}`, `{"a":"1",}`, `{"":"x"}`,
		`{"a":"` + "\xff" + `"}`, `{"a":"` + strings.Repeat("x", maxParameters) + `"}`, `{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}",
	} {
		if got, err := parseParameters([]byte(text)); err == nil || got != nil {
			t.Errorf("%.60q: %v", text, got)
		}
	}
}

func FuzzParameters(f *testing.F) {
	for _, seed := range []string{`{"a":"b"}`, `{"a":[1,{"b":true}]}`, `{"a":1e5}`, `{"a":null}`, `{`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := parseParameters(data)
		if err != nil {
			return
		}
		for i, a := range list {
			if a.Name == "" || !utf8.ValidString(a.Value) || i > 0 && a.Name <= list[i-1].Name {
				t.Fatalf("%+v", list)
			}
			if a.JSON && !strings.ContainsAny(a.Value[:1], "[{") {
				t.Fatalf("%+v", a)
			}
		}
	})
}
