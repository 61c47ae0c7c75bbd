package policy

import (
	"slices"
	"strings"
)

var envForm = newForm(`^[A-Za-z_][A-Za-z0-9_]*$`, 128)

// Names and prefixes of environment variables that change what an interpreter
// or the dynamic linker runs, or that carry the worker's own identity. They are
// in upper case; the comparison ignores case, as Windows does.
var (
	refusedEnv = []string{
		"BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4", "IFS", "PROMPT_COMMAND", "CDPATH", "GLOBIGNORE", "SHELL",
		"PSMODULEPATH", "__PSLOCKDOWNPOLICY", "GCONV_PATH", "LOCPATH", "NLSPATH", "GLIBC_TUNABLES", "HOSTALIASES", "RES_OPTIONS",
		"NODE_OPTIONS", "NODE_PATH", "PERLLIB", "PERLIO", "RUBYOPT", "RUBYLIB", "PATH", "PATHEXT", "COMSPEC",
		"AZURE_POD_IDENTITY_AUTHORITY_HOST", "DEFAULT_IDENTITY_CLIENT_ID",
	}
	refusedEnvPrefixes = []string{
		"LD_", "DYLD_", "PYTHON", "BASH_FUNC_", "PERL5", "DOTNET_", "CORECLR_", "COR_", "COMPLUS_", "POWERSHELL_",
		"IDENTITY_", "MSI_", "IMDS_", "MALLOC_",
	}
)

// EnvRefused reports whether an environment variable of this name must never
// reach a runbook, whatever the policy says.
func EnvRefused(name string) bool {
	upper := strings.ToUpper(name)
	return slices.Contains(refusedEnv, upper) ||
		slices.ContainsFunc(refusedEnvPrefixes, func(p string) bool { return strings.HasPrefix(upper, p) })
}

// envProblem says why entry ("NAME" or "NAME=value") cannot be an obligation,
// "" if it can.
func envProblem(entry string) string {
	name, value, _ := strings.Cut(entry, "=")
	switch {
	case !envForm.holds(name):
		return `want NAME or NAME=value, NAME of letters, digits and "_"`
	case EnvRefused(name):
		return name + " is refused: it changes what an interpreter runs, or carries the worker's own identity"
	}
	if bad := textProblem(value, maxText); bad != "" {
		return "the value " + bad
	}
	return ""
}
