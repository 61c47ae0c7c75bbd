package worker

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

// Path is the search path of every runbook, and the only place where
// interpreters are looked for: the caller's own PATH plays no part.
const Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// interpreter says how runbooks of a kind are run. The script stands after
// options, the runbook's arguments after the script.
type interpreter struct {
	program string
	options []string
	// inSet are the options where the script runs with a set of files, instead.
	inSet []string
	// byName says that the interpreter insists on a file whose name has the
	// right extension.
	byName bool
	env    []string
}

// interpreters lists the kinds that are run. -I keeps Python from importing out
// of "/", the folder of a memory file, and from reading the environment. With a
// set, the script's folder holds verified files only, and modules are imported
// from there; -B keeps Python from writing there what it compiles.
var interpreters = map[runbook.Kind]interpreter{
	runbook.Bash:   {program: "bash", options: []string{"--noprofile", "--norc"}, inSet: []string{"--noprofile", "--norc"}},
	runbook.Python: {program: "python3", options: []string{"-I"}, inSet: []string{"-E", "-s", "-B"}},
	runbook.PowerShell: {
		program: "pwsh", options: []string{"-NoProfile", "-NonInteractive", "-File"}, byName: true,
		inSet: []string{"-NoProfile", "-NonInteractive", "-File"},
		// pwsh would else report to its maker at each start.
		env: []string{"POWERSHELL_TELEMETRY_OPTOUT=1", "POWERSHELL_UPDATECHECK=Off"},
	},
}

// interpreter returns the absolute path of the interpreter of a kind and the
// options that it is started with.
func (w *Worker) interpreter(kind runbook.Kind, inSet bool) (path string, options []string, err error) {
	known, ok := interpreters[kind]
	if !ok {
		return "", nil, &InterpreterError{Kind: kind, Reason: "runbooks of this kind are not run"}
	}
	options = slices.Clone(known.options)
	if inSet {
		options = slices.Clone(known.inSet)
	}
	if path := w.interpreters[kind]; path != "" {
		if !executable(path) {
			return "", nil, &InterpreterError{kind, path, "there is no such program"}
		}
		return path, options, nil
	}
	for dir := range strings.SplitSeq(Path, ":") {
		if path := filepath.Join(dir, known.program); executable(path) {
			return path, options, nil
		}
	}
	return "", nil, &InterpreterError{Kind: kind, Reason: known.program + " is not installed in any of " + Path}
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// commandLine returns the arguments as the runbook of a kind gets them, each as
// one argument of the process: named ones first ("-Name:value" to PowerShell,
// "--name=value" to all others), then the positional ones. What a runbook could
// take for something else than the policy saw, such as a positional value that
// begins with a dash, never gets into a permit: policy refuses it.
func commandLine(kind runbook.Kind, args []policy.Argument) []string {
	var named, positional []string
	for _, a := range args {
		switch {
		case a.Name == "":
			positional = append(positional, a.Value)
		case kind == runbook.PowerShell:
			named = append(named, "-"+a.Name+":"+a.Value)
		default:
			named = append(named, "--"+a.Name+"="+a.Value)
		}
	}
	return append(named, positional...)
}
