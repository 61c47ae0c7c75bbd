package worker

import (
	"slices"
	"strings"

	"github.com/runwrit/writ/policy"
)

// granted returns the variables that the policy lists, as NAME=value. One that
// the gate itself does not have is left out; one that may never reach a runbook
// is an error: the policy asks for what would undo the gate.
func granted(list []string, lookup func(string) (string, bool)) ([]string, error) {
	var env []string
	seen := map[string]bool{}
	for _, entry := range list {
		name, value, set := strings.Cut(entry, "=")
		switch {
		case !plainName(name):
			return nil, &EnvironmentError{name, "not a plain name"}
		case policy.EnvRefused(name):
			return nil, &EnvironmentError{name, "it changes what an interpreter runs, or carries the worker's own identity"}
		case seen[name]:
			return nil, &EnvironmentError{name, "it is listed twice"}
		}
		seen[name] = true
		if !set {
			if value, set = lookup(name); !set {
				continue
			}
		}
		switch {
		case strings.ContainsRune(value, 0):
			return nil, &EnvironmentError{name, "its value holds a NUL character"}
		case policy.EnvFunction(value):
			return nil, &EnvironmentError{name, "its value is a function: an old shell would run what stands in it"}
		}
		env = append(env, name+"="+value)
	}
	return env, nil
}

func plainName(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// environment is all that the runbook gets. home and temp are fresh folders of its
// own that are gone after it; document is where its parameters are, "" for nowhere.
// The policy may set HOME, TMPDIR, LANG, USER and LOGNAME otherwise, and nothing
// else of what stands here.
func environment(p *plan, home, temp, document string) []string {
	env := []string{
		"PATH=" + Path,
		// Else az would keep who has logged in with whatever HOME the policy names; the
		// modules of Az for PowerShell keep it in the folder .Azure of HOME.
		"AZURE_CONFIG_DIR=" + home + "/.azure",
	}
	if document != "" {
		env = append(env, ParametersVariable+"="+document)
	}
	fixed := []string{"LANG=C.UTF-8", "HOME=" + home, "TMPDIR=" + temp}
	if p.user.name != "" {
		fixed = append(fixed, "USER="+p.user.name, "LOGNAME="+p.user.name)
	}
	for _, entry := range append(fixed, languages[p.kind].env...) {
		name, _, _ := strings.Cut(entry, "=")
		if !contains(p.env, name) {
			env = append(env, entry)
		}
	}
	return slices.Concat(env, p.env, p.identity)
}

func contains(env []string, name string) bool {
	for _, entry := range env {
		if strings.HasPrefix(entry, name+"=") {
			return true
		}
	}
	return false
}
