package policy

import (
	"slices"
	_ "time/tzdata" // zone names in a rule must not depend on the machine having them

	"github.com/open-policy-agent/opa/v1/ast"
)

// allowedBuiltins are the functions that a policy may call: those that compute
// a value of their arguments and do nothing else. Not in it, on purpose: all
// that reads a clock, a random number, the network, the process or its
// environment, all that fetches references of a JSON schema, all that handles
// tokens or keys (that is done in Go, before), and number ranges and shifts to
// the left (they make much of little).
var allowedBuiltins = []string{
	"abs", "and", "array.concat", "array.flatten", "array.reverse", "array.slice", "assign", "base64.decode", "base64.encode",
	"base64.is_valid", "base64url.decode", "base64url.encode", "bits.and", "bits.negate", "bits.or", "bits.rsh",
	"bits.xor", "ceil", "concat", "contains", "count", "crypto.sha256", "div", "endswith", "eq", "equal", "floor", "format_int",
	"gt", "gte", "hex.decode", "hex.encode", "indexof", "indexof_n", "internal.member_2",
	"internal.member_3", "intersection", "is_array", "is_boolean", "is_null", "is_number", "is_object", "is_set", "is_string",
	"json.filter", "json.is_valid", "json.marshal", "json.remove", "json.unmarshal", "lower", "lt", "lte", "max", "min", "minus",
	"mul", "neq", "net.cidr_contains", "net.cidr_intersects", "net.cidr_is_valid", "object.filter", "object.get", "object.keys",
	"object.remove", "object.subset", "object.union", "object.union_n", "or", "plus", "product", "regex.is_valid", "regex.match",
	"regex.replace", "regex.split", "rem", "replace", "round", "semver.compare", "semver.is_valid", "set_diff", "sort", "split",
	"sprintf", "startswith", "strings.any_prefix_match", "strings.any_suffix_match", "strings.count", "strings.replace_n",
	"strings.reverse", "substring", "sum", "time.add_date", "time.clock", "time.date", "time.diff", "time.format",
	"time.parse_duration_ns", "time.parse_ns", "time.parse_rfc3339_ns", "time.weekday", "to_number", "trim", "trim_left",
	"trim_prefix", "trim_right", "trim_space", "trim_suffix", "type_name", "union", "units.parse", "units.parse_bytes", "upper",
	"walk",
}

// capabilities are what policies are compiled and evaluated with; more are further
// functions.
func capabilities(more ...string) *ast.Capabilities {
	caps := ast.CapabilitiesForThisVersion()
	caps.Builtins = slices.DeleteFunc(caps.Builtins, func(b *ast.Builtin) bool {
		return !slices.Contains(allowedBuiltins, b.Name) && !slices.Contains(more, b.Name)
	})
	caps.AllowNet = []string{} // empty, not nil: no host
	caps.FutureKeywords = nil
	caps.Features = []string{ast.FeatureRegoV1, ast.FeatureRefHeadStringPrefixes, ast.FeatureRefHeads, ast.FeatureRegoV1Import, ast.FeatureKeywordsInRefs}
	return caps
}
