package policy_test

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/runwrit/writ/policy"
)

// The policy reads what the JSON of an input says: that is what is recorded, and
// what another OPA is asked.
func TestAPolicyReadsAnInputAsItsJSONSaysIt(t *testing.T) {
	t.Parallel()
	texts := good()
	texts.Findings = []policy.Finding{{Code: "odd", Line: -1, Detail: "not UTF-8: \xff\xfe\xc3(, <&> \u2028 \x00"}}
	texts.Parameters = map[string]string{"a\xff": "\xed\xa0\x80"}
	for name, in := range map[string]policy.Input{"the zero value": {}, "a good one": good(), "odd texts": texts, "everything": filled(t)} {
		data, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var decoded any
		if err := util.UnmarshalJSON(data, &decoded); err != nil {
			t.Fatal(err)
		}
		want, err := ast.InterfaceToValue(decoded)
		if err != nil {
			t.Fatal(err)
		}
		if got := policy.InputValue(in); got.Compare(want) != 0 {
			t.Errorf("%s:\n%v\n%v", name, got, want)
		}
	}
}

// filled is an input none of whose fields is empty.
func filled(t *testing.T) policy.Input {
	t.Helper()
	var in policy.Input
	fill(t, reflect.ValueOf(&in).Elem())
	return in
}

func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(math.MaxInt64)
	case reflect.Uint8:
		v.SetUint(7)
	case reflect.Uint64:
		v.SetUint(math.MaxUint64)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i))
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key)
		fill(t, value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(t, v.Field(i))
			}
		}
	default:
		t.Fatalf("an input holds a %v: value does not know it", v.Kind())
	}
}
