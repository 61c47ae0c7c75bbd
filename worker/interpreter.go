package worker

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/runwrit/writ/runbook"
)

// Path is the search path of every runbook, and the only place where
// interpreters are looked for: the caller's own PATH plays no part.
const Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Interpreter is the program that runs the runbooks of a kind.
type Interpreter struct {
	// Program is its absolute path.
	Program string
	// Options stand behind those that this package gives, and before the script.
	Options []string
}

// language is what this package knows of a kind of runbook. The script stands
// after options, the runbook's arguments after the script.
type language struct {
	// program is what is looked for in Path; "" for a kind that is run only where
	// Options name the program.
	program string
	options []string
	// inSet are the options where the script runs with a set of files, instead.
	inSet []string
	// last are the options that stand right before the script.
	last []string
	// extension is the only one of the kind that the interpreter can read; "" if it
	// reads them all.
	extension string
	// byName says that the interpreter insists on a file whose name has the
	// right extension.
	byName bool
	// climbs says that a script with a set is given code from any folder above it.
	climbs bool
	env    []string
}

// languages lists the kinds that are run.
//
// -I keeps Python from importing out of "/", the folder of a memory file, and
// from reading the environment. With a set, the script's folder holds verified
// files only, and modules are imported from there; -B keeps Python from writing
// there what it compiles. Without --preserve-symlinks-main Node looks for the
// memory file by the name that the kernel gives it, and finds none.
var languages = map[runbook.Kind]language{
	runbook.Bash:   {program: "bash", options: []string{"--noprofile", "--norc"}, inSet: []string{"--noprofile", "--norc"}},
	runbook.Python: {program: "python3", options: []string{"-I"}, inSet: []string{"-E", "-s", "-B"}},
	runbook.PowerShell: {
		program: "pwsh", options: []string{"-NoProfile", "-NonInteractive"}, inSet: []string{"-NoProfile", "-NonInteractive"},
		last: []string{"-File"}, byName: true,
		// pwsh would else report to its maker at each start.
		env: []string{"POWERSHELL_TELEMETRY_OPTOUT=1", "POWERSHELL_UPDATECHECK=Off"},
	},
	runbook.Perl:       {},
	runbook.Ruby:       {},
	runbook.JavaScript: {options: []string{"--preserve-symlinks-main"}, extension: ".js", climbs: true},
}

// plainShell is a first line that asks for the plain shell, by whatever path. What
// else the line says plays no part, as it plays none in any other script.
var plainShell = regexp.MustCompile(`^#![ \t]*(/usr)?/bin/(env[ \t]+)?(sh|dash)([ \t]|$)`)

// interpreter returns the absolute path of the interpreter of the plan's runbook
// and the options that it is started with.
func (w *Worker) interpreter(p *plan) (path string, options []string, err error) {
	known, ok := languages[p.kind]
	if !ok {
		return "", nil, &InterpreterError{Kind: p.kind, Reason: "runbooks of this kind are not run"}
	}
	if known.extension != "" && !strings.EqualFold(filepath.Ext(p.name), known.extension) {
		return "", nil, &InterpreterError{Kind: p.kind, Reason: "of this kind only " + known.extension + " is run"}
	}
	first, _, _ := bytes.Cut(p.payload, []byte("\n"))
	if p.kind == runbook.Bash && plainShell.Match(first) {
		path, err = findProgram(p.kind, "sh")
		return path, nil, err
	}
	options = slices.Clone(known.options)
	if p.set != nil {
		options = slices.Clone(known.inSet)
	}
	named, ok := w.interpreters[p.kind]
	options = slices.Concat(options, named.Options, known.last)
	switch {
	case ok && !executable(named.Program):
		return "", nil, &InterpreterError{p.kind, named.Program, "there is no such program"}
	case ok:
		return named.Program, options, nil
	case known.program == "":
		return "", nil, &InterpreterError{Kind: p.kind, Reason: "none is named: worker.yaml can, under interpreters"}
	}
	path, err = findProgram(p.kind, known.program)
	return path, options, err
}

// findProgram finds a program in Path.
func findProgram(kind runbook.Kind, program string) (string, error) {
	for dir := range strings.SplitSeq(Path, ":") {
		if path := filepath.Join(dir, program); executable(path) {
			return path, nil
		}
	}
	return "", &InterpreterError{Kind: kind, Reason: program + " is not installed in any of " + Path}
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// checkInterpreters refuses what New is given under Options.Interpreters, unless
// each row is for a kind that can be run, and has a program and options.
func checkInterpreters(table map[runbook.Kind]Interpreter) error {
	for kind, row := range table {
		_, known := languages[kind]
		switch {
		case !known || !filepath.IsAbs(row.Program):
			return &InterpreterError{Kind: kind, Path: row.Program, Reason: "want an absolute path, for a kind that can be run"}
		case slices.ContainsFunc(row.Options, func(o string) bool { return len(o) < 2 || o[0] != '-' || strings.ContainsRune(o, 0) }):
			return &InterpreterError{Kind: kind, Path: row.Program, Reason: "an option does not begin with a dash: it would be taken for the script"}
		}
	}
	return nil
}
