package policy

import (
	"slices"
	"strings"
)

var envForm = newForm(`^[A-Za-z_][A-Za-z0-9_]*$`, 128)

// Names and prefixes of environment variables that change what an interpreter, the
// dynamic linker or the C library runs or believes, that carry the worker's own
// identity, or that the worker itself sets. They are in upper case; the comparison
// ignores case, as Windows does.
var (
	refusedEnv = []string{
		// shells
		"BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4", "IFS", "PROMPT_COMMAND", "CDPATH", "GLOBIGNORE", "SHELL",
		"FPATH", "ZDOTDIR", "NULLCMD", "READNULLCMD", "INPUTRC",
		// PowerShell and Windows
		"PSMODULEPATH", "PSEXECUTIONPOLICYPREFERENCE", "__PSLOCKDOWNPOLICY", "PATH", "PATHEXT", "COMSPEC",
		// the C library
		"GCONV_PATH", "GETCONF_DIR", "LOCPATH", "NLSPATH", "GLIBC_TUNABLES", "HOSTALIASES", "LOCALDOMAIN", "RES_OPTIONS",
		"RESOLV_HOST_CONF", "NIS_PATH", "TZDIR", "TERMINFO", "TERMINFO_DIRS", "TERMCAP",
		// what programs load, or begin with
		"CLASSPATH", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES",
		"NODE_OPTIONS", "NODE_PATH", "KRB5_CONFIG", "KRB5_KTNAME",
		// who the worker is
		"AZURE_CONFIG_DIR", "AZURE_POD_IDENTITY_AUTHORITY_HOST", "DEFAULT_IDENTITY_CLIENT_ID",
	}
	refusedEnvPrefixes = []string{
		"LD_", "DYLD_", "_RLD", "PYTHON", "BASH_FUNC_", "PERL", "RUBY", "GEM_", "BUNDLE_", "DOTNET_", "CORECLR_", "COR_", "COMPLUS_",
		"POWERSHELL_", "IDENTITY_", "MSI_", "IMDS_", "MALLOC_", "WRIT_",
	}
)

// EnvRefused reports whether an environment variable of this name must never
// reach a runbook, whatever the policy says.
func EnvRefused(name string) bool {
	upper := strings.ToUpper(name)
	return slices.Contains(refusedEnv, upper) ||
		slices.ContainsFunc(refusedEnvPrefixes, func(p string) bool { return strings.HasPrefix(upper, p) })
}

// EnvFunction reports whether the value of an environment variable is a shell
// function, whatever the name of the variable: none ever reaches a runbook.
func EnvFunction(value string) bool { return strings.HasPrefix(strings.TrimLeft(value, " \t"), "()") }

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
	if EnvFunction(value) {
		return "the value is a function: an old shell would run what stands in it"
	}
	return ""
}
