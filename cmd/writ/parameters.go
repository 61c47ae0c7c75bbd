package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/runwrit/writ/internal/strictjson"
	"github.com/runwrit/writ/policy"
)

// maxParameters is the size of the largest file of parameters in bytes: what the
// parameters may have together (policy.MaxArgument), escaped.
const maxParameters = 2 << 20

// readParameters reads the file of --parameters, or the descriptor that it names,
// which is closed: nobody can look there while the runbook runs. It says of no value
// what it is, for it may be a secret.
func readParameters(path string) ([]policy.Argument, error) {
	file, err := openToken(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // opened for reading only
	if info, err := file.Stat(); err != nil || info.IsDir() {
		return nil, errors.Join(errors.New("it is not a file or a pipe"), err)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxParameters+1))
	if err != nil {
		return nil, err
	}
	return parseParameters(data)
}

// parseParameters reads a JSON object of parameters: texts, numbers and booleans are
// arguments as they are written, lists and objects in JSON.
func parseParameters(data []byte) ([]policy.Argument, error) {
	var object map[string]json.RawMessage
	if err := strictjson.Decode(data, maxParameters, &object); err != nil {
		return nil, fmt.Errorf("want a JSON object of parameters: %w", err)
	}
	var arguments []policy.Argument
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if name == "" {
			return nil, errors.New("a parameter has no name")
		}
		a := policy.Argument{Name: name}
		var text string
		var compact bytes.Buffer
		switch err := json.Unmarshal(object[name], &text); {
		case err == nil:
			a.Value = text
		default:
			if err := json.Compact(&compact, object[name]); err != nil {
				return nil, err
			}
			a.Value, a.JSON = compact.String(), compact.Bytes()[0] == '[' || compact.Bytes()[0] == '{'
		}
		arguments = append(arguments, a)
	}
	return arguments, nil
}

// toldSecrets warns of parameters that are secret, and stood on writ's own command
// line, where everybody on the machine could read them.
func (o *gateOptions) toldSecrets(secret []string) []policy.Reason {
	var warnings []policy.Reason
	for _, name := range secret {
		given := slices.ContainsFunc(o.params, func(p string) bool { return strings.HasPrefix(p, name+"=") })
		if position, err := strconv.Atoi(name); given || err == nil && position <= len(o.arguments) {
			warnings = append(warnings, policy.Reason{
				Code: "secret-on-command-line",
				Msg:  fmt.Sprintf("the parameter %s is secret, and stood on the command line of writ, which everybody on this machine can read: give it with --parameters", name),
				Rule: "writ/gate",
			})
		}
	}
	return warnings
}
