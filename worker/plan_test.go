package worker

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

// The policy refuses most of these before the worker sees them; the worker does
// not rely on it.
func TestVariablesThatWouldUndoTheGateAreRefused(t *testing.T) {
	t.Parallel()
	all := func(string) (string, bool) { return "x", true }
	for _, name := range []string{
		"LD_PRELOAD", "LD_LIBRARY_PATH", "ld_preload", "BASH_ENV", "Bash_Env", "ENV", "SHELLOPTS", "BASHOPTS", "PS4", "PYTHONPATH", "PYTHONSTARTUP",
		"PSModulePath", "IFS", "PROMPT_COMMAND", "GCONV_PATH", "NODE_OPTIONS", "IDENTITY_HEADER", "IDENTITY_ENDPOINT", "MSI_SECRET", "PATH", "DOTNET_STARTUP_HOOKS",
		"PERL5OPT", "PERL_USE_UNSAFE_INC", "RUBYLIB", "GEM_HOME", "BUNDLE_GEMFILE", "NODE_PATH", "CORECLR_PROFILER", "JAVA_TOOL_OPTIONS", "OPENSSL_CONF", "ZDOTDIR",
		"AZURE_CONFIG_DIR", "WRIT_PARAMETERS", "TZDIR", "BASH_FUNC_ls%%", "", "A B", "1A", "A-B", "\u00c4", "A\x00",
	} {
		for _, entry := range []string{name, name + "=value"} {
			_, err := granted([]string{entry}, all)
			var ee *EnvironmentError
			if !errors.As(err, &ee) {
				t.Errorf("%q: %v", entry, err)
			}
		}
	}
	for _, list := range [][]string{{"A=1", "A=2"}, {"A", "A"}, {"A=\x00"}, {"A=() { :; }; echo vulnerable"}, {"A= \t(){"}} {
		if _, err := granted(list, all); err == nil {
			t.Errorf("%q was granted", list)
		}
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	args := []argument{
		{Argument: policy.Argument{Value: "p1"}},
		{Argument: policy.Argument{Name: "A", Value: "x\ny=z:w"}},
		{Argument: policy.Argument{Value: "hidden"}, private: true},
		{Argument: policy.Argument{Name: "C", Value: "hidden"}, private: true},
		{Argument: policy.Argument{Value: "p3"}},
		{Argument: policy.Argument{Name: "B", Value: "-v"}},
	}
	for kind, want := range map[runbook.Kind][]string{
		runbook.Bash:       {"--A=x\ny=z:w", "--B=-v", "p1", "", "p3"},
		runbook.Python:     {"--A=x\ny=z:w", "--B=-v", "p1", "", "p3"},
		runbook.JavaScript: {"--A=x\ny=z:w", "--B=-v", "p1", "", "p3"},
		runbook.PowerShell: {"-A:x\ny=z:w", "-B:-v", "p1", "", "p3"},
	} {
		if diff := cmp.Diff(want, commandLine(kind, args)); diff != "" {
			t.Errorf("%s: %s", kind, diff)
		}
	}
}
