package policy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/lazyregexp"
	"github.com/runwrit/writ/internal/strictyaml"
)

// bounds are the lowest and the highest value of a parameter, as they stand in
// grants.yaml; "" for none.
type bounds struct{ Min, Max string }

var (
	intForm    = lazyregexp.New(`^-?(?:0|[1-9][0-9]{0,17})$`)
	numberForm = lazyregexp.New(`^-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?$`)
)

// readRange reads the bounds of a parameter that is a number.
func (t *tree) readRange(n *yaml.Node, field string, q *parameter) {
	f := t.Fields(n, field, "min", "max")
	form := numberForm
	switch {
	case len(f) == 0 && n.Kind == yaml.MappingNode:
		t.Problem(n, field, "bounds nothing: give min or max")
	case q.Type == "int":
		form = intForm
	case q.Type != "number":
		t.Problem(n, field, "bounds a number: give type: int or type: number")
	}
	read := func(key string) string {
		v := f[key]
		if v == nil {
			return ""
		}
		if v.Kind != yaml.ScalarNode || v.ShortTag() != "!!int" && v.ShortTag() != "!!float" || !form.MatchString(v.Value) {
			t.Problem(v, field+"."+key, "want a number of the parameter's type, such as 10, with 18 digits at most; found %q", strictyaml.Clip(v.Value))
			return ""
		}
		return v.Value
	}
	q.Range = bounds{read("min"), read("max")}
	if low, high := decimal(q.Range.Min), decimal(q.Range.Max); len(low) > 0 && len(high) > 0 && slices.Compare(low, high) > 0 {
		t.Problem(n, field, "min is above max: no value could ever fit")
	}
}

// decimal divides a number into its whole part and the digits behind the point,
// both with its sign, so that the order of lists is the order of numbers: a
// comparison of floating-point numbers would be near, not exact. It is empty for
// what is no number.
func decimal(s string) []int64 {
	if !numberForm.MatchString(s) {
		return nil
	}
	text, digits, _ := strings.Cut(s, ".")
	digits += strings.Repeat("0", 18-len(digits))
	whole, _ := strconv.ParseInt(text, 10, 64)      // 18 digits fit
	fraction, _ := strconv.ParseInt(digits, 10, 64) // and so do these
	if strings.HasPrefix(text, "-") {
		fraction = -fraction
	}
	return []int64{whole, fraction}
}

func decimalTerm(s string) *ast.Term {
	parts := []*ast.Term{}
	for _, n := range decimal(s) {
		parts = append(parts, ast.NumberTerm(jsonNumber(n)))
	}
	return ast.ArrayTerm(parts...)
}

// numbersTerm are the parameters whose values are numbers.
func numbersTerm(parameters map[string]string) *ast.Term {
	numbers := ast.NewObject()
	for name, value := range parameters {
		if numberForm.MatchString(value) {
			numbers.Insert(ast.StringTerm(name), decimalTerm(value))
		}
	}
	return ast.NewTerm(numbers)
}

// said is the range for a hint.
func (b bounds) said() string {
	switch {
	case b.Min == "":
		return "at most " + b.Max
	case b.Max == "":
		return "at least " + b.Min
	}
	return "from " + b.Min + " to " + b.Max
}
