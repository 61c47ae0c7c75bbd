package worker

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

// ParametersVariable is the environment variable that names the document of the
// parameters, where there is one: a file in JSON that only the runbook and what it
// starts can open.
const ParametersVariable = "WRIT_PARAMETERS"

// MaxCommandLine is the longest value in bytes that stands on the command line of a
// runbook. A longer one stands in the document of the parameters, and its digest in
// the ledger.
const MaxCommandLine = 8 << 10

// maxSecrets is the length of all secret values of a run together: whatever the
// runbook writes is searched for each of them.
const maxSecrets = 64 << 10

// argument is one that the runbook gets.
type argument struct {
	policy.Argument
	key string // as policies know it: the name, or the position
	// private ones stand in the document of the parameters only: everybody can read
	// the command line of a process, and it has no room for large ones.
	private bool
}

// argumentsOf are those that a permit is for.
func argumentsOf(p *policy.Permit) ([]argument, error) {
	var list []argument
	position, secret := 0, 0
	for _, a := range p.Arguments() {
		key := a.Name
		if key == "" {
			position++
			key = strconv.Itoa(position)
		}
		if p.Secret(key) {
			secret += len(a.Value)
		}
		list = append(list, argument{a, key, a.JSON || p.Secret(key) || len(a.Value) > MaxCommandLine})
	}
	if secret > maxSecrets {
		return nil, &PermitError{fmt.Sprintf("its secret parameters have %d bytes together, the limit is %d", secret, maxSecrets)}
	}
	return list, nil
}

// commandLine returns the arguments as the runbook of a kind gets them, each as
// one argument of the process: named ones first ("-Name:value" to PowerShell,
// "--name=value" to all others), then the positional ones. What a runbook could
// take for something else than the policy saw, such as a positional value that
// begins with a dash, never gets into a permit: policy refuses it.
//
// A private one that has a name is left out; that of a private positional one is
// empty, so that those behind it keep their places.
func commandLine(kind runbook.Kind, args []argument) []string {
	var named, positional []string
	for _, a := range args {
		switch {
		case a.Name == "" && a.private:
			positional = append(positional, "")
		case a.Name == "":
			positional = append(positional, a.Value)
		case a.private:
		case kind == runbook.PowerShell:
			named = append(named, "-"+a.Name+":"+a.Value)
		default:
			named = append(named, "--"+a.Name+"="+a.Value)
		}
	}
	return append(named, positional...)
}

// document is the JSON object of all parameters, by the names that policies know
// them by; nil where none of them is private: the command line says all. Values
// are texts, as the policy saw them, but for those that are JSON themselves.
func document(args []argument) ([]byte, error) {
	values, private := map[string]any{}, false
	for _, a := range args {
		values[a.key] = a.Value
		if a.JSON {
			values[a.key] = json.RawMessage(a.Value)
		}
		private = private || a.private
	}
	if !private {
		return nil, nil
	}
	doc, err := json.Marshal(values)
	return append(doc, '\n'), err
}

// textsOf are the texts in a JSON value, the names of its fields left out.
func textsOf(value string) (texts []string) {
	var tree any
	if err := json.Unmarshal([]byte(value), &tree); err != nil {
		return nil
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			texts = append(texts, v)
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(tree)
	return texts
}
