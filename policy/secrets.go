package policy

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// secrets are the secret parameters of a rule: the names in lower case, and the
// positions.
func (r *rule) secrets() (names, positions []string) {
	for _, p := range r.Parameters {
		switch {
		case !p.Secret:
		case parameterForm.holds(p.Name):
			names = append(names, strings.ToLower(p.Name))
		default:
			positions = append(positions, p.Name)
		}
	}
	return names, positions
}

// hidden are the secret parameters that a decision has to do with. Names are secret
// for every runbook, in any case of letters: a caller who takes the wrong runbook, or
// writes a name wrong, still gives the secret away. Positions mean something else in
// each runbook: they are secret for those that the rule may match.
type hidden struct {
	names     []string // in lower case, sorted
	positions []string // "1" or "*"
}

func (h *hidden) has(parameter string) bool {
	if positionForm.holds(parameter) {
		return slices.Contains(h.positions, parameter) || slices.Contains(h.positions, "*")
	}
	_, found := slices.BinarySearch(h.names, strings.ToLower(parameter))
	return found
}

// Redact returns what may be recorded and shown of an input: without the values of
// parameters that a rule of grants.yaml calls secret. Redacted names them. Only the
// decision of an Engine on this input knows which these are; of any other Decision,
// and where the policy could not be asked, every value is left out.
func (d Decision) Redact(in Input) Input {
	in.seal = nil
	parameters := make(map[string]string, len(in.Parameters))
	for _, name := range slices.Sorted(maps.Keys(in.Parameters)) {
		if parameters[name] = in.Parameters[name]; !d.shown[name] {
			parameters[name] = ""
			if !slices.Contains(in.Redacted, name) {
				in.Redacted = append(slices.Clone(in.Redacted), name)
			}
		}
	}
	in.Parameters = parameters
	slices.Sort(in.Redacted)
	return in
}

// hide notes which parameters of the input may be recorded, and takes the values of
// the others out of the reasons: a rule of the user may quote them, and so may an
// error of the policy.
func (d *Decision) hide(in *Input, f *facts) {
	d.shown = map[string]bool{}
	var secret []string
	for name, value := range in.Parameters {
		if !f.secrets.has(name) {
			d.shown[name] = true
			continue
		}
		if d.permit != nil {
			d.permit.secret[name] = true
		}
		if value != "" {
			// As it is, and as sprintf and json.marshal of Rego write it.
			quoted, encoded := strconv.Quote(value), asJSON(value)
			secret = append(secret, value, quoted[1:len(quoted)-1], encoded[1:len(encoded)-1])
		}
	}
	if len(secret) == 0 {
		return
	}
	// The longest first: none leaves a part of another one behind.
	slices.SortFunc(secret, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	pairs := make([]string, 0, 2*len(secret))
	for _, value := range secret {
		pairs = append(pairs, value, "***")
	}
	d.hidden = strings.NewReplacer(pairs...)
	for _, list := range [][]Reason{d.Deny, d.Warn, d.WouldDeny} {
		for i := range list {
			list[i].Msg, list[i].Hint = d.without(list[i].Msg), d.without(list[i].Hint)
		}
	}
}

// asJSON is a text as JSON. A parameter is valid UTF-8: encoding it cannot fail.
func asJSON(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

// without takes the values of secret parameters out of a text.
func (d *Decision) without(text string) string {
	if d.hidden == nil {
		return text
	}
	return d.hidden.Replace(text)
}
