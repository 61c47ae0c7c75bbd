package policy

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/runwrit/writ/runbook"
)

// pathProblem says why p is not a path that rules can be matched with, "" if it
// is one.
func pathProblem(p string) string {
	switch {
	case p == "":
		return "is empty"
	case strings.Contains(p, `\`):
		return `holds a backslash: segments are divided by "/"`
	}
	if bad := textProblem(p, maxPath); bad != "" {
		return bad
	}
	if path.Clean(p) != p || p == "." || p == "/" || p == ".." || strings.HasPrefix(p, "../") {
		return `is not clean: resolve "..", "." and "//" first`
	}
	return ""
}

// checkArguments refuses what an interpreter could take for something else than
// the policy saw.
func checkArguments(kind runbook.Kind, args []Argument) error {
	if len(args) > MaxArguments {
		return &ArgumentError{Msg: fmt.Sprintf("%d are too many, the limit is %d", len(args), MaxArguments)}
	}
	total := 0
	seen := make(map[string]bool, len(args))
	for i, a := range args {
		total += len(a.Name) + len(a.Value)
		if bad := argumentProblem(kind, a); bad != "" {
			name := a.Name
			if !parameterForm.holds(name) {
				name = shorten(strings.ToValidUTF8(name, "?"))
			}
			return &ArgumentError{Position: i + 1, Name: name, Msg: bad}
		}
		// PowerShell does not tell -Name from -name.
		folded := strings.ToLower(a.Name)
		if a.Name != "" && seen[folded] {
			return &ArgumentError{Position: i + 1, Name: a.Name, Msg: "is given a second time"}
		}
		seen[folded] = true
	}
	if total > maxArgumentsSize {
		return &ArgumentError{Msg: fmt.Sprintf("%d bytes are too many, the limit is %d", total, maxArgumentsSize)}
	}
	return nil
}

func argumentProblem(kind runbook.Kind, a Argument) string {
	if a.Name != "" && !parameterForm.holds(a.Name) {
		return `is not the name of a parameter: want at most 64 ASCII letters, digits, "_" and "-", beginning with a letter`
	}
	if bad := textProblem(a.Value, MaxArgument); bad != "" {
		return "the value " + bad
	}
	switch {
	case a.JSON && (a.Name == "" || !json.Valid([]byte(a.Value)) || !strings.ContainsAny(a.Value[:1], "[{")):
		return "want a list or an object in JSON, with a name"
	case a.Name == "" && len(a.Value) > 1 && beginsWithDash(a.Value):
		return "a value that begins with a dash could be taken for an option: give it by a name"
	case a.Name != "" && a.Value == "" && kind == runbook.PowerShell:
		return "pwsh cannot be given an empty value by name"
	}
	return ""
}

// beginsWithDash knows the four characters that PowerShell takes for a dash.
func beginsWithDash(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return r == '-' || r == '\u2013' || r == '\u2014' || r == '\u2015'
}

// shorten cuts text of a hostile file to what a policy may see of it.
func shorten(s string) string {
	if len(s) > maxText {
		s = s[:maxText-3] + "..."
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
