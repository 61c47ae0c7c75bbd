package policy

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/runwrit/writ/runbook"
)

// value is v, a struct of strings, numbers, truths, lists, maps and structs, as
// the policy reads it: just what its JSON says, without writing that and reading
// it back, which would take a good part of a decision's time.
func value(v reflect.Value) *ast.Term {
	switch v.Kind() { // the kinds that an Input has: a test compares all with its JSON
	case reflect.String:
		return ast.StringTerm(jsonText(v.String()))
	case reflect.Bool:
		return ast.InternedTerm(v.Bool())
	case reflect.Array:
		digest, _ := v.Interface().(runbook.Digest)
		return ast.StringTerm(digest.String())
	case reflect.Uint64:
		return ast.NumberTerm(json.Number(strconv.FormatUint(v.Uint(), 10)))
	case reflect.Pointer:
		return value(v.Elem())
	case reflect.Slice:
		if v.IsNil() {
			return ast.NullTerm()
		}
		terms := make([]*ast.Term, 0, v.Len())
		for i := range v.Len() {
			terms = append(terms, value(v.Index(i)))
		}
		return ast.ArrayTerm(terms...)
	case reflect.Map:
		if v.IsNil() {
			return ast.NullTerm()
		}
		object := ast.NewObject()
		for entries := v.MapRange(); entries.Next(); {
			object.Insert(value(entries.Key()), value(entries.Value()))
		}
		return ast.NewTerm(object)
	case reflect.Struct:
		return structValue(v)
	default:
		return ast.NumberTerm(json.Number(strconv.FormatInt(v.Int(), 10)))
	}
}

// field is how one field of a struct stands in JSON.
type field struct {
	index int
	key   *ast.Term
	// omitted says that it is left out where it is empty.
	omitted bool
}

// fieldsOf remembers the fields of each type of struct: reflection takes longer
// than what it is asked for.
var fieldsOf sync.Map // reflect.Type to []field

func fields(of reflect.Type) []field {
	if known, ok := fieldsOf.Load(of); ok {
		return known.([]field) //nolint:forcetypeassert // it holds nothing else
	}
	var list []field
	for i := range of.NumField() {
		if name, option, _ := strings.Cut(of.Field(i).Tag.Get("json"), ","); name != "" {
			list = append(list, field{i, ast.StringTerm(name), option != ""})
		}
	}
	fieldsOf.Store(of, list)
	return list
}

func structValue(v reflect.Value) *ast.Term {
	list := fields(v.Type())
	items := make([][2]*ast.Term, 0, len(list)+1)
	for _, f := range list {
		at := v.Field(f.index)
		if f.omitted && (at.IsZero() || at.Kind() == reflect.Slice && at.Len() == 0) {
			continue
		}
		items = append(items, ast.Item(f.key, value(at)))
	}
	return ast.ObjectTerm(items...)
}

// jsonText is what becomes of a text in JSON: what is not UTF-8 is replaced.
func jsonText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}

// inputValue is the document that the policy reads: the input, with the
// reference to the policy and what grants.yaml says about it.
func inputValue(in Input, policy Ref, f *facts) ast.Value {
	in.Policy = policy
	document := value(reflect.ValueOf(in))
	document.Value.(ast.Object).Insert(ast.StringTerm("grants"), ast.NewTerm(f.value())) //nolint:forcetypeassert // of a struct
	return document.Value
}
